// One step of a sequence.
import Glibc
import SwBPFPFKey
import SwBPFPackets

extension Replay {
  func step() throws {
    switch source.below(20) {
    case 0...5: try add(.add)
    case 6: try add(.update)
    case 7, 8: try delete()
    case 9: try deleteAll()
    case 10: try flush()
    case 11...14: try addPolicy(replaces: false)
    case 15: try addPolicy(replaces: true)
    case 16: try deletePolicy()
    case 17: try tick()
    case 18: record()
    default: try compareLists()
    }
  }

  private func association() -> SecurityAssociation {
    let isSix = source.below(4) == 0
    let ends = isSix ? Replay.addresses[3...] : Replay.addresses[..<3]
    let proto: SecurityProtocol = source.one(of: [.esp, .esp, .esp, .ah])
    var new = SecurityAssociation(
      proto, spi: source.one(of: [255, 256, 256, 257, 257, 258]), from: source.one(of: Array(ends)),
      to: source.one(of: Array(ends)))
    new.mode = source.one(of: [.any, .transport, .tunnel])
    new.reqid = source.one(of: [0, 1, 20000])
    if source.below(4) == 0 {
      new.natTraversal = NATTraversal(sourcePort: 4500, destinationPort: source.one(of: [4500, 4501]))
    }
    if proto == .esp { new.encryption = source.one(of: [.aesCBC, .aesGCM16]) }
    let length = new.encryption == .aesGCM16 ? 20 : 16
    if new.encryption != .none {
      new.encryptionKey = [UInt8](repeating: UInt8(source.below(6)), count: length + (source.below(16) == 0 ? 1 : 0))
    }
    if new.encryption != .aesGCM16 || source.below(16) == 0 {
      if source.below(8) != 0 {
        new.authentication = .hmacSHA256
        new.authenticationKey = [UInt8](repeating: 9, count: source.below(16) == 0 ? 31 : 32)
      }
    }
    switch source.below(8) {
    case 0:
      new.hard = Lifetime(addTime: 10)
      new.soft = Lifetime(addTime: 5)
    case 1:
      new.hard = Lifetime(bytes: 300)
      new.soft = Lifetime(allocations: 2)
    case 2: if source.below(4) == 0 { new.hard = Lifetime(addTime: 3) }
    default: break
    }
    return new
  }

  private func add(_ type: MessageType) throws {
    let new = association()
    tell("\(type) \(Replay.name(new))")
    let errno = try errno(new.message(type, withKeys: true))
    try expect("errno", errno, type == .add ? model.add(new) : model.update(new))
  }

  private func delete() throws {
    var name = association()
    if !model.associations.isEmpty && source.flag() { name = source.one(of: model.associations) }
    tell("delete \(Replay.name(name))")
    try expect("errno", try errno(name.nameMessage(.delete)), model.delete(name))
  }

  private func deleteAll() throws {
    let name = association()
    tell("deleteall \(Replay.name(name))")
    var writer = MessageWriter(MessageHeader(.delete, name.proto.saType))
    writer.add(.addressSource, name.source)
    writer.add(.addressDestination, name.destination)
    try expect("errno", try errno(writer.finish()), 0)
    model.deleteAll(name)
  }

  private func flush() throws {
    let type: SAType = source.one(of: [.unspecified, .esp, .ah, .ipcomp])
    let isSPD = source.below(4) == 0
    tell(isSPD ? "spdflush" : "flush \(type)")
    try expect("errno", try errno(isSPD ? Replay.header(.spdFlush) : Replay.header(.flush, type)), 0)
    if isSPD {
      model.policies = []
    } else {
      model.associations.removeAll { type == .unspecified || $0.proto.saType == type }
    }
  }

  private func range(_ ends: [IPAddress]) -> AddressRange {
    let address = source.one(of: ends)
    let prefix: UInt8? = source.below(3) == 0 ? source.one(of: [0, 24, 31, 126]) : nil
    return AddressRange(address, prefix: prefix, port: source.one(of: [0, 0, 0, 4500]))
  }

  private func selector() -> Selector {
    let ends = Array(source.below(4) == 0 ? Replay.addresses[3...] : Replay.addresses[..<3])
    return Selector(
      source.one(of: [.inbound, .outbound]), from: range(ends), to: range(ends), upper: source.one(of: [4, 41, 255]))
  }

  private func addPolicy(replaces: Bool) throws {
    var new = SecurityPolicy(selector(), source.one(of: [.discard, .none, .ipsec, .ipsec, .ipsec, .bypass]))
    if new.type == .ipsec {
      for _ in 0..<source.below(3) {
        new.requests.append(
          PolicyRequest(
            .esp, source.one(of: [.transport, .transport, .transport, .any]),
            source.one(of: [.use, .require, .unique]),
            reqid: source.one(of: [0, 1, 20000])))
      }
    }
    if source.below(6) == 0 { new.lifetime = 7 }
    tell("spd\(replaces ? "update" : "add") \(new)")
    let answers = try ask(new.addMessage(replaces ? .spdUpdate : .spdAdd))
    guard answers.count == 1 else { throw Mismatch(text: "\(answers.count) answers") }
    let isSane =
      new.type != .bypass && (new.type != .ipsec || !new.requests.isEmpty)
      && new.requests.allSatisfy { $0.mode != .any }
    let isThere = model.place(of: new.selector) != nil
    let wanted = !isSane ? EINVAL : isThere && !replaces ? EEXIST : 0
    try expect("errno", CInt(answers[0].header.errno), wanted)
    guard wanted == 0 else { return }
    var added = try SecurityPolicy(answers[0])
    added.created = model.now
    try expect("id is new", model.policies.contains { $0.id == added.id }, false)
    for (asked, given) in zip(new.requests, added.requests) {
      let isAutomatic = asked.level == .unique && asked.reqid != 1
      try expect("reqid is automatic", given.reqid > 16383, isAutomatic)
      if isAutomatic {
        let used = model.policies.filter { $0.selector != new.selector }.flatMap(\.requests).map(\.reqid)
        try expect("reqid is in use", used.contains(given.reqid), false)
      } else {
        try expect("reqid", given.reqid, asked.level == .unique ? asked.reqid : 0)
      }
    }
    model.add(added)
  }

  private func deletePolicy() throws {
    var name = SecurityPolicy(selector(), .none)
    if !model.policies.isEmpty && source.flag() { name = source.one(of: model.policies) }
    let byID = source.flag()
    tell("spddelete \(byID ? "\(name.id)" : "\(name.selector)")")
    let errno = try errno(byID ? SecurityPolicy.message(.spdDelete2, id: name.id) : name.deleteMessage())
    let place = byID ? model.policies.firstIndex { $0.id == name.id } : model.place(of: name.selector)
    try expect("errno", errno, place == nil ? EINVAL : 0)
    if let place { model.policies.remove(at: place) }
  }

  private func tick() throws {
    let now = model.now + UInt64(source.below(6))
    tell("tick \(now)")
    engine.tick(now: now)
    model.tick(to: now)
    try compareLists()
  }

  /// A packet is sent with an association.
  private func record() {
    guard !model.associations.isEmpty else { return }
    let place = source.below(model.associations.count)
    let name = model.associations[place]
    // Only where the SPI says which one it is.
    guard model.inbound(name.destination, name.spi, name.proto).map(Replay.name) == Replay.name(name) else { return }
    let isOver = name.hard.map { $0.bytes != 0 && name.current.bytes >= $0.bytes } ?? false
    tell("100 bytes with \(Replay.name(name))")
    let sent = inside {
      engine.association(to: name.destination, spi: name.spi, proto: name.proto)?.takeUnretainedValue()
        .record(bytes: 100, now: model.now)
    }
    if sent == true && !isOver {
      model.associations[place].current.bytes += 100
      model.associations[place].current.allocations += 1
      if model.associations[place].current.useTime == 0 { model.associations[place].current.useTime = model.now }
    }
  }
}
