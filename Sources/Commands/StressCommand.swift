// swbpf stress: tries to break attach and detach under traffic, and says whether everything held.
import ArgumentParser
import Glibc
import SwBPF
import SwBPFStress

struct StressOptions: ParsableArguments {
  @Option(name: .customShort("i"), parsing: .unconditional)
  var interface: String?

  @Flag(name: .customLong("self"))
  var onItself: Int

  @Option(name: .customLong("peers"), parsing: .unconditional)
  var peers: Int?

  @Option(name: .customLong("threads"), parsing: .unconditional)
  var threads: Int?

  @Option(name: .customLong("seconds"), parsing: .unconditional)
  var seconds: Double?

  @Option(name: .customLong("cycles"), parsing: .unconditional)
  var cycles: UInt64?

  @Option(name: .customLong("rate"), parsing: .unconditional)
  var rate: String?

  @Option(name: .customLong("mix"), parsing: .unconditional)
  var mix: String?

  @Option(name: .customLong("seed"), parsing: .unconditional)
  var seed: UInt64?

  @Option(name: .customLong("model"), parsing: .unconditional)
  var model: String?

  @Flag(name: .customLong("json"))
  var json: Int

  @Flag(name: [.customShort("h"), .customLong("help")])
  var help: Int
}

struct StressCommand {
  let plan: StressPlan
  let json: Bool
  /// The command line behind `stress`, for the way to rights.
  let words: [String]

  /// - Throws: ``UsageError`` for options that cannot be together, or values that cannot be.
  init(_ options: StressOptions, words: [String]) throws(UsageError) {
    plan = try StressPlan(options)
    json = options.json > 0
    self.words = words
  }

  func run() throws(CommandError) -> CInt {
    // A namespace can only be made while the process has one thread.
    let run: StressRun
    let session: Session
    do {
      if plan.place == .own { try Ground.enterPrivateNamespace() }
      session = try Session()
      run = try StressRun(plan) { try dropCapabilities() }
      try run.start()
    } catch {
      throw CommandError(explain(error))
    }
    let display = StressDisplay(plan, isQuiet: json)
    var isInterrupted = false
    display.begin()
    while !run.isOver {
      if session.next(timeout: display.period) == .end {
        isInterrupted = true
        break
      }
      run.tick()
      display.show(run.reading)
    }
    display.end()
    let report = run.finish(interrupted: isInterrupted)
    Messages.write(json ? StressSummary.json(report) : StressSummary.text(report), to: STDOUT_FILENO)
    return report.exitStatus
  }

  private func explain(_ error: any Error) -> String {
    switch error {
    case StressFailure.noNamespace(let number):
      return "stress: this machine lets you make no namespace of your own (\(Messages.text(of: number))): "
        + Messages.wayToRights(["stress"] + words)
    case StressFailure.system(let number, let call): return "stress: \(call): \(Messages.text(of: number))"
    default:
      guard case .live(let name) = plan.place else {
        return Messages.explain(error, interface: "stress", arguments: ["stress"] + words)
      }
      return Messages.explain(error, interface: name, arguments: ["stress"] + words)
    }
  }
}

extension StressPlan {
  /// - Throws: ``UsageError``.
  init(_ options: StressOptions) throws(UsageError) {
    self.init()
    if let name = options.interface {
      if options.onItself > 0 { throw UsageError("stress takes -i or --self, not both") }
      if name == "any" { throw UsageError("stress takes one interface, not any") }
      if options.rate != nil { throw UsageError("with -i nothing is sent: --rate needs --self") }
      if options.model != nil { throw UsageError("the model needs frames of its own: --model needs --self") }
      place = .live(name)
      mix = Set(StressOperation.allCases.filter { !$0.needsOwnInterface })
    }
    if options.seconds != nil && options.cycles != nil {
      throw UsageError("stress ends after --seconds or after --cycles, not both")
    }
    if let value = options.seconds {
      guard value > 0, value <= 1_000_000 else { throw UsageError("--seconds takes a number from above 0 to 1000000") }
      seconds = value
    }
    if let value = options.cycles {
      guard value > 0 else { throw UsageError("--cycles takes a number above 0") }
      (cycles, seconds) = (value, nil)
    }
    if let model = options.model {
      guard model == "2006" else { throw UsageError("there is one model: --model 2006") }
      runsModel = true
      // The fewer peers, the more often the last one leaves.
      peers = 2
    }
    threads = try StressPlan.number(options.threads, "--threads", in: StressPlan.threadRange) ?? threads
    peers = try StressPlan.number(options.peers, "--peers", in: StressPlan.peerRange) ?? max(peers, threads)
    if peers < threads { throw UsageError("--threads \(threads) needs at least as many --peers") }
    if let text = options.rate { rate = try StressPlan.rate(text) }
    if let text = options.mix { mix = try StressPlan.mix(text, isOwn: place == .own) }
    if let value = options.seed { seed = value }
  }

  private static func number(_ value: Int?, _ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let value else { return nil }
    guard range.contains(value) else {
      throw UsageError("\(name) takes a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  private static func rate(_ text: String) throws(UsageError) -> Int? {
    if text == "max" { return nil }
    guard let value = Int(text), rateRange.contains(value) else {
      throw UsageError(
        "--rate takes packets per second from \(rateRange.lowerBound) to \(rateRange.upperBound), or max")
    }
    return value
  }

  private static func mix(_ text: String, isOwn: Bool) throws(UsageError) -> Set<StressOperation> {
    var chosen: Set<StressOperation> = [.attach]
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let operation = StressOperation(rawValue: String(word)) else {
        throw UsageError(
          "--mix does not know \(word); it takes a list of "
            + StressOperation.allCases.map(\.rawValue).joined(separator: ","))
      }
      if operation.needsOwnInterface && !isOwn { throw UsageError("--mix \(word) needs --self: it disturbs others") }
      chosen.insert(operation)
    }
    return chosen
  }
}
