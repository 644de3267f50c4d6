// One line per packet, as `tcpdump -n` prints it. Used by the command's output thread and by users' code.
import SwBPFPackets

/// Prints packets as lines of text.
///
/// A printer knows the conversations it has printed, so use one per capture or savefile, on one thread at a time.
/// Each protocol has a file of its own, named LinePrinter+Protocol.swift; those functions get the bytes from their
/// header to the end of what was captured of the enclosing packet, and the length which that packet claims.
/// Headers that were not captured whole end the line with `[|protocol]`.
/// - Cost: no allocation, no retain; about a hundred nanoseconds for a line of UDP or TCP.
package struct LinePrinter: ~Copyable {
  let options: TextOptions
  var clock: LineClock
  var conversations = Conversations()
  var interfaces: InterfaceNames
  var initiators = Initiators()
  /// How many packets inside packets are open, see ``enter(_:)``.
  var depth = 0
  /// Bytes of link-level headers of the current frame, which a dump leaves out.
  var linkHeaderLength = 0
  /// Packets printed so far.
  private var number: UInt32 = 0

  /// tcpdump refuses longer packets.
  private static let greatestLength: UInt32 = 262_144
  /// A packet can hold thousands of headers of 20 bytes inside each other; printing them all could end the stack.
  private static let greatestDepth = 64

  /// - Parameter interfaceName: asked once per interface index of cooked frames (SLL2); nil prints `?`.
  package init(_ options: TextOptions, interfaceName: @escaping (UInt32) -> String? = { _ in nil }) {
    self.options = options
    clock = LineClock(style: options.stamp, nanoseconds: options.nanoseconds)
    interfaces = InterfaceNames(interfaceName)
  }

  /// Appends one packet's line with its newline. Bytes of unknown protocols follow on lines of their own.
  ///
  /// - Parameter wireLength: bytes the packet had before it was cut to what was captured.
  package mutating func print(
    seconds: Int64, nanoseconds: UInt32, wireLength: UInt32, frame: RawSpan, to out: inout TextBuffer
  ) {
    let captured = UInt32(clamping: frame.byteCount)
    number &+= 1
    if options.packetNumber { printNumber(to: &out) }
    guard captured > 0, wireLength >= captured, wireLength <= Self.greatestLength else {
      return printInvalidRecord(captured: captured, wireLength: wireLength, to: &out)
    }
    clock.append(seconds: seconds, nanoseconds: nanoseconds, to: &out)
    depth = 0
    linkHeaderLength = 0
    out.isCut = false
    switch options.linkType {
    case LinkType.ethernet: linkHeaderLength = printEthernet(frame, length: wireLength, to: &out)
    case LinkType.linuxCooked: printCooked(frame, length: wireLength, to: &out)
    case LinkType.linuxCooked2: printCooked2(frame, length: wireLength, to: &out)
    case LinkType.raw, LinkType.rawDLT: printRaw(frame, length: wireLength, to: &out)
    case LinkType.nflog: printNFLOG(frame, length: wireLength, to: &out)
    case LinkType.null, LinkType.loop: printNull(frame, length: wireLength, to: &out)
    default:
      out.append("link type ")
      if options.linkType < 0 { out.append(byte: 0x2d) }
      out.append(decimal: options.linkType.magnitude)
      printLength(wireLength, to: &out)
    }
    switch options.dump {
    case .none: break
    default: printDump(frame, to: &out)
    }
    out.append(byte: 0x0a)
  }

  /// `%5u  `
  private func printNumber(to out: inout TextBuffer) {
    var limit: UInt32 = 10_000
    while limit > 1, number < limit {
      out.append(byte: 0x20)
      limit /= 10
    }
    out.append(decimal: number)
    out.append("  ")
  }

  /// The frame's bytes, without the link-level headers unless they are asked for or the text was cut.
  private func printDump(_ frame: RawSpan, to out: inout TextBuffer) {
    let start = options.dumpsLinkHeader || out.isCut ? 0 : linkHeaderLength
    guard frame.byteCount > start else { return }
    let bytes = frame.extracting(droppingFirst: start)
    switch options.dump {
    case .none: break
    case .hex: out.appendHexLines(bytes)
    case .hexAndText: out.appendHexAndText(bytes)
    case .text: out.appendText(bytes)
    }
  }

  /// Opens a packet inside a packet; false, with a word of why, when there are too many.
  /// tcpdump 4.99.3 has no such limit.
  mutating func enter(_ out: inout TextBuffer) -> Bool {
    guard depth < Self.greatestDepth else {
      out.append("[nested too deep]")
      return false
    }
    depth += 1
    return true
  }

  /// `, length 60`
  func printLength(_ length: UInt32, to out: inout TextBuffer) {
    out.append(", length ")
    out.append(decimal: length)
  }

  /// One honest word for a protocol that has no printer here: `GRE, length 60`.
  func printUndissected(_ name: StaticString, length: UInt32, to out: inout TextBuffer) {
    out.append(name)
    printLength(length, to: &out)
  }

  /// The bytes behind a header that says nothing known, on lines of their own; nothing when quiet.
  func printUnknown(_ bytes: RawSpan, to out: inout TextBuffer) {
    if options.showsUnknown { out.appendHexAndText(bytes) }
  }

  /// What tcpdump says about records that no capture makes.
  private func printInvalidRecord(captured: UInt32, wireLength: UInt32, to out: inout TextBuffer) {
    out.append("[Invalid header:")
    var separator = false
    func part(_ out: inout TextBuffer) {
      if separator { out.append(byte: 0x2c) }
      separator = true
    }
    if captured == 0 {
      part(&out)
      out.append(" caplen==0")
    }
    if wireLength == 0 {
      part(&out)
      out.append(" len==0")
    } else if wireLength < captured {
      part(&out)
      out.append(" len(")
      out.append(decimal: wireLength)
      out.append(") < caplen(")
      out.append(decimal: captured)
      out.append(byte: 0x29)
    }
    if captured > Self.greatestLength {
      part(&out)
      out.append(" caplen(")
      out.append(decimal: captured)
      out.append(") > 262144")
    }
    if wireLength > Self.greatestLength {
      part(&out)
      out.append(" len(")
      out.append(decimal: wireLength)
      out.append(") > 262144")
    }
    out.append("]\n")
  }
}
