import Glibc
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFPFKey
@testable import SwBPFTunnels

typealias IPAddress = SwBPFPackets.IPAddress
typealias Endpoint = SwBPFPackets.Endpoint
typealias TunnelPair = SwBPFTunnels.TunnelPair

extension TunnelHost {
  var keys: KeyEngine { engine.options.keys }

  /// Does what setkey(8) would do with a text.
  /// - Returns: the errno of each statement.
  @discardableResult
  func setkey(_ text: String) throws -> [CInt] {
    let file = SetkeyParser.parse(text, rules: SetkeyRules(allowsNoIntegrity: true))
    try #require(file.errors.isEmpty, "\(file.errors)")
    let socket = keys.open()
    defer { keys.close(socket) }
    return try file.statements.map { statement in
      try keys.send(try #require(statement.message(pid: 1)), from: socket)
      var result: CInt = -1
      while let answer = socket.receive() { result = CInt(try MessageHeader(answer).errno) }
      return result
    }
  }

  /// What PF_KEY has, as messages.
  private func listed(_ type: MessageType) throws -> [Message] {
    let socket = keys.open()
    defer { keys.close(socket) }
    var header = MessageHeader(type)
    header.length = 2
    try keys.send(header.bytes, from: socket)
    var messages: [Message] = []
    while let answer = socket.receive() {
      let message = try Message(answer)
      if message.header.errno == 0 { messages.append(message) }
    }
    return messages
  }

  func policies() throws -> [SecurityPolicy] { try listed(.spdDump).map { try SecurityPolicy($0) } }
  func associations() throws -> [SecurityAssociation] { try listed(.dump).map { try SecurityAssociation($0) } }

  /// `setkey -DP`
  func policyText() throws -> String { SetkeyDump(now: keys.now).policies(try policies()) }

  /// The reqid that `setkey -DP` shows of a policy, as NetBSD's scripts look for it.
  func reqid(_ direction: PolicyDirection, upper: UInt8) throws -> UInt16 {
    try #require(
      try policies().first { $0.selector.direction == direction && $0.selector.upper == upper }?.requests.first?.reqid)
  }
}

extension InterfaceOperation {
  static func tunnel(_ source: String, _ own: UInt16, _ destination: String, _ peer: UInt16) throws
    -> InterfaceOperation
  {
    let source = Endpoint(try #require(IPAddress(source)), port: own)
    let destination = Endpoint(try #require(IPAddress(destination)), port: peer)
    return .tunnel(try #require(TunnelEnds(source: source, destination: destination)))
  }
}

/// What setkey is told of a transform.
enum Transform: String, CaseIterable {
  case null, cbc, gcm
  case nullHMAC, cbcHMAC, ctrHMAC

  /// NetBSD's scripts have keys of the letter a, and no integrity.
  func words(_ key: Character = "a") -> String {
    func text(_ count: Int) -> String { "\"" + String(repeating: key, count: count) + "\"" }
    let hmac = " -A hmac-sha256 \(text(32))"
    return switch self {
    case .null: "-E null"
    case .cbc: "-E rijndael-cbc \(text(16))"
    case .gcm: "-E aes-gcm-16 \(text(20))"
    case .nullHMAC: "-E null" + hmac
    case .cbcHMAC: "-E rijndael-cbc \(text(32))" + hmac
    case .ctrHMAC: "-E aes-ctr \(text(20))" + hmac
    }
  }
}

/// Two routers with a cable between them, each with a LAN address of its own and an ipsec interface to the other.
struct IPsecHosts {
  let near: TunnelHost
  let far: TunnelHost
  let wan: (LinkEnd, LinkEnd)
  let outerIsIPv6: Bool

  init(outerIsIPv6: Bool = false, queues: Int = 1) throws {
    self.outerIsIPv6 = outerIsIPv6
    let (a, b) = (try Host("near"), try Host("far"))
    wan = try Host.link(a, "wan0", b, "wan0", net: 1, ipv6: true)
    for (host, four, six) in [(a, GifHosts.lan4.0, GifHosts.lan6.0), (b, GifHosts.lan4.1, GifHosts.lan6.1)] {
      try host.ip("addr add \(four)/24 dev lo")
      try host.ip("addr add \(six)/64 dev lo nodad")
    }
    near = try TunnelHost(a, queues: queues)
    far = try TunnelHost(b, queues: queues)
    for host in [near, far] { host.keys.permitsNoAuth = true }
  }

  var outer: (String, String) { outerIsIPv6 ? (wan.0.ipv6, wan.1.ipv6) : (wan.0.ipv4, wan.1.ipv4) }

  /// ipsec0 on both sides, with inner addresses and routes to the other's LAN. No associations.
  func tunnel(innerIsIPv6: Bool = false, ports: (UInt16, UInt16)? = nil) throws {
    for (host, outer, inner, otherLAN) in [
      (near, outer, innerIsIPv6 ? GifHosts.inner6 : GifHosts.inner4, innerIsIPv6 ? "fc00:2::/64" : "192.168.2.0/24"),
      (
        far, (outer.1, outer.0),
        innerIsIPv6 ? (GifHosts.inner6.1, GifHosts.inner6.0) : (GifHosts.inner4.1, GifHosts.inner4.0),
        innerIsIPv6 ? "fc00:1::/64" : "192.168.1.0/24"
      ),
    ] {
      if !host.engine.names.contains("ipsec0") { try host.create("ipsec0") }
      if let ports {
        let (own, peer) = host === near ? ports : (ports.1, ports.0)
        try host.perform("ipsec0", .link(0, true), .tunnel(outer.0, own, outer.1, peer))
      } else {
        try host.perform("ipsec0", .tunnel(outer.0, outer.1))
      }
      try host.perform("ipsec0", .address(inner.0, innerIsIPv6 ? 128 : 32, to: inner.1))
      try host.host.ip("route replace \(otherLAN) dev ipsec0")
    }
  }

  /// Associations in both directions for both families, bound to the policies of ipsec0.
  /// - Parameter options: words of setkey between mode and algorithm.
  func associations(
    _ transform: Transform, spi: UInt32 = 10000, ports: (UInt16, UInt16)? = nil, options: String = ""
  ) throws {
    for host in [near, far] {
      var text = ""
      for (upper, offset) in [(4, 0), (41, 10)] as [(UInt8, UInt32)] {
        for isNearOut in [true, false] {
          let direction: PolicyDirection = isNearOut == (host === near) ? .outbound : .inbound
          let (source, destination) = isNearOut ? outer : (outer.1, outer.0)
          let number = spi + offset + (isNearOut ? 0 : 1)
          // Each has a key of its own.
          let letter = Character(UnicodeScalar(UInt8(97 + (offset + (isNearOut ? 0 : 1)) % 26)))
          if let ports {
            if upper == 41 { continue }
            let (a, b) = isNearOut ? ports : (ports.1, ports.0)
            text +=
              "add \(source) [\(a)] \(destination) [\(b)] esp-udp \(number) -m transport \(options) \(transform.words(letter)) ;\n"
          } else {
            let reqid = try host.reqid(direction, upper: upper)
            text +=
              "add \(source) \(destination) esp \(number) -u \(reqid) -m transport \(options) \(transform.words(letter)) ;\n"
          }
        }
      }
      let errors = try host.setkey(text)
      #expect(errors.allSatisfy { $0 == 0 }, "\(errors) \(text)")
    }
  }

  func flush() throws { for host in [near, far] { #expect(try host.setkey("flush ;") == [0]) } }

  func lan(ipv6: Bool) -> (String, String) { ipv6 ? GifHosts.lan6 : GifHosts.lan4 }

  /// Whether a packet gets through and back, asked from both sides.
  func pings(innerIsIPv6: Bool, wait: Double = 5) throws -> [Bool] {
    let (a, b) = lan(ipv6: innerIsIPv6)
    return [try near.pings(b, from: a, wait: wait), try far.pings(a, from: b, wait: wait)]
  }
}

extension IPsecHosts {
  /// What went wrong last, on both sides.
  var troubles: String {
    [near, far].map { (try? $0.status("ipsec0").lastError) ?? "-" }.joined(separator: "; ")
  }
}
