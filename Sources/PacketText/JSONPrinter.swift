// One JSON object per packet and line. Used by the command's output thread and by users' code.
import SwBPFPackets

/// Prints packets as JSON objects, one a line.
///
/// Each protocol has a file of its own, named JSONPrinter+Protocol.swift; those functions get the bytes from their header
/// to the end of what was captured of the enclosing packet, and the length which that packet claims. They write fields
/// that begin with a comma. A header is written when its fixed part was captured; one that was not captured whole is
/// named in `"truncated"`, one whose own lengths cannot be in `"malformed"`, and both end the walk.
/// - Cost: no allocation, no retain. One thread at a time.
package struct JSONPrinter: ~Copyable {
  private let options: TextOptions
  private var interfaces: JSONInterfaces
  /// How many `"inner"` are open.
  var depth = 0

  /// Packets inside packets beyond this count as payload.
  static var greatestDepth: Int { 16 }

  /// - Parameter interface: the name of the capture's interface, if there is just one.
  /// - Parameter interfaceName: asked once per interface index of cooked frames (SLL2).
  package init(
    _ options: TextOptions, interface: String? = nil, interfaceName: @escaping (UInt32) -> String? = { _ in nil }
  ) {
    self.options = options
    interfaces = JSONInterfaces(only: interface, interfaceName)
  }

  /// Appends one packet's object with its newline.
  ///
  /// - Parameter wireLength: bytes the packet had before it was cut to what was captured.
  package mutating func print(
    seconds: Int64, nanoseconds: UInt32, wireLength: UInt32, frame: RawSpan, to out: inout TextBuffer
  ) {
    depth = 0
    printTime(seconds, nanoseconds, to: &out)
    let linkType = options.linkType
    if linkType == LinkType.linuxCooked2 {
      if frame.holds(20) {
        interfaces.append(frame.be32(at: 4), to: &out)
        printDirection(UInt16(frame.u8(at: 10)), to: &out)
      }
    } else {
      interfaces.appendOnly(to: &out)
      if linkType == LinkType.linuxCooked, frame.holds(2) { printDirection(frame.be16(at: 0), to: &out) }
    }
    switch linkType {
    case LinkType.ethernet: out.append(#","link":"ethernet""#)
    case LinkType.linuxCooked: out.append(#","link":"linux_sll""#)
    case LinkType.linuxCooked2: out.append(#","link":"linux_sll2""#)
    case LinkType.raw, LinkType.rawDLT: out.append(#","link":"raw""#)
    case LinkType.null: out.append(#","link":"null""#)
    case LinkType.loop: out.append(#","link":"loop""#)
    default:
      out.append(#","link":"#)
      if linkType < 0 { out.append(byte: 0x2d) }
      out.append(decimal: linkType.magnitude)
    }
    out.append(#","length":"#, number: wireLength)
    out.append(#","captured":"#, number: UInt32(clamping: frame.byteCount))
    switch linkType {
    case LinkType.ethernet: printEthernet(frame, length: wireLength, to: &out)
    case LinkType.linuxCooked: printCooked(frame, length: wireLength, to: &out)
    case LinkType.linuxCooked2: printCooked2(frame, length: wireLength, to: &out)
    case LinkType.raw, LinkType.rawDLT: printRaw(frame, length: wireLength, to: &out)
    case LinkType.null, LinkType.loop: printNull(frame, length: wireLength, to: &out)
    default: break
    }
    out.append("}\n")
  }

  /// Opens a packet inside a packet.
  enum Inner { case ipv4, ipv6, ethernet }

  mutating func printInner(_ kind: Inner, _ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard depth < Self.greatestDepth else { return out.appendPayload(length) }
    depth += 1
    out.append(#","inner":{"length":"#, number: length)
    switch kind {
    case .ipv4: printIPv4(bytes, length: length, to: &out)
    case .ipv6: printIPv6(bytes, length: length, to: &out)
    case .ethernet: printEthernet(bytes, length: length, to: &out)
    }
    out.append(byte: 0x7d)
    depth -= 1
  }

  /// Seconds since 1970 as a decimal fraction, in a string: no reader of JSON rounds it.
  private func printTime(_ seconds: Int64, _ nanoseconds: UInt32, to out: inout TextBuffer) {
    var whole = seconds &+ Int64(nanoseconds / 1_000_000_000)
    var fraction = nanoseconds % 1_000_000_000
    if !options.nanoseconds { fraction -= fraction % 1000 }
    out.append(#"{"time":""#)
    if whole < 0 {
      out.append(byte: 0x2d)
      if fraction > 0 {
        whole &+= 1
        fraction = 1_000_000_000 - fraction
      }
    }
    out.append(decimal64: whole.magnitude)
    out.append(byte: 0x2e)
    if options.nanoseconds {
      out.append(decimal: fraction, width: 9)
    } else {
      out.append(decimal: fraction / 1000, width: 6)
    }
    out.append(byte: 0x22)
  }

  /// What the kernel's packet type says: 0 to us, 1 broadcast, 2 multicast, 3 to others, 4 sent.
  private func printDirection(_ packetType: UInt16, to out: inout TextBuffer) {
    if packetType < 4 { out.append(#","direction":"in""#) }
    if packetType == 4 { out.append(#","direction":"out""#) }
  }
}
