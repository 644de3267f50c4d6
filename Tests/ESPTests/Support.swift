// What tests of ESP share: associations as setkey's words make them, and packets in memory of their own.
import SwBPFESP
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets
import Testing

/// A transform with keys, by the words of setkey(8).
struct Transform: CustomTestStringConvertible, Sendable {
  let encryption: EncryptionAlgorithm
  let authentication: AuthenticationAlgorithm
  let keyBits: Int
  var testDescription: String { "\(encryption) \(keyBits) \(authentication)" }

  init(_ encryption: EncryptionAlgorithm, _ keyBits: Int, _ authentication: AuthenticationAlgorithm = .none) {
    self.encryption = encryption
    self.authentication = authentication
    self.keyBits = keyBits
  }

  /// Each one that protects integrity, with each length of its key.
  static let protecting: [Transform] =
    [160, 224, 288].map { Transform(.aesGCM16, $0) } + [Transform(.chacha20Poly1305, 288)]
    + macs.map { Transform(.null, 0, $0) } + macs.map { Transform(.aesCBC, 128, $0) }
    + macs.map { Transform(.aesCTR, 160, $0) }
    + [192, 256].map { Transform(.aesCBC, $0, .hmacSHA256) } + [224, 288].map { Transform(.aesCTR, $0, .hmacSHA256) }
  static let macs: [AuthenticationAlgorithm] = [.hmacSHA1, .hmacSHA256, .hmacSHA384, .hmacSHA512]

  /// Those that net.ipsec.noauth lets in.
  static let bare = [Transform(.null, 0), Transform(.aesCBC, 128), Transform(.aesCTR, 160), Transform(.null, 0, .null)]
  static let all = protecting + bare
}

/// An engine that takes all there is, and associations of it.
final class Associations {
  let engine: KeyEngine
  private let socket: KeySocket

  init() {
    engine = KeyEngine(epoch: Epoch(), now: 1000)
    for setting in KeySetting.allCases { engine[setting] = true }
    socket = engine.open()
  }

  static let here = IPAddress(v4: 0x0a00_0001)
  static let there = IPAddress(v4: 0x0a00_0002)

  /// Adds one, with keys that count up from the SPI unless they are given.
  func add(
    _ transform: Transform, spi: UInt32, replay: UInt8 = 0, flags: SAFlags = [],
    change: (inout SecurityAssociation) -> Void = { _ in }
  ) throws -> Association {
    var new = SecurityAssociation(.esp, spi: spi, from: Associations.here, to: Associations.there)
    new.encryption = transform.encryption
    new.authentication = transform.authentication
    let first = UInt8(truncatingIfNeeded: spi)
    new.encryptionKey = (0..<transform.keyBits / 8).map { first &+ UInt8($0) }
    new.authenticationKey = (0..<(transform.authentication.keyBits[0] / 8)).map { first &+ 128 &+ UInt8($0) }
    new.replay = replay
    new.flags = flags
    change(&new)
    let message = try #require(new.message(.add, withKeys: true))
    try engine.send(message, from: socket)
    return try #require(find(spi))
  }

  /// All go.
  func flush() {
    var writer = MessageWriter(MessageHeader(.flush, .esp))
    if let message = writer.finish() { try? engine.send(message, from: socket) }
  }

  func find(_ spi: UInt32) -> Association? {
    let reader = engine.epoch.reader()
    reader.enter()
    defer { reader.leave() }
    return engine.association(to: Associations.there, spi: spi, proto: .esp)?.takeUnretainedValue()
  }
}

/// A packet in memory of its own.
final class Packet {
  private let batch: PacketBatch
  private let headroom: Int
  static let size = 9216

  init(headroom: Int = 64) {
    self.headroom = headroom
    batch = PacketBatch(1, size: Packet.size, headroom: headroom)
    room = batch.packets[0]
  }

  var room: PacketRoom

  var bytes: [UInt8] {
    get {
      let room = room
      return (0..<room.count).map { room.bytes.u8(at: $0) }
    }
    set {
      room.reset(headroom: headroom, count: newValue.count)
      for (index, byte) in newValue.enumerated() { room.store(byte, at: index) }
    }
  }
}

extension ESPWorker {
  /// The ESP packet of a payload.
  func sealed(_ payload: [UInt8], _ association: Association, nextHeader: UInt8 = 4) -> Result<[UInt8], ESPDrop> {
    let packet = Packet()
    packet.bytes = payload
    if let drop = withExtendedLifetime(
      association,
      {
        seal(&packet.room, with: .passUnretained(association), nextHeader: nextHeader, now: 1000)
      })
    {
      return .failure(drop)
    }
    return .success(packet.bytes)
  }

  /// The payload of an ESP packet, and what it is.
  func opened(_ bytes: [UInt8], _ association: Association) -> Result<Opened, ESPDrop> {
    let packet = Packet()
    packet.bytes = bytes
    return withExtendedLifetime(association) {
      open(&packet.room, with: .passUnretained(association), now: 1000)
    }.map { Opened(payload: packet.bytes, nextHeader: $0) }
  }
}

struct Opened: Equatable {
  let payload: [UInt8]
  let nextHeader: UInt8
}

/// Bytes from hexadecimal digits; blanks are ignored.
func hex(_ text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// Bytes that look like nothing.
func payload(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) } }
