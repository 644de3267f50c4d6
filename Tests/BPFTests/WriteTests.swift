// Writing: what goes out, what is refused, what readers see of it. The driver keeps what it is given.
import Glibc
import SwBPFFilterMachine
import Testing

@testable import SwBPFBPF
@testable import TestSupport

/// 14 bytes of Ethernet header and a payload.
func ethernet(_ payload: Int, from source: [UInt8] = [6, 5, 4, 3, 2, 1]) -> [UInt8] {
  [1, 2, 3, 4, 5, 6] + source + [0x88, 0xb5] + (0..<payload).map { UInt8(truncatingIfNeeded: $0) }
}

@Suite("Writing", .timeLimit(.minutes(1)))
struct WriteTests {
  @Test("C-167: unattached is ENXIO, also for no bytes, and after the interface departed")
  func unattached() throws {
    let bench = try Bench()
    let one = try bench.open(attached: false)
    #expect(one.writeRefusal(ethernet(46)) == ENXIO)
    #expect(one.writeRefusal([]) == ENXIO)
    #expect(one.writeStatistics == BPF.WriteStatistics())
    try one.attach(to: bench.interface)
    bench.ifnet.depart()
    #expect(one.writeRefusal(ethernet(46)) == ENXIO)
    #expect(bench.driver.sent.isEmpty)
  }

  @Test("C-168: an interface that is down is ENETDOWN, and works when it is up again")
  func down() throws {
    let bench = try Bench()
    let one = try bench.open()
    bench.driver.set(isUp: false)
    #expect(one.writeRefusal(ethernet(46)) == ENETDOWN)
    bench.driver.set(isUp: true)
    #expect(one.writeRefusal(ethernet(46)) == 0)
    #expect(bench.driver.sent.count == 1)
    #expect(one.writeStatistics.attempted == 2 && one.writeStatistics.sent == 1 && one.writeStatistics.failed == 1)
  }

  @Test("C-169: an empty write returns 0 and sends nothing")
  func empty() throws {
    let bench = try Bench()
    let one = try bench.open()
    one.setFeedback(1)
    #expect(try one.write([]) == 0)
    #expect(try one.write(pieces: []) == 0)
    // No byte is read from a bad address, either.
    #expect(try one.write(pieces: [(1, 0), (.max, 0)]) == 0)
    #expect(bench.driver.sent.isEmpty && one.statistics.offered == 0)
  }

  @Test("C-170: shorter than the link header is EMSGSIZE", arguments: [1, 13])
  func short(count: Int) throws {
    let bench = try Bench()
    let one = try bench.open()
    #expect(one.writeRefusal(Array(ethernet(0).prefix(count))) == EMSGSIZE)
    #expect(bench.driver.sent.isEmpty)
    // The header alone is a frame.
    #expect(try one.write(ethernet(0)) == 14)
  }

  @Test("C-171: header and MTU are sent, one byte more is EMSGSIZE", arguments: [68, 1500, 9000])
  func largest(mtu: Int) throws {
    let bench = try Bench()
    bench.driver.set(maximumPayload: mtu)
    let one = try bench.open()
    #expect(try one.write(ethernet(mtu)) == mtu + 14)
    #expect(one.writeRefusal(ethernet(mtu + 1)) == EMSGSIZE)
    try one.setLinkType(12)
    #expect(try one.write(Array(repeating: 0x45, count: mtu)) == mtu)
    #expect(one.writeRefusal(Array(repeating: 0x45, count: mtu + 1)) == EMSGSIZE)
    #expect(bench.driver.sent.map(\.frame.count) == [mtu + 14, mtu])
  }

  @Test(
    "C-172: a length beyond 32 or 64 bits is EMSGSIZE, not a short frame",
    arguments: [1 << 32, 1 << 32 + 60, 1 << 63, .max] as [UInt64])
  func huge(count: UInt64) throws {
    let bench = try Bench()
    let one = try bench.open()
    #expect(throws: BPF.Failure.messageSize(count)) { try one.write(pieces: [(4096, count)]) }
    // The sum of the pieces would wrap to 60.
    #expect(throws: BPF.Failure.messageSize(.max)) { try one.write(pieces: [(4096, .max), (4096, 61)]) }
    #expect(bench.driver.sent.isEmpty)
  }

  @Test("C-173: a link type that cannot be written is EIO", arguments: [105, 127, 253, 6, 113, 276] as [Int32])
  func linkType(type: Int32) throws {
    let driver = SendingDriver()
    let odd = BPF.Ifnet(name: "odd", index: 1, driver: driver)
    let one = try BPF.Descriptor(.device())
    try one.attach(to: odd.attach(linkType: type, headerLength: 0))
    #expect(one.writeRefusal(ethernet(46)) == EIO)
    #expect(try one.write([]) == 0)
    #expect(driver.sent.isEmpty)
  }

  @Test(
    "C-174: the write program's 0 is EPERM; anything else sends the whole frame",
    arguments: [0, 1, 20, .max] as [UInt32])
  func writeProgram(result: UInt32) throws {
    let bench = try Bench()
    let one = try bench.open()
    one.setHeaderComplete(true)
    one.setWriteProgram(keeping(result))
    #expect(one.writeRefusal(ethernet(46)) == (result == 0 ? EPERM : 0))
    #expect(bench.driver.sent.map(\.frame) == (result == 0 ? [] : [ethernet(46)]))
  }

  @Test("C-175: without a write program everything may be sent; the program sees a frame of pieces whole")
  func noWriteProgram() throws {
    let bench = try Bench()
    let one = try bench.open()
    one.setHeaderComplete(true)
    // The length, and the last byte of the frame, which lies in the last piece.
    let whole = try Program([
      .statement(0x80, 0), .jump(0x15, 60, 0, 3), .statement(0x30, 59), .jump(0x15, 45, 0, 1),
      .statement(6, 1), .statement(6, 0),
    ])
    for program in [nil, whole] {
      one.setWriteProgram(program)
      let (head, tail) = (Array(ethernet(46).prefix(20)), Array(ethernet(46).dropFirst(20)))
      let sent = try head.withUnsafeBytes { head in
        try tail.withUnsafeBytes { tail in
          try one.write(pieces: [
            (UInt64(UInt(bitPattern: head.baseAddress)), 20), (0, 0),
            (UInt64(UInt(bitPattern: tail.baseAddress)), 40),
          ])
        }
      }
      #expect(sent == 60)
    }
    #expect(bench.driver.sent.map(\.frame) == [ethernet(46), ethernet(46)])
  }

  @Test("C-176: the interface's address becomes the source, with BIOCSHDRCMPLT the frame keeps its own")
  func source() throws {
    let bench = try Bench()
    let one = try bench.open()
    try one.write(ethernet(46))
    #expect(one.refusal(0x8004_4275, 1) == 0)
    try one.write(ethernet(46))
    // Raw packets have no source address at that place.
    one.setHeaderComplete(false)
    try one.setLinkType(12)
    try one.write(Array(repeating: 0x45, count: 40))
    #expect(
      bench.driver.sent.map(\.frame) == [
        ethernet(46, from: [2, 0, 0, 0, 0, 9]), ethernet(46), Array(repeating: 0x45, count: 40),
      ])
  }

  @Test("C-179: when sending fails the error is passed on and nothing is fed back")
  func failedFeedback() throws {
    let bench = try Bench()
    let one = try bench.open()
    one.setFeedback(1)
    bench.driver.refuse(.system(errno: ENOBUFS, call: "test"))
    #expect(one.writeRefusal(ethernet(46)) == ENOBUFS)
    one.setWriteProgram(nothing)
    bench.driver.refuse(nil)
    #expect(one.writeRefusal(ethernet(46)) == EPERM)
    #expect(one.writeRefusal(ethernet(1501)) == EMSGSIZE)
    #expect(one.statistics == BPF.Statistics())
  }

  @Test("with feedback the frame comes in; the driver is to hide it only from a writer of both directions")
  func feedback() throws {
    let bench = try Bench()
    let one = try bench.open()
    let other = try bench.open()
    for (direction, unseen) in [(.inOut, true), (.in, false), (.out, false)] as [(BPF.Direction, Bool)] {
      try one.setDirection(direction)
      #expect(one.refusal(0x8004_427c, 0) == 0)
      try one.write(ethernet(46))
      #expect(one.refusal(0x8004_427c, 3) == 0)
      try one.write(ethernet(46))
      let sent = bench.driver.sent.suffix(2)
      #expect(sent.map(\.unseen) == [false, unseen])
    }
    // Only the ones with feedback came back: the driver here shows nothing itself.
    #expect(other.statistics.captured == 3)
  }
}
