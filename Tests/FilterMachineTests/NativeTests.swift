import Glibc
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFFilterMachine

@Suite("Native code")
struct NativeTests {
  /// Valid programs of one run; `make fuzz-filter` asks for more.
  static let rounds =
    Environment.value("SWBPF_FILTER_ROUNDS").flatMap { Int($0) }
    ?? (Environment.value("SWBPF_CI") == "1" && !Requirement.short ? 100_000 : 20_000)
  static let seed = Environment.value("SWBPF_FILTER_SEED").flatMap { UInt64($0) } ?? 1993

  @Test("random programs give the interpreter's verdict in machine code, libpcap's and the kernel's (C-212)")
  func agreement() throws {
    var random = Random(state: Self.seed)
    let kernel = try #require(KernelFilter())
    var ran = 0
    var accepted = 0
    var asked = 0
    while ran < Self.rounds {
      let length = [2, 9, 34, 60].randomElement(using: &random)!
      let source = RandomProgram(&random, length: length)
      guard let program = try? Program(source.instructions) else { continue }
      ran += 1
      // What may be pushed down means the same there, and is taken.
      let forKernel = UnionPart(program).isPushable
      if forKernel { try #require(kernel.attach(program), "\(source.instructions)") }
      let forLibpcap = !source.mayShiftFar
      for _ in 0..<4 {
        let frame = RandomProgram.frame(&random, length: length)
        let wire = forKernel ? UInt32(frame.count) : UInt32.random(in: 0...70, using: &random)
        let ours = program.verdict(frame, wireLength: wire)
        if ours != 0 { accepted += 1 }
        if forLibpcap {
          let theirs = judge(program, frame, wire: wire)
          if ours != theirs { Issue.record("\(ours), libpcap \(theirs): \(source.instructions) on \(frame), \(wire)") }
        }
        if forKernel && !frame.isEmpty {
          asked += 1
          let kept = kernel.kept(frame)
          if kept != min(Int(ours), frame.count) {
            Issue.record("\(ours), the kernel keeps \(kept): \(source.instructions) on \(frame)")
          }
        }
      }
    }
    print("\(ran) programs, \(accepted) frames accepted, \(asked) shown to the kernel")
    #expect(accepted > ran / 4 && asked > ran / 4)
  }

  @Test("random marked programs give the interpreter's verdict, with metadata and without")
  func marked() throws {
    var random = Random(state: Self.seed)
    var ran = 0
    var accepted = 0
    for _ in 0..<6000 {
      let source = RandomProgram(&random, length: 20, ancillary: true)
      guard let program = try? Program(source.instructions, ancillary: true) else { continue }
      ran += 1
      for round in 0..<3 {
        let frame = RandomProgram.frame(&random, length: 20)
        let metadata = FrameMetadata(
          packetType: UInt8.random(in: 0...4, using: &random), vlanPresent: round == 1,
          vlanTag: UInt16.random(in: 0...9, using: &random), protocolType: UInt16.random(in: 0...9, using: &random),
          interfaceIndex: UInt32.random(in: 0...9, using: &random))
        if program.verdict(frame, wireLength: 30, metadata: round == 2 ? nil : metadata) != 0 { accepted += 1 }
      }
    }
    #expect(ran > 2000 && accepted > 1000)
  }

  @Test("machine code is there on this processor, and SWBPF_JIT=0 alone switches it off")
  func present() throws {
    #if arch(x86_64) || arch(arm64)
      let program = try Program([insn(Opcode.LD_B_ABS, 0), insn(Opcode.RET_A)])
      #expect((program.tapCode.native != nil) == (Environment.value("SWBPF_JIT") != "0"))
      #expect(program.code.native == nil)
    #endif
  }

  @Test("there is no code for nothing, nor a program that would ask for it (C-237)")
  func empty() {
    #expect(NativeCode([], ancillary: false) == nil)
    #expect(refusal([]) != nil)
  }

  @Test("the code of a program is made once, and lies in memory that can be run and not be written")
  func protection() throws {
    let program = try Program([insn(Opcode.LD_B_ABS, 0), insn(Opcode.RET_A)])
    let entry = try #require(program.tapCode.native)
    let address = unsafeBitCast(entry, to: UInt.self)
    #expect(unsafeBitCast(program.tapCode.native, to: UInt.self) == address)
    #expect(try Self.protection(at: address) == "r-xp")
    withExtendedLifetime(program) {}
  }

  /// What /proc says of the page at an address; nil: nothing is there.
  static func protection(at address: UInt) throws -> String? {
    let file = try #require(fopen("/proc/self/maps", "r"))
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, 512, file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let parts = text.split(separator: " ")
      let range = parts[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      if range.count == 2, (range[0]..<range[1]).contains(address) { return String(parts[1]) }
    }
    return nil
  }

  @Test("the code of a program goes with it: ten thousand programs leave no page behind")
  func freed() throws {
    func mappings() throws -> Int {
      let file = try #require(fopen("/proc/self/maps", "r"))
      defer { fclose(file) }
      var count = 0
      while true {
        let one = fgetc(file)
        if one == EOF { return count }
        if one == 10 { count += 1 }
      }
    }
    let before = try mappings()
    for k: UInt32 in 0..<10_000 {
      #expect(try Program([insn(Opcode.RET_K, k)]).native([]) == k)
    }
    #expect(try mappings() < before + 50)
  }

  @Test("sets of every size are searched right: each key is found and its neighbours are not")
  func sets() throws {
    var random = Random(state: 60)
    for count in [1, 2, 3, 4, 7, 20, 60, 99, 100, 101, 180, 250] {
      for wide in [false, true] {
        let keys = Set((0..<count).map { _ in UInt32(truncatingIfNeeded: random.next()) & (wide ? .max : 0xffff) })
        let ladder = keys.enumerated().map { jump(Opcode.JEQ_K, $1, UInt8(keys.count - $0), 0) }
        for load in [wide ? insn(Opcode.LD_W_ABS, 0) : insn(Opcode.LD_H_ABS, 0), insn(Opcode.LD_LEN)] {
          let program = try Program([load] + ladder + [insn(Opcode.RET_K, 0), insn(Opcode.RET_K, 7)])
          for key in keys {
            for value in [key, key &+ 1, key &- 1, key.byteSwapped] where wide || value <= 0xffff {
              let bytes = withUnsafeBytes(of: wide ? value.bigEndian : value.bigEndian >> 16) { Array($0) }
              let verdict = program.verdict(Array(bytes.prefix(wide ? 4 : 2)), wireLength: value)
              #expect(verdict == (keys.contains(value) ? 7 : 0))
            }
          }
        }
      }
    }
  }

  /// Rungs of two instructions each, as conditional jumps do not reach the end of a long ladder.
  static func longLadder(_ keys: [UInt32]) throws -> Program {
    var instructions = [insn(Opcode.LD_W_ABS, 0)]
    for index in keys.indices {
      let left = 2 * (keys.count - index) - 1
      instructions += [jump(Opcode.JEQ_K, keys[index], 0, 1), insn(Opcode.JA, UInt32(left))]
    }
    instructions += [insn(Opcode.RET_K, 0), insn(Opcode.RET_K, 7)]
    return try Program(instructions, limit: Program.expressionLimit)
  }

  @Test("two thousand hosts are one search, and the longest program becomes code")
  func longLadder() throws {
    var random = Random(state: 63)
    let keys = (0..<2046).map { _ in UInt32(truncatingIfNeeded: random.next()) }
    let program = try Self.longLadder(keys)
    #expect(program.count == 4095)
    #expect((program.tapCode.native != nil) == NativeCode.isWanted)
    let all = Set(keys)
    for key in keys.prefix(300) + keys.suffix(300) {
      for value in [key, key &+ 1, key.byteSwapped] {
        let bytes = withUnsafeBytes(of: value.bigEndian) { Array($0) }
        #expect(program.verdict(bytes) == (all.contains(value) ? 7 : 0))
      }
    }
  }

  @Test("a ladder to many targets goes to the target of the first equal rung")
  func ladders() throws {
    var random = Random(state: 61)
    for _ in 0..<40 {
      let keys = (0..<Int.random(in: 2...60, using: &random)).map { _ in UInt32.random(in: 0...40, using: &random) }
      // Rung n goes to the return of n; the last return is for the others.
      let ladder = keys.map { jump(Opcode.JEQ_K, $0, UInt8(keys.count), 0) }
      let returns = (0...keys.count).map { insn(Opcode.RET_K, $0 == 0 ? 1000 : UInt32($0)) }
      let program = try Program([insn(Opcode.LD_LEN)] + ladder + returns)
      for value: UInt32 in 0...45 {
        let first = keys.firstIndex(of: value).map { UInt32($0 + 1) }
        #expect(program.verdict([], wireLength: value) == first ?? 1000)
      }
    }
  }

  @Test("division by any constant is exact at the edges (C-239, C-240, C-269)")
  func division() throws {
    var random = Random(state: 62)
    let edges: [UInt32] = [0, 1, 2, 6, 7, 9, 10, 0x7fff_ffff, 0x8000_0000, .max - 1, .max]
    for round in 0..<600 {
      let divisor = round < 300 ? UInt32(round + 1) : max(1, UInt32(truncatingIfNeeded: random.next() >> (round % 32)))
      let values = edges + (1...3).flatMap { [divisor &* $0, divisor &* $0 &- 1, .max / divisor * divisor &- $0] }
      for code in [Opcode.DIV_K, Opcode.MOD_K] {
        let program = try Program([insn(Opcode.LD_LEN), insn(code, divisor), insn(Opcode.RET_A)])
        for value in values {
          let expected = code == Opcode.DIV_K ? value / divisor : value % divisor
          #expect(program.verdict([], wireLength: value) == expected, "\(value) by \(divisor)")
        }
      }
    }
  }

  /// prctl(2), which Swift does not see.
  static func processControl(_ option: CInt, _ argument: UInt) -> CInt {
    typealias Function = @convention(c) (CInt, UInt, UInt, UInt, UInt) -> CInt
    return unsafeBitCast(dlsym(nil, "prctl"), to: Function.self)(option, argument, 0, 0, 0)
  }

  // PR_GET_MDWE; PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN.
  @Test(
    "where the system refuses executable memory, programs are interpreted",
    .enabled(if: processControl(66, 0) >= 0, "needs Linux 6.3, which can be told to refuse"))
  func refusedMemory() async throws {
    if Requirement.sanitizer != nil {
      // A sanitizer needs the memory that is to be refused; what is not refused is machine code.
      return #expect(try Program([insn(Opcode.LD_B_ABS, 1), insn(Opcode.RET_A)]).tapCode.native != nil)
    }
    await #expect(processExitsWith: .success) {
      precondition(NativeTests.processControl(65, 1) == 0)
      let program = try Program([insn(Opcode.LD_B_ABS, 1), insn(Opcode.RET_A)])
      precondition(program.tapCode.native == nil)
      let verdict = [3 as UInt8, 4].withUnsafeBytes {
        program.tapCode.verdict(packet: $0.baseAddress!, wireLength: 2, captured: 2, metadata: nil)
      }
      precondition(verdict == 4)
    }
  }
}
