// Checksums of TCP, UDP and ICMPv6, which cover a pseudo header made from the IP header. Printed with -v only.
import SwBPFPackets

/// What there is to say about a checksum.
enum ChecksumVerdict {
  case right
  /// With the value that would be right.
  case wrong(UInt16)
  /// The sender's hardware was to finish it.
  case unfinished
}

extension LinePrinter {
  /// Judges the checksum of a segment.
  ///
  /// - Parameter segment: from the transport header on; at least `length` bytes.
  /// - Parameter stored: the checksum that the segment carries.
  /// - Parameter ip: the IP header that carries it, to the end of what was captured.
  func judge(
    _ segment: RawSpan, length: UInt32, stored: UInt16, transport: UInt8, ip: RawSpan
  ) -> ChecksumVerdict {
    var checksum = InternetChecksum()
    if ip.u8(at: 0) >> 4 == 6 {
      checksum.add(ip.extracting(droppingFirst: 8).extracting(first: 16))
      checksum.add(ip.extracting(droppingFirst: finalDestination6(ip)).extracting(first: 16))
      checksum.add(UInt16(truncatingIfNeeded: length >> 16))
    } else {
      checksum.add(ip.extracting(droppingFirst: 12).extracting(first: 4))
      checksum.add(ip.extracting(droppingFirst: finalDestination4(ip)).extracting(first: 4))
    }
    checksum.add(UInt16(truncatingIfNeeded: length))
    checksum.add(UInt16(transport))
    let pseudoHeader = ~checksum.value
    checksum.add(segment.extracting(first: Int(length)))
    if checksum.value == 0 { return .right }
    if options.recognizesOffload, stored == pseudoHeader { return .unfinished }
    return .wrong(rightChecksum(stored, computed: checksum.value))
  }

  /// What `stored` should have been, where `computed` is the checksum of the bytes with it.
  func rightChecksum(_ stored: UInt16, computed: UInt16) -> UInt16 {
    let sum = UInt32(stored) + UInt32(computed)
    return UInt16(truncatingIfNeeded: (sum & 0xffff) + (sum >> 16))
  }

  /// `[udp sum ok] `, in the words that UDP and ICMPv6 share.
  func printVerdict(
    _ verdict: ChecksumVerdict, of name: StaticString, stored: UInt16, to out: inout TextBuffer
  ) {
    switch verdict {
    case .right:
      out.append(byte: 0x5b)
      out.append(name)
      out.append(" sum ok] ")
    case .unfinished:
      out.append(byte: 0x5b)
      out.append(name)
      out.append(" sum unfinished] ")
    case .wrong(let right):
      out.append("[bad ")
      out.append(name)
      out.append(" cksum 0x")
      out.append(hex: UInt32(stored), digits: 4)
      out.append(" -> 0x")
      out.append(hex: UInt32(right), digits: 4)
      out.append("!] ")
    }
  }

  /// Where the address lies that a source route ends with, or else the destination.
  private func finalDestination4(_ ip: RawSpan) -> Int {
    var offset = 20
    let end = Int(ip.u8(at: 0) & 0xf) * 4
    while offset < end, ip.holds(2, at: offset) {
      let kind = ip.u8(at: offset)
      if kind == 0 { break }
      let length = kind == 1 ? 1 : Int(ip.u8(at: offset + 1))
      if length < 1 || (kind != 1 && length < 2) || offset + length > end || !ip.holds(length, at: offset) { break }
      if kind == 131 || kind == 137, length >= 7 { return offset + length - 4 }
      offset += length
    }
    return 16
  }

  /// Where the address lies that a routing header ends with, or else the destination.
  private func finalDestination6(_ ip: RawSpan) -> Int {
    var next = ip.u8(at: 6)
    var offset = 40
    while ip.holds(8, at: offset) {
      switch next {
      case IPProtocol.hopByHop, IPProtocol.destinationOptions, 62, 135:
        next = ip.u8(at: offset)
        offset += (Int(ip.u8(at: offset + 1)) + 1) * 8
      case IPProtocol.fragment:
        next = ip.u8(at: offset)
        offset += 8
      case IPProtocol.routing:
        let length = Int(ip.u8(at: offset + 1))
        if length % 2 == 1 { return 24 }
        switch ip.u8(at: offset + 2) {
        case 0, 2:
          var count = length / 2
          while count > 0, !ip.holds(16, at: offset + 8 + 16 * (count - 1)) { count -= 1 }
          return count > 0 ? offset + 8 + 16 * (count - 1) : 24
        case 4: return ip.holds(16, at: offset + 8) ? offset + 8 : 24
        default: return 24
        }
      default: return 24
      }
    }
    return 24
  }
}
