// The configuration file: what it says, and what is wrong in it.
import Glibc
import SwBPFInterfaces
import SwBPFPFKey
import Testing

@testable import SwBPFDaemon

@Suite struct ConfigurationTests {
  static let rules = ConfigurationRules(
    settings: TableService().settings, user: { $0 == "alice" ? 1001 : nil }, group: { $0 == "wheel" ? 10 : nil })

  private func parse(_ text: String) -> ConfigurationParser { ConfigurationParser(Array(text.utf8), rules: Self.rules) }

  private func errors(_ text: String) -> [String] { parse(text).errors.map { "\($0.line): \($0.text)" } }

  @Test func linesOfEveryKindAreRead() throws {
    let parser = parse(
      """
      # tunnels
      sysctl net.inet.ip.gifttl=64   # for all
      ifconfig gif0 create
      ifconfig gif0 tunnel 192.0.2.1 192.0.2.2
      ifconfig gif1 create mtu 1400 up

      ifconfig gif0 inet 10.0.0.1 10.0.0.2 up
      allow user alice capture gif0 gif1
      allow user 1002 inject *
      allow group wheel capture *
      setkey spdadd 10.0.0.1 10.0.0.2 any -P out ipsec
        esp/transport//require ;  # over two lines
      sysctl -w net.ipsec.ike=127.0.0.1:4500
      """)
    #expect(parser.errors.isEmpty, "\(parser.errors)")
    let configuration = parser.configuration
    #expect(configuration.interfaces.map(\.name) == ["gif0", "gif1"])
    #expect(configuration.interfaces[0].lines.count == 3 && configuration.interfaces[1].lines.count == 1)
    #expect(configuration.settings.map(\.value) == [.number(64), .text("127.0.0.1:4500")])
    #expect(
      configuration.rights == [
        RightRule(.user(1001), .capture, interface: "gif0"), RightRule(.user(1001), .capture, interface: "gif1"),
        RightRule(.user(1002), .inject, interface: nil), RightRule(.group(10), .capture, interface: nil),
      ])
    #expect(configuration.keys.count == 1)
  }

  @Test func anEmptyTextSaysNothing() {
    #expect(parse("").configuration == DaemonConfiguration() && errors("").isEmpty)
    #expect(errors("\n\n  # nothing\n").isEmpty)
  }

  @Test(arguments: [
    ("ifconfg gif0 create", "1: a line begins with"),
    ("ifconfig gif0 up", "1: gif0: its first line"),
    ("ifconfig gif0 create\nifconfig gif0 create", "2: gif0 is made twice"),
    ("ifconfig gif0 create\nifconfig gif0 destroy", "2: gif0: destroy"),
    ("ifconfig gif0", "1: gif0: nothing"),
    ("ifconfig eth0 create", "1: eth0: only gif"),
    ("ifconfig gif0 create mtu many", "1: "),
    ("ifconfig", "1: "),
    ("sysctl", "1: sysctl takes"),
    ("sysctl net.inet.ip.gifttl", "1: sysctl takes"),
    ("sysctl net.inet.ip.gifttl=0", "1: net.inet.ip.gifttl takes a number from 1 to 255"),
    ("sysctl net.inet.ip.gifttl=x", "1: net.inet.ip.gifttl takes"),
    ("sysctl net.none=1", "1: no setting 'net.none'"),
    ("sysctl net.inet.ip.gifttl=1\nsysctl net.inet.ip.gifttl=1", "2: net.inet.ip.gifttl is set twice"),
    ("allow user bob capture eth0", "1: no user 'bob'"),
    ("allow group wheel inject eth0", "1: a group may be allowed to capture only"),
    ("allow user alice admin eth0", "1: what is allowed"),
    ("allow user alice capture", "1: allow takes"),
    ("allow host alice capture eth0", "1: allow is for"),
    ("allow user alice capture e/0", "1: 'e/0' is no name"),
    ("\n\nsetkey flush ;", "3: only add"),
    ("\nsetkey spdadd 10.0.0.1 10.0.0.2", "2: column"),
    ("ifconfig gif0\u{0} create", "1: a NUL byte"),
  ]) func aMistakeIsToldWithItsLine(_ text: String, _ start: String) {
    let errors = errors(text)
    #expect(errors.count == 1 && errors[0].hasPrefix(start), "\(errors)")
  }

  @Test func everyMistakeIsToldAtOnceAndInOrder() {
    let text = "sysctl a=1\nsetkey add nonsense ;\nfoo\n\nifconfig gif0 up\n"
    #expect(parse(text).errors.map(\.line) == [1, 2, 3, 5])
  }

  @Test func aLineAfterStatementsOfSetkeyIsALineOfItsOwn() {
    let text = """
      setkey spdadd 10.0.0.1 10.0.0.2 any -P out discard ; # "
      ifconfig gif0 create
      setkey
        spdadd 10.0.0.3 10.0.0.4 any -P in discard ;
      sysctl net.inet.ip.gifttl=7
      """
    #expect(errors(text).isEmpty, "\(errors(text))")
    let configuration = parse(text).configuration
    #expect(configuration.keys.map(\.position.line) == [1, 4])
    #expect(configuration.interfaces.count == 1 && configuration.settings.count == 1)
  }

  @Test func textThatIsNoUTF8IsAMistake() {
    let parser = ConfigurationParser(Array("ifconfig gif0 ".utf8) + [0xff, 0xfe], rules: Self.rules)
    #expect(parser.errors.map(\.text) == ["the line is no UTF-8"])
  }

  @Test func errorsAreNotCollectedWithoutEnd() {
    let parser = parse(String(repeating: "x\n", count: 10000))
    #expect(parser.errors.count == ConfigurationRules.mostErrors + 1)
  }

  @Test func mutatedFilesEndWithPlacesInsideOfThem() {
    let seed = Array(
      """
      sysctl net.inet.ip.gifttl=64 # x
      ifconfig gif0 create tunnel 192.0.2.1,5 fe80::1%2 mtu 1400 up
      allow group 10 capture *
      setkey spdadd 10.0.0.1[any] 10.0.0.2 any -P out ipsec esp/transport//unique ; # "
        add 10.0.0.1 10.0.0.2 esp 0x2711 -E aes-cbc "0123456789abcdef" ;
      allow user 5 inject gif0
      """.utf8)
    let words = [
      "setkey ", ";", "\n", "\"", "#", "ifconfig gif1 create", "sysctl ", "\0", "\t", "99999999999999999999",
    ]
    var random = SystemRandomNumberGenerator()
    for _ in 0..<3000 {
      var text = seed
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        if text.isEmpty { text = seed }
        let place = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: text[place] = UInt8.random(in: 0...255, using: &random)
        case 1: text.remove(at: place)
        case 2: text.insert(contentsOf: Array((words.randomElement(using: &random) ?? "").utf8), at: place)
        default: text.removeSubrange(place..<min(place + Int.random(in: 1...40, using: &random), text.count))
        }
      }
      let parser = ConfigurationParser(text, rules: Self.rules)
      let lines = text.count { $0 == 10 } + 1
      let isRight = parser.remarks.allSatisfy { $0.line >= 1 && $0.line <= lines }
      if !isRight { Issue.record("\(parser.remarks) of \(text)") }
    }
  }
}
