// Bench `readers`: what a packet costs its sender and all its readers, for 1 to 256 readers that each want a port of their own.

import Foundation

struct ReadersBench {
  /// Who reads, and in how many processes.
  private struct Way {
    let name: String
    /// More are not tried.
    let most: Int
    let endLines: Contestant.EndLines
    /// The commands of N readers.
    let commands: (Int) -> [[String]]
  }

  /// One measurement, ns per packet sent.
  private struct Sample {
    var sender: Double
    var readers: Double
    var lost: Double?
    var steal: Double
    var total: Double { sender + readers }
  }

  private static let base = 20000
  /// Ports are so far apart: next to each other they would be one range.
  private static let step = 37
  private static let counts = [1, 4, 16, 64, 256]
  /// One reader of everything that is sent, measured beside each number of readers to compare them with.
  private static let reference = "swbpf udp"
  private static let throughDaemon = "swbpf daemon"

  private let lab: Lab
  private let options: Options
  private let report: Report
  private let ways: [Way]
  private let counts: [Int]
  private var samples: [String: [Sample]] = [:]
  private var skipped: [String: String] = [:]
  private var daemon: Child?

  static func run(in lab: Lab, options: Options) throws {
    let report = Report("readers", options: options)
    var bench = ReadersBench(in: lab, options: options, report: report)
    try bench.run()
    try report.save()
  }

  private init(in lab: Lab, options: Options, report: Report) {
    (self.lab, self.options, self.report) = (lab, options, report)
    counts = options.readers ?? ReadersBench.counts
    let (interface, base, step) = (lab.interface, ReadersBench.base, ReadersBench.step)
    let file = ["-p", "-i", interface, "-w", "/dev/null"]
    let ports = { (count: Int) in (0..<count).map { "udp port \(base + $0 * step)" } }
    let all = [
      Way(name: "packet sockets", most: 256, endLines: .ringloop) {
        [["\(options.tools)/sockets", interface, "\($0)", "\(base)", "\(step)"]]
      },
      Way(name: "tcpdump", most: 16, endLines: .tcpdump) { ports($0).map { ["tcpdump"] + file + [$0] } },
      Way(name: "swbpf peers", most: 256, endLines: .ringloop) {
        [[options.ringBench, "peers", interface, "\($0)", "\(base)", "\(step)"]]
      },
      Way(name: ReadersBench.throughDaemon, most: 64, endLines: .tcpdump) {
        // 64 captures of 16 MiB, which they ask for by themselves, are more than the daemon gives one user.
        ports($0).map { ["env", "SWBPF_DAEMON=1", options.swbpf, "-B", "2048"] + file + [$0] }
      },
      Way(name: ReadersBench.reference, most: 256, endLines: .ringloop) { _ in
        [[options.ringBench, "peers", interface, "1"]]
      },
    ]
    ways = all.filter { options.only.isEmpty || options.only.contains($0.name) }
  }

  private static func name(_ count: Int, _ matches: Bool) -> String {
    "\(count), \(matches ? "one matches" : "none matches")"
  }

  private func key(_ way: Way, _ count: Int, _ matches: Bool) -> String {
    "\(way.name)/" + ReadersBench.name(count, matches)
  }

  private mutating func run() throws {
    if ways.contains(where: { $0.name == ReadersBench.throughDaemon }) {
      daemon = try? Child(
        [options.swbpf, "daemon"], core: Machine.readerCore, errors: .file("\(options.tools)/readers.daemon.err"))
    }
    defer { daemon?.end(with: SIGTERM) }
    for count in counts {
      for matches in [false, true] {
        for round in 1...options.rounds {
          for way in ways.shuffled() where count <= way.most && skipped[way.name] == nil {
            do {
              let sample = try measure(way, count, matches)
              samples[key(way, count, matches), default: []].append(sample)
              note(
                "round \(round)/\(options.rounds)  \(pad(way.name, 15)) \(count) readers, "
                  + "\(matches ? "one" : "none") matches: sender \(fixed(sample.sender, 0)) + readers "
                  + "\(fixed(sample.readers, 0)) ns"
                  + (sample.lost.map { ", \(fixed($0, 2)) % lost" } ?? "") + ", steal \(fixed(sample.steal, 1)) %")
            } catch {
              skipped[way.name] = "\(count) readers: \(error)"
              note("skipped: \(way.name): \(error)")
            }
          }
        }
      }
    }
    let measured = Set(counts.flatMap { [ReadersBench.name($0, false), ReadersBench.name($0, true)] })
    if options.readers != nil { report.keepRows { measured.contains($0) } }
    for matches in [false, true] { present(matches) }
    for (name, reason) in skipped.sorted(by: { $0.key < $1.key }) { report.skip(name, reason) }
    try plot()
  }

  private func measure(_ way: Way, _ count: Int, _ matches: Bool) throws -> Sample {
    var readers: [Child] = []
    defer { for reader in readers { reader.kill() } }
    let commands = way.commands(count)
    for (place, command) in commands.enumerated() {
      readers.append(
        try Child(
          command, core: Machine.readerCore, output: .file("\(options.tools)/readers.\(place).out"),
          errors: .file("\(options.tools)/readers.\(place).err")))
    }
    // Whoever says that it reads does so for all; a ring of the daemon belongs to another process.
    let limit = seconds(CLOCK_MONOTONIC) + 30
    for (place, reader) in readers.enumerated() {
      while !contents("\(options.tools)/readers.\(place).out").contains("ready")
        && !contents("\(options.tools)/readers.\(place).err").contains("listening on")
        && !(way.name == "packet sockets" && lab.waitUntilCapturing(reader))
      {
        guard reader.isRunning, seconds(CLOCK_MONOTONIC) < limit else {
          let said = contents("\(options.tools)/readers.\(place).err").split(separator: "\n").first
          throw Failure("does not capture" + (said.map { ": \($0)" } ?? ""))
        }
        usleep(5000)
      }
    }
    sleep(seconds: 0.5)
    let generator = try lab.prepare(
      Traffic(size: 64, rate: options.rates?.first ?? nil, count: options.packets),
      ports: matches ? (ReadersBench.base, count, ReadersBench.step) : nil)
    let processes = readers + (way.name == ReadersBench.throughDaemon ? [daemon].compactMap { $0 } : [])
    let before = Machine.now()
    let idle = processes.map(\.cpu).reduce(0, +)
    generator.go()
    let sent = try generator.result()
    sleep(seconds: sent.end + 0.25 - seconds(CLOCK_MONOTONIC))
    let used = processes.map(\.cpu).reduce(0, +) - idle
    let after = Machine.now()
    let (steal, _) = after.since(before, ours: used / 1e9 + generator.used)
    // libpcap hands over a block that is not full only when its timeout ends, tcpdump's being 1 s.
    sleep(seconds: way.name == "tcpdump" ? 1 : 0.1)
    for reader in readers { kill(reader.pid, SIGINT) }
    for reader in readers { reader.end() }
    var captured: Double?
    for place in readers.indices {
      let text = contents("\(options.tools)/readers.\(place).out") + contents("\(options.tools)/readers.\(place).err")
      let contestant = Contestant(name: way.name, kind: .writer, command: [], endLines: way.endLines)
      if let own = contestant.counts(in: text).captured { captured = (captured ?? 0) + own }
    }
    let isAsked = matches || way.name == ReadersBench.reference
    let softirq = after.softirqThreads - before.softirqThreads
    return Sample(
      sender: (generator.used + softirq) * 1e9 / sent.delivered, readers: used / sent.delivered,
      lost: isAsked ? captured.map { 100 * (sent.delivered - $0) / sent.delivered } : nil, steal: steal)
  }

  private func present(_ matches: Bool) {
    report.line()
    report.line(
      "\(matches ? "one matches" : "none matches"): \(options.packets) frames of 64 bytes, ns per packet sent, "
        + "median of \(options.rounds) rounds")
    let widths = [-15, 8, 9, 9, 9, 17, 9, 10, 9, 9, 8]
    report.row(
      [
        "reader", "readers", "sender", "readers", "total", "least-most", "x udp", "sender x", "x sockets", "lost %",
        "steal %",
      ], widths)
    for count in counts {
      let name = ReadersBench.name(count, matches)
      for way in ways {
        guard let taken = samples[key(way, count, matches)], let total = median(taken.map(\.total)) else { continue }
        /// Each round against the same round of the other: what drifts, drifts for both.
        func ratio(to other: String, _ cost: (Sample) -> Double) -> Double? {
          guard let there = ways.first(where: { $0.name == other }) else { return nil }
          return median(zip(taken, samples[key(there, count, matches)] ?? []).map { cost($0) / cost($1) })
        }
        let lost = median(taken.compactMap(\.lost))
        let all = taken.map(\.total)
        let figures: [(metric: String, value: Double?, unit: String, digits: Int)] = [
          ("sender", median(taken.map(\.sender)), "ns", 0),
          ("readers", median(taken.map(\.readers)), "ns", 0),
          ("total", total, "ns", 0),
          ("ratio_udp", ratio(to: ReadersBench.reference, \.total), "x", 2),
          ("ratio_udp_sender", ratio(to: ReadersBench.reference, \.sender), "x", 2),
          ("ratio_sockets", ratio(to: "packet sockets", \.total), "x", 2),
          ("lost", lost, "%", 2),
          ("steal", median(taken.map(\.steal)), "%", 1),
        ]
        var cells = [way.name, "\(count)"]
        for (metric, value, unit, digits) in figures {
          cells.append(value.map { fixed($0, digits) } ?? "-")
          report.add(way.name, name, metric, value, unit)
        }
        cells.insert("\(fixed(all.min() ?? 0, 0))-\(fixed(all.max() ?? 0, 0))", at: 5)
        report.row(cells, widths)
      }
    }
    report.line()
  }

  /// The plot of the second kind of traffic, with the first in a lighter stroke.
  private func plot() throws {
    var plot = Plot(
      title: "Cost of a packet: its sender and all its readers", across: "readers, each with a port of its own",
      up: "ns per packet")
    for way in ways where way.name != ReadersBench.reference {
      for matches in [true, false] {
        let points = ReadersBench.counts.compactMap { count in
          report.value(way.name, ReadersBench.name(count, matches), "total").map { (Double(count), $0) }
        }
        plot.add(way.name, points, isDashed: !matches)
      }
    }
    let path = "\(options.tools)/readers.svg"
    try plot.svg.write(toFile: path, atomically: true, encoding: .utf8)
    report.line("plot: \(path)")
  }
}
