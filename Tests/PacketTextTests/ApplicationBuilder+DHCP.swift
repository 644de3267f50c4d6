// DHCP messages of both versions, valid and odd.

extension ApplicationBuilder {
  mutating func dhcp() -> [UInt8] {
    let hardware: [UInt8] = rarely(6) ? [base.byte(), base.byte()] : [1, 6]
    var message = [base.oneOf([1, 1, 2, 2, 3, base.byte()])] + hardware + [rarely(4) ? base.byte() : 0]
    message += base.oneOf([be32(0), base.some(4)]) + base.oneOf([[0, 0], [0, 5], base.some(2)])
    message += base.oneOf([[0, 0], [0x80, 0], base.some(2)])
    for _ in 0..<4 { message += base.oneOf([[0, 0, 0, 0], base.some(4)]) }
    message += base.some(16)
    message += rarely(4) ? letters(64) : filled(64)
    message += rarely(8) ? letters(128) : filled(128)
    switch base.below(12) {
    case 0: return message + [0x43, 0x4d, 0x55, 0] + vendorAddresses()
    case 1: return message + base.oneOf([[0, 0, 0, 0], base.some(4)]) + base.some(60)
    default: break
    }
    message += [0x63, 0x82, 0x53, 0x63]
    for _ in 0..<base.below(9) { message += option() }
    if !rarely(8) { message.append(255) }
    return message + (rarely(3) ? [UInt8](repeating: 0, count: base.below(20)) : []) + base.some(rarely(8) ? 5 : 0)
  }

  /// Text, then zeros.
  private mutating func filled(_ size: Int) -> [UInt8] {
    let text = letters(rarely(3) ? base.below(size) : 0)
    return text + [UInt8](repeating: 0, count: size - text.count)
  }

  private mutating func vendorAddresses() -> [UInt8] {
    [base.oneOf([0, 1, base.byte()])] + base.some(3)
      + (0..<8).flatMap { _ in base.oneOf([[0, 0, 0, 0], base.some(4)]) } + base.some(24)
  }

  private mutating func option() -> [UInt8] {
    let special = [46, 52, 53, 53, 55, 61, 77, 81, 82, 121, 249, 0, 0]
    let tag = UInt8(base.below(2) == 0 ? base.oneOf(special) : base.below(256))
    if tag == 0 || tag == 255 { return [UInt8](repeating: tag, count: 1 + base.below(3)) }
    var data: [UInt8]
    switch tag {
    case 46, 52: data = [UInt8(base.below(10))]
    case 53: data = [UInt8(base.below(16))]
    case 61: data = [base.oneOf([0, 1, 6, 7, 15, 23, 24, base.byte()])] + letters(base.below(9))
    case 77: data = (0..<1 + base.below(3)).flatMap { _ in text(base.below(9)) }
    case 81:
      data = [base.oneOf([0, 1, 5, 15, base.byte()])] + base.oneOf([[0, 0], base.some(2)]) + letters(base.below(9))
    case 82:
      data = (0..<base.below(4)).flatMap { _ in
        [base.oneOf([1, 2, 6, base.byte()])] + text(base.oneOf([base.below(9), 35]))
      }
    case 121, 249:
      data = (0..<1 + base.below(3)).flatMap { _ in
        let width = base.oneOf([0, 8, 17, 24, 32, base.below(36)])
        return [UInt8(width)] + base.some((width + 7) / 8 + 4)
      }
    default: data = rarely(2) ? base.some(base.oneOf([1, 2, 4, 8, 16])) : letters(base.below(20))
    }
    if rarely(8) { data = base.some(base.below(14)) }
    return [tag, UInt8(rarely(25) ? base.below(256) : data.count)] + data
  }

  mutating func dhcp6() -> [UInt8] {
    let type = UInt8(base.oneOf([1, 2, 3, 7, 11, 12, 13, base.below(18), base.below(256)]))
    var message: [UInt8] = [type]
    if type == 12 || type == 13 {
      message += [base.byte()] + base.ipv6Address() + base.ipv6Address()
    } else {
      message += base.some(3)
    }
    for _ in 0..<base.below(6) { message += option6(depth: 0) }
    return message + (rarely(10) ? base.some(base.below(6)) : [])
  }

  /// Options of this and the next level.
  private mutating func options6(depth: Int) -> [UInt8] {
    depth > 4 ? [] : (0..<base.below(3)).flatMap { _ in option6(depth: depth + 1) }
  }

  private mutating func option6(depth: Int) -> [UInt8] {
    let tag = rarely(12) ? base.below(130) : base.oneOf(Self.tags)
    var data: [UInt8]
    switch tag {
    case 1, 2: data = base.be16(base.oneOf([1, 2, 3, 4])) + base.some(base.oneOf([0, 2, 4, 8, 12]))
    case 3, 25: data = base.some(12) + options6(depth: depth)
    case 4: data = base.some(4) + options6(depth: depth)
    case 5: data = base.ipv6Address() + base.some(8) + options6(depth: depth)
    case 6, 43: data = (0..<base.below(5)).flatMap { _ in base.be16(base.below(120)) }
    case 7: data = base.some(1)
    case 8: data = base.some(2)
    case 9: data = depth > 4 ? [] : dhcp6()
    case 11:
      data = [base.oneOf([2, 3, base.byte()]), base.oneOf([1, base.byte()]), base.oneOf([0, base.byte()])]
      data += base.some(8) + base.oneOf([[], base.some(20), base.some(26), [UInt8(base.below(4))] + base.some(16)])
    case 13: data = base.be16(base.oneOf([base.below(14), base.below(300)])) + letters(base.below(9))
    case 18, 38, 15, 16, 17: data = letters(base.below(15))
    case 19: data = [UInt8(base.oneOf([5, 11, base.below(256)]))]
    case 21, 24: data = (0..<base.below(3)).flatMap { _ in name(in: [UInt8](repeating: 0, count: 40)) }
    case 22, 23, 27, 28, 31, 34, 40, 48: data = (0..<base.below(3)).flatMap { _ in base.ipv6Address() }
    case 26: data = base.some(9) + base.ipv6Address() + options6(depth: depth)
    case 32, 46: data = base.some(4)
    case 37: data = base.some(4) + base.some(base.below(15))
    case 41, 42, 112: data = letters(5 + base.below(15)) + [UInt8](repeating: 0, count: base.below(3))
    case 44: data = [UInt8(base.below(4))] + base.ipv6Address() + options6(depth: depth)
    case 45: data = options6(depth: depth)
    case 47: data = base.ipv6Address() + base.some(base.below(15))
    case 56: data = (0..<base.below(4)).flatMap { _ in timeServer() }
    case 64: data = (0..<base.below(4)).flatMap { _ in text(base.below(9)) } + [0]
    default: data = base.some(base.below(20))
    }
    if rarely(12) { data = base.some(base.below(30)) }
    return base.be16(tag) + base.be16(rarely(40) ? base.below(60) : data.count) + data
  }

  private static let tags =
    Array(1...9) + Array(11...48) + [56, 56, 64, 64, 112, 3, 3, 4, 5, 25, 26, 44, 45, 9, 9, 24, 21]

  private mutating func timeServer() -> [UInt8] {
    let code = base.oneOf([1, 2, 3, 3, 4])
    let data = code == 3 ? name(in: [UInt8](repeating: 0, count: 40)) : base.some(rarely(5) ? base.below(20) : 16)
    return base.be16(code) + base.be16(rarely(20) ? base.below(30) : data.count) + data
  }
}
