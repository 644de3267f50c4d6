// Bench `first-packet`: from the exec of a capture program to the kernel's stamp of the first frame it captured.

import Foundation

enum FirstPacketBench {
  static func run(in lab: Lab, options: Options) throws {
    let report = Report("first-packet", options: options)
    let file = options.tools + "/first.pcap"
    let subjects = [
      ("swbpf -w", [options.swbpf, "-p", "-i", lab.interface, "-w", file]),
      ("tcpdump -w", ["tcpdump", "-Z", "root", "-p", "-i", lab.interface, "-w", file]),
    ]
    let perRun = 3.5  // seconds, the most a run may take
    let runs = options.runs
    let count = Int(Double(runs * subjects.count) * (perRun + 1) * 10000)
    let generator = try lab.prepare(Traffic(size: 64, rate: 10000, count: count))
    generator.go()
    defer { try? FileManager.default.removeItem(atPath: file) }
    var delays: [String: [Double]] = [:]
    var skipped: [String: String] = [:]
    for _ in 0..<runs {
      for (name, command) in subjects.shuffled() where skipped[name] == nil {
        do {
          delays[name, default: []].append(try delay(command, file, patience: perRun))
        } catch {
          skipped[name] = "\(error)"
        }
      }
    }
    generator.stop()

    report.line()
    report.line("first-packet: ms from exec to the kernel stamp of the first captured frame, 10 kpps, \(runs) runs")
    let widths = [-15, 9, 9, 9]
    report.row(["reader", "median", "least", "most"], widths)
    for (name, _) in subjects {
      if let reason = skipped[name] {
        report.skip(name, reason)
        continue
      }
      let values = delays[name, default: []].map { $0 * 1000 }
      let row = [("median", median(values)), ("least", values.min()), ("most", values.max())]
      for (metric, value) in row { report.add(name, "64B-10kpps", "first_packet_\(metric)", value, "ms") }
      report.row([name] + row.map { $0.1.map { fixed($0, 2) } ?? "-" }, widths)
    }
    report.line()
    try report.save()
  }

  private static func delay(_ command: [String], _ file: String, patience: Double) throws -> Double {
    try? FileManager.default.removeItem(atPath: file)
    let child = try Child(command, core: Machine.readerCore)
    let limit = seconds(CLOCK_MONOTONIC) + patience
    var stamp: Double?
    while stamp == nil && child.isRunning && seconds(CLOCK_MONOTONIC) < limit {
      usleep(10000)
      stamp = firstStamp(file)
    }
    child.end()
    // A program may keep the first frames in a buffer until it ends.
    guard let stamp = stamp ?? firstStamp(file) else { throw Failure("captured nothing") }
    return stamp - child.started
  }

  /// The time of a savefile's first record; nil while there is none.
  private static func firstStamp(_ file: String) -> Double? {
    let fd = open(file, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var bytes = [UInt8](repeating: 0, count: 40)
    guard read(fd, &bytes, bytes.count) == bytes.count else { return nil }
    func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) } }
    switch word(0) {
    case 0xa1b2_c3d4: return Double(word(24)) + Double(word(28)) / 1e6
    case 0xa1b2_3c4d: return Double(word(24)) + Double(word(28)) / 1e9
    default: return nil
    }
  }
}
