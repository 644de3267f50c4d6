// Messages about associations: ADD, UPDATE, DELETE, GET, FLUSH, DUMP, GETSPI. Under the engine's lock.
import SwBPFPackets

extension KeyEngine {
  func add(_ message: Message) throws(PFKeyError) -> Answer {
    var new = try SecurityAssociation(message)
    defer { new.eraseKeys() }
    try check(new, message)
    try refuseSecond(new, besides: nil)
    new.state = .mature
    let added = associations.insert(new, now: now)
    acquires.forget(added)
    return .everyone(message.reply())
  }

  func update(_ message: Message) throws(PFKeyError) -> Answer {
    var new = try SecurityAssociation(message)
    defer { new.eraseKeys() }
    guard let old = find(new.spi, from: new.source, to: new.destination, proto: new.proto) else { throw .notFound }
    try check(new, message)
    try refuseSecond(new, besides: old)
    new.state = .mature
    let added = associations.insert(new, replacing: old, now: now)
    acquires.forget(added)
    return .everyone(message.reply())
  }

  /// The association that a message names.
  private func find(
    _ spi: UInt32, from source: IPAddress, to destination: IPAddress, proto: SecurityProtocol
  ) -> Association? {
    associations.withSPI(spi, to: destination, proto: proto).first { $0.source == source }
  }

  /// - Throws: `exists` when the SPI is taken under the same head, or the key where keys must differ.
  private func refuseSecond(_ new: SecurityAssociation, besides old: Association?) throws(PFKeyError) {
    let isTaken = associations.withSPI(new.spi, to: new.destination, proto: new.proto).contains {
      $0 !== old && $0.source == new.source && $0.mode == new.mode && $0.reqid == new.reqid
        && $0.natTraversal?.sourcePort ?? 0 == new.natTraversal?.sourcePort ?? 0
        && $0.natTraversal?.destinationPort ?? 0 == new.natTraversal?.destinationPort ?? 0
    }
    if isTaken || associations.isKeyInUse(new, excluding: old) { throw .exists }
  }

  /// What `key_add` and `key_mature` refuse. - Throws: `invalid`.
  private func check(_ new: SecurityAssociation, _ message: Message) throws(PFKeyError) {
    guard (new.hard == nil) == (new.soft == nil) else { throw .invalid }
    if new.encryption == .chacha20Poly1305 && !self[.chacha20Poly1305] { throw .invalid }
    if new.flags.contains(.extendedSequence) && !self[.extendedSequence] { throw .invalid }
    if let nat = new.natTraversal {
      guard new.proto == .esp, nat.type == NATTraversal.espInUDP else { throw .invalid }
    }
    switch new.proto {
    case .esp:
      guard new.spi > 255, new.encryption.isOffered, new.encryption == .null || message.has(.keyEncrypt),
        new.encryption.keyBits.contains(new.encryptionKey.count * 8)
      else { throw .invalid }
      try checkAuthentication(new, message)
      if new.encryption.isAuthenticated {
        guard new.authentication == .none else { throw .invalid }
      } else {
        guard new.authentication.isAuthenticated || permitsNoAuth else { throw .invalid }
      }
    case .ah:
      guard new.spi > 255, new.encryption == .none, new.encryptionKey.isEmpty else { throw .invalid }
      try checkAuthentication(new, message)
      guard new.authentication != .none, new.authentication.isAuthenticated || permitsNoAuth else { throw .invalid }
    case .ipcomp:
      guard new.spi != 0, new.spi <= UInt32(UInt16.max), new.authentication == .none, new.authenticationKey.isEmpty,
        new.encryptionKey.isEmpty
      else { throw .invalid }
    }
  }

  private func checkAuthentication(_ new: SecurityAssociation, _ message: Message) throws(PFKeyError) {
    if new.authentication == .none {
      guard new.authenticationKey.isEmpty else { throw .invalid }
      return
    }
    guard new.authentication.isOffered, new.authentication == .null || message.has(.keyAuth),
      new.authentication.keyBits.contains(new.authenticationKey.count * 8)
    else { throw .invalid }
  }

  /// The addresses that a message names, of one family.
  private func addresses(_ message: Message) throws(PFKeyError) -> (source: IPAddress, destination: IPAddress) {
    guard let source = try message.address(.addressSource), let destination = try message.address(.addressDestination),
      source.endpoint.address.family == destination.endpoint.address.family
    else { throw .invalid }
    return (source.endpoint.address, destination.endpoint.address)
  }

  /// Without an SPI, all between the two addresses that have keys; that there are none is no error then.
  func delete(_ message: Message, _ saType: SAType) throws(PFKeyError) -> Answer {
    guard let proto = SecurityProtocol(saType) else { throw .invalid }
    let (source, destination) = try addresses(message)
    if let sa = message.sa {
      guard let found = find(sa.spi, from: source, to: destination, proto: proto) else { throw .notFound }
      associations.remove(found)
    } else {
      for found in associations.between(source, destination, proto: proto) { associations.remove(found) }
    }
    return .everyone(message.reply())
  }

  func get(_ message: Message, _ saType: SAType) throws(PFKeyError) -> Answer {
    guard let proto = SecurityProtocol(saType), let sa = message.sa else { throw .invalid }
    let (source, destination) = try addresses(message)
    guard let found = find(sa.spi, from: source, to: destination, proto: proto) else { throw .notFound }
    return .asker([try listing(found, .get, sequence: message.header.sequence, pid: message.header.pid)])
  }

  func flush(_ message: Message, _ saType: SAType) -> Answer {
    associations.removeAll(SecurityProtocol(saType))
    return .everyone(message.reply())
  }

  /// One message for each, counted down to 0 in the sequence number.
  func dump(_ message: Message, _ saType: SAType) throws(PFKeyError) -> Answer {
    let found = associations.ordered(SecurityProtocol(saType))
    guard !found.isEmpty else { throw .notFound }
    var messages: [[UInt8]] = []
    for (index, association) in found.enumerated() {
      let left = UInt32(truncatingIfNeeded: found.count - 1 - index)
      messages.append(try listing(association, .dump, sequence: left, pid: message.header.pid))
    }
    return .asker(messages)
  }

  private func listing(
    _ association: Association, _ type: MessageType, sequence: UInt32, pid: UInt32
  ) throws(PFKeyError) -> [UInt8] {
    var description = association.description(withKeys: true)
    defer { description.eraseKeys() }
    guard let message = description.message(type, sequence: sequence, pid: pid, withKeys: true) else {
      throw .noBuffers
    }
    return message
  }

  /// Reserves an SPI that no association to the destination has; it dies in half a minute unless an UPDATE comes.
  func getSPI(_ message: Message, _ saType: SAType) throws(PFKeyError) -> Answer {
    guard let proto = SecurityProtocol(saType) else { throw .invalid }
    let (source, destination) = try addresses(message)
    let limits: ClosedRange<UInt32> = proto == .ipcomp ? 1...0xffff : 256...UInt32.max
    let range = (message.spiRange ?? (proto == .ipcomp ? 256...0xffff : 256...0x0fff_ffff)).clamped(to: limits)
    // A range beyond the limits is clamped to one of their ends, which nobody asked for.
    if let asked = message.spiRange, !asked.overlaps(limits) { throw .invalid }
    let mode = SAMode(rawValue: message.sa2?.mode ?? 0)
    guard let mode, let reqid = UInt16(exactly: message.sa2?.reqid ?? 0) else { throw .invalid }
    guard let spi = freeSPI(in: range, to: destination, proto: proto) else { throw .exists }
    var larval = SecurityAssociation(proto, spi: spi, from: source, to: destination)
    larval.state = .larval
    larval.mode = mode
    larval.reqid = reqid
    larval.messageSequence = message.header.sequence
    larval.pid = message.header.pid
    _ = associations.insert(larval, now: now)
    let header = MessageHeader(.getSPI, saType, sequence: message.header.sequence, pid: message.header.pid)
    var writer = MessageWriter(header)
    writer.add(larval.fields)
    writer.add(.addressSource, source)
    writer.add(.addressDestination, destination)
    guard let answer = writer.finish() else { throw .noBuffers }
    return .asker([answer])
  }

  /// By chance, then, in a narrow range, one after the other.
  private func freeSPI(in range: ClosedRange<UInt32>, to destination: IPAddress, proto: SecurityProtocol) -> UInt32? {
    let isFree = { (spi: UInt32) in self.associations.withSPI(spi, to: destination, proto: proto).isEmpty }
    for _ in 0..<64 {
      let spi = UInt32.random(in: range)
      if isFree(spi) { return spi }
    }
    return range.prefix(4096).first(where: isFree)
  }
}
