// Bodies of messages. Values; any thread.
import SwBPFInterfaces

/// The network namespace of a process, as /proc/self/ns/net tells it.
package struct NamespaceIdentity: Hashable, Sendable {
  package var device: UInt64
  package var inode: UInt64

  package init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

/// What either side says first.
package struct DaemonHello: Equatable, Sendable {
  package var namespace: NamespaceIdentity
  package var pid: Int32
  /// A client's: the daemon may be in another namespace.
  package var takesAnyNamespace: Bool

  package init(namespace: NamespaceIdentity, pid: Int32, takesAnyNamespace: Bool = false) {
    self.namespace = namespace
    self.pid = pid
    self.takesAnyNamespace = takesAnyNamespace
  }

  package var body: [UInt8] {
    var writer = FieldWriter()
    var value: [UInt8] = []
    value.appendNumber(namespace.device)
    value.appendNumber(namespace.inode)
    writer.put(MessageTag.namespace, value)
    writer.put(MessageTag.pid, pid)
    if takesAnyNamespace { writer.put(MessageTag.anyNamespace, [1]) }
    return writer.bytes
  }

  /// nil for a body that is no hello. Unknown fields are passed over, so that a later version may say more.
  package init?(body: [UInt8]) {
    var namespace: NamespaceIdentity?
    var pid: Int32?
    takesAnyNamespace = false
    var reader = FieldReader(body)
    while let field = reader.next() {
      switch field.tag {
      case MessageTag.namespace:
        guard field.value.count == 16, let device = field.value.number(UInt64.self, at: 0),
          let inode = field.value.number(UInt64.self, at: 8)
        else { return nil }
        namespace = NamespaceIdentity(device: device, inode: inode)
      case MessageTag.pid: pid = field.number()
      case MessageTag.anyNamespace: takesAnyNamespace = field.value.first == 1
      default: continue
      }
    }
    guard !reader.isBroken, let namespace, let pid else { return nil }
    self.namespace = namespace
    self.pid = pid
  }
}

/// A body of fields, each at most once.
package struct MessageBody: Sendable {
  private var fields: [UInt16: ArraySlice<UInt8>] = [:]

  /// nil for anything but whole fields, each once, of these tags.
  package init?(_ body: [UInt8], tags: Set<UInt16>) {
    var reader = FieldReader(body)
    while let field = reader.next() {
      guard tags.contains(field.tag), fields.updateValue(field.value, forKey: field.tag) == nil else { return nil }
    }
    if reader.isBroken { return nil }
  }

  package subscript(tag: UInt16) -> ArraySlice<UInt8>? { fields[tag] }

  /// Text of at most `limit` bytes; nil when it is not there, longer, no UTF-8, or has a NUL.
  package func text(_ tag: UInt16, limit: Int) -> String? {
    guard let value = fields[tag], value.count <= limit, !value.contains(0) else { return nil }
    return String(validating: value, as: UTF8.self)
  }

  package func number<Number: FixedWidthInteger>(_ tag: UInt16, _ type: Number.Type = Number.self) -> Number? {
    guard let value = fields[tag], value.count == Number.bitWidth / 8 else { return nil }
    return value.number(type, at: 0)
  }
}

/// Lengths of texts, bytes.
package enum MessageLimit {
  /// A name; longer ones reach the daemon and are refused there.
  package static let name = 255
  package static let text = 4096
  /// A line of a list.
  package static let line = 16 << 10
}

extension InterfaceFailure {
  /// The body of a refusal; its number stands in the header.
  package var body: [UInt8] {
    var writer = FieldWriter()
    writer.put(MessageTag.request, request, limit: MessageLimit.name)
    writer.put(MessageTag.text, text, limit: MessageLimit.text)
    return writer.bytes
  }

  /// Whatever the body: words that are not there are empty.
  package init(errno: Int32, body: [UInt8]) {
    let fields = MessageBody(body, tags: [MessageTag.request, MessageTag.text])
    self.init(
      errno: errno, request: fields?.text(MessageTag.request, limit: MessageLimit.name) ?? "",
      text: fields?.text(MessageTag.text, limit: MessageLimit.text) ?? "")
  }
}
