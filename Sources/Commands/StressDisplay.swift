// What swbpf stress shows while it runs: a panel at a terminal, else a line each second.
import Glibc
import SwBPFStress

final class StressDisplay {
  private let plan: StressPlan
  private let isQuiet: Bool
  private let isPanel: Bool
  private var last = StressReading()
  private var drawn = 0
  private var nextLine = 1.0
  /// Cycles per second of the last moments, the newest last.
  private var history: [Double] = []

  init(_ plan: StressPlan, isQuiet: Bool) {
    self.plan = plan
    self.isQuiet = isQuiet
    let term = unsafe getenv("TERM").map { unsafe String(cString: $0) } ?? ""
    isPanel = !isQuiet && isatty(STDOUT_FILENO) == 1 && term != "dumb" && !term.isEmpty
  }

  /// How often ``show(_:)`` is to be called, ms.
  var period: Int32 { 250 }

  func begin() {
    if isQuiet { return }
    Messages.write("stress on \(StressSummary.place(plan)), seed \(plan.seed); Ctrl-C ends it\n", to: STDOUT_FILENO)
    if isPanel { Messages.write("\u{1b}[?25l", to: STDOUT_FILENO) }
  }

  /// The panel goes; the summary takes its place.
  func end() {
    if isPanel { Messages.write(clearing + "\u{1b}[?25h", to: STDOUT_FILENO) }
    drawn = 0
  }

  func show(_ now: StressReading) {
    if isQuiet { return }
    if isPanel { return draw(now) }
    guard now.seconds >= nextLine else { return }
    nextLine = max(nextLine + 1, now.seconds)
    let (frames, cycles) = rates(now)
    last = now
    Messages.write(
      "\(StressSummary.decimal(now.seconds)) s  \(StressSummary.grouped(UInt64(frames))) frames/s  "
        + "\(StressSummary.grouped(UInt64(cycles))) cycles/s  peers \(now.peers)  lost \(StressSummary.losses(now.losses))"
        + "  detach p99 \(StressSummary.time(now.detach.permille(990)))  broken \(now.broken.count)\n",
      to: STDOUT_FILENO)
  }

  /// Frames and cycles per second since the last reading that was shown.
  private func rates(_ now: StressReading) -> (Double, Double) {
    let time = max(0.001, now.seconds - last.seconds)
    return (Double(now.accepted &- last.accepted) / time, Double(now.cycles &- last.cycles) / time)
  }

  private var clearing: String { drawn == 0 ? "" : "\u{1b}[\(drawn)A\u{1b}[J" }

  private func draw(_ now: StressReading) {
    let (frames, cycles) = rates(now)
    last = now
    history.append(cycles)
    if history.count > 60 { history.removeFirst() }
    let width = PeerBlocks.terminalWidth ?? 80
    let lines = StressDisplay.panel(now, frames: frames, cycles: cycles, history: history).map { $0.prefix(width) }
    Messages.write(clearing + lines.map { $0 + "\n" }.joined(), to: STDOUT_FILENO)
    drawn = lines.count
  }

  static func panel(_ now: StressReading, frames: Double, cycles: Double, history: [Double]) -> [String] {
    var lines = [
      "time     \(StressSummary.decimal(now.seconds)) s",
      "frames   \(StressSummary.grouped(UInt64(frames)))/s, \(StressSummary.grouped(now.accepted)) in all",
      "cycles   \(StressSummary.grouped(UInt64(cycles)))/s, \(StressSummary.grouped(now.cycles)) in all, "
        + "peers \(now.peers)",
      "         \(chart(history))",
      "attach   \(StressSummary.distribution(now.attach))",
      "detach   \(StressSummary.distribution(now.detach))",
      "lost     \(StressSummary.losses(now.losses))",
      "pass     at most \(StressSummary.time(now.longestPass))",
    ]
    if let model = now.model {
      lines.append("2006     nil used \(model.nilUses) times, freed memory \(model.staleUses) times")
    }
    lines.append(
      now.broken.isEmpty
        ? "checks   all hold so far" : "checks   BROKEN: " + now.broken.values.map(\.example).sorted()[0])
    return lines
  }

  /// One bar for each value, as high as its share of the largest.
  static func chart(_ values: [Double]) -> String {
    let bars = Array("▁▂▃▄▅▆▇█")
    guard let most = values.max(), most > 0 else { return "" }
    return String(values.map { bars[min(7, Int($0 / most * 8))] })
  }
}
