import SwBPFFilterMachine
import SwBPFKern

@testable import SwBPFBPF

/// What two or three threads do at one tap point, and what must hold in every order.
enum Scenarios {
  /// Frames stay in order, and those that came after the request had returned are there.
  static func lost(_ frames: [UInt8], _ world: World, after request: String) -> String? {
    if frames != world.tapped.filter(frames.contains) { return "stored \(frames) of \(world.tapped)" }
    for frame in world.tapped where world.came(frame, after: request) && !frames.contains(frame) {
      return "frame \(frame) came after \(request) had returned, and is lost"
    }
    return nil
  }

  static let attachAndTap = Scenario(name: "attach | tap, tap") { explorer in
    let world = try World(explorer)
    let one = try world.open(attached: false)
    let tapper = world.tapper()
    return world.run([
      ("attach", { world.request("attach") { try one.attach(to: world.interface) } }),
      ("tap", { tapper.tapAll([1, 2]) }),
    ]) { one.statistics.problem ?? lost(one.numbers(), world, after: "attach") }
  }

  static let detachAndTap = Scenario(name: "detach | tap, tap") { explorer in
    let world = try World(explorer)
    world.notesMore = true
    let one = try world.open()
    let tapper = world.tapper()
    var counted = BPF.Statistics()
    return world.run([
      (
        "detach",
        {
          world.request("detach") { one.detach() }
          counted = one.statistics
        }
      ),
      ("tap", { tapper.tapAll([1, 2]) }),
    ]) {
      if one.statistics != counted { return "counted after detach had returned" }
      let frames = one.numbers()
      for frame in world.tapped where world.came(frame, before: "detach") && !frames.contains(frame) {
        return "frame \(frame) was done before detach was called, and is lost"
      }
      if world.interface.hasPeers || world.interface.peerCount != 0 { return "a peer is left" }
      return frames == Array(world.tapped.prefix(frames.count)) ? nil : "\(frames) is no prefix"
    }
  }

  /// Beside a peer that stays.
  static let detachAttachAndTap = Scenario(name: "detach | attach | tap; one stays") { explorer in
    let world = try World(explorer)
    let (stays, leaves) = (try world.open(), try world.open())
    let comes = try world.open(attached: false)
    let tapper = world.tapper()
    var counted = BPF.Statistics()
    return world.run([
      (
        "detach",
        {
          leaves.detach()
          counted = leaves.statistics
        }
      ),
      ("attach", { world.request("attach") { try comes.attach(to: world.interface) } }),
      ("tap", { tapper.tap(1) }),
    ]) {
      if leaves.statistics != counted { return "counted after detach had returned" }
      if stays.numbers() != [1] { return "the peer that stays has lost a frame" }
      if world.interface.peerCount != 2 { return "\(world.interface.peerCount) peers" }
      return lost(comes.numbers(), world, after: "attach")
    }
  }

  /// From one interface to another while both have frames.
  static let moveAndTaps = Scenario(name: "move | tap here | tap there") { explorer in
    let world = try World(explorer)
    let other = try world.ifnet.attach(linkType: 9, headerLength: 0)
    let one = try world.open()
    let tappers = [world.tapper(), world.tapper()]
    return world.run([
      ("move", { world.request("move") { try one.attach(to: other) } }),
      ("here", { tappers[0].tap(1) }),
      ("there", { tappers[1].tap(2, on: other.pointOfDriver) }),
    ]) {
      let statistics = one.statistics
      let frames = one.numbers()
      if frames.contains(1) { return "a frame of the old interface is stored after the move" }
      if world.interface.hasPeers || other.peerCount != 1 { return "not at one place" }
      return statistics.problem ?? (world.came(2, after: "move") && frames != [2] ? "frame 2 is lost" : nil)
    }
  }

  static let attachDepartAndTap = Scenario(name: "attach | depart | tap") { explorer in
    let world = try World(explorer)
    let one = try world.open(attached: false)
    let tapper = world.tapper()
    var isRefused = false
    return world.run([
      ("attach", { do { try one.attach(to: world.interface) } catch { isRefused = true } }),
      ("depart", { world.request("depart") { world.ifnet.depart() } }),
      ("tap", { tapper.tap(1) }),
    ]) {
      if world.interface.hasPeers || world.interface.peerCount != 0 || one.isAttached { return "a peer is left" }
      let statistics = one.statistics
      let frames = one.numbers()
      if isRefused && !frames.isEmpty { return "refused, and has a frame" }
      return statistics.problem ?? (world.came(1, after: "depart") && !frames.isEmpty ? "a frame after departure" : nil)
    }
  }

  static let attachAttachAndTap = Scenario(name: "attach | attach | tap") { explorer in
    let world = try World(explorer)
    let ones = [try world.open(attached: false), try world.open(attached: false)]
    let tapper = world.tapper()
    return world.run([
      ("first", { world.request("first") { try ones[0].attach(to: world.interface) } }),
      ("second", { world.request("second") { try ones[1].attach(to: world.interface) } }),
      ("tap", { tapper.tap(1) }),
    ]) {
      if world.interface.peerCount != 2 { return "\(world.interface.peerCount) peers" }
      return lost(ones[0].numbers(), world, after: "first") ?? lost(ones[1].numbers(), world, after: "second")
    }
  }

  static let departDetachAndTap = Scenario(name: "depart | detach | tap") { explorer in
    let world = try World(explorer)
    let one = try world.open()
    let tapper = world.tapper()
    var counted: [BPF.Statistics] = []
    return world.run([
      (
        "depart",
        {
          world.ifnet.depart()
          counted.append(one.statistics)
        }
      ),
      (
        "detach",
        {
          one.detach()
          counted.append(one.statistics)
        }
      ),
      ("tap", { tapper.tap(1) }),
    ]) {
      if counted.contains(where: { $0.captured != one.statistics.captured }) { return "counted after it was gone" }
      if world.interface.hasPeers || world.interface.peerCount != 0 || one.isAttached { return "a peer is left" }
      return one.statistics.problem
    }
  }

  static let twoTapsAndDetach = Scenario(name: "tap | tap | detach") { explorer in
    let world = try World(explorer)
    let one = try world.open()
    let tappers = [world.tapper(), world.tapper()]
    return world.run([
      ("tap", { tappers[0].tap(1) }),
      ("tap", { tappers[1].tap(2) }),
      ("detach", { one.detach() }),
    ]) {
      let statistics = one.statistics
      let frames = one.numbers()
      return statistics.problem
        ?? (Set(frames).count != frames.count || Int(statistics.captured) != frames.count ? "\(frames)" : nil)
    }
  }
}
