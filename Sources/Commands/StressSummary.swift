// The end of swbpf stress, as text and as JSON.
import SwBPFStress

enum StressSummary {
  static func text(_ report: StressReport) -> String {
    let reading = report.reading
    let perSecond = UInt64(Double(reading.cycles) / max(0.001, reading.seconds))
    var lines = [
      "\(decimal(reading.seconds)) s on \(place(report.plan)), \(report.plan.peers) peers of \(report.plan.threads) threads, "
        + "seed \(report.plan.seed)" + (report.isInterrupted ? ", interrupted" : ""),
      "frames      \(grouped(reading.sent)) sent, \(grouped(reading.accepted)) in the ring, "
        + "witnesses saw \(reading.seen.map(grouped).joined(separator: ", "))",
      "cycles      \(grouped(reading.cycles)), \(grouped(perSecond))/s; \(reading.pauses) pauses of the sender compared",
      "attach      \(distribution(reading.attach))",
      "detach      \(distribution(reading.detach))",
      "lost        \(losses(reading.losses))",
      "stall       longest pass \(time(reading.longestPass))",
      "memory      heap \(report.heapGrowth >= 0 ? "+" : "")\(report.heapGrowth) bytes",
    ]
    if report.plan.place != .own {
      lines[1] =
        "frames      \(grouped(reading.accepted)) in the ring, \(grouped(reading.compared)) seen alike by both witnesses"
    }
    let operations = StressOperation.allCases.compactMap { one in
      reading.operations[one].map { "\(one.rawValue) \(grouped($0))" }
    }
    if !operations.isEmpty { lines.insert("operations  " + operations.joined(separator: ", "), at: 3) }
    for check in StressCheck.allCases {
      if let broken = reading.broken[check] {
        lines.append("BROKEN      \(check.rawValue): \(Printable.text(broken.example)) (\(broken.count) times)")
      } else if check != .end && isChecked(check, report) {
        lines.append("held        \(check.rawValue)")
      }
    }
    if let model = reading.model {
      lines.append(
        "model 2006  would have used a nil pointer \(grouped(model.nilUses)) times and freed memory "
          + "\(grouped(model.staleUses)) times in \(grouped(model.taps)) frames")
    }
    lines.append(verdict(report))
    return lines.map { $0 + "\n" }.joined()
  }

  static func verdict(_ report: StressReport) -> String {
    if report.reading.broken[.end] != nil {
      return "the run did not reach its end: nothing is claimed beyond the above"
    }
    if !report.held { return "NOT HELD: \(report.reading.broken.count) checks are broken" }
    if report.reading.model != nil { return "every check of swbpf held; the exit status is that of the model: 1" }
    return "every check held" + (report.isInterrupted ? " until it was interrupted" : "")
  }

  /// Live traffic has no numbers.
  private static func isChecked(_ check: StressCheck, _ report: StressReport) -> Bool {
    report.plan.place == .own || ![.direction, .prefix, .sent].contains(check)
  }

  static func json(_ report: StressReport) -> String {
    let reading = report.reading
    var fields = [
      "\"held\":\(report.held)", "\"interrupted\":\(report.isInterrupted)",
      "\"ended\":\(reading.broken[.end] == nil)", "\"seconds\":\(decimal(reading.seconds))",
      "\"seed\":\(report.plan.seed)", "\"peers\":\(report.plan.peers)", "\"threads\":\(report.plan.threads)",
      "\"sent\":\(reading.sent)", "\"ring\":\(reading.accepted)",
      "\"seen\":[\(reading.seen.map(String.init).joined(separator: ","))]", "\"compared\":\(reading.compared)",
      "\"cycles\":\(reading.cycles)", "\"pauses\":\(reading.pauses)",
      "\"attach_ns\":\(json(reading.attach))", "\"detach_ns\":\(json(reading.detach))",
      "\"longest_pass_ns\":\(reading.longestPass)", "\"heap_growth\":\(report.heapGrowth)",
    ]
    let losses = reading.losses
    fields.append(
      "\"lost\":{\"ring\":\(losses.ring),\"slots\":\(losses.slots),\"cable\":\(losses.wire),"
        + "\"down\":\(losses.outage),\"unsure\":\(losses.unsure)}")
    let operations = StressOperation.allCases.compactMap { one in
      reading.operations[one].map { "\"\(one.rawValue)\":\($0)" }
    }
    fields.append("\"operations\":{\(operations.joined(separator: ","))}")
    let checks = StressCheck.allCases.filter { isChecked($0, report) }.map { check in
      guard let broken = reading.broken[check] else { return "\"\(check.name)\":{\"held\":true}" }
      return
        "\"\(check.name)\":{\"held\":false,\"count\":\(broken.count),\"example\":\(Printable.json(broken.example))}"
    }
    fields.append("\"checks\":{\(checks.joined(separator: ","))}")
    if let model = reading.model {
      fields.append(
        "\"model\":{\"design\":\"2006\",\"taps\":\(model.taps),\"nil_uses\":\(model.nilUses),\"stale_uses\":\(model.staleUses)}"
      )
    }
    return "{" + fields.joined(separator: ",") + "}\n"
  }

  private static func json(_ latencies: Latencies) -> String {
    "{\"count\":\(latencies.count),\"p50\":\(latencies.permille(500)),\"p99\":\(latencies.permille(990)),"
      + "\"p99.9\":\(latencies.permille(999)),\"max\":\(latencies.longest)}"
  }

  // MARK: Words

  static func place(_ plan: StressPlan) -> String {
    guard case .live(let name) = plan.place else { return "cables of its own" }
    return "live traffic of \(Printable.text(name))"
  }

  static func losses(_ losses: Losses) -> String {
    "ring \(losses.ring), slots \(losses.slots), cable \(losses.wire), while down at most \(losses.outage), "
      + "unsure \(losses.unsure)"
  }

  static func distribution(_ latencies: Latencies) -> String {
    "p50 \(time(latencies.permille(500)))  p99 \(time(latencies.permille(990)))  p99.9 \(time(latencies.permille(999)))  "
      + "max \(time(latencies.longest))"
  }

  /// A time in ns with three digits or so.
  static func time(_ nanoseconds: Int64) -> String {
    switch nanoseconds {
    case ..<10_000: "\(decimal(Double(nanoseconds) / 1e3)) us"
    case ..<1_000_000: "\(nanoseconds / 1000) us"
    case ..<1_000_000_000: "\(decimal(Double(nanoseconds) / 1e6)) ms"
    default: "\(decimal(Double(nanoseconds) / 1e9)) s"
    }
  }

  /// One digit behind the point.
  static func decimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  /// Digits in groups of three.
  static func grouped(_ number: UInt64) -> String {
    var digits = String(number)
    var text = ""
    while digits.count > 3 {
      text = "," + digits.suffix(3) + text
      digits.removeLast(3)
    }
    return digits + text
  }
}
