// Fuzz target: bytes as a PF_KEY message to an engine that has an association and a policy. Whatever they are, nothing traps,
// and what can be read is written as it was read.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --product FuzzPFKey
import SwBPFPFKey

private let engine = KeyEngine(now: 1000)
private let socket = engine.open()
private nonisolated(unsafe) var count = 0

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPFKey(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size >= 16, size <= 65536 else { return 0 }
  let raw = Array(UnsafeBufferPointer(start: data, count: size))
  try? engine.send(raw, from: socket)
  // Once more with a length and a version that are right, which get further.
  var bytes = Array(raw[..<(size / 8 * 8)])
  bytes[0] = MessageHeader.version
  bytes[4] = UInt8(truncatingIfNeeded: bytes.count / 8)
  bytes[5] = UInt8(truncatingIfNeeded: (bytes.count / 8) >> 8)
  try? engine.send(bytes, from: socket)
  while let answer = socket.receive() {
    guard let header = try? MessageHeader(answer) else { fatalError("an answer without a header") }
    if header.version == MessageHeader.version && MessageType(rawValue: header.type) != nil && header.errno == 0 {
      guard (try? Message(answer)) != nil else { fatalError("an answer that is no message") }
    }
  }
  if let message = try? Message(bytes) { reread(message) }
  count += 1
  if count % 64 == 0 {
    engine.tick(now: UInt64(1000 + count))
    // Lists that only grow would make all that follows slow.
    if count % 1024 == 0 {
      for type in [MessageType.flush, .spdFlush] {
        var header = MessageHeader(type)
        header.length = 2
        try? engine.send(header.bytes, from: socket)
      }
    }
  }
  return 0
}

/// What a message says must be the same after it was written and read again.
private func reread(_ message: Message) {
  if var policy = try? SecurityPolicy(message) {
    guard let bytes = policy.listing(.spdDump, sequence: policy.messageSequence, pid: policy.pid) else { return }
    guard let again = try? SecurityPolicy(Message(bytes)) else { fatalError("a policy that cannot be read again") }
    if policy.type != .ipsec { policy.requests = [] }
    guard policy == again else { fatalError("\(policy) became \(again)") }
  }
  if var association = try? SecurityAssociation(message) {
    // A time of birth of 0 is none.
    if association.current.addTime == 0 { association.current = Lifetime() }
    if association.authentication == .none { association.authenticationKey = [] }
    if association.encryption == .none { association.encryptionKey = [] }
    association.state = message.sa.flatMap { SAState(rawValue: $0.state) } ?? .mature
    let bytes = association.message(
      .dump, sequence: association.messageSequence, pid: association.pid, withKeys: true)
    guard let bytes else { return }
    guard let again = try? SecurityAssociation(Message(bytes)) else {
      fatalError("an association that cannot be read again")
    }
    guard association == again else { fatalError("\(association) became \(again)") }
  }
}
