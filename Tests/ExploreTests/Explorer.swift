import Glibc
import SwBPFKern

/// Runs a scenario's threads in every order that can matter.
///
/// Each thread of a scenario is a real thread, but one runs at a time: before each access to shared memory (``Step``) it
/// asks who goes on. An order is a list of such choices; the next one is tried by running the scenario again from the start
/// (stateless model checking). Orders that differ only in accesses that do not touch each other are the same for every
/// thread, and one of them is run: dynamic partial-order reduction (Flanagan, Godefroid 2005) with sleep sets.
///
/// What it assumes: one sequentially consistent memory (the orders of the atomics are argued in ARCHITECTURE.md and watched by
/// ThreadSanitizer), and no shared data that is neither behind a lock nor marked by a step.
final class Explorer: @unchecked Sendable {
  /// What a thread is about to do.
  struct Operation {
    enum Needs: Equatable {
      case nothing
      case lock
      case event(Int32)
      /// On a condition, until somebody wakes it.
      case wakeUp
    }
    var place: Step.Place
    /// 0 for what touches nothing shared.
    var object: UInt
    var writes: Bool
    var needs = Needs.nothing
    var label: StaticString?

    /// Whether the order of the two matters.
    func touches(_ other: Operation) -> Bool { object != 0 && object == other.object && (writes || other.writes) }
  }

  /// One choice of the order at hand, and what is known of the others.
  struct Choice {
    var enabled: UInt8
    /// Threads that must be tried here.
    var wanted: UInt8
    /// Threads whose orders from here are done.
    var done: UInt8 = 0
    /// Threads whose next step, taken here, leads only to orders that were run before.
    var asleep: UInt8
    var chosen: Int
  }

  typealias Past = SIMD4<UInt32>

  struct Track {
    var operation = Operation(place: .begins, object: 0, writes: false)
    var isFinished = false
    /// The last step of each thread that comes before this thread's next one in every equal order.
    var clock = Past.zero
    var taken: UInt32 = 0
  }

  /// A step of the order at hand.
  struct Taken {
    var thread: Int
    var number: UInt32
    var operation: Operation
    var clock: Past
  }

  // Only the thread that runs, or the owner while none does, touches these; semaphores hand them on.
  var tracks: [Track] = []
  var order: [Taken] = []
  var choices: [Choice] = []
  var owners: [UInt: Int] = [:]
  var clocks: [UInt: (written: Past, read: Past)] = [:]
  /// Threads that sleep after the last step.
  var carriedSleep: UInt8 = 0
  /// The order repeats one that was run: it is ended in any way.
  var isRepeated = false
  var sleepers: [(thread: Int, condition: UInt)] = []
  var dead: Set<UInt> = []
  var quarantine: [() -> Void] = []
  var finding: Finding?
  let isReduced: Bool
  private var runs = 0

  private let turns: [Semaphore]
  private let ended = Semaphore()
  private var bodies: [() -> Void] = []
  var names: [String] = []
  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()
  private var workers: [Thread] = []
  private var isOver = false

  /// - Parameter isReduced: false runs every order, equal or not.
  init(threads: Int, isReduced: Bool = true) {
    precondition((1...4).contains(threads))
    self.isReduced = isReduced
    turns = (0..<threads).map { _ in Semaphore() }
    for index in 0..<threads {
      workers.append(Thread(name: "explored-\(index)") { [self] in work(index) })
    }
  }

  private func work(_ index: Int) {
    pthread_setspecific(Explorer.key, UnsafeRawPointer(bitPattern: index + 1))
    while true {
      turns[index].wait()
      if isOver { return }
      bodies[index]()
      bodies[index] = {}
      tracks[index].isFinished = true
      handOn(from: index)
    }
  }

  static var thread: Int? {
    let index = Int(bitPattern: pthread_getspecific(key))
    return index == 0 ? nil : index - 1
  }

  /// Ends the threads. Not after a finding that left some of them waiting.
  private func stop() {
    isOver = true
    for turn in turns { turn.post() }
    for worker in workers { worker.join() }
  }

  // MARK: Exploring

  /// Runs the scenario in all orders, or until something is found, or `limit` orders were run.
  func explore(_ scenario: Scenario, fault: Step.Fault? = nil, limit: Int = 100_000) throws -> Outcome {
    let start = Clock.monotonic()
    Step.fault = fault
    defer { Step.fault = nil }
    var longest = 0
    var repeated = 0
    var isExhaustive = false
    while runs < limit {
      try runOnce(scenario)
      runs += 1
      longest = max(longest, order.count)
      if isRepeated { repeated += 1 }
      if finding != nil { break }
      if !advance() {
        isExhaustive = true
        break
      }
    }
    if tracks.allSatisfy(\.isFinished) { stop() }
    return Outcome(
      scenario: scenario.name, orders: runs - repeated, repeated: repeated, longest: longest,
      isExhaustive: isExhaustive, finding: finding, milliseconds: (Clock.monotonic() - start) / 1_000_000)
  }

  private func runOnce(_ scenario: Scenario) throws {
    let run = try scenario.prepare(self)
    precondition(run.threads.count == turns.count)
    names = run.threads.map(\.name)
    bodies = run.threads.map(\.body)
    tracks = .init(repeating: Track(), count: turns.count)
    order = []
    owners = [:]
    clocks = [:]
    sleepers = []
    dead = []
    isRepeated = false
    Step.scheduler = self
    if let first = choose(after: nil) {
      turns[first].post()
      ended.wait()
    }
    Step.scheduler = nil
    if finding == nil, let text = run.check() { report(text) }
    let isStuck = !tracks.allSatisfy(\.isFinished)
    // Threads that are stuck keep what they hold.
    if isStuck { return }
    run.end()
    for body in quarantine { body() }
    quarantine = []
  }

  /// Ends the turn of the calling thread for good.
  private func handOn(from index: Int) {
    guard let next = choose(after: index) else { return ended.post() }
    turns[next].post()
  }

  /// The turn of the calling thread ends before `operation`, and comes again with it.
  func pause(_ thread: Int, _ operation: Operation) {
    tracks[thread].operation = operation
    announced(thread)
    guard let next = choose(after: thread) else {
      ended.post()
      return turns[thread].wait()
    }
    if next == thread { return }
    turns[next].post()
    turns[thread].wait()
  }

  func canGoOn(_ track: Track) -> Bool {
    if track.isFinished { return false }
    switch track.operation.needs {
    case .nothing: return true
    case .lock: return owners[track.operation.object] == nil
    case .event(let descriptor): return isReadable(descriptor)
    case .wakeUp: return false
    }
  }

  private func isReadable(_ descriptor: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) > 0
  }

  // MARK: Findings

  /// Says what is wrong with the order at hand; the first one counts.
  func report(_ text: String) {
    if finding != nil { return }
    let trace = Trace(names: names).lines(of: order)
    finding = Finding(text: text, trace: trace)
  }

  /// Nobody can go on. Called by ``choose(after:)``.
  func reportStuck() {
    let waiting = tracks.indices.filter { !tracks[$0].isFinished }.map { index in
      "\(names[index]) \(Trace.text(tracks[index].operation))"
    }
    report("nobody can go on: " + waiting.joined(separator: "; "))
  }
}

extension SIMD4<UInt32> {
  mutating func formMaximum(_ other: Self) { self = pointwiseMax(self, other) }
}
