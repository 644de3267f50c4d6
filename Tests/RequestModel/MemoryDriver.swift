// What the tested side stands on: interfaces in memory, whose driver does as it is told.
import Glibc
import SwBPFBPF
import SwBPFFilterMachine

/// A driver in memory; one thread.
final class MemoryDriver: BPF.Driver, @unchecked Sendable {
  var isUp = true
  var payload = 200
  var refusesPromiscuous = false
  var refusesFrames = false
  private(set) var isPromiscuous = false
  private(set) var sent: [[UInt8]] = []
  private var reader = TapReader()

  var retireTime: Int64 { 0 }
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}

  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {
    if on && refusesPromiscuous { throw .system(errno: EIO, call: "promiscuous") }
    isPromiscuous = on
  }

  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    BPF.OutputState(isUp: isUp, maximumPayload: payload, address: ModelWorld.address)
  }

  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    if refusesFrames { throw .system(errno: ENOBUFS, call: "send") }
    sent.append(frame)
    if !unseen, let point = interface.defaultInterface {
      tap([ModelFrame(bytes: frame, length: frame.count, sent: true, stamp: 5_000_000_000)], at: point)
    }
  }

  /// Shows frames to the readers of a tap point, all in one pass.
  func tap(_ frames: [ModelFrame], at interface: BPF.Interface) {
    guard reader.begin(interface.pointOfDriver) else { return }
    // Each in memory of exactly its size, so that a byte too far is seen by AddressSanitizer.
    let copies = frames.map { frame in
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.bytes.count, alignment: 1)
      copy.copyBytes(from: frame.bytes)
      return copy
    }
    for (frame, copy) in zip(frames, copies) {
      let stamp = frame.stamp ?? 0
      let tapped = TapFrame(
        base: UnsafeRawPointer(copy.baseAddress!), captured: UInt32(copy.count), length: UInt32(frame.length),
        seconds: UInt32(stamp / 1_000_000_000), nanoseconds: UInt32(stamp % 1_000_000_000), metadata: FrameMetadata())
      reader.tap(tapped, frame.sent ? .sent : .received)
    }
    reader.end()
    for copy in copies { copy.deallocate() }
  }
}

/// An interface of the tested side.
struct MemoryInterface {
  let name: String
  let driver = MemoryDriver()
  let ifnet: BPF.Ifnet
  /// Oldest first.
  let points: [BPF.Interface]
  var isThere = true

  init(_ model: ModelInterface, index: UInt32) {
    name = model.name
    ifnet = BPF.Ifnet(name: model.name, index: index, driver: driver)
    let ifnet = ifnet
    points = model.points.map { point in
      // The link types of an interface differ, so none is refused.
      try! ifnet.attach(linkType: Int32(point.linkType), headerLength: UInt32(point.header))
    }
  }
}

/// Where BIOCSETIF finds them.
final class MemoryDirectory: BPF.InterfaceDirectory, @unchecked Sendable {
  var interfaces: [MemoryInterface] = []

  func interface(named name: String) throws -> BPF.Interface {
    guard let found = interfaces.first(where: { $0.isThere && $0.name == name }) else {
      throw BPF.Failure.noSuchInterface(name)
    }
    return found.points[0]
  }

  var interfaceNames: [String] { interfaces.filter(\.isThere).map(\.name).reversed() }
}
