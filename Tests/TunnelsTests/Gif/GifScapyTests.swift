import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// scapy at the other end of the tunnel: it takes our outer packets apart and builds its own.
@Suite(.needsNamespaces, .needsScapy, .timeLimit(.minutes(2)))
struct GifScapyTests {
  @Test(
    "T-081, T-093 IPIP, 6in4, 4in6 and 6in6: scapy answers an echo request that came through the tunnel, and asks one that is answered",
    arguments: [false, true], [false, true])
  func peer(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let peer = try GifPeer(outerIsIPv6: outerIsIPv6)
    let inner = innerIsIPv6 ? GifPeer.inner6 : GifPeer.inner4
    let icmp = innerIsIPv6 ? "ICMPv6EchoReply" : "ICMP"
    let reply =
      innerIsIPv6
      ? "IPv6(src=q.dst, dst=q.src)/ICMPv6EchoReply(id=q[ICMPv6EchoRequest].id, seq=q[ICMPv6EchoRequest].seq, data=q[ICMPv6EchoRequest].data)"
      : "IP(src=q.dst, dst=q.src)/ICMP(type=0, id=q[ICMP].id, seq=q[ICMP].seq)/q[ICMP].payload"
    let request =
      innerIsIPv6
      ? "IPv6(src='\(inner.1)', dst='\(inner.0)')/ICMPv6EchoRequest(id=77, seq=1, data=b'0123456789')"
      : "IP(src='\(inner.1)', dst='\(inner.0)')/ICMP(type=8, id=77, seq=1)/b'0123456789'"
    let outer = outerIsIPv6 ? "IPv6" : "IP"
    let next = innerIsIPv6 ? 41 : 4
    let (near, far) = peer.wan
    let (nearAddress, farAddress) = outerIsIPv6 ? (near.ipv6, far.ipv6) : (near.ipv4, far.ipv4)
    let script = """
      from scapy.all import *
      import sys
      conf.verb = 0
      s = conf.L2socket(iface='wan0')
      def out(i): s.send(Ether(src='\(far.macText)', dst='\(near.macText)')/\(outer)(src='\(farAddress)', dst='\(nearAddress)')/i)
      print('ready', flush=True)
      while True:
        p = s.recv()
        if p is None or not p.haslayer(\(outer)) or p[\(outer)].src != '\(nearAddress)': continue
        o = p[\(outer)]
        if (o.nh if '\(outer)' == 'IPv6' else o.proto) != \(next): continue
        q = o.payload
        if innerRequest(q): break
      """
    let prelude = """
      def innerRequest(q):
        from scapy.all import ICMP, ICMPv6EchoRequest
        return q.haslayer(ICMPv6EchoRequest) if \(innerIsIPv6 ? "True" : "False") else (q.haslayer(ICMP) and q[ICMP].type == 8)

      """
    let rest = """

      print('outer', o.hlim if '\(outer)' == 'IPv6' else o.ttl, o.dst, 'inner', q.src, q.dst, flush=True)
      out(\(reply))
      out(\(request))
      while True:
        p = s.recv()
        if p is None or not p.haslayer(\(outer)) or p[\(outer)].src != '\(nearAddress)': continue
        q = p[\(outer)].payload
        if q.haslayer(\(icmp)) and (\(innerIsIPv6 ? "q[ICMPv6EchoReply].id == 77" : "q[ICMP].type == 0 and q[ICMP].id == 77")): break
      print('answered', flush=True)
      """
    let child = try peer.far.start([try #require(Tool.scapyPython), "-c", prelude + script + rest])
    #expect(child.out.waitForText("ready", timeout: 30), "\(child.err.text)")
    #expect(try peer.near.pings(inner.1, from: inner.0, wait: 10), "\(child.out.text)\(child.err.text)")
    let output = try child.finish(timeout: 20)
    #expect(output.out.contains("outer 30 \(farAddress) inner \(inner.0) \(inner.1)\n"), "\(output)")
    #expect(output.out.contains("answered"), "\(output)")
  }
}
