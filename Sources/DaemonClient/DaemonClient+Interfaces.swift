// Interfaces and settings of the daemon: what ifconfig and sysctl ask for.
import SwBPFInterfaces

extension DaemonClient {
  package func createInterface(_ name: String) throws(DaemonFailure) {
    _ = try request(.ifCreate, body: Self.body(name))
  }

  package func destroyInterface(_ name: String) throws(DaemonFailure) {
    _ = try request(.ifDestroy, body: Self.body(name))
  }

  package func perform(_ operation: InterfaceOperation, on name: String) throws(DaemonFailure) {
    var writer = FieldWriter()
    writer.put(MessageTag.name, name, limit: MessageLimit.name)
    writer.put(MessageTag.operation, operation.bytes)
    _ = try request(.ifOperation, body: writer.bytes)
  }

  package func interfaceStatus(_ name: String) throws(DaemonFailure) -> InterfaceStatus {
    let answer = try request(.ifStatus, body: Self.body(name))
    guard let fields = MessageBody(answer.body, tags: [MessageTag.status]), let bytes = fields[MessageTag.status],
      let status = InterfaceStatus(bytes: bytes)
    else { throw nonsense() }
    return status
  }

  /// In the daemon's order.
  package func interfaceNames() throws(DaemonFailure) -> [String] {
    try list(.ifNames) { field in
      field.tag == MessageTag.name ? field.text(limit: MessageLimit.name) : nil
    }
  }

  /// With all that is known of it.
  package func setting(_ name: String) throws(DaemonFailure) -> Setting {
    let answer = try request(.sysctlGet, body: Self.body(name))
    guard let fields = MessageBody(answer.body, tags: [MessageTag.value]), let bytes = fields[MessageTag.value],
      let setting = Setting(bytes: bytes)
    else { throw nonsense() }
    return setting
  }

  package func set(_ name: String, to value: Setting.Value) throws(DaemonFailure) {
    var writer = FieldWriter()
    writer.put(MessageTag.name, name, limit: MessageLimit.name)
    writer.put(MessageTag.value, value.bytes)
    _ = try request(.sysctlSet, body: writer.bytes)
  }

  package func settings() throws(DaemonFailure) -> [Setting] {
    try list(.sysctlList) { $0.tag == MessageTag.value ? Setting(bytes: $0.value) : nil }
  }

  /// One line for each peer that the caller may see.
  package func peerLines() throws(DaemonFailure) -> [String] {
    try list(.peers) { field in
      field.tag == MessageTag.line ? field.text(limit: MessageLimit.line) : nil
    }
  }

  private static func body(_ name: String) -> [UInt8] {
    var writer = FieldWriter()
    writer.put(MessageTag.name, name, limit: MessageLimit.name)
    return writer.bytes
  }

  /// Asks part by part. - Parameter entry: nil for a field that cannot be.
  private func list<Entry>(
    _ kind: MessageKind, _ entry: (FieldReader.Field) -> Entry?
  ) throws(DaemonFailure) -> [Entry] {
    var entries: [Entry] = []
    // A bound that only a hostile server meets.
    for _ in 0..<1024 {
      var writer = FieldWriter()
      writer.put(MessageTag.start, UInt32(entries.count))
      let answer = try request(kind, body: writer.bytes)
      var reader = FieldReader(answer.body)
      let before = entries.count
      var next: UInt32?
      while let field = reader.next() {
        if field.tag == MessageTag.next {
          next = field.number()
          if next == nil { throw nonsense() }
        } else {
          guard let one = entry(field) else { throw nonsense() }
          entries.append(one)
        }
      }
      if reader.isBroken { throw nonsense() }
      guard let next else { return entries }
      guard Int(next) == entries.count, entries.count > before else { throw nonsense() }
    }
    throw nonsense()
  }
}
