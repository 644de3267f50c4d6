// Records as read(2) of an open bpf device returns them: headers, alignment, buffers that turn.
import SwBPFFilterMachine
import Testing

@testable import SwBPFBPF

/// Every layout with every link header: what bh_hdrlen must be.
private let layouts: [(BPF.Profile, link: UInt32, header: Int)] = [
  (.freebsd, 14, 26), (.freebsd, 4, 28), (.freebsd, 0, 32), (.freebsd, 16, 32), (.freebsd, 24, 32),
  (.netbsd, 14, 34), (.netbsd, 4, 36), (.netbsd, 0, 32), (.netbsd, 16, 32), (.netbsd, 24, 32),
  (.openbsd, 14, 30), (.openbsd, 4, 28), (.openbsd, 0, 28), (.openbsd, 16, 28), (.openbsd, 24, 28),
]

/// A wire whose tap point has a link header of so many bytes.
private func wire(link: UInt32) -> (Wire, BPF.Interface) {
  let wire = Wire()
  return (wire, link == 14 ? wire.interface : try! wire.ifnet.attach(linkType: 147, headerLength: link))
}

private func tap(_ frames: [[UInt8]], at interface: BPF.Interface, stamp: Int64 = 5_000_000_000) {
  var reader = TapReader()
  let bytes = frames.map { frame in
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, frame.count), alignment: 1)
    copy.copyBytes(from: frame)
    return copy
  }
  guard reader.begin(interface.pointOfDriver) else { return }
  for index in frames.indices {
    show(UnsafeRawBufferPointer(rebasing: bytes[index][..<frames[index].count]), .received, &reader, at: stamp)
  }
  reader.end()
  for one in bytes { one.deallocate() }
}

@Suite("Records of devices", .timeLimit(.minutes(1)))
struct DeviceRecordTests {
  @Test("C-088: a buffer size in range is taken as it is, others are clamped; the size used comes back")
  func sizes() throws {
    let settings = BPF.Settings()
    try settings.set("net.bpf.maxbufsize", to: 65536)
    let one = try device(settings: settings)
    #expect(one.bufferSize == 32768)
    for (asked, used) in [
      (32, 32), (33, 33), (4096, 4096), (65536, 65536), (31, 32), (0, 32), (-1, 32), (65537, 65536),
    ] {
      #expect(try one.setBufferSize(asked) == used)
      #expect(one.bufferSize == used)
    }
    #expect(try one.setBufferSize(.max) == 65536 && one.setBufferSize(.min) == 32)
  }

  @Test("C-089: the buffer size of an attached descriptor stays; after departure it may change")
  func sizeWhileAttached() throws {
    let wire = Wire()
    let one = try device(bufferSize: 1024, on: wire)
    wire.tap(frame(1))
    #expect(throws: BPF.Failure.invalid("the buffer size of an attached descriptor")) { try one.setBufferSize(2048) }
    #expect(BPF.Failure.invalid("").errno == 22)
    #expect(try one.bufferSize == 1024 && one.readNow() == [frame(1)])
    wire.tap(frame(2))
    wire.ifnet.depart()
    #expect(try one.setBufferSize(2048) == 2048)
    #expect(one.readableBytes == 0 && one.statistics.waiting == 0, "what the interface left is gone")
    let next = Wire()
    try one.attach(to: next.interface)
    next.tap(frame(3, 1500))
    #expect(try one.readNow() == [frame(3, 1500)])
  }

  @Test(
    "C-090, C-091, C-094: records start aligned, network headers too; the last byte is the last frame's",
    arguments: layouts)
  func alignment(_ profile: BPF.Profile, link: UInt32, header: Int) throws {
    let (wire, interface) = wire(link: link)
    let one = try device(profile)
    try one.attach(to: interface)
    let alignment = profile == .openbsd ? 4 : 8
    let frames = (1...40).map { frame(UInt8($0), $0 + 20) }
    tap(frames, at: interface)
    #expect(one.statistics.captured == 40)
    one.setImmediate(true)
    let bytes = try #require(try one.readBuffer())
    let records = try parse(bytes, profile)
    #expect(records.map(\.frame) == frames)
    #expect(records[0].start == 0)
    for (one, next) in zip(records, records.dropFirst()) {
      let end = one.start + one.headerLength + one.captured
      #expect(next.start == (end + alignment - 1) / alignment * alignment)
    }
    #expect(records.allSatisfy { ($0.start + $0.headerLength + Int(link)) % alignment == 0 })
    #expect(bytes.count == records[39].start + header + frames[39].count)
    withExtendedLifetime(wire) {}
  }

  @Test("C-092: what lies between records, and between a header's fields and its frame, is zero", arguments: layouts)
  func padding(_ profile: BPF.Profile, link: UInt32, header: Int) throws {
    let (wire, interface) = wire(link: link)
    let one = try device(profile, bufferSize: 2048)
    try one.attach(to: interface)
    one.setImmediate(true)
    // Both buffers are dirty everywhere before the gaps are made.
    for _ in 0..<2 {
      tap([[UInt8](repeating: 0xff, count: 4000)], at: interface)
      _ = try one.readBuffer()
    }
    for _ in 0..<2 {
      tap((0..<9).map { [UInt8](repeating: 0xff, count: 41 + $0) }, at: interface)
      let records = try one.readRecords()
      #expect(records.count == 9 && records.contains { !$0.gap.isEmpty })
      #expect(records.allSatisfy { record in (record.gap + record.headerPadding).allSatisfy { $0 == 0 } })
    }
    withExtendedLifetime(wire) {}
  }

  @Test("C-093: bh_hdrlen of each layout and link header", arguments: layouts)
  func headerLength(_ profile: BPF.Profile, link: UInt32, header: Int) throws {
    let (wire, interface) = wire(link: link)
    let one = try device(profile)
    try one.attach(to: interface)
    tap([frame(1, 100)], at: interface)
    #expect(try one.readNow() == [frame(1, 100)])
    tap([frame(1, 100)], at: interface)
    one.setImmediate(true)
    #expect(try one.readRecords().map(\.headerLength) == [header])
    withExtendedLifetime(wire) {}
  }

  @Test(
    "C-095..C-097: the program's result cuts caplen; datalen is the packet's",
    arguments: [(UInt32(1), 1), (14, 14), (59, 59), (60, 60), (61, 60), (.max, 60)], BPF.Profile.allCases)
  func cut(_ result: (program: UInt32, captured: Int), profile: BPF.Profile) throws {
    let wire = Wire()
    let one = try device(profile, on: wire)
    try one.setProgram(keeping(result.program))
    one.setImmediate(true)
    wire.tap(frame(7), wire: 60)
    let record = try one.readRecords()[0]
    #expect(record.captured == result.captured && record.length == 60)
    #expect(record.frame == Array(frame(7).prefix(result.captured)))
    #expect(one.statistics.cut == 0)
  }

  @Test(
    "C-095: of a frame that the driver has cut there is what there is, with the whole length",
    arguments: [UInt32(50), .max])
  func cutByTheDriver(result: UInt32) throws {
    let wire = Wire()
    let one = try device(on: wire)
    try one.setProgram(keeping(result))
    one.setImmediate(true)
    wire.tap(frame(7, 40), wire: 9000)
    let record = try one.readRecords()[0]
    #expect(record.captured == 40 && record.length == 9000)
    #expect(one.statistics.cut == 1)
  }

  @Test("OpenBSD's header names interface and way", arguments: [(BPF.Way.received, UInt8(0x10)), (.sent, 0x20)])
  func openbsd(_ way: BPF.Way, flags: UInt8) throws {
    let wire = Wire()
    let one = try device(.openbsd, on: wire)
    one.setImmediate(true)
    wire.tap(frame(1), way, at: 3_000_007_999)
    let bytes = try #require(try one.readBuffer())
    #expect(Array(bytes[..<16]) == [3, 0, 0, 0, 7, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0])
    #expect(Array(bytes[16..<30]) == [30, 0, 7, 0, 0, 0, flags, 0, 0, 0, 0, 0, 0, 0])
  }
}
