// Fuzz target: bytes as a savefile, read to the end and every record consumed.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --product FuzzSavefile
import CPcapShim
import Glibc
import SwBPFCaptureFile

/// What is done with each record: the one place to call more of the readers of packets.
func consume(_ record: SavefileRecord, _ bytes: RawSpan, linkType: CInt) {
  precondition(bytes.byteCount == Int(record.captured))
  var sum: UInt8 = 0
  for offset in 0..<bytes.byteCount { sum &+= bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
  blackHole = sum
}

nonisolated(unsafe) private var blackHole: UInt8 = 0

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
    let linkType = reader.linkType
    while let record = try reader.next() { consume(record, reader.bytes, linkType: linkType) }
    precondition(reader.bytes.byteCount == 0)
  } catch {
    precondition(!error.description.isEmpty)
  }
  return 0
}
