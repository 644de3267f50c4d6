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
  private static let counts = [1, 4, 16, 64, 256]

  private let lab: Lab
  private let options: Options
  private let report: Report
  private let ways: [Way]
  private var samples: [String: [Sample]] = [:]
  private var skipped: [String: String] = [:]

  static func run(in lab: Lab, options: Options) throws {
    let report = Report("readers", options: options)
    var bench = ReadersBench(in: lab, options: options, report: report)
    try bench.run()
    try report.save()
  }

  private init(in lab: Lab, options: Options, report: Report) {
    (self.lab, self.options, self.report) = (lab, options, report)
    let (interface, base) = (lab.interface, ReadersBench.base)
    let file = ["-p", "-i", interface, "-w", "/dev/null"]
    let ports = { (count: Int) in (0..<count).map { "udp port \(base + $0)" } }
    let all = [
      Way(name: "packet sockets", most: 256, endLines: .ringloop) {
        [["\(options.tools)/sockets", interface, "\($0)", "\(base)"]]
      },
      Way(name: "tcpdump", most: 16, endLines: .tcpdump) { ports($0).map { ["tcpdump"] + file + [$0] } },
      Way(name: "swbpf peers", most: 256, endLines: .ringloop) {
        [[options.ringBench, "peers", interface, "\($0)", "\(base)"]]
      },
      Way(name: "swbpf, daemon", most: 64, endLines: .tcpdump) {
        ports($0).map { ["env", "SWBPF_DAEMON=1", options.swbpf] + file + [$0] }
      },
      Way(name: "swbpf udp", most: 1, endLines: .ringloop) { _ in [[options.ringBench, "peers", interface, "1"]] },
    ]
    ways = all.filter { options.only.isEmpty || options.only.contains($0.name) }
  }

  private func key(_ way: Way, _ count: Int, _ matches: Bool) -> String {
    "\(way.name)/\(count)/\(matches ? "one" : "none")"
  }

  private mutating func run() throws {
    let daemon = try? Child([options.swbpf, "daemon"], core: Machine.readerCore)
    defer { daemon?.end(with: SIGTERM) }
    for matches in [false, true] {
      for count in ReadersBench.counts {
        for round in 1...options.rounds {
          for way in ways.shuffled() where count <= way.most && skipped[way.name] == nil {
            do {
              let sample = try measure(way, count, matches)
              samples[key(way, count, matches), default: []].append(sample)
              note(
                "round \(round)/\(options.rounds)  \(pad(way.name, 15)) \(count) readers, "
                  + "\(matches ? "one" : "none") matches: sender \(fixed(sample.sender, 0)) + readers "
                  + "\(fixed(sample.readers, 0)) ns, steal \(fixed(sample.steal, 1)) %")
            } catch {
              skipped[way.name] = "\(count) readers: \(error)"
              note("skipped: \(way.name): \(error)")
            }
          }
        }
      }
      present(matches)
    }
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
    let first = matches ? ReadersBench.base : 9
    let generator = try lab.prepare(
      Traffic(size: 64, rate: options.rates?.first ?? 300_000, count: options.packets),
      ports: matches ? (first, count) : nil)
    let before = Machine.now()
    let idle = readers.map(\.cpu).reduce(0, +)
    generator.go()
    let sent = try generator.result()
    sleep(seconds: sent.end + 0.25 - seconds(CLOCK_MONOTONIC))
    let used = readers.map(\.cpu).reduce(0, +) - idle
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
    let softirq = after.softirqThreads - before.softirqThreads
    return Sample(
      sender: (generator.used + softirq) * 1e9 / sent.delivered, readers: used / sent.delivered,
      lost: matches ? captured.map { 100 * (sent.delivered - $0) / sent.delivered } : nil, steal: steal)
  }

  private func present(_ matches: Bool) {
    let name = matches ? "one matches" : "none matches"
    report.line()
    report.line(
      "\(name): \(options.packets) frames of 64 bytes, ns per packet sent, median of \(options.rounds) rounds")
    let widths = [-15, 8, 9, 9, 9, 17, 9, 8]
    report.row(["reader", "readers", "sender", "readers", "total", "least-most", "lost %", "steal %"], widths)
    for way in ways {
      for count in ReadersBench.counts {
        guard let taken = samples[key(way, count, matches)], let total = median(taken.map(\.total)) else { continue }
        let sender = median(taken.map(\.sender)) ?? 0
        let readers = median(taken.map(\.readers)) ?? 0
        let lost = median(taken.compactMap(\.lost))
        let steal = median(taken.map(\.steal)) ?? 0
        let own = "\(count), \(name)"
        report.add(way.name, own, "sender", sender, "ns")
        report.add(way.name, own, "readers", readers, "ns")
        report.add(way.name, own, "total", total, "ns")
        report.add(way.name, own, "lost", lost, "%")
        report.add(way.name, own, "steal", steal, "%")
        let all = taken.map(\.total)
        report.row(
          [
            way.name, "\(count)", fixed(sender, 0), fixed(readers, 0), fixed(total, 0),
            "\(fixed(all.min() ?? 0, 0))-\(fixed(all.max() ?? 0, 0))", lost.map { fixed($0, 2) } ?? "-",
            fixed(steal, 1),
          ], widths)
      }
    }
    report.line()
  }

  /// The plot of the second kind of traffic, with the first in a lighter stroke.
  private func plot() throws {
    var plot = Plot(
      title: "Cost of a packet: its sender and all its readers", across: "readers, each with a port of its own",
      up: "ns per packet")
    for way in ways where way.most > 1 {
      for matches in [true, false] {
        let points = ReadersBench.counts.compactMap { count in
          median((samples[key(way, count, matches)] ?? []).map(\.total)).map { (Double(count), $0) }
        }
        plot.add(way.name, points, isDashed: !matches)
      }
    }
    let path = "\(options.tools)/readers.svg"
    try plot.svg.write(toFile: path, atomically: true, encoding: .utf8)
    report.line("plot: \(path)")
  }
}
