// What a capture reads: descriptors of this process, or of the daemon.
import Glibc
import SwBPF
import SwBPFBPF
import SwBPFDaemonClient
import SwBPFFilterMachine

/// One reader of an interface, as the consumer and the controls of a capture see it.
/// - Threads: any; one takes slots.
protocol CaptureReader: AnyObject, Sendable {
  var slotCount: Int { get }
  var slotBytes: Int { get }
  /// As ``BPF/Descriptor/follow(event:full:)``; -1 where it wakes by a descriptor of its own.
  var wakes: CInt { get }
  func follow(event: CInt, full: Int)
  /// Whether whoever finds nothing may sleep: he is woken then.
  func mayWait() -> Bool
  func takeSlot(rotating: Bool) throws(BPF.Failure) -> BPF.Slot?
  var storedBytes: Int { get }

  /// All of one moment.
  var now: ReaderState { get }
  func setDirection(_ new: BPF.Direction) throws
  func setProgram(from source: @escaping @Sendable (Int32) throws -> Program?, flushing: Bool) throws
  /// Of the interfaces that it is attached to.
  var tappedLinkTypes: [Int32] { get }
}

struct ReaderState {
  /// The interface's name now; nil while it is not attached.
  var name: String?
  var linkType: Int32?
  var direction: BPF.Direction
  var statistics: BPF.Statistics
  /// Of the ring that another process has.
  var ring: RemoteDescriptor.Ring?
}

extension BPF.Descriptor: CaptureReader {
  var slotCount: Int { configuration.slots }
  var slotBytes: Int { configuration.slotSize }
  var wakes: CInt { -1 }
  func mayWait() -> Bool { true }
  var tappedLinkTypes: [Int32] { interfaces.map(\.linkType) }

  var now: ReaderState {
    let interface = interfaces.first
    return ReaderState(
      name: interface?.ifnet.name, linkType: interface?.linkType, direction: direction, statistics: statistics)
  }
}

extension RemoteDescriptor: CaptureReader {
  var slotCount: Int { reader.slots }
  var slotBytes: Int { reader.slotSize }
  var wakes: CInt { wakeDescriptor }
  func follow(event: CInt, full: Int) { close(event) }
  func mayWait() -> Bool { reader.mayWait() }
  var storedBytes: Int { reader.storedBytes }

  var now: ReaderState {
    let state = state
    return ReaderState(
      name: state.name, linkType: state.linkType, direction: state.direction, statistics: state.statistics,
      ring: state.ring)
  }

  func setDirection(_ new: BPF.Direction) throws { try change(new) }

  func setProgram(from source: @escaping @Sendable (Int32) throws -> Program?, flushing: Bool) throws {
    try setProgram(source(tappedLinkTypes.first ?? 1), flushing: flushing)
  }

  var tappedLinkTypes: [Int32] { linkType.map { [$0] } ?? [] }
}
