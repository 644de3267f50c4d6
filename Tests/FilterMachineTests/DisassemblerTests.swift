import CPcapShim
import Testing

@testable import SwBPFFilterMachine
@testable import TestSupport

@Suite("Programs as text", .serialized)
struct DisassemblerTests {
  /// libpcap's text of one instruction.
  private func judged(_ one: I, at index: Int) -> String {
    var raw = swpcap_insn(code: one.code, jt: one.jt, jf: one.jf, k: one.k)
    return String(cString: swpcap_image(&raw, Int32(index)))
  }

  @Test("every opcode, known or not, reads as libpcap has it")
  func opcodes() {
    var known = 0
    for code in UInt16.min...UInt16.max {
      let one = I(code: code, jt: 3, jf: 255, k: 0xffff_f004)
      let text = Disassembler.image(of: one, at: 5)
      if !text.contains("unimp") { known += 1 }
      if text != judged(one, at: 5) { Issue.record("\(code): \(text), libpcap \(judged(one, at: 5))") }
    }
    // FreeBSD's table, of which libpcap's text lacks ldx #pktlen.
    #expect(known == Opcode.all.count - 1)
  }

  @Test("random instructions read as libpcap has them")
  func random() {
    var random = Random(state: 1993)
    for _ in 0..<20_000 {
      let code =
        Bool.random(using: &random)
        ? Opcode.all.randomElement(using: &random)! : UInt16.random(in: 0...0x1ff, using: &random)
      let k =
        switch Int.random(in: 0..<3, using: &random) {
        case 0: UInt32.random(in: 0...300, using: &random)
        case 1: SKF_AD_OFF &+ UInt32.random(in: 0...80, using: &random) &- 8
        default: UInt32.random(in: 0...UInt32.max, using: &random)
        }
      let one = I(
        code: code, jt: UInt8.random(in: 0...255, using: &random), jf: UInt8.random(in: 0...255, using: &random), k: k)
      let index = Int.random(in: 0...4095, using: &random)
      let text = Disassembler.image(of: one, at: index)
      if text != judged(one, at: index) { Issue.record("\(one): \(text), libpcap \(judged(one, at: index))") }
    }
  }

  @Test("the three forms of a program")
  func forms() throws {
    let program = try Program([
      insn(Opcode.LD_H_ABS, 12), jump(Opcode.JEQ_K, 0x800, 0, 1), insn(Opcode.RET_K, 96), insn(Opcode.RET_K),
    ])
    #expect(
      program.text(.assembly) == """
        (000) ldh      [12]
        (001) jeq      #0x800           jt 2\tjf 3
        (002) ret      #96
        (003) ret      #0

        """)
    #expect(
      program.text(.initializer)
        == "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000800 },\n{ 0x6, 0, 0, 0x00000060 },\n{ 0x6, 0, 0, 0x00000000 },\n"
    )
    #expect(program.text(.numbers) == "4\n40 0 0 12\n21 0 1 2048\n6 0 0 96\n6 0 0 0\n")
  }

  @Test(
    "compiled expressions read as tcpdump -d, -dd and -ddd print them", .timeLimit(.minutes(2)), .needsTool("tcpdump"),
    arguments: ProgramText.allCases)
  func tcpdump(form: ProgramText) throws {
    let flag =
      switch form {
      case .assembly: "-d"
      case .initializer: "-dd"
      case .numbers: "-ddd"
      }
    // One shell for all of them; what one version of libpcap does not know is left out on both sides.
    let script = DifferentialTests.expressions.map { "tcpdump \(flag) -y EN10MB '\($0)' 2>/dev/null; echo =" }
    let shell = try Child(["sh", "-c", "PATH=$PATH:/usr/sbin:/sbin\n" + script.joined(separator: "\n")])
    let theirs = try shell.finish(timeout: 100).out.split(separator: "=\n", omittingEmptySubsequences: false).dropLast()
    try #require(theirs.count == DifferentialTests.expressions.count)
    var compared = 0
    for (expression, wanted) in zip(DifferentialTests.expressions, theirs) {
      let ours = (try? compile(expression)).map { Disassembler.text($0, form) } ?? ""
      if ours != wanted { Issue.record("\(expression): \(ours)\ntcpdump: \(wanted)") }
      if !ours.isEmpty { compared += 1 }
    }
    #expect(compared > 90)
  }
}
