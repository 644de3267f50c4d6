// Descriptors that only write: no tap sees them until a program makes readers of them.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Writers", .timeLimit(.minutes(1)))
struct WriterTests {
  private let wire = Wire()
  /// What pcap_open_live() sets a snapshot length with.
  private let snapshot = keeping(96)

  private func optimizing() throws -> BPF.Settings {
    let settings = BPF.Settings()
    try settings.set("net.bpf.optimize_writers", to: 1)
    return settings
  }

  private func writer() throws -> BPF.Descriptor {
    let one = try opened(LifeNames(wire.ifnet), reads: false)
    try one.bind(to: "test0")
    return one
  }

  @Test("C-049: opened to write it is in no list of readers and counts no frame, but what it writes")
  func onlyWrites() throws {
    let driver = LifeDriver()
    let ifnet = BPF.Ifnet(name: "out", index: 3, driver: driver)
    let point = try ifnet.attach(linkType: 1, headerLength: 14)
    let one = try opened(LifeNames(ifnet), reads: false)
    try one.bind(to: "out")
    #expect(one.isAttached && point.peerCount == 1 && !point.hasPeers)
    var reader = TapReader()
    let isOpen = reader.begin(point.pointOfDriver)
    #expect(!isOpen)
    try one.write(frame(1))
    #expect(driver.sent.count == 1 && one.writeStatistics.sent == 1)
    #expect(one.statistics == BPF.Statistics() && one.storedBytes == 0)
    one.detach()
    #expect(point.peerCount == 0)
  }

  @Test("C-049: the driver is not opened for a writer, nor for its direction")
  func opensNothing() throws {
    let one = try writer()
    try one.ask(.biocsdirection, 2)
    #expect(wire.driver.widened.isEmpty && !wire.interface.hasPeers)
    #expect(try one.ask(.biocgdirection) == 2)
    try one.install(starting(with: 1))
    #expect(wire.driver.widened.last?.sent == true && wire.driver.widened.last?.received == false)
  }

  @Test("C-050: opened to read and write it reads at once")
  func readsAtOnce() throws {
    let one = try opened(LifeNames(wire.ifnet))
    try one.bind(to: "test0")
    wire.tap(frame(1))
    #expect(wire.interface.hasPeers && one.frames == [frame(1)])
  }

  @Test("C-051: with net.bpf.optimize_writers it only writes until it has a program")
  func optimized() throws {
    let one = try opened(LifeNames(wire.ifnet), settings: optimizing())
    try one.bind(to: "test0")
    wire.tap(frame(1))
    #expect(!wire.interface.hasPeers && one.statistics.offered == 0)
    try one.install(starting(with: 2))
    wire.tap(frame(2))
    #expect(wire.interface.hasPeers && one.frames == [frame(2)])
  }

  @Test("C-051: the setting binds the next attachment, both ways")
  func toggled() throws {
    let settings = BPF.Settings()
    let one = try opened(LifeNames(wire.ifnet), settings: settings)
    try settings.set("net.bpf.optimize_writers", to: 1)
    try one.bind(to: "test0")
    #expect(!wire.interface.hasPeers)
    one.detach()
    try settings.set("net.bpf.optimize_writers", to: 0)
    try one.bind(to: "test0")
    #expect(wire.interface.hasPeers)
  }

  @Test("C-052: the first program that is a mere snapshot length makes no reader, the second does")
  func snapshotLengths() throws {
    let one = try writer()
    try one.install(snapshot)
    #expect(!wire.interface.hasPeers)
    try one.install(nothing)
    #expect(wire.interface.hasPeers, "whatever it keeps")
  }

  @Test("C-052: where it is attached anew and still only writes, the counting begins again")
  func countsAnew() throws {
    let other = Wire("other")
    let one = try writer()
    try one.install(snapshot)
    try one.attach(to: other.interface)
    try one.install(snapshot)
    #expect(!other.interface.hasPeers)
    wire.ifnet.depart()
    #expect(refusal { try one.attach(to: wire.interface) } == ENXIO)
    try one.install(snapshot)
    #expect(other.interface.hasPeers, "a failing attach has not begun it again")
  }

  @Test("C-053: any other program makes a reader at once, and any that does not flush", arguments: [true, false])
  func upgrades(flushing: Bool) throws {
    let one = try writer()
    try flushing ? one.install(starting(with: 1)) : one.install(snapshot, by: .biocsetfnr)
    #expect(wire.interface.hasPeers && wire.interface.peerCount == 1)
    wire.tap(frame(1))
    #expect(one.statistics.captured == 1)
  }

  @Test("C-054: no program and write programs make no reader")
  func others() throws {
    let one = try writer()
    for _ in 0..<3 {
      try one.install(nil)
      try one.install(nil, by: .biocsetfnr)
      try one.install(starting(with: 1), by: .biocsetwf)
      try one.install(snapshot, by: .biocsetwf)
    }
    #expect(!wire.interface.hasPeers && wire.driver.widened.isEmpty)
    try one.install(snapshot)
    #expect(!wire.interface.hasPeers, "none of them counted as the first")
  }

  @Test("C-055: from the upgrade on every frame is seen, wherever it moves; the list shows writers before readers")
  func reader() throws {
    let other = Wire("other")
    let raw = try wire.ifnet.attach(linkType: 12, headerLength: 0)
    let one = try opened(LifeNames(wire.ifnet), settings: optimizing())
    try one.bind(to: "test0")
    try one.install(starting(with: 1))
    wire.tap(frame(1))
    #expect(one.frames == [frame(1)])
    try one.ask(.biocsdlt, 12)
    #expect(raw.hasPeers, "at another tap point")
    try one.attach(to: other.interface)
    #expect(other.interface.hasPeers, "at another interface")
    let two = try writer()
    let mine = BPF.Descriptor.listed([one, two])
    #expect(mine.map(\.isWriter) == [true, false] && mine.map(\.interfaces) == [["test0"], ["other"]])
    two.detach()
  }

  @Test("C-055: a driver that cannot serve one more reader refuses the program, and nothing has changed")
  func refused() throws {
    let one = try writer()
    try one.install(snapshot)
    wire.driver.fail(.system(errno: ENOMEM, call: "ring"))
    #expect(refusal { try one.install(starting(with: 1)) } == ENOMEM)
    #expect(!wire.interface.hasPeers && one.isAttached)
    #expect(refusal { try one.install(snapshot) } == ENOMEM)
    wire.driver.fail(nil)
    try one.install(snapshot)
    #expect(wire.interface.hasPeers)
    wire.tap(frame(9))
    #expect(one.frames == [frame(9)], "the program that was refused is not there")
  }

  @Test("an interface that departs takes its writers, too; a program after that makes no reader of nothing")
  func departed() throws {
    let one = try writer()
    wire.ifnet.depart()
    #expect(!one.isAttached && wire.interface.peerCount == 0)
    try one.install(starting(with: 1))
    #expect(!wire.interface.hasPeers && wire.driver.widened.isEmpty)
    let other = Wire("other")
    try one.attach(to: other.interface)
    #expect(other.interface.hasPeers, "it has become a reader all the same")
  }

  @Test("a program of an expression makes a reader, and lets it attach as one")
  func expressions() throws {
    let one = try writer()
    try one.setProgram(from: { _ in keeping(64) })
    #expect(wire.interface.hasPeers)
    let two = try opened(LifeNames(wire.ifnet), settings: optimizing())
    try two.setProgram(from: { _ in whole })
    try two.bind(to: "test0")
    wire.tap(frame(1))
    #expect(two.frames == [frame(1)])
  }
}

extension BPF.Descriptor {
  /// The rows of these descriptors in the list of all, in its order.
  static func listed(_ descriptors: [BPF.Descriptor]) -> [BPF.Peer] {
    // Other tests' descriptors are closed or come and go; ours are told apart by their interfaces.
    let names = Set(descriptors.flatMap { $0.peer.interfaces })
    return BPF.peers.filter { !names.isDisjoint(with: $0.interfaces) }
  }
}
