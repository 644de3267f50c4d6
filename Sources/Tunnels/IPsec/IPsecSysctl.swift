// What sysctl(8) sets of ipsec interfaces. Values; any thread.
import SwBPFInterfaces

extension TunnelSettings {
  static let ipsec: [TunnelSetting] = [
    TunnelSetting(
      name: "net.inet6.ip6.ipsecifhlim", kind: .number, range: 1...255, initial: 64,
      text: "hop limit of ipsec's outer IPv6 headers"),
    TunnelSetting(
      name: "net.inet6.ip6.ipsecifpmtu", kind: .flag, range: 0...1, initial: 0,
      text: "ipsec over IPv6: 0 sends fragments of 1280 bytes at most, 1 as many as the path takes"),
    TunnelSetting(
      name: "net.ipsecif.use_fixed_reqid", kind: .flag, range: 0...1, initial: 0,
      text: "1: policies of ipsec interfaces that are configured from now on have reqids that are known before"),
    TunnelSetting(
      name: "net.ipsecif.reqid_base", kind: .number, range: 8192...16382, initial: 8192,
      text: "ipsecN has this and 2 N for IPv4, and one more for IPv6"),
    TunnelSetting(
      name: "net.ipsecif.coalesce", kind: .flag, range: 0...1, initial: 1,
      text: "TCP segments and UDP datagrams that come out of an ipsec together are given to the system as one"),
    TunnelSetting(
      name: "net.ipsecif.segment", kind: .flag, range: 0...1, initial: 1,
      text: "ESP in UDP of equal size is given to the system as one, which gives it UDP checksums; 0: one by one"),
    TunnelSetting(
      name: "net.ipsecif.keepalive", kind: .number, range: 0...3600, initial: 20,
      text: "seconds without a packet after which NAT traversal sends a keepalive; 0: never"),
  ]

  package var ipsecHopLimit: UInt8 { UInt8(clamping: number("net.inet6.ip6.ipsecifhlim")) }
  package var ipsecUsesPathMTU: Bool { number("net.inet6.ip6.ipsecifpmtu") != 0 }
  package var ipsecUsesFixedReqids: Bool { number("net.ipsecif.use_fixed_reqid") != 0 }
  package var ipsecReqidBase: Int { number("net.ipsecif.reqid_base") }
  package var ipsecCoalesces: Bool { number("net.ipsecif.coalesce") != 0 }
  package var ipsecSendsTrains: Bool { number("net.ipsecif.segment") != 0 }
  /// Seconds; 0: never.
  package var ipsecKeepalive: Int { number("net.ipsecif.keepalive") }

  private func number(_ name: String) -> Int { (try? value(of: name)) ?? 0 }
}
