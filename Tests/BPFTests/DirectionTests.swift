// BIOCSDIRECTION and BIOCSSEESENT, and what a tap is told.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Directions of requests", .timeLimit(.minutes(1)))
struct DirectionRequestTests {
  private let wire = Wire()

  private func reader() throws -> BPF.Descriptor {
    let one = try opened(LifeNames(wire.ifnet))
    try one.bind(to: "test0")
    return one
  }

  private func both(_ wire: Wire) {
    wire.tap(frame(1), .received)
    wire.tap(frame(2), .sent)
  }

  @Test("C-056: the default is 1, and each value reads back", arguments: [UInt32(0), 1, 2])
  func readsBack(value: UInt32) throws {
    let one = try reader()
    #expect(try one.ask(.biocgdirection) == 1)
    try one.ask(.biocsdirection, value)
    #expect(try one.ask(.biocgdirection) == value)
  }

  @Test("C-057: 3 and larger are EINVAL and leave the setting", arguments: [UInt32(3), 4, 256, .max])
  func refused(value: UInt32) throws {
    let one = try reader()
    try one.ask(.biocsdirection, 2)
    #expect(refusal { try one.ask(.biocsdirection, value) } == EINVAL)
    #expect(try one.ask(.biocgdirection) == 2)
    both(wire)
    #expect(one.frames == [frame(2)])
  }

  @Test("C-058: see-sent is the same request: 0 is in, 1 is in and out, 2 is out; see-sent reads the direction")
  func seeSent() throws {
    let one = try reader()
    // BIOCSSEESENT and BIOCGSEESENT, FreeBSD's and NetBSD's numbers.
    for (set, get) in [(UInt32(0x8004_4277), UInt32(0x4004_4276)), (0x8004_4279, 0x4004_4278)] {
      for value in [0, 1, 2] as [UInt8] {
        var word: [UInt8] = [value, 0, 0, 0]
        try one.ioctl(request: set, argument: &word)
        #expect(one.direction.rawValue == UInt32(value) && one.seesSent == (value != 0))
        word = [9, 9, 9, 9]
        try one.ioctl(request: get, argument: &word)
        #expect(word == [value, 0, 0, 0])
      }
    }
    try one.setSeesSent(false)
    #expect(one.direction == .in)
    try one.setSeesSent(true)
    #expect(one.direction == .inOut)
  }

  @Test("C-059: by default frames of both ways are seen")
  func byDefault() throws {
    let one = try reader()
    both(wire)
    #expect(one.frames == [frame(1), frame(2)] && one.statistics.hidden == 0)
  }

  @Test("C-060: in sees what is received only, out what is sent only")
  func oneWay() throws {
    for (value, seen) in [(UInt32(0), frame(1)), (2, frame(2))] {
      let one = try reader()
      try one.ask(.biocsdirection, value)
      both(wire)
      #expect(one.frames == [seen])
    }
  }

  @Test("C-061: a hidden frame wakes nobody and grows offered and hidden by one each")
  func hidden() throws {
    let one = try reader()
    one.setImmediate(true)
    try one.ask(.biocsdirection, 0)
    let event = try one.pollDescriptor()
    wire.tap(frame(2), .sent)
    #expect(Event.wait(for: event, timeout: 0) == .timedOut)
    var expected = BPF.Statistics()
    (expected.offered, expected.hidden) = (1, 1)
    #expect(one.statistics == expected && one.statistics.received == 0 && one.storedBytes == 0)
    wire.tap(frame(1))
    #expect(Event.wait(for: event, timeout: 0) == .set)
  }

  @Test("C-062: descriptors of different directions are served from one tap call")
  func oneTap() throws {
    let peers = try [UInt32(0), 1, 2].map { value in
      let one = try reader()
      try one.ask(.biocsdirection, value)
      return one
    }
    both(wire)
    #expect(peers.map(\.frames) == [[frame(1)], [frame(1), frame(2)], [frame(2)]])
    #expect(peers.map(\.statistics.hidden) == [1, 0, 1])
  }

  @Test("C-063: only the way that the tap is told decides, whatever the packet's metadata says", arguments: 0...4)
  func metadata(packetType: Int) throws {
    let one = try reader()
    try one.ask(.biocsdirection, 0)
    var reader = TapReader()
    let isOpen = reader.begin(wire.point)
    #expect(isOpen)
    let about = FrameMetadata(packetType: UInt8(packetType), interfaceIndex: 99)
    let (received, sent) = (frame(1), frame(2))
    received.withUnsafeBytes { a in
      sent.withUnsafeBytes { b in
        show(a, .received, &reader, metadata: about)
        show(b, .sent, &reader, metadata: about)
        reader.end()
      }
    }
    #expect(one.frames == [frame(1)])
  }

  @Test("C-064: one frame is in on the interface it came by and out on the one it leaves by")
  func forwarded() throws {
    let other = Wire("other")
    let (arriving, leaving) = (try reader(), try descriptor())
    try arriving.ask(.biocsdirection, 0)
    try leaving.setDirection(.out)
    try leaving.attach(to: other.interface)
    wire.tap(frame(1), .received)
    other.tap(frame(1), .sent)
    #expect(arriving.frames == [frame(1)] && leaving.frames == [frame(1)])
  }

  @Test("C-065: the tap with an address family obeys the way that it is told", arguments: [0, 1, 2] as [UInt32])
  func family(direction: UInt32) throws {
    let null = try wire.ifnet.attach(linkType: 0, headerLength: 4)
    let one = try opened(LifeNames(wire.ifnet))
    try one.attach(to: null)
    try one.ask(.biocsdirection, direction)
    var reader = TapReader()
    // Many, so that what the memory held before is of the other way.
    for number in 0..<8 as Range<UInt8> {
      let isOpen = reader.begin(null.pointOfDriver)
      #expect(isOpen)
      [0x45, number].withUnsafeBytes { reader.tap(family: 2, $0, number % 2 == 0 ? .received : .sent, stamp: 1) }
      reader.end()
    }
    let seen = (0..<8).filter { direction == 1 || $0 % 2 == Int(direction) / 2 }.map { UInt8($0) }
    #expect(one.frames.map { $0[5] } == seen && one.statistics.hidden == UInt64(8 - seen.count))
  }

  @Test("C-066: a change binds the next frame and flushes nothing")
  func next() throws {
    let one = try reader()
    wire.tap(frame(1), .sent)
    try one.ask(.biocsdirection, 0)
    wire.tap(frame(2), .sent)
    try one.ask(.biocsdirection, 2)
    wire.tap(frame(3), .sent)
    wire.tap(frame(4), .received)
    #expect(one.statistics.captured == 2 && one.statistics.hidden == 2)
    #expect(one.frames == [frame(1), frame(3)])
  }

  @Test("C-067: the setting survives BIOCSETF, BIOCFLUSH, BIOCSETIF and departures", arguments: [UInt32(0), 2])
  func survives(value: UInt32) throws {
    let other = Wire("other")
    let one = try opened(LifeNames(wire.ifnet, other.ifnet))
    try one.ask(.biocsdirection, value)
    try one.bind(to: "test0")
    try one.install(whole)
    try one.install(whole, by: .biocsetfnr)
    try one.ask(.biocflush)
    try one.bind(to: "test0")
    wire.ifnet.depart()
    try one.bind(to: "other")
    #expect(try one.ask(.biocgdirection) == value)
    both(other)
    #expect(one.frames == [value == 0 ? frame(1) : frame(2)])
  }
}
