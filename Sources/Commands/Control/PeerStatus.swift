// What a capture tells of one of its peers, as it travels over the control socket: `name=value` fields between tabs.
import SwBPF
import SwBPFLiveCapture

/// One peer of a running capture.
struct PeerStatus: Equatable, Sendable {
  enum Value: Equatable, Sendable {
    case text(String)
    case flag(Bool)
    case number(UInt64)
  }

  enum Kind: Sendable {
    case text, flag, number
  }

  /// Every field, in the order of the table.
  static let fields: [(name: String, kind: Kind)] = [
    ("interface", .text), ("link_type", .text), ("direction", .text), ("see_sent", .flag),
    ("offered", .number), ("hidden", .number), ("refused", .number), ("captured", .number), ("dropped", .number),
    ("cut", .number), ("delivered", .number), ("waiting", .number),
    // Whether the kernel refuses, or has refused, frames that would else be offered, hidden or refused here.
    ("kernel_filter", .flag), ("kernel_drops", .number), ("freezes", .number),
    ("slots", .number), ("slot_size", .number), ("waiting_bytes", .number),
    ("age_ms", .number), ("filter", .text),
  ]

  private(set) var values: [String: Value]

  init(_ values: [String: Value]) { self.values = values }

  subscript(name: String) -> Value? { values[name] }

  func text(_ name: String) -> String {
    if case .text(let text)? = values[name] { text } else { "" }
  }

  func number(_ name: String) -> UInt64 {
    if case .number(let number)? = values[name] { number } else { 0 }
  }

  func flag(_ name: String) -> Bool { values[name] == .flag(true) }

  // MARK: The line

  var line: String {
    PeerStatus.fields.compactMap { field in
      switch values[field.name] {
      case .text(let text)?: "\(field.name)=\(PeerStatus.escape(text))"
      case .flag(let on)?: "\(field.name)=\(on ? 1 : 0)"
      case .number(let number)?: "\(field.name)=\(number)"
      case nil: nil
      }
    }.joined(separator: "\t")
  }

  /// Reads a line of an untrusted capture: fields that are unknown or not of their kind are left out.
  init(line: String) {
    values = [:]
    for part in line.split(separator: "\t") {
      guard let equals = part.firstIndex(of: "=") else { continue }
      let name = String(part[..<equals])
      let text = String(part[part.index(after: equals)...])
      switch PeerStatus.fields.first(where: { $0.name == name })?.kind {
      case .text?: values[name] = .text(PeerStatus.unescape(text))
      case .flag?: if text == "0" || text == "1" { values[name] = .flag(text == "1") }
      case .number?: if let number = UInt64(text) { values[name] = .number(number) }
      case nil: continue
      }
    }
  }

  private static func escape(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      if scalar.value < 0x20 || scalar == "%" || scalar.value == 0x7f {
        result += "%" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func unescape(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
