// Bench `billion`: many frames through one run, every number looked at. Memory must not grow, the counts must come out.

import Foundation

enum BillionBench {
  static func run(in lab: Lab, options: Options) throws {
    let report = Report("billion", options: options)
    // How fast this machine is just now, for the number of frames that the time suffices for.
    let trial = try lab.send(Traffic(size: 64, rate: nil, count: 500_000))
    let rate = trial.delivered / trial.seconds
    let count = Int(min(1e9, max(1e6, rate * 0.7 * Double(options.bound))))
    if count < 1_000_000_000 {
      report.line(
        "\(count) frames instead of 10^9: that is what about \(options.bound) s suffice for; --bound "
          + "\(Int(1e9 / (rate * 0.7)) + 1) would do them all")
    }
    let reader = try Child(
      [options.ringBench, "sequence", lab.interface], core: Machine.readerCore,
      output: .file(options.tools + "/billion.out"))
    defer { reader.kill() }
    guard lab.waitUntilCapturing(reader) else { throw Failure("the reader does not capture") }
    sleep(seconds: 0.5)
    let generator = try lab.prepare(Traffic(size: 64, rate: nil, count: count))
    var memory: [Double] = []
    generator.go()
    while generator.isRunning {
      memory.append(anonymous(reader.pid))
      sleep(seconds: 0.5)
    }
    let sent = try generator.result()
    sleep(seconds: 1)
    let last = anonymous(reader.pid)
    reader.end(patience: 30)
    let text = contents(options.tools + "/billion.out")
    func value(_ name: String) -> Double { number(after: name + "=", in: text) ?? -1 }
    let (captured, drops) = (value("captured"), value("drops"))
    // The slots are touched one after the other: what comes after the first half is growth.
    let early = memory.dropFirst(memory.count / 2).first ?? last
    let grown = last - early
    let lostAtEnd = sent.delivered - value("next")
    let isExact =
      captured + drops == sent.delivered && value("missing") + lostAtEnd == drops && value("wrong") == 0
      && text.contains("balance=true")
    for (metric, figure, unit) in [
      ("delivered", sent.delivered, "frames"), ("captured", captured, "frames"), ("drops", drops, "frames"),
      ("missing", value("missing"), "frames"), ("wrong", value("wrong"), "frames"), ("memory", last / 1024, "MB"),
      ("grown", grown, "KiB"), ("seconds", sent.seconds, "s"),
    ] {
      report.add("swbpf", "64B-max", metric, figure, unit)
      report.line("  \(pad(metric, 10)) \(fixed(figure, 1)) \(unit)")
    }
    report.line(isExact ? "the counts come out" : "THE COUNTS DO NOT COME OUT: \(text)")
    report.line(grown <= 1024 ? "memory is flat" : "MEMORY HAS GROWN by \(fixed(grown, 0)) KiB")
    try report.save()
    if !isExact || grown > 1024 { throw Failure("billion: not as it should be") }
  }

  /// Memory of its own, KiB.
  private static func anonymous(_ pid: pid_t) -> Double {
    let lines = contents("/proc/\(pid)/status").split(separator: "\n")
    let line = lines.first { $0.hasPrefix("RssAnon:") } ?? ""
    return Double(line.filter(\.isNumber)) ?? 0
  }
}
