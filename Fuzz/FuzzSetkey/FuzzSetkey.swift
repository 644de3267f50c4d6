// Fuzz target: bytes as a file of setkey(8). Whatever was read prints as text that reads the same again.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --sanitize=address --product FuzzSetkey
//
// The first byte: bit 0 allows associations without integrity.
import SwBPFPFKey

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSetkey(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size >= 1 else { return 0 }
  let rules = SetkeyRules(allowsNoIntegrity: data[0] & 1 != 0)
  let file = SetkeyParser.parse(Array(UnsafeBufferPointer(start: data + 1, count: size - 1)), rules: rules)
  for remark in file.remarks {
    precondition(remark.position.line >= 1 && remark.position.column >= 1, "a place outside the text")
    precondition(
      remark.text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "a byte that may steer a terminal: \(remark.text)")
  }
  precondition(file.errors.count <= 101)
  // Without the errors' statements a key may be in use no more, so each is read on its own.
  for statement in file.statements {
    let again = SetkeyParser.parse(statement.text, rules: rules)
    precondition(again.errors.isEmpty, "\(again.errors) in \(statement.text)")
    precondition(again.statements.map(\.action) == [statement.action], statement.text)
  }
  return 0
}
