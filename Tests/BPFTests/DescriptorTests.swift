// Descriptor: opening, attaching, moving, departures, programs, promiscuous mode.
import Glibc
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Descriptor", .timeLimit(.minutes(1)))
struct DescriptorTests {
  @Test("C-001: a new descriptor is unattached, sees both ways, counts nothing, holds nothing")
  func new() throws {
    let one = try descriptor()
    #expect(!one.isAttached && one.interfaces.isEmpty)
    #expect(one.direction == .inOut && one.seesSent && !one.isImmediate)
    #expect(one.statistics == BPF.Statistics() && one.storedBytes == 0)
    #expect(throws: BPF.Failure.notAttached) { _ = try one.read(timeout: .zero) }
    #expect(BPF.Failure.notAttached.errno == ENXIO)
  }

  @Test("sizes that cannot be are EINVAL", arguments: [(63, 2), (64, 1), (0, 0)])
  func sizes(size: Int, slots: Int) {
    #expect { _ = try descriptor(slotSize: size, slots: slots) } throws: { ($0 as? BPF.Failure)?.errno == EINVAL }
  }

  @Test("C-002: two descriptors have programs, counters, directions and buffers of their own")
  func independent() throws {
    let wire = Wire()
    let (one, two) = (try descriptor(), try descriptor())
    try one.attach(to: wire.interface)
    try two.attach(to: wire.interface)
    try one.setProgram(starting(with: 1))
    try two.setDirection(.out)
    wire.tap(frame(1))
    wire.tap(frame(2), .sent)
    #expect(one.frames == [frame(1)])
    #expect(two.frames == [frame(2)])
    #expect(one.statistics.refused == 1 && two.statistics.hidden == 1)
  }

  @Test("C-007: a failing attach leaves attachment, data and counters as they were")
  func failingAttach() throws {
    let (first, second) = (Wire("a"), Wire("b"))
    let one = try descriptor()
    try one.attach(to: first.interface)
    first.tap(frame(1))
    second.driver.fail(.system(errno: EPERM, call: "bind"))
    #expect(throws: BPF.Failure.system(errno: EPERM, call: "bind")) { try one.attach(to: second.interface) }
    second.driver.fail(nil)
    second.ifnet.depart()
    #expect(throws: BPF.Failure.departed) { try one.attach(to: second.interface) }
    #expect(second.driver.widened.isEmpty, "the driver of a departed interface is not opened")
    first.tap(frame(2))
    #expect(one.statistics.captured == 2 && second.interface.peerCount == 0)
    #expect(one.frames == [frame(1), frame(2)])
  }

  @Test("C-008, C-084: attaching to the same interface flushes buffers and counters")
  func again() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    wire.tap(frame(1))
    try one.attach(to: wire.interface)
    #expect(wire.interface.peerCount == 1 && one.statistics == BPF.Statistics() && one.storedBytes == 0)
    wire.tap(frame(2))
    #expect(one.frames == [frame(2)])
  }

  @Test("C-009, C-010: moving leaves the first interface and its promiscuous reference")
  func moving() throws {
    let (first, second) = (Wire("a"), Wire("b"))
    let one = try descriptor()
    try one.attach(to: first.interface)
    try one.setPromiscuous()
    try one.attach(to: second.interface)
    #expect(first.interface.peerCount == 0 && !first.interface.hasPeers)
    #expect(first.driver.promiscuous == [true, false] && second.driver.promiscuous.isEmpty)
    first.tap(frame(1))
    second.tap(frame(2))
    #expect(one.frames == [frame(2)])
  }

  @Test("C-014, C-015: the tap point stays; it has peers from the first attach to the last detach")
  func permanent() throws {
    let wire = Wire()
    let (one, two) = (try descriptor(), try descriptor())
    for _ in 0..<3 {
      #expect(!wire.interface.hasPeers)
      try one.attach(to: wire.interface)
      #expect(wire.interface.hasPeers)
      try two.attach(to: wire.interface)
      one.detach()
      #expect(wire.interface.hasPeers)
      two.detach()
    }
    #expect(!wire.interface.hasPeers && wire.ifnet.defaultInterface === wire.interface)
  }

  @Test("C-018: a second tap point of one link type is EEXIST")
  func twoPoints() throws {
    let wire = Wire()
    #expect(throws: BPF.Failure.system(errno: EEXIST, call: "bpfattach")) {
      try wire.ifnet.attach(linkType: 1, headerLength: 14)
    }
    try wire.ifnet.attach(linkType: 127, headerLength: 0)
    #expect(wire.ifnet.defaultInterface === wire.interface)
  }

  @Test("C-025, C-085: closing leaves the list and gives up promiscuous mode; the next one starts from zero")
  func closing() throws {
    let wire = Wire()
    do {
      let one = try descriptor()
      try one.attach(to: wire.interface)
      try one.setPromiscuous()
      wire.tap(frame(1))
    }
    #expect(wire.interface.peerCount == 0 && wire.driver.promiscuous == [true, false])
    #expect(wire.driver.narrowed > 0)
    let two = try descriptor()
    try two.attach(to: wire.interface)
    #expect(two.statistics == BPF.Statistics())
  }

  @Test("C-027, C-031: a departure detaches every peer of every tap point of that interface and of no other")
  func departure() throws {
    let (gone, other) = (Wire("a"), Wire("b"))
    let second = try gone.ifnet.attach(linkType: 127, headerLength: 0)
    let (one, two, three) = (try descriptor(), try descriptor(), try descriptor())
    try one.attach(to: gone.interface)
    try two.attach(to: second)
    try three.attach(to: other.interface)
    gone.ifnet.depart()
    #expect(!one.isAttached && !two.isAttached && three.isAttached)
    #expect(!gone.interface.hasPeers && !second.hasPeers)
    gone.tap(frame(1))
    #expect(one.statistics == BPF.Statistics())
    #expect(throws: BPF.Failure.departed) { _ = try one.read() }
    #expect(BPF.Failure.departed.errno == ENXIO)
  }

  @Test("requests on a descriptor whose interface departed touch nothing that was freed")
  func requestsAfterDeparture() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    try one.setProgram(whole)
    wire.ifnet.depart()
    #expect(eventually { Epoch.shared.pendingCount == 0 })
    try one.setProgram(starting(with: 1))
    try one.setDirection(.in)
    one.flush()
    try one.setProgram(nil)
    one.forgetDeparted()
    #expect(one.interfaces.isEmpty)
  }

  @Test("C-028: a sleeping reader is woken by a departure and gets ENXIO")
  func sleeperAndDeparture() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    let departed = Flag()
    let reader = Thread(name: "reader") {
      do { _ = try one.read() } catch { if error as? BPF.Failure == .departed { departed.set() } }
    }
    pause(0.02)
    wire.ifnet.depart()
    reader.join()
    #expect(departed.isSet)
  }

  @Test("C-029, C-030: what was stored is delivered after the departure, full slots first, then ENXIO")
  func dataAfterDeparture() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 3)
    try one.attach(to: wire.interface)
    wire.tap(frame(1, 100))
    wire.tap(frame(2, 100))
    wire.ifnet.depart()
    let first = try #require(try one.read())
    let second = try #require(try one.read())
    #expect((first + second).map(\.bytes) == [frame(1, 100), frame(2, 100)])
    #expect(throws: BPF.Failure.departed) { _ = try one.read() }
  }

  @Test("what is stored behind slots on loan is not lost by a departure")
  func loanedAtDeparture() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 2)
    try one.attach(to: wire.interface)
    wire.tap(frame(1, 100))
    wire.tap(frame(2, 100))
    do {
      guard let loan = try one.nextSlot() else { throw BPF.Failure.notAttached }
      wire.ifnet.depart()
      #expect(try one.read(timeout: .zero) == nil)
      #expect(loan.count == 1)
    }
    #expect(one.frames == [frame(2, 100)])
    #expect(throws: BPF.Failure.departed) { _ = try one.read() }
  }

  @Test("C-034: after a departure another interface may be attached, and promiscuous mode is really taken")
  func afterDeparture() throws {
    let (gone, other) = (Wire("a"), Wire("b"))
    let one = try descriptor()
    try one.attach(to: gone.interface)
    try one.setPromiscuous()
    gone.ifnet.depart()
    try one.attach(to: other.interface)
    try one.setPromiscuous()
    #expect(other.driver.promiscuous == [true])
    other.tap(frame(1))
    #expect(one.frames == [frame(1)])
  }

  @Test("C-147: one reference per descriptor; the last one switches promiscuous mode off")
  func promiscuous() throws {
    let wire = Wire()
    let (one, two) = (try descriptor(), try descriptor())
    #expect { try one.setPromiscuous() } throws: { ($0 as? BPF.Failure)?.errno == EINVAL }
    try one.attach(to: wire.interface)
    try two.attach(to: wire.interface)
    try one.setPromiscuous()
    try one.setPromiscuous()
    #expect(wire.ifnet.promiscuousReferences == 1)
    try two.setPromiscuous()
    #expect(wire.ifnet.promiscuousReferences == 2)
    one.detach()
    #expect(wire.driver.promiscuous == [true])
    two.detach()
    #expect(wire.driver.promiscuous == [true, false])
  }

  @Test("the driver is asked before the first frame can come, and told when less is wanted")
  func demand() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.setDirection(.in)
    try one.attach(to: wire.interface)
    var expected = BPF.Demand()
    (expected.peers, expected.received, expected.wishes) = (1, true, nil)
    #expect(wire.driver.widened == [expected])
    wire.driver.fail(.system(errno: EIO, call: "filter"))
    #expect(throws: BPF.Failure.self) { try one.setDirection(.inOut) }
    #expect(one.direction == .in)
    wire.driver.fail(nil)
    try one.setDirection(.inOut)
    #expect(wire.driver.widened.last?.sent == true)
  }

  @Test("a descriptor of several tap points gets the frames of all, and keeps the others when one goes")
  func several() throws {
    let (first, second) = (Wire("a"), Wire("b"))
    let one = try descriptor()
    try one.attachAlso(to: first.interface, cooked: false)
    first.tap(frame(1))
    try one.attachAlso(to: second.interface, cooked: false)
    second.tap(frame(2))
    first.ifnet.depart()
    #expect(one.isAttached)
    one.forgetDeparted()
    second.tap(frame(3))
    #expect(one.interfaces.count == 1 && one.frames == [frame(1), frame(2), frame(3)])
  }
}
