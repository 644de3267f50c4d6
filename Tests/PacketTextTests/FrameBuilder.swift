// Frames of the supported protocols, made from a deterministic generator.

/// Builds frames whose ports and types are inside what the printer supports.
struct FrameBuilder {
  var random: Deterministic

  init(seed: UInt64) { random = Deterministic(state: seed) }

  mutating func byte() -> UInt8 { UInt8.random(in: 0...255, using: &random) }
  mutating func some(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }
  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
  mutating func oneOf<T>(_ values: [T]) -> T { values[below(values.count)] }

  func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

  /// A few addresses, so that conversations go on.
  mutating func ipv4Address() -> [UInt8] {
    oneOf([[10, 0, 0, 1], [10, 0, 0, 2], [192, 168, 100, 200], [1, 22, 255, 9]])
  }

  mutating func ipv6Address() -> [UInt8] {
    let fixed: [[UInt8]] = [
      [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [UInt8](repeating: 0, count: 16),
      [UInt8](repeating: 0, count: 15) + [1], [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x0a, 0xbc],
      [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 1, 2, 3, 4], [UInt8](repeating: 0, count: 12) + [9, 8, 7, 6],
    ]
    if below(4) != 0 { return oneOf(fixed) }
    return (0..<16).map { _ in below(2) == 0 ? 0 : byte() }
  }

  /// Ports that tcpdump has no printer for, neither with TCP nor UDP.
  mutating func port() -> [UInt8] { be16(oneOf([40001, 40002, 40003, 45678])) }

  mutating func tcp() -> [UInt8] {
    var options: [UInt8] = []
    for _ in 0..<below(4) { options += option() }
    options = Array(options.prefix(40))
    while options.count % 4 != 0 { options.append(below(3) == 0 ? 0 : 1) }
    let flags = oneOf([0x02, 0x12, 0x10, 0x18, 0x11, 0x14, 0x04, 0x00, 0xff, byte()])
    return port() + port() + some(8) + [UInt8((20 + options.count) / 4 * 16), flags] + some(6) + options
      + some(oneOf([0, 0, 1, 5, 40]))
  }

  private mutating func option() -> [UInt8] {
    switch below(18) {
    case 0: return [1]
    case 1: return [0]
    case 2: return [2, 4] + some(2)
    case 3: return [3, 3, byte()]
    case 4: return [4, 2]
    case 5: return [5, 10] + some(8)
    case 6: return [5, 18] + some(16)
    case 7: return [1, 1, 8, 10] + some(8)
    case 8: return [oneOf([6, 7, 11, 12, 13]), 6] + some(4)
    case 9: return [19, 18] + some(16)
    case 10: return [20, 4] + some(2)
    case 11: return [28, 4] + some(2)
    case 12:
      let length = 2 + below(12)
      return [29, UInt8(length)] + some(length - 2)
    case 13:
      let length = oneOf([3, 4, 8, 10, 12, 16, 20, 22, 24, 28])
      return [30, UInt8(length), UInt8(below(9) << 4 | below(8))] + some(length - 3)
    case 14:
      let length = oneOf([2, 6, 10, 18, 5])
      return [34, UInt8(length)] + some(length - 2)
    case 15: return [254, 8, 0xf9, 0x89] + some(4)
    case 16: return [254, 6] + some(4)
    default:
      let length = 2 + below(6)
      return [oneOf([9, 77, 253, byte()]), UInt8(length)] + some(length - 2)
    }
  }

  mutating func udp() -> [UInt8] {
    let payload = some(oneOf([0, 1, 12, 100]))
    let length = below(6) == 0 ? below(200) : payload.count + 8
    return port() + port() + be16(length) + some(2) + payload
  }

  mutating func icmp() -> [UInt8] {
    let type = oneOf([0, 8, 3, 3, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, byte()])
    let inner: [UInt8] =
      [0x45] + some(8) + [oneOf([6, 17, 1, byte()])] + some(2) + ipv4Address() + ipv4Address() + some(8)
    if type == 9 { return [9, 0, 0, 0, UInt8(below(12)), oneOf([2, 2, 3])] + be16(below(9000)) + some(90) }
    return [type, UInt8(below(17))] + some(6) + inner
  }

  mutating func icmp6() -> [UInt8] {
    let type = oneOf([1, 1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 141, 142, 143, 144, 146, 200, 7])
    let inner: [UInt8] =
      [0x60] + some(5) + [oneOf([6, 17, 0, 44, 58]), 64] + ipv6Address() + ipv6Address() + [17, 0] + some(14)
    return [UInt8(type), UInt8(below(6))] + some(6) + inner
  }

  mutating func ipv4() -> [UInt8] {
    let kind = below(16)
    let number: UInt8
    let payload: [UInt8]
    switch kind {
    case 0...4: (number, payload) = (6, tcp())
    case 5...7: (number, payload) = (17, udp())
    case 8...9: (number, payload) = (1, icmp())
    case 10: (number, payload) = (oneOf([253, 254, 59, 77, 58, 143]), some(20))
    case 11...13: (number, payload) = tunnel()
    case 14: (number, payload) = (17, udpTunnel())
    default:
      (number, payload) = (4, [0x45, 0] + be16(28) + some(5) + [17] + some(2) + ipv4Address() + ipv4Address() + udp())
    }
    let options = below(5) == 0 ? [UInt8](repeating: 1, count: 4 * below(5)) : []
    let total = below(10) == 0 ? below(120) : 20 + options.count + payload.count
    let fragment = below(8) == 0 ? below(65536) : oneOf([0, 0x4000])
    return [UInt8(0x40 | (5 + options.count / 4)), byte()] + be16(total) + some(2) + be16(fragment) + [byte(), number]
      + some(2) + ipv4Address() + ipv4Address() + options + payload
  }

  mutating func ipv6() -> [UInt8] {
    var next: UInt8
    var payload: [UInt8]
    switch below(13) {
    case 0...3: (next, payload) = (6, tcp())
    case 4...5: (next, payload) = (17, udp())
    case 10...11: (next, payload) = tunnel()
    case 12: (next, payload) = (17, udpTunnel())
    case 6...7: (next, payload) = (58, icmp6())
    case 8: (next, payload) = (oneOf([253, 59, 77, 1, 2]), some(10))
    default: (next, payload) = (41, [0x60, 0, 0, 0] + be16(9) + [17, 1] + ipv6Address() + ipv6Address() + udp())
    }
    for _ in 0..<(below(3) == 0 ? 1 + below(2) : 0) {
      switch below(4) {
      case 0:
        let option: [UInt8] = oneOf([[5, 2, 0, 0, 1, 0], [1, 4, 0, 0, 0, 0], some(6), [0xc2, 4, 0, 1, 0, 0]])
        payload = [next, 0] + option + payload
        next = 0
      case 1:
        payload = [next, 0] + some(6) + payload
        next = 60
      case 2:
        payload = [next, 0] + be16(below(3) == 0 ? below(65536) : below(8)) + some(4) + payload
        next = 44
      default:
        let count = below(3)
        payload =
          [next, UInt8(2 * count), oneOf([0, 2, 4, 3]), byte(), byte(), byte(), byte(), byte()]
          + (0..<count).flatMap { _ in ipv6Address() } + payload
        next = 43
      }
    }
    let length = below(10) == 0 ? below(120) : payload.count
    return [0x60, byte(), byte(), byte()] + be16(length) + [next, byte()] + ipv6Address() + ipv6Address() + payload
  }

  mutating func arp() -> [UInt8] {
    let hardwareLength = below(8) == 0 ? below(9) : 6
    let networkLength = below(8) == 0 ? below(6) : 4
    let hardware = oneOf([1, 1, 1, 6, 7, 24, 32, 77])
    let operation = oneOf([1, 1, 2, 2, 3, 4, 8, 9, 10, below(300)])
    let addresses =
      some(hardwareLength + networkLength)
      + (below(2) == 0 ? some(hardwareLength) : [UInt8](repeating: 0, count: hardwareLength)) + some(networkLength)
    return be16(hardware) + be16(oneOf([0x800, 0x800, 0x800, 0x1000, 0x86dd, 0x7777]))
      + [UInt8(hardwareLength), UInt8(networkLength)] + be16(operation) + addresses
  }

  mutating func llc() -> [UInt8] {
    switch below(4) {
    case 0: return [0xaa, 0xaa, 3, 0, 0, 0] + be16(0x800) + ipv4()
    case 1:
      return [0xaa, 0xaa, 3] + oneOf([[0, 0, 0], [0, 0, 0xf8], [8, 0, 7], [0, 0x12, 0xbb], some(3)]) + be16(0x9999)
        + some(9)
    case 2: return [6, 6, 3] + ipv4()
    default:
      return [oneOf([0, 4, 0x0e, 0x42, 0x12, 0x7e]), oneOf([0, 4, 5, 0x0f, 0x13]), byte(), byte()] + some(below(12))
    }
  }

  mutating func ethernet() -> [UInt8] {
    var tags: [UInt8] = []
    if below(6) == 0 {
      for _ in 0..<1 + below(2) { tags += be16(oneOf([0x8100, 0x88a8, 0x9100, 0x9200])) + some(2) }
    }
    let addresses = some(12) + tags
    switch below(16) {
    case 0...6: return addresses + be16(0x800) + ipv4()
    case 7...10: return addresses + be16(0x86dd) + ipv6()
    case 11...12: return addresses + be16(oneOf([0x806, 0x806, 0x8035])) + arp()
    case 13: return addresses + be16(oneOf([0x88b5, 0x6004, 0x1234, 0x0600])) + some(below(60))
    case 14: return addresses + be16(0x8870) + llc()
    default:
      let payload = llc()
      return addresses + be16(below(4) == 0 ? below(40) : payload.count) + payload + some(below(20))
    }
  }

  /// A frame of the link type, as in a savefile of it.
  mutating func frame(_ linkType: Int32) -> [UInt8] {
    switch linkType {
    case 1: return ethernet()
    case 101: return below(2) == 0 ? ipv4() : ipv6()
    case 0, 108:
      let family: [UInt8] = oneOf([
        [2, 0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 24], [28, 0, 0, 0], [30, 0, 0, 0], [6, 0, 0, 0],
      ])
      return family + (family.contains(2) ? ipv4() : ipv6())
    case 113:
      let (type, payload) = cookedPayload()
      return be16(below(6)) + be16(1) + be16(oneOf([6, 6, 0])) + some(8) + type + payload
    default:
      let (type, payload) = cookedPayload()
      return type + [0, 0, 0, 0] + be16(40000 + below(3)) + be16(1) + [UInt8(below(6)), oneOf([6, 6, 0])] + some(8)
        + payload
    }
  }

  private mutating func cookedPayload() -> ([UInt8], [UInt8]) {
    switch below(8) {
    case 0...2: (be16(0x800), ipv4())
    case 3...4: (be16(0x86dd), ipv6())
    case 5: (be16(0x806), arp())
    case 6: (be16(oneOf([0x8100, 4])), [0x12, 0x34] + be16(0x800) + ipv4())
    default: (be16(oneOf([4, 9, 0x88b5])), llc())
    }
  }
}
