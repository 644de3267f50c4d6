// Where captured packets go: lines on standard output, records in a savefile.
// Called by the consumer thread only.
import Glibc
import SwBPF
import SwBPFCaptureFile
import SwBPFKern
import Synchronization

/// Writes packets as the options say.
final class Output {
  /// Why no more can be written.
  enum Stop: Error, Equatable {
    /// The reader of standard output went away: an end, not an error.
    case closed
    case failed(String)
  }

  private let writer: SavefileWriter?
  private let path: String
  private var lines: OutputLines
  private let prints: Bool
  /// Packets still to be left out (--skip).
  private var toSkip: Int
  /// Packets that went out.
  private(set) var packets: UInt64 = 0
  /// The same for other threads, a batch late.
  let reported = Atomic<UInt64>(0)
  let limit: UInt64?

  /// - Parameter file: the savefile's descriptor, or nil.
  /// - Parameter interface: the name of the capture's interface, if there is just one.
  init(
    _ settings: CaptureSettings, linkType: Int32, file: CInt?, interface: String? = nil,
    interfaceName: @escaping (UInt32) -> String?
  ) throws(Stop) {
    path = settings.output == "-" ? "standard output" : settings.output ?? ""
    prints = settings.prints && !settings.onlyCounts
    toSkip = settings.skip
    limit = settings.limit.map { UInt64($0) }
    lines = OutputLines(settings, linkType: linkType, interface: interface, interfaceName: interfaceName)
    do {
      if let file {
        writer = try SavefileWriter(
          fileDescriptor: file, linkType: linkType, snapLength: UInt32(settings.snapLength),
          precision: settings.hasNanoseconds ? .nano : .micro)
      } else {
        writer = nil
      }
    } catch {
      throw Output.stop(error, path)
    }
  }

  var isFull: Bool { limit.map { packets >= $0 } ?? false }

  /// A borrowed slot: into the file as it is, and printed if asked for.
  func take(_ slot: borrowing BPF.Slot) throws(Stop) {
    let skipped = min(toSkip, slot.count)
    toSkip -= skipped
    let wanted = limit.map { Int(min(UInt64(slot.count - skipped), $0 - packets)) } ?? slot.count - skipped
    if let writer { try write(slot, from: skipped, first: wanted, to: writer) }
    if prints { try Self.print(slot, from: skipped, count: wanted, to: &lines) }
    packets += UInt64(wanted)
    reported.store(packets, ordering: .relaxed)
  }

  /// The lines are an argument so that the class's storage is entered once, not for every packet.
  private static func print(
    _ slot: borrowing BPF.Slot, from skipped: Int, count: Int, to lines: inout OutputLines
  ) throws(Stop) {
    var left = count
    var before = skipped
    var failure: Stop?
    slot.eachRecord { record in
      if before > 0 {
        before -= 1
        return
      }
      guard left > 0, failure == nil else { return }
      left -= 1
      do throws(Stop) {
        try lines.print(Int64(record.seconds), record.nanoseconds, UInt32(record.wireLength), record.frame)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    try lines.flush()
  }

  private func write(
    _ slot: borrowing BPF.Slot, from skipped: Int, first: Int, to writer: SavefileWriter
  ) throws(Stop) {
    let bytes = slot.bytes
    var start = 0
    var end = bytes.byteCount
    if first < slot.count {
      var place = 0
      end = 0
      slot.eachRecord { record in
        if place < skipped { start += 16 + record.frame.byteCount }
        if place < skipped + first { end += 16 + record.frame.byteCount }
        place += 1
      }
    }
    if start == end { return }
    do {
      try writer.write(slot: bytes.extracting(start..<end))
    } catch {
      if case .stopped(_, _, let intact) = error { packets += UInt64(intact) }
      throw Output.stop(error, path)
    }
  }

  /// One packet of a savefile or of a merge.
  func take(seconds: Int64, nanoseconds: UInt32, length: UInt32, frame whole: RawSpan, keeping: Int) throws(Stop) {
    let frame = whole.extracting(first: keeping)
    if toSkip > 0 {
      toSkip -= 1
      return
    }
    if let writer {
      do {
        try writer.append(seconds: seconds, nanoseconds: Int32(bitPattern: nanoseconds), length: length, bytes: frame)
      } catch {
        throw Output.stop(error, path)
      }
    }
    if prints { try lines.print(seconds, nanoseconds, length, frame) }
    packets += 1
    reported.store(packets, ordering: .relaxed)
  }

  /// Everything that is held back goes out.
  func flush() throws(Stop) {
    try lines.flush()
    do {
      try writer?.flush()
    } catch {
      throw Output.stop(error, path)
    }
  }

  private static func stop(_ error: SavefileError, _ path: String) -> Stop {
    if error.errno == EPIPE { return .closed }
    var text = "\(path): \(Messages.text(of: error.errno))"
    if case .stopped = error { text += " (what was written is intact)" }
    return .failed(text)
  }
}

/// Opens the file of -w. "-" is standard output.
func openOutput(_ path: String) throws(CommandError) -> CInt {
  if path == "-" {
    if isatty(STDOUT_FILENO) == 1 {
      throw CommandError("-w -: standard output is a terminal (redirect it, or name a file)")
    }
    return STDOUT_FILENO
  }
  let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
  guard file >= 0 else { throw CommandError("\(path): \(Messages.text(of: errno))") }
  return file
}
