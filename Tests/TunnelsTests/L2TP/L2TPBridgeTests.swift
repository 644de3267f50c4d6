import Glibc
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// NetBSD's test cases of l2tp(4), with engines in place of kernels and Linux's bridges; and what a bridge's port has to do besides.
/// (tests/net/if_l2tp)
@Suite(.needsNamespaces, .timeLimit(.minutes(2)))
struct L2TPBridgeTests {
  @Test("l2tp_create_destroy: made and ended, down, up, and up and down again")
  func createDestroy() throws {
    let host = try TunnelHost(Host())
    for operations in [[], [.up, .down], [.up]] as [[InterfaceOperation]] {
      try host.create("l2tp0")
      for operation in operations { try host.perform("l2tp0", operation) }
      #expect(host.engine.names == ["l2tp0"])
      #expect(try host.host.ip("link show l2tp0").contains("l2tp0"))
      try host.destroy("l2tp0")
      #expect(host.engine.names == [])
      #expect(throws: (any Error).self) { try host.host.ip("link show l2tp0") }
    }
  }

  @Test(
    "T-124 l2tp_basic: clients behind two bridges reach each other until bridge, tunnel and interface go",
    arguments: [false, true], [false, true])
  func basic(_ lanIsIPv6: Bool, _ wanIsIPv6: Bool) throws {
    let bridges = try L2TPBridges(outerIsIPv6: wanIsIPv6)
    #expect(try bridges.pings(ipv6: lanIsIPv6) == [true, true])
    for host in [bridges.near, bridges.far] {
      try host.host.ip("link del bridge0")
      try host.perform("l2tp0", .deleteTunnel)
    }
    #expect(try bridges.pings(ipv6: lanIsIPv6, wait: 0.3) == [false, false])
    for host in [bridges.near, bridges.far] { try host.destroy("l2tp0") }
    #expect(try bridges.pings(ipv6: lanIsIPv6, wait: 0.3) == [false, false])
  }

  @Test("T-124, T-113 with cookies of 4 and 8 bytes; large pings over a narrower cable", arguments: [false, true])
  func large(_ wanIsIPv6: Bool) throws {
    let cookies = L2TPCookies(localLength: 4, local: 0xffff_ffff, remoteLength: 8, remote: .max)
    let bridges = try L2TPBridges(outerIsIPv6: wanIsIPv6, mtu: 8192, wanMTU: 1500, cookies: cookies)
    for (ipv6, size) in [(false, 8164), (true, 8144), (false, 1472)] {
      #expect(try bridges.pings(ipv6: ipv6, size: size) == [true, true])
    }
  }

  @Test(
    "T-124, T-069 ARP, IPv4, IPv6, tagged and unknown frames go through bridges and tunnel unchanged, both ways",
    .needsScapy)
  func unchanged() throws {
    let bridges = try L2TPBridges(mtu: 8192)
    let python = try #require(Tool.scapyPython)
    let reader = try bridges.near.reader("l2tp0")
    let prelude = """
      from scapy.all import *
      conf.verb = 0
      def frames(src):
        e = Ether(src=src, dst='02:00:00:00:aa:aa')
        return [bytes(f) for f in [
          Ether(src=src, dst='ff:ff:ff:ff:ff:ff')/ARP(op=1, hwsrc=src, psrc='192.168.1.9', pdst='192.168.1.8')/(b'\\0' * 18),
          e/IP(src='192.168.1.9', dst='192.168.1.8', ttl=1, flags='DF', tos=0xbb)/UDP(sport=1, dport=2)/b'four',
          e/IPv6(src='fc00:1::9', dst='fc00:1::8', hlim=1, tc=0xbb)/UDP(sport=1, dport=2)/b'six',
          e/Dot1Q(vlan=5, prio=6)/IP(src='192.168.1.9', dst='192.168.1.8')/UDP(sport=1, dport=2)/(b'tagged' * 9),
          e/Dot1AD(vlan=7)/Dot1Q(vlan=5)/IPv6(src='fc00:1::9', dst='fc00:1::8')/(b'twice' * 9),
          e/Raw(b'\\x88\\xb6' + bytes(range(256)) * 4),
          Ether(src=src, dst='02:00:00:00:aa:aa', type=0x88b5)/(bytes(range(256)) * 31 + bytes(200)),
        ]]

      """
    let takes = """
      s = conf.L2socket(iface='lan0')
      wanted = set(frames('02:00:00:00:bb:bb'))
      print('ready', flush=True)
      while wanted:
        p = s.recv()
        if p is not None: wanted.discard(bytes(p))
      print('got each', flush=True)
      """
    let sends = """
      import time
      s = conf.L2socket(iface='lan0')
      while True:
        for f in frames('02:00:00:00:bb:bb'): s.send(Raw(f))
        time.sleep(0.3)
      """
    for (from, to) in [bridges.clients, (bridges.clients.1, bridges.clients.0)] {
      let taker = try to.start([python, "-c", prelude + takes])
      #expect(taker.out.waitForText("ready", timeout: 30), "\(taker.err.text)")
      let sender = try from.start([python, "-c", prelude + sends])
      #expect(taker.out.waitForText("got each", timeout: 40), "\(taker.err.text) \(sender.err.text)")
      _ = try sender.stop(SIGKILL)
      _ = try taker.finish()
    }
    // Readers saw the same, as Ethernet frames.
    let seen = Set(try reader.frames(7).filter { $0.count >= 14 && Array($0[6..<12]) == [2, 0, 0, 0, 0xbb, 0xbb] })
    let types = Set(seen.map { Array($0[12..<14]) })
    #expect(
      types.isSuperset(of: [[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0], [0x88, 0xa8], [0x88, 0xb5]]), "\(types)")
  }

  /// Sends 6 MB over TCP.
  private static let sender = """
    import socket, sys, hashlib, random
    data = random.Random(7).randbytes(6_000_000)
    with socket.create_connection((sys.argv[1], 7001), timeout=30) as stream: stream.sendall(data)
    print('sum', hashlib.sha256(data).hexdigest(), flush=True)
    """
  private static let receiver = """
    import socket, sys, hashlib
    family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
    listener = socket.create_server((sys.argv[1], 7001), family=family)
    print('ready', flush=True)
    stream, _ = listener.accept()
    sum = hashlib.sha256()
    while part := stream.recv(1 << 16): sum.update(part)
    print('sum', sum.hexdigest(), flush=True)
    """

  @Test(
    "T-168 a stream whose super-frames pass bridges and tunnel comes out as it was, put together or not",
    .needsScapy, arguments: zip([false, true, false], [true, true, false]))
  func stream(_ isIPv6: Bool, _ coalesces: Bool) throws {
    let bridges = try L2TPBridges()
    for host in [bridges.near, bridges.far] { try host.engine.set("net.l2tp.coalesce", to: coalesces ? 1 : 0) }
    let python = try #require(Tool.scapyPython)
    let there = isIPv6 ? L2TPBridges.addresses6.1 : L2TPBridges.addresses4.1
    #expect(try bridges.pings(ipv6: isIPv6) == [true, true])
    // What the far system gets of the device: longer than the MTU only when it was put together.
    let long = try bridges.far.host.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-i", "l2tp0", "-c", "1", "-Q", "in", "tcp and greater 2900",
    ])
    #expect(long.err.waitForText("listening on"))
    let receiver = try bridges.clients.1.start([python, "-c", Self.receiver, there])
    #expect(receiver.out.waitForText("ready"))
    let sender = try bridges.clients.0.start([python, "-c", Self.sender, there])
    let sum = try #require(sender.out.nextLine(timeout: 40))
    #expect(sum.hasPrefix("sum ") && receiver.out.waitForText(sum, timeout: 40))
    if coalesces {
      #expect(long.wait(timeout: 10) != nil)
    } else {
      #expect(long.wait(timeout: 0.2) == nil)
      _ = try long.stop()
    }
    #expect(try sender.finish().status == .exited(0))
    _ = try receiver.finish()
    #expect(try bridges.far.status("l2tp0").counters.inputErrors == 0)
  }
}
