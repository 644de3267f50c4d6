import SwBPFFilterMachine
import SwBPFKern

@testable import SwBPFBPF

// Scenarios with requests that change what a peer sees.
extension Scenarios {
  /// Without a flush a frame is judged by the old program or the new one, and never by the old after the new.
  static let programAndTap = Scenario(name: "program | tap, tap") { explorer in
    let world = try World(explorer)
    let one = try world.open(program: try below(2))
    let next = try from(2)
    let tapper = world.tapper()
    return world.run([
      ("program", { world.request("program") { try one.setProgram(next, flushing: false) } }),
      ("tap", { tapper.tapAll([1, 2]) }),
    ]) {
      let frames = one.numbers()
      // 1 is the old program's, 2 the new one's.
      if !frames.contains(1) && !frames.contains(2) { return "judged by the old program after the new one" }
      return one.statistics.problem
        ?? (frames.contains(1) && world.came(1, after: "program") ? "the old program runs on" : nil)
    }
  }

  /// After a flush nothing is stored that the old program let in.
  static let flushingProgramAndTap = Scenario(name: "program with flush | tap, tap") { explorer in
    let world = try World(explorer)
    let one = try world.open(program: try below(8))
    let next = try from(8)
    let tapper = world.tapper()
    return world.run([
      ("program", { world.request("program") { try one.setProgram(next) } }),
      ("tap", { tapper.tapAll([1, 9]) }),
    ]) {
      let statistics = one.statistics
      let frames = one.numbers()
      if frames.contains(1) { return "a frame that the old program let in is stored after the flush" }
      return statistics.problem ?? (world.came(9, after: "program") && frames != [9] ? "frame 9 is lost" : nil)
    }
  }

  static let programDetachAndTap = Scenario(name: "program | detach | tap") { explorer in
    let world = try World(explorer)
    let one = try world.open(program: try below(8))
    let next = try below(9)
    let tapper = world.tapper()
    var counted = BPF.Statistics()
    return world.run([
      ("program", { world.request("program") { try one.setProgram(next, flushing: false) } }),
      (
        "detach",
        {
          one.detach()
          counted = one.statistics
        }
      ),
      ("tap", { tapper.tap(1) }),
    ]) {
      one.statistics != counted
        ? "counted after detach had returned" : one.statistics.problem ?? (one.numbers().count > 1 ? "twice" : nil)
    }
  }

  /// The merged form of two programs is made anew while one of them is replaced.
  static let mergeProgramAndTap = Scenario(name: "merge | program | tap") { explorer in
    let world = try World(explorer)
    let one = try world.open(program: try below(8))
    let other = try world.open(program: try below(9))
    world.interface.merge()
    let next = try from(2)
    let tapper = world.tapper()
    return world.run([
      ("merge", { world.interface.merge() }),
      ("program", { world.request("program") { try one.setProgram(next, flushing: false) } }),
      ("tap", { tapper.tap(1) }),
    ]) {
      let frames = one.numbers()
      if other.numbers() != [1] { return "a frame that the other program lets in is lost, or there twice" }
      if world.came(1, after: "program") && !frames.isEmpty { return "the old program runs on" }
      return one.statistics.problem ?? other.statistics.problem
    }
  }

  static let flushAndTap = Scenario(name: "flush | tap, tap") { explorer in
    let world = try World(explorer)
    world.notesMore = true
    let one = try world.open()
    let tapper = world.tapper()
    return world.run([
      ("flush", { world.request("flush") { one.flush() } }),
      ("tap", { tapper.tapAll([1, 2]) }),
    ]) {
      let statistics = one.statistics
      let frames = one.numbers()
      for frame in frames where world.came(frame, before: "flush") { return "frame \(frame) outlived the flush" }
      return statistics.problem ?? lost(frames, world, after: "flush")
    }
  }

  /// Frames that the kernel had stamped before a flush are not stored after it, whenever they are tapped.
  static let flushAndOlderTap = Scenario(name: "flush | tap of an older frame, tap of a younger one") { explorer in
    let world = try World(explorer)
    let one = try world.open()
    let tapper = world.tapper()
    return world.run([
      (
        "flush",
        {
          world.clock.now = 5_000_000_000
          world.request("flush") { one.flush() }
        }
      ),
      (
        "tap",
        {
          tapper.tap(1, at: 1)
          tapper.tap(2, at: 9)
        }
      ),
    ]) {
      let statistics = one.statistics
      let frames = one.numbers()
      if frames.contains(1) { return "an older frame is stored after the flush" }
      return statistics.problem ?? lost(frames, world, after: "flush").flatMap { $0.contains("frame 1 ") ? nil : $0 }
    }
  }

  /// The short way of a ring thread.
  static let runDetachAndFlush = Scenario(name: "flush | detach | run, run") { explorer in
    let world = try World(explorer)
    world.notesMore = true
    let one = try world.open()
    let tapper = world.tapper()
    var counted = BPF.Statistics()
    return world.run([
      ("flush", { world.request("flush") { one.flush() } }),
      (
        "detach",
        {
          one.detach()
          counted = one.statistics
        }
      ),
      (
        "tap",
        {
          tapper.run(1)
          tapper.run(2)
        }
      ),
    ]) {
      // The flush may come after the detach, and zeroes.
      if one.statistics != counted && one.statistics != BPF.Statistics() { return "counted after detach had returned" }
      let statistics = one.statistics
      let frames = one.numbers()
      for frame in frames where world.came(frame, before: "flush") { return "frame \(frame) outlived the flush" }
      return statistics.problem ?? (frames == frames.sorted() ? nil : "\(frames)")
    }
  }

  /// A direction that shows other frames goes to the kernel first; narrowing never takes away what is about to be shown.
  /// - Parameters:
  ///   - pushed: the peer's program goes to the kernel.
  ///   - isNarrow: the kernel has been narrowed to the direction of before.
  static func widenNarrowAndTap(pushed: Bool, isNarrow: Bool, forgetsVersion: Bool = false) -> Scenario {
    let kind = "\(pushed ? "pushed, " : "")kernel \(isNarrow ? "narrow" : "wide")"
    return Scenario(name: "direction | narrow | frame in, frame out; \(kind)") { explorer in
      try widenNarrowAndTap(World(explorer), pushed, isNarrow, forgetsVersion)
    }
  }

  private static func widenNarrowAndTap(
    _ world: World, _ pushed: Bool, _ isNarrow: Bool, _ forgetsVersion: Bool
  ) throws -> Scenario.Run {
    let one = try world.open(pushed: pushed)
    try one.setDirection(.in)
    if isNarrow { world.driver.narrow(world.ifnet) }
    world.driver.forgetsVersion = forgetsVersion
    let tapper = world.tapper()
    return world.run([
      ("direction", { world.request("direction") { try one.setDirection(.out) } }),
      ("narrow", { world.driver.narrow(world.ifnet) }),
      (
        "tap",
        {
          tapper.tap(1)
          tapper.tap(2, .sent)
        }
      ),
    ]) {
      let frames = one.numbers()
      if world.came(2, after: "direction") && !frames.contains(2) {
        return "frame 2 came after the change, and is lost"
      }
      return frames.isEmpty ? "frame 1 was judged by the new direction, frame 2 by the old" : one.statistics.problem
    }
  }
}
