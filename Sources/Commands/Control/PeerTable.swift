// The peers as a table and as JSON. What captures say is untrusted: control characters are escaped.
import Glibc

enum PeerTable {
  /// Counters that lack what the kernel refused already.
  private static let narrowed: Set = ["offered", "hidden", "refused"]
  /// Column heads, and the fields that they show.
  static let columns: [(head: String, field: String)] = [
    ("INTERFACE", "interface"), ("LINK-TYPE", "link_type"), ("DIRECTION", "direction"), ("SEE-SENT", "see_sent"),
    ("OFFERED", "offered"), ("HIDDEN", "hidden"), ("REFUSED", "refused"), ("CAPTURED", "captured"),
    ("DROPPED", "dropped"), ("CUT", "cut"), ("DELIVERED", "delivered"), ("WAITING", "waiting"),
    ("KERNEL-DROPS", "kernel_drops"), ("FREEZES", "freezes"), ("SLOTS", "slots"), ("SLOT-SIZE", "slot_size"),
    ("BYTES-WAITING", "waiting_bytes"), ("AGE", "age_ms"), ("FILTER", "filter"),
  ]
  private static let short: Set = ["interface", "direction", "age_ms", "filter"]

  /// Nothing, not even heads, without peers.
  /// - Parameter isShort: only what tells captures apart.
  static func text(_ peers: [ListedPeer], isShort: Bool = false) -> String {
    if peers.isEmpty { return "" }
    let columns = columns.filter { !isShort || short.contains($0.field) }
    var rows = [["PID", "USER"] + columns.map(\.head)]
    for peer in peers {
      let cells = columns.map { column in peer.status.map { cell($0, column.field) } ?? "?" }
      rows.append(["\(peer.pid)", Printable.text(Processes.name(of: peer.user))] + cells)
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        let isNumber = column == 0 || (column > 1 && isRight(columns[column - 2].field))
        line += (isNumber ? padding + cell : cell + padding) + "  "
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }

  private static func isRight(_ field: String) -> Bool {
    field == "age_ms" || PeerStatus.fields.contains { $0.name == field && $0.kind == .number }
  }

  static func cell(_ status: PeerStatus, _ field: String) -> String {
    switch status[field] {
    case .text(let text)?: text.isEmpty ? "-" : Printable.text(text)
    case .flag(let on)?: on ? "on" : "off"
    case .number(let number)?:
      field == "age_ms"
        ? age(number) : "\(number)" + (narrowed.contains(field) && status.flag("kernel_filter") ? "+" : "")
    case nil: "?"
    }
  }

  /// `12s`, `3m07s`, `2h05m`, `4d03h`
  static func age(_ milliseconds: UInt64) -> String {
    let seconds = milliseconds / 1000
    func two(_ number: UInt64) -> String { (number < 10 ? "0" : "") + "\(number)" }
    if seconds < 60 { return "\(seconds)s" }
    if seconds < 3600 { return "\(seconds / 60)m\(two(seconds % 60))s" }
    if seconds < 86400 { return "\(seconds / 3600)h\(two(seconds / 60 % 60))m" }
    return "\(seconds / 86400)d\(two(seconds / 3600 % 24))h"
  }

  /// An array with one object per peer and line.
  static func json(_ peers: [ListedPeer]) -> String {
    let objects = peers.map { peer in
      var fields = ["\"pid\":\(peer.pid)", "\"uid\":\(peer.user)"]
      fields.append("\"user\":\(Printable.json(Processes.name(of: peer.user)))")
      fields.append("\"answers\":\(peer.status != nil)")
      if let status = peer.status {
        for field in PeerStatus.fields {
          let value: String? =
            switch status[field.name] {
            case .text(let text)?: Printable.json(text)
            case .flag(let on)?: "\(on)"
            case .number(let number)?: "\(number)"
            case nil: nil
            }
          fields.append("\"\(field.name)\":\(value ?? "null")")
        }
      }
      return "{" + fields.joined(separator: ",") + "}"
    }
    return objects.isEmpty ? "[]\n" : "[\n" + objects.joined(separator: ",\n") + "\n]\n"
  }
}
