// Cables between hosts: veth pairs.
import Glibc

/// One end of a veth pair.
package struct LinkEnd: Sendable {
  package let interface: String
  package let mac: [UInt8]
  /// 10.NET.0.1 or .2
  package let ipv4: String
  /// fd00:NET::1 or ::2, there when the link was made with IPv6
  package let ipv6: String

  package var macText: String { mac.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":") }
}

extension Host {
  /// Connects two hosts by a veth pair and brings both ends up: 10.NET.0.1/24 on `a`, 10.NET.0.2/24 on `b`, MAC addresses
  /// 02:00:00:00:NET:01 and :02.
  ///
  /// The link is quiet: neighbours are entered by hand and IPv6 is off, so only what a test sends is on the wire. With
  /// `ipv6` the ends have fd00:NET::1/64 and ::2/64 as well, and the kernel says a few words of its own (MLD).
  @discardableResult
  package static func link(
    _ a: Host, _ aInterface: String, _ b: Host, _ bInterface: String, net: UInt8 = 1, ipv6: Bool = false
  ) throws -> (LinkEnd, LinkEnd) {
    func end(_ interface: String, _ number: UInt8) -> LinkEnd {
      LinkEnd(
        interface: interface, mac: [2, 0, 0, 0, net, number], ipv4: "10.\(net).0.\(number)",
        ipv6: "fd00:\(String(net, radix: 16))::\(number)")
    }
    let (aEnd, bEnd) = (end(aInterface, 1), end(bInterface, 2))
    try a.ip(
      "link add \(aInterface) address \(aEnd.macText) type veth"
        + " peer name \(bInterface) address \(bEnd.macText) netns /proc/\(getpid())/fd/\(b.netns)")
    try a.configure(aEnd, peer: bEnd, ipv6: ipv6)
    try b.configure(bEnd, peer: aEnd, ipv6: ipv6)
    // A veth end has no carrier until its peer is up as well, and the kernel notices a moment later.
    for (host, end) in [(a, aEnd), (b, bEnd)] {
      guard try eventually({ try host.ip("link show dev \(end.interface)").contains("LOWER_UP") }) else {
        throw SupportError.timeout(["ip", "link", "set", end.interface, "up"], seconds: 5)
      }
    }
    return (aEnd, bEnd)
  }

  private func configure(_ end: LinkEnd, peer: LinkEnd, ipv6: Bool) throws {
    let interface = end.interface
    if ipv6 {
      try ip("link set \(interface) addrgenmode none")
    } else {
      // Where the kernel has no IPv6 there is nothing to turn off.
      let path = "/proc/sys/net/ipv6/conf/\(interface)/disable_ipv6"
      do { try write("1", to: path) } catch SupportError.system(_, ENOENT) {}
    }
    try ip("link set \(interface) up")
    try ip("addr add \(end.ipv4)/24 dev \(interface)")
    try ip("neigh replace \(peer.ipv4) lladdr \(peer.macText) nud permanent dev \(interface)")
    if ipv6 {
      try ip("addr add \(end.ipv6)/64 dev \(interface) nodad")
      try ip("neigh replace \(peer.ipv6) lladdr \(peer.macText) nud permanent dev \(interface)")
    }
  }
}
