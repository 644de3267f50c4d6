import Glibc
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// A gif and the system around it.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct GifSystemTests {
  @Test("T-167 while the engine runs the system does not refuse outer packets; when it has ended it does")
  func protocolUnreachable() throws {
    let peer = try GifPeer()
    let errors = try peer.far.inside { try RawReceiver(ipv6: false, transport: 1) }
    func refusals() throws -> Int {
      var count = 0
      for index in 0..<(try errors.receive()) {
        guard let (_, packet) = errors.take(index), packet.count >= 2 else { continue }
        if packet.bytes.u8(at: 0) == 3 && packet.bytes.u8(at: 1) == 2 { count += 1 }
      }
      return count
    }
    let strange = try #require(TunnelPair(source: peer.back.source, destination: peer.back.destination))
    try peer.near.perform("gif0", .deleteTunnel)
    let before = peer.near.engine.strayPackets
    for _ in 0..<3 { try peer.send(Inner.ipv4(), pair: strange) }
    #expect(eventually { peer.near.engine.strayPackets == before + 3 })
    #expect(try refusals() == 0)
    peer.near.engine.shutdown()
    #expect(
      try eventually {
        try peer.send(Inner.ipv4(), pair: strange)
        return try refusals() > 0
      })
  }

  @Test(
    "T-168 TCP's super-packets leave as packets that each fit, with right lengths and checksums",
    arguments: [false, true], [false, true])
  func superPackets(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try GifHosts(outerIsIPv6: outerIsIPv6)
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    let reader = try hosts.near.reader("gif0")
    let address = innerIsIPv6 ? GifHosts.inner6.1 : GifHosts.inner4.1
    let server = try hosts.far.host.start([
      "/usr/bin/python3", "-c",
      """
      import socket, sys, hashlib
      s = socket.create_server(('\(address)', 5001), family=socket.\(innerIsIPv6 ? "AF_INET6" : "AF_INET"))
      print('ready', flush=True)
      c, _ = s.accept()
      h = hashlib.sha256(); n = 0
      while True:
        d = c.recv(1 << 16)
        if not d: break
        h.update(d); n += len(d)
      print(n, h.hexdigest())
      """,
    ])
    #expect(server.out.waitForText("ready"))
    let client = try hosts.near.host.start([
      "/usr/bin/python3", "-c",
      """
      import socket, hashlib
      d = bytes(i * 7 % 251 for i in range(1 << 20))
      s = socket.create_connection(('\(address)', 5001))
      s.sendall(d); s.close()
      print(len(d), hashlib.sha256(d).hexdigest())
      """,
    ])
    let sent = try client.finish(timeout: 20).out
    #expect(try server.finish(timeout: 20).out.hasSuffix(sent) && !sent.isEmpty)
    // What readers see are the packets that left: each within the MTU, with its own checksums.
    let frames = try reader.frames(200, within: 1) { $0.count > 60 }
    let longest = frames.map(\.count).max() ?? 0
    #expect(frames.count > 200 && longest == 1280 + 4)
    for frame in frames {
      let packet = Array(frame[4...])
      let start = innerIsIPv6 ? 40 : 20
      let pseudo = innerIsIPv6 ? Array(packet[8..<40]) : Array(packet[12..<20])
      let length = packet.count - start
      #expect(checksum(pseudo + [UInt8(length >> 8), UInt8(length & 0xff), 0, 6] + packet[start...]) == 0)
      if !innerIsIPv6 { #expect(checksum(packet[..<20]) == 0) }
    }
    let status = try hosts.near.status("gif0")
    #expect(status.counters.outputErrors == 0, "\(status.lastError ?? "")")
  }

  @Test("T-169 nothing piles up in the sockets that send while packets come in")
  func backlog() throws {
    let hosts = try GifHosts()
    try hosts.tunnel()
    for _ in 0..<5 { #expect(try hosts.near.pings(GifHosts.lan4.1)) }
    // Raw sockets of the namespace: the receive queue is the second half of the fifth word.
    for file in ["raw", "raw6"] {
      let text = try hosts.near.host.run(["cat", "/proc/thread-self/net/\(file)"]).out
      for line in text.split(separator: "\n").dropFirst() {
        let words = line.split(separator: " ")
        // Those that send have protocol 255, which stands where others have a port.
        guard words.count > 4, words[1].hasSuffix(":00FF") else { continue }
        #expect(words[4].hasSuffix(":00000000"), "\(line)")
      }
      #expect(text.contains(":00FF"))
    }
  }
}
