// Fuzz target: bytes as a savefile, read to the end and every record consumed.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --product FuzzSavefile
import CPcapShim
import Glibc
import SwBPFCaptureFile
import SwBPFPacketText

/// Prints each record as the command does, with and without the link header.
private struct Printers: ~Copyable {
  var plain: LinePrinter
  var full: LinePrinter
  var lines = TextBuffer()

  init(linkType: CInt) {
    var options = TextOptions(linkType: linkType)
    options.stamp = .epoch
    plain = LinePrinter(options)
    options.linkHeader = true
    options.nanoseconds = true
    full = LinePrinter(options)
  }

  mutating func consume(_ record: SavefileRecord, _ bytes: RawSpan) {
    precondition(bytes.byteCount == Int(record.captured))
    plain.print(
      seconds: record.seconds, nanoseconds: UInt32(truncatingIfNeeded: record.nanoseconds), wireLength: record.length,
      frame: bytes, to: &lines)
    full.print(
      seconds: record.seconds, nanoseconds: UInt32(truncatingIfNeeded: record.nanoseconds), wireLength: record.length,
      frame: bytes, to: &lines)
    precondition(lines.count > 0)
    lines.removeAll()
  }
}

/// A file in memory that every input is written to; the reader gets a duplicate, because it closes its descriptor.
private let memory: CInt = {
  let name = "/swbpf-fuzz-\(getpid())"
  let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
  precondition(descriptor >= 0)
  shm_unlink(name)
  return descriptor
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSavefile(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard ftruncate(memory, 0) == 0, pwrite(memory, data, count, 0) == count else { return 0 }
  lseek(memory, 0, SEEK_SET)
  let descriptor = dup(memory)
  precondition(descriptor >= 0)
  do throws(SavefileError) {
    var reader = try SavefileReader(fileDescriptor: descriptor)
    var printers = Printers(linkType: reader.linkType)
    while let record = try reader.next() { printers.consume(record, reader.bytes) }
    precondition(reader.bytes.byteCount == 0)
  } catch {
    precondition(!error.description.isEmpty)
  }
  return 0
}
