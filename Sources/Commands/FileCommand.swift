// -r: packets of a savefile, filtered, printed or written.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFCaptureFile
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// `swbpf -r FILE …`
final class FileCommand {
  private let settings: CaptureSettings

  init(_ settings: CaptureSettings) { self.settings = settings }

  func run() throws -> CInt {
    let session = try Session()
    let path = settings.input!
    let name = path == "-" ? "standard input" : path
    var reader: SavefileReader
    do {
      reader = try SavefileReader(path: path)
    } catch {
      if case .system(let number, _) = error { throw CommandError("\(name): \(Messages.text(of: number))") }
      throw CommandError("\(name): \(error)")
    }
    let linkType = reader.linkType
    if let wanted = settings.linkType, Listing.linkType(named: wanted) != linkType {
      throw CommandError("-y \(wanted): \(name) has only \(Listing.describe(linkType))")
    }
    if let form = settings.dump {
      // Without an expression too there is a program, of one instruction.
      Messages.say(Self.opening(path, reader))
      Messages.write(Disassembler.text(try instructions(reader).map(Instruction.init), form), to: STDOUT_FILENO)
      return 0
    }
    let picker = try picker(reader)
    if let target = settings.output, path != "-", FileCommand.isSame(path, target) {
      throw CommandError("\(target): cannot be written while it is read (-r): name another file")
    }
    let file = try settings.output.map { try openOutput($0) }
    let output: Output
    do {
      output = try Output(settings, linkType: linkType, file: file) { _ in nil }
    } catch {
      if case .failed(let text) = error { throw CommandError(text) }
      return 0
    }
    Messages.say(Self.opening(path, reader))
    let job = Job(reader: reader, picker: picker, output: output, name: name, limitLength: settings.snapLength)
    let thread = Thread(name: "swbpf-reader") {
      job.run()
      session.finish()
    }
    while let wish = session.next() {
      if case .done = wish { break }
      if case .end = wish {
        job.stop.store(true, ordering: .relaxed)
        // The thread may wait in a read that never returns, as from a terminal or an idle pipe.
        if FileCommand.isDone(session) { break }
        try? output.flush()
        return 0
      }
    }
    thread.join()
    if let failure = job.failure {
      Messages.say("swbpf: \(failure)")
      return 1
    }
    if settings.onlyCounts { Messages.write(Messages.packets(output.packets) + "\n", to: STDOUT_FILENO) }
    return 0
  }

  /// Waits a second for the end of the work, through further signals.
  private static func isDone(_ session: Session) -> Bool {
    let deadline = Clock.monotonic() + 1_000_000_000
    while true {
      let left = deadline - Clock.monotonic()
      guard left > 0 else { return false }
      if case .done? = session.next(timeout: Int32(left / 1_000_000 + 1)) { return true }
    }
  }

  /// Whether both names are the same regular file.
  private static func isSame(_ one: String, _ other: String) -> Bool {
    var (first, second) = (stat(), stat())
    guard unsafe stat(one, &first) == 0, unsafe stat(other, &second) == 0 else { return false }
    return first.st_mode & S_IFMT == S_IFREG && first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }

  private static func opening(_ path: String, _ reader: borrowing SavefileReader) -> String {
    "reading from file \(path), link-type \(Listing.describe(reader.linkType)), snapshot length \(reader.snapLength)"
  }

  /// Who says which records are wanted.
  private enum Picker: Sendable {
    case all
    /// A program, by its machine code.
    case program(Program, ProgramCode)
    /// libpcap's interpreter, for code with loops.
    case libpcap([CompiledInstruction])
  }

  private func picker(_ reader: borrowing SavefileReader) throws -> Picker {
    if settings.expression.allSatisfy(\.isWhitespace) { return .all }
    let code = try instructions(reader)
    if Self.loops(code) { return .libpcap(code) }
    let program = try program(code)
    return .program(program, program.tapCode)
  }

  /// Only a jump back is a loop: its distance is negative, as 32 bits.
  private static func loops(_ code: [CompiledInstruction]) -> Bool {
    code.contains { $0.code == Opcode.JA && $0.k >= 0x8000_0000 }
  }

  private func instructions(_ reader: borrowing SavefileReader) throws -> [CompiledInstruction] {
    do {
      return try reader.compile(settings.expression, optimize: settings.optimizes)
    } catch {
      throw refusal("\(error)")
    }
  }

  private func program(_ code: [CompiledInstruction]) throws -> Program {
    do {
      return try Program(code.map(Instruction.init), ancillary: true, limit: Program.expressionLimit)
    } catch {
      throw refusal("\(error)")
    }
  }

  private func refusal(_ reason: String) -> CommandError {
    CommandError("cannot compile the filter expression \u{201c}\(settings.expression)\u{201d}: \(reason)")
  }

  /// The reading thread's work.
  private final class Job: @unchecked Sendable {
    let stop = Atomic<Bool>(false)
    private(set) var failure: String?
    private var reader: SavefileReader
    private let picker: Picker
    private let output: Output
    private let name: String
    private let limitLength: Int

    init(reader: consuming SavefileReader, picker: Picker, output: Output, name: String, limitLength: Int) {
      self.reader = reader
      self.picker = picker
      self.output = output
      self.name = name
      self.limitLength = limitLength
    }

    func run() {
      do {
        try readAll()
        try output.flush()
      } catch let error as Output.Stop {
        if case .failed(let text) = error { failure = text }
      } catch {
        try? output.flush()
        failure = "\(name): \(error)"
      }
    }

    private func readAll() throws { try read(&reader) }

    private func read(_ reader: inout SavefileReader) throws {
      while !stop.load(ordering: .relaxed), !output.isFull, let record = try reader.next() {
        let verdict: UInt32
        switch picker {
        case .all: verdict = .max
        case .program(_, let code): verdict = code.verdict(reader.bytes, wireLength: record.length)
        case .libpcap(let code): verdict = reader.verdict(of: code, wireLength: record.length)
        }
        if verdict == 0 { continue }
        let take = min(limitLength, Int(verdict))
        try output.take(
          seconds: record.seconds, nanoseconds: UInt32(bitPattern: record.nanoseconds), length: record.length,
          frame: reader.bytes, keeping: min(take, Int(record.captured)))
      }
    }
  }
}

extension Instruction {
  fileprivate init(_ one: CompiledInstruction) { self.init(code: one.code, jt: one.jt, jf: one.jf, k: one.k) }
}
