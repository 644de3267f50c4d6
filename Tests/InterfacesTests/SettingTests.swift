import Testing

@testable import SwBPFInterfaces

@Suite("Settings")
struct SettingTests {
  static let settings = [
    Setting("net.inet.ip.gifttl", "TTL of gif's outer packets", allowed: .numbers(1...255), initial: .number(30)),
    Setting("net.ipsec.ike", "", allowed: .text(longest: 64), initial: .text(""), value: .text("10.0.0.1:4500")),
    Setting("net.bpf.x-y_1", "read only", allowed: .nothing, initial: .number(.min), value: .number(.max)),
  ]

  @Test("a setting is read back as it was; cut bytes are none", arguments: settings)
  func roundTrip(_ setting: Setting) {
    #expect(Setting(bytes: setting.bytes) == setting)
    for count in 0..<setting.bytes.count { #expect(Setting(bytes: Array(setting.bytes.prefix(count))) == nil) }
  }

  @Test("changed bytes are read or refused, and what is read is written the same")
  func changed() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20000 {
      var bytes = Self.settings[Int(random.next(upperBound: 3 as UInt))].bytes
      for _ in 0..<Int(random.next(upperBound: 4 as UInt)) + 1 {
        bytes[Int(random.next(upperBound: UInt(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
      }
      if let setting = Setting(bytes: bytes) { #expect(Setting(bytes: setting.bytes) == setting) }
    }
  }

  @Test("a value is allowed inside its range only")
  func ranges() {
    #expect(Self.settings[0].allows(.number(1)) && Self.settings[0].allows(.number(255)))
    #expect(!Self.settings[0].allows(.number(0)) && !Self.settings[0].allows(.text("1")))
    #expect(Self.settings[1].allows(.text(String(repeating: "a", count: 64))))
    #expect(!Self.settings[1].allows(.text(String(repeating: "a", count: 65))))
    #expect(!Self.settings[2].allows(.number(1)))
    #expect(Setting.isName("net.bpf.bufsize") && Setting.isName("swbpf"))
    for name in ["", ".", "net.", ".net", "a..b", "a b", "a=b", "é", String(repeating: "a", count: 65)] {
      #expect(!Setting.isName(name), "\(name)")
    }
  }
}
