// Fuzz target: bytes as a savefile, read to the end and every record consumed.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --product FuzzSavefile
import CPcapShim
import Glibc
import SwBPFCaptureFile
import SwBPFPacketText
import SwBPFPackets

/// Prints each record as the command does: with and without the link header, and as JSON.
private final class Printers {
  var plain: LinePrinter
  var full: LinePrinter
  var objects: JSONPrinter
  var lines = TextBuffer()

  init(linkType: CInt) {
    var options = TextOptions(linkType: linkType)
    options.stamp = .epoch
    plain = LinePrinter(options)
    options.linkHeader = true
    options.nanoseconds = true
    options.verbosity = 2
    options.dump = .hexAndText
    full = LinePrinter(options)
    objects = JSONPrinter(options)
  }

  func consume(_ record: SavefileRecord, _ bytes: RawSpan) {
    precondition(bytes.byteCount == Int(record.captured))
    plain.print(
      seconds: record.seconds, nanoseconds: UInt32(truncatingIfNeeded: record.nanoseconds), wireLength: record.length,
      frame: bytes, to: &lines)
    full.print(
      seconds: record.seconds, nanoseconds: UInt32(truncatingIfNeeded: record.nanoseconds), wireLength: record.length,
      frame: bytes, to: &lines)
    precondition(lines.count > 0)
    lines.removeAll()
    objects.print(
      seconds: record.seconds, nanoseconds: UInt32(truncatingIfNeeded: record.nanoseconds), wireLength: record.length,
      frame: bytes, to: &lines)
    for offset in 0..<lines.count - 1 {
      let byte = lines.bytes.u8(at: offset)
      precondition((0x20..<0x7f).contains(byte))
    }
    lines.removeAll()
  }
}

/// Printers by link type. They are kept, for each has a table of conversations; so a line may depend on inputs of before, which
/// is no matter here: what is looked for does not depend on the text.
nonisolated(unsafe) private var printers: [CInt: Printers] = [:]

/// A file in memory that every input is written to; the reader gets a duplicate, because it closes its descriptor.
private let memory: CInt = {
  let name = "/swbpf-fuzz-\(getpid())"
  let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
  precondition(descriptor >= 0)
  shm_unlink(name)
  return descriptor
}()

/// A savefile around the input, which libFuzzer would take ages to find: libpcap carries no coverage. The first bytes pick link
/// type and stamp precision; then each record takes two bytes of length, one of how much the frame was cut, and its bytes.
private func wrapped(_ input: UnsafeBufferPointer<UInt8>) -> [UInt8] {
  let linkTypes: [UInt32] = [1, 1, 1, 0, 12, 101, 108, 113, 276, 147]
  var file: [UInt8] = []
  func append(_ value: UInt32) { withUnsafeBytes(of: value) { file.append(contentsOf: $0) } }
  append(input[1] & 1 == 0 ? 0xa1b2_c3d4 : 0xa1b2_3c4d)
  append(0x0004_0002)
  append(0)
  append(0)
  append(262_144)
  append(linkTypes[Int(input[1] >> 1) % linkTypes.count])
  var rest = input.dropFirst(2)
  while rest.count > 3 {
    let start = rest.startIndex
    let length = min(Int(rest[start]) << 8 & 0x700 | Int(rest[start + 1]), rest.count - 3)
    append(UInt32(file.count))
    append(UInt32(rest[start + 2]))
    append(UInt32(length))
    append(UInt32(length) + UInt32(rest[start + 2] & 0x0f) * 100)
    file += rest.dropFirst(3).prefix(length)
    rest = rest.dropFirst(3 + length)
  }
  return file
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSavefile(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeBufferPointer(start: data, count: count)
  let isWhole = count < 2 || input[0] & 3 == 0
  let file = isWhole ? Array(input) : wrapped(input)
  guard ftruncate(memory, 0) == 0, pwrite(memory, file, file.count, 0) == file.count else { return 0 }
  lseek(memory, 0, SEEK_SET)
  let descriptor = dup(memory)
  precondition(descriptor >= 0)
  do throws(SavefileError) {
    var reader = try SavefileReader(fileDescriptor: descriptor)
    let linkType = reader.linkType & 0x3ff
    if printers[linkType] == nil { printers[linkType] = Printers(linkType: linkType) }
    let chosen = printers[linkType]!
    while let record = try reader.next() { chosen.consume(record, reader.bytes) }
    precondition(reader.bytes.byteCount == 0)
  } catch {
    precondition(!error.description.isEmpty)
  }
  return 0
}
