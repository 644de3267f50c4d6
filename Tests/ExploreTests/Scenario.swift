import Glibc
import SwBPFKern

/// What is explored: threads over objects that are made anew for each order.
struct Scenario: Sendable {
  struct Run {
    var threads: [(name: String, body: () -> Void)]
    /// After all threads have ended: what is wrong, or nil.
    var check: () -> String?
    /// Gives everything back.
    var end: () -> Void
  }

  var name: String
  var prepare: @Sendable (Explorer) throws -> Run
}

/// An order that must not be, and how it came to it.
struct Finding {
  var text: String
  var trace: [String]
}

/// What an exploration came to.
struct Outcome: CustomStringConvertible {
  var scenario: String
  var orders: Int
  /// Orders that were given up because an equal one was run.
  var repeated: Int
  var longest: Int
  var isExhaustive: Bool
  var finding: Finding?
  var milliseconds: Int64

  var description: String {
    let extent = finding != nil ? "until the finding" : isExhaustive ? "all" : "NOT ALL"
    let verdict = finding.map { "FOUND: \($0.text)" } ?? "nothing found"
    return "explored \(scenario): \(orders) orders (\(extent)), up to \(longest) steps, \(milliseconds) ms: \(verdict)"
  }
}

/// Prints steps: one line each, a column for each thread.
struct Trace {
  let names: [String]

  func lines(of order: [Explorer.Taken]) -> [String] {
    var numbers: [UInt: Int] = [:]
    return order.filter { $0.operation.place != .begins }.map { step in
      let number = numbers[step.operation.object] ?? numbers.count + 1
      numbers[step.operation.object] = number
      let text = Trace.text(step.operation) + (step.operation.label == nil ? " #\(number)" : "")
      return String(repeating: " ", count: 34 * step.thread) + "\(names[step.thread]): \(text)"
    }
  }

  static func text(_ operation: Explorer.Operation) -> String {
    switch (operation.place, operation.label) {
    case (.modelLoads, let label?), (.modelStores, let label?): "\(label)"
    case (.takesLock, let label?): "takes lock \(label)"
    default: words(operation.place)
    }
  }

  /// A place's name in words: `looksAtReader` is "looks at reader".
  static func words(_ place: Step.Place) -> String {
    String("\(place)".flatMap { $0.isUppercase ? " \($0.lowercased())" : "\($0)" })
  }
}

extension LockRank {
  var label: StaticString {
    switch self {
    case .engine: "engine"
    case .descriptor: "descriptor"
    case .interface: "interface"
    case .driver: "driver"
    case .peers: "peers"
    case .perCPU: "per CPU"
    case .traversal: "traversal"
    case .route: "route"
    case .keyDatabase: "key database"
    case .keySocket: "key socket"
    case .buffer: "buffer"
    case .epoch: "epoch"
    case .leaf: "leaf"
    }
  }
}

extension Step.Place {
  /// Which of the things at one address a place is about.
  private var field: UInt {
    switch self {
    case .begins: 0
    case .takesLock: 1
    case .waits, .wakes: 2
    case .awaitsEvent, .tellsEvent: 3
    case .loadsClock, .ticks: 4
    case .enters, .leaves, .looksAtReader: 5
    case .looksForPeers, .loadsList, .swapsList: 6
    case .loadsProgram, .swapsProgram: 7
    case .loadsMerge, .swapsMerge: 16
    case .loadsBirth, .stampsBirth, .endsBirth: 8
    case .loadsBirthEnd, .stampsBirthEnd: 15
    case .loadsDirection, .storesDirection: 9
    case .loadsGeneration, .changesGeneration: 10
    case .loadsWatched, .storesWatched: 11
    case .loadsEvent, .storesEvent: 12
    case .usesList, .usesNode, .usesProgram, .usesMerge, .usesBuffers, .frees: 13
    case .modelLoads, .modelStores: 14
    }
  }

  /// Steps are about the same thing when this is the same. Addresses of user space leave the upper 16 bits free.
  func object(_ address: UInt) -> UInt { self == .begins ? 0 : field << 56 | address }

  var writes: Bool {
    switch self {
    case .takesLock, .waits, .wakes, .tellsEvent, .enters, .leaves, .ticks, .swapsList, .swapsProgram, .swapsMerge,
      .stampsBirth,
      .stampsBirthEnd,
      .endsBirth, .storesDirection, .changesGeneration, .storesWatched, .storesEvent, .frees, .modelStores:
      true
    default: false
    }
  }

  var usesMemory: Bool {
    switch self {
    case .usesList, .usesNode, .usesProgram, .usesMerge, .usesBuffers: true
    default: false
    }
  }
}

/// A semaphore between two threads.
final class Semaphore: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  init() { sem_init(semaphore, 0, 0) }
  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }
  func post() { sem_post(semaphore) }
  func wait() { while sem_wait(semaphore) != 0 {} }
}
