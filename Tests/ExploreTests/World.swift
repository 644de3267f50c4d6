import Glibc
import SwBPFFilterMachine
import SwBPFKern

@testable import SwBPFBPF

/// The objects of one run: an interface, its driver, descriptors, and what happened when.
///
/// Markers of what happened are steps themselves, so that orders that differ only in them are different ones.
final class World {
  let explorer: Explorer
  let driver: KernelModel
  let ifnet: BPF.Ifnet
  let interface: BPF.Interface
  var descriptors: [BPF.Descriptor?] = []
  private(set) var tappers: [Tapper] = []
  private var moment = 0
  /// When each request was called and when it returned.
  private(set) var called: [String: Int] = [:]
  private(set) var returned: [String: Int] = [:]
  /// When the pass of each frame began and ended.
  private(set) var began: [UInt8: Int] = [:]
  private(set) var ended: [UInt8: Int] = [:]
  /// Frames in the order in which their passes began.
  private(set) var tapped: [UInt8] = []
  var problems: [String] = []
  /// Also when requests are called and passes end; each more that is noted makes more orders different.
  var notesMore = false

  /// What births are stamped with, ns.
  let clock = TestClock()

  init(_ explorer: Explorer) throws {
    self.explorer = explorer
    driver = KernelModel(explorer)
    ifnet = BPF.Ifnet(name: "test0", index: 7, driver: driver)
    interface = try ifnet.attach(linkType: 1, headerLength: 14)
  }

  /// A new descriptor; attached unless told otherwise.
  @discardableResult
  func open(
    attached: Bool = true, program: Program? = nil, pushed: Bool = false,
    format: BPF.RecordFormat = .savefile(nanoseconds: true)
  ) throws -> BPF.Descriptor {
    var configuration = BPF.Descriptor.Configuration(slotSize: 128, slots: 3, format: format)
    configuration.clock = { [clock] in clock.now }
    configuration.pushesDown = pushed
    let descriptor = try BPF.Descriptor(configuration)
    if program != nil { try descriptor.setProgram(program) }
    if attached { try descriptor.attach(to: interface) }
    descriptors.append(descriptor)
    return descriptor
  }

  /// A thread's way to tap; a place in the epoch that the next run gets again.
  func tapper() -> Tapper {
    let tapper = Tapper(self)
    tappers.append(tapper)
    return tapper
  }

  /// Runs a request and notes when.
  func request(_ name: String, _ body: () throws -> Void) {
    if notesMore {
      explorer.model("calls", 1, writes: true)
      called[name] = tick()
    }
    do { try body() } catch { problems.append("\(name) failed: \(error)") }
    explorer.model("returned", 1, writes: true)
    returned[name] = tick()
  }

  fileprivate func noteBegin(_ frame: UInt8) {
    explorer.model("next frame", 1, writes: false)
    began[frame] = tick()
    tapped.append(frame)
  }

  fileprivate func noteEnd(_ frame: UInt8) {
    guard notesMore else { return }
    explorer.model("frame done", 1, writes: false)
    ended[frame] = tick()
  }

  private func tick() -> Int {
    moment += 1
    return moment
  }

  /// Whether the pass of a frame began after a request had returned.
  func came(_ frame: UInt8, after request: String) -> Bool { began[frame]! > returned[request]! }
  func came(_ frame: UInt8, before request: String) -> Bool { ended[frame]! < called[request]! }

  /// A run of these threads. Everything is given back before the next one.
  func run(_ threads: [(name: String, body: () -> Void)], check: @escaping () throws -> String?) -> Scenario.Run {
    Scenario.Run(
      threads: threads,
      check: {
        if let problem = self.problems.first { return problem }
        do { return try check() } catch { return "\(error)" }
      },
      end: {
        self.tappers = []
        self.descriptors = []
        // Frees what waits: no reader is inside.
        Epoch.shared.retire { true }
        precondition(Epoch.shared.pendingCount == 0, "something is never freed")
      })
  }
}

/// A thread's reader, and frames that stay where they are.
final class Tapper {
  fileprivate var reader = TapReader()
  fileprivate unowned let world: World
  fileprivate let memory = UnsafeMutableRawPointer.allocate(byteCount: 256 * 20, alignment: 8)

  init(_ world: World) {
    self.world = world
    for number in 0..<256 {
      (memory + number * 20).initializeMemory(as: UInt8.self, repeating: UInt8(number), count: 20)
    }
  }
  deinit { memory.deallocate() }

  /// One pass of one frame, whose bytes are its number.
  /// - Parameter seconds: its stamp.
  func tap(_ number: UInt8, _ way: BPF.Way = .received, at seconds: UInt32 = 1, on point: TapPoint? = nil) {
    world.noteBegin(number)
    // What the kernel refuses never gets here.
    guard way == .received || world.driver.passesSent else { return world.noteEnd(number) }
    if reader.begin(point ?? world.interface.pointOfDriver) {
      reader.tap(
        TapFrame(
          base: memory + Int(number) * 20, captured: 20, length: 20, seconds: seconds, nanoseconds: 0,
          metadata: FrameMetadata()), way)
      reader.end()
    }
    world.noteEnd(number)
  }
}

extension Tapper {
  /// A pass for each frame.
  func tapAll(_ numbers: [UInt8]) { for number in numbers { tap(number) } }

  /// The short way of a ring thread, for a pass with one peer and no program: it writes the record itself.
  func run(_ number: UInt8) {
    world.noteBegin(number)
    if reader.begin(world.interface.pointOfDriver) {
      if reader.isPlain, var run = reader.openRun() {
        for (offset, word) in [1, 0, 20, 20].enumerated() {
          run.place.storeBytes(of: UInt32(word), toByteOffset: offset * 4, as: UInt32.self)
        }
        (run.place + 16).copyMemory(from: memory + Int(number) * 20, byteCount: 20)
        run.place += 36
        run.records += 1
        reader.closeRun(run)
      }
      reader.end()
    }
    world.noteEnd(number)
  }
}

/// A clock that a scenario sets.
final class TestClock: @unchecked Sendable {
  var now: Int64 = 0
}

/// Accepts frames whose number is below `limit`; a program of its own for each use.
func below(_ limit: UInt32) throws -> Program {
  try Program([.statement(0x30, 0), .jump(0x35, limit, 0, 1), .statement(6, 0), .statement(6, 0xffff)])
}

/// Accepts frames whose number is at least `limit`.
func from(_ limit: UInt32) throws -> Program {
  try Program([.statement(0x30, 0), .jump(0x35, limit, 0, 1), .statement(6, 0xffff), .statement(6, 0)])
}

extension BPF.Descriptor {
  /// The numbers of the frames that are stored, which are taken.
  func numbers() -> [UInt8] {
    var all: [UInt8] = []
    while let slot = try? takeSlot(rotating: true) { all += Self.numbers(slot) }
    return all
  }

  /// The numbers of the frames in a slot.
  static func numbers(_ slot: borrowing BPF.Slot) -> [UInt8] {
    var all: [UInt8] = []
    // A slot is no sequence.
    // swift-format-ignore: ReplaceForEachWithForLoop
    slot.eachRecord { record in all.append(record.frame.withUnsafeBytes { $0[0] }) }
    return all
  }
}

extension BPF.Statistics {
  var problem: String? {
    offered == hidden + refused + captured && captured == delivered + dropped + waiting ? nil : "counters: \(self)"
  }
}
