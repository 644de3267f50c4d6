// Tap points of several link types on one interface: lists, BIOCSDLT.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Link types", .timeLimit(.minutes(1)))
struct LinkTypeTests {
  /// An interface with tap points for Ethernet, 802.11 with radio and raw IP, attached in that order.
  private struct Radio {
    let wire = Wire("wlan0")
    let radiotap: BPF.Interface
    let raw: BPF.Interface
    let names: LifeNames

    init() throws {
      radiotap = try wire.ifnet.attach(linkType: 127, headerLength: 0)
      raw = try wire.ifnet.attach(linkType: 12, headerLength: 0)
      names = LifeNames(wire.ifnet)
    }

    func reader() throws -> BPF.Descriptor {
      let one = try opened(names)
      try one.bind(to: "wlan0")
      return one
    }

    func tap(_ frame: [UInt8], at point: BPF.Interface, _ way: BPF.Way = .received) {
      var reader = TapReader()
      guard reader.begin(point.pointOfDriver) else { return }
      frame.withUnsafeBytes {
        show($0, way, &reader)
        reader.end()
      }
    }
  }

  @Test("C-017: an interface has tap points of several link types; BIOCSETIF takes the default one")
  func defaultPoint() throws {
    let radio = try Radio()
    let one = try radio.reader()
    #expect(try one.ask(.biocgdlt) == 1)
    #expect(radio.wire.interface.peerCount == 1 && radio.radiotap.peerCount == 0 && radio.raw.peerCount == 0)
    try one.ask(.biocsdlt, 127)
    try one.bind(to: "wlan0")
    #expect(try one.ask(.biocgdlt) == 1, "the default one again")
  }

  @Test("C-018: the same link type twice is EEXIST, for any of them")
  func twice() throws {
    let radio = try Radio()
    for type in [1, 127, 12] as [Int32] {
      #expect(refusal { try radio.wire.ifnet.attach(linkType: type, headerLength: 0) } == EEXIST)
    }
    #expect(radio.wire.ifnet.linkTypes.count == 3)
  }

  @Test("C-019: a NULL list asks for the number only")
  func count() throws {
    let answer = try Radio().reader().linkTypeList(room: nil)
    #expect(answer.length == 3 && answer.list.allSatisfy { $0 == -1 })
  }

  @Test("C-020: a list that is too short is ENOMEM and gets nothing", arguments: 0..<3)
  func short(room: Int) throws {
    let one = try Radio().reader()
    // linkTypeList looks whether anything was written.
    #expect(refusal { _ = try one.linkTypeList(room: room) } == ENOMEM)
  }

  @Test("C-021: each link type is listed once, the newest first", arguments: [3, 8])
  func list(room: Int) throws {
    let answer = try Radio().reader().linkTypeList(room: room)
    #expect(answer.length == 3 && answer.list == [12, 127, 1, -1, -1, -1, -1, -1])
  }

  @Test("C-022: BIOCSDLT to the link type at hand flushes nothing and asks nothing of the driver")
  func same() throws {
    let radio = try Radio()
    let one = try radio.reader()
    radio.wire.tap(frame(1))
    let asked = radio.wire.driver.widened.count
    try one.ask(.biocsdlt, 1)
    #expect(one.statistics.captured == 1 && radio.wire.driver.widened.count == asked)
    #expect(one.frames == [frame(1)])
  }

  @Test("C-023: BIOCSDLT to a link type that is not offered is EINVAL and changes nothing")
  func notOffered() throws {
    let radio = try Radio()
    let one = try radio.reader()
    radio.wire.tap(frame(1))
    for type in [0, 2, 105, UInt32.max] { #expect(refusal { try one.ask(.biocsdlt, type) } == EINVAL) }
    #expect(try one.ask(.biocgdlt) == 1)
    #expect(one.statistics.captured == 1 && one.frames == [frame(1)])
  }

  @Test("C-024: BIOCSDLT to another moves, flushes, and keeps promiscuous mode, which the interface never leaves")
  func moves() throws {
    let radio = try Radio()
    let one = try radio.reader()
    try one.ask(.biocpromisc)
    radio.wire.tap(frame(1))
    try one.ask(.biocsdlt, 127)
    #expect(try one.ask(.biocgdlt) == 127)
    #expect(one.statistics == BPF.Statistics() && one.storedBytes == 0)
    #expect(radio.wire.interface.peerCount == 0 && radio.radiotap.peerCount == 1)
    #expect(radio.wire.driver.promiscuous == [true] && radio.wire.ifnet.promiscuousReferences == 1)
    radio.wire.tap(frame(2))
    radio.tap(frame(3), at: radio.radiotap)
    #expect(one.frames == [frame(3)])
    one.detach()
    #expect(radio.wire.driver.promiscuous == [true, false])
  }

  @Test("C-024: without promiscuous mode none is taken; there and back leaves nothing behind")
  func backAndForth() throws {
    let radio = try Radio()
    let one = try radio.reader()
    for type in [127, 12, 1, 127, 1] as [UInt32] { try one.ask(.biocsdlt, type) }
    #expect(radio.wire.driver.promiscuous.isEmpty)
    #expect(radio.wire.ifnet.peerCount == 1 && radio.wire.interface.peerCount == 1)
    one.detach()
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("C-024: the driver's refusal leaves the descriptor where it was, with what it had")
  func refused() throws {
    let radio = try Radio()
    let one = try radio.reader()
    try one.ask(.biocpromisc)
    radio.wire.tap(frame(1))
    radio.wire.driver.fail(.system(errno: EIO, call: "filter"))
    #expect(refusal { try one.ask(.biocsdlt, 127) } == EIO)
    #expect(try one.ask(.biocgdlt) == 1)
    #expect(radio.wire.ifnet.promiscuousReferences == 1 && radio.wire.ifnet.peerCount == 1)
    #expect(one.frames == [frame(1)] && one.statistics.captured == 1)
  }

  @Test("C-067: direction and program survive BIOCSDLT")
  func settings() throws {
    let radio = try Radio()
    let one = try radio.reader()
    try one.ask(.biocsdirection, 2)
    try one.install(starting(with: 1))
    try one.ask(.biocsdlt, 12)
    #expect(try one.ask(.biocgdirection) == 2)
    for first in [1, 2] as [UInt8] {
      radio.tap(frame(first), at: radio.raw)
      radio.tap(frame(first), at: radio.raw, .sent)
    }
    #expect(one.frames == [frame(1)] && one.statistics.hidden == 2 && one.statistics.refused == 1)
  }

  @Test("a descriptor of several interfaces moves on the newest and keeps the others")
  func several() throws {
    let (radio, other) = (try Radio(), Wire("other"))
    let one = try opened(radio.names)
    try one.attach(to: other.interface)
    try one.attachAlso(to: radio.wire.interface, cooked: false)
    try one.setPromiscuous()
    try one.setLinkType(127)
    #expect(other.ifnet.promiscuousReferences == 1 && radio.wire.ifnet.promiscuousReferences == 1)
    other.tap(frame(1))
    radio.wire.tap(frame(2))
    radio.tap(frame(3), at: radio.radiotap)
    #expect(one.frames == [frame(1), frame(3)])
    one.detach()
    #expect(other.ifnet.promiscuousReferences == 0 && radio.wire.ifnet.promiscuousReferences == 0)
  }
}
