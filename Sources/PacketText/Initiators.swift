// Who began the IKE version 1 exchanges that were seen. Owned by a LinePrinter.
import SwBPFPackets

/// The last twenty exchanges, by the initiator's cookie; tcpdump remembers as many.
struct Initiators {
  private struct Entry {
    var cookie: UInt64 = 0
    /// 4 or 6, 0 in an entry that was never used.
    var version: UInt8 = 0
    var initiator: (UInt64, UInt64) = (0, 0)
    var responder: (UInt64, UInt64) = (0, 0)
  }

  private static let count = 20

  private var entries = InlineArray<20, Entry>(repeating: Entry())
  private var next = 0

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
    for index in 0..<Self.count where entries[index].cookie == cookie {
      if entries[index].version != version { return 0x3f }
      if entries[index].initiator == source { return 0x49 }
      return entries[index].responder == source ? 0x52 : 0x3f
    }
    // Only the first message has no cookie of the responder.
    if message.be64(at: 8) != 0 { return 0x3f }
    entries[next] = Entry(cookie: cookie, version: version, initiator: source, responder: destination)
    next = (next + 1) % Self.count
    return 0x49
  }
}
