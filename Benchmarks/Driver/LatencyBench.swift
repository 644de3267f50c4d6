// Bench `latency`: how long a frame is on its way from the kernel's stamp to a reader, in immediate mode and with time-outs.

import Foundation

enum LatencyBench {
  static func run(in lab: Lab, options: Options) throws {
    let report = Report("latency", options: options)
    for (name, milliseconds) in [("immediate", 0), ("10 ms", 10), ("100 ms", 100)] {
      let reader = try Child(
        [options.ringBench, "latency", lab.interface, "\(milliseconds)"], core: Machine.readerCore,
        output: .file(options.tools + "/latency.out"))
      defer { reader.kill() }
      guard lab.waitUntilCapturing(reader) else {
        report.skip(name, "does not capture")
        continue
      }
      sleep(seconds: 0.5)
      let before = Machine.now()
      // At 997 frames a second they fall on every part of a block's time.
      let generator = try lab.prepare(Traffic(size: 64, rate: 997, count: 997 * max(options.seconds, 5)))
      generator.go()
      let sent = try generator.result()
      let (steal, foreign) = Machine.now().since(before, ours: generator.used)
      reader.end()
      present(name, contents(options.tools + "/latency.out"), sent, report, steal, foreign)
    }
    try report.save()
  }

  private static func present(
    _ name: String, _ text: String, _ sent: Sent, _ report: Report, _ steal: Double, _ foreign: Double
  ) {
    guard let range = text.range(of: "histogram=") else { return report.skip(name, "says nothing") }
    // Steps of 50 us, with how many frames are in each.
    let steps = text[range.upperBound...].prefix { $0 != "\n" }.split(separator: ",").compactMap {
      pair -> (Int, Double)? in
      let parts = pair.split(separator: ":")
      guard parts.count == 2, let step = Int(parts[0]), let count = Double(parts[1]) else { return nil }
      return (step, count)
    }
    let all = steps.reduce(0) { $0 + $1.1 }
    func percentile(_ share: Double) -> Double {
      var sum = 0.0
      for (step, count) in steps {
        sum += count
        if sum >= share * all { return Double(step + 1) * 0.05 }
      }
      return 0
    }
    report.line()
    report.line(
      "\(name): \(fixed(all, 0)) of \(fixed(sent.delivered, 0)) frames, 997 a second; steal \(fixed(steal, 1)) %, "
        + "foreign \(fixed(foreign, 1)) %")
    for (metric, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("most", 1.0)] {
      report.add("swbpf", name, metric, percentile(share), "ms")
      report.line("  \(pad(metric, 5)) at most \(fixed(percentile(share), 2)) ms")
    }
    report.add("machine", name, "steal", steal, "%")
    report.add("machine", name, "foreign", foreign, "%")
    let bounds = [0.25, 0.5, 1, 1.5, 2, 2.5, 5, 10, 20, 50, 100, 150, .infinity]
    var low = 0.0
    for high in bounds {
      let count = steps.filter { Double($0.0) * 0.05 >= low && Double($0.0) * 0.05 < high }.reduce(0) { $0 + $1.1 }
      if count > 0 {
        let bar = String(repeating: "#", count: max(1, Int(50 * count / all)))
        let to = high.isFinite ? fixed(high, 2) : "more"
        report.line("  \(pad("\(fixed(low, 2))-\(to) ms", 17)) \(pad(100 * count / all, 6, 2)) %  \(bar)")
      }
      low = high
    }
  }
}
