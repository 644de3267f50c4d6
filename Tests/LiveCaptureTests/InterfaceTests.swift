import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("Interfaces that come, go and change", .needsNamespaces)
struct InterfaceTests {
  @Test("a capture goes on after its interface was down", .timeLimit(.minutes(1)))
  func downAndUp() throws {
    let wire = try Wire()
    let events = Events()
    let engine = try wire.far.engine(events: events)
    let reader = try wire.far.reader(engine, "vb", .in)
    try wire.send(0..<5)
    try wire.far.ip("link set vb down")
    #expect(events.has(.down(name: "vb")))
    try wire.far.ip("link set vb up")
    #expect(events.has(.up(name: "vb")))
    #expect(try wire.near.isUp("va") && wire.far.isUp("vb"))
    try wire.send(5..<10)
    #expect(try reader.collect(10).compactMap(\.number) == Array(0..<10))
    #expect(reader.isAttached)
    engine.close()
  }

  @Test("a reader of an interface that is down at the start sees frames once it is up", .timeLimit(.minutes(1)))
  func downAtTheStart() throws {
    let wire = try Wire()
    try wire.far.ip("link set vb down")
    let engine = try wire.far.engine()
    let reader = try wire.far.reader(engine, "vb", .in)
    try wire.far.ip("link set vb up")
    #expect(try wire.near.isUp("va") && wire.far.isUp("vb"))
    try wire.send(0..<5)
    #expect(try reader.collect(5).compactMap(\.number) == Array(0..<5))
    engine.close()
  }

  @Test("a capture follows its interface to a new name", .timeLimit(.minutes(1)))
  func rename() throws {
    let wire = try Wire()
    let events = Events()
    let engine = try wire.far.engine(events: events)
    let reader = try wire.far.reader(engine, "vb", .in)
    let interface = try wire.far.inside { try engine.interface(named: "vb") }
    try wire.far.ip("link set vb down")
    try wire.far.ip("link set vb name vnew")
    try wire.far.ip("link set vnew up")
    #expect(events.has(.renamed(from: "vb", to: "vnew")))
    #expect(interface.ifnet.name == "vnew")
    #expect(try wire.near.isUp("va") && wire.far.isUp("vnew"))
    try wire.send(0..<5)
    #expect(try reader.collect(5).compactMap(\.number) == Array(0..<5))
    engine.close()
  }

  @Test(
    "C-027 C-030 C-034 a reader of a deleted interface gets the frames of before, then ENXIO, and may attach anew",
    .timeLimit(.minutes(1)))
  func deleted() throws {
    let wire = try Wire()
    let events = Events()
    let engine = try wire.far.engine(events: events)
    let reader = try wire.far.reader(engine, "vb", .in)
    try reader.setPromiscuous()
    try wire.send(0..<5)
    try wire.near.ip("link del va")
    var numbers: [UInt64] = []
    var failure: BPF.Failure?
    do throws(BPF.Failure) {
      while let slot = try reader.nextSlot(timeout: .seconds(10)) {
        numbers += reader.frames(slot).compactMap(\.number)
      }
    } catch {
      failure = error
    }
    #expect(numbers == Array(0..<5))
    #expect(failure == .departed && failure?.errno == ENXIO)
    #expect(events.has(.gone(name: "vb")))
    #expect(!reader.isAttached)
    #expect(throws: BPF.Failure.noSuchInterface("vb")) { try wire.far.inside { try engine.attach(reader, to: "vb") } }

    try Host.link(wire.near, "va", wire.far, "vb")
    try wire.far.inside { try engine.attach(reader, to: "vb") }
    try reader.setPromiscuous()
    #expect(try wire.far.ip("-d link show dev vb").contains("promiscuity 1"))
    try FrameSender(in: wire.near, interface: "va").send(wire.numbered(7))
    #expect(try reader.collect(1).compactMap(\.number) == [7])
    engine.close()
  }

  @Test(
    "C-031 tap points that are kept when their interfaces, or the engine, have gone: ENXIO, however many there are",
    .timeLimit(.minutes(1)))
  func kept() throws {
    let wire = try Wire()
    let events = Events()
    let engine = try wire.far.engine(events: events)
    let reader = try BPF.Descriptor()
    var old: [BPF.Interface] = []
    for round in 0..<20 {
      try Host.link(wire.near, "vc\(round)", wire.far, "vd\(round)", net: UInt8(100 + round))
      old.append(try wire.far.inside { try engine.interface(named: "vd\(round)") })
      if round % 2 == 0 { try reader.attach(to: old[round]) }
      try wire.near.ip("link del vc\(round)")
      #expect(events.has(.gone(name: "vd\(round)")))
    }
    reader.detach()
    for (round, point) in old.enumerated() {
      #expect(throws: BPF.Failure.departed) { try reader.attach(to: point) }
      #expect(point.ifnet.isGone && point.ifnet.name == "vd\(round)" && !point.hasPeers)
    }
    let last = try wire.far.inside { try engine.interface(named: "vb") }
    try reader.attach(to: last)
    let other = try BPF.Descriptor()
    engine.close()
    #expect(throws: BPF.Failure.departed) { try other.attach(to: last) }
    reader.detach()
    #expect(throws: BPF.Failure.departed) { try other.attach(to: last) }
  }

  @Test("C-028 a sleeping reader is woken when its interface goes away", .timeLimit(.minutes(1)))
  func sleeper() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let reader = try wire.far.reader(engine, "vb")
    let failure = Box<BPF.Failure?>(nil)
    let thread = startThread {
      do throws(BPF.Failure) { _ = try reader.nextSlot() } catch { failure.value = error }
    }
    pause(0.1)
    try wire.far.ip("link del vb")
    pthread_join(thread, nil)
    #expect(failure.value == .departed)
    engine.close()
  }

  @Test("a reader of all interfaces sees each frame once, also on interfaces made later", .timeLimit(.minutes(1)))
  func all() throws {
    let wire = try Wire()
    try Host.link(wire.near, "va2", wire.far, "vb2", net: 2)
    let engine = try wire.far.engine()
    let reader = try BPF.Descriptor()
    reader.setImmediate(true)
    try wire.far.inside { try engine.attachToAll(reader) }
    try wire.send(0..<10)
    let other = try FrameSender(in: wire.near, interface: "va2")
    for number in 10..<20 as Range<UInt64> { try other.send(wire.numbered(number)) }
    let local = try FrameSender(in: wire.far, interface: "lo")
    for number in 20..<30 as Range<UInt64> { try local.send(wire.numbered(number)) }
    #expect(try counted(reader, 30) == (0..<30).map { [$0, 1] })

    try Host.link(wire.near, "va3", wire.far, "vb3", net: 3)
    let late = try FrameSender(in: wire.near, interface: "va3")
    for number in 30..<40 as Range<UInt64> { try late.send(wire.numbered(number)) }
    #expect(try counted(reader, 10) == (30..<40).map { [$0, 1] })
    try wire.far.ip("link del vb2")
    try wire.send(40..<45)
    #expect(try counted(reader, 5) == (40..<45).map { [$0, 1] })
    #expect(try wire.far.mappedRings() == 1)
    engine.close()

    /// How often each number came; records are LINUX_SLL2: 20 bytes, the protocol first.
    func counted(_ reader: BPF.Descriptor, _ count: Int) throws -> [[UInt64]] {
      var times: [UInt64: UInt64] = [:]
      for one in try reader.collect(count) where one.bytes.starts(with: [0x88, 0xb5]) {
        if let number = UDPSender.number(in: one.bytes.dropFirst(20)) { times[number, default: 0] += 1 }
      }
      return times.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
    }
  }

  @Test("waiting for an interface ends when it is there, or when it is called off", .timeLimit(.minutes(1)))
  func waiting() throws {
    let host = try Host()
    let engine = try host.engine()
    let result = Box<Bool?>(nil)
    func wait(for name: String) -> pthread_t {
      startThread { result.value = try? host.inside { try engine.waitForInterface(named: name) } }
    }
    var thread = wait(for: "vlate")
    pause(0.1)
    #expect(result.value == nil)
    try host.ip("link add vlate type veth peer name vother")
    pthread_join(thread, nil)
    #expect(result.value == true)
    #expect(try host.inside { try engine.waitForInterface(named: "lo") })

    result.value = nil
    thread = wait(for: "never")
    pause(0.1)
    #expect(result.value == nil)
    engine.cancel()
    pthread_join(thread, nil)
    #expect(result.value == false)
    engine.close()
  }
}

/// A value for another thread, read after that one has ended or under the lock.
final class Box<Value: Sendable>: @unchecked Sendable {
  private let monitor = Monitor()
  private var stored: Value
  init(_ value: Value) { stored = value }
  var value: Value {
    get { monitor.withLock { stored } }
    set { monitor.withLock { stored = newValue } }
  }
}
