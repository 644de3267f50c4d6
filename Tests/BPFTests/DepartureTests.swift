// Interfaces that go away, and descriptors that attach anew.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

@Suite("Departures", .timeLimit(.minutes(1)))
struct DepartureTests {
  @Test("C-031: the tap point of an interface that is gone is empty, dead and harmless")
  func dead() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    wire.ifnet.depart()
    #expect(!wire.interface.hasPeers && !wire.point.hasPeers && wire.ifnet.isGone)
    var reader = TapReader()
    for _ in 0..<3 {
      let isOpen = reader.begin(wire.point)
      #expect(!isOpen)
      wire.tap(frame(1))
    }
    #expect(one.statistics == BPF.Statistics())
    #expect(refusal { try one.attach(to: wire.interface) } == ENXIO)
    wire.ifnet.depart()
    #expect(wire.interface.peerCount == 0, "a second departure does nothing")
  }

  @Test(
    "C-031: a tap point that is kept for longer than its interface lives answers as a dead one",
    arguments: [true, false])
  func kept(departs: Bool) throws {
    weak var ifnet: BPF.Ifnet?
    let (kept, raw) = try {
      let wire = Wire("test0")
      let raw = try wire.ifnet.attach(linkType: 12, headerLength: 0)
      wire.ifnet.name = "test1"
      ifnet = wire.ifnet
      if departs { wire.ifnet.depart() }
      return (wire.interface, raw)
    }()
    #expect(ifnet == nil, "it keeps its tap points, and they do not keep it")
    let one = try opened(LifeNames())
    for point in [kept, raw] {
      #expect(refusal { try one.attach(to: point) } == ENXIO)
      #expect(refusal { try one.attachAlso(to: point, cooked: false) } == ENXIO)
      #expect(point.ifnet.isGone && point.ifnet.name == "test1" && point.ifnet.index == 7)
      #expect(point.ifnet.defaultInterface == nil && point.ifnet.linkTypes == [] && point.ifnet.peerCount == 0)
      #expect(!point.hasPeers && point.peerCount == 0)
      point.untrack(point.track { _ in })
    }
    #expect(!one.isAttached)
    let next = Wire()
    try one.attach(to: next.interface)
    #expect(refusal { try one.attach(to: kept) } == ENXIO)
    next.tap(frame(1))
    #expect(one.isAttached && one.statistics.offered == 1, "who was refused stays where he was")
  }

  @Test("an interface that is given up while threads attach to its tap point: they attach, or get ENXIO")
  func givenUp() throws {
    for _ in 0..<(Requirement.short ? 50 : 300) {
      var wire: Wire? = Wire()
      let point = wire!.interface
      let threads = (0..<2).map { _ in
        startThread {
          for _ in 0..<4 {
            let one = try! descriptor()
            do {
              try one.attach(to: point)
              #expect(point.ifnet.index == 7)
            } catch {
              #expect((error as? BPF.Failure)?.errno == ENXIO)
            }
          }
        }
      }
      wire = nil
      for thread in threads { pthread_join(thread, nil) }
      #expect(point.ifnet.isGone && point.peerCount == 0)
    }
  }

  @Test("C-032: a write after the departure is ENXIO and sends nothing")
  func write() throws {
    let driver = LifeDriver()
    let ifnet = BPF.Ifnet(name: "out", index: 3, driver: driver)
    let point = try ifnet.attach(linkType: 1, headerLength: 14)
    for reads in [true, false] {
      let one = try opened(LifeNames(ifnet), reads: reads)
      try one.attach(to: point)
      try one.write(frame(1))
    }
    let (reader, writer) = (try opened(LifeNames(ifnet)), try opened(LifeNames(ifnet), reads: false))
    try reader.attach(to: point)
    try writer.attach(to: point)
    ifnet.depart()
    for one in [reader, writer] {
      #expect(refusal { try one.write(frame(2)) } == ENXIO)
      #expect(refusal { try one.write([]) } == ENXIO, "nothing, too")
    }
    #expect(driver.sent.count == 2)
  }

  @Test("C-032: a write to an interface that departs while the frame is copied is ENXIO")
  func departsDuringCopy() throws {
    let ifnet = BPF.Ifnet(name: "out", index: 3, driver: DepartingDriver())
    let point = try ifnet.attach(linkType: 1, headerLength: 14)
    let one = try descriptor()
    try one.attach(to: point)
    #expect(refusal { try one.write(frame(1)) } == ENXIO)
    #expect(ifnet.isGone)
  }

  @Test("C-034: promiscuous mode is really taken on the next interface, and given up once")
  func promiscuous() throws {
    let (gone, next) = (Wire("a"), Wire("b"))
    let one = try opened(LifeNames(gone.ifnet, next.ifnet))
    try one.bind(to: "a")
    try one.ask(.biocpromisc)
    gone.ifnet.depart()
    #expect(refusal { try one.ask(.biocpromisc) } == EINVAL)
    try one.bind(to: "b")
    #expect(next.ifnet.promiscuousReferences == 0)
    try one.ask(.biocpromisc)
    try one.ask(.biocpromisc)
    #expect(next.driver.promiscuous == [true] && next.ifnet.promiscuousReferences == 1)
    one.detach()
    #expect(next.driver.promiscuous == [true, false] && next.ifnet.promiscuousReferences == 0)
    #expect(gone.driver.promiscuous == [true], "an interface that is gone is asked nothing")
  }

  @Test("C-034: the name of a departed interface may come back as another one")
  func sameName() throws {
    let (old, new) = (Wire("eth0"), Wire("eth0"))
    let names = LifeNames(old.ifnet)
    let one = try opened(names)
    try one.bind(to: "eth0")
    old.tap(frame(1))
    old.ifnet.depart()
    #expect(refusal { try one.bind(to: "eth0") } == ENXIO, "it is gone, and there is no other yet")
    #expect(one.frames == [frame(1)], "the failing attach has not flushed")
    names.add(new.ifnet)
    try one.bind(to: "eth0")
    old.tap(frame(2))
    new.tap(frame(3))
    #expect(one.frames == [frame(3)] && one.isAttached && old.interface.peerCount == 0)
    #expect(throws: BPF.Failure.notAttached) {
      one.detach()
      _ = try one.read(timeout: .zero)
    }
  }

  @Test("a buffer size may be chosen again after the departure, and attaching works with it")
  func bufferSize() throws {
    let (gone, next) = (Wire("a"), Wire("b"))
    let one = try opened(LifeNames(gone.ifnet, next.ifnet))
    try one.bind(to: "a")
    #expect(refusal { try one.setBufferSize(8192) } == EINVAL)
    gone.ifnet.depart()
    #expect(try one.setBufferSize(8192) == 8192)
    try one.bind(to: "b")
    for number in 0..<100 { next.tap(frame(UInt8(number))) }
    #expect(one.frames.count == 100)
  }

  @Test("what frees an interface is the last descriptor that was attached to it")
  func freed() throws {
    weak var ifnet: BPF.Ifnet?
    let one = try descriptor()
    try {
      let wire = Wire()
      ifnet = wire.ifnet
      try one.attach(to: wire.interface)
      wire.ifnet.depart()
    }()
    #expect(ifnet != nil)
    one.forgetDeparted()
    #expect(ifnet == nil)
  }
}

/// A driver whose interface departs while it is asked what it takes.
private final class DepartingDriver: BPF.Driver {
  let retireTime: Int64 = 10_000_000
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}

  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    interface.depart()
    return BPF.OutputState(isUp: true, maximumPayload: 1500, address: [])
  }

  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    Issue.record("sent on an interface that is gone")
  }
}
