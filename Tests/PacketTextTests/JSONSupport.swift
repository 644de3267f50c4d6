// What the tests of JSON share: printing records, reading objects back, and asking python3 whether text is JSON.
import Foundation
import TestSupport
import Testing

@testable import SwBPFPacketText

/// The objects of the records, each with its newline, printed by one printer.
func json(
  _ records: [Record], _ options: TextOptions, seconds: Int64 = 0, nanoseconds: UInt32 = 0, interface: String? = nil,
  interfaceName: @escaping (UInt32) -> String? = { _ in nil }
) -> [String] {
  var printer = JSONPrinter(options, interface: interface, interfaceName: interfaceName)
  var buffer = TextBuffer(capacity: 64)
  return records.map { record in
    buffer.removeAll()
    printer.print(
      seconds: seconds, nanoseconds: nanoseconds, wireLength: UInt32(record.wireLength), frame: record.frame.span.bytes,
      to: &buffer)
    return string(buffer)
  }
}

/// One object of JSON, read back.
struct Object {
  let fields: [String: Any]

  init(_ fields: [String: Any]) { self.fields = fields }

  init(_ text: String) throws {
    fields = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  subscript(_ key: String) -> Object? { (fields[key] as? [String: Any]).map { Object($0) } }
  func has(_ key: String) -> Bool { fields[key] != nil }
  func text(_ key: String) -> String? { fields[key] as? String }
  func number(_ key: String) -> Int? { (fields[key] as? NSNumber)?.intValue }

  /// This level and those inside.
  var levels: [Object] { [self] + (self["inner"]?.levels ?? []) }
  /// The headers of this name, outermost first.
  func all(_ header: String) -> [Object] { levels.compactMap { $0[header] } }
}

/// A file that is gone with the test.
func withFile<T>(_ data: Data, _ body: (String) throws -> T) throws -> T {
  let file = FileManager.default.temporaryDirectory.appendingPathComponent("swbpf-json-\(UUID().uuidString)")
  try data.write(to: file)
  defer { try? FileManager.default.removeItem(at: file) }
  return try body(file.path)
}

/// Reads a file line by line as strict JSON: no key twice, printable ASCII only. Prints what is wrong and the number of lines.
private let pythonJudge = """
  import json, sys
  def once(pairs):
      keys = [key for key, _ in pairs]
      if len(set(keys)) != len(keys): raise ValueError("a key twice")
      return dict(pairs)
  def refuse(text): raise ValueError(text)
  count = 0
  for line in open(sys.argv[1], "rb"):
      count += 1
      try:
          text = line.decode("ascii")
          assert text.endswith("}\\n") and all(" " <= c <= "~" for c in text[:-1]), "unprintable"
          assert isinstance(json.loads(text, object_pairs_hook=once, parse_constant=refuse), dict), "no object"
      except Exception as error:
          print("%d: %s: %r" % (count, error, line[:2000]))
  print(count)
  """

/// What python3 says of these lines: only their number, if each is one JSON object.
func pythonVerdict(_ lines: Data) throws -> String {
  try withFile(lines) { try Child(["python3", "-c", pythonJudge, $0]).finish(timeout: 120).out }
}
