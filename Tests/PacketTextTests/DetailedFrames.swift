// Frames whose details only -v shows: checksums right and wrong, IP options, extension headers, neighbour discovery.

extension FrameBuilder {
  /// The Internet checksum of `bytes`, word by word.
  func checksum(_ bytes: [UInt8]) -> [UInt8] {
    var sum = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += Int(bytes[index]) << 8 | (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return be16(0xffff - sum)
  }

  /// A segment with its checksum at `offset` made right, seven times of eight.
  mutating func finish(_ segment: [UInt8], at offset: Int, pseudoHeader: [UInt8]) -> [UInt8] {
    var segment = segment
    if below(8) == 0 || segment.count < offset + 2 { return segment }
    segment.replaceSubrange(offset..<offset + 2, with: [0, 0])
    if below(10) == 0 { return segment }
    segment.replaceSubrange(offset..<offset + 2, with: checksum(pseudoHeader + segment))
    return segment
  }

  private mutating func ipv4Option() -> [UInt8] {
    let kind = oneOf([0, 1, 1, 7, 7, 68, 68, 68, 82, 130, 131, 137, 148, 148, byte()])
    if kind < 2 { return [kind] }
    let length = oneOf([3, 4, 7, 8, 11, 12, 20, 2 + below(12)])
    if kind == 148 { return oneOf([[148, 4, 0, 0], [148, 4, 1, 2], [148, 3, 0], [148, 6, 0, 9, 0, 0]]) }
    let pointer = oneOf([4, 5, 8, 9, 12, 13, UInt8(below(24))])
    return [kind, below(12) == 0 ? byte() : UInt8(length), pointer, oneOf([0, 1, 3, 0x10, 0x21, byte()])]
      + some(max(0, length - 4))
  }

  mutating func detailedIPv4() -> [UInt8] {
    var options: [UInt8] = []
    if below(3) == 0 {
      for _ in 0..<1 + below(3) { options += ipv4Option() }
      options = Array(options.prefix(40))
      while options.count % 4 != 0 { options.append(below(3) == 0 ? 0 : 1) }
    }
    let source = ipv4Address()
    let destination = ipv4Address()
    // The last address of a source route is the one that counts.
    var last = destination
    if let route = options.firstIndex(where: { $0 == 131 || $0 == 137 }), route == 0, options[1] >= 7,
      Int(options[1]) <= options.count
    {
      last = Array(options[Int(options[1]) - 4..<Int(options[1])])
    }
    var payload: [UInt8]
    let number: UInt8
    switch below(12) {
    case 0...4: (number, payload) = (6, below(6) == 0 ? reset() : tcp())
    case 5...7: (number, payload) = (17, udp())
    case 8...10: (number, payload) = (1, below(3) == 0 ? extendedICMP() : icmp())
    default: (number, payload) = (oneOf([4, 253, 59]), [0x45, 0] + be16(28) + some(16) + some(8))
    }
    let pseudoHeader = source + last + [0, number] + be16(payload.count)
    switch number {
    case 6: payload = finish(payload, at: 16, pseudoHeader: pseudoHeader)
    case 17:
      if below(4) != 0 { payload.replaceSubrange(4..<6, with: be16(payload.count)) }
      payload = finish(payload, at: 6, pseudoHeader: pseudoHeader)
    case 1: payload = finish(payload, at: 2, pseudoHeader: [])
    default: break
    }
    let total = below(12) == 0 ? below(120) : 20 + options.count + payload.count
    let fragment = below(6) == 0 ? below(65536) : oneOf([0, 0x4000, 0x8000, 0x2000])
    let header =
      [UInt8(0x40 | (5 + options.count / 4)), oneOf([0, byte()])] + be16(total) + some(2) + be16(fragment)
      + [oneOf([0, 1, 64, byte()]), number] + [0, 0] + source + destination + options
    return finish(header, at: 10, pseudoHeader: []) + payload
  }

  /// A reset that says why.
  private mutating func reset() -> [UInt8] {
    port() + port() + some(8) + [0x50, oneOf([0x04, 0x14])] + some(6) + some(oneOf([0, 3, 30, 31, 60]))
  }

  /// An error with a quoted packet and extensions behind it.
  private mutating func extendedICMP() -> [UInt8] {
    var quoted = Array(detailedIPv4Quoted().prefix(128))
    quoted += [UInt8](repeating: 0, count: 128 - quoted.count)
    var objects: [UInt8] = []
    for _ in 0..<below(4) {
      let data = oneOf([0, 4, 4, 8, 5])
      objects +=
        be16(below(8) == 0 ? below(30) : data + 4) + [oneOf([0, 1, 1, 1, 2, 3]), oneOf([1, 1, 2])] + some(data)
    }
    let start = oneOf([0x20, 0x20, 0x20, 0x10])
    let extensions = finish([UInt8(start), 0, 0, 0] + objects, at: 2, pseudoHeader: [])
    return [oneOf([3, 11, 12, 4]), UInt8(below(3)), 0, 0, 0, oneOf([0, 32]), 0, 0] + quoted + extensions
  }

  private mutating func detailedIPv4Quoted() -> [UInt8] {
    let payload = oneOf([tcp(), udp(), some(8)])
    let header =
      [0x45, 0] + be16(20 + payload.count) + some(4) + [64, oneOf([6, 17, 1])] + [0, 0] + ipv4Address() + ipv4Address()
    return finish(header, at: 10, pseudoHeader: []) + payload
  }

  private mutating func discoveryOption() -> [UInt8] {
    let kind = oneOf([1, 2, 3, 3, 4, 5, 7, 8, 24, 24, 24, 25, 25, 31, 31, 14, byte()])
    var units: Int
    switch kind {
    case 3: units = oneOf([4, 4, 4, 3])
    case 24: units = oneOf([1, 2, 3, 4])
    case 25: units = oneOf([1, 3, 5, 2])
    case 31: units = oneOf([2, 3, 4])
    default: units = oneOf([1, 1, 1, 2, 3])
    }
    if below(20) == 0 { units = below(5) }
    var option = [UInt8(kind), UInt8(units)] + some(max(0, units * 8 - 2))
    if kind == 31, units > 1 {
      let name: [UInt8] =
        oneOf([
          [3, 97, 98, 99, 2, 100, 101, 0], [1, 0x80, 0, 1, 7, 0], [1, 97, 0xc0, 8], [0x41, 12, 9, 9, 0], some(6),
        ])
      option.replaceSubrange(8..., with: Array((name + [UInt8](repeating: 0, count: units * 8)).prefix(units * 8 - 8)))
    }
    if below(6) == 0, units > 0 { option.replaceSubrange(4..<8, with: [255, 255, 255, 255]) }
    return option
  }

  private mutating func discovery() -> [UInt8] {
    var message: [UInt8]
    switch below(12) {
    case 0: message = [133, 0, 0, 0] + some(4)
    case 1...3: message = [134, 0, 0, 0] + some(12)
    case 4...5: message = [135, 0, 0, 0] + some(4) + ipv6Address()
    case 6...7: message = [136, 0, 0, 0] + [byte()] + some(3) + ipv6Address()
    case 8: message = [137, 0, 0, 0] + some(4) + ipv6Address() + ipv6Address()
    case 9: message = [147, 0, 0, 0] + some(4)
    case 10:
      return [145, 0, 0, 0] + some(4) + (0..<below(3)).flatMap { _ in ipv6Address() } + some(oneOf([0, 0, 5]))
    default: return listeners()
    }
    for _ in 0..<below(4) { message += discoveryOption() }
    return message + some(oneOf([0, 0, 0, 1, 3]))
  }

  private mutating func listeners() -> [UInt8] {
    if below(2) == 0 {
      let count = below(4)
      return [130, 0, 0, 0] + some(4) + ipv6Address() + some(2) + be16(below(6) == 0 ? 9 : count)
        + (0..<count).flatMap { _ in ipv6Address() }
    }
    let count = below(4)
    var message: [UInt8] = [143, 0, 0, 0, 0, 0] + be16(below(6) == 0 ? 7 : count)
    for _ in 0..<count {
      let sources = below(3)
      message += [UInt8(below(8)), 0] + be16(below(9) == 0 ? 20 : sources) + ipv6Address()
      for _ in 0..<sources { message += ipv6Address() }
    }
    return message
  }

  private mutating func option6() -> [UInt8] {
    switch below(9) {
    case 0: return [0]
    case 1: return [1, 2, 0, 0]
    case 2: return [5, 2, 0, byte()]
    case 3: return [0xc2, 4, 0, oneOf([0, 1]), 0, 0]
    case 4: return [0xc9, 16] + ipv6Address()
    case 5: return [0xc9, 21] + ipv6Address() + oneOf([[1, 1, 0, 0, 0], [9, 3, 1, 2, 3], [0, 0, 0, 1, 9]])
    case 6: return [byte(), 3] + some(3)
    case 7: return [oneOf([5, 0xc2, 0xc9]), 3] + some(3)
    default: return some(1 + below(4))
    }
  }

  private mutating func options6(_ next: UInt8) -> [UInt8] {
    var options: [UInt8] = []
    for _ in 0..<1 + below(3) { options += option6() }
    let length = (options.count + 2 + 7) / 8
    options += [UInt8](repeating: 0, count: length * 8 - 2 - options.count)
    return [next, UInt8(length - 1)] + options
  }

  mutating func detailedIPv6() -> [UInt8] {
    let source = ipv6Address()
    let destination = ipv6Address()
    var last = destination
    var headers: [(number: UInt8, bytes: [UInt8])] = []
    if below(3) == 0 {
      for _ in 0..<1 + below(2) {
        switch below(5) {
        case 0 where headers.isEmpty: headers.append((0, options6(0)))
        case 0...1: headers.append((60, options6(0)))
        case 2: headers.append((44, [0, 0] + be16(oneOf([0, 1, 0, below(65536)])) + some(4)))
        default:
          let type = oneOf([0, 2, 4])
          let count = below(3)
          let addresses = (0..<count).map { _ in ipv6Address() }
          headers.append((43, [0, UInt8(2 * count), UInt8(type), byte(), 0, 0, 0, 0] + addresses.flatMap(\.self)))
          if let final = type == 4 ? addresses.first : addresses.last { last = final }
        }
      }
    }
    var payload: [UInt8]
    let number: UInt8
    switch below(12) {
    case 0...2: (number, payload) = (6, below(6) == 0 ? reset() : tcp())
    case 3...5: (number, payload) = (17, udp())
    case 6...8: (number, payload) = (58, discovery())
    case 9...10: (number, payload) = (58, icmp6())
    default: (number, payload) = (oneOf([253, 59, 77]), some(10))
    }
    if number == 17, below(4) != 0 { payload.replaceSubrange(4..<6, with: be16(payload.count)) }
    let pseudoHeader = source + last + be16(0) + be16(payload.count) + [0, 0, 0, number]
    let offset = number == 6 ? 16 : number == 17 ? 6 : 2
    if number != 253, number != 77, number != 59 { payload = finish(payload, at: offset, pseudoHeader: pseudoHeader) }
    for index in headers.indices {
      headers[index].bytes[0] = index + 1 < headers.count ? headers[index + 1].number : number
    }
    let rest = headers.flatMap(\.bytes) + payload
    let length = below(12) == 0 ? below(120) : rest.count
    return [0x60 | (below(3) == 0 ? byte() & 15 : 0), oneOf([0, byte()]), oneOf([0, byte()]), oneOf([0, byte()])]
      + be16(length) + [headers.first?.number ?? number, byte()] + source + destination + rest
  }

  private mutating func detailedARP() -> [UInt8] {
    var packet = arp()
    if below(3) == 0 { packet.replaceSubrange(2..<4, with: be16(0x800)) }
    return packet
  }

  /// A frame of the link type with more to say.
  mutating func detailed(_ linkType: Int32) -> [UInt8] {
    let (type, payload): (Int, [UInt8]) =
      switch below(20) {
      case 0...8: (0x800, detailedIPv4())
      case 9...16: (0x86dd, detailedIPv6())
      case 17: (0x806, detailedARP())
      default: (0, [])
      }
    if type == 0 { return frame(linkType) }
    switch linkType {
    case 1:
      let tag = below(8) == 0 ? be16(0x8100) + some(2) : []
      return some(12) + tag + be16(type) + payload + some(below(6) == 0 ? 18 : 0)
    case 113: return be16(below(6)) + be16(1) + be16(6) + some(8) + be16(type) + payload
    case 276: return be16(type) + [0, 0, 0, 0] + be16(40000) + be16(1) + [UInt8(below(6)), 6] + some(8) + payload
    default:
      if type == 0x806 { return frame(linkType) }
      if linkType == 101 { return payload }
      return (type == 0x800 ? [2, 0, 0, 0] : [0, 0, 0, 28]) + payload
    }
  }
}
