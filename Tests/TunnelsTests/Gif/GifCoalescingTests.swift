import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// Super-packets at both ends of a tunnel, with the system as the judge.
@Suite(.needsNamespaces, .timeLimit(.minutes(2)))
struct GifCoalescingTests {
  /// Sends 6 MB over TCP and says the sum of it; then, until its input ends, datagrams of 1000 bytes, ten with one call.
  private static let sender = """
    import socket, sys, hashlib, random, select
    family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
    data = random.Random(7).randbytes(6_000_000)
    with socket.create_connection((sys.argv[1], 7001), timeout=20) as stream: stream.sendall(data)
    print('sum', hashlib.sha256(data).hexdigest(), flush=True)
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.setsockopt(17, 103, 1000)
    datagrams.connect((sys.argv[1], 7002))
    number = 0
    while not select.select([sys.stdin], [], [], 0.05)[0]:
      try: datagrams.send(b''.join(n.to_bytes(4, 'big') * 250 for n in range(number, number + 10)))
      except ConnectionRefusedError: pass
      number += 10
    """

  /// Says the sum of what came; then takes 200 datagrams and says what was wrong with them.
  private static let receiver = """
    import socket, sys, hashlib
    family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
    listener = socket.create_server((sys.argv[1], 7001), family=family)
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.bind((sys.argv[1], 7002))
    datagrams.settimeout(20)
    print('ready', flush=True)
    stream, _ = listener.accept()
    sum = hashlib.sha256()
    while part := stream.recv(1 << 16): sum.update(part)
    print('sum', sum.hexdigest(), flush=True)
    last, wrong = -1, 0
    for _ in range(200):
      got = datagrams.recv(65536)
      number = int.from_bytes(got[:4], 'big')
      if len(got) != 1000 or got != got[:4] * 250 or number <= last: wrong += 1
      last = number
    print('wrong', wrong, flush=True)
    """

  @Test(
    "T-168 a stream and datagrams that the system sends as super-packets come out as they were, put together or not",
    .needsScapy, arguments: [false, true], [false, true])
  func contents(_ innerIsIPv6: Bool, _ coalesces: Bool) throws {
    let hosts = try GifHosts()
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    try hosts.far.engine.set("net.gif.coalesce", to: coalesces ? 1 : 0)
    let python = try #require(Tool.scapyPython)
    let (_, there) = hosts.lan(ipv6: innerIsIPv6)
    // What the far system gets of the device: longer than the MTU only when it was put together.
    let long = try hosts.far.host.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-i", "gif0", "-c", "1", "-Q", "in", "udp and greater 2900",
    ])
    #expect(long.err.waitForText("listening on"))
    let receiver = try hosts.far.host.start([python, "-c", Self.receiver, there])
    #expect(receiver.out.waitForText("ready"))
    let sender = try hosts.near.host.start([python, "-c", Self.sender, there], input: .pipe)
    let sum = try #require(sender.out.nextLine(timeout: 40))
    #expect(sum.hasPrefix("sum ") && receiver.out.waitForText(sum, timeout: 40))
    #expect(receiver.out.waitForText("wrong 0", timeout: 40))
    if coalesces {
      #expect(long.wait(timeout: 10) != nil)
    } else {
      #expect(long.wait(timeout: 0.2) == nil)
    }
    sender.closeInput()
    #expect(try sender.finish().status == .exited(0))
    _ = try receiver.finish()
    if !coalesces { _ = try long.stop() }
  }

  @Test(
    "T-168 a stream goes on at full speed where the far system puts outer packets together before the engine gets them",
    .needsScapy, .needsTool("ethtool"), arguments: [false, true])
  func putTogetherBefore(_ innerIsIPv6: Bool) throws {
    let hosts = try GifHosts()
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    // As a card does it: packets wait a moment for others, and leave one by one.
    for (host, switches) in [(hosts.near, "tso off gso off"), (hosts.far, "gro on")] {
      let words = switches.split(separator: " ").map(String.init)
      #expect(try host.host.run(["ethtool", "-K", "wan0"] + words).status == .exited(0))
    }
    let wait = "mount -t sysfs sysfs /sys && cd /sys/class/net/wan0 && echo 200000 > gro_flush_timeout"
    let waits = ["unshare", "--mount", "sh", "-c", wait + " && echo 4 > napi_defer_hard_irqs"]
    #expect(try hosts.far.host.run(waits).status == .exited(0))
    let long = try hosts.far.host.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-i", "wan0", "-c", "1", "-Q", "in",
      "ip proto \(innerIsIPv6 ? 41 : 4) and greater 2600",
    ])
    #expect(long.err.waitForText("listening on"))
    let python = try #require(Tool.scapyPython)
    let (_, there) = hosts.lan(ipv6: innerIsIPv6)
    let receiver = try hosts.far.host.start([python, "-c", Self.receiver, there])
    #expect(receiver.out.waitForText("ready"))
    let sender = try hosts.near.host.start([python, "-c", Self.sender, there], input: .pipe)
    // Without the engine's help each of these is lost and sent again alone: minutes.
    let sum = try #require(sender.out.nextLine(timeout: 40))
    #expect(sum.hasPrefix("sum ") && receiver.out.waitForText(sum, timeout: 40))
    #expect(long.wait(timeout: 10) != nil)
    sender.closeInput()
    _ = try sender.finish()
    _ = try receiver.stop()
  }

  @Test(
    "T-168 what was put together before is cut again, with right checksums, when it is forwarded to a narrower link",
    .needsTool("ethtool"))
  func forwarded() throws {
    let peer = try GifPeer()
    let third = try Host("third")
    let link = try Host.link(peer.near.host, "other0", third, "other0", net: 3)
    try peer.near.host.write("1", to: "/proc/sys/net/ipv4/ip_forward")
    for (host, name) in [(peer.near.host, "wan0"), (peer.far, "wan0")] { try host.ip("link set \(name) mtu 9000") }
    // A link that does nothing for the system, as far as that lets it be seen.
    let plain = ["ethtool", "-K", "other0", "tx", "off", "tso", "off", "gso", "off"]
    #expect(try peer.near.host.run(plain).status == .exited(0))
    let receiver = try third.inside { try RawReceiver(ipv6: false, transport: 6) }
    var packet = Array(Inner.ipv4(count: 4040))
    packet[9] = 6
    packet.replaceSubrange(12..<16, with: try #require(IPAddress(GifPeer.inner4.1)).bytes)
    packet.replaceSubrange(16..<20, with: try #require(IPAddress(link.1.ipv4)).bytes)
    packet.replaceSubrange(10..<12, with: [0, 0])
    packet.replaceSubrange(10..<12, with: big(checksum(packet[..<20])))
    packet.replaceSubrange(20..<40, with: [0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 7, 0x50, 0x10, 1, 0, 0, 0, 0, 0])
    let pseudo = packet[12..<20] + [0, 6] + big(4020)
    packet.replaceSubrange(36..<38, with: big(~checksum(pseudo)))
    try peer.send(packet)
    var payload: [UInt8] = []
    var wrong = 0
    let arrived = try eventually {
      for index in 0..<(try receiver.receive()) {
        guard let (outer, segment) = receiver.take(index), outer.transport == 6 else { continue }
        let bytes = (0..<segment.count).map { segment.bytes.u8(at: $0) }
        let pseudo = outer.source.bytes + outer.destination.bytes + [0, 6] + big(UInt16(bytes.count))
        if bytes.count > 1260 || checksum(pseudo + bytes) != 0 { wrong += 1 }
        payload += bytes[20...]
      }
      return payload.count >= 4000
    }
    #expect(arrived && wrong == 0)
    #expect(payload == Array(packet[40...]))
  }

  private func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
}
