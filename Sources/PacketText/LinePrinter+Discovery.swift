// Neighbour discovery for IPv6 (RFC 4861) and, with -v, its options.
import SwBPFPackets

extension LinePrinter {
  /// What follows the name of a message of types 133 to 137; false when it was not captured whole.
  func printDiscovery(_ bytes: RawSpan, type: UInt8, length: UInt32, to out: inout TextBuffer) -> Bool {
    let isVerbose = options.verbosity > 0
    var start = 24
    switch type {
    case 133: start = 8
    case 134:
      start = 16
      if isVerbose { guard printRouter(bytes, to: &out) else { return false } }
    case 135:
      guard printAddress6(", who has ", bytes, at: 8, to: &out) else { return false }
    case 136:
      guard printAddress6(", tgt is ", bytes, at: 8, to: &out) else { return false }
      if isVerbose {
        let flags = bytes.u8(at: 4)
        out.append(", Flags [")
        var names = NameList()
        names.append("router", if: flags & 0x80 != 0, to: &out)
        names.append("solicited", if: flags & 0x40 != 0, to: &out)
        names.append("override", if: flags & 0x20 != 0, to: &out)
        names.end(&out)
        out.append(byte: 0x5d)
      }
    default:
      start = 40
      guard printAddress6(", ", bytes, at: 24, to: &out), printAddress6(" to ", bytes, at: 8, to: &out) else {
        return false
      }
    }
    if isVerbose { printDiscoveryOptions(bytes, from: start, length: length, to: &out) }
    return true
  }

  /// Home agent discovery replies and mobile prefix advertisements, which say more with -v.
  func printMobility6(_ bytes: RawSpan, type: UInt8, length: UInt32, to out: inout TextBuffer) -> Bool {
    if options.verbosity == 0 { return true }
    guard bytes.holds(6) else { return false }
    out.append(", id 0x")
    out.append(hex: UInt32(bytes.be16(at: 4)), digits: 4)
    if type == 145 {
      var offset = 8
      while offset < Int(length) {
        guard printAddress6(", ", bytes, at: offset, to: &out) else { return false }
        offset += 16
      }
      return true
    }
    guard bytes.holds(8) else { return false }
    let flags = bytes.be16(at: 6)
    if flags & 0xc000 != 0 { out.append(byte: 0x20) }
    if flags & 0x8000 != 0 { out.append(byte: 0x4d) }
    if flags & 0x4000 != 0 { out.append(byte: 0x4f) }
    printDiscoveryOptions(bytes, from: 8, length: length, to: &out)
    return true
  }

  private func printRouter(_ bytes: RawSpan, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(16) else { return false }
    let flags = bytes.u8(at: 5)
    out.append("\n\thop limit ")
    out.append(decimal: UInt32(bytes.u8(at: 4)))
    out.append(", Flags [")
    var names = NameList()
    names.append("managed", if: flags & 0x80 != 0, to: &out)
    names.append("other stateful", if: flags & 0x40 != 0, to: &out)
    names.append("home agent", if: flags & 0x20 != 0, to: &out)
    names.append("ipv6 only", if: flags & 0x02 != 0, to: &out)
    names.end(&out)
    out.append("], pref ")
    printPreference(flags, to: &out)
    out.append(", router lifetime ")
    out.append(decimal: UInt32(bytes.be16(at: 6)))
    out.append("s, reachable time ")
    out.append(decimal: bytes.be32(at: 8))
    out.append("ms, retrans timer ")
    out.append(decimal: bytes.be32(at: 12))
    out.append("ms")
    return true
  }

  private func printPreference(_ flags: UInt8, to out: inout TextBuffer) {
    switch flags >> 3 & 3 {
    case 0: out.append("medium")
    case 1: out.append("high")
    case 2: out.append("rsv")
    default: out.append("low")
    }
  }

  private func printLifetime(_ seconds: UInt32, to out: inout TextBuffer) {
    if seconds == .max { return out.append("infinity") }
    out.append(decimal: seconds)
    out.append(byte: 0x73)
  }

  private func printDiscoveryOptions(_ bytes: RawSpan, from start: Int, length: UInt32, to out: inout TextBuffer) {
    var offset = start
    var left = Int(length) - start
    while offset < bytes.byteCount {
      guard bytes.holds(2, at: offset) else { return out.appendTruncationMark("icmp6") }
      if left <= 0 { return }
      let kind = bytes.u8(at: offset)
      let units = Int(bytes.u8(at: offset + 1))
      guard units > 0, bytes.holds(units * 8, at: offset) else { return out.appendTruncationMark("icmp6") }
      out.append("\n\t  ")
      out.append(discoveryOptionName(kind) ?? "unknown")
      out.append(" option (")
      out.append(decimal: UInt32(kind))
      out.append(byte: 0x29)
      printLength(UInt32(units * 8), to: &out)
      out.append(" (")
      out.append(decimal: UInt32(units))
      out.append("): ")
      let option = bytes.extracting(droppingFirst: offset)
      let all = bytes.extracting(droppingFirst: start)
      guard printDiscoveryOption(option, kind: kind, units: units, among: all, at: offset - start, to: &out) else {
        return
      }
      if options.verbosity > 1 {
        out.appendHexLines(option.extracting(first: units * 8).extracting(droppingFirst: 2), indent: "\n\t    ")
      }
      offset += units * 8
      left -= units * 8
    }
  }

  /// - Parameter option: from the option to the end of what was captured; it is whole.
  /// - Parameter among: all options; this one is at `position`.
  /// - Returns: false when nothing follows.
  private func printDiscoveryOption(
    _ option: RawSpan, kind: UInt8, units: Int, among: RawSpan, at position: Int, to out: inout TextBuffer
  ) -> Bool {
    switch kind {
    case 1, 2:
      out.append(hexOf: option.extracting(first: units * 8).extracting(droppingFirst: 2), separator: 0x3a)
    case 3: return printPrefix(option, units: units, to: &out)
    case 4:
      // tcpdump shows the first bytes of all options here.
      out.appendHexLines(among.extracting(first: units * 8), indent: "\n\t    ")
    case 5:
      out.append(byte: 0x20)
      out.append(decimal: option.be32(at: 4))
      if units != 1 { out.append("bad option length") }
    case 7:
      out.append(byte: 0x20)
      out.append(decimal: option.be32(at: 4))
      out.append("ms")
    case 8:
      out.append(" preference ")
      out.append(decimal: UInt32(option.be16(at: 4)))
      out.append(", lifetime ")
      out.append(decimal: UInt32(option.be16(at: 6)))
    case 24: return printRouteInformation(option, units: units, to: &out)
    case 25:
      out.append(" lifetime ")
      out.append(decimal: option.be32(at: 4))
      out.append("s,")
      for index in 0..<(units - 1) / 2 {
        out.append(" addr: ")
        out.append(ipv6: option, at: 8 + 16 * index)
      }
    case 31:
      out.append(" lifetime ")
      out.append(decimal: option.be32(at: 4))
      out.append("s, domain(s):")
      var offset = position + 8
      while offset < position + units * 8 {
        guard among.holds(1, at: offset) else {
          out.appendTruncation("icmp6")
          return false
        }
        if among.u8(at: offset) == 0 { break }
        out.append(byte: 0x20)
        guard let next = printDomainName(among, at: offset, of: "icmp6", to: &out) else {
          if !out.isCut { out.appendTruncationMark("icmp6") }
          return false
        }
        offset = next
      }
    default:
      if options.verbosity > 1 { break }
      out.appendHexLines(option.extracting(first: units * 8).extracting(droppingFirst: 2), indent: "\n\t  ")
      return false
    }
    return true
  }

  private func printPrefix(_ option: RawSpan, units: Int, to out: inout TextBuffer) -> Bool {
    guard option.holds(32) else {
      out.appendTruncation("icmp6")
      return false
    }
    out.append(ipv6: option, at: 16)
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(option.u8(at: 2)))
    if units != 4 { out.append("badlen") }
    out.append(", Flags [")
    let flags = option.u8(at: 3)
    var names = NameList()
    names.append("onlink", if: flags & 0x80 != 0, to: &out)
    names.append("auto", if: flags & 0x40 != 0, to: &out)
    names.append("router", if: flags & 0x20 != 0, to: &out)
    names.end(&out)
    out.append("], valid time ")
    printLifetime(option.be32(at: 4), to: &out)
    out.append(", pref. time ")
    printLifetime(option.be32(at: 8), to: &out)
    return true
  }

  /// RFC 4191.
  private func printRouteInformation(_ option: RawSpan, units: Int, to out: inout TextBuffer) -> Bool {
    guard units <= 3 else {
      out.appendTruncationMark("icmp6")
      return false
    }
    out.append(byte: 0x20)
    switch units {
    case 1: out.append("::")
    case 2: out.append(ipv6High: option.be64(at: 8), low: 0)
    default: out.append(ipv6: option, at: 8)
    }
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(option.u8(at: 2)))
    out.append(", pref=")
    printPreference(option.u8(at: 3), to: &out)
    out.append(", lifetime=")
    printLifetime(option.be32(at: 4), to: &out)
    return true
  }

  private func discoveryOptionName(_ kind: UInt8) -> StaticString? {
    switch kind {
    case 1: "source link-address"
    case 2: "destination link-address"
    case 3: "prefix info"
    case 4: "redirected header"
    case 5: "mtu"
    case 7: "advertisement interval"
    case 8: "homeagent information"
    case 24: "route info"
    case 25: "rdnss"
    case 31: "dnssl"
    default: nil
    }
  }
}
