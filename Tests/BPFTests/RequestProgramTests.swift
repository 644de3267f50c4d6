// Requests that set programs: lengths, addresses, what they flush. The validator itself has tests of its own.
import Glibc
import SwBPFFilterMachine
import Testing

@testable import SwBPFBPF

private let setf: UInt32 = 0x8010_4267
private let setfnr: UInt32 = 0x8010_4282
private let setwf: UInt32 = 0x8010_427b
private let netbsdSetwf: UInt32 = 0x8010_427f
private let all = [setf, setfnr, setwf, netbsdSetwf]

private let keepAll: Instruction = .statement(6, 0xffff_ffff)
private let dropAll: Instruction = .statement(6, 0)

@Suite("Requests: programs", .timeLimit(.minutes(1)))
struct RequestProgramTests {
  /// `struct bpf_program`
  private func program(_ count: UInt32, at address: UInt64) -> [UInt8] {
    little(count) + [0xff, 0xff, 0xff, 0xff] + little(address)
  }

  /// A descriptor with programs, a stored frame and counts, and what it has.
  private func busy(_ bench: Bench) throws -> (BPF.Descriptor, Setting) {
    let one = try bench.open()
    try one.setProgram(starting(with: 1))
    one.setWriteProgram(starting(with: 1))
    bench.tap(frame(1))
    bench.tap(frame(2))
    return (one, Setting(one))
  }

  @Test("C-158: no address with a length is EINVAL", arguments: all)
  func noAddress(request: UInt32) throws {
    let (one, before) = try busy(Bench())
    for count: UInt32 in [1, 2, 512] { #expect(one.refusal(request, program(count, at: 0)) == EINVAL) }
    #expect(Setting(one) == before)
  }

  @Test("C-159: 512 instructions are taken, more are EINVAL, however many", arguments: all)
  func length(request: UInt32) throws {
    let bench = try Bench()
    let (one, before) = try busy(bench)
    #expect(one.refusal(request, program: Array(repeating: dropAll, count: 513)) == EINVAL)
    for count: UInt32 in [513, 0x10000, 0x2000_0001, .max] {
      #expect(one.refusal(request, program(count, at: 4096)) == EINVAL)
    }
    #expect(Setting(one) == before)
    #expect(one.refusal(request, program: Array(repeating: dropAll, count: 512)) == 0)
    // The limit is a setting.
    try bench.settings.set("net.bpf.maxinsns", to: 600)
    #expect(one.refusal(request, program: Array(repeating: dropAll, count: 600)) == 0)
    #expect(one.refusal(request, program: Array(repeating: dropAll, count: 601)) == EINVAL)
  }

  @Test("C-160: length 0 removes the program, whatever the address", arguments: [0, 8, .max - 7] as [UInt64])
  func removes(address: UInt64) throws {
    let bench = try Bench()
    let (one, _) = try busy(bench)
    #expect(one.refusal(setf, program(0, at: address)) == 0)
    #expect(one.refusal(setwf, program(0, at: address)) == 0)
    bench.tap(frame(9))
    #expect(one.statistics.captured == 1 && one.statistics.refused == 0)
    #expect(one.writeRefusal(frame(9)) == 0)
  }

  @Test("C-161: memory that cannot be read is EINVAL, not EFAULT", arguments: all)
  func badMemory(request: UInt32) throws {
    let (one, before) = try busy(Bench())
    let page = GuardedPage()
    for address: UInt64 in [1, 8, 4096, 0x7fff_ffff_ffff, 0x8000_0000_0000_0000, .max, .max - 7] {
      #expect(one.refusal(request, program(1, at: address)) == EINVAL)
    }
    // The second of two instructions is not there.
    let code = little(keepAll.code) + [0, 0] + little(keepAll.k)
    #expect(page.place(code) { one.refusal(request, program(2, at: $0)) } == EINVAL)
    #expect(Setting(one) == before)
    #expect(page.place(code) { one.refusal(request, program(1, at: $0)) } == 0)
  }

  @Test("C-162: a program that is refused leaves the old one, the buffers and the counters", arguments: all)
  func refused(request: UInt32) throws {
    let bench = try Bench()
    let (one, before) = try busy(bench)
    #expect(one.refusal(request, program: [.statement(0, 0)]) == EINVAL)
    #expect(one.refusal(request, program: [.jump(5, 0xffff_ffff, 0, 0), keepAll]) == EINVAL)
    #expect(Setting(one) == before && before.stored > 0)
    bench.tap(frame(1))
    bench.tap(frame(2))
    #expect(one.statistics.captured == 2 && one.statistics.refused == 2)
    #expect(one.writeRefusal(frame(1)) == 0 && one.writeRefusal(frame(2)) == EPERM)
  }

  @Test("C-163: BIOCSETF flushes, BIOCSETFNR keeps what is stored and counted")
  func flushing() throws {
    let bench = try Bench()
    let (one, before) = try busy(bench)
    #expect(one.refusal(setfnr, program: [dropAll]) == 0)
    #expect(one.statistics == before.statistics && one.readableBytes == before.stored)
    bench.tap(frame(1))
    #expect(one.statistics.captured == 1 && one.statistics.refused == 2)
    #expect(one.refusal(setf, program: [keepAll]) == 0)
    #expect(one.statistics == BPF.Statistics() && one.readableBytes == 0)
  }

  @Test("C-164: BIOCSETWF leaves what was read alone", arguments: [setwf, netbsdSetwf])
  func writeProgramFlushesNothing(request: UInt32) throws {
    let bench = try Bench()
    let (one, before) = try busy(bench)
    #expect(one.refusal(request, program: [dropAll]) == 0)
    #expect(one.statistics == before.statistics && one.readableBytes == before.stored)
    #expect(one.writeRefusal(frame(1)) == EPERM)
  }

  @Test("C-165: the caller may change and free his instructions after the call", arguments: [setf, setwf])
  func copies(request: UInt32) throws {
    let bench = try Bench()
    let one = try bench.open()
    let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    memory.pointee = 0xffff_ffff_0000_0006
    #expect(one.refusal(request, program(1, at: UInt64(UInt(bitPattern: memory)))) == 0)
    memory.pointee = 0x0000_0000_0000_0006
    bench.tap(frame(1))
    #expect(one.writeRefusal(frame(1)) == 0)
    memory.deallocate()
    bench.tap(frame(1))
    #expect(one.writeRefusal(frame(1)) == 0)
    #expect(one.statistics.captured == 2)
  }

  @Test("C-166: read and write programs do not touch each other")
  func independent() throws {
    let bench = try Bench()
    let one = try bench.open()
    #expect(one.refusal(setf, program: [dropAll]) == 0)
    #expect(one.writeRefusal(frame(1)) == 0)
    #expect(one.refusal(setwf, program: [dropAll]) == 0)
    #expect(one.refusal(setf, program: [keepAll]) == 0)
    #expect(one.writeRefusal(frame(1)) == EPERM)
    bench.tap(frame(1))
    #expect(one.statistics.captured == 1)
    #expect(one.refusal(setwf, []) == EINVAL)
    #expect(one.refusal(setwf, program: []) == 0)
    #expect(one.writeRefusal(frame(1)) == 0)
  }

  @Test("C-196: 513 instructions are EINVAL by BIOCSETF")
  func tooLong() throws {
    let one = try Bench().open()
    #expect(one.refusal(setf, program: Array(repeating: keepAll, count: 513)) == EINVAL)
    #expect(one.refusal(setf, program: Array(repeating: keepAll, count: 512)) == 0)
  }

  @Test("C-221: BIOCSETF refuses a division by zero")
  func divisionByZero() throws {
    let one = try Bench().open(attached: false)
    let bad: [Instruction] = [
      .statement(0x20, 0), .statement(0x34, 0), .jump(0x15, 2, 0, 1), .statement(6, 0x60), .statement(6, 0),
    ]
    #expect(one.refusal(setf, program: bad) == EINVAL)
  }

  @Test("C-224: BIOCSETF refuses to load a word that nothing wrote")
  func badMemoryWord() throws {
    let one = try Bench().open(attached: false)
    #expect(one.refusal(setf, program: [.statement(0x60, 5), .statement(0x16, 0)]) == EINVAL)
  }

  @Test("C-225: BIOCSETF takes RET A with A unset, which keeps nothing")
  func unsetA() throws {
    let bench = try Bench()
    let one = try bench.open()
    #expect(one.refusal(setf, program: [.statement(0x16, 0)]) == 0)
    bench.tap(frame(1))
    #expect(one.statistics.captured == 0 && one.statistics.refused == 1)
  }

  @Test("C-226: BIOCSETF takes TXA, RET A with X unset, which keeps nothing")
  func unsetX() throws {
    let bench = try Bench()
    let one = try bench.open()
    #expect(one.refusal(setf, program: [.statement(0x87, 0), .statement(0x16, 0)]) == 0)
    bench.tap(frame(1))
    #expect(one.statistics.captured == 0 && one.statistics.refused == 1)
  }

  @Test("a program with coprocessor calls is refused by request (C-194)")
  func coprocessor() throws {
    let one = try Bench().open(attached: false)
    for code: UInt16 in [0x27, 0x47] {
      #expect(one.refusal(setf, program: [.statement(code, 0), .statement(0x16, 0)]) == EINVAL)
    }
  }
}
