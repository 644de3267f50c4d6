// Packets of DNS, DHCP, DHCPv6 and NTP, valid and odd, made from a deterministic generator.

/// The protocols that ``ApplicationBuilder`` makes.
enum Application: String, CaseIterable, Sendable {
  case dns, multicastDNS, dnsOverTCP, dhcp, dhcp6, ntp
}

/// Builds IP packets whose payload is of one application.
struct ApplicationBuilder {
  var base: FrameBuilder

  init(seed: UInt64) { base = FrameBuilder(seed: seed) }

  /// One in `chances`.
  mutating func rarely(_ chances: Int) -> Bool { base.below(chances) == 0 }

  func be32(_ value: Int) -> [UInt8] { base.be16(value >> 16) + base.be16(value) }

  mutating func message(_ application: Application) -> [UInt8] {
    switch application {
    case .dns: return dns(isMulticast: false)
    case .multicastDNS: return dns(isMulticast: true)
    case .dnsOverTCP:
      let message = dns(isMulticast: false)
      if rarely(20) { return base.some(base.below(3)) }
      return base.be16(rarely(10) ? base.below(200) : message.count) + message
    case .dhcp: return dhcp()
    case .dhcp6: return dhcp6()
    case .ntp: return ntp()
    }
  }

  /// A packet with a message of the application, most of them to or from a port that nobody else has.
  mutating func packet(_ application: Application) -> [UInt8] {
    packet(application, payload: message(application))
  }

  mutating func packet(_ application: Application, payload: [UInt8]) -> [UInt8] {
    let ports: [Int] =
      switch application {
      case .dns, .dnsOverTCP: [53]
      case .multicastDNS: [5353]
      case .dhcp: [67, 68]
      case .dhcp6: [546, 547]
      case .ntp: [123]
      }
    let known = base.be16(base.oneOf(ports))
    var other = rarely(4) ? base.be16(base.oneOf(ports)) : base.port()
    // Of two protocols the printer must choose the one that tcpdump does.
    if rarely(30), application != .dnsOverTCP { other = base.be16(base.oneOf([53, 5353, 67, 123, 547])) }
    let both = base.below(2) == 0 ? known + other : other + known
    if application == .dnsOverTCP {
      // No reset: tcpdump prints its payload as text.
      let flags = base.oneOf([0x18, 0x10, 0x19]) as UInt8
      // Without a payload there is nothing of DNS in a line.
      return ip(6, both + base.some(8) + [0x50, flags] + base.some(6) + (payload.isEmpty ? [0] : payload))
    }
    let length = rarely(12) ? base.below(payload.count + 20) : payload.count + 8
    return ip(17, both + base.be16(length) + [0, 0] + payload + (rarely(12) ? base.some(9) : []))
  }

  /// An ICMP error that quotes the first bytes of such a packet, some with an extension behind them.
  mutating func quoted(_ application: Application) -> [UInt8] {
    var packet = packet(application)
    while packet[0] >> 4 != 4 { packet = self.packet(application) }
    var message: [UInt8] = [base.oneOf([3, 3, 11, 12]), UInt8(base.below(4))] + base.some(2) + [0, 32, 0, 0]
    if rarely(2) {
      message += packet.prefix(28 + base.below(packet.count))
    } else {
      message += packet.prefix(128) + [UInt8](repeating: 0, count: max(0, 128 - packet.count))
      message += [0x20, 0] + base.some(2) + [0, 8, 1, 1] + base.some(4)
    }
    return ip4(1, message)
  }

  private mutating func ip(_ transport: UInt8, _ payload: [UInt8]) -> [UInt8] {
    if rarely(3) {
      return [0x60, 0, 0, 0] + base.be16(payload.count) + [transport, 64] + base.ipv6Address() + base.ipv6Address()
        + payload
    }
    return ip4(transport, payload)
  }

  private mutating func ip4(_ transport: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let fragment: UInt8 = rarely(12) ? 0x20 : 0x40
    return [0x45, 0] + base.be16(20 + payload.count) + base.some(2) + [fragment, 0, 64, transport] + base.some(2)
      + base.ipv4Address() + base.ipv4Address() + payload
  }

  /// Letters, some of them not visible.
  mutating func letters(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in rarely(12) ? base.byte() : UInt8(0x61 + base.below(26)) }
  }

  mutating func ntp() -> [UInt8] {
    let mode = UInt8(base.below(8))
    let first = mode | UInt8(base.below(8)) << 3 | UInt8(base.below(4)) << 6
    if mode >= 6 {
      let count = base.below(40)
      return [first] + base.some(9) + base.be16(rarely(3) ? base.below(80) : count) + base.some(count + base.below(5))
    }
    let stratum: UInt8 = base.oneOf([0, 1, 2, 3, 15, 16, 62, 63, base.byte()])
    let poll: UInt8 = base.oneOf([6, 0, 10, 31, 32, 0xe0, 0xe1, 0xff, base.byte()])
    var stamps: [UInt8] = []
    let now = base.some(4)
    for _ in 0..<4 {
      switch base.below(5) {
      case 0: stamps += [UInt8](repeating: 0, count: 8)
      case 1, 2: stamps += now + base.some(4)
      case 3: stamps += now + [0x40, 0, 0, base.byte() & 1]
      default: stamps += base.some(8)
      }
    }
    let text: [UInt8] = base.oneOf([Array("GPS".utf8) + [0], Array("PPS".utf8) + [0x80], base.some(4)])
    return [first, stratum, poll, base.byte()] + base.some(8) + text + stamps
      + base.some(base.oneOf([0, 0, 0, 4, 20, 24, base.below(70)]))
  }
}
