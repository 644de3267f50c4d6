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
      Messages.write(try compiled(reader).text(form), to: STDOUT_FILENO)
      return 0
    }
    let program = try program(reader)
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
    let job = Job(reader: reader, program: program, output: output, name: name, limitLength: settings.snapLength)
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

  private func program(_ reader: borrowing SavefileReader) throws -> Program? {
    if settings.expression.allSatisfy(\.isWhitespace) { return nil }
    return try compiled(reader)
  }

  private func compiled(_ reader: borrowing SavefileReader) throws -> Program {
    do {
      let code = try reader.compile(settings.expression, optimize: settings.optimizes)
      return try Program(
        code.map { Instruction(code: $0.code, jt: $0.jt, jf: $0.jf, k: $0.k) }, ancillary: true,
        limit: Program.expressionLimit)
    } catch {
      throw CommandError("cannot compile the filter expression \u{201c}\(settings.expression)\u{201d}: \(error)")
    }
  }

  /// The reading thread's work.
  private final class Job: @unchecked Sendable {
    let stop = Atomic<Bool>(false)
    private(set) var failure: String?
    private var reader: SavefileReader
    private let program: Program?
    private let output: Output
    private let name: String
    private let limitLength: Int

    init(reader: consuming SavefileReader, program: Program?, output: Output, name: String, limitLength: Int) {
      self.reader = reader
      self.program = program
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
        var take = limitLength
        if let program {
          let verdict = program.run(reader.bytes, wireLength: record.length)
          if verdict == 0 { continue }
          take = min(take, Int(verdict))
        }
        try output.take(
          seconds: record.seconds, nanoseconds: UInt32(bitPattern: record.nanoseconds), length: record.length,
          frame: reader.bytes, keeping: min(take, Int(record.captured)))
      }
    }
  }
}
