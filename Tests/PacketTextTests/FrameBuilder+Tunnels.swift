// Packets inside packets, IPsec, and multicast management, for FrameBuilder.

extension FrameBuilder {
  /// A protocol number of IP and what it carries.
  mutating func tunnel() -> (UInt8, [UInt8]) {
    switch below(12) {
    case 0...3: (2, igmp())
    case 4...6: (47, gre())
    case 7: (50, some(below(30)))
    case 8...9: authenticated()
    case 10: (oneOf([108, 115]), some(below(12)))
    default: below(2) == 0 ? (4, ipv4()) : (41, ipv6())
    }
  }

  /// AH and what follows it.
  mutating func authenticated() -> (UInt8, [UInt8]) {
    let words = oneOf([4, 4, 4, 1, 0, 10])
    let (next, payload) = below(3) == 0 ? (UInt8(6), tcp()) : below(3) == 0 ? (UInt8(17), udp()) : tunnel()
    let reserved: [UInt8] = below(4) == 0 ? some(2) : [0, 0]
    return (51, [next, UInt8(words)] + reserved + some(max(0, (words + 2) * 4 - 4)) + payload)
  }

  mutating func gre() -> [UInt8] {
    let version = oneOf([0, 0, 0, 0, 1, 1, 1, below(8)])
    var flags = below(3) == 0 ? below(256) << 8 & 0xf800 : oneOf([0, 0x2000, 0x3000, 0x8000, 0xb000, 0x4000])
    if version == 1 { flags = flags & 0x3000 | oneOf([0, 0x80]) }
    if below(12) == 0 { flags |= 0x78 }
    var header: [UInt8] = []
    if version == 0, flags & 0xc000 != 0 { header += some(4) }
    if flags & 0x2000 != 0 { header += some(4) }
    if flags & 0x1000 != 0 { header += some(4) }
    if version == 1, flags & 0x80 != 0 { header += some(4) }
    if version == 0, flags & 0x4000 != 0 { header += sourceRoutes() }
    let (type, payload) = version == 1 ? pptp() : grePayload()
    return be16(flags | version) + be16(type) + header + payload
  }

  private mutating func grePayload() -> (Int, [UInt8]) {
    switch below(8) {
    case 0...2: (0x0800, ipv4())
    case 3...4: (0x86dd, ipv6())
    case 5: (0x6558, ethernet())
    default: (oneOf([0x88be, 0x880b, 0x0806, 0x1234, 0]), some(below(20)))
    }
  }

  private mutating func pptp() -> (Int, [UInt8]) {
    if below(5) == 0 { return (oneOf([0x0800, 0x1234]), some(8)) }
    let address: [UInt8] = oneOf([[], [0xff, 3], [0xff, 3], [0, 3], [1, 3]])
    let (number, payload): ([UInt8], [UInt8]) =
      switch below(6) {
      case 0: ([0x21], ipv4())
      case 1: (oneOf([[0, 0x21], [0, 0x2f], [8, 0]]), ipv4())
      case 2: (oneOf([[0x57], [0, 0x57], [0x86, 0xdd]]), ipv6())
      case 3: ([0, 0xfd], some(20))
      case 4: (oneOf([[0x25], [2, 1], [0x80, 0x29], [0xc2, 0x27]]), some(below(40)))
      default: ([oneOf([2, 0x40, 0x90]), byte()], some(below(40)))
      }
    return (0x880b, address + number + payload)
  }

  private mutating func sourceRoutes() -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<below(3) {
      let count = oneOf([4, 8, 8, 12, 6, 3, 0])
      let position = oneOf([0, 4, 8, 2, 5])
      bytes +=
        be16(oneOf([0x0800, 0x0800, 0xfffe, 0xfffe, 0x1234])) + [UInt8(position), UInt8(count)] + some(count)
    }
    return bytes + (below(6) == 0 ? some(2) : [0, 0, 0, 0])
  }

  mutating func igmp() -> [UInt8] {
    let code = oneOf([0, 100, 10, 127, 128, 200, 255, byte()])
    let group: [UInt8] = below(3) == 0 ? [0, 0, 0, 0] : [224, 0, 0, byte()]
    var bytes: [UInt8]
    switch below(14) {
    case 0...1: bytes = [0x11, code, 0, 0] + group
    case 2...3:
      let sources = below(4)
      bytes =
        [0x11, code, 0, 0] + group + some(2) + be16(below(6) == 0 ? below(500) : sources) + some(4 * sources)
    case 4: bytes = [oneOf([0x12, 0x16, 0x17]), code, 0, 0] + group
    case 5...7:
      let groups = below(4)
      bytes = [0x22, 0, 0, 0, 0, 0] + be16(below(6) == 0 ? below(40) : groups)
      for _ in 0..<groups {
        let sources = below(4)
        bytes += [oneOf([1, 2, 3, 4, 5, 6, byte()]), 0] + be16(below(9) == 0 ? below(400) : sources)
        bytes += [239, 1, 2, byte()] + some(4 * sources)
      }
    case 8...9: bytes = [0x13, UInt8(below(11)), 0, 0] + some(4) + dvmrp()
    case 10...11: bytes = [0x14, UInt8(below(9)), 0, 0, oneOf([0x10, 0x10, 0x20])] + some(3) + pim1()
    case 12: bytes = [oneOf([0x1e, 0x1f]), code, 0, 0] + group + ipv4Address() + ipv4Address() + group + some(4)
    default: bytes = [byte(), code, 0, 0] + group
    }
    if below(2) == 0 { bytes.replaceSubrange(2..<4, with: checksum(bytes)) }
    return below(8) == 0 ? bytes + some(below(5)) : below(12) == 0 ? Array(bytes.prefix(below(bytes.count))) : bytes
  }

  /// Lists of neighbours, routes, or addresses, whichever the type makes of it.
  private mutating func dvmrp() -> [UInt8] {
    switch below(4) {
    case 0: return some(below(30))
    case 1:
      var bytes: [UInt8] = []
      for _ in 0..<1 + below(2) {
        let count = below(3)
        bytes += ipv4Address() + [1, 64, byte(), UInt8(count)] + some(4 * count)
      }
      return bytes
    case 2:
      let count = below(3)
      return ipv4Address() + [1, 64, UInt8(count)] + some(4 * count)
    default:
      let mask: [UInt8] = oneOf([[0, 0, 0], [255, 0, 0], [255, 255, 0], [255, 255, 255]])
      let width = 1 + mask.count { $0 != 0 }
      return mask + some(width) + [3] + some(width) + [0x85]
    }
  }

  private mutating func pim1() -> [UInt8] {
    switch below(3) {
    case 0: return some(below(32))
    case 1:
      let isJoin = below(2)
      let mask: [UInt8] = oneOf([[255, 255, 255, 255], [255, 0, 0, 0]])
      return ipv4Address() + some(2) + be16(oneOf([180, 210])) + [0, 0, 0, 1, 224, 1, 1, 1] + mask
        + be16(isJoin) + be16(1 - isJoin) + some(6)
    default:
      var bytes = ipv4Address() + some(5) + [0, 0]
      let groups = below(3)
      bytes.append(UInt8(groups))
      for _ in 0..<groups {
        let joined = below(3)
        let pruned = below(3)
        bytes += [224, 1, 1, 1, 255, 255, 255, oneOf([0, 255])] + be16(joined) + be16(pruned)
        bytes += some(6 * (joined + pruned))
      }
      return bytes
    }
  }

  /// UDP to a port that says what is inside.
  mutating func udpTunnel() -> [UInt8] {
    let (number, payload): (Int, [UInt8]) =
      switch below(8) {
      case 0: (4500, [0xff])
      case 1: (4500, some(below(20)))
      case 2: (4500, [0, 0, 0, 0] + isakmp())
      case 3: (oneOf([500, 7500, 8500]), isakmp())
      case 4...5: (4789, [oneOf([8, 8, 0, byte()])] + some(7) + ethernet())
      case 6:
        (4790, [oneOf([8, 0x0c, 0, byte()])] + some(2) + [UInt8(oneOf([0, 3, 5]))] + some(4) + ethernet())
      default: (4790, [0x0c, 0, 0] + (below(2) == 0 ? [1] + some(4) + ipv4() : [2] + some(4) + ipv6()))
      }
    let known = be16(number)
    let ports = below(2) == 0 ? known + port() : below(4) == 0 ? known + be16(4789) : port() + known
    let length = below(8) == 0 ? below(payload.count + 20) : payload.count + 8
    return ports + be16(length) + some(2) + (below(10) == 0 ? Array(payload.prefix(below(12))) : payload)
  }

  mutating func isakmp() -> [UInt8] {
    let cookies: [[UInt8]] = [[UInt8](repeating: 0, count: 8), [UInt8](repeating: 7, count: 8), some(8)]
    let message: [UInt8] = below(2) == 0 ? [0, 0, 0, 0] : some(4)
    let payload = some(below(20))
    let length = below(3) == 0 ? below(300) : payload.count + 28
    let flags = oneOf([0, 1, 2, 8, 0x29, byte()])
    // The first payload is named only where it is encrypted; others would be listed with -v.
    let next = flags & 1 != 0 ? UInt8(below(52)) : 0
    let head = [next, oneOf([0x10, 0x10, 0x20, 0x20, byte()]), UInt8(below(40))]
    return oneOf(cookies) + oneOf(cookies) + head + [flags] + message + [0, 0] + be16(length) + payload
  }
}
