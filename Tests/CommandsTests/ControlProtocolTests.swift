import SwBPF
import Testing

@testable import SwBPFCommands

@Suite("The language of control sockets")
struct ControlProtocolTests {
  @Test(
    "a request reads back as it was written",
    arguments: [
      .status, .seeSent(.toggle), .direction(.inOut), .filter(""), .filter("tcp port 80 and (host 10.0.0.1)"),
    ] as [ControlRequest])
  func requests(request: ControlRequest) throws {
    #expect(try ControlRequest(line: request.line) == request)
  }

  @Test("a newline in an expression ends no request")
  func newline() throws {
    #expect(try ControlRequest(line: ControlRequest.filter("tcp\nor udp\r\n").line) == .filter("tcp or udp "))
    #expect(!ControlRequest.filter("a\nb").line.contains("\n"))
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", "swbpf/1", "swbpf/2 status", "GET / HTTP/1.1", "swbpf/1 see-sent maybe", "swbpf/1 direction",
      "swbpf/1 status now",
      "\0\0\0",
    ])
  func refused(line: String) {
    #expect(throws: ControlFailure.self) { try ControlRequest(line: line) }
  }

  @Test("an answer that is cut, empty or of another version is none")
  func answers() {
    for answer in [ControlAnswer.done([]), .done(["a=1", "b=2"]), .failed("no")] {
      #expect(ControlAnswer(text: answer.text) == answer)
      #expect(ControlAnswer(text: String(answer.text.dropLast())) == nil)
    }
    for text in ["", "\n", "swbpf/2 ok\n", "hello\n", "swbpf/1 error a\nb\n"] {
      #expect(ControlAnswer(text: text) == nil)
    }
  }

  @Test("a peer's fields read back, whatever they hold; unknown and wrong ones are left out")
  func peers() {
    let status = PeerStatus([
      "interface": .text("a\tb=%\n\u{1b}\u{e9}"), "see_sent": .flag(false), "captured": .number(.max),
    ])
    #expect(PeerStatus(line: status.line) == status)
    #expect(!status.line.contains("\n") && !status.line.contains("\u{1b}"))
    let foreign = PeerStatus(line: "captured=-1\tsee_sent=2\tcolour=red\t=\toffered=3\tfilter=%zz%4")
    #expect(foreign == PeerStatus(["offered": .number(3), "filter": .text("%zz%4")]))
  }

  @Test("names of control sockets are process and start, and nothing else is one")
  func names() {
    #expect(ControlName(file: "12-345.sock") == ControlName(pid: 12, start: 345))
    #expect(ControlName(pid: 12, start: 345).file == "12-345.sock")
    for name in ["12.sock", "-1-2.sock", "0-1.sock", "1-2-3.sock", "a-b.sock", "1-2.new", ".sock", "1-.sock"] {
      #expect(ControlName(file: name) == nil, "\(name)")
    }
  }

  @Test("what another process says cannot command the terminal or break JSON")
  func printable() {
    #expect(Printable.text("a\u{1b}[2J\u{9b}b\u{202e}\n") == "a\\x1b[2J\\x9bb\\x202e\\x0a")
    #expect(Printable.json("a\"\\\n\u{1b}é") == "\"a\\\"\\\\\\u000a\\u001bé\"")
  }

  @Test(
    "ages are short",
    arguments: [(0, "0s"), (59_999, "59s"), (187_000, "3m07s"), (7_500_000, "2h05m"), (356_400_000, "4d03h")])
  func ages(milliseconds: UInt64, text: String) {
    #expect(PeerTable.age(milliseconds) == text)
  }

  @Test("on a terminal narrower than the table each peer is a block that fits; without peers there is nothing")
  func narrow() {
    let counts = Dictionary(
      uniqueKeysWithValues: PeerStatus.fields.filter { $0.kind == .number }.map {
        ($0.name, PeerStatus.Value.number(12345))
      })
    let status = PeerStatus(
      counts.merging(
        ["interface": .text("va"), "link_type": .text("EN10MB"), "filter": .text("udp"), "see_sent": .flag(true)]
      ) { $1 })
    let peers = [ListedPeer(pid: 77, user: 0, status: status), ListedPeer(pid: 78, user: 0, status: nil)]
    let table = PeerTable.text(peers)
    #expect(PeerBlocks.text(peers, width: nil) == table && PeerBlocks.text(peers, width: 500) == table)
    for width in [40, 80, 100] {
      let text = PeerBlocks.text(peers, width: width)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.allSatisfy { $0.count <= width }, "\(text)")
      #expect(lines[0].hasPrefix("77  root  va  EN10MB") && lines.contains("  filter udp"), "\(text)")
      #expect(text.hasSuffix("\n\n78  root  no answer\n"), "\(text)")
      // Every column is there; interface and link type say what they are by themselves.
      #expect(PeerTable.columns.dropFirst(2).allSatisfy { text.contains("\($0.head.lowercased()) ") }, "\(text)")
    }
    #expect(PeerBlocks.text([], width: 80).isEmpty && PeerTable.text([]).isEmpty)
  }

  @Test("random bytes are refused or read, and never come out as control characters")
  func random() {
    var generator = SystemRandomNumberGenerator()
    let words = [
      "swbpf/1", "status", "see-sent", "filter", "ok", "error", "interface=", "%1b", "%", "\t", "\n", " ", "\u{1b}[",
    ]
    for _ in 0..<20_000 {
      var text = ""
      for _ in 0..<Int.random(in: 0..<8, using: &generator) {
        if Bool.random(using: &generator) {
          text += words.randomElement(using: &generator)!
        } else {
          text += String(
            decoding: (0..<4).map { _ in UInt8.random(in: .min ... .max, using: &generator) }, as: UTF8.self)
        }
      }
      if let request = try? ControlRequest(line: text) { #expect(!request.line.contains("\n")) }
      _ = ControlAnswer(text: text + "\n")
      let status = PeerStatus(line: text)
      #expect(PeerStatus(line: status.line) == status)
      let table = PeerTable.text([ListedPeer(pid: 1, user: 0, status: status)])
      let shown = table + PeerTable.json([ListedPeer(pid: 1, user: 0, status: status)])
      #expect(!shown.unicodeScalars.contains { ($0.value < 32 && $0 != "\n") || (0x7f..<0xa0).contains($0.value) })
      #expect(table.split(separator: "\n").count == 2)
    }
  }
}
