import SwBPFInterfaces
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
}
