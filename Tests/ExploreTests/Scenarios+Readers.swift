import Glibc
import SwBPFKern

@testable import SwBPFBPF

// Scenarios with somebody who waits: one that nobody wakes is found as a thread that can never go on.
extension Scenarios {
  /// Reads until the end of the attachment.
  private static func readAll(_ descriptor: BPF.Descriptor, into frames: inout [UInt8]) {
    while true {
      guard let slot = try? descriptor.nextSlot() else { return }
      frames += BPF.Descriptor.numbers(slot)
    }
  }

  private static func reading(
    _ name: String, threads: @escaping @Sendable (World, BPF.Descriptor, Tapper) -> [(name: String, body: () -> Void)]
  ) -> Scenario {
    Scenario(name: name) { explorer in
      let world = try World(explorer)
      let one = try world.open()
      one.setImmediate(true)
      let tapper = world.tapper()
      var frames: [UInt8] = []
      return world.run([("read", { readAll(one, into: &frames) })] + threads(world, one, tapper)) {
        let statistics = one.statistics
        if frames.count != Int(statistics.captured) { return "read \(frames), captured \(statistics.captured)" }
        return statistics.problem ?? (frames == Array([1, 2].prefix(frames.count)) ? nil : "read \(frames)")
      }
    }
  }

  /// The frame comes and the reader leaves with it: a wake-up that is missed leaves it waiting for ever.
  static let readAndTap = Scenario(name: "read | tap") { explorer in
    let world = try World(explorer)
    let one = try world.open()
    one.setImmediate(true)
    let tapper = world.tapper()
    var frames: [UInt8] = []
    return world.run([
      ("read", { if let slot = try? one.nextSlot() { frames = BPF.Descriptor.numbers(slot) } }),
      ("tap", { tapper.tap(1) }),
    ]) { frames == [1] ? one.statistics.problem : "read \(frames)" }
  }

  static let readTapAndDetach = reading("read | tap | detach") { world, one, tapper in
    [("tap", { tapper.tap(1) }), ("detach", { one.detach() })]
  }

  static let readTapAndDepart = reading("read | tap | depart") { world, one, tapper in
    [("tap", { tapper.tap(1) }), ("depart", { world.ifnet.depart() })]
  }

  /// Two readers, two frames: each frame goes to exactly one of them.
  static let twoReadersAndTap = Scenario(name: "read | read | tap, tap") { explorer in
    let world = try World(explorer)
    let one = try world.open()
    one.setImmediate(true)
    let tapper = world.tapper()
    var frames: [UInt8] = []
    let read = { if let slot = try? one.nextSlot() { frames += BPF.Descriptor.numbers(slot) } }
    return world.run([
      ("read", read),
      ("read", read),
      (
        "tap",
        {
          tapper.tap(1)
          tapper.tap(2)
          // A reader that found both in one slot leaves the other nothing.
          one.detach()
        }
      ),
    ]) { frames.sorted() == [1, 2] ? one.statistics.problem : "read \(frames)" }
  }

  /// A read of a device sleeps on an eventfd.
  static let deviceReadTapAndDetach = Scenario(name: "read(2) | tap | detach") { explorer in
    let world = try World(explorer)
    let one = try world.open(format: .device(.freebsd))
    one.setImmediate(true)
    let tapper = world.tapper()
    var bytes = 0
    return world.run([
      (
        "read",
        {
          var buffer = [UInt8](repeating: 0, count: 128)
          while let count = try? one.read(into: &buffer) { bytes += count }
        }
      ),
      ("tap", { tapper.tap(1) }),
      ("detach", { one.detach() }),
    ]) {
      let statistics = one.statistics
      return statistics.problem ?? ((bytes > 0) == (statistics.captured > 0) ? nil : "read \(bytes) bytes")
    }
  }

  /// A reader that waits for its own event, clears it, and then takes all there is.
  static let followTapAndDetach = Scenario(name: "follow an event | tap, tap | detach") { explorer in
    let world = try World(explorer)
    let one = try world.open()
    let event = Event.open()
    one.follow(event: event)
    let tapper = world.tapper()
    var frames: [UInt8] = []
    return world.run([
      (
        "follow",
        {
          while true {
            _ = Event.wait(for: event, timeout: nil)
            Event.make(event, set: false)
            do {
              while let slot = try one.takeSlot(rotating: true) { frames += BPF.Descriptor.numbers(slot) }
            } catch { return }
          }
        }
      ),
      ("tap", { tapper.tapAll([1, 2]) }),
      ("detach", { one.detach() }),
    ]) { frames.count == Int(one.statistics.captured) ? one.statistics.problem : "read \(frames)" }
  }

  /// Each record is read before the next one comes: the first after silence is told.
  static let followAndTap = Scenario(name: "follow an event | tap, tap") { explorer in
    let world = try World(explorer)
    let one = try world.open()
    let event = Event.open()
    one.follow(event: event)
    let tapper = world.tapper()
    var frames: [UInt8] = []
    return world.run([
      (
        "follow",
        {
          while frames.count < 2 {
            _ = Event.wait(for: event, timeout: nil)
            Event.make(event, set: false)
            while let slot = try? one.takeSlot(rotating: true) { frames += BPF.Descriptor.numbers(slot) }
          }
        }
      ),
      ("tap", { tapper.tapAll([1, 2]) }),
    ]) { frames == [1, 2] ? one.statistics.problem : "read \(frames)" }
  }

  /// A wake-up comes after the pass has left the epoch: a descriptor that is closed meanwhile stays until it is done.
  static let closeAndWakeUp = Scenario(name: "close | tap that wakes | free") { explorer in
    let world = try World(explorer)
    let one = try world.open()
    let event = Event.open()
    one.follow(event: event)
    let tapper = world.tapper()
    return world.run([
      ("close", { world.descriptors = [] }),
      ("tap", { tapper.tap(1) }),
      ("free", { Epoch.shared.retire { true } }),
    ]) { world.interface.peerCount == 0 ? nil : "a peer is left" }
  }
}
