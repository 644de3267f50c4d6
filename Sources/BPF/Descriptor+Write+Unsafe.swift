// write(2) of an open bpf device: one frame per call goes out by the interface. (`bpfwrite`, `bpf_movein`)
// Any thread; no lock is held while the frame is copied or sent.
import Glibc
import SwBPFFilterMachine
import SwBPFKern

extension BPF {
  /// What a driver tells of an interface that frames are to leave by.
  package struct OutputState: Sendable {
    package var isUp: Bool
    /// Bytes behind the link header, at most.
    package var maximumPayload: Int
    /// The source address that frames get; empty where there is none.
    package var address: [UInt8]
    /// What leaves by it comes in again by itself.
    package var returnsFrames: Bool

    package init(isUp: Bool, maximumPayload: Int, address: [UInt8], returnsFrames: Bool = false) {
      self.isUp = isUp
      self.maximumPayload = maximumPayload
      self.address = address
      self.returnsFrames = returnsFrames
    }
  }

  /// What a descriptor has written since it was opened.
  public struct WriteStatistics: Sendable, Equatable {
    /// Writes that were tried on an interface.
    public internal(set) var attempted: UInt64 = 0
    /// Of these, frames that went out.
    public internal(set) var sent: UInt64 = 0
    /// Of these, refused or failed.
    public var failed: UInt64 { attempted - sent }
  }

  /// Bytes of link header that a writer supplies; nil for link types that cannot be written.
  static func writtenHeader(_ linkType: Int32) -> Int? {
    switch linkType {
    case 1: 14  // DLT_EN10MB
    case 0, 108: 4  // DLT_NULL, DLT_LOOP
    case 12, 101: 0  // DLT_RAW and its LINKTYPE
    default: nil
    }
  }
}

extension BPF.Descriptor {
  /// Sends a frame, link header first. (`bpfwrite`)
  ///
  /// Without the header-complete flag the interface's address becomes its source. With feedback on, readers of the interface
  /// see the frame as received, too (if the direction is in and out: only so).
  /// - Returns: the bytes sent, which is all of them. An empty frame sends nothing.
  /// - Throws: ENXIO not attached; ENETDOWN; EIO for a link type that cannot be written; EMSGSIZE below the link header or
  ///   above header and MTU; EPERM when the write program refuses it; the interface's error.
  @discardableResult
  public func write(_ frame: [UInt8]) throws(BPF.Failure) -> Int {
    try write(count: UInt64(frame.count)) { () throws(BPF.Failure) in frame }
  }

  /// Sends a frame that lies in pieces at addresses of the caller, who need not be right about them. (`writev`)
  /// - Throws: EFAULT and what ``write(_:)`` throws; EMSGSIZE also for lengths beyond any memory.
  @discardableResult
  package func write(pieces: [(address: UInt64, count: UInt64)]) throws(BPF.Failure) -> Int {
    var total: UInt64 = 0
    for piece in pieces {
      let (sum, overflows) = total.addingReportingOverflow(piece.count)
      total = overflows ? .max : sum
    }
    return try write(count: total) { () throws(BPF.Failure) in
      var frame: [UInt8] = []
      for piece in pieces {
        guard let bytes = CallerMemory.read(piece.address, count: Int(piece.count)) else { throw .badAddress }
        frame += bytes
      }
      return frame
    }
  }

  /// Frames written and refused.
  public var writeStatistics: BPF.WriteStatistics { lock.withLock { device.writes } }

  private func write(count: UInt64, copying: () throws(BPF.Failure) -> [UInt8]) throws(BPF.Failure) -> Int {
    let (found, settings) = lock.withLock { (attachments.last, device) }
    guard let one = found, !one.ifnet.isGone else { throw .notAttached }
    lock.withLock { device.writes.attempted += 1 }
    let output = try one.ifnet.driver.outputState(of: one.ifnet)
    guard output.isUp else { throw .system(errno: ENETDOWN, call: "write") }
    if count == 0 { return 0 }
    guard let header = BPF.writtenHeader(one.interface.linkType) else { throw .system(errno: EIO, call: "write") }
    guard count >= UInt64(header), count - UInt64(header) <= UInt64(output.maximumPayload) else {
      throw .messageSize(count)
    }
    var frame = try copying()
    if let program = settings.writeProgram, !BPF.Descriptor.lets(program, frame) {
      throw .notPermitted("the write program refuses the frame")
    }
    if !settings.isHeaderComplete && one.interface.linkType == 1 && output.address.count == 6 {
      frame.replaceSubrange(6..<12, with: output.address)
    }
    // It may have been moved or detached while the frame was copied.
    guard lock.withLock({ attachments.last?.interface === one.interface }), !one.ifnet.isGone else {
      throw .notAttached
    }
    let feedsBack = settings.feedback != 0 && !output.returnsFrames
    // The ring does not see what its own socket sends: with feedback the frame is seen once, as received.
    try one.ifnet.driver.send(frame, from: one.ifnet, unseen: feedsBack && direction == .inOut)
    lock.withLock { device.writes.sent += 1 }
    if feedsBack { TapReaderPool.shared.tap(frame, one.interface, one.ifnet.index) }
    return frame.count
  }

  /// The write program's verdict, by machine code that the first write makes; what it returns does not cut the frame.
  private static func lets(_ program: Program, _ frame: [UInt8]) -> Bool {
    // SAFETY: the program and with it its code lives as long as this call, and the frame's bytes; no frame is empty here.
    withExtendedLifetime(program) {
      unsafe frame.withUnsafeBytes { bytes in
        var metadata = FrameMetadata()
        return unsafe program.tapCode.verdict(
          packet: bytes.baseAddress!, wireLength: UInt32(bytes.count), captured: UInt32(bytes.count),
          metadata: &metadata) != 0
      }
    }
  }
}

extension BPF.Driver {
  /// A device that no frame can be written to.
  package func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    throw .system(errno: EIO, call: "write")
  }

  package func prepareToSend() {}

  /// A driver that has to be asked each time.
  package func holdOpen(sent: Bool, wishes: [Union.Wish]?) -> Bool { false }
  package func release() {}

  package func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    throw .system(errno: EIO, call: "write")
  }
}

/// Readers of the epoch for threads that have none of their own: whoever writes with feedback.
final class TapReaderPool: @unchecked Sendable {
  static let shared = TapReaderPool()

  private final class Box {
    var reader = TapReader()
  }

  private let lock = Lock(rank: .leaf)
  private let returned = Condition()
  private var free: [Box] = []
  private var made = 0
  /// Threads beyond this many wait for each other.
  private static let limit = 16

  /// Shows one frame to the readers of a tap point as received, in a pass of its own.
  func tap(_ frame: [UInt8], _ interface: BPF.Interface, _ index: UInt32) {
    guard interface.hasPeers else { return }
    let box = take()
    defer { giveBack(box) }
    guard box.reader.begin(interface.point) else { return }
    let now = Clock.wall()
    // SAFETY: the bytes stay until the pass has ended.
    unsafe frame.withUnsafeBytes { bytes in
      let tapped = unsafe TapFrame(
        base: bytes.baseAddress!, captured: UInt32(bytes.count), length: UInt32(bytes.count),
        seconds: UInt32(now / 1_000_000_000), nanoseconds: UInt32(now % 1_000_000_000),
        metadata: FrameMetadata(interfaceIndex: index))
      box.reader.tap(tapped, .received)
      box.reader.end()
    }
  }

  private func take() -> Box {
    let spare: Box? = lock.withLock {
      while free.isEmpty && made == TapReaderPool.limit { _ = lock.wait(returned) }
      if let box = free.popLast() { return box }
      made += 1
      return nil
    }
    // Not under the lock: a reader registers with the epoch, whose lock comes first.
    return spare ?? Box()
  }

  private func giveBack(_ box: Box) {
    lock.withLock {
      free.append(box)
      returned.broadcast()
    }
  }
}
