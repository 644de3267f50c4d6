// A sequence of messages, packets and ticks, done to a key engine and to the model; what they answer must be the same.
import Glibc
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

/// What went otherwise than the model says.
struct Mismatch: Error {
  let text: String
}

public final class Replay {
  /// Does what the bytes say. - Returns: nil, or what differed and all that was done before.
  public static func run(_ bytes: [UInt8]) -> String? {
    guard Replay(bytes, tells: false).play() != nil else { return nil }
    // Once more, with words.
    return Replay(bytes, tells: true).play() ?? "another result the second time"
  }

  private func play() -> String? {
    do {
      while !source.isEmpty && steps < 400 {
        try step()
        steps += 1
        try compareLookups()
      }
      try compareLists()
      return nil
    } catch let mismatch as Mismatch {
      return (told + [mismatch.text]).joined(separator: "\n")
    } catch {
      return (told + ["\(error)"]).joined(separator: "\n")
    }
  }

  static let addresses = [
    IPAddress(v4: 0x0a00_0001), IPAddress(v4: 0x0a00_0002), IPAddress(v4: 0x0a00_0102), IPAddress(v6: 0xfc00 << 48, 1),
    IPAddress(v6: 0xfc00 << 48, 2),
  ]

  var source: ByteSource
  var model = Model()
  let engine = KeyEngine(now: 1000)
  private let socket: KeySocket
  private let reader: Epoch.Reader
  private let tells: Bool
  private var told: [String] = []
  private var steps = 0

  init(_ bytes: [UInt8], tells: Bool) {
    self.tells = tells
    source = ByteSource(bytes)
    socket = engine.open()
    reader = engine.epoch.reader()
  }

  func tell(_ text: @autoclosure () -> String) { if tells { told.append(text()) } }

  func expect<Value: Equatable>(_ what: @autoclosure () -> String, _ got: Value, _ wanted: Value) throws {
    if got != wanted { throw Mismatch(text: "\(what()): \(got), the model says \(wanted)") }
  }

  /// Sends a message and takes the answers.
  func ask(_ bytes: [UInt8]?) throws -> [Message] {
    guard let bytes else { throw Mismatch(text: "a message too long") }
    try engine.send(bytes, from: socket)
    var answers: [Message] = []
    while let answer = socket.receive() { answers.append(try Message(answer)) }
    return answers
  }

  func errno(_ bytes: [UInt8]?) throws -> CInt {
    let answers = try ask(bytes)
    guard answers.count == 1 else { throw Mismatch(text: "\(answers.count) answers") }
    return CInt(answers[0].header.errno)
  }

  func inside<Result>(_ body: () -> Result) -> Result {
    reader.enter()
    defer { reader.leave() }
    return body()
  }

  /// A few packets, chosen by the bytes.
  private func compareLookups() throws {
    let from = Endpoint(source.one(of: Replay.addresses), port: source.one(of: [0, 0, 4500]))
    let to = Endpoint(source.one(of: Replay.addresses), port: source.one(of: [0, 4500, 4501]))
    let upper: UInt8 = source.one(of: [4, 41])
    for direction in PolicyDirection.allCases {
      let id = inside { engine.match(direction, from: from, to: to, upper: upper)?.takeUnretainedValue().id }
      try expect("policy for \(from) to \(to)", id, model.match(direction, from, to, upper: upper))
    }
    let proto: SecurityProtocol = source.one(of: [.esp, .esp, .ah])
    let request = PolicyRequest(
      proto, source.one(of: [.transport, .tunnel]), source.one(of: [.require, .unique]),
      reqid: source.one(of: [0, 1, 20000]))
    let serves = model.outbound(request, from, to)
    let found = inside {
      engine.association(for: request, from: from, to: to)?.takeUnretainedValue().description(withKeys: false)
    }
    try expect("association for \(request)", found.map(Replay.name), serves.map(Replay.name))
    let spi = UInt32(256 + source.below(3))
    let came = inside {
      engine.association(to: to.address, spi: spi, proto: proto)?.takeUnretainedValue().description(withKeys: false)
    }
    try expect("association \(spi)", came.map(Replay.name), model.inbound(to.address, spi, proto).map(Replay.name))
  }

  /// What tells an association from all others.
  struct Name: Equatable {
    let proto: SecurityProtocol
    let mode: SAMode
    let spi: UInt32
    let reqid: UInt16
    let source, destination: IPAddress
    let natTraversal: NATTraversal?
    let state: SAState
    let born: UInt64
  }

  static func name(_ one: SecurityAssociation) -> Name {
    Name(
      proto: one.proto, mode: one.mode, spi: one.spi, reqid: one.reqid, source: one.source,
      destination: one.destination, natTraversal: one.natTraversal, state: one.state, born: one.current.addTime)
  }

  /// Both lists, as dumps show them.
  func compareLists() throws {
    let associations = try ask(Replay.header(.dump))
    if model.associations.isEmpty {
      try expect("dump", associations.map { CInt($0.header.errno) }, [ENOENT])
    } else {
      let seen = try associations.map { try SecurityAssociation($0) }
      try expect("dump", seen.map(Replay.name), model.associations.map(Replay.name))
      try expect("keys", seen.map(\.encryptionKey), model.associations.map(\.encryptionKey))
      try expect("use", seen.map(\.current), model.associations.map(\.current))
    }
    let policies = try ask(Replay.header(.spdDump))
    if model.policies.isEmpty {
      try expect("spddump", policies.map { CInt($0.header.errno) }, [ENOENT])
    } else {
      let ordered = PolicyDirection.allCases.flatMap { one in model.policies.filter { $0.selector.direction == one } }
      try expect("spddump", try policies.map { try SecurityPolicy($0).id }, ordered.map(\.id))
      try expect("requests", try policies.map { try SecurityPolicy($0).requests }, ordered.map(\.requests))
    }
  }

  static func header(_ type: MessageType, _ saType: SAType = .unspecified) -> [UInt8] {
    var header = MessageHeader(type, saType)
    header.length = 2
    return header.bytes
  }
}
