// The list of descriptors, counts of attachments, and who hears of attachments.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Peer list", .timeLimit(.minutes(1)))
struct PeerListingTests {
  @Test("C-213: a row says whose it is, where, what it wants and what it counted")
  func row() throws {
    let wire = Wire("list0")
    let one = try opened(LifeNames(wire.ifnet), slots: 2)
    try one.bind(to: "list0")
    try one.ask(.biocpromisc)
    try one.ask(.biocsdirection, 0)
    one.setImmediate(true)
    try one.install(starting(with: 1))
    try one.ask(.biocshdrcmplt, 1)
    try one.ask(.biocfeedback, 1)
    wire.tap(frame(1))
    wire.tap(frame(2))
    wire.tap(frame(1), .sent)
    try one.ask(.bioclock)
    let row = try #require(BPF.Descriptor.listed([one]).first)
    #expect(row.process == getpid() && row.interfaces == ["list0"] && row.linkType == 1)
    #expect(row.direction == .in && row.isImmediate && row.isPromiscuous && !row.isWriter)
    #expect(row.isHeaderComplete && row.hasFeedback && row.isLocked && row.hasProgram)
    #expect(row.bufferSize == 4096 && row.bufferCount == 2 && row.storedBytes == 16 + 60)
    #expect(row.statistics == one.statistics && row.statistics.hidden == 1 && row.statistics.refused == 1)
  }

  @Test("C-213: an unattached descriptor and one whose interface departed are listed without an interface")
  func unattached() throws {
    let wire = Wire("list1")
    let settings = BPF.Settings()
    try settings.set("net.bpf.bufsize", to: 12_344)
    let fresh = try BPF.Descriptor(.device(settings: settings))
    let gone = try BPF.Descriptor(.device(settings: settings))
    try gone.attach(to: wire.interface)
    wire.ifnet.name = "list2"
    #expect(BPF.Descriptor.listed([gone]).first?.interfaces == ["list2"], "by the name of now")
    wire.ifnet.depart()
    let rows = BPF.peers.filter { $0.bufferSize == 12_344 }
    #expect(rows.count == 2 && rows.allSatisfy { $0.interfaces.isEmpty && $0.linkType == nil && !$0.isWriter })
    withExtendedLifetime(fresh) {}
  }

  @Test("C-214: lists taken while descriptors come and go are whole, and frames flow meanwhile")
  func whileTheyCome() throws {
    let wire = Wire("list3")
    let stays = try descriptor(slotSize: 1 << 20, slots: 8)
    try stays.attach(to: wire.interface)
    let stop = Flag()
    var tapped: UInt64 = 0
    let comers = (0..<2).map { number in
      Thread(name: "comer") {
        var round = number
        while !stop.isSet {
          guard let one = try? descriptor(slotSize: 4096, slots: 2) else { return }
          try? one.attach(to: wire.interface)
          if round % 2 == 0 { one.detach() }
          round += 1
        }
      }
    }
    let bad = Flag()
    let lister = Thread(name: "lister") {
      while !stop.isSet {
        let rows = BPF.peers.filter { $0.interfaces == ["list3"] }
        if rows.filter({ $0.bufferSize == 1 << 20 }).count != 1 { bad.set() }
        if !rows.allSatisfy({ $0.statistics.addsUp && $0.process == getpid() }) { bad.set() }
      }
    }
    let end = monotonicSeconds() + 0.5
    while monotonicSeconds() < end {
      wire.tap(frame(1))
      tapped += 1
    }
    stop.set()
    for one in comers { one.join() }
    lister.join()
    #expect(!bad.isSet && stays.statistics.captured == tapped)
    #expect(BPF.peers.filter { $0.interfaces == ["list3"] }.count == 1)
  }

  @Test("C-215: trackers hear of each reader that attaches and of each that leaves, in that order, of no writer")
  func trackers() throws {
    let (wire, other) = (Wire("a"), Wire("b"))
    let heard = Heard()
    let tracker = wire.interface.track { heard.add($0) }
    let names = LifeNames(wire.ifnet, other.ifnet)
    let (one, writer) = (try opened(names), try opened(names, reads: false))
    try writer.bind(to: "a")
    #expect(heard.all.isEmpty)
    try one.bind(to: "a")
    try one.bind(to: "a")
    #expect(heard.take() == [true], "again is nothing new")
    try one.bind(to: "b")
    #expect(heard.take() == [false])
    try writer.install(starting(with: 1))
    #expect(heard.take() == [true], "a writer that becomes a reader")
    try one.bind(to: "a")
    writer.detach()
    #expect(heard.take() == [true, false])
    wire.driver.fail(.system(errno: EIO, call: "bind"))
    #expect(refusal { try writer.bind(to: "a") } == EIO)
    wire.driver.fail(nil)
    #expect(heard.take() == [], "a failing attach")
    wire.ifnet.depart()
    #expect(heard.take() == [false], "a departure")
    one.forgetDeparted()
    one.detach()
    #expect(heard.take() == [], "once")
    wire.interface.untrack(tracker)
  }

  @Test("C-215: a move between link types tells the trackers of both tap points; none hears after untrack")
  func trackersOfTwo() throws {
    let wire = Wire()
    let raw = try wire.ifnet.attach(linkType: 12, headerLength: 0)
    let (first, second) = (Heard(), Heard())
    let ids = [wire.interface.track { first.add($0) }, wire.interface.track { second.add($0) }]
    _ = raw.track { second.add($0) }
    let one = try opened(LifeNames(wire.ifnet))
    try one.bind(to: "test0")
    wire.interface.untrack(ids[1])
    try one.ask(.biocsdlt, 12)
    #expect(first.take() == [true, false] && second.take() == [true, true])
  }

  @Test("C-215: under threads every attach is heard before its detach, and as many of the one as of the other")
  func trackersOfMany() throws {
    let wire = Wire()
    let heard = Heard()
    _ = wire.interface.track { heard.add($0) }
    let threads = (0..<3).map { _ in
      Thread(name: "comer") {
        for _ in 0..<100 {
          guard let one = try? descriptor() else { return }
          try? one.attach(to: wire.interface)
        }
      }
    }
    for one in threads { one.join() }
    var attached = 0
    var least = 0
    for one in heard.all {
      attached += one ? 1 : -1
      least = min(least, attached)
    }
    #expect(heard.all.count == 600 && attached == 0 && least == 0)
  }

  @Test("C-216: the attach count of an interface is that of all its tap points, writers too")
  func attachCount() throws {
    let (wire, other) = (Wire(), Wire("other"))
    let raw = try wire.ifnet.attach(linkType: 12, headerLength: 0)
    #expect(wire.ifnet.peerCount == 0)
    let (one, two, three) = (try descriptor(), try descriptor(), try opened(LifeNames(wire.ifnet), reads: false))
    try one.attach(to: wire.interface)
    try two.attach(to: raw)
    try three.bind(to: "test0")
    #expect(wire.ifnet.peerCount == 3 && raw.peerCount == 1)
    try one.attach(to: other.interface)
    #expect(wire.ifnet.peerCount == 2 && other.ifnet.peerCount == 1)
    wire.ifnet.depart()
    #expect(wire.ifnet.peerCount == 0)
  }
}

/// What a tracker heard.
private final class Heard: Sendable {
  private let lock = Lock(rank: .leaf)
  nonisolated(unsafe) private var list: [Bool] = []

  func add(_ attached: Bool) { lock.withLock { list.append(attached) } }
  var all: [Bool] { lock.withLock { list } }
  /// What was heard since the last time.
  func take() -> [Bool] {
    lock.withLock {
      defer { list = [] }
      return list
    }
  }
}
