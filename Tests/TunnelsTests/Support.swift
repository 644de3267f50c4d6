import SwBPFKern
import SwBPFPackets

@testable import SwBPFTunnels

/// A gate that threads wait at until somebody opens it, for good.
final class Gate: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private let changed = Condition()
  private var isOpen = false

  func open() {
    lock.withLock {
      isOpen = true
      changed.broadcast()
    }
  }

  /// - Returns: false when the seconds were over first.
  @discardableResult
  func wait(upTo seconds: Int64 = 30) -> Bool {
    let end = Clock.monotonic() + seconds * 1_000_000_000
    return lock.withLock {
      while !isOpen { if !lock.wait(changed, until: end) { return isOpen } }
      return true
    }
  }
}

/// A packet with its memory.
struct HeldPacket {
  private let batch: PacketBatch
  var room: PacketRoom

  init(_ bytes: [UInt8], headroom: Int = 96, size: Int = 66000) {
    batch = PacketBatch(1, size: size, headroom: headroom)
    room = batch.packets[0]
    room.reset(headroom: headroom, count: bytes.count)
    room.copy(from: bytes.span.bytes, at: 0)
  }

  /// For a packet that has no name: its memory is there until `body` is done.
  func with<Result>(_ body: (borrowing PacketRoom) -> Result) -> Result { withExtendedLifetime(batch) { body(room) } }

  var bytes: [UInt8] {
    let span = room.bytes
    return (0..<span.byteCount).map { span.u8(at: $0) }
  }
}

/// Inner packets for tests: right headers, nothing meaningful behind them.
enum Inner {
  static func ipv4(trafficClass: UInt8 = 0, count: Int = 60, flags: UInt16 = 0x4000, ttl: UInt8 = 7) -> [UInt8] {
    var header: [UInt8] = [0x45, trafficClass] + big(UInt16(count)) + [0x12, 0x34] + big(flags) + [ttl, 17, 0, 0]
    header += [172, 16, 1, 1, 172, 16, 2, 1]
    header.replaceSubrange(10..<12, with: big(checksum(header)))
    return header + body(count - 20)
  }

  static func ipv6(trafficClass: UInt8 = 0, count: Int = 80, hopLimit: UInt8 = 9) -> [UInt8] {
    [0x60 | trafficClass >> 4, trafficClass << 4, 0, 0] + big(UInt16(count - 40)) + [59, hopLimit]
      + [0xfd, 0, 0, 3] + [UInt8](repeating: 0, count: 11) + [1]
      + [0xfd, 0, 0, 4] + [UInt8](repeating: 0, count: 11) + [1] + body(count - 40)
  }

  static func body(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) } }
  private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
}

func checksum(_ bytes: some Collection<UInt8>) -> UInt16 {
  let bytes = Array(bytes)
  return InternetChecksum.of(bytes.span.bytes)
}

func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

extension TunnelPair {
  static let ipv4 = TunnelPair(source: IPAddress("10.0.0.1")!, destination: IPAddress("10.0.0.2")!)!
  static let ipv6 = TunnelPair(source: IPAddress("fc00::1")!, destination: IPAddress("fc00::2")!)!
}

extension GifSettings {
  static func up(_ pair: TunnelPair, ecn: ECNMode = .cleared) -> GifSettings {
    var settings = GifSettings()
    settings.isUp = true
    settings.pair = pair
    settings.ecn = ecn
    return settings
  }
}

extension RouteAnswer {
  static func by(_ interface: UInt32) -> RouteAnswer {
    var answer = RouteAnswer()
    answer.interface = interface
    answer.pathMTU = 1500
    return answer
  }
}
