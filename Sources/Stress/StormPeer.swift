// One peer of the storm: attached, disturbed, read and detached by one thread.
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import SwBPFLiveCapture

/// The sums that hold in every reading of a descriptor's counters.
package enum PeerCheck {
  package static func fault(of counts: BPF.Statistics) -> String? {
    fault(
      offered: counts.offered, hidden: counts.hidden, refused: counts.refused, captured: counts.captured,
      delivered: counts.delivered, dropped: counts.dropped, waiting: counts.waiting)
  }

  package static func fault(
    offered: UInt64, hidden: UInt64, refused: UInt64, captured: UInt64, delivered: UInt64, dropped: UInt64,
    waiting: UInt64
  ) -> String? {
    if offered != hidden + refused + captured {
      return "offered \(offered) is not hidden \(hidden) + refused \(refused) + captured \(captured)"
    }
    if captured != delivered + dropped + waiting {
      return "captured \(captured) is not delivered \(delivered) + dropped \(dropped) + waiting \(waiting)"
    }
    return nil
  }
}

/// Not thread-safe: the thread that made it uses it.
final class StormPeer {
  let descriptor: BPF.Descriptor
  let isDevice: Bool
  var isOnSide: Bool
  var isPromiscuous = false
  /// Direction and program are those it was attached with: none, so every frame of its direction is its own.
  private var isPlain = true
  private let direction: BPF.Direction
  private var checks = [StreamCheck](repeating: StreamCheck(), count: Stream.allCases.count)
  /// Drops that a flush has taken out of the descriptor's counters.
  private var droppedBefore: UInt64 = 0
  private var buffer: [UInt8] = []
  private let findings: Findings

  init(_ direction: BPF.Direction, device: Bool, onSide: Bool, pushed: Bool, _ findings: Findings) throws {
    self.findings = findings
    self.direction = direction
    isDevice = device
    isOnSide = onSide
    var configuration: BPF.Descriptor.Configuration = device ? .device() : .init(slotSize: 16384, slots: 3)
    configuration.pushesDown = pushed
    descriptor = try BPF.Descriptor(configuration)
    try descriptor.setDirection(direction)
    descriptor.setImmediate(true)
    descriptor.setNonBlocking(true)
  }

  /// What was asked for changes what it sees.
  func disturb() { isPlain = false }

  /// Attached anew, perhaps elsewhere.
  func restart(onSide: Bool) {
    isOnSide = onSide
    (checks, droppedBefore) = (checks.map { _ in StreamCheck() }, 0)
  }

  /// Runs a request that throws away what is stored, and the counters with it.
  func flushing(_ request: () throws -> Void) rethrows {
    let dropped = descriptor.statistics.dropped
    try request()
    droppedBefore += dropped
    for index in checks.indices { checks[index].jump() }
  }

  func resizeBuffer(to size: Int) throws { try descriptor.setBufferSize(size) }

  /// Reads and judges what is stored.
  func read() {
    do {
      if isDevice { try readDevice() } else { try readSlots() }
    } catch BPF.Failure.wouldBlock, BPF.Failure.notAttached, BPF.Failure.departed, BPF.Failure.interrupted {
      return
    } catch {
      findings.report(.errors, "reading: \(error)")
    }
  }

  private func readSlots() throws {
    while let slot = try descriptor.takeSlot(rotating: true) {
      slot.eachRecord { record in
        if let frame = NumberedFrame(record.frame) { judge(frame) }
      }
    }
  }

  private func readDevice() throws {
    let size = descriptor.bufferSize
    if buffer.count != size { buffer = [UInt8](repeating: 0, count: size) }
    // At most what both buffers hold: on a fast wire there is always more.
    for _ in 0..<2 {
      let count = try descriptor.read(into: &buffer)
      if count == 0 { return }
      var offset = 0
      while offset + 26 <= count {
        let captured = word(offset + 16)
        let header = Int(buffer[offset + 24]) | Int(buffer[offset + 25]) << 8
        guard header >= 26, offset + header + captured <= count else {
          return findings.report(.frames, "a record of \(captured) bytes at \(offset) of \(count)")
        }
        if let frame = NumberedFrame(buffer[(offset + header)..<(offset + header + captured)]) { judge(frame) }
        offset += (header + captured + 7) & ~7
      }
    }
  }

  private func word(_ offset: Int) -> Int {
    (0..<4).reduce(0) { $0 | Int(buffer[offset + $1]) << (8 * $1) }
  }

  private func judge(_ frame: NumberedFrame) {
    if (frame.stream == .side) != isOnSide {
      findings.report(.direction, "a peer of one interface saw frame \(frame.number) of the other")
    }
    let isReceived = frame.stream == .arriving || frame.stream == .side
    if isPlain && !(isReceived ? direction.seesReceived : direction.seesSent) {
      findings.report(.direction, "a peer saw frame \(frame.number) of the direction that it does not see")
    }
    if frame.stream == .injected { return }
    if let fault = checks[Int(frame.stream.rawValue)].see(frame.number) {
      findings.report(.frames, "a peer saw \(frame.stream) frame \(fault.number) after \(fault.expected - 1)")
    }
  }

  /// After it was detached and read to its end.
  /// - Parameters:
  ///   - sent: frames that had been sent when detach returned.
  ///   - excuse: frames that others count as lost since the run began.
  func judgeEnd(arriving sent: UInt64, excuse: () -> UInt64) {
    let arriving = checks[Int(Stream.arriving.rawValue)]
    // One batch may have been on its way while the sender counted.
    if let next = arriving.next, next > sent + 64 {
      findings.report(.prefix, "a peer saw frame \(next - 1), sent after it was detached (\(sent) were sent by then)")
    }
    guard isPlain, !isOnSide else { return }
    let missing = arriving.missing + checks[Int(Stream.leaving.rawValue)].missing
    let dropped = droppedBefore + descriptor.statistics.dropped
    if missing > dropped {
      let most = dropped + excuse()
      if missing > most {
        findings.report(.prefix, "a peer missed \(missing) frames between others, and only \(most) have a named loss")
      }
    }
  }
}
