// ESPWorker: what one thread needs to put packets into ESP and take them out. Packets stay where they lie.
internal import CCrypto
import Glibc
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

/// A thread's way into and out of ESP, for all associations. (`esp_output`, `esp_input`)
///
/// ESP of tunnel and of transport mode are the same bytes here: the payload is whatever the outer header's protocol was, and
/// the caller makes and takes off outer headers, UDP's too.
/// - Threads: one at a time; its associations may be other workers' at the same time.
/// - Cost: no allocation but for an association's first packet in a worker.
@safe package final class ESPWorker: @unchecked Sendable {
  /// Workers of the process at most.
  package static let limit = 64

  /// What passed and what did not since somebody cleared it: the owner's to read and to clear.
  package var counts: ESPCounts {
    get { unsafe tally }
    set { unsafe tally = newValue }
  }
  // SAFETY: used by one thread at a time, and never while it is changed: a check for each packet is a call for nothing.
  @exclusivity(unchecked) private var tally = ESPCounts()
  private let number: Int
  @exclusivity(unchecked) private var pool = RandomPool()

  /// - Throws: `noMoreWorkers`.
  package init() throws(ESPError) {
    guard let number = WorkerNumbers.shared.take() else { throw .noMoreWorkers }
    self.number = number
  }

  deinit { WorkerNumbers.shared.giveBack(number) }

  // MARK: the way out

  /// Makes a packet ESP's, in place.
  ///
  /// Needs ``ESPFormat/head`` bytes of room in front of the payload and ``ESPFormat/largestTail`` behind it. Counts bytes and
  /// packets of the association.
  /// - Parameters:
  ///   - packet: the payload; afterwards all from SPI to check value. After a drop it means nothing.
  ///   - association: usable, and kept by the caller's epoch or reference.
  ///   - nextHeader: what the payload is: 4, 41, 6 …
  ///   - limit: bytes that the result may have; the default is what IPv4 can say.
  ///   - now: seconds since 1970.
  /// - Returns: nil when it is done. A drop is counted in ``counts``.
  package func seal(
    _ packet: inout PacketRoom, with association: Unmanaged<Association>, nextHeader: UInt8, limit: Int = 65515,
    now: UInt64
  ) -> ESPDrop? {
    let size = packet.count
    // SAFETY: the association is kept by the caller, its state by the association.
    let drop = unsafe ESPState.of(association)._withUnsafeGuaranteedRef { state in
      unsafe association._withUnsafeGuaranteedRef { sa in
        unsafe seal(&packet, state, sa, association, nextHeader, limit, now)
      }
    }
    if let drop {
      unsafe tally[drop] += 1
    } else {
      unsafe tally.sentPackets += 1
      unsafe tally.sentBytes += UInt64(size)
    }
    return drop
  }

  @inline(__always)
  private func seal(
    _ packet: inout PacketRoom, _ state: ESPState, _ sa: Association, _ association: Unmanaged<Association>,
    _ nextHeader: UInt8, _ limit: Int, _ now: UInt64
  ) -> ESPDrop? {
    let format = state.format
    let payload = packet.count
    let padding = format.padding(of: payload)
    let text = payload + padding + ESPFormat.trailer
    if format.head + text + format.check > limit { return .tooLong }
    guard packet.start >= format.head, packet.append(padding + ESPFormat.trailer + format.check) else { return .noRoom }
    guard let context = unsafe state.context(number, protects: true, association) else { return .library }
    if sa.isExhausted { return .exhausted }
    if !sa.record(bytes: payload, now: now) { return .lifetime }
    guard let count = sa.takeSequence() else { return .exhausted }

    if padding != 0 { pad(&packet, payload, padding, sa.flags) }
    packet.store(UInt8(padding), at: payload + padding)
    packet.store(nextHeader, at: payload + padding + 1)
    _ = packet.prepend(format.head)
    packet.store(be32: sa.spi, at: 0)
    packet.store(be32: UInt32(truncatingIfNeeded: count), at: 4)
    if format.vector == 8 {
      packet.store(be64: state.firstVector &+ count, at: ESPFormat.header)
    } else if format.vector == 16 {
      guard unsafe pool.take(packet.address + ESPFormat.header, 16) else { return .library }
    }
    let layout = state.layout(text: text, number: count, isExtended: sa.flags.contains(.extendedSequence))
    // SAFETY: head, text and check value are inside of the packet: it was made as long above.
    return unsafe swcrypto_protect(context, packet.address, layout) == 0 ? nil : .library
  }

  @inline(__always)
  private func pad(_ packet: inout PacketRoom, _ offset: Int, _ count: Int, _ flags: SAFlags) {
    if flags.contains(.randomPadding) {
      // SAFETY: the padding is inside of the packet. Without random bytes it is what lies there.
      _ = unsafe pool.take(packet.address + offset, count)
      return
    }
    let step: UInt8 = flags.contains(.zeroPadding) ? 0 : 1
    for index in 0..<count { packet.store(step &* UInt8(index + 1), at: offset + index) }
  }

  // MARK: the way in

  /// Takes a packet out of ESP, in place.
  /// - Parameters:
  ///   - packet: all from SPI to check value, with nothing behind it; afterwards the payload. After a drop it means nothing.
  ///   - association: that of the packet's SPI; usable, and kept by the caller's epoch or reference.
  ///   - now: seconds since 1970.
  /// - Returns: what the payload is: 4, 41, 6 … A drop is counted in ``counts``.
  package func open(
    _ packet: inout PacketRoom, with association: Unmanaged<Association>, now: UInt64
  ) -> Result<UInt8, ESPDrop> {
    // SAFETY: as in seal.
    let result = unsafe ESPState.of(association)._withUnsafeGuaranteedRef { state in
      unsafe association._withUnsafeGuaranteedRef { sa in unsafe open(&packet, state, sa, association, now) }
    }
    switch result {
    case .success:
      unsafe tally.receivedPackets += 1
      unsafe tally.receivedBytes += UInt64(packet.count)
    case .failure(let drop): unsafe tally[drop] += 1
    }
    return result
  }

  @inline(__always)
  private func open(
    _ packet: inout PacketRoom, _ state: ESPState, _ sa: Association, _ association: Unmanaged<Association>,
    _ now: UInt64
  ) -> Result<UInt8, ESPDrop> {
    let format = state.format
    let text = packet.count - format.head - format.check
    guard text > 0, text % format.block == 0 else { return .failure(.length) }
    let number = state.window.number(low: packet.bytes.be32(at: 4))
    if let drop = state.window.judge(number) { return .failure(drop) }
    guard let context = unsafe state.context(self.number, protects: false, association) else {
      return .failure(.library)
    }
    let layout = state.layout(text: text, number: number, isExtended: sa.flags.contains(.extendedSequence))
    // SAFETY: head, text and check value are the whole packet.
    switch unsafe swcrypto_unprotect(context, packet.address, layout) {
    case 0: break
    case -EBADMSG: return .failure(.authentication)
    default: return .failure(.library)
    }
    if let drop = state.window.accept(number) { return .failure(drop) }

    let end = format.head + text
    let padding = Int(packet.bytes.u8(at: end - 2))
    let nextHeader = packet.bytes.u8(at: end - 1)
    let payload = text - ESPFormat.trailer - padding
    guard payload >= 0 else { return .failure(.padLength) }
    // As NetBSD: the last byte of the padding is looked at, and only that.
    if padding != 0 && !sa.flags.contains(.randomPadding) {
      let last = packet.bytes.u8(at: end - 3)
      guard Int(last) == padding || (last == 0 && sa.flags.contains(.zeroPadding)) else { return .failure(.padding) }
    }
    if nextHeader == ESPWorker.noNextHeader { return .failure(.dummy) }
    if !sa.record(bytes: payload, now: now) { return .failure(.lifetime) }
    packet.removeFirst(format.head)
    packet.keepFirst(payload)
    return .success(nextHeader)
  }

  /// IPPROTO_NONE: a packet that hides how much is sent.
  private static let noNextHeader: UInt8 = 59
}
