// Who began the IKE version 1 exchanges that were seen. Owned by a LinePrinter.
import SwBPFPackets

/// The last twenty exchanges, by the initiator's cookie; tcpdump remembers as many.
///
/// They lie outside, so that a LinePrinter stays small: the compiler copies it for many a call.
@safe
struct Initiators: ~Copyable {
  private struct Entry {
    var cookie: UInt64 = 0
    /// 4 or 6, 0 in an entry that was never used.
    var version: UInt8 = 0
    var initiator: (UInt64, UInt64) = (0, 0)
    var responder: (UInt64, UInt64) = (0, 0)
  }

  private static let count = 20

  private let entries: UnsafeMutableBufferPointer<Entry>
  private var next = 0

  init() {
    // SAFETY: freed in deinit, initialised whole before anything reads it.
    unsafe entries = .allocate(capacity: Self.count)
    unsafe entries.initialize(repeating: Entry())
  }

  deinit {
    unsafe entries.deallocate()
  }

  /// The letter of the side that sent the ISAKMP message: `I`, `R`, or `?` where its beginning was not seen.
  ///
  /// - Parameter message: at least the 28 bytes of the header.
  /// - Parameter ip: the IP header that carries it.
  mutating func side(of message: RawSpan, ip: RawSpan) -> UInt8 {
    let cookie = message.be64(at: 0)
    let version = ip.u8(at: 0) >> 4
    let source: (UInt64, UInt64)
    let destination: (UInt64, UInt64)
    if version == 6 {
      source = (ip.be64(at: 8), ip.be64(at: 16))
      destination = (ip.be64(at: 24), ip.be64(at: 32))
    } else {
      source = (0, UInt64(ip.be32(at: 12)))
      destination = (0, UInt64(ip.be32(at: 16)))
    }
    for index in 0..<Self.count {
      // SAFETY: index is below count.
      let entry = unsafe entries[index]
      if entry.cookie != cookie { continue }
      if entry.version != version { return 0x3f }
      if entry.initiator == source { return 0x49 }
      return entry.responder == source ? 0x52 : 0x3f
    }
    // Only the first message has no cookie of the responder.
    if message.be64(at: 8) != 0 { return 0x3f }
    // SAFETY: next stays below count.
    unsafe entries[next] = Entry(cookie: cookie, version: version, initiator: source, responder: destination)
    next = (next + 1) % Self.count
    return 0x49
  }
}
