import Foundation
import Testing

@testable import SwBPFCaptureFile

/// What a closure throws as the error of this layer.
private func failure(_ body: () throws -> Void) -> SavefileError? {
  do {
    try body()
    return nil
  } catch { return error as? SavefileError }
}

private func stopped(_ error: SavefileError?) -> (errno: CInt, intact: Int)? {
  if case .stopped(let errno, _, let intact)? = error { (errno, intact) } else { nil }
}

private let everyPrecision: [SavefileWriter.Precision] = [.micro, .nano]

/// Samples as a file of this precision gives them back.
private func rounded(_ samples: [Sample], _ precision: SavefileWriter.Precision) -> [Sample] {
  precision == .nano
    ? samples
    : samples.map {
      var sample = $0
      sample.nanoseconds -= sample.nanoseconds % 1000
      return sample
    }
}

@Suite("Savefile writer")
struct SavefileWriterTests {
  @Test("slots and appended records read back as they went in", arguments: everyPrecision)
  func roundTrip(precision: SavefileWriter.Precision) throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let records = samples(5000)
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(fileDescriptor: file.number, linkType: 1, snapLength: 1500, precision: precision)
    try writer.write(slot: slot(Array(records[..<2000]), precision).span.bytes)
    for record in records[2000..<4000] {
      try writer.append(
        seconds: record.seconds, nanoseconds: record.nanoseconds, length: record.length, bytes: record.bytes.span.bytes)
    }
    // A slot after appends keeps the order.
    try writer.write(slot: slot(Array(records[4000...]), precision).span.bytes)
    try writer.flush()
    #expect(try readAll(path) == rounded(records, precision))
    #expect(writer.bytesWritten == UInt64(size(path)))
  }

  @Test(
    "tcpdump reads the file",
    .enabled(if: tcpdumpRuns, "tcpdump is missing, or cannot drop root in this user namespace"),
    arguments: everyPrecision)
  func tcpdump(precision: SavefileWriter.Precision) throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(fileDescriptor: file.number, linkType: 1, snapLength: 0, precision: precision)
    try writer.write(slot: slot(samples(3), precision).span.bytes)
    let (text, status) = try judge("tcpdump", "-n", "-tt", "--nano", "-r", path)
    #expect(status == 0)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(
      lines.last?.hasPrefix(precision == .nano ? "1700000002.123456002 IP 10.0.0.1.12345" : "1700000002.123456000 IP")
        == true)
  }

  @Test(
    "capinfos and tshark read the file",
    .enabled(if: find("tshark") != nil && find("capinfos") != nil, "tshark is missing"),
    arguments: everyPrecision)
  func tshark(precision: SavefileWriter.Precision) throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(fileDescriptor: file.number, linkType: 1, snapLength: 1500, precision: precision)
    try writer.write(slot: slot(samples(3), precision).span.bytes)
    let facts = try judge("capinfos", "-c", "-l", "-t", path).text
    #expect(facts.contains("Number of packets:   3"))
    #expect(facts.contains("1500"))
    #expect(facts.contains("nanosecond") == (precision == .nano))
    let (text, status) = try judge("tshark", "-r", path, "-T", "fields", "-e", "frame.cap_len", "-e", "frame.len")
    #expect(status == 0)
    #expect(text == "50\t50\n50\t51\n50\t52\n")
  }

  @Test("an empty capture is a valid file; snap length 0 means 262144; DLT_RAW is LINKTYPE_RAW")
  func header() throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let file = Descriptor(writing: path)
    _ = try SavefileWriter(fileDescriptor: file.number, linkType: 12, snapLength: 0)
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    var expected: [UInt8] = []
    for field in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 101] as [UInt32] { expected.appendNative(field) }
    #expect(bytes == expected)
    let reader = try SavefileReader(path: path)
    let (linkType, snapLength) = (reader.linkType, reader.snapLength)
    #expect(linkType == 12 && snapLength == 262_144)
    #expect(try readAll(path).isEmpty)
  }

  @Test("appended records are cut to the snap length and written 256 KiB at a time")
  func buffered() throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(fileDescriptor: file.number, linkType: 1, snapLength: 20)
    let record = samples(1)[0]
    for _ in 0..<100 {
      try writer.append(seconds: 1, nanoseconds: 2000, length: record.length, bytes: record.bytes.span.bytes)
    }
    #expect(size(path) == 24)
    try writer.flush()
    #expect(size(path) == 24 + 100 * 36)
    let back = try readAll(path)
    #expect(back.count == 100)
    #expect(back[99] == Sample(seconds: 1, nanoseconds: 2000, length: 50, bytes: Array(record.bytes.prefix(20))))
  }

  @Test("a record that is larger than the buffer goes in whole, between its neighbours")
  func largeRecord() throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(fileDescriptor: file.number, linkType: 1, snapLength: 1 << 20)
    let frames = [60, 600_000, 61, 262_144 - 16 - 61, 1].map { size in (0..<size).map { UInt8($0 % 251) } }
    var expected: [UInt8] = []
    for frame in frames {
      try writer.append(seconds: 1, nanoseconds: 2000, length: UInt32(frame.count), bytes: frame.span.bytes)
      expected += slot(
        [Sample(seconds: 1, nanoseconds: 2000, length: UInt32(frame.count), bytes: frame)], .micro)
    }
    try writer.flush()
    let whole = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(whole.dropFirst(24).elementsEqual(expected))
    #expect(writer.bytesWritten == UInt64(whole.count))
  }

  @Test("interrupted and short writes are finished")
  func shortWrites() throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(
      output: Output(descriptor: file.number, forced: [EINTR], largestWrite: 7), linkType: 1, snapLength: 0,
      precision: .nano)
    writer.output.forced = [EINTR, EINTR]
    try writer.write(slot: slot(samples(20), .nano).span.bytes)
    #expect(try readAll(path) == samples(20))
  }

  @Test("a slow reader of a non-blocking pipe gets every byte")
  func slowPipe() throws {
    var ends: [CInt] = [0, 0]
    #expect(pipe(&ends) == 0)
    let (reading, writing) = (Descriptor(ends[0]), Descriptor(ends[1]))
    _ = fcntl(writing.number, F_SETFL, O_NONBLOCK)
    let total = 24 + slot(samples(4000), .nano).count
    let input = reading.number
    nonisolated(unsafe) var got = 0
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      var chunk = [UInt8](repeating: 0, count: 10_000)
      while got < total {
        let count = read(input, &chunk, chunk.count)
        if count <= 0 { break }
        got += count
      }
      done.signal()
    }
    let writer = try SavefileWriter(fileDescriptor: writing.number, linkType: 1, snapLength: 0, precision: .nano)
    try writer.write(slot: slot(samples(4000), .nano).span.bytes)
    #expect(done.wait(timeout: .now() + 10) == .success)
    #expect(got == total)
  }

  @Test("a device without space is ENOSPC, from the header on")
  func deviceFull() throws {
    let full = Descriptor(open("/dev/full", O_WRONLY | O_CLOEXEC))
    let error = failure { _ = try SavefileWriter(fileDescriptor: full.number, linkType: 1, snapLength: 0) }
    #expect(error?.errno == ENOSPC)
    #expect(error.map { "\($0)" } == "write: No space left on device")
  }

  @Test("a failure inside a slot leaves whole records and says how many", arguments: [ENOSPC, EIO, EDQUOT, EFBIG])
  func takenBack(number: CInt) throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(fileDescriptor: file.number, linkType: 1, snapLength: 0, precision: .nano)
    try writer.write(slot: slot(samples(10), .nano).span.bytes)
    // The disk takes 5 records and 30 bytes of the next slot.
    writer.output.largestWrite = 60
    writer.output.forced = [0, 0, EINTR, 0, 0, 0, 0, number]
    let error = stopped(failure { try writer.write(slot: slot(samples(10), .nano).span.bytes) })
    #expect(error?.errno == number && error?.intact == 5)
    #expect(size(path) == 24 + 15 * 66)
    #expect(try readAll(path) == samples(10) + samples(5))
    // Space again: the file goes on where it ended.
    try writer.write(slot: slot(samples(2), .nano).span.bytes)
    #expect(try readAll(path).count == 17)
  }

  @Test("a full disk leaves an intact file, and space that comes back is used")
  func diskFull() throws {
    guard let disk = SmallDisk(bytes: 65_536) else {
      print("skipped: no mount namespace for a small disk (unshare -m)")
      return
    }
    let path = disk.path + "/a.pcap"
    let ballast = Descriptor(writing: disk.path + "/ballast")
    #expect(write(ballast.number, [UInt8](repeating: 0, count: 8192), 8192) == 8192)
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(fileDescriptor: file.number, linkType: 1, snapLength: 0, precision: .nano)
    let many = slot(samples(300), .nano)
    var whole = 0
    var last: (errno: CInt, intact: Int)?
    for _ in 0..<5 where last == nil {
      last = stopped(failure { try writer.write(slot: many.span.bytes) })
      whole += last?.intact ?? 300
    }
    #expect(last?.errno == ENOSPC)
    #expect(last?.intact ?? 0 > 0)
    #expect(try readAll(path).count == whole)
    #expect(size(path) == 24 + 66 * whole)
    #expect(writer.bytesWritten == UInt64(24 + 66 * whole))
    ftruncate(ballast.number, 0)
    try writer.write(slot: slot(samples(10), .nano).span.bytes)
    #expect(try readAll(path).count == whole + 10)
  }

  @Test("a reader that left is EPIPE, and half a record in a pipe ends the writer")
  func brokenPipe() throws {
    signal(SIGPIPE, SIG_IGN)
    var ends: [CInt] = [0, 0]
    #expect(pipe(&ends) == 0)
    let writing = Descriptor(ends[1])
    let writer = try SavefileWriter(fileDescriptor: writing.number, linkType: 1, snapLength: 0)
    close(ends[0])
    let bytes = slot(samples(3), .micro)
    let error = stopped(failure { try writer.write(slot: bytes.span.bytes) })
    #expect(error?.errno == EPIPE && error?.intact == 0)

    // A pipe that takes one page and is then closed: some whole records and a piece.
    #expect(pipe(&ends) == 0)
    let second = Descriptor(ends[1])
    _ = fcntl(second.number, 1031, 4096)  // F_SETPIPE_SZ
    let reading = ends[0]
    let slow = try SavefileWriter(fileDescriptor: second.number, linkType: 1, snapLength: 0)
    Thread.detachNewThread {
      usleep(200_000)
      close(reading)
    }
    let partial = stopped(failure { try slow.write(slot: slot(samples(300), .micro).span.bytes) })
    #expect(partial?.errno == EPIPE)
    #expect(partial.map { (1..<62).contains($0.intact) } == true)
    #expect(stopped(failure { try slow.write(slot: bytes.span.bytes) })?.errno == EPIPE)
  }
}
