// Time stamps of device records. (BIOCSTSTAMP)
import SwBPFKern
import Testing

@testable import SwBPFBPF

/// A wall-clock stamp of now or so, ns.
private let now = Clock.wall()

extension BPF.Descriptor {
  fileprivate func stamp() throws -> (seconds: Int64, fraction: UInt64) {
    let record = try readRecords()[0]
    return (record.seconds, record.fraction)
  }
}

@Suite("Stamps of devices", .timeLimit(.minutes(1)))
struct DeviceStampTests {
  private func open(_ format: BPF.StampFormat, _ profile: BPF.Profile = .freebsd, on wire: Wire) throws
    -> BPF.Descriptor
  {
    let one = try device(profile, on: wire)
    one.setImmediate(true)
    one.setStampFormat(format)
    return one
  }

  @Test(
    "C-105, C-111: the default is the packet's own stamp in seconds and microseconds", arguments: BPF.Profile.allCases)
  func microseconds(profile: BPF.Profile) throws {
    let wire = Wire()
    let one = try device(profile, on: wire)
    #expect(one.stampFormat == .microtime && one.stampFormat.rawValue == 0)
    one.setImmediate(true)
    for stamp in [0, 999, 1000, 1_234_567_890_999_999_999, now] {
      wire.tap(frame(1), at: stamp)
      #expect(try one.stamp() == (stamp / 1_000_000_000, UInt64(stamp % 1_000_000_000) / 1000))
    }
  }

  @Test("C-106: thirteen formats are valid, every other value is not")
  func valid() {
    let all: Set<UInt32> = [0, 1, 2, 0x100, 0x101, 0x102, 0x200, 0x201, 0x202, 0x300, 0x301, 0x302, 3]
    for value in 0...UInt32(0x1_0000) {
      #expect((BPF.StampFormat(rawValue: value) != nil) == all.contains(value), "\(value)")
    }
    for bit in 0..<32 {
      let value = UInt32(1) << UInt32(bit)
      #expect((BPF.StampFormat(rawValue: value) != nil) == all.contains(value), "\(value)")
    }
    #expect(BPF.StampFormat(rawValue: 0x103) == nil && BPF.StampFormat(rawValue: .max) == nil)
  }

  @Test("C-106: a format reads back as it was set", arguments: [UInt32(0), 1, 2, 3, 0x101, 0x202, 0x300])
  func readsBack(value: UInt32) throws {
    let one = try device()
    one.setStampFormat(try #require(BPF.StampFormat(rawValue: value)))
    #expect(one.stampFormat.rawValue == value)
  }

  @Test("C-107: without stamps the fields are zero")
  func none() throws {
    let wire = Wire()
    let one = try open(.none, on: wire)
    wire.tap(frame(1), at: now)
    #expect(try one.stamp() == (0, 0))
  }

  @Test("C-108: nanoseconds stay below a thousand million", arguments: [0, 1, 999_999_999, 123_456_789] as [Int64])
  func nanoseconds(part: Int64) throws {
    let wire = Wire()
    for value in [UInt32(1), 0x101] {
      let one = try open(BPF.StampFormat(rawValue: value)!, on: wire)
      wire.tap(frame(1), at: 77_000_000_000 + part)
      #expect(try one.stamp() == (77, UInt64(part)))
    }
  }

  @Test(
    "C-108: bintime is a binary fraction of 64 bits, true to the nanosecond",
    arguments: [0, 1, 250_000_000, 500_000_000, 999_999_999, 123_456_789] as [Int64])
  func bintime(part: Int64) throws {
    let wire = Wire()
    let one = try open(.bintime, on: wire)
    wire.tap(frame(1), at: 77_000_000_000 + part)
    let stamp = try one.stamp()
    #expect(stamp.seconds == 77)
    // Back, rounded: the top of fraction * 10^9, plus the half.
    let product = stamp.fraction.multipliedFullWidth(by: 1_000_000_000)
    #expect(product.high + product.low >> 63 == UInt64(part))
    if part == 500_000_000 { #expect(stamp.fraction >> 62 == 1, "just below the half") }
  }

  @Test("C-109: monotonic stamps count from boot and never go back, though the wall clock jumps")
  func monotonic() throws {
    let wire = Wire()
    let one = try open(.nanotime.monotonic, on: wire)
    func next(_ stamp: Int64) throws -> Int64 {
      wire.tap(frame(1), at: stamp)
      let (seconds, fraction) = try one.stamp()
      return seconds * 1_000_000_000 + Int64(fraction)
    }
    let before = Clock.monotonic()
    let first = try next(Clock.wall())
    let after = Clock.monotonic()
    // The wall clock may be slewed between the two readings that make the offset.
    #expect(first >= before - 1_000_000_000 && first <= after + 1_000_000_000)
    var last = first
    let start = Clock.wall()
    for jump in [0, 5, -3600, -10, 7, 3600, 3500, -86400] as [Int64] {
      let stamp = try next(start + jump * 1_000_000_000)
      #expect(stamp >= last)
      last = stamp
    }
    #expect(last >= first + 3599 * 1_000_000_000, "ahead by the jump forward")
    #expect(try next(0) == last && next(1) == last, "stamps of long before boot are the last one's")
  }

  @Test("C-109: monotonic stamps in every unit, and none stays none")
  func monotonicUnits() throws {
    let wire = Wire()
    #expect(BPF.StampFormat.none.monotonic == .none)
    let formats: [BPF.StampFormat] = [.microtime, .nanotime, .bintime]
    let limits: [UInt64] = [1_000_000, 1_000_000_000, .max]
    for (format, limit) in zip(formats, limits) {
      let one = try open(format.monotonic, on: wire)
      wire.tap(frame(1), at: Clock.wall())
      let stamp = try one.stamp()
      #expect(abs(stamp.seconds - Clock.monotonic() / 1_000_000_000) <= 60 && stamp.fraction < limit)
    }
  }

  @Test("C-110: all readers of a packet get the same instant; monotonic ones differ by the offset alone")
  func sameInstant() throws {
    let wire = Wire()
    let formats: [BPF.StampFormat] = [.microtime, .nanotime, .bintime, .nanotime.monotonic, .nanotime.monotonic]
    let readers = try formats.map { try open($0, on: wire) }
    let stamp = Clock.wall()
    wire.tap(frame(1), at: stamp)
    let read = try readers.map { try $0.stamp() }
    #expect(read[1] == (stamp / 1_000_000_000, UInt64(stamp % 1_000_000_000)))
    #expect(read[0] == (read[1].seconds, read[1].fraction / 1000))
    #expect(read[2].seconds == read[1].seconds && read[2].fraction == read[1].fraction &* 18_446_744_073)
    #expect(read[3] == read[4])
    let offset = stamp - read[3].seconds * 1_000_000_000 - Int64(read[3].fraction)
    #expect(abs(offset - (Clock.wall() - Clock.monotonic())) < 60_000_000_000)
  }

  @Test("C-112: a new format flushes nothing; old records keep theirs")
  func change() throws {
    let wire = Wire()
    let one = try device(on: wire)
    let formats: [BPF.StampFormat] = [.microtime, .nanotime, .none, .bintime, .microtime]
    for format in formats {
      one.setStampFormat(format)
      wire.tap(frame(1), at: 9_500_000_000)
    }
    #expect(one.statistics.waiting == 5)
    one.setImmediate(true)
    let records = try one.readRecords()
    #expect(records.map(\.seconds) == [9, 9, 0, 9, 9])
    #expect(records.map(\.fraction) == [500_000, 500_000_000, 0, 500_000_000 &* 18_446_744_073, 500_000])
  }
}
