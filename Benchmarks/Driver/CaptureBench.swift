// Bench `capture`, and the live part of `print`: what a captured frame costs its reader, and what gets lost.

import Foundation

/// One contestant against one kind of traffic, once.
struct Sample {
  var cpuPerSent: Double
  var cpuPerCaptured: Double?
  /// Per cent of the frames sent.
  var lost: Double?
  var kernelDrops: Double?
  var peak: Double
  var ring: Double
  /// Frames per second that the generator reached with this reader there.
  var rate: Double
  var steal: Double
  var foreign: Double
}

struct CaptureBench {
  let lab: Lab
  let options: Options
  private let report: Report
  private let contestants: [Contestant]
  private let cases: [Traffic]
  /// Whom the others are compared with: the least that can be done, and a program, which may depend on what is compared.
  private var bare = Contestant.cLoop
  private var rival: (title: String, of: (Contestant.Kind) -> String) = ("tcpdump", Contestant.tcpdump)
  /// The bytes of a frame in a savefile, where files are written that stay.
  private var file: String?
  /// By contestant's name: why it is left out.
  private var skipped: [String: String] = [:]
  /// By case and contestant, one per round.
  private var samples: [String: [String: [Sample?]]] = [:]

  static func run(in lab: Lab, options: Options) throws {
    let report = Report("capture", options: options)
    let cases = (options.sizes ?? [64, 512, 1500]).flatMap { size in
      (options.rates ?? [300_000, nil]).map { Traffic(size: size, rate: $0, count: options.packets) }
    }
    var bench = CaptureBench(
      in: lab, options: options, report: report,
      contestants: Contestant.all(interface: lab.interface, options: options), cases: cases)
    try bench.run()
    try report.save()
  }

  /// Bench `write`: savefiles on a tmpfs.
  static func runFiles(in lab: Lab, options: Options) throws {
    let report = Report("write", options: options)
    let directory = try FileSpace(options)
    // As much as a quarter of the free memory holds.
    let most = directory.bytes / 4
    let cases = (options.sizes ?? [1500]).flatMap { size in
      (options.rates ?? [nil]).map { rate in
        Traffic(size: size, rate: rate, count: min(options.packets, most / (size + 16)))
      }
    }
    for traffic in cases {
      var bench = CaptureBench(
        in: lab, options: options, report: report,
        contestants: Contestant.files(
          interface: lab.interface, size: traffic.size, into: directory.file, options: options), cases: [traffic])
      bench.bare = Contestant.cWrite
      bench.rival = ("dumpcap", { _ in Contestant.dumpcap })
      bench.file = directory.file
      try bench.run()
    }
    try report.save()
  }

  /// Bench `pushdown`: what a reader costs while only other frames pass than it asks for.
  static func runPushdown(in lab: Lab, options: Options) throws {
    let report = Report("pushdown", options: options)
    let cases = (options.sizes ?? [64]).flatMap { size in
      (options.rates ?? [300_000]).map { Traffic(size: size, rate: $0, count: options.packets) }
    }
    var bench = CaptureBench(
      in: lab, options: options, report: report,
      contestants: Contestant.pushdown(interface: lab.interface, options: options), cases: cases)
    try bench.run()
    try report.save()
  }

  init(in lab: Lab, options: Options, report: Report, contestants: [Contestant], cases: [Traffic]) {
    (self.lab, self.options, self.report, self.cases) = (lab, options, report, cases)
    self.contestants = contestants.filter { options.only.isEmpty || options.only.contains($0.name) }
  }

  mutating func run() throws {
    for traffic in cases {
      for round in 1...options.rounds {
        for contestant in contestants.shuffled() where skipped[contestant.name] == nil {
          let sample = try measureCalmly(contestant, traffic)
          samples[traffic.name, default: [:]][contestant.name, default: []].append(sample)
          guard let sample else { continue }
          let what = pad("\(traffic.name)", 14) + pad(contestant.name, 15)
          note(
            "round \(round)/\(options.rounds)  \(what)" + pad(sample.cpuPerSent, 9, 1) + " ns"
              + (sample.lost.map { pad($0, 7, 2) + " % lost" } ?? "")
              + "   steal \(fixed(sample.steal, 1)) %, foreign \(fixed(sample.foreign, 1)) %")
        }
      }
      present(traffic)
    }
    for contestant in contestants {
      if let reason = skipped[contestant.name] { report.skip(contestant.name, reason) }
    }
  }

  /// Measures again, a few times at most, while the host takes the CPU away.
  private mutating func measureCalmly(_ contestant: Contestant, _ traffic: Traffic) throws -> Sample? {
    var best: Sample?
    for attempt in 1...4 {
      let sample: Sample
      do {
        sample = try measure(contestant, traffic)
      } catch let failure as NotCapturing {
        skipped[contestant.name] = failure.reason
        note("skipped: \(contestant.name): \(failure.reason)")
        return nil
      }
      if best.map({ sample.steal < $0.steal }) ?? true { best = sample }
      if sample.steal <= 10 { break }
      note("\(contestant.name): steal \(fixed(sample.steal, 1)) %, attempt \(attempt) of 4")
    }
    return best
  }

  private struct NotCapturing: Error { let reason: String }

  private func measure(_ contestant: Contestant, _ traffic: Traffic) throws -> Sample {
    let said = options.tools + "/reader.out"
    let complained = options.tools + "/reader.err"
    // What a printer prints is the work that is measured, not something to keep.
    let output: Output = contestant.kind == .printer ? .null : .file(said)
    try? FileManager.default.removeItem(atPath: said)
    defer { if let file { unlink(file) } }
    let reader: Child
    do {
      reader = try Child(contestant.command, core: Machine.readerCore, output: output, errors: .file(complained))
    } catch { throw NotCapturing(reason: "\(error)") }
    guard lab.waitUntilCapturing(reader) else {
      reader.kill()
      let line = contents(complained).split(separator: "\n").first.map(String.init)
      throw NotCapturing(reason: "does not capture" + (line.map { ": " + $0 } ?? ""))
    }
    sleep(seconds: 0.3)

    let generator = try lab.prepare(traffic)
    let machineBefore = Machine.now()
    let before = reader.cpu
    generator.go()
    let sent = try generator.result()
    sleep(seconds: sent.end + 0.25 - seconds(CLOCK_MONOTONIC))
    let used = reader.cpu - before
    let (steal, foreign) = Machine.now().since(machineBefore, ours: used / 1e9 + generator.used)

    // libpcap hands over a block that is not full only when its timeout ends, tcpdump's being 1 s.
    sleep(seconds: 1)
    let memory = reader.memory
    guard reader.isRunning else { throw NotCapturing(reason: "ended by itself") }
    reader.end()
    let (captured, dropped) = contestant.counts(in: contents(said) + contents(complained))
    if let file, let captured, contestant.writesRecords {
      let expected = 24 + Int(captured) * (16 + traffic.size)
      let found = size(of: file)
      if found != expected {
        throw Failure("\(contestant.name): the file has \(found) bytes, \(Int(captured)) frames need \(expected)")
      }
    }
    return Sample(
      cpuPerSent: used / sent.delivered,
      cpuPerCaptured: captured.flatMap { $0 > 0 ? used / $0 : nil },
      lost: captured.map { 100 * (sent.delivered - $0) / sent.delivered },
      kernelDrops: dropped, peak: memory.peak, ring: memory.ring,
      rate: sent.delivered / sent.seconds, steal: steal, foreign: foreign)
  }

  // MARK: The table

  private func present(_ traffic: Traffic) {
    let rounds = samples[traffic.name] ?? [:]
    report.line()
    report.line(
      "\(traffic.name): \(traffic.count) frames, median of \(options.rounds) rounds"
        + (lab.fallback.map { " (sent through a socket: \($0))" } ?? ""))
    let widths = [-15, 9, 17, 9, 10, 9, 9, 8, 8, 8, 8, 8, 9]
    report.row(
      [
        "reader", "CPU ns", "least-most", "x \(bare)", "x \(rival.title)", "ns/capt.", "x capt.", "lost %", "worst",
        "MB",
        "Mpps", "steal %", "foreign %",
      ], widths)
    for contestant in contestants {
      let own = rounds[contestant.name] ?? []
      let taken = own.compactMap { $0 }
      guard !taken.isEmpty else { continue }
      /// Each round against the same round of the other: what drifts, drifts for both.
      func ratio(to other: String, _ cost: (Sample) -> Double?) -> Double? {
        median(
          zip(own, rounds[other] ?? []).compactMap { mine, theirs in
            guard let mine = mine.flatMap(cost), let theirs = theirs.flatMap(cost), theirs > 0 else { return nil }
            return mine / theirs
          })
      }
      let other = rival.of(contestant.kind)
      let cpu = taken.map(\.cpuPerSent)
      let lost = taken.compactMap(\.lost)
      let metrics: [(metric: String, value: Double?, unit: String, digits: Int)] = [
        ("cpu_per_sent", median(cpu), "ns", 1),
        (Self.metric(bare), ratio(to: bare) { $0.cpuPerSent }, "x", 2),
        ("ratio_\(rival.title)", ratio(to: other) { $0.cpuPerSent }, "x", 2),
        ("cpu_per_captured", median(taken.compactMap(\.cpuPerCaptured)), "ns", 1),
        ("ratio_\(rival.title)_captured", ratio(to: other) { $0.cpuPerCaptured }, "x", 2),
        ("lost", median(lost), "%", 2),
        ("lost_worst", lost.max(), "%", 2),
        ("peak_memory", taken.map { $0.peak / 1e6 }.max(), "MB", 1),
        ("rate", median(taken.map { $0.rate / 1e6 }), "Mpps", 3),
        ("steal", median(taken.map(\.steal)), "%", 1),
        ("foreign", median(taken.map(\.foreign)), "%", 1),
      ]
      var cells = [contestant.name]
      for (metric, value, unit, digits) in metrics {
        cells.append(value.map { fixed($0, digits) } ?? "-")
        report.add(contestant.name, traffic.name, metric, value, unit)
      }
      cells.insert("\(fixed(cpu.min() ?? 0, 0))-\(fixed(cpu.max() ?? 0, 0))", at: 2)
      report.add(contestant.name, traffic.name, "ring_memory", taken.map { $0.ring / 1e6 }.max(), "MB")
      report.add(contestant.name, traffic.name, "kernel_drops", median(taken.compactMap(\.kernelDrops)), "frames")
      report.row(cells, widths)
    }
    report.line()
  }

  /// The name of the ratio to a contestant: `ratio_c_loop`.
  private static func metric(_ name: String) -> String {
    "ratio_" + name.lowercased().replacingOccurrences(of: " ", with: "_")
  }
}

/// A tmpfs of our own, in the mount namespace that the driver was started in: it goes with the driver.
struct FileSpace {
  let file: String
  /// What it may hold.
  let bytes: Int

  init(_ options: Options) throws {
    let directory = options.tools + "/tmpfs"
    mkdir(directory, 0o755)
    var free = 0.0
    for line in contents("/proc/meminfo").split(separator: "\n") where line.hasPrefix("MemAvailable:") {
      free = firstNumber(in: line) * 1024
    }
    bytes = Int(free)
    guard mount("swbpf-bench", directory, "tmpfs", 0, "size=\(bytes)") == 0 else {
      throw Failure("no tmpfs on \(directory): \(String(cString: strerror(errno)))")
    }
    // Whom some readers become writes here, too.
    chmod(directory, 0o777)
    file = directory + "/capture"
  }
}

private func size(of path: String) -> Int {
  var facts = stat()
  return stat(path, &facts) == 0 ? Int(facts.st_size) : -1
}
