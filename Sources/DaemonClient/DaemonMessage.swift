// One message between the daemon and a client: one packet of a SOCK_SEQPACKET socket. Values; any thread.
import SwBPFInterfaces

/// A header of 20 bytes in host order, then fields.
///
///     magic "swbp" | version 16 | kind 16 | id 32 | error 32 | length of the body 32
package struct DaemonMessage: Equatable, Sendable {
  /// Bytes of a message at most, and of a body.
  package static let largest = 64 << 10
  package static let largestBody = largest - headerSize
  package static let version: UInt16 = 1
  static let headerSize = 20
  static let magic: UInt32 = 0x7377_6270

  package enum Malformed: Error, Equatable, Sendable {
    /// No message of any version.
    case garbage
    case version(UInt16)
    /// Not a kind of this version. A request of that kind is answered with EOPNOTSUPP.
    case kind(UInt16, id: UInt32)
  }

  package var kind: MessageKind
  /// The client's number of its request, the same in the answer; 0: an event.
  package var id: UInt32
  /// errno of a refusal, in answers.
  package var error: Int32
  package var body: [UInt8]

  package init(_ kind: MessageKind, id: UInt32 = 0, error: Int32 = 0, body: [UInt8] = []) {
    self.kind = kind
    self.id = id
    self.error = error
    self.body = body
  }

  /// - Precondition: the body is at most ``largestBody``.
  package var bytes: [UInt8] {
    precondition(body.count <= Self.largestBody, "a message is too long")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.headerSize + body.count)
    bytes.appendNumber(Self.magic)
    bytes.appendNumber(Self.version)
    bytes.appendNumber(kind.rawValue)
    bytes.appendNumber(id)
    bytes.appendNumber(error)
    bytes.appendNumber(UInt32(body.count))
    bytes += body
    return bytes
  }

  package init(_ bytes: ArraySlice<UInt8>) throws(Malformed) {
    guard let magic = bytes.number(UInt32.self, at: 0), magic == Self.magic,
      let version = bytes.number(UInt16.self, at: 4)
    else { throw .garbage }
    guard version == Self.version else { throw .version(version) }
    guard let number = bytes.number(UInt16.self, at: 6), let id = bytes.number(UInt32.self, at: 8),
      let error = bytes.number(Int32.self, at: 12), let length = bytes.number(UInt32.self, at: 16),
      bytes.count <= Self.largest, Int(length) == bytes.count - Self.headerSize
    else { throw .garbage }
    guard let kind = MessageKind(rawValue: number) else { throw .kind(number, id: id) }
    self.init(kind, id: id, error: error, body: Array(bytes.dropFirst(Self.headerSize)))
  }
}
