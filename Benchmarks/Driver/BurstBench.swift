// Bench `burst`: a capture into a pipe whose reader stops for a second. A buffer of 256 MiB holds what arrives in the
// meantime, so nothing may be lost.

import Foundation

enum BurstBench {
  static func run(in lab: Lab, options: Options) throws {
    let report = Report("burst", options: options)
    let traffic = Traffic(size: 1500, rate: 100_000, count: 300_000)
    report.line()
    report.line("burst: -B 262144 -w - into a pipe whose reader stops for 1 s")
    report.line("\(traffic.name), \(traffic.count) frames")
    let widths = [-15, 10, 10, 8, 8, 8, 10]
    report.row(["reader", "sent", "in pipe", "lost", "gaps", "MB", "verdict"], widths)
    let tail = ["-p", "-i", lab.interface, "-B", "262144", "-w", "-"]
    var failed = false
    for (name, command) in [("swbpf -w -", [options.swbpf] + tail), ("tcpdump -w -", ["tcpdump"] + tail)] {
      do {
        let (sent, stream, peak) = try burst(command, traffic, lab, options)
        let lost = sent.delivered - Double(stream.frames)
        let passed = lost == 0 && stream.gaps == 0
        failed = failed || !passed && command[0] == options.swbpf
        report.add(name, traffic.name, "lost", lost, "frames")
        report.add(name, traffic.name, "gaps", Double(stream.gaps), "gaps")
        report.add(name, traffic.name, "peak_memory", peak / 1e6, "MB")
        report.row(
          [
            name, fixed(sent.delivered, 0), "\(stream.frames)", fixed(lost, 0), "\(stream.gaps)",
            fixed(peak / 1e6, 0), passed ? "pass" : "FAIL",
          ], widths)
      } catch { report.skip(name, "\(error)") }
    }
    report.line()
    try report.save()
    if failed { throw Failure("burst: swbpf lost frames") }
  }

  private static func burst(
    _ command: [String], _ traffic: Traffic, _ lab: Lab, _ options: Options
  ) throws -> (Sent, SavefileStream, Double) {
    let child = try Child(command, core: Machine.readerCore, output: .pipe)
    guard lab.waitUntilCapturing(child) else { throw Failure("does not capture") }
    sleep(seconds: 0.5)
    let generator = try lab.prepare(traffic)
    let start = seconds(CLOCK_MONOTONIC)
    generator.go()
    let duration = Double(traffic.count) / Double(traffic.rate ?? 1)
    var stream = SavefileStream()
    var peak = 0.0
    var stopped = false
    var ending = false
    while true {
      let now = seconds(CLOCK_MONOTONIC) - start
      if !stopped && now >= 1 {
        stopped = true
        sleep(seconds: 1)
      }
      // Past the end, past the second that was missed, and past libpcap's timeout.
      if !ending && now >= duration + 2.5 {
        ending = true
        peak = child.memory.peak
        kill(child.pid, SIGINT)
      }
      if now >= duration + 10 { throw Failure("did not end") }
      var ready = pollfd(fd: child.output, events: Int16(POLLIN), revents: 0)
      if poll(&ready, 1, 100) > 0, !stream.take(from: child.output) { break }
    }
    return (try generator.result(), stream, peak)
  }
}

/// Counts the frames of a savefile as it comes out of a pipe.
struct SavefileStream {
  private(set) var frames = 0
  /// Frames whose sequence number is not one more than that of the frame before.
  private(set) var gaps = 0
  private var buffer = [UInt8](repeating: 0, count: 4 << 20)
  private var filled = 0
  private var seenHeader = false
  private var expected: UInt64?

  /// Takes what there is; false at the end of the file.
  mutating func take(from fd: Int32) -> Bool {
    let count = buffer.withUnsafeMutableBytes { bytes in
      read(fd, bytes.baseAddress.map { $0 + filled }, bytes.count - filled)
    }
    guard count > 0 else { return false }
    filled += count
    let used = buffer.withUnsafeBytes { parse(UnsafeRawBufferPointer(rebasing: $0[..<filled])) }
    buffer.withUnsafeMutableBytes { bytes in
      if used > 0, let base = bytes.baseAddress { memmove(base, base + used, filled - used) }
    }
    filled -= used
    return true
  }

  private mutating func parse(_ bytes: UnsafeRawBufferPointer) -> Int {
    let fileHeader = 24
    let recordHeader = 16
    let sequenceOffset = 42
    var at = 0
    if !seenHeader {
      guard bytes.count >= fileHeader else { return 0 }
      seenHeader = true
      at = fileHeader
    }
    while at + recordHeader <= bytes.count {
      let length = Int(bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self))
      let next = at + recordHeader + length
      guard next <= bytes.count else { break }
      if length >= sequenceOffset + 8 {
        let offset = at + recordHeader + sequenceOffset
        let sequence = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        if let expected, sequence != expected { gaps += 1 }
        expected = sequence + 1
      }
      frames += 1
      at = next
    }
    return at
  }
}
