// DHCPv6's options with a form of their own.
import SwBPFPackets

extension LinePrinter {
  /// The unique identifier of a client or server: by hardware address and time, by vendor, by hardware address.
  func printDHCPv6Identifier(_ data: RawSpan, to out: inout TextBuffer) -> DHCPv6Outcome {
    if data.byteCount < 2 { return .unknown }
    let type = data.be16(at: 0)
    switch type {
    case 1:
      if data.byteCount < 8 { return .unknown }
      printDHCPv6Number(" hwaddr/time type ", UInt32(data.be16(at: 2)), to: &out)
      printDHCPv6Number(" time ", data.be32(at: 4), to: &out)
      out.append(byte: 0x20)
      out.append(hexOf: data.extracting(droppingFirst: 8))
    case 2:
      if data.byteCount < 10 { return .unknown }
      out.append(" vid ")
      out.append(hexOf: data.extracting(first: 10).extracting(droppingFirst: 2))
    case 3:
      if data.byteCount < 4 { return .unknown }
      printDHCPv6Number(" hwaddr type ", UInt32(data.be16(at: 2)), to: &out)
      out.append(byte: 0x20)
      out.append(hexOf: data.extracting(droppingFirst: 4))
    default: printDHCPv6Number(" type ", UInt32(type), to: &out)
    }
    return .whole
  }

  func printDHCPv6Status(_ data: RawSpan, to out: inout TextBuffer) -> DHCPv6Outcome {
    if data.byteCount < 2 { return .unknown }
    let code = data.be16(at: 0)
    out.append(byte: 0x20)
    if let name = dhcp6StatusName(code) {
      out.append(name)
    } else if code > 255 {
      out.append("INVALID code")
    } else {
      printDHCPv6Number("code", UInt32(code), to: &out)
    }
    return .whole
  }

  func printDHCPv6Reconfigure(_ data: RawSpan, to out: inout TextBuffer) -> DHCPv6Outcome {
    if data.byteCount != 1 { return .unknown }
    switch data.u8(at: 0) {
    case 5: out.append(" for renew")
    case 11: out.append(" for inf-req")
    default:
      out.append(" for ???(")
      out.append(hex: UInt32(data.u8(at: 0)), digits: 2)
      out.append(byte: 0x29)
    }
    return .whole
  }

  func printDHCPv6Authentication(_ data: RawSpan, to out: inout TextBuffer) -> DHCPv6Outcome {
    if data.byteCount < 11 { return .unknown }
    let mechanism = data.u8(at: 0)
    switch mechanism {
    case 2: out.append(" proto: delayed")
    case 3: out.append(" proto: reconfigure")
    default: printDHCPv6Number(" proto: ", UInt32(mechanism), to: &out)
    }
    switch data.u8(at: 1) {
    case 1: out.append(", alg: HMAC-MD5")
    default: printDHCPv6Number(", alg: ", UInt32(data.u8(at: 1)), to: &out)
    }
    switch data.u8(at: 2) {
    case 0: out.append(", RDM: mono")
    default: printDHCPv6Number(", RDM: ", UInt32(data.u8(at: 2)), to: &out)
    }
    out.append(", RD:")
    for index in 0..<4 {
      out.append(byte: 0x20)
      out.append(hex: UInt32(data.be16(at: 3 + 2 * index)), digits: 4)
    }
    let proof = data.extracting(droppingFirst: 11)
    switch mechanism {
    case 2: printDHCPv6DelayedProof(proof, to: &out)
    case 3: printDHCPv6ReconfigureProof(proof, to: &out)
    default: out.append(" ??")
    }
    return .whole
  }

  private func printDHCPv6DelayedProof(_ proof: RawSpan, to out: inout TextBuffer) {
    if proof.byteCount == 0 { return }
    if proof.byteCount < 20 { return out.append(" ??") }
    let realm = proof.byteCount - 20
    if realm > 0 {
      out.append(", realm: ")
      out.append(hexOf: proof.extracting(first: realm))
    }
    out.append(", key ID: ")
    out.append(hex: proof.be32(at: realm), digits: 8)
    out.append(", HMAC-MD5:")
    printDHCPv6Words(proof, at: realm + 4, to: &out)
  }

  private func printDHCPv6ReconfigureProof(_ proof: RawSpan, to out: inout TextBuffer) {
    if proof.byteCount != 17 { return out.append(" ??") }
    switch proof.u8(at: 0) {
    case 1: out.append(" reconfig-key")
    case 2: out.append(" type: HMAC-MD5")
    default: out.append(" type: ??")
    }
    out.append(" value:")
    printDHCPv6Words(proof, at: 1, to: &out)
  }

  private func printDHCPv6Words(_ bytes: RawSpan, at offset: Int, to out: inout TextBuffer) {
    for index in 0..<4 {
      out.append(byte: 0x20)
      out.append(hex: bytes.be32(at: offset + 4 * index), digits: 8)
    }
  }

  /// Names one after the other. Their pointers, which must not be there, count from behind the option.
  func printDHCPv6Domains(
    _ bytes: RawSpan, from start: Int, to end: Int, _ out: inout TextBuffer
  ) -> DHCPv6Outcome {
    var position = start
    while position < end {
      out.append(byte: 0x20)
      guard let next = printDomainName(bytes, at: position, base: end, of: "dhcp6", to: &out) else {
        return out.isCut ? .ended : .broken
      }
      position = next
    }
    return .whole
  }

  /// RFC 5908: addresses, multicast addresses and names.
  func printDHCPv6TimeServers(
    _ bytes: RawSpan, from start: Int, to end: Int, _ out: inout TextBuffer
  ) -> DHCPv6Outcome {
    if end - start < 4 { return .unknown }
    var position = start
    while position < end - 4 {
      let code = bytes.be16(at: position)
      let length = Int(bytes.be16(at: position + 2))
      position += 4
      if length > end - position { return .broken }
      printDHCPv6Number(" subopt:", UInt32(code), to: &out)
      switch code {
      case 1 where length == 16, 2 where length == 16:
        out.append(byte: 0x20)
        out.append(ipv6: bytes, at: position)
      case 3:
        out.append(byte: 0x20)
        guard printDomainName(bytes, at: position, base: position + length, of: "dhcp6", to: &out) != nil else {
          return out.isCut ? .ended : .broken
        }
      default: out.append(" ?")
      }
      position += length
    }
    return .whole
  }

  /// The name of a tunnel's far end (RFC 6334), without its last dot.
  func printDHCPv6TunnelName(_ data: RawSpan, to out: inout TextBuffer) -> DHCPv6Outcome {
    if data.byteCount < 3 { return .unknown }
    out.append(byte: 0x20)
    var position = 0
    while position < data.byteCount, data.u8(at: position) != 0 {
      let length = Int(data.u8(at: position))
      position += 1
      guard length < data.byteCount - position else {
        out.append(" ?")
        break
      }
      _ = out.append(visibleUntilZero: data.extracting(droppingFirst: position).extracting(first: length))
      position += length
      if data.u8(at: position) != 0 { out.append(byte: 0x2e) }
    }
    return .whole
  }
}
