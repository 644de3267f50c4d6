// Fuzz target: bytes as a configuration file of the daemon. Whatever they are, it ends, with places inside of the text.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --sanitize=address --product FuzzConfig
import SwBPFDaemon

private let rules = {
  var rules = ConfigurationRules(settings: TunnelService.initialSettings)
  rules.interfaceSetting = TunnelService.interfaceSetting
  rules.refusal = TunnelService.refusal
  return rules
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConfig(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  let parser = ConfigurationParser(bytes, rules: rules)
  let lines = bytes.count { $0 == 10 } + 1
  for remark in parser.remarks {
    precondition(remark.line >= 1 && remark.line <= lines, "a line outside of the text")
    precondition(remark.text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "a byte that may steer a terminal")
  }
  for interface in parser.configuration.interfaces {
    precondition(interface.lines.first?.steps.first == .create, "an interface that nothing makes")
  }
  let names = parser.configuration.interfaces.map(\.name)
  precondition(Set(names).count == names.count, "an interface twice")
  return 0
}
