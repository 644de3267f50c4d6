import SwBPFBPF
import SwBPFInterfaces
import SwBPFLiveCapture
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// What readers of an l2tp see.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct L2TPTapTests {
  @Test(
    "T-064, T-069 a request is seen once as it leaves and its reply once as it arrives, as Ethernet frames; each direction alone, and see-sent off",
    arguments: [false, true])
  func directions(_ wanIsIPv6: Bool) throws {
    let cookies = L2TPCookies(localLength: 8, local: 1, remoteLength: 4, remote: 2)
    let bridges = try L2TPBridges(outerIsIPv6: wanIsIPv6, cookies: cookies)
    #expect(try bridges.pings(ipv6: false) == [true, true])
    let reader = try bridges.near.reader("l2tp0")
    #expect(try #require(bridges.near.taps.interface(named: "l2tp0")).linkType == 1)
    func kinds(_ count: Int) throws -> [String] {
      try reader.frames(count) { $0.count >= 42 && Array($0[12..<14]) == [8, 0] && $0[23] == 1 }.map {
        #expect($0.count == 14 + 28 + 56)
        return $0[34] == 8 ? "request" : "reply"
      }
    }
    for (change, expected) in [
      ({ try reader.setDirection(.inOut) }, ["request", "reply"]),
      ({ try reader.setDirection(.in) }, ["reply"]),
      ({ try reader.setDirection(.out) }, ["request"]),
      ({ try reader.setSeesSent(false) }, ["reply"]),
      ({ try reader.setSeesSent(true) }, ["request", "reply"]),
    ] as [(() throws -> Void, [String])] {
      try change()
      reader.flush()
      #expect(try Ping.isAnswered(in: bridges.clients.0, L2TPBridges.addresses4.1, wait: 5, once: true))
      #expect(try kinds(expected.count) == expected)
    }
  }

  @Test("what is written to a descriptor leaves by the tunnel with the device's address as its source, or with its own")
  func written() throws {
    let peer = try L2TPPeer()
    let (writer, reader) = (try peer.near.reader("l2tp0"), try peer.near.reader("l2tp0"))
    let frame = [UInt8].frame()
    try writer.write(frame)
    let seen = try #require(try reader.frames(1).first)
    #expect(Array(seen[..<6]) == Array(frame[..<6]) && Array(seen[12...]) == Array(frame[12...]))
    let address = seen[6..<12].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    #expect(try peer.near.host.ip("link show l2tp0").contains("link/ether \(address)"))
    #expect(try peer.receive(1).map(\.message) == [.be32(4321) + seen])
    writer.setHeaderComplete(true)
    try writer.write(frame)
    #expect(try peer.receive(1).map(\.message) == [.be32(4321) + frame])
    #expect(throws: BPF.Failure.self) { try writer.write(.frame(1280 + 15)) }
    try writer.write(.frame(1280 + 14))
    #expect(try peer.receive(1).first?.message.count == 4 + 1294)
  }
}
