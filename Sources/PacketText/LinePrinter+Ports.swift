// What the payload of UDP or TCP is, by its ports. Called by the printers of UDP and TCP when the line is not quiet.
import SwBPFPackets

extension LinePrinter {
  /// Prints the rest of the line, which ends behind `10.0.0.1.53 > 10.0.0.2.40001: ` (and behind a remark on the
  /// checksum); false, with nothing printed, when nobody here knows the ports.
  ///
  /// - Parameter payload: from behind the UDP header to the end of what was captured of the IP packet. As in tcpdump the
  ///   UDP length does not cut it: `length` is what the header grants.
  /// - Parameter length: the payload's bytes on the wire, by UDP's or IP's length, whichever is less.
  /// - Parameter ip: the IP header that carries it, to the end of what was captured.
  mutating func printUDPPayload(
    _ payload: RawSpan, length: UInt32, source: UInt16, destination: UInt16, ip: RawSpan, isFragment: Bool,
    to out: inout TextBuffer
  ) -> Bool {
    let service = UDPService.of(source: source, destination: destination)
    switch service {
    case .domain: printDNS(payload, length: length, isMulticast: false, to: &out)
    case .multicastDomain: printDNS(payload, length: length, isMulticast: true, to: &out)
    case .bootp: printDHCP(payload, length: length, to: &out)
    case .dhcp6: printDHCPv6(payload, length: length, to: &out)
    case .ntp: printNTP(payload, length: length, to: &out)
    case .isakmp, .isakmpElsewhere: printISAKMP(payload, length: length, ip: ip, to: &out)
    case .natTraversal: printNATTraversal(payload, length: length, ip: ip, to: &out)
    case .vxlan: printVXLAN(payload, length: length, to: &out)
    case .vxlanGPE: printVXLANGPE(payload, length: length, to: &out)
    default: return false
    }
    return true
  }

  /// Prints what follows `, length 60` of a segment that has a payload; nothing when nobody here knows the ports.
  ///
  /// - Parameter payload: from behind the TCP header, which was captured whole, to the end of what was captured.
  /// - Parameter length: the payload's bytes on the wire.
  mutating func printTCPPayload(
    _ payload: RawSpan, length: UInt32, source: UInt16, destination: UInt16, ip: RawSpan, to out: inout TextBuffer
  ) {
    let service = TCPService.of(source: source, destination: destination)
    switch service {
    case .domain: printDNSOverTCP(payload, length: length, to: &out)
    default: return
    }
  }
}

/// Protocols over UDP in the order in which tcpdump asks for their ports: of two known ports the first one in this list
/// decides. Those with no printer here are named where they stand before one that has.
enum UDPService: UInt8 {
  case domain
  case multicastDomain
  case timedOrTFTP
  case bootp
  case ripOrAODV
  case isakmp
  case natTraversal
  case isakmpElsewhere
  case snmp
  case ntp
  /// Kerberos to RIPng, of which none is printed here.
  case kerberosToRIPng
  case dhcp6
  /// AHCP to syslog and OTV, of which none is printed here.
  case others
  case vxlan
  case geneveOrLISP
  case vxlanGPE
  case unknown

  /// The greatest known port but 49152; most packets go between ports beyond it.
  private static let greatest: UInt16 = 12223

  @inline(__always)
  static func of(source: UInt16, destination: UInt16) -> UDPService {
    if source > greatest, destination > greatest, source != 49152 { return .unknown }
    let one = of(source, isDestination: false)
    let other = of(destination, isDestination: true)
    return one.rawValue < other.rawValue ? one : other
  }

  private static func of(_ port: UInt16, isDestination: Bool) -> UDPService {
    switch port {
    case 53: .domain
    case 5353: .multicastDomain
    case 525, 69: .timedOrTFTP
    case 67, 68: .bootp
    case 520, 654: .ripOrAODV
    case 500: .isakmp
    case 4500: .natTraversal
    case 7500, 8500: .isakmpElsewhere
    case 161, 162: .snmp
    case 123: .ntp
    case 88, 137, 138, 521, 750, 1701, 2103, 2104, 7000...7009: .kerberosToRIPng
    case 3456: isDestination ? .kerberosToRIPng : .unknown
    case 546, 547: .dhcp6
    case 496, 514, 646, 698, 701, 921, 1589, 1645, 1646, 1700, 1812, 1813, 3503, 3799, 5060, 5359, 6343, 6696, 6697,
      8231, 8472, 12222, 12223:
      .others
    case 1985, 3784, 3785, 4567, 4784, 6784: isDestination ? .others : .unknown
    case 49152: isDestination ? .unknown : .others
    case 4789: .vxlan
    case 4342, 6081: .geneveOrLISP
    case 4790: .vxlanGPE
    default: .unknown
    }
  }
}

/// Protocols over TCP, as ``UDPService``.
enum TCPService: UInt8 {
  /// Telnet to RTSP, of which none is printed here.
  case others
  case domain
  case unknown

  /// The greatest known port.
  private static let greatest: UInt16 = 10288

  @inline(__always)
  static func of(source: UInt16, destination: UInt16) -> TCPService {
    if source > greatest, destination > greatest { return .unknown }
    let one = of(source)
    let other = of(destination)
    return one.rawValue < other.rawValue ? one : other
  }

  private static func of(_ port: UInt16) -> TCPService {
    switch port {
    case 21, 22, 23, 25, 43, 80, 139, 179, 445, 554, 1723, 6379, 6633, 6653, 8080, 8554, 10288: .others
    case 53: .domain
    default: .unknown
    }
  }
}
