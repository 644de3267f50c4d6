import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFPFKey

/// Statements by chance, all that the language can say.
struct StatementMaker {
  var random: SeededRandom

  init(seed: UInt64) { random = SeededRandom(state: seed) }

  private mutating func chance(_ one: Int = 2) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
  private mutating func any<Element>(_ list: [Element]) -> Element { list.randomElement(using: &random)! }
  private mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0...255, using: &random) } }

  private mutating func address(_ family: IPAddress.Family) -> IPAddress {
    if family == .v4 { return IPAddress(v4: .random(in: 0...UInt32.max, using: &random)) }
    let scope: UInt32 = chance(4) ? .random(in: 0...UInt32.max, using: &random) : 0
    let (high, low) = (
      UInt64.random(in: 0...UInt64.max, using: &random), UInt64.random(in: 0...UInt64.max, using: &random)
    )
    return IPAddress(v6: chance(3) ? 0 : high, chance(3) ? low & 0xffff : low, scope: scope)
  }

  private mutating func port() -> UInt16 { .random(in: 1...65535, using: &random) }

  private mutating func add() -> SecurityAssociation {
    let family = any(IPAddress.Family.allCases)
    var sa = SecurityAssociation(
      any(SecurityProtocol.allCases), spi: .random(in: 0...UInt32.max, using: &random), from: address(family),
      to: address(family))
    if sa.proto == .esp, chance() {
      sa.natTraversal = NATTraversal(sourcePort: port(), destinationPort: port(), fragment: chance() ? 0 : port())
    }
    sa.mode = any(SAMode.allCases)
    sa.replay = chance() ? 0 : .random(in: 0...255, using: &random)
    sa.reqid = chance() ? 0 : port()
    sa.flags = any([[], .cyclicSequence, [.cyclicSequence, .extendedSequence]])
    sa.flags.formUnion(any([[], .zeroPadding, .randomPadding]))
    if chance() {
      sa.hard = Lifetime(bytes: UInt64(port()), addTime: chance() ? 0 : .random(in: 0...UInt64.max, using: &random))
      sa.soft = Lifetime(bytes: chance() ? 0 : UInt64(port()), addTime: UInt64(port()))
    }
    if sa.proto == .esp {
      sa.encryption = any(EncryptionAlgorithm.allCases.filter(\.isOffered))
      sa.encryptionKey = bytes(any(sa.encryption.keyBits) / 8)
    }
    if sa.proto == .ah || (sa.proto == .esp && !sa.encryption.isAuthenticated && chance(3)) {
      sa.authentication = any(AuthenticationAlgorithm.allCases.filter(\.isOffered))
      sa.authenticationKey = bytes(sa.authentication.keyBits[0] / 8)
    }
    if sa.proto == .ipcomp { sa.compression = any(CompressionAlgorithm.allCases) }
    return sa
  }

  private mutating func selector() -> Selector {
    let family = any(IPAddress.Family.allCases)
    let upper: UInt8 = chance() ? any([1, 4, 6, 17, 41, 58, 255]) : .random(in: 0...255, using: &random)
    let isICMP = upper == 1 || upper == 58
    func range(_ maker: inout Self) -> AddressRange {
      AddressRange(
        maker.address(family), prefix: .random(in: 0...family.bits, using: &maker.random),
        port: maker.chance() ? 0 : isICMP ? maker.port() & 0xff : maker.port())
    }
    return Selector(any(PolicyDirection.allCases), from: range(&self), to: range(&self), upper: upper)
  }

  private mutating func policy() -> SecurityPolicy {
    let type = any([PolicyType.discard, .none, .ipsec])
    var requests: [PolicyRequest] = []
    for _ in 0..<(type == .ipsec ? Int.random(in: 1...4, using: &random) : 0) {
      let family = any(IPAddress.Family.allCases)
      let mode = any([SAMode.transport, .tunnel])
      let ends = PolicyRequest.Ends(
        from: Endpoint(address(family), port: chance() ? 0 : port()), to: Endpoint(address(family)))
      let level = any(PolicyLevel.allCases)
      let reqid: UInt16 = level == .unique && chance() ? .random(in: 1...RequestID.greatestManual, using: &random) : 0
      requests.append(
        PolicyRequest(
          any(SecurityProtocol.allCases), mode, level, reqid: reqid, ends: mode == .tunnel || chance() ? ends : nil))
    }
    return SecurityPolicy(selector(), type, requests: requests)
  }

  private mutating func name() -> AssociationName {
    let proto = any(SetkeyProtocol.allCases)
    let family = any(IPAddress.Family.allCases)
    return AssociationName(
      proto, spi: .random(in: 0...UInt32.max, using: &random),
      from: Endpoint(address(family), port: proto == .espUDP ? port() : 0),
      to: Endpoint(address(family), port: proto == .espUDP ? port() : 0))
  }

  mutating func action() -> SetkeyStatement.Action {
    switch Int.random(in: 0..<12, using: &random) {
    case 0: .get(name())
    case 1: .delete(name())
    case 2: .deleteAll(any(SetkeyProtocol.allCases), from: address(.v4), to: address(.v4))
    case 3: .flush(chance() ? nil : any(SetkeyProtocol.allCases))
    case 4: .dump(chance() ? nil : any(SetkeyProtocol.allCases))
    case 5: chance() ? .policyFlush : .policyDump
    case 6: .policyDelete(selector())
    case 7: .policyUpdate(policy())
    case 8, 9: .policyAdd(policy())
    default: .add(add())
    }
  }
}

/// splitmix64
struct SeededRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

@Suite("Statements of setkey(8) as text")
struct SetkeyTextTests {
  @Test(
    "what is printed reads as the same statement again", arguments: 0..<(Requirement.short ? 10 : 50) as Range<UInt64>)
  func roundTrip(_ seed: UInt64) throws {
    var maker = StatementMaker(seed: seed)
    let actions = (0..<200).map { _ in maker.action() }
    let text = actions.map { SetkeyStatement($0).text + "\n" }.joined()
    let file = SetkeyParser.parse(text, rules: SetkeyRules(allowsNoIntegrity: true))
    try #require(file.errors.isEmpty, "\(file.errors) \(text)")
    for (read, made) in zip(file.statements.map(\.action), actions) where read != made {
      Issue.record("\(SetkeyStatement(made).text) became \(SetkeyStatement(read).text)")
    }
    #expect(file.statements.count == actions.count)
    #expect(file.statements.map(\.position.line) == Array(1...actions.count))
  }

  @Test("the canonical text of the examples of the manual")
  func canonical() {
    let file = SetkeyParser.parse(SetkeyParserTests.examples, rules: SetkeyRules(allowsNoIntegrity: true))
    let key = "0x000102030405060708090a0b0c0d0e0f"
    #expect(
      file.statements.map(\.text) == [
        "add 10.0.0.2 10.0.0.1 esp 10000 -m transport -u 16386 -E aes-gcm-16 \(key)10111213 ;",
        "add 10.0.0.1 10.0.0.2 esp 10001 -m transport -u 16388 -E aes-gcm-16 "
          + "0x101112131415161718191a1b1c1d1e1f20212223 ;",
        "add 10.0.0.1 10.0.0.2 esp 10001 -m transport -r 4 -u 16388 -E aes-cbc \(key)101112131415161718191a1b1c1d1e1f"
          + " -A hmac-sha256 0x202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f ;",
        "add 192.168.0.2 [4500] 10.0.0.2 [4500] esp-udp 10000 -m transport -E aes-cbc \(key) ;",
      ])
    let policies = """
      spdadd -4 10.0.0.1[any] 10.0.0.0/24[80] ip4 -P out ipsec esp/transport//unique:7 ;
      spddelete ::/0 ::/0 icmp6 135,0 -P in none;
      """
    #expect(
      SetkeyParser.parse(policies).statements.map(\.text) == [
        "spdadd 10.0.0.1/32 10.0.0.0/24[80] ipv4 -P out ipsec esp/transport//unique:7 ;",
        "spddelete ::/0 ::/0 ipv6-icmp 135,0 -P in ;",
      ])
  }
}
