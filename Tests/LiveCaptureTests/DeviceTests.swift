// Open bpf devices on real interfaces: records, stamps, readiness and departure over a veth pair.
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFLiveCapture
import Testing

@testable import TestSupport

/// What a record of FreeBSD's layout says.
private struct DeviceFrame {
  var seconds: Int64
  var microseconds: Int64
  var length: Int
  var bytes: [UInt8]

  /// The records of one read.
  static func parse(_ buffer: ArraySlice<UInt8>) -> [DeviceFrame] {
    var all: [DeviceFrame] = []
    buffer.withUnsafeBytes { bytes in
      var offset = 0
      while offset + 26 <= bytes.count {
        let captured = Int(bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt32.self))
        let header = Int(bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt16.self))
        all.append(
          DeviceFrame(
            seconds: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self),
            microseconds: bytes.loadUnaligned(fromByteOffset: offset + 8, as: Int64.self),
            length: Int(bytes.loadUnaligned(fromByteOffset: offset + 20, as: UInt32.self)),
            bytes: Array(bytes[offset + header..<offset + header + captured])))
        offset = (offset + header + captured + 7) & ~7
      }
    }
    return all
  }

  /// The number of a frame made here.
  var number: UInt64? { Seen(length: length, bytes: bytes).number }
}

extension BPF.Descriptor {
  /// One read; none after 0 bytes.
  fileprivate func readDevice() throws(BPF.Failure) -> [DeviceFrame] {
    var buffer = [UInt8](repeating: 0, count: bufferSize)
    let count = try read(into: &buffer)
    return DeviceFrame.parse(buffer[..<count])
  }
}

private func isReadable(_ descriptor: CInt, within seconds: Double = 0) -> Bool {
  var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  return poll(&one, 1, CInt(seconds * 1000)) == 1
}

@Suite("Open bpf devices on interfaces", .needsNamespaces)
struct DeviceTests {
  private func device(_ wire: Wire, _ engine: CaptureEngine) throws -> BPF.Descriptor {
    let one = try BPF.Descriptor(.device())
    try one.setDirection(.in)
    try wire.far.inside { try engine.attach(one, to: "vb") }
    return one
  }

  @Test(
    "C-105 C-111 C-121: a device in immediate mode reads each frame with the kernel's stamp", .timeLimit(.minutes(1)))
  func immediate() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let one = try device(wire, engine)
    one.setImmediate(true)
    func microseconds() -> Int64 {
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
    }
    for number in 0..<3 as Range<UInt64> {
      let before = microseconds()
      try wire.send(number..<number + 1)
      let after = microseconds()
      let frames = try one.readDevice()
      #expect(frames.map(\.number) == [number])
      #expect(frames.map(\.bytes) == [wire.numbered(number)])
      let stamp = frames[0].seconds * 1_000_000 + frames[0].microseconds
      #expect(stamp >= before - 1000 && stamp <= after + 1_000_000)
    }
    engine.close()
  }

  @Test(
    "C-119 C-132 C-133: poll(2) on a device wakes at the time-out with what came, and not for what is sent",
    .timeLimit(.minutes(1)))
  func polls() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let one = try device(wire, engine)
    let event = try one.pollDescriptor()
    try FrameSender(in: wire.far, interface: "vb").send(wire.numberedBack(1))
    #expect(!isReadable(event, within: 0.1))
    try one.setReadTimeout(100_000_000)
    try wire.send(0..<3)
    #expect(isReadable(event, within: 30))
    // Frames of one burst may come in two blocks of the ring.
    var numbers: [UInt64?] = []
    while numbers.count < 3, isReadable(event, within: 30) { numbers += try one.readDevice().map(\.number) }
    #expect(numbers == [0, 1, 2])
    #expect(!isReadable(event))
    engine.close()
  }

  @Test(
    "C-028..C-030 C-033: a device whose interface is deleted is readable, gives what it has, then ENXIO",
    .timeLimit(.minutes(1)))
  func deleted() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let one = try device(wire, engine)
    let event = try one.pollDescriptor()
    try wire.send(0..<3)
    #expect(eventually { one.statistics.captured == 3 } && !isReadable(event))
    let failure = Box<BPF.Failure?>(nil)
    let sleeper = startThread {
      do throws(BPF.Failure) { _ = try one.readDevice() } catch { failure.value = error }
    }
    pause(0.05)
    try wire.near.ip("link del va")
    pthread_join(sleeper, nil)
    #expect(failure.value?.errno == ENXIO && isReadable(event))
    #expect(one.poll([.readable, .hangUp]) == [.readable, .hangUp])
    one.setImmediate(true)
    #expect(try one.readDevice().map(\.number) == [0, 1, 2])
    #expect(throws: BPF.Failure.notAttached) { try one.readDevice() }
    engine.close()
  }

  @Test(
    "C-217: two threads read one device, snapshot length 86, time-out 100 ms, under a flood", .timeLimit(.minutes(1)))
  func multiRead() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let one = try device(wire, engine)
    try one.setProgram(try Program([.statement(6, 86)]))
    try one.setReadTimeout(100_000_000)
    let all = Box<[UInt64]>([])
    let monitor = Monitor()
    let readers = (0..<2).map { _ in
      startThread {
        while let frames = try? one.readDevice() {
          let numbers = frames.filter { $0.bytes.count == 86 && $0.length == 1014 }.compactMap(\.number)
          monitor.withLock { all.value += numbers }
        }
      }
    }
    let end = monotonicSeconds() + (Requirement.short ? 0.5 : 1.5)
    var sent: UInt64 = 0
    while monotonicSeconds() < end {
      try wire.send(sent..<sent + 50, size: 1000)
      sent += 50
    }
    #expect(eventually { one.statistics.captured == sent && one.statistics.waiting == 0 })
    one.detach()
    for reader in readers { pthread_join(reader, nil) }
    #expect(one.statistics.delivered == UInt64(all.value.count) && Set(all.value).count == all.value.count)
    #expect(one.statistics.captured == one.statistics.delivered + one.statistics.dropped)
    engine.close()
  }
}
