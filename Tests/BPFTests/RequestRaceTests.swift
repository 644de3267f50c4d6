// Requests against requests, taps and departures, with real threads; run under ThreadSanitizer too.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Synchronization
import TestSupport
import Testing

@testable import SwBPFBPF

/// How long each race runs.
private let seconds = Requirement.short ? 0.2 : 0.5

@Suite("Races of requests", .serialized, .timeLimit(.minutes(2)))
struct RequestRaceTests {
  /// Runs `body` over and over on a thread until told to stop.
  private func again(_ stop: Flag, _ body: @escaping @Sendable (Int) -> Void) -> Thread {
    Thread(name: "again") {
      var round = 0
      while !stop.isSet {
        body(round)
        round += 1
      }
    }
  }

  /// Shows numbered frames, each way in turn, until told to stop.
  private func tapper(_ wire: Wire, _ stop: Flag, point: BPF.Interface? = nil) -> Thread {
    Thread(name: "tap") {
      var reader = TapReader()
      let bytes = frame(1)
      bytes.withUnsafeBytes { raw in
        while !stop.isSet {
          if reader.begin(point?.pointOfDriver ?? wire.point) {
            for index in 0..<16 { show(raw, index % 2 == 0 ? .received : .sent, &reader) }
            reader.end()
          }
        }
      }
    }
  }

  private func finish(_ threads: [Thread], _ stop: Flag, after time: Double = seconds) {
    pause(time)
    stop.set()
    for one in threads { one.join() }
  }

  @Test("C-037: a tap that is entered while the last peer leaves is complete or nothing")
  func lastPeer() throws {
    let wire = Wire()
    let (stop, bad) = (Flag(), Flag())
    let taps = (0..<2).map { _ in tapper(wire, stop) }
    let peers = again(stop) { _ in
      guard let one = try? descriptor(slotSize: 4096, slots: 2) else { return bad.set() }
      try? one.attach(to: wire.interface)
      one.detach()
      // Whole passes of 16 or none.
      if one.statistics.offered % 16 != 0 || !one.statistics.addsUp { bad.set() }
    }
    finish(taps + [peers], stop)
    #expect(!bad.isSet && !wire.interface.hasPeers)
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("C-039: frames in flight belong to the attachment that they were tapped for, never to the next")
  func inFlight() throws {
    let (wire, other) = (Wire("a"), Wire("b"))
    let (stop, bad) = (Flag(), Flag())
    // Every frame of the second interface begins with 2, every other with 1.
    let tap = tapper(wire, stop)
    let second = again(stop) { _ in other.tap(frame(2)) }
    let one = try descriptor(slotSize: 1 << 16, slots: 4)
    let mover = again(stop) { _ in
      do {
        try one.attach(to: wire.interface)
        try one.attach(to: other.interface)
      } catch { bad.set() }
      // From here on the frames are the second's only.
      usleep(50)
      if one.frames.contains(where: { $0[0] != 2 }) { bad.set() }
    }
    finish([tap, second, mover], stop)
    #expect(!bad.isSet)
  }

  @Test("C-040: every frame of a pass is judged by the same program while programs change")
  func programs() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 1 << 16, slots: 4)
    try one.attach(to: wire.interface)
    let (stop, bad) = (Flag(), Flag())
    let swapper = again(stop) { round in
      do { try one.setProgram(round % 2 == 0 ? keeping(20) : keeping(40), flushing: false) } catch { bad.set() }
    }
    let tap = tapper(wire, stop)
    let reader = again(stop) { _ in
      let lengths = one.drain().map(\.bytes.count)
      if lengths.contains(where: { $0 != 20 && $0 != 40 && $0 != 60 }) { bad.set() }
    }
    finish([swapper, tap, reader], stop)
    #expect(!bad.isSet && one.statistics.refused == 0)
  }

  @Test("C-041: no program is freed while a tap runs it")
  func freedPrograms() throws {
    let wire = Wire()
    let (stop, bad) = (Flag(), Flag())
    let one = try descriptor(slotSize: 4096, slots: 2)
    try one.attach(to: wire.interface)
    let swappers = (0..<2).map { number in
      again(stop) { round in
        // Programs of many lengths, so that their memory is used for others soon.
        let long = (0..<(1 + (round + number) % 60)).map { _ in Instruction(code: 0x00, k: 1) }
        guard let program = try? Program(long + [Instruction(code: 0x06, k: 60)]) else { return bad.set() }
        do { try one.setProgram(program, flushing: false) } catch { bad.set() }
      }
    }
    let taps = (0..<2).map { _ in tapper(wire, stop) }
    finish(swappers + taps, stop)
    #expect(!bad.isSet && one.statistics.refused == 0 && one.statistics.addsUp)
    try one.setProgram(nil)
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("C-042: BIOCSETF and BIOCSETIF from two threads come one after the other")
  func serialised() throws {
    let (a, b) = (Wire("a"), Wire("b"))
    let names = LifeNames(a.ifnet, b.ifnet)
    let one = try opened(names)
    try one.bind(to: "a")
    let (stop, bad) = (Flag(), Flag())
    let binder = again(stop) { round in
      do { try one.bind(to: round % 2 == 0 ? "b" : "a") } catch { bad.set() }
      if a.interface.peerCount + b.interface.peerCount > 2 { bad.set() }
    }
    let setter = again(stop) { round in
      do { try one.install(starting(with: UInt32(round % 7)), by: round % 3 == 0 ? .biocsetfnr : .biocsetf) } catch {
        bad.set()
      }
    }
    let taps = [tapper(a, stop), tapper(b, stop)]
    finish([binder, setter] + taps, stop)
    #expect(!bad.isSet && a.interface.peerCount + b.interface.peerCount == 1)
    // The last program is in force wherever the descriptor is.
    try one.install(starting(with: 9))
    let wire = try one.boundName() == "a" ? a : b
    wire.tap(frame(9))
    wire.tap(frame(8))
    #expect(one.frames == [frame(9)])
  }

  @Test("C-048: a detach during a write leaves it sent once or refused with ENXIO, never both")
  func detachDuringWrite() throws {
    let (entered, goOn) = (Flag(), Flag())
    let driver = LifeDriver {
      entered.set()
      while !goOn.isSet { usleep(100) }
    }
    let ifnet = BPF.Ifnet(name: "out", index: 3, driver: driver)
    let point = try ifnet.attach(linkType: 1, headerLength: 14)
    let one = try descriptor()
    try one.attach(to: point)
    let outcome = Outcome()
    let writer = Thread(name: "writer") { outcome.set(refusal { try one.write(frame(1)) }) }
    #expect(eventually { entered.isSet })
    one.detach()
    #expect(point.peerCount == 0, "the detach does not wait for the write")
    goOn.set()
    writer.join()
    #expect(outcome.value == 0 && driver.sent.count == 1)
    #expect(refusal { try one.write(frame(2)) } == ENXIO && driver.sent.count == 1)
  }

  @Test("C-048: writes that race with detaches are sent as often as they say")
  func writesAndDetaches() throws {
    let driver = LifeDriver()
    let ifnet = BPF.Ifnet(name: "out", index: 3, driver: driver)
    let point = try ifnet.attach(linkType: 1, headerLength: 14)
    let one = try descriptor()
    let (stop, bad) = (Flag(), Flag())
    var written = 0
    let mover = again(stop) { _ in
      do { try one.attach(to: point) } catch { bad.set() }
      usleep(20)
      one.detach()
    }
    let end = monotonicSeconds() + seconds
    while monotonicSeconds() < end {
      switch refusal({ try one.write(frame(1)) }) {
      case 0: written += 1
      case ENXIO: break
      default: bad.set()
      }
    }
    finish([mover], stop, after: 0)
    #expect(!bad.isSet && driver.sent.count == written)
    #expect(one.writeStatistics.sent == UInt64(driver.sent.count))
  }
}

/// An errno from another thread.
private final class Outcome: Sendable {
  private let stored = Atomic<CInt>(-1)
  var value: CInt { stored.load(ordering: .acquiring) }
  func set(_ value: CInt) { stored.store(value, ordering: .releasing) }
}
