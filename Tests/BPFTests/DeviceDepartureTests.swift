// The interface of an open bpf device goes away. (`bpfdetach`)
import Glibc
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

@Suite("Devices whose interface departs", .timeLimit(.minutes(1)))
struct DeviceDepartureTests {
  @Test("C-027: every reader of every tap point of the interface is detached, and none of another interface")
  func every() throws {
    let (wire, other) = (Wire(), Wire("test1"))
    let second = try wire.ifnet.attach(linkType: 12, headerLength: 0)
    let gone = try [wire.interface, wire.interface, second].map { point in
      let one = try device()
      try one.attach(to: point)
      return one
    }
    let stays = try device(on: other)
    wire.ifnet.depart()
    #expect(gone.allSatisfy { !$0.isAttached } && stays.isAttached)
    #expect(!wire.interface.hasPeers && !second.hasPeers && other.interface.hasPeers)
    wire.tap(frame(1))
    other.tap(frame(2))
    #expect(gone.allSatisfy { $0.statistics.offered == 0 } && stays.statistics.offered == 1)
  }

  @Test(
    "C-028: sleeping readers get ENXIO; what was stored but not full stays unread",
    arguments: [0, 3600 * 1_000_000_000])
  func sleepers(timeout: Int64) throws {
    let wire = Wire()
    let one = try device(on: wire)
    try one.setReadTimeout(timeout)
    wire.tap(frame(1))
    let reads = (0..<3).map { _ in Reading(one) }
    #expect(reads.allSatisfy { $0.sleeps })
    wire.ifnet.depart()
    for read in reads { #expect(throws: BPF.Failure.notAttached) { try read.end() } }
    #expect(one.statistics.waiting == 1 && one.readableBytes == 86)
    #expect(throws: BPF.Failure.notAttached) { try one.readBuffer() }
  }

  @Test("C-028: detaching a descriptor wakes its readers too; moving it to another interface does not end their reads")
  func moved() throws {
    let (wire, other) = (Wire(), Wire("test1"))
    let one = try device(bufferSize: 128, on: wire)
    let read = Reading(one)
    #expect(read.sleeps)
    try one.attach(to: other.interface)
    #expect(read.sleeps)
    other.tap(frame(1, 90))
    other.tap(frame(2, 90))
    #expect(try read.frames() == [frame(1, 90)])
    let next = Reading(one)
    #expect(next.sleeps)
    one.detach()
    #expect(throws: BPF.Failure.notAttached) { try next.end() }
    withExtendedLifetime(wire) {}
  }

  @Test("C-029: the full buffer is delivered after departure, then ENXIO; the other one stays unread")
  func full() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    wire.tap(frame(1, 90))
    wire.tap(frame(2, 90))
    wire.ifnet.depart()
    #expect(try one.readFrames() == [frame(1, 90)])
    for _ in 0..<2 { #expect(throws: BPF.Failure.notAttached) { try one.readBuffer() } }
    #expect(one.statistics.waiting == 1)
  }

  enum Mode: CaseIterable { case immediate, nonBlocking, timedOut }

  @Test(
    "C-030: immediate, not blocking or timed out, the stored rest is delivered too, then ENXIO",
    arguments: Mode.allCases)
  func rest(_ mode: Mode) throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    wire.tap(frame(1, 90))
    switch mode {
    case .immediate: one.setImmediate(true)
    case .nonBlocking: one.setNonBlocking(true)
    case .timedOut:
      try one.setReadTimeout(10_000_000)
      #expect(try one.poll(.readable, timeout: nil) == .readable)
    }
    if mode != .timedOut {
      wire.tap(frame(2, 90))
      wire.ifnet.depart()
      #expect(try one.readFrames() == [frame(1, 90)])
      #expect(try one.readFrames() == [frame(2, 90)])
    } else {
      wire.ifnet.depart()
      #expect(try one.readFrames() == [frame(1, 90)])
    }
    #expect(throws: BPF.Failure.notAttached) { try one.readBuffer() }
    #expect(one.readableBytes == 0 && one.statistics.waiting == 0)
  }

  @Test("C-028, C-030: a sleeping reader in immediate mode gets ENXIO when there is nothing")
  func immediate() throws {
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(true)
    let read = Reading(one)
    #expect(read.sleeps)
    wire.ifnet.depart()
    #expect(throws: BPF.Failure.notAttached) { try read.end() }
  }

  @Test("C-033: poll says readable, and hang-up if asked for; it wakes who sleeps there")
  func poll() throws {
    let wire = Wire()
    let one = try device(on: wire)
    let watcher = Watcher(try one.pollDescriptor())
    let event = watcher.descriptor
    let sleeper = Running { () throws(BPF.Failure) in Watcher(event).waits(seconds: 30) }
    #expect(sleeper.sleeps)
    wire.ifnet.depart()
    #expect(try sleeper.end() && watcher.isReadable == true)
    #expect(one.poll(.readable) == .readable && one.poll(.hangUp) == .hangUp)
    #expect(one.poll([.readable, .writable, .hangUp]) == [.readable, .writable, .hangUp])
  }

  @Test("a read whose buffers were given up for larger ones ends, however soon the descriptor is attached again")
  func resized() throws {
    let large = [UInt8](repeating: 1, count: 4000)
    for _ in 0..<50 {
      let (wire, other) = (Wire(), Wire("test1"))
      let one = try device(bufferSize: 64, on: wire)
      let reads = (0..<2).map { _ in Reading(one) }
      pause(0.001)
      wire.ifnet.depart()
      try one.setBufferSize(4096)
      one.setImmediate(true)
      try one.attach(to: other.interface)
      // One for each: a buffer holds one of them.
      for _ in reads { other.tap(large) }
      for read in reads {
        do {
          // Begun late enough, it is a read of the new size.
          if let bytes = try read.end() { #expect(try parse(bytes).map(\.frame) == [large]) }
        } catch let error as BPF.Failure {
          // One that came late may find another size than it asked for.
          #expect([ENXIO, EINVAL].contains(error.errno))
        }
      }
      other.ifnet.depart()
    }
  }
}
