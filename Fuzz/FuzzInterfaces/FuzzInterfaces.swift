// Fuzz target: bytes as fields (operations, statuses, settings), and as the words of an ifconfig call.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --sanitize=address --product FuzzInterfaces
import SwBPFInterfaces
import SwBPFPackets

private let links = LinkNames(
  index: { $0 == "eth0" ? 3 : nil }, name: { $0 == 3 ? "eth0" : nil })

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzInterfaces(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let bytes = data.map { Array(UnsafeBufferPointer(start: $0, count: size)) } ?? []
  if let operation = InterfaceOperation(bytes: bytes) {
    precondition(operation.bytes == bytes, "an operation has one form")
    precondition(!operation.request.isEmpty)
  }
  if let status = InterfaceStatus(bytes: bytes) {
    precondition(InterfaceStatus(bytes: status.bytes) == status)
    let lines = status.text(isVerbose: true, links: links).split(separator: "\n")
    precondition(lines.first?.hasPrefix(status.name + ": flags=") == true)
  }
  if let setting = Setting(bytes: bytes) { precondition(Setting(bytes: setting.bytes) == setting) }
  words(String(decoding: bytes, as: UTF8.self).split(separator: " ").map(String.init))
  return 0
}

private func words(_ words: [String]) {
  do throws(IfconfigError) {
    let line = try IfconfigLine(words: words, links: links)
    precondition(IfconfigLine.isName(line.name) && line.steps.count <= words.count)
    for step in line.steps {
      if case .change(let operation) = step {
        precondition(InterfaceOperation(bytes: operation.bytes) == operation, "what is asked arrives")
      }
    }
  } catch {
    precondition(error.text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }, "a byte that may steer")
    precondition(error.text.utf8.count < 1024)
  }
}
