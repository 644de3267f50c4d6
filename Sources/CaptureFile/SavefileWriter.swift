// Writes pcap savefiles: whole slots of a capture in one write each, or record by record through a buffer from file to file.
internal import CPcapShim

/// Writes one pcap file to a descriptor that the caller opened and will close.
///
/// After an error on a regular file the writer may be used again (the disk may have been emptied): the file ends with a whole
/// record. A pipe that took half a record is finished: every later write throws the same.
/// - Threads: one at a time; the writer's thread. Blocks in write(2).
/// - SIGPIPE is the process's business: ignore it to see EPIPE here.
package final class SavefileWriter {
  package enum Precision: Sendable { case micro, nano }

  package let precision: Precision
  package let snapLength: UInt32
  /// Bytes of the header and of whole records that the kernel took.
  package private(set) var bytesWritten: UInt64 = 0

  var output: Output
  /// The errno that left half a record where it cannot be taken back, in a pipe: nothing can follow it.
  private var broken: CInt = 0
  private var buffer = RecordBuffer()

  /// Writes the file header at once, so that an empty capture is a valid file.
  /// - Parameters:
  ///   - linkType: a DLT number; the file gets its LINKTYPE.
  ///   - snapLength: 0 is written as 262144, as tcpdump does.
  package convenience init(
    fileDescriptor: CInt, linkType: CInt, snapLength: UInt32, precision: Precision = .micro
  ) throws(SavefileError) {
    try self.init(
      output: Output(descriptor: fileDescriptor), linkType: linkType, snapLength: snapLength, precision: precision)
  }

  init(output: Output, linkType: CInt, snapLength: UInt32, precision: Precision) throws(SavefileError) {
    self.output = output
    self.precision = precision
    self.snapLength = snapLength == 0 ? 262_144 : snapLength
    var header: [UInt8] = []
    header.appendNative(precision == .nano ? 0xa1b2_3c4d : 0xa1b2_c3d4 as UInt32)
    header.appendNative(2 as UInt16)
    header.appendNative(4 as UInt16)
    header.appendNative(0 as UInt32)  // thiszone
    header.appendNative(0 as UInt32)  // sigfigs
    header.appendNative(self.snapLength)
    header.appendNative(UInt32(bitPattern: swpcap_linktype_for_file(linkType)))
    let (written, number) = header.withBytes { self.output.write($0) }
    if number != 0 {
      _ = self.output.takeBack(written)
      throw .system(errno: number, call: "write")
    }
    bytesWritten = UInt64(written)
  }

  /// Writes a slot: whole records of a 16-byte header {seconds, micro- or nanoseconds, caplen, len} in the machine's order and
  /// `caplen` bytes, without padding, in the precision of the file. One write(2) unless the kernel takes less.
  package func write(slot: RawSpan) throws(SavefileError) {
    try flush()
    try put(slot)
  }

  /// Adds one record to the buffer, which is written when it is full. For files made from files.
  ///
  /// Bytes beyond the file's snap length are left out. A time that does not fit the format's 32 bits is cut to them.
  package func append(seconds: Int64, nanoseconds: Int32, length: UInt32, bytes: RawSpan) throws(SavefileError) {
    let frame = bytes.extracting(first: Int(snapLength))
    if buffer.isFull(for: frame.byteCount) { try flush() }
    buffer.append(
      seconds: UInt32(truncatingIfNeeded: seconds),
      fraction: UInt32(truncatingIfNeeded: precision == .nano ? nanoseconds : nanoseconds / 1000),
      length: max(length, UInt32(frame.byteCount)), bytes: frame)
  }

  /// Writes what ``append(seconds:nanoseconds:length:bytes:)`` holds back. Not done by deinit: errors must have a taker.
  package func flush() throws(SavefileError) {
    if buffer.count == 0 { return }
    defer { buffer.removeAll() }
    try buffer.withBytes { records throws(SavefileError) in try put(records) }
  }

  private func put(_ records: RawSpan) throws(SavefileError) {
    if broken != 0 { throw .stopped(errno: broken, call: "write", intactRecords: 0) }
    let (written, number) = output.write(records)
    if number == 0 {
      bytesWritten += UInt64(written)
      return
    }
    let (intact, bytes) = wholeRecords(of: records, within: written)
    if written > bytes && !output.takeBack(written - bytes) { broken = number }
    bytesWritten += UInt64(bytes)
    throw .stopped(errno: number, call: "write", intactRecords: intact)
  }

  /// How many records lie whole in the first `limit` bytes, and where the last of them ends.
  private func wholeRecords(of records: RawSpan, within limit: Int) -> (count: Int, bytes: Int) {
    var count = 0
    var end = 0
    while end + 16 <= limit {
      let next = end + 16 + Int(records.native32(at: end + 8))
      if next > limit { break }
      end = next
      count += 1
    }
    return (count, end)
  }
}
