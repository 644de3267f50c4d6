// BIOCSETIF and BIOCGETIF: which interface, what a failure leaves, what a move takes along.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Attaching", .timeLimit(.minutes(1)))
struct AttachmentTests {
  @Test("C-003: the buffer size is the default of when it was opened")
  func bufferSize() throws {
    let settings = BPF.Settings()
    try settings.set("net.bpf.bufsize", to: 8192)
    let one = try BPF.Descriptor(.device(settings: settings))
    try settings.set("net.bpf.bufsize", to: 4096)
    let two = try BPF.Descriptor(.device(settings: settings))
    #expect(try one.ask(.biocgblen) == 8192)
    #expect(try two.ask(.biocgblen) == 4096)
  }

  @Test(
    "C-004: requests about the interface are EINVAL without one, also after it departed",
    arguments: [LifeRequest.biocgetif, .biocgdlt, .biocsdlt, .biocgdltlist, .biocpromisc], [false, true])
  func unattached(request: LifeRequest, departed: Bool) throws {
    let wire = Wire()
    let one = try opened(LifeNames(wire.ifnet))
    if departed {
      try one.bind(to: "test0")
      #expect(refusal { try one.ask(request, request == .biocsdlt ? 1 : 0) } == 0)
      wire.ifnet.depart()
    }
    #expect(refusal { try one.ask(request, 1) } == EINVAL)
  }

  @Test("C-005: a name that there is not is ENXIO")
  func unknown() throws {
    let one = try opened(LifeNames(Wire("a").ifnet))
    #expect(refusal { try one.bind(to: "b") } == ENXIO)
    #expect(refusal { try one.bind(to: "") } == ENXIO)
    #expect(!one.isAttached)
    let alone = try BPF.Descriptor(.device())
    #expect(refusal { try alone.bind(to: "a") } == ENXIO, "where no names are known")
  }

  @Test("C-006: an interface without a tap point is ENXIO")
  func noTapPoint() throws {
    let bare = BPF.Ifnet(name: "bare", index: 9, driver: RecordingDriver())
    let one = try opened(LifeNames(bare))
    #expect(refusal { try one.bind(to: "bare") } == ENXIO)
    #expect(BPF.Failure.noTapPoint("x").errno == ENXIO)
  }

  @Test("C-007: a failing attach changes nothing", arguments: ["name", "driver", "departed", "program", "memory"])
  func failing(reason: String) throws {
    struct NoProgram: Error {}
    let (first, second) = (Wire("a"), Wire("b"))
    let names = LifeNames(first.ifnet, second.ifnet)
    let one = reason == "memory" ? try descriptor(slotSize: 1 << 60, slots: 4) : try opened(names)
    if reason == "memory" {
      #expect(refusal { try one.attach(to: first.interface) } == ENOMEM)
      #expect(!one.isAttached && !first.interface.hasPeers && first.interface.peerCount == 0)
      #expect(first.driver.narrowed > 0, "the driver, which was widened, may narrow")
      return
    }
    try one.bind(to: "a")
    try one.setProgram(starting(with: 1))
    try one.setPromiscuous()
    first.tap(frame(1))
    let before = one.statistics
    switch reason {
    case "driver": second.driver.fail(.system(errno: EPERM, call: "bind"))
    case "departed": second.ifnet.depart()
    case "program":
      // As an expression that cannot be compiled for the other link type.
      let other = try second.ifnet.attach(linkType: 127, headerLength: 0)
      try one.setProgram(from: { if $0 == 127 { throw NoProgram() } else { starting(with: 1) } }, flushing: false)
      #expect(throws: NoProgram.self) { try one.attach(to: other) }
    default: break
    }
    if reason != "program" { #expect(refusal { try one.bind(to: reason == "name" ? "c" : "b") } != 0) }
    #expect(try one.boundName() == "a")
    #expect(one.statistics == before && second.ifnet.peerCount == 0)
    #expect(first.ifnet.promiscuousReferences == 1 && first.interface.peerCount == 1)
    first.tap(frame(2))
    first.tap(frame(1))
    #expect(one.frames == [frame(1), frame(1)] && one.statistics.refused == 1)
  }

  @Test("C-007: a failing attach of an unattached descriptor leaves it readable for poll, with ENXIO behind it")
  func failingReadiness() throws {
    let wire = Wire()
    wire.driver.fail(.system(errno: EPERM, call: "bind"))
    let one = try descriptor()
    let event = try one.pollDescriptor()
    #expect(Event.wait(for: event, timeout: 0) == .set)
    #expect(refusal { try one.attach(to: wire.interface) } == EPERM)
    #expect(Event.wait(for: event, timeout: 0) == .set)
    wire.driver.fail(nil)
    try one.attach(to: wire.interface)
    #expect(Event.wait(for: event, timeout: 0) == .timedOut)
  }

  @Test("C-008: BIOCSETIF of the interface at hand flushes and asks nothing of the driver")
  func again() throws {
    let wire = Wire()
    let one = try opened(LifeNames(wire.ifnet))
    try one.bind(to: "test0")
    try one.setPromiscuous()
    wire.tap(frame(1))
    let asked = wire.driver.widened.count
    try one.bind(to: "test0")
    #expect(one.statistics == BPF.Statistics() && one.storedBytes == 0 && wire.interface.peerCount == 1)
    #expect(wire.driver.widened.count == asked && wire.driver.promiscuous == [true])
  }

  @Test("C-009: moving to another interface leaves the first one's peer list")
  func leavesList() throws {
    let (first, second) = (Wire("a"), Wire("b"))
    let one = try opened(LifeNames(first.ifnet, second.ifnet))
    try one.bind(to: "a")
    try one.bind(to: "b")
    #expect(first.interface.peerCount == 0 && !first.interface.hasPeers && second.interface.peerCount == 1)
    first.tap(frame(1))
    second.tap(frame(2))
    #expect(one.frames == [frame(2)] && one.statistics.offered == 1)
  }

  @Test("C-010: moving gives up the promiscuous reference and takes none")
  func promiscuous() throws {
    let (first, second) = (Wire("a"), Wire("b"))
    let one = try opened(LifeNames(first.ifnet, second.ifnet))
    try one.bind(to: "a")
    try one.ask(.biocpromisc)
    #expect(first.ifnet.promiscuousReferences == 1)
    try one.bind(to: "b")
    #expect(first.ifnet.promiscuousReferences == 0 && first.driver.promiscuous == [true, false])
    #expect(second.ifnet.promiscuousReferences == 0 && second.driver.promiscuous.isEmpty)
    try one.ask(.biocpromisc)
    #expect(second.driver.promiscuous == [true])
  }

  @Test(
    "C-011, C-012: names are compared exactly and read back as they are",
    arguments: ["lo", "a", "eth0.100:1234567"])
  func names(name: String) throws {
    let name = String(name.prefix(15))
    let names = LifeNames(Wire(name).ifnet, Wire("lo0").ifnet, Wire("lo0000000000000").ifnet)
    let one = try opened(names)
    try one.bind(to: name)
    #expect(try one.boundName() == name)
    for wrong in ["\(name)0", " \(name)", name.uppercased(), String(name.dropLast())] where wrong != "lo0" {
      if wrong == name { continue }
      #expect(refusal { try one.bind(to: wrong) } == ENXIO, "\(wrong)")
    }
    #expect(try one.boundName() == name)
  }

  @Test("C-013: programs set before an interface is chosen are in force on it, and on the next")
  func programsStay() throws {
    let drivers = [LifeDriver(), LifeDriver()]
    let ifnets = drivers.enumerated().map { BPF.Ifnet(name: "if\($0)", index: UInt32($0 + 1), driver: $1) }
    let points = try ifnets.map { try $0.attach(linkType: 1, headerLength: 14) }
    let one = try opened(LifeNames(ifnets[0], ifnets[1]))
    try one.install(starting(with: 1))
    try one.install(starting(with: 3), by: .biocsetwf)
    for index in 0..<2 {
      try one.bind(to: "if\(index)")
      var reader = TapReader()
      let isOpen = reader.begin(points[index].pointOfDriver)
      #expect(isOpen)
      let (wanted, refused) = (frame(1), frame(2))
      wanted.withUnsafeBytes { a in
        refused.withUnsafeBytes { b in
          show(b, .received, &reader)
          show(a, .received, &reader)
          reader.end()
        }
      }
      #expect(one.frames == [frame(1)] && one.statistics.refused == 1)
      try one.write(frame(3))
      #expect(refusal { try one.write(frame(4)) } == EPERM)
      #expect(drivers[index].sent.count == 1)
    }
  }

  @Test(
    "C-016: an attach looks one name up and touches one interface, whatever others there are",
    arguments: [1, 1000])
  func cost(others: Int) throws {
    let wire = Wire("here")
    let names = LifeNames(wire.ifnet)
    let rest = (0..<others).map { Wire("other\($0)") }
    for one in rest { names.add(one.ifnet) }
    let one = try opened(names)
    try one.bind(to: "here")
    #expect(names.lookUps == 1)
    #expect(wire.driver.widened.count == 1)
    #expect(rest.allSatisfy { $0.driver.widened.isEmpty && $0.driver.narrowed == 0 && !$0.interface.hasPeers })
  }
}
