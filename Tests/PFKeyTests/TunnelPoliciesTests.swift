import SwBPFPackets
import Testing

@testable import SwBPFPFKey

@Suite struct TunnelPoliciesTests {
  private let v4 = TunnelPolicyOptions(own: Endpoint(.one), peer: Endpoint(.two))
  private let v6 = TunnelPolicyOptions(own: Endpoint(.six2, port: 4500), peer: Endpoint(.six1, port: 4501))

  @Test("T-032, T-035: the IPv4 policy for what goes out is 88 bytes, without addresses behind its request")
  func policyIPv4() throws {
    let message = try KeyEngine(now: 0).policyMessages(v4)[1]
    #expect(message.count == 88)
    // The engine's second reqid: the inbound policy has the first.
    #expect(message == GoldenBytes.with(reqid: 0x4002, in: GoldenBytes.a, at: 86))
    #expect(message[80...81] == [8, 0])
  }

  @Test("T-033, T-035: with NAT traversal the level is require, the reqid 0, and the selector has no ports")
  func policyNATTraversal() throws {
    var options = v6
    options.isNATTraversal = true
    let message = try KeyEngine(now: 0).policyMessages(options)[1]
    #expect(message.count == 120)
    #expect(message == GoldenBytes.b)
  }

  @Test("T-034: the old shape carries both addresses, unpadded, with the ports of NAT traversal")
  func oldShape() throws {
    var options = v4
    options.carriesAddresses = true
    let engine = KeyEngine(now: 0)
    #expect(try engine.policyMessages(options)[1] == GoldenBytes.with(reqid: 0x4002, in: GoldenBytes.a0, at: 86))
    options = v6
    options.carriesAddresses = true
    options.isNATTraversal = true
    let message = try KeyEngine(now: 0).policyMessages(options)[1]
    #expect(message == GoldenBytes.with(reqid: 0x4002, in: GoldenBytes.b0, at: 118))
  }

  @Test("T-037: without link2 the IPv6 policies discard and have no request")
  func discards() throws {
    var options = v4
    options.forwardsIPv6 = false
    let messages = try KeyEngine(now: 0).policyMessages(options)
    #expect(messages[3] == GoldenBytes.c)
    #expect(try SecurityPolicy(Message(messages[2])).type == .discard)
  }

  @Test("T-038, T-040: policies are made in the order in IPv4, out IPv4, in IPv6, out IPv6; in is from the peer")
  func order() throws {
    let asker = Asker()
    let tunnel = try asker.engine.addTunnelPolicies(v4)
    let heard = try asker.heard().map { try SecurityPolicy($0) }
    #expect(heard.map(\.selector.direction) == [.inbound, .outbound, .inbound, .outbound])
    #expect(heard.map(\.selector.upper) == [4, 4, 41, 41])
    #expect(heard.map(\.selector.source.address) == [.two, .one, .two, .one])
    #expect(heard.map(\.selector.destination.address) == [.one, .two, .one, .two])
    #expect(heard.map(\.id) == tunnel.ids)
  }

  @Test("T-039: policies are removed in the order out IPv4, in IPv4, out IPv6, in IPv6, by id")
  func removal() throws {
    let asker = Asker()
    let tunnel = try asker.engine.addTunnelPolicies(v4)
    let ids = tunnel.ids
    _ = try asker.heard()
    asker.engine.removeTunnelPolicies(tunnel)
    let heard = try asker.heard()
    #expect(heard.map(\.header.type) == [22, 22, 22, 22])
    #expect(heard.map { $0.policy?.id } == [ids[1], ids[0], ids[3], ids[2]])
    #expect(SecurityPolicy.message(.spdDelete2, id: 0x11) == GoldenBytes.d)
    #expect(try asker.policies().isEmpty)
  }

  @Test("T-041: the header has version 2, no type of association, sequence number or process, and counts in 8 bytes")
  func header() throws {
    for message in try KeyEngine(now: 0).policyMessages(v4) {
      #expect(Array(message[..<4]) == [2, 14, 0, 0])
      #expect(Int(message[4]) + Int(message[5]) << 8 == message.count / 8)
      #expect(message[6..<16].allSatisfy { $0 == 0 })
    }
  }

  @Test("T-042: when a policy with one of the selectors exists, none of the four is left", arguments: 0..<4)
  func rollback(place: Int) throws {
    let asker = Asker()
    let messages = try asker.engine.policyMessages(v4)
    #expect(try asker.errno(messages[place]) == 0)
    _ = try asker.heard()
    #expect(throws: PFKeyError.exists) { try asker.engine.addTunnelPolicies(v4) }
    #expect(try asker.policies().count == 1)
    // What was made was removed again before anybody else could add.
    #expect(try asker.heard().map(\.header.type).filter { $0 == 22 }.count == place)
  }

  @Test("T-044: automatic reqids are above 16383 and differ")
  func automatic() throws {
    let asker = Asker()
    let tunnel = try asker.engine.addTunnelPolicies(v4)
    let reqids = asker.engine.policies(of: tunnel).map { $0?.requests.first?.reqid ?? 0 }
    #expect(reqids.allSatisfy { $0 > 16383 })
    #expect(Set(reqids).count == 4)
  }

  @Test("T-045: fixed reqids are one for both directions")
  func fixed() throws {
    let asker = Asker()
    var options = v4
    options.requestIDs = .fixed(v4: 8192, v6: 8193)
    let tunnel = try asker.engine.addTunnelPolicies(options)
    #expect(asker.engine.policies(of: tunnel).map { $0?.requests.first?.reqid } == [8192, 8192, 8193, 8193])
  }

  @Test("interfaces between the same addresses share their policies, and the last one removes them")
  func sharing() throws {
    let asker = Asker()
    var options = v4
    options.isNATTraversal = true
    let first = try asker.engine.addTunnelPolicies(options)
    options.own.port = 4500
    let second = try asker.engine.addTunnelPolicies(options)
    #expect(first.ids == second.ids)
    #expect(try asker.policies().count == 4)
    asker.engine.removeTunnelPolicies(first)
    #expect(try asker.policies().count == 4)
    asker.engine.removeTunnelPolicies(second)
    #expect(try asker.policies().isEmpty)
    // One call too many harms nobody.
    asker.engine.removeTunnelPolicies(second)
  }

  private func reqids(_ asker: Asker, _ tunnel: TunnelPolicies) -> [UInt16?] {
    asker.engine.policies(of: tunnel).map { $0?.requests.first?.reqid }
  }

  @Test("T-060: between the same addresses each policy is replaced in its place, with a new id and a new reqid")
  func replaced() throws {
    let asker = Asker()
    let tunnel = try asker.engine.addTunnelPolicies(v4)
    let (ids, old) = (tunnel.ids, reqids(asker, tunnel))
    _ = try asker.heard()
    #expect(try asker.engine.changeTunnelPolicies(tunnel, to: v4) === tunnel)
    #expect(try asker.heard().map(\.header.type) == [13, 13, 13, 13])
    #expect(Set(tunnel.ids).isDisjoint(with: ids) && tunnel.ids.count == 4)
    #expect(Set(reqids(asker, tunnel)).isDisjoint(with: old))
    #expect(try asker.policies().count == 4)
    var options = v4
    options.isNATTraversal = true
    options.forwardsIPv6 = false
    _ = try asker.engine.changeTunnelPolicies(tunnel, to: options)
    #expect(reqids(asker, tunnel) == [0, 0, nil, nil])
    asker.engine.removeTunnelPolicies(tunnel)
    #expect(try asker.policies().isEmpty)
  }

  @Test("T-060: nothing is replaced that another interface shares; when it has gone, it is")
  func notShared() throws {
    let asker = Asker()
    let first = try asker.engine.addTunnelPolicies(v4)
    let second = try asker.engine.addTunnelPolicies(v4)
    let ids = first.ids
    _ = try asker.engine.changeTunnelPolicies(second, to: v4)
    #expect(first.ids == ids)
    asker.engine.removeTunnelPolicies(first)
    _ = try asker.engine.changeTunnelPolicies(second, to: v4)
    #expect(second.ids != ids)
  }

  @Test(
    "T-063: a change that fails because of somebody else's policy leaves the old ones, with their ids and reqids",
    arguments: 0..<4)
  func failedChange(place: Int) throws {
    let asker = Asker()
    let tunnel = try asker.engine.addTunnelPolicies(v4)
    let (ids, old) = (tunnel.ids, reqids(asker, tunnel))
    #expect(try asker.errno(try asker.engine.policyMessages(v6)[place]) == 0)
    #expect(throws: PFKeyError.exists) { try asker.engine.changeTunnelPolicies(tunnel, to: v6) }
    #expect(tunnel.ids == ids && reqids(asker, tunnel) == old)
    #expect(try asker.policies().count == 5)
    // Of the same addresses, after a flush.
    #expect(try asker.errno(MessageHeader(.spdFlush).complete) == 0)
    #expect(try asker.errno(try asker.engine.policyMessages(v4)[place]) == 0)
    #expect(throws: PFKeyError.exists) { try asker.engine.changeTunnelPolicies(tunnel, to: v4) }
    #expect(try asker.policies().count == 1)
    asker.engine.removeTunnelPolicies(tunnel)
    #expect(try asker.policies().count == 1)
  }

  @Test("T-063: when reqids are used up a change fails before anything has changed")
  func usedUp() throws {
    let asker = Asker()
    let tunnel = try asker.engine.addTunnelPolicies(v4)
    let (ids, old) = (tunnel.ids, reqids(asker, tunnel))
    // 49152 reqids in all, 4 of them the tunnel's; 3 are left.
    var left = 49152 - 4 - 3
    var protocolNumber: UInt8 = 100
    while left > 0 {
      let count = min(left, 4096)
      let requests = [PolicyRequest](repeating: PolicyRequest(.esp, .transport, .unique), count: count)
      var policy = SecurityPolicy.out(upper: protocolNumber)
      policy.requests = requests
      #expect(try asker.errno(policy.addMessage()) == 0)
      protocolNumber += 1
      left -= count
    }
    #expect(throws: PFKeyError.noBuffers) { try asker.engine.changeTunnelPolicies(tunnel, to: v4) }
    #expect(tunnel.ids == ids && reqids(asker, tunnel) == old)
    var options = v4
    options.isNATTraversal = true
    #expect(throws: PFKeyError.noBuffers) { try asker.engine.addTunnelPolicies(v6) }
    #expect(tunnel.ids == ids)
    #expect(try asker.policies().count == 4 + 12)
    // Those of level require have none.
    _ = try asker.engine.changeTunnelPolicies(tunnel, to: options)
    #expect(reqids(asker, tunnel) == [0, 0, 0, 0])
  }

  @Test("policies that a flush took are made again by the next interface of the pair")
  func afterFlush() throws {
    let asker = Asker()
    let first = try asker.engine.addTunnelPolicies(v4)
    #expect(try asker.errno(MessageHeader(.spdFlush).complete) == 0)
    let second = try asker.engine.addTunnelPolicies(v4)
    #expect(try asker.policies().count == 4)
    asker.engine.removeTunnelPolicies(first)
    #expect(try asker.policies().count == 4)
    asker.engine.removeTunnelPolicies(second)
    #expect(try asker.policies().isEmpty)
  }

  /// The SPIs that packets of two interfaces find, which differ in ports only and share their policies.
  private func found(carriesAddresses: Bool) throws -> [UInt32?] {
    let asker = Asker()
    var options = TunnelPolicyOptions(own: Endpoint(.one, port: 4500), peer: Endpoint(.two, port: 4500))
    options.isNATTraversal = true
    options.carriesAddresses = carriesAddresses
    let first = try asker.engine.addTunnelPolicies(options)
    options.peer.port = 4501
    _ = try asker.engine.addTunnelPolicies(options)
    for (spi, port) in [(10000, 4500), (10001, 4501)] as [(UInt32, UInt16)] {
      var association = SecurityAssociation.cbc(spi)
      association.natTraversal = NATTraversal(sourcePort: 4500, destinationPort: port)
      #expect(try asker.add(association) == 0)
    }
    let request = try #require(asker.engine.policies(of: first)[1]?.requests.first)
    return [4500, 4501].map {
      asker.spi(request, Endpoint(.one, port: 4500), Endpoint(.two, port: $0))
    }
  }

  @Test("T-049: packets of interfaces that share policies find their association by ports")
  func byPorts() throws {
    #expect(try found(carriesAddresses: false) == [10000, 10001])
  }

  @Test("the old shape shows its fault: the second interface's packets look up the first one's association")
  func oldFault() throws {
    #expect(try found(carriesAddresses: true) == [10000, 10000])
  }
}
