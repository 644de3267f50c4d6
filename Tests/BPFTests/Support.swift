import SwBPFFilterMachine
import SwBPFKern
import Synchronization
import TestSupport
import Testing

// What the tests of the bpf layer share: a driver that records what it is asked, frames from memory, whole readings.
@testable import SwBPFBPF

/// The layer's seam: remembers calls, fails when told.
final class RecordingDriver: BPF.Driver, @unchecked Sendable {
  private let lock = Lock(rank: .driver)
  private var demands: [BPF.Demand] = []
  private var narrowings = 0
  private var promiscuousCalls: [Bool] = []
  private var failure: BPF.Failure?
  let retireTime: Int64

  init(retireTime: Int64 = 10_000_000) { self.retireTime = retireTime }

  func fail(_ failure: BPF.Failure?) { lock.withLock { self.failure = failure } }
  var widened: [BPF.Demand] { lock.withLock { demands } }
  var narrowed: Int { lock.withLock { narrowings } }
  var promiscuous: [Bool] { lock.withLock { promiscuousCalls } }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {
    try lock.withLock { () throws(BPF.Failure) in
      if let failure { throw failure }
      demands.append(demand)
    }
  }
  func mayNarrow(_ interface: BPF.Ifnet) { lock.withLock { narrowings += 1 } }
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {
    lock.withLock { promiscuousCalls.append(on) }
  }
}

/// An interface with one Ethernet tap point.
final class Wire: Sendable {
  let driver: RecordingDriver
  let ifnet: BPF.Ifnet
  let interface: BPF.Interface

  init(_ name: String = "test0", retireTime: Int64 = 10_000_000) {
    driver = RecordingDriver(retireTime: retireTime)
    ifnet = BPF.Ifnet(name: name, index: 7, driver: driver)
    interface = try! ifnet.attach(linkType: 1, headerLength: 14)
  }

  var point: TapPoint { interface.pointOfDriver }

  /// One pass of one frame by a reader of its own.
  func tap(_ frame: [UInt8], _ way: BPF.Way = .received, wire: Int? = nil, at stamp: Int64 = 1_000_000_000) {
    var reader = TapReader()
    guard reader.begin(point) else { return }
    frame.withUnsafeBytes { bytes in
      show(bytes, way, &reader, wire: wire, at: stamp)
      reader.end()
    }
  }
}

/// Shows one frame inside a pass; the bytes stay until its end.
func show(
  _ bytes: UnsafeRawBufferPointer, _ way: BPF.Way, _ reader: inout TapReader, wire: Int? = nil,
  at stamp: Int64 = 1_000_000_000, metadata: FrameMetadata = FrameMetadata()
) {
  let frame = TapFrame(
    base: bytes.baseAddress!, captured: UInt32(bytes.count), length: UInt32(wire ?? bytes.count),
    seconds: UInt32(stamp / 1_000_000_000), nanoseconds: UInt32(stamp % 1_000_000_000), metadata: metadata)
  reader.tap(frame, way)
}

/// A descriptor whose births are never looked at unless a clock is given.
func descriptor(
  slotSize: Int = 4096, slots: Int = 4, nanoseconds: Bool = true, clock: @escaping @Sendable () -> Int64 = { 0 }
) throws -> BPF.Descriptor {
  var configuration = BPF.Descriptor.Configuration(
    slotSize: slotSize, slots: slots, format: .savefile(nanoseconds: nanoseconds))
  configuration.clock = clock
  return try BPF.Descriptor(configuration)
}

struct Kept: Equatable {
  var bytes: [UInt8]
  var wire: Int
}

func bytes(_ span: RawSpan) -> [UInt8] { span.withUnsafeBytes { Array($0) } }

func records(_ slot: borrowing BPF.Slot) -> [Kept] {
  var all: [Kept] = []
  // A slot is no sequence.
  // swift-format-ignore: ReplaceForEachWithForLoop
  slot.eachRecord { record in all.append(Kept(bytes: bytes(record.frame), wire: record.wireLength)) }
  return all
}

extension BPF.Descriptor {
  /// The records of the next slot, which goes back at once.
  func read(timeout: Duration? = nil) throws(BPF.Failure) -> [Kept]? {
    guard let slot = try nextSlot(timeout: timeout) else { return nil }
    return records(slot)
  }

  /// Reads everything that is stored, without waiting.
  func drain() -> [Kept] {
    var all: [Kept] = []
    while true {
      guard let slot = try? takeSlot(rotating: true) else { return all }
      all += records(slot)
    }
  }

  var frames: [[UInt8]] { drain().map(\.bytes) }
}

extension BPF.Statistics {
  var addsUp: Bool { offered == hidden + refused + captured && captured == delivered + dropped + waiting }
}

let whole = try! Program([.statement(6, 0xffff_ffff)])
let nothing = try! Program([.statement(6, 0)])
func keeping(_ count: UInt32) -> Program { try! Program([.statement(6, count)]) }
/// Accepts frames whose first byte is `value`.
func starting(with value: UInt32) -> Program {
  try! Program([.statement(0x30, 0), .jump(0x15, value, 0, 1), .statement(6, 0xffff_ffff), .statement(6, 0)])
}

func frame(_ first: UInt8, _ count: Int = 60) -> [UInt8] {
  [first] + (1..<max(1, count)).map { UInt8(truncatingIfNeeded: $0) }
}

final class Flag: Sendable {
  private let value = Atomic<Int>(0)
  var isSet: Bool { value.load(ordering: .acquiring) != 0 }
  func set() { value.store(1, ordering: .releasing) }
}
