import CPcapShim
import Glibc
import Testing

@testable import SwBPFFilterMachine

/// A datagram socket pair whose reading end has a filter: the kernel's machine on frames from memory.
final class FilteredPair {
  private var ends: [CInt] = [-1, -1]

  init() { precondition(socketpair(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0, &ends) == 0) }
  deinit { for end in ends { close(end) } }

  /// 0, or a negative errno.
  func attach(_ program: [I]) -> CInt {
    program.withUnsafeBufferPointer { instructions in
      instructions.withMemoryRebound(to: swpcap_insn.self) {
        swpcap_packet_filter(ends[1], $0.baseAddress, UInt16($0.count))
      }
    }
  }

  /// What the filter keeps of a frame; 0 when it refuses it.
  func kept(of frame: [UInt8]) -> Int {
    precondition(send(ends[0], frame, frame.count, 0) == frame.count)
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(ends[1], &buffer, buffer.count, CInt(MSG_DONTWAIT))
    return max(0, count)
  }
}

@Suite("Union for the kernel")
struct UnionTests {
  static let memory = 131_072

  static func part(_ instructions: [I], ancillary: Bool = true) throws -> UnionPart {
    UnionPart(try Program(instructions, ancillary: ancillary, limit: Program.expressionLimit))
  }

  static func union(_ programs: [[I]], memory: Int = UnionTests.memory) throws -> Union {
    Union(of: try programs.map { Union.Wish(try part($0), sent: true, received: true) }, memory: memory)
  }

  /// Expressions that may go to the kernel, with what libpcap made of them.
  static let compiled: [[I]] = (DifferentialTests.expressions + ["inbound", "outbound and udp port 53"]).compactMap {
    guard let program = try? compile($0), (try? part(program).isPushable) == true else { return nil }
    return program
  }

  /// Some program with return values of its own.
  /// - Parameter isShort: no more than 96 bytes are asked for.
  static func program(_ random: inout Random, isShort: Bool) throws -> UnionPart {
    while true {
      var instructions =
        !isShort && Int.random(in: 0..<3, using: &random) == 0
        ? DifferentialTests.program(&random) : compiled.randomElement(using: &random)!
      let keeps: [UInt32] = [1, 14, 40, 60, 64, 96, 200, 1500, 262_144, .max]
      let keep = keeps.prefix(isShort ? 6 : 10).randomElement(using: &random)!
      for index in instructions.indices where instructions[index].code == Opcode.RET_K && instructions[index].k != 0 {
        instructions[index].k = keep
      }
      guard let program = try? part(instructions, ancillary: Bool.random(using: &random)) else { continue }
      // One that may not be pushed makes the whole set accept everything: now and then is enough.
      if program.isPushable || Int.random(in: 0..<100, using: &random) == 0 { return program }
    }
  }

  @Test("1000 random sets of programs and directions: each peer's verdict and bytes are those of the whole frame")
  func randomSets() throws {
    var random = Random(state: 31)
    let pair = FilteredPair()
    var (pushed, refused, cut, accepted) = (0, 0, 0, 0)
    for set in 0..<1000 {
      let isShort = Bool.random(using: &random)
      let wishes = try (0..<Int.random(in: 2...16, using: &random)).map { _ in
        let direction = Int.random(in: 0..<4, using: &random)
        return Union.Wish(try Self.program(&random, isShort: isShort), sent: direction != 1, received: direction != 2)
      }
      let union = Union(of: wishes, memory: Self.memory)
      #expect(union.covers(wishes))
      guard let code = union.code else { continue }
      pushed += 1
      let machine = try Program(code, ancillary: true, limit: Union.limit)
      let attached = pair.attach(code)
      #expect(attached == 0, "set \(set): the kernel refuses \(code.count) instructions")
      for _ in 0..<30 {
        var frame = DifferentialTests.frame(&random)
        if frame.isEmpty { frame = [0] }
        if Bool.random(using: &random) {
          frame += [UInt8](repeating: 9, count: Int.random(in: 0...300, using: &random))
        }
        let isSent = Bool.random(using: &random)
        let metadata = FrameMetadata(packetType: isSent ? 4 : 0)
        let verdict = machine.verdict(frame, metadata: metadata)
        if !isSent {
          let kept = pair.kept(of: frame)
          if kept != min(Int(verdict), frame.count) {
            Issue.record("set \(set): the kernel keeps \(kept), the machine \(verdict) of \(frame): \(code)")
          }
        }
        if verdict == 0 { refused += 1 }
        let rest = Array(frame.prefix(Int(verdict)))
        if verdict > 0 && rest.count < frame.count { cut += 1 }
        for wish in wishes where isSent ? wish.sent : wish.received {
          let program = wish.part!.program
          let whole = program.verdict(frame, metadata: metadata)
          if whole > 0 { accepted += 1 }
          let short =
            verdict == 0 ? 0 : program.verdict(rest, wireLength: UInt32(frame.count), metadata: metadata)
          if whole != short || min(Int(whole), frame.count) != min(Int(short), rest.count) {
            Issue.record(
              "set \(set): \(whole), pushed down \(short) (cut \(verdict)): \(program.instructions) on \(frame)")
          }
        }
      }
    }
    #expect(pushed > 500)
    #expect(refused > 1000)
    #expect(cut > 200)
    #expect(accepted > 10_000)
  }

  @Test("a load outside the frame, or a division by zero, in one program does not refuse what a later one accepts")
  func guards() throws {
    let short: [UInt8] = .init(repeating: 7, count: 20)
    let accept = [insn(Opcode.LD_B_ABS, 3), jump(Opcode.JEQ_K, 7, 0, 1), insn(Opcode.RET_K, 96), insn(Opcode.RET_K)]
    let outside: [[I]] = [
      [insn(Opcode.LD_W_ABS, 30), insn(Opcode.RET_A)],
      [insn(Opcode.LDX_IMM, 18), insn(Opcode.LD_W_IND, 2), insn(Opcode.RET_A)],
      [insn(Opcode.LD_IMM, 5), insn(Opcode.LDX_MSH, 40), insn(Opcode.RET_A)],
      [insn(Opcode.LD_IMM, 5), insn(Opcode.LDX_IMM, 0), insn(Opcode.DIV_X), insn(Opcode.RET_A)],
      [insn(Opcode.LD_IMM, 5), insn(Opcode.LDX_IMM, 0), insn(Opcode.MOD_X), insn(Opcode.RET_K, 1)],
    ]
    let pair = FilteredPair()
    for first in outside {
      let code = try #require(try Self.union([first, accept]).code)
      try #require(pair.attach(code) == 0)
      #expect(pair.kept(of: short) == 20)
      #expect(pair.kept(of: [0, 1, 2, 3]) == 0)
      #expect(pair.kept(of: [0]) == 0)
    }
  }

  @Test("programs begin with both registers zero, whatever the one before left there")
  func registers() throws {
    let first = [insn(Opcode.LD_IMM, 5), insn(Opcode.TAX), insn(Opcode.RET_K)]
    let second = [insn(Opcode.ADD_X), jump(Opcode.JEQ_K, 0, 0, 1), insn(Opcode.RET_K, 9), insn(Opcode.RET_K)]
    #expect(
      try Program(#require(try Self.union([first, second]).code), ancillary: true).verdict(
        [1, 2, 3], metadata: FrameMetadata()) > 0)
  }

  @Test("the cut is the most that a program returns or reads, and a tag")
  func cut() throws {
    let far = [insn(Opcode.LD_B_ABS, 100), jump(Opcode.JEQ_K, 1, 0, 1), insn(Opcode.RET_K, 64), insn(Opcode.RET_K)]
    #expect(try Self.union([far]).cut == 105)
    #expect(try Self.union([far, [insn(Opcode.RET_K, 300)]]).cut == 304)
    let unbounded = [insn(Opcode.LDX_LEN), insn(Opcode.LD_B_IND), insn(Opcode.RET_K, 20)]
    #expect(try Self.union([far, unbounded]).cut == .max)
    #expect(try Self.union([far, [insn(Opcode.LD_LEN), insn(Opcode.RET_A)]]).cut == .max)

    var frame = [UInt8](repeating: 0, count: 200)
    frame[100] = 1
    let pair = FilteredPair()
    try #require(pair.attach(try #require(try Self.union([far]).code)) == 0)
    #expect(pair.kept(of: frame) == 105)
    #expect(try run(far, on: Array(frame.prefix(105)), wire: 200) == 64)
  }

  @Test("programs that the kernel understands otherwise ask for everything: C-212")
  func unpushable() throws {
    let programs: [[I]] = [
      [insn(Opcode.LD_W_ABS, 0x8000_0000), insn(Opcode.RET_K, 1)],
      [insn(Opcode.LD_W_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), insn(Opcode.RET_K, 1)],
      [insn(Opcode.LDX_MSH, 0xffff_0000), insn(Opcode.RET_K, 1)],
      [insn(Opcode.LDX_LEN), insn(Opcode.LD_B_IND, 0xffff_ff00), insn(Opcode.RET_K, 1)],
      [insn(Opcode.LDX_LEN), insn(Opcode.LD_B_IND, 1), insn(Opcode.RET_K, 1)],
      [insn(Opcode.LD_IMM, 1), insn(Opcode.LSH_K, 32), insn(Opcode.RET_K, 1)],
      [insn(Opcode.LD_B_ABS), insn(Opcode.TAX), insn(Opcode.RSH_X), insn(Opcode.RET_K, 1)],
    ]
    for program in programs { #expect(try Self.part(program, ancillary: false).isPushable == false, "\(program)") }
    let marked = [insn(Opcode.LD_W_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), insn(Opcode.RET_K, 1)]
    #expect(try Self.part(marked).isPushable)
    let random = [insn(Opcode.LD_W_ABS, SKF_AD_OFF + 56), insn(Opcode.RET_K, 1)]
    #expect(try Self.part(random).isPushable == false)
    let shift = [
      insn(Opcode.LD_B_ABS), insn(Opcode.AND_K, 31), insn(Opcode.TAX), insn(Opcode.RSH_X), insn(Opcode.RET_K, 1),
    ]
    #expect(try Self.part(shift).isPushable)

    let everything = Union(
      of: [
        Union.Wish(try Self.part(programs[0], ancillary: false), sent: true, received: true),
        Union.Wish(try Self.part(shift), sent: true, received: true),
      ], memory: Self.memory)
    #expect(everything.code == nil)
  }

  @Test("equal programs are there once; what is asked for again is covered")
  func covered() throws {
    let dns = try compile("udp port 53")
    let web = try compile("tcp port 80")
    let one = try Self.union([dns, web])
    #expect(try Self.union([dns, web, dns, web, dns]).code?.count == one.code?.count)
    func wish(_ program: [I]?, sent: Bool = true, received: Bool = true) throws -> Union.Wish {
      Union.Wish(try program.map { try Self.part($0) }, sent: sent, received: received)
    }
    #expect(one.covers([try wish(dns)]))
    #expect(one.covers([try wish(web, sent: false), try wish(dns, received: false)]))
    #expect(!one.covers([try wish(compile("udp port 54"))]))
    #expect(!one.covers([try wish(nil)]))
    #expect(Union.everything.covers([try wish(nil)]))

    let split = Union(of: [try wish(dns, received: false), try wish(web)], memory: Self.memory)
    #expect(split.covers([try wish(dns, received: false)]))
    #expect(!split.covers([try wish(dns)]))
    #expect(split.covers([try wish(web)]))
    // The same bytes, but more of them.
    let cut = try Self.union([[insn(Opcode.RET_K, 64)]])
    #expect(one.refuses && !cut.refuses && cut.code != nil)
    #expect(!cut.covers([try wish([insn(Opcode.RET_K, 65)])]))
  }

  @Test("each direction has the programs of those who want it")
  func directions() throws {
    let dns = try Self.part(compile("udp"))
    let all = Union.Wish(nil, sent: false, received: true)
    let union = Union(of: [Union.Wish(dns, sent: true, received: false), all], memory: Self.memory)
    let machine = try Program(try #require(union.code), ancillary: true)
    let tcp: [UInt8] = .init(repeating: 2, count: 12) + [8, 0, 0x45] + .init(repeating: 6, count: 40)
    #expect(machine.verdict(tcp, metadata: FrameMetadata(packetType: 0)) == .max)
    #expect(machine.verdict(tcp, metadata: FrameMetadata(packetType: 4)) == 0)
    let sentOnly = Union(of: [Union.Wish(nil, sent: true, received: false)], memory: Self.memory)
    let test = try Program(try #require(sentOnly.code), ancillary: true)
    #expect(test.verdict(tcp, metadata: FrameMetadata(packetType: 4)) == .max)
    #expect(test.verdict(tcp, metadata: FrameMetadata(packetType: 1)) == 0)
    // Nobody wants sent frames: PACKET_IGNORE_OUTGOING does that, and nothing is left to test.
    #expect(Union(of: [all], memory: Self.memory).code == nil)
  }

  @Test("a frame whose tag was taken out passes, for its offsets are others than the programs'")
  func tags() throws {
    let code = try #require(try Self.union([compile("udp port 53")]).code)
    let machine = try Program(code, ancillary: true)
    #expect(machine.verdict([1], metadata: FrameMetadata(vlanPresent: true)) > 0)
    #expect(machine.verdict([1], metadata: FrameMetadata()) == 0)
    // Sockets without a link header tell of tags that their filter does not see.
    let tagged = try Self.part([insn(Opcode.LD_W_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT), insn(Opcode.RET_A)])
    let wish = Union.Wish(tagged, sent: true, received: true)
    #expect(Union(of: [wish], memory: Self.memory).code != nil)
    #expect(Union(of: [wish], isCooked: true, memory: Self.memory).code == nil)
  }

  @Test("bodies longer than a conditional jump reaches go over trampolines")
  func trampolines() throws {
    let expressions = (0..<3).map { set in (0..<60).map { "port \(1000 * set + $0 * 7)" }.joined(separator: " or ") }
    let programs = try expressions.map { try compile($0) }
    // Pure assembler: a comparison in front, 600 instructions, both targets behind them.
    var assembler = UnionAssembler()
    let (yes, no) = (assembler.label(), assembler.label())
    assembler.emit(Opcode.LD_B_ABS)
    assembler.branch(Opcode.JEQ_K, 1, holds: yes, fails: no)
    for _ in 0..<600 { assembler.emit(Opcode.RET_K, 3) }
    assembler.place(yes)
    assembler.emit(Opcode.RET_K, 1)
    assembler.place(no)
    assembler.emit(Opcode.RET_K, 2)
    let far = try Program(assembler.assembled(), limit: Union.limit)
    #expect(far.verdict([1]) == 1 && far.verdict([5]) == 2)

    let union = try Self.union(programs)
    let code = try #require(union.code)
    #expect(code.contains { $0.code == Opcode.JA })
    let machine = try Program(code, ancillary: true, limit: Union.limit)
    var random = Random(state: 8)
    let parts = try programs.map { try Program($0, limit: Union.limit) }
    let pair = FilteredPair()
    try #require(pair.attach(code) == 0)
    for _ in 0..<3000 {
      let frame = DifferentialTests.frame(&random) + [0]
      let wanted = parts.contains { $0.verdict(frame) > 0 }
      #expect((machine.verdict(frame, metadata: FrameMetadata()) > 0) == wanted)
      #expect((pair.kept(of: frame) > 0) == wanted)
    }
  }

  @Test("the size that is reckoned with is never below the kernel's, and above the budget everything passes")
  func budget() throws {
    let pair = FilteredPair()
    let limit = swpcap_filter_memory()
    var largest = 0
    for count in stride(from: 40, through: 1500, by: 50) {
      // Loads cost the kernel most.
      let program =
        (0..<count).flatMap { [insn(Opcode.LD_W_ABS, UInt32($0)), jump(Opcode.JEQ_K, 77, 0, 0)] } + [insn(Opcode.RET_A)]
      if KernelSize.bytes(of: program) > limit / 2 { continue }
      // Twice: the old filter is there until the new one is.
      #expect(pair.attach(program) == 0, "\(count) loads")
      #expect(pair.attach(program) == 0, "\(count) loads")
      largest = count
    }
    #expect(largest >= 40)

    // Each reads other bytes: nothing can be looked up for all.
    let programs = try (0..<40).map {
      try compile("ether[\(20 + $0)] = 1 and ether[\(90 + $0):4] = 7 or ether[\(200 + 3 * $0):2] > 5")
    }
    #expect(try Self.union(programs, memory: 20_480).code == nil)
    let small = try Self.union(Array(programs.prefix(2)), memory: 20_480)
    #expect(try #require(small.code).count < 200)
    // The small program of the other direction stays.
    let wishes =
      try programs.map { Union.Wish(try Self.part($0), sent: true, received: false) } + [
        Union.Wish(try Self.part(compile("arp")), sent: false, received: true)
      ]
    let mixed = Union(of: wishes, memory: 20_480)
    let machine = try Program(try #require(mixed.code), ancillary: true)
    #expect(machine.verdict([1, 2, 3], metadata: FrameMetadata(packetType: 4)) > 0)
    #expect(machine.verdict([1, 2, 3], metadata: FrameMetadata(packetType: 0)) == 0)
    #expect(mixed.covers(wishes))
  }
}
