// Interfaces that go away under requests, readers and each other, with real threads; run under ThreadSanitizer too.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Races with departures", .serialized, .timeLimit(.minutes(2)))
struct DepartureRaceTests {
  private let rounds = Requirement.short ? 50 : Requirement.sanitizer != nil ? 150 : 300

  /// Lets threads run at the same time, as nearly as can be.
  private func together(_ bodies: [@Sendable () -> Void]) {
    let start = Flag()
    let threads = bodies.map { body in
      Thread(name: "racer") {
        while !start.isSet {}
        body()
      }
    }
    start.set()
    for one in threads { one.join() }
  }

  @Test("C-035: a departure meets taps, attaches, writers that become readers, moves and closings")
  func everything() throws {
    let bad = Flag()
    for round in 0..<rounds {
      let wire = Wire()
      let raw = try wire.ifnet.attach(linkType: 12, headerLength: 0)
      let (mover, writer) = (try descriptor(), try opened(LifeNames(wire.ifnet), reads: false))
      try mover.attach(to: wire.interface)
      try mover.setPromiscuous()
      try writer.attach(to: wire.interface)
      let refusals: @Sendable (CInt) -> Void = { if $0 != 0 && $0 != ENXIO && $0 != EINVAL { bad.set() } }
      together([
        {
          usleep(useconds_t(round % 7 * 10))
          wire.ifnet.depart()
        },
        { for number in 0..<20 as Range<UInt8> { wire.tap(frame(number)) } },
        { refusals(refusal { try mover.setLinkType(12) }) },
        {
          refusals(refusal { try writer.setProgram(starting(with: 1)) })
          refusals(refusal { try writer.setDirection(.out) })
        },
        {
          guard let late = try? descriptor() else { return bad.set() }
          refusals(refusal { try late.attach(to: raw) })
          refusals(refusal { try late.setPromiscuous() })
        },
      ])
      #expect(wire.ifnet.isGone && wire.ifnet.peerCount == 0 && wire.ifnet.promiscuousReferences == 0)
      #expect(!wire.interface.hasPeers && !raw.hasPeers)
      #expect(!mover.isAttached && !writer.isAttached && mover.statistics.addsUp && writer.statistics.addsUp)
      // They live on elsewhere, with everything in order.
      let next = Wire("next")
      for one in [mover, writer] {
        try one.setDirection(.inOut)
        try one.attach(to: next.interface)
      }
      next.tap(frame(1))
      #expect(mover.frames == [frame(1)], "round \(round): \(mover.statistics)")
      #expect(writer.frames == [frame(1)], "round \(round): \(writer.statistics) \(writer.peer)")
      #expect(next.ifnet.promiscuousReferences == 0)
    }
    #expect(!bad.isSet)
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("C-035: two interfaces depart while a descriptor moves from the one to the other")
  func both() throws {
    for round in 0..<rounds {
      let (a, b) = (Wire("a"), Wire("b"))
      let one = try descriptor()
      try one.attach(to: a.interface)
      together([
        { _ = refusal { try one.attach(to: b.interface) } },
        {
          usleep(useconds_t(round % 5 * 5))
          a.ifnet.depart()
        },
        { b.ifnet.depart() },
      ])
      #expect(!one.isAttached && a.ifnet.peerCount == 0 && b.ifnet.peerCount == 0)
      #expect(throws: BPF.Failure.departed) { _ = try one.read(timeout: .zero) }
    }
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("C-036: closing, detaching and moving wake every sleeper", arguments: ["detach", "move", "depart"])
  func sleepers(how: String) throws {
    for _ in 0..<(rounds / 10) {
      let (wire, other) = (Wire("a"), Wire("b"))
      let slots = try descriptor()
      let device = try BPF.Descriptor(.device())
      for one in [slots, device] { try one.attach(to: wire.interface) }
      let left = Flag()
      let sleepers =
        (0..<2).map { _ in Thread(name: "slots") { _ = try? slots.read() } }
        + (0..<2).map { _ in
          Thread(name: "device") {
            var buffer = [UInt8](repeating: 0, count: device.bufferSize)
            _ = try? device.read(into: &buffer)
          }
        }
      usleep(500)
      switch how {
      case "detach": for one in [slots, device] { one.detach() }
      case "depart": wire.ifnet.depart()
      default:
        // A move wakes nobody for good: the sleepers go on with the next interface.
        for one in [slots, device] {
          try one.attach(to: other.interface)
          one.setImmediate(true)
        }
        for _ in 0..<4 {
          other.tap(frame(1))
          usleep(300)
        }
        for one in [slots, device] { one.detach() }
      }
      for one in sleepers { one.join() }
      left.set()
      #expect(left.isSet && wire.ifnet.peerCount == 0)
    }
  }
}
