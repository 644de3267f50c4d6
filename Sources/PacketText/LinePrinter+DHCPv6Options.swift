// The options of DHCPv6, which nest. Those with a form of their own are in LinePrinter+DHCPv6Special.swift.
import SwBPFPackets

/// Options that have a printer.
enum DHCPv6Tag {
  static let clientIdentifier: UInt16 = 1
  static let serverIdentifier: UInt16 = 2
  static let association: UInt16 = 3
  static let temporaryAssociation: UInt16 = 4
  static let associationAddress: UInt16 = 5
  static let request: UInt16 = 6
  static let preference: UInt16 = 7
  static let elapsedTime: UInt16 = 8
  static let relayMessage: UInt16 = 9
  static let authentication: UInt16 = 11
  static let status: UInt16 = 13
  static let interfaceIdentifier: UInt16 = 18
  static let reconfigure: UInt16 = 19
  static let sipDomains: UInt16 = 21
  static let sipAddresses: UInt16 = 22
  static let nameServers: UInt16 = 23
  static let searchList: UInt16 = 24
  static let prefixAssociation: UInt16 = 25
  static let associationPrefix: UInt16 = 26
  static let nisServers: UInt16 = 27
  static let nisPlusServers: UInt16 = 28
  static let simpleTimeServers: UInt16 = 31
  static let lifetime: UInt16 = 32
  static let broadcastServers: UInt16 = 34
  static let remoteIdentifier: UInt16 = 37
  static let subscriberIdentifier: UInt16 = 38
  static let accessAgents: UInt16 = 40
  static let posixTimeZone: UInt16 = 41
  static let namedTimeZone: UInt16 = 42
  static let echoRequest: UInt16 = 43
  static let leaseQuery: UInt16 = 44
  static let clientData: UInt16 = 45
  static let clientTime: UInt16 = 46
  static let relayData: UInt16 = 47
  static let clientLinks: UInt16 = 48
  static let timeServers: UInt16 = 56
  static let tunnelName: UInt16 = 64
  static let usageDescription: UInt16 = 112
}

extension LinePrinter {
  /// Options can hold options; tcpdump has no limit.
  private static let greatestLevel = 64

  /// ` (preference 10) (opt_1234)`. What of an option was not captured is marked, and the line goes on.
  ///
  /// - Parameter level: how many options these options are inside of.
  /// - Returns: false when the whole line ends here.
  func printDHCPv6Options(
    _ bytes: RawSpan, from start: Int, to end: Int, level: Int, _ out: inout TextBuffer
  ) -> Bool {
    guard level <= Self.greatestLevel else {
      out.append(" [nested too deep]")
      return true
    }
    var position = start
    while position < end {
      guard end - position >= 4, bytes.holds(4, at: position) else {
        out.appendTruncationMark("dhcp6")
        return true
      }
      let length = Int(bytes.be16(at: position + 2))
      guard end - position - 4 >= length else {
        out.appendTruncationMark("dhcp6")
        return true
      }
      let tag = bytes.be16(at: position)
      out.append(" (")
      printDHCPv6Tag(tag, to: &out)
      position += 4
      guard bytes.holds(length, at: position) else {
        out.appendTruncationMark("dhcp6")
        return true
      }
      let data = bytes.extracting(droppingFirst: position).extracting(first: length)
      switch printDHCPv6Data(tag, data, in: bytes, at: position, level: level, to: &out) {
      case .whole: out.append(byte: 0x29)
      case .unknown: out.append(" ?)")
      case .broken:
        out.appendTruncationMark("dhcp6")
        return true
      case .ended: return false
      }
      position += length
    }
    return true
  }

  /// How the data of an option were printed.
  enum DHCPv6Outcome {
    case whole
    /// Nothing was printed, because the length is not one that the option can have.
    case unknown
    /// tcpdump gives up these options; the line goes on behind those that hold them.
    case broken
    /// The whole line ends; the mark is printed.
    case ended
  }

  func printDHCPv6Tag(_ tag: UInt16, to out: inout TextBuffer) {
    if let name = dhcp6OptionName(tag) { return out.append(name) }
    out.append("opt_")
    out.append(decimal: UInt32(tag))
  }

  /// - Parameter bytes: the message and what was captured behind it; the data starts at `offset` in it.
  private func printDHCPv6Data(
    _ tag: UInt16, _ data: RawSpan, in bytes: RawSpan, at offset: Int, level: Int, to out: inout TextBuffer
  ) -> DHCPv6Outcome {
    let length = data.byteCount
    switch tag {
    case DHCPv6Tag.clientIdentifier, DHCPv6Tag.serverIdentifier:
      return printDHCPv6Identifier(data, to: &out)
    case DHCPv6Tag.association, DHCPv6Tag.prefixAssociation, DHCPv6Tag.temporaryAssociation,
      DHCPv6Tag.associationAddress, DHCPv6Tag.associationPrefix, DHCPv6Tag.leaseQuery, DHCPv6Tag.clientData:
      return printDHCPv6Container(tag, data, level: level, in: bytes, at: offset, to: &out)
    case DHCPv6Tag.request, DHCPv6Tag.echoRequest:
      if length % 2 != 0 { return .unknown }
      for index in 0..<length / 2 {
        out.append(byte: 0x20)
        printDHCPv6Tag(data.be16(at: 2 * index), to: &out)
      }
    case DHCPv6Tag.preference:
      if length != 1 { return .unknown }
      printDHCPv6Number(" ", UInt32(data.u8(at: 0)), to: &out)
    case DHCPv6Tag.elapsedTime:
      if length != 2 { return .unknown }
      printDHCPv6Number(" ", UInt32(data.be16(at: 0)), to: &out)
    case DHCPv6Tag.lifetime, DHCPv6Tag.clientTime:
      if length != 4 { return .unknown }
      printDHCPv6Number(" ", data.be32(at: 0), to: &out)
    case DHCPv6Tag.relayMessage:
      out.append(" (")
      return printDHCPv6Message(data, length: UInt32(length), level: level + 1, to: &out) ? .whole : .ended
    case DHCPv6Tag.authentication: return printDHCPv6Authentication(data, to: &out)
    case DHCPv6Tag.status: return printDHCPv6Status(data, to: &out)
    case DHCPv6Tag.interfaceIdentifier, DHCPv6Tag.subscriberIdentifier:
      out.append(byte: 0x20)
      printDHCPv6FirstBytes(data, to: &out)
    case DHCPv6Tag.remoteIdentifier:
      if length < 4 { return .unknown }
      printDHCPv6Number(" ", data.be32(at: 0), to: &out)
      out.append(byte: 0x20)
      printDHCPv6FirstBytes(data.extracting(droppingFirst: 4), to: &out)
    case DHCPv6Tag.relayData:
      if length < 16 { return .unknown }
      out.append(byte: 0x20)
      out.append(ipv6: data, at: 0)
      out.append(byte: 0x20)
      printDHCPv6FirstBytes(data.extracting(droppingFirst: 16), to: &out)
    case DHCPv6Tag.reconfigure: return printDHCPv6Reconfigure(data, to: &out)
    case DHCPv6Tag.sipAddresses, DHCPv6Tag.nameServers, DHCPv6Tag.simpleTimeServers, DHCPv6Tag.nisServers,
      DHCPv6Tag.nisPlusServers, DHCPv6Tag.broadcastServers, DHCPv6Tag.accessAgents, DHCPv6Tag.clientLinks:
      if length % 16 != 0 { return .unknown }
      for index in 0..<length / 16 {
        out.append(byte: 0x20)
        out.append(ipv6: data, at: 16 * index)
      }
    case DHCPv6Tag.sipDomains, DHCPv6Tag.searchList:
      return printDHCPv6Domains(bytes, from: offset, to: offset + length, &out)
    case DHCPv6Tag.timeServers: return printDHCPv6TimeServers(bytes, from: offset, to: offset + length, &out)
    case DHCPv6Tag.tunnelName: return printDHCPv6TunnelName(data, to: &out)
    case DHCPv6Tag.posixTimeZone, DHCPv6Tag.namedTimeZone, DHCPv6Tag.usageDescription:
      if length < 5 { return .unknown }
      out.append(byte: 0x20)
      _ = out.append(visibleUntilZero: data)
    default: break
    }
    return .whole
  }

  /// A few fields, then options.
  private func printDHCPv6Container(
    _ tag: UInt16, _ data: RawSpan, level: Int, in bytes: RawSpan, at offset: Int, to out: inout TextBuffer
  ) -> DHCPv6Outcome {
    let fields: Int
    switch tag {
    case DHCPv6Tag.clientData: fields = 0
    case DHCPv6Tag.temporaryAssociation: fields = 4
    case DHCPv6Tag.leaseQuery: fields = 17
    case DHCPv6Tag.associationAddress: fields = 24
    case DHCPv6Tag.associationPrefix: fields = 25
    default: fields = 12
    }
    if data.byteCount < fields { return .unknown }
    switch tag {
    case DHCPv6Tag.clientData: break
    case DHCPv6Tag.leaseQuery:
      switch data.u8(at: 0) {
      case 1: out.append(" by-address")
      case 2: out.append(" by-clientID")
      default: printDHCPv6Number(" type_", UInt32(data.u8(at: 0)), to: &out)
      }
      out.append(byte: 0x20)
      out.append(ipv6: data, at: 1)
    case DHCPv6Tag.associationAddress:
      out.append(byte: 0x20)
      out.append(ipv6: data, at: 0)
      printDHCPv6Number(" pltime:", data.be32(at: 16), to: &out)
      printDHCPv6Number(" vltime:", data.be32(at: 20), to: &out)
    case DHCPv6Tag.associationPrefix:
      out.append(byte: 0x20)
      out.append(ipv6: data, at: 9)
      printDHCPv6Number("/", UInt32(data.u8(at: 8)), to: &out)
      printDHCPv6Number(" pltime:", data.be32(at: 0), to: &out)
      printDHCPv6Number(" vltime:", data.be32(at: 4), to: &out)
    default:
      printDHCPv6Number(" IAID:", data.be32(at: 0), to: &out)
      if tag != DHCPv6Tag.temporaryAssociation {
        printDHCPv6Number(" T1:", data.be32(at: 4), to: &out)
        printDHCPv6Number(" T2:", data.be32(at: 8), to: &out)
      }
    }
    let isGoingOn = printDHCPv6Options(
      bytes, from: offset + fields, to: offset + data.byteCount, level: level + 1, &out)
    return isGoingOn ? .whole : .ended
  }

  func printDHCPv6Number(_ name: StaticString, _ value: UInt32, to out: inout TextBuffer) {
    out.append(name)
    out.append(decimal: value)
  }

  /// Up to ten bytes; nobody knows their meaning.
  private func printDHCPv6FirstBytes(_ data: RawSpan, to out: inout TextBuffer) {
    out.append(hexOf: data.extracting(first: min(10, data.byteCount)))
    out.append("...")
  }
}
