// Savefiles of packets to print, made in memory: the same on every run.

struct PacketMix: Sendable {
  let name: String
  let explanation: String
  private let frame: @Sendable (Int) -> [UInt8]

  static let all = [
    PacketMix(name: "udp", explanation: "UDP between ports that nobody dissects", frame: udp),
    PacketMix(name: "tcp", explanation: "TCP, 64 conversations with time stamps", frame: tcp),
    PacketMix(name: "dns", explanation: "DNS, queries and answers", frame: dns),
    PacketMix(name: "mix", explanation: "TCP, UDP and DNS as 6 to 3 to 1") { number in
      switch number % 10 {
      case 0...5: tcp(number / 10 * 6 + number % 10)
      case 6...8: udp(number)
      default: dns(number)
      }
    },
  ]

  static let savefileHeader: [UInt8] =
    little(0xa1b2_c3d4) + [2, 0, 4, 0] + [UInt8](repeating: 0, count: 8) + little(262_144) + little(1)

  func savefile(_ count: Int) -> [UInt8] {
    var file = Self.savefileHeader
    file.reserveCapacity(count * 120)
    for number in 0..<count {
      let frame = frame(number)
      // 100,000 packets a second, so that the clock of a line changes now and then.
      file += little(UInt32(1_700_000_000 + number / 100_000)) + little(UInt32(number % 100_000 * 10))
      file += little(UInt32(frame.count)) + little(UInt32(frame.count)) + frame
    }
    return file
  }

  // MARK: Frames

  private static func udp(_ number: Int) -> [UInt8] {
    let payload = [UInt8](repeating: 0x55, count: 18 + number % 5 * 16)
    return ip(17, number, udpHeader(40001, UInt16(45000 + number % 64), payload.count) + payload)
  }

  /// Each conversation begins with SYN; then data and acknowledgements.
  private static func tcp(_ number: Int) -> [UInt8] {
    let (flow, step) = (number % 64, number / 64)
    let forth = step % 2 == 0
    let ports = [UInt16(41000 + flow), 45678]
    let flags: UInt8 = step == 0 ? 0x02 : step == 1 ? 0x12 : step % 4 == 3 ? 0x10 : 0x18
    let payload = flags == 0x18 ? [UInt8](repeating: 0x41, count: 100) : []
    let stamps: [UInt8] = [1, 1, 8, 10] + big32(UInt32(step * 10)) + big32(UInt32(step * 9))
    let numbers = big32(UInt32(1000 + step * 100)) + big32(step == 0 ? 0 : UInt32(2000 + step * 100))
    let header =
      big16(ports[forth ? 0 : 1]) + big16(ports[forth ? 1 : 0]) + numbers + [0x80, flags, 2, 0, 0, 0, 0, 0] + stamps
    return ip(6, number, header + payload, reversed: !forth)
  }

  private static func dns(_ number: Int) -> [UInt8] {
    let isAnswer = number % 2 == 1
    let label = Array("host\(number % 1000)".utf8)
    let question: [UInt8] =
      [UInt8(label.count)] + label + [7] + Array("example".utf8) + [3] + Array("org".utf8) + [0, 0, 1, 0, 1]
    var body = big16(UInt16(truncatingIfNeeded: number / 2))
    body += isAnswer ? [0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0] : [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    body += question
    if isAnswer {
      body += [0xc0, 0x0c, 0, 5, 0, 1, 0, 0, 1, 0x2c, 0, 6, 3, 0x77, 0x65, 0x62, 0xc0, UInt8(13 + label.count)]
      body += [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 1, 0x2c, 0, 4, 192, 0, 2, UInt8(number & 255)]
    }
    let ports: (UInt16, UInt16) = isAnswer ? (53, 41000) : (41000, 53)
    return ip(17, number, udpHeader(ports.0, ports.1, body.count) + body, reversed: isAnswer)
  }

  private static func udpHeader(_ from: UInt16, _ to: UInt16, _ length: Int) -> [UInt8] {
    big16(from) + big16(to) + big16(UInt16(8 + length)) + [0, 0]
  }

  private static func ip(_ proto: UInt8, _ number: Int, _ rest: [UInt8], reversed: Bool = false) -> [UInt8] {
    let ends: [[UInt8]] = [[10, 0, 0, 1], [192, 168, UInt8(number % 64), 2]]
    return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0] + big16(UInt16(20 + rest.count))
      + big16(UInt16(truncatingIfNeeded: number)) + [0x40, 0, 64, proto, 0, 0] + ends[reversed ? 1 : 0]
      + ends[reversed ? 0 : 1] + rest
  }
}

private func big16(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
private func big32(_ value: UInt32) -> [UInt8] {
  big16(UInt16(value >> 16)) + big16(UInt16(truncatingIfNeeded: value))
}
private func little(_ value: UInt32) -> [UInt8] { Array(big32(value).reversed()) }
