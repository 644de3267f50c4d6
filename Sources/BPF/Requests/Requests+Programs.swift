// Requests that set programs.
import SwBPFFilterMachine
import SwBPFKern

extension Request {
  static let programs: [Request] = [
    Request("BIOCSETF", .in(16, "B", 103), openbsd: .in(16, "B", 103), right: .capture) { descriptor, argument in
      try descriptor.setProgram(program(descriptor, argument), flushing: true)
    },
    Request("BIOCSETFNR", .in(16, "B", 130), openbsd: .in(16, "B", 127), right: .capture) { descriptor, argument in
      try descriptor.setProgram(program(descriptor, argument), flushing: false)
    },
    Request("BIOCSETWF", .in(16, "B", 123), .in(16, "B", 127), openbsd: .in(16, "B", 119), right: .inject) {
      descriptor, argument in
      try descriptor.setWriteProgram(program(descriptor, argument))
    },
  ]

  /// The program of a `struct bpf_program`; nil for length 0, which removes it. Memory that cannot be read is EINVAL, as
  /// everything that is wrong with a program.
  private static func program(_ descriptor: BPF.Descriptor, _ argument: RequestArgument) throws -> Program? {
    let count = Int(argument.word)
    if count == 0 { return nil }
    let limit = descriptor.configuration.settings.maximumInstructions
    guard count <= limit else { throw ProgramError.tooLong(count: count, limit: limit) }
    guard argument.address != 0, let bytes = CallerMemory.read(argument.address, count: count * 8) else {
      throw BPF.Failure.invalid("a program at address 0x\(String(argument.address, radix: 16))")
    }
    let memory = RequestArgument(bytes: bytes)
    let instructions = (0..<count).map { index in
      let head = memory.word(at: index * 8)
      return Instruction(
        code: UInt16(truncatingIfNeeded: head), jt: UInt8(truncatingIfNeeded: head >> 16),
        jf: UInt8(truncatingIfNeeded: head >> 24), k: memory.word(at: index * 8 + 4))
    }
    return try Program(instructions, limit: limit)
  }
}
