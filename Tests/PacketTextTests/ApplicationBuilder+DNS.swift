// DNS messages, valid and odd.

extension ApplicationBuilder {
  mutating func dns(isMulticast: Bool) -> [UInt8] {
    var message = base.some(2)
    let isResponse = base.below(2) == 0
    var flags = (isResponse ? 0x8000 : 0) | base.oneOf([0, 0x0100, 0x0180, 0x0400, 0x0020, 0x0010, 0x0200, 3, 0])
    if rarely(6) { flags = flags & 0x8000 | base.below(0x8000) }
    if rarely(8) { flags |= base.below(16) << 11 }
    message += base.be16(flags)
    var counts = [base.oneOf([1, 1, 1, 0, 2]), isResponse ? base.below(4) : 0, 0, 0]
    if rarely(3) || isResponse { counts[2] = base.below(3) }
    if rarely(2) { counts[3] = 1 + base.below(2) }
    if rarely(8) { counts[1] = base.below(3) }
    for count in counts { message += base.be16(rarely(60) ? base.below(65536) : count) }
    for _ in 0..<counts[0] {
      message += name(in: message) + recordType() + recordClass(isMulticast: isMulticast)
    }
    for section in 1...3 {
      for _ in 0..<counts[section] { message += record(in: message, isMulticast: isMulticast, isLast: section == 3) }
    }
    return message + (rarely(10) ? base.some(base.below(6)) : [])
  }

  private mutating func recordType() -> [UInt8] {
    base.be16(base.oneOf([1, 28, 12, 15, 16, 33, 255, 64, base.below(60), base.below(300), base.below(65536)]))
  }

  private mutating func recordClass(isMulticast: Bool) -> [UInt8] {
    let number = base.oneOf([1, 1, 1, 1, 3, 4, 255, 2, base.below(65536)])
    return base.be16(isMulticast && base.below(2) == 0 ? number | 0x8000 : number)
  }

  /// A name, some of them with a pointer into the message so far, at names or at anything.
  mutating func name(in message: [UInt8]) -> [UInt8] {
    var name: [UInt8] = []
    let count = rarely(40) ? 6 + base.below(12) : base.below(4)
    for _ in 0..<count {
      let length = rarely(20) ? 40 + base.below(24) : 1 + base.below(9)
      name += [UInt8(length)] + letters(length)
    }
    if rarely(40) {
      let bits = base.below(256)
      name += [0x41, UInt8(bits)] + base.some(((bits == 0 ? 256 : bits) + 7) / 8)
    }
    if rarely(40) { name.append(base.oneOf([0x40, 0x42, 0x7f, 0x80, 0xbf, base.byte()])) }
    switch base.below(8) {
    case 0...3: return name + [0]
    case 4, 5: return name + [0xc0, 12]
    case 6: return name + base.be16(0xc000 | base.below(max(1, message.count)))
    default: return rarely(4) ? name + base.be16(0xc000 | base.below(0x4000)) : name + [0]
    }
  }

  private mutating func record(in message: [UInt8], isMulticast: Bool, isLast: Bool) -> [UInt8] {
    let type = isLast && base.below(2) == 0 ? 41 : base.oneOf(Self.types + [base.below(300)])
    let owner = type == 41 && !rarely(10) ? [0] : name(in: message)
    var kind = base.be16(type)
    if type == 41 {
      kind += base.be16(base.oneOf([512, 1232, 4096, 0x8123])) + [base.oneOf([0, 0, 1, base.byte()]), 0]
      kind += base.oneOf([[0, 0], [0x80, 0]])
    } else {
      kind += recordClass(isMulticast: isMulticast)
      kind += base.oneOf([be32(0), be32(base.below(100)), be32(base.below(1 << 20)), base.some(4)])
    }
    let before = message + owner + kind + [0, 0]
    let data = data(of: type, in: before)
    let length = rarely(30) ? base.below(40) : data.count
    return owner + kind + base.be16(length) + data
  }

  private static let types = [1, 1, 2, 5, 6, 12, 15, 16, 28, 28, 33, 38, 39, 104, 250, 256, 46, 65]

  private mutating func data(of type: Int, in message: [UInt8]) -> [UInt8] {
    if rarely(25) { return base.some(base.below(30)) }
    switch type {
    case 1: return base.some(4)
    case 28: return base.ipv6Address()
    case 2, 5, 12, 39: return name(in: message)
    case 6: return name(in: message) + name(in: message) + base.some(20)
    case 15: return base.some(2) + name(in: message)
    case 16: return (0..<1 + base.below(3)).flatMap { _ in text(base.below(20)) }
    case 33: return base.some(6) + name(in: message)
    case 38:
      let bits = base.oneOf([0, 64, 128, 129, 7, 61, base.below(256)])
      return [UInt8(bits)] + base.some(16 - min(16, bits / 8)) + (bits > 0 ? name(in: message) : [])
    case 41: return (0..<base.oneOf([0, 1, 1, 3])).flatMap { _ in option() }
    case 104: return letters(base.below(20))
    case 250:
      let code = base.below(20)
      return name(in: message) + base.some(8) + base.be16(code) + base.some(code) + base.some(6)
    case 256: return base.some(4) + letters(base.below(20))
    default: return base.some(base.below(30))
    }
  }

  mutating func text(_ count: Int) -> [UInt8] { [UInt8(count)] + letters(count) }

  /// An EDNS option.
  private mutating func option() -> [UInt8] {
    let code = base.oneOf([1, 2, 3, 5, 6, 7, 8, 8, 8, 9, 10, 10, 11, 12, 13, 14, 15, 16, 17, base.below(65536)])
    var data: [UInt8]
    switch code {
    case 5: data = (0..<base.below(5)).map { _ in UInt8(base.oneOf([base.below(18), 252 + base.below(4)])) }
    case 6, 7: data = (0..<base.below(5)).map { _ in UInt8(base.below(6)) }
    case 8:
      let family = base.oneOf([1, 1, 2, 2, 3])
      let bits = base.below(family == 1 ? 33 : 129)
      data = base.be16(family) + [UInt8(bits), UInt8(base.below(130))] + base.some((bits + 7) / 8)
    case 9: data = base.some(4)
    case 10: data = base.some(base.oneOf([8, 16, 24, 40, 41, 7, 12]))
    case 11: data = base.some(2)
    case 12: data = [UInt8](repeating: 0, count: base.below(30))
    case 13: data = name(in: [])
    case 14: data = base.some(2 * base.below(4))
    default: data = base.some(base.below(12))
    }
    if rarely(10) { data = base.some(base.below(20)) }
    return base.be16(code) + base.be16(rarely(30) ? base.below(30) : data.count) + data
  }
}
