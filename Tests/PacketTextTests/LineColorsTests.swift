import Testing

@testable import SwBPFPacketText

struct LineColorsTests {
  private func painted(_ text: String, _ linkType: Int32 = 1) -> String {
    var buffer = TextBuffer(capacity: 64)
    LineColors(linkType: linkType).paint(Array(text.utf8).span.bytes, to: &buffer)
    return string(buffer)
  }

  /// The painted text with words for the escape sequences.
  private func marked(_ text: String, _ linkType: Int32 = 1) -> String {
    let names = ["0": ">", "1": "bold<", "2": "dim<", "32": "green<", "33": "yellow<", "36": "cyan<"]
    return painted(text, linkType).replacing(/\u{1b}\[([0-9]+)m/) { names[String($0.1)] ?? "?" }
  }

  private func stripped(_ text: String) -> String { text.replacing(/\u{1b}\[[0-9]+m/, with: "") }

  @Test(
    "paints stamp, protocol and addresses",
    arguments: [
      (
        "14:09:52.715120 IP 192.0.2.1.58726 > 192.0.2.2.4000: UDP, length 5\n",
        "dim<14:09:52.715120> bold<IP> cyan<192.0.2.1.58726> > cyan<192.0.2.2.4000>: UDP, length 5\n"
      ),
      (
        "IP6 fe80::1 > ff02::: ICMP6, length 8\n", "bold<IP6> cyan<fe80::1> > cyan<ff02::>: ICMP6, length 8\n"
      ),
      (
        "1700000000.123456789 ARP, Request who-has 192.0.2.2 tell 192.0.2.1, length 28\n",
        "dim<1700000000.123456789> bold<ARP>, Request who-has cyan<192.0.2.2> tell cyan<192.0.2.1>, length 28\n"
      ),
      (
        "    1  2026-11-21 14:09:52.715120 IP 10.0.0.1 > 10.0.0.2: ICMP org 12:00:01.1\n",
        "dim<    1  2026-11-21 14:09:52.715120> bold<IP> cyan<10.0.0.1> > cyan<10.0.0.2>: ICMP org 12:00:01.1\n"
      ),
      (
        " 00:00:00.000001 02:00:00:00:00:01 > 02:00:00:00:00:02, ARP, length 42\n",
        "dim< 00:00:00.000001> cyan<02:00:00:00:00:01> > cyan<02:00:00:00:00:02>, ARP, length 42\n"
      ),
      ("\t0x0010:  4500 0001  10.0.0.1.2.3\n", "dim<\t0x0010:>  4500 0001  10.0.0.1.2.3\n"),
      ("    10.0.0.1.5 > ::1.9: [no cksum]\n", "    cyan<10.0.0.1.5> > cyan<::1.9>: [no cksum]\n"),
      ("version 4.99.3, 1.2.3.x, a1.2.3.4z, 1.2.3.4.5.6\n", "version 4.99.3, 1.2.3.x, a1.2.3.4z, 1.2.3.4.5.6\n"),
      ("", ""), ("\n\n", "\n\n"), ("no newline 1.2.3.4", "no newline cyan<1.2.3.4>"),
    ])
  func lines(_ text: String, _ expected: String) {
    #expect(marked(text) == expected)
    #expect(stripped(painted(text)) == text)
  }

  @Test("paints the directions of cooked lines")
  func directions() {
    #expect(
      marked("14:09:52.715120 eth0  Out IP 10.0.0.1 > 10.0.0.2: x\n", 276)
        == "dim<14:09:52.715120> eth0  yellow<Out> bold<IP> cyan<10.0.0.1> > cyan<10.0.0.2>: x\n")
    #expect(marked("eth0  In  ARP, x\n", 276) == "eth0  green<In>  bold<ARP>, x\n")
    #expect(marked("eth0  In  ARP, x\n", 1) == "eth0  In  ARP, x\n")
  }

  /// Every form of line that the options make.
  private static let forms: [TextOptions] = {
    var all: [TextOptions] = []
    for linkType: Int32 in [1, 101, 0, 113, 276, 105] {
      for stamp: StampStyle in [.clock, .none, .epoch] {
        for choice in 0..<16 {
          var options = TextOptions(linkType: linkType)
          options.stamp = stamp
          options.linkHeader = choice & 1 != 0
          options.quiet = choice & 2 != 0
          options.nanoseconds = choice & 4 != 0
          options.verbosity = choice & 8 != 0 ? 2 : 0
          all.append(options)
        }
      }
    }
    return all
  }()

  @Test("without its escape sequences painted text is the plain text, and no packet brings any in")
  func random() {
    for options in Self.forms {
      var builder = FrameBuilder(seed: 5)
      var printer = LinePrinter(options) { _ in "e\u{1b}[31m\n" }
      var plain = TextBuffer(capacity: 64)
      for round in 0..<effort(100) {
        var frame = round % 4 == 0 ? builder.some(1 + builder.below(90)) : builder.frame(options.linkType)
        for _ in 0..<builder.below(4) {
          frame[builder.below(frame.count)] = builder.oneOf([0x1b, 0x9b, 0x0a, 0x5b, 7])
        }
        printer.print(
          seconds: 1_700_000_000, nanoseconds: 7, wireLength: UInt32(frame.count), frame: frame.span.bytes, to: &plain)
      }
      var painted = TextBuffer(capacity: 64)
      LineColors(linkType: options.linkType).paint(plain.bytes, to: &painted)
      let text = plain.bytes.withUnsafeBytes { Array($0) }
      #expect(text.allSatisfy { (0x20..<0x7f).contains($0) || $0 == 0x0a || $0 == 0x09 })
      #expect(painted.bytes.withUnsafeBytes { withoutEscapes(Array($0)) } == text)
      #expect(painted.count > plain.count || (options.linkType == 105 && options.stamp == .none))
    }
  }

  /// The bytes without any ESC [ … m.
  private func withoutEscapes(_ bytes: [UInt8]) -> [UInt8] {
    var kept: [UInt8] = []
    var isEscape = false
    for byte in bytes {
      if byte == 0x1b { isEscape = true }
      if !isEscape { kept.append(byte) }
      if byte == UInt8(ascii: "m") { isEscape = false }
    }
    return kept
  }
}
