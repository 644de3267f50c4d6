// Message: a PF_KEY v2 message whose layout has been checked, in NetBSD's layout. Control paths, any thread.

/// The first 16 bytes of a message. (`sadb_msg`)
package struct MessageHeader: Hashable, Sendable {
  /// Bytes of it.
  package static let size = 16
  /// PF_KEY_V2
  package static let version: UInt8 = 2

  package var version = MessageHeader.version
  /// A ``MessageType``, or not.
  package var type: UInt8
  package var errno: UInt8 = 0
  /// An ``SAType``, or not.
  package var saType: UInt8 = 0
  /// In units of 8 bytes.
  package var length: UInt16 = 0
  /// sadb_msg_reserved: a dump carries the count of references in it.
  package var reserved: UInt16 = 0
  package var sequence: UInt32 = 0
  package var pid: UInt32 = 0

  package init(_ type: MessageType, _ saType: SAType = .unspecified, sequence: UInt32 = 0, pid: UInt32 = 0) {
    self.type = type.rawValue
    self.saType = saType.rawValue
    self.sequence = sequence
    self.pid = pid
  }

  /// - Throws: `invalid` when there are fewer than 16 bytes or another number than the header says.
  package init(_ bytes: [UInt8]) throws(PFKeyError) {
    guard bytes.count >= MessageHeader.size, Int(bytes.host16(at: 4)) * 8 == bytes.count else { throw .invalid }
    version = bytes[0]
    type = bytes[1]
    errno = bytes[2]
    saType = bytes[3]
    length = bytes.host16(at: 4)
    reserved = bytes.host16(at: 6)
    sequence = bytes.host32(at: 8)
    pid = bytes.host32(at: 12)
  }

  /// As it stands in a message.
  package var bytes: [UInt8] {
    var bytes = [version, type, errno, saType]
    bytes.appendHost16(length)
    bytes.appendHost16(reserved)
    bytes.appendHost32(sequence)
    bytes.appendHost32(pid)
    return bytes
  }
}

/// A message with the places of its extensions. (`sadb_msghdr`, made by `key_align`)
package struct Message: Sendable {
  package let header: MessageHeader
  package private(set) var bytes: [UInt8]
  /// Where each extension begins, by its number; 0: it is not there.
  private var offsets: [Int32]

  /// Takes a message apart.
  /// - Throws: `invalid` for a wrong length, and for extensions that are unknown, there twice or ill-sized. (write(2): EINVAL)
  package init(_ bytes: [UInt8]) throws(PFKeyError) {
    header = try MessageHeader(bytes)
    self.bytes = bytes
    offsets = [Int32](repeating: 0, count: ExtensionType.allCases.count + 1)
    var offset = MessageHeader.size
    while offset < bytes.count {
      // Both are multiples of 8, so that 8 bytes are there.
      let length = Int(bytes.host16(at: offset)) * 8
      guard let type = ExtensionType(rawValue: bytes.host16(at: offset + 2)), offsets[Int(type.rawValue)] == 0,
        length != 0, length <= bytes.count - offset, type.allows(length: length)
      else { throw .invalid }
      if type.isAddress && !Message.isAddressSized(bytes, at: offset, length: length) { throw .invalid }
      offsets[Int(type.rawValue)] = Int32(offset)
      offset += length
    }
  }

  /// The address must fill the extension. (`key_validate_ext`)
  private static func isAddressSized(_ bytes: [UInt8], at offset: Int, length: Int) -> Bool {
    guard length >= 16 else { return false }
    let size = Int(bytes[offset + 8])
    return size >= 2 && 8 + (size + 7) / 8 * 8 == length
  }

  package func has(_ type: ExtensionType) -> Bool { offsets[Int(type.rawValue)] != 0 }

  /// The bytes that an extension has in the message.
  package func range(of type: ExtensionType) -> Range<Int>? {
    let offset = Int(offsets[Int(type.rawValue)])
    guard offset != 0 else { return nil }
    return offset..<offset + Int(bytes.host16(at: offset)) * 8
  }

  /// Overwrites the id of the policy, which is there.
  mutating func setPolicyID(_ id: UInt32) {
    if let range = range(of: .policy) { bytes.setHost32(id, at: range.lowerBound + 8) }
  }

  /// Overwrites the reqid of a request that ``policyRequests()`` found.
  mutating func setRequestID(_ id: UInt16, at offset: Int) { bytes.setHost16(id, at: offset + 6) }

  /// The message without keys, as it is sent back.
  package func reply(errno: CInt = 0) -> [UInt8] {
    var answer = header
    answer.errno = UInt8(truncatingIfNeeded: errno)
    var result: [UInt8] = []
    var offset = MessageHeader.size
    var kept: [Range<Int>] = []
    while offset < bytes.count {
      let end = offset + Int(bytes.host16(at: offset)) * 8
      let type = bytes.host16(at: offset + 2)
      if type != ExtensionType.keyAuth.rawValue && type != ExtensionType.keyEncrypt.rawValue {
        kept.append(offset..<end)
      }
      offset = end
    }
    answer.length = UInt16((MessageHeader.size + kept.reduce(0) { $0 + $1.count }) / 8)
    result.append(contentsOf: answer.bytes)
    for range in kept { result.append(contentsOf: bytes[range]) }
    return result
  }
}

extension ExtensionType {
  var isAddress: Bool {
    switch self {
    case .addressSource, .addressDestination, .addressProxy, .natTraversalOAI, .natTraversalOAR: true
    default: false
    }
  }

  /// Whether an extension may be so many bytes long. (`minsize`, `maxsize` of key.c)
  func allows(length: Int) -> Bool {
    switch self {
    case .sa, .spiRange, .sa2: length == 16
    case .lifetimeCurrent, .lifetimeHard, .lifetimeSoft: length == 32
    case .identitySource, .identityDestination, .sensitivity, .policy: length >= 16
    case .natTraversalType, .natTraversalSourcePort, .natTraversalDestinationPort, .natTraversalFragment: length == 8
    default: length >= 8
    }
  }
}
