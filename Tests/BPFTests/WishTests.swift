// What descriptors whose programs go to the kernel have their driver let through.
import SwBPFFilterMachine
import SwBPFKern
import Synchronization
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Wishes of pushed programs", .timeLimit(.minutes(1)))
struct WishTests {
  private let wire = Wire()

  private func pushed(reads: Bool = true) throws -> BPF.Descriptor {
    var configuration = BPF.Descriptor.Configuration(slotSize: 4096, slots: 4)
    configuration.pushesDown = true
    configuration.reads = reads
    configuration.clock = { 0 }
    return try BPF.Descriptor(configuration)
  }

  private var wishes: [Union.Wish]? { wire.ifnet.withDemand(\.wishes) }

  @Test("a new program is asked for beside the one that still runs, and alone once it runs")
  func besides() throws {
    let one = try pushed()
    try one.setProgram(starting(with: 1))
    try one.attach(to: wire.interface)
    #expect(wire.driver.widened.last?.wishes?.count == 1 && wishes?.count == 1)
    try one.setProgram(starting(with: 2), flushing: false)
    #expect(wire.driver.widened.last?.wishes?.count == 2 && wire.driver.widened.last?.isSeamless == true)
    #expect(wishes?.count == 1 && wishes?.last?.part?.program.instructions == starting(with: 2).instructions)
    try one.setProgram(starting(with: 3))
    #expect(wire.driver.widened.last?.isSeamless == false)
    #expect(wire.driver.narrowed == 2)
    one.detach()
    #expect(wishes?.isEmpty == true)
  }

  @Test("what a driver refuses is not wanted any more, neither program nor direction")
  func refused() throws {
    let one = try pushed()
    try one.setProgram(starting(with: 1))
    try one.setDirection(.in)
    try one.attach(to: wire.interface)
    let before = try #require(wishes)
    wire.driver.fail(.system(errno: 12, call: "test"))
    #expect(throws: BPF.Failure.system(errno: 12, call: "test")) { try one.setProgram(nil) }
    #expect(throws: BPF.Failure.system(errno: 12, call: "test")) { try one.setDirection(.inOut) }
    #expect(wishes == before && one.direction == .in)
    wire.tap(frame(1))
    wire.tap(frame(2))
    wire.tap(frame(1), .sent)
    #expect(one.statistics.captured == 1)
  }

  @Test("C-070 both ways may be hidden: then nothing is wanted, until one is shown again")
  func neither() throws {
    let one = try pushed()
    try one.attach(to: wire.interface)
    try one.setDirectionFilter(3)
    #expect(wire.ifnet.withDemand { !$0.sent && !$0.received && $0.peers == 1 })
    #expect(wishes?.count == 1)
    try one.setDirectionFilter(1)
    #expect(wire.ifnet.withDemand { $0.sent && !$0.received })
    #expect(wire.driver.widened.last?.sent == true)
  }

  @Test("C-053 one that only wrote is asked for with its program, before it reads")
  func upgrade() throws {
    let one = try pushed(reads: false)
    try one.attach(to: wire.interface)
    try one.setDirection(.out)
    #expect(wire.driver.widened.isEmpty && wishes?.isEmpty == true)
    try one.setProgram(starting(with: 1))
    #expect(wire.driver.widened.first?.peers == 1 && wire.driver.widened.first?.sent == true)
    #expect(wishes == wire.driver.widened.last?.wishes && wishes?.count == 1)
    #expect(wishes?.first?.received == false)
  }

  @Test("beside a descriptor whose program stays here, every frame is wanted")
  func beside() throws {
    let (one, other) = (try pushed(), try descriptor())
    try one.setProgram(starting(with: 1))
    try one.attach(to: wire.interface)
    try other.attach(to: wire.interface)
    #expect(wishes == nil && wire.driver.widened.last?.wishes == nil)
    other.detach()
    #expect(wishes?.count == 1)
  }

  @Test("a driver that lets it through already is not asked; it narrows nothing until it is published")
  func held() throws {
    let driver = OpenDriver()
    let ifnet = BPF.Ifnet(name: "open", index: 9, driver: driver)
    let interface = try ifnet.attach(linkType: 1, headerLength: 14)
    let one = try pushed()
    try one.attach(to: interface)
    #expect(driver.calls.withLock { $0 } == ["widen"])
    try one.setProgram(starting(with: 1))
    try one.setDirection(.in)
    try one.setDirection(.in)
    let change = ["hold", "release", "narrow"]
    #expect(driver.calls.withLock { $0 } == ["widen"] + change + change)
    #expect(ifnet.withDemand { $0.wishes?.count == 1 && !$0.sent })
  }
}

/// Lets everything through, and remembers what it is asked.
private final class OpenDriver: BPF.Driver, Sendable {
  let calls = Mutex<[String]>([])
  var retireTime: Int64 { 0 }
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {
    calls.withLock { $0.append("widen") }
  }
  func holdOpen(sent: Bool, wishes: [Union.Wish]?) -> Bool {
    calls.withLock { $0.append("hold") }
    return true
  }
  func release() { calls.withLock { $0.append("release") } }
  func mayNarrow(_ interface: BPF.Ifnet) { calls.withLock { $0.append("narrow") } }
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}
}
