import SwBPFPackets
import Testing

@testable import SwBPFPFKey

/// An engine with two sockets: one that asks and one that only listens.
struct Asker {
  let engine = KeyEngine(now: 1000)
  let socket: KeySocket
  let listener: KeySocket

  init() {
    socket = engine.open()
    listener = engine.open()
  }

  /// Sends a message and takes all that came back for the asker; what waited for it before is thrown away.
  func ask(_ bytes: [UInt8]?) throws -> [Message] {
    while socket.receive() != nil {}
    try engine.send(try #require(bytes), from: socket)
    return try Asker.received(socket)
  }

  /// The errno of the only answer.
  func errno(_ bytes: [UInt8]?) throws -> CInt {
    let answers = try ask(bytes)
    #expect(answers.count == 1)
    return CInt(try #require(answers.first).header.errno)
  }

  /// The errno of write(2): what send throws.
  func writeErrno(_ bytes: [UInt8]) -> CInt? {
    do throws(PFKeyError) {
      try engine.send(bytes, from: socket)
      return nil
    } catch { return error.errno }
  }

  /// What the one who only listens got.
  func heard() throws -> [Message] { try Asker.received(listener) }

  static func received(_ socket: KeySocket) throws -> [Message] {
    var messages: [Message] = []
    while let bytes = socket.receive() { messages.append(try Message(bytes)) }
    return messages
  }

  func add(_ association: SecurityAssociation) throws -> CInt {
    try errno(association.message(.add, withKeys: true))
  }

  /// All associations, as DUMP shows them; none is ENOENT.
  func dump(_ type: SAType = .unspecified) throws -> [SecurityAssociation] {
    try ask(MessageHeader(.dump, type).complete).filter { $0.header.errno == 0 }.map { try SecurityAssociation($0) }
  }

  func policies() throws -> [SecurityPolicy] {
    try ask(MessageHeader(.spdDump).complete).filter { $0.header.errno == 0 }.map { try SecurityPolicy($0) }
  }

  /// A lookup inside of the epoch.
  func inside<Result>(_ body: () -> Result) -> Result {
    let reader = engine.epoch.reader()
    reader.enter()
    defer { reader.leave() }
    return body()
  }

  func match(_ direction: PolicyDirection, _ from: Endpoint, _ to: Endpoint, upper: UInt8 = 4) -> UInt32? {
    inside { engine.match(direction, from: from, to: to, upper: upper)?.takeUnretainedValue().id }
  }

  func spi(_ request: PolicyRequest, _ from: Endpoint, _ to: Endpoint) -> UInt32? {
    inside { engine.association(for: request, from: from, to: to)?.takeUnretainedValue().spi }
  }
}

extension MessageHeader {
  /// A message that is only its header.
  var complete: [UInt8] {
    var header = self
    header.length = 2
    return header.bytes
  }
}

extension IPAddress {
  static let one = IPAddress(v4: 0x0a00_0001)
  static let two = IPAddress(v4: 0x0a00_0002)
  static let six1 = IPAddress(v6: 0xfc00_1001_0000_0000, 1)
  static let six2 = IPAddress(v6: 0xfc00_1001_0000_0000, 2)
}

extension SecurityAssociation {
  /// AES-CBC with HMAC-SHA2-256 from ``IPAddress/one`` to ``IPAddress/two``.
  static func cbc(_ spi: UInt32, reqid: UInt16 = 0) -> SecurityAssociation {
    var result = SecurityAssociation(.esp, spi: spi, from: .one, to: .two)
    result.mode = .transport
    result.reqid = reqid
    result.encryption = .aesCBC
    result.encryptionKey = [UInt8](repeating: 0x5e, count: 32)
    result.authentication = .hmacSHA256
    result.authenticationKey = [UInt8](repeating: 0xa5, count: 32)
    return result
  }

  static func gcm(_ spi: UInt32, key: UInt8 = 1) -> SecurityAssociation {
    var result = cbc(spi)
    result.encryption = .aesGCM16
    result.encryptionKey = [UInt8](repeating: key, count: 20)
    result.authentication = .none
    result.authenticationKey = []
    return result
  }

  static func ah(_ spi: UInt32) -> SecurityAssociation {
    var result = SecurityAssociation(.ah, spi: spi, from: .one, to: .two)
    result.authentication = .hmacSHA256
    result.authenticationKey = [UInt8](repeating: 0xa5, count: 32)
    return result
  }
}

extension SecurityPolicy {
  /// Out from ``IPAddress/one`` to ``IPAddress/two``, with one request of level unique.
  static func out(
    upper: UInt8 = 4, _ request: PolicyRequest = PolicyRequest(.esp, .transport, .unique)
  ) -> SecurityPolicy {
    SecurityPolicy(
      Selector(.outbound, from: AddressRange(.one), to: AddressRange(.two), upper: upper), .ipsec, requests: [request])
  }
}
