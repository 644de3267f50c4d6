// The table of requests: what each kind takes, and how its body is read.
import SwBPFDaemonClient
import SwBPFInterfaces

/// A request, understood.
package enum DaemonRequest: Equatable, Sendable {
  case create(String)
  case destroy(String)
  case perform(InterfaceOperation, on: String)
  case status(String)
  case names(start: Int)
  case setting(String)
  case set(String, Setting.Value)
  case settings(start: Int)
  case openKeys
  case key([UInt8])
  case closeKeys
  case peers(start: Int)
  /// Of a bpf descriptor: the one who serves them reads the body, and asks for the rights of its interface.
  case remote(MessageKind, [UInt8])
}

/// A row of the table.
struct RequestRow: Sendable {
  /// The column of rights; where it depends on what the request is about, its whole is asked for when it is done.
  enum RowRight: Sendable {
    case own, admin
    /// `own` at first, then `capture` or `inject` of the interface that the descriptor is at, or is to be.
    case capture, inject

    var first: Right { self == .admin ? .admin : .own }
  }

  let kind: MessageKind
  let right: RowRight
  /// Bytes of its body at most.
  let largest: Int
  /// nil: the body is none. (EINVAL)
  let decode: @Sendable ([UInt8]) -> DaemonRequest?

  static let all: [RequestRow] = [
    RequestRow(kind: .ifCreate, right: .admin, largest: 512) { name($0).map { .create($0) } },
    RequestRow(kind: .ifDestroy, right: .admin, largest: 512) { name($0).map { .destroy($0) } },
    RequestRow(kind: .ifOperation, right: .admin, largest: 1024) { operation($0) },
    RequestRow(kind: .ifStatus, right: .own, largest: 512) { name($0).map { .status($0) } },
    RequestRow(kind: .ifNames, right: .own, largest: 64) { start($0).map { .names(start: $0) } },
    RequestRow(kind: .sysctlGet, right: .own, largest: 512) { name($0).map { .setting($0) } },
    RequestRow(kind: .sysctlSet, right: .admin, largest: 1024) { setting($0) },
    RequestRow(kind: .sysctlList, right: .own, largest: 64) { start($0).map { .settings(start: $0) } },
    RequestRow(kind: .keyOpen, right: .admin, largest: 0) { _ in .openKeys },
    RequestRow(kind: .keyMessage, right: .admin, largest: DaemonMessage.largestBody) { .key($0) },
    RequestRow(kind: .keyClose, right: .admin, largest: 0) { _ in .closeKeys },
    RequestRow(kind: .bpfOpen, right: .own, largest: 1024) { .remote(.bpfOpen, $0) },
    RequestRow(kind: .bpfRequest, right: .own, largest: DaemonMessage.largestBody) { .remote(.bpfRequest, $0) },
    RequestRow(kind: .bpfAttach, right: .capture, largest: 1024) { .remote(.bpfAttach, $0) },
    RequestRow(kind: .bpfWrite, right: .inject, largest: DaemonMessage.largestBody) { .remote(.bpfWrite, $0) },
    RequestRow(kind: .bpfClose, right: .own, largest: 64) { .remote(.bpfClose, $0) },
    RequestRow(kind: .peers, right: .own, largest: 64) { start($0).map { .peers(start: $0) } },
  ]

  static let byKind: [MessageKind: RequestRow] = Dictionary(uniqueKeysWithValues: all.map { ($0.kind, $0) })

  /// Why a message is no request that can be done: an errno. `hello` is none here.
  static func read(_ message: DaemonMessage) -> Result<(RequestRow, DaemonRequest), RequestRefusal> {
    guard let row = byKind[message.kind] else { return .failure(.notSupported) }
    guard message.body.count <= row.largest, message.id != 0, let request = row.decode(message.body) else {
      return .failure(.invalid)
    }
    return .success((row, request))
  }

  // MARK: bodies

  private static func name(_ body: [UInt8]) -> String? {
    MessageBody(body, tags: [MessageTag.name])?.text(MessageTag.name, limit: MessageLimit.name)
  }

  private static func start(_ body: [UInt8]) -> Int? {
    MessageBody(body, tags: [MessageTag.start])?.number(MessageTag.start, UInt32.self).map { Int($0) }
  }

  private static func operation(_ body: [UInt8]) -> DaemonRequest? {
    guard let fields = MessageBody(body, tags: [MessageTag.name, MessageTag.operation]),
      let name = fields.text(MessageTag.name, limit: MessageLimit.name),
      let bytes = fields[MessageTag.operation], let operation = InterfaceOperation(bytes: bytes)
    else { return nil }
    return .perform(operation, on: name)
  }

  private static func setting(_ body: [UInt8]) -> DaemonRequest? {
    guard let fields = MessageBody(body, tags: [MessageTag.name, MessageTag.value]),
      let name = fields.text(MessageTag.name, limit: MessageLimit.name),
      let bytes = fields[MessageTag.value], let value = Setting.Value(FieldReader(bytes))
    else { return nil }
    return .set(name, value)
  }
}

enum RequestRefusal: Error {
  /// EOPNOTSUPP
  case notSupported
  /// EINVAL
  case invalid
}
