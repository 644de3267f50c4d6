// Requests at random to a real daemon's descriptors, over cables, against the model that devices are compared with.
import Glibc
import SwBPFDaemonClient
import Testing

@testable import RequestModel
@testable import TestSupport

/// Two cables with a daemon at their near ends.
private final class CableStage: RemoteStage {
  private struct Cable {
    let near: FrameSender
    let far: FrameSender
    let heard: Judge
    /// Attached before all others, so each pass serves it last: what it has seen all have seen.
    let witness: RemoteDescriptor
    var seen: UInt64 = 0
    /// Frames that this object sent from the near end.
    var left: [[UInt8]] = []
  }

  let interfaces = ["va", "wa"].map { ModelInterface(name: $0, points: [ModelPoint(linkType: 1, header: 14)]) }
  let isLive = true
  private let (near, far): (Host, Host)
  private let scratch: Scratch
  private let daemon: RunningDaemon
  private var cables: [Cable?] = [nil, nil]

  init() throws {
    (near, far, scratch) = (try Host("near"), try Host("far"), try Scratch())
    daemon = try RunningDaemon(in: near, scratch)
    for index in interfaces.indices { try arrive(index, interfaces[index]) }
  }

  func client() throws -> DaemonClient { try daemon.asking { $0 } }

  func tap(_ frames: [ModelFrame], at place: ModelPlace) throws {
    guard let cable = cables[place.interface] else { return }
    for frame in frames {
      try (frame.sent ? cable.near : cable.far).send(frame.bytes)
      if frame.sent { cables[place.interface]?.left.append(frame.bytes) }
    }
    try wrote(frames.count, by: place.interface)
  }

  func wrote(_ seen: Int, by interface: Int) throws {
    cables[interface]?.seen += UInt64(seen)
    guard let cable = cables[interface] else { return }
    var count: UInt64 = 0
    let isThere = eventually {
      count = cable.witness.state.statistics.offered
      return count >= cable.seen
    }
    if !isThere || count != cable.seen { throw Mismatch(text: "\(count) frames were seen of \(cable.seen)") }
  }

  func depart(_ interface: Int) throws {
    try near.ip("link del \(interfaces[interface].name)")
    cables[interface] = nil
  }

  func arrive(_ interface: Int, _ model: ModelInterface) throws {
    let (name, other) = (model.name, model.name.prefix(1) + "b")
    try Host.link(near, name, far, String(other), net: UInt8(interface + 1))
    try near.ip("link set \(name) address 02:00:00:00:00:09 mtu \(model.payload)")
    let witness = try RemoteDescriptor(client(), slotSize: 4096, slots: 2, nanoseconds: true)
    try witness.setImmediate(true)
    try witness.attach(to: name)
    cables[interface] = Cable(
      near: try FrameSender(in: near, interface: name), far: try FrameSender(in: far, interface: String(other)),
      heard: try Judge(in: far, interface: String(other)), witness: witness)
  }

  func change(_ interface: Int, _ model: ModelInterface) throws {
    try near.ip("link set \(model.name) mtu \(model.payload) \(model.isUp ? "up" : "down")")
    guard model.isUp else { return }
    for (host, name) in [(near, model.name), (far, model.name.prefix(1) + "b")] {
      guard try eventually({ try host.ip("link show dev \(name)").contains("LOWER_UP") }) else {
        throw Mismatch(text: "\(name) has no carrier")
      }
    }
  }

  func difference(_ index: Int, _ model: ModelInterface) throws -> String? {
    guard let cable = cables[index] else { return nil }
    let wanted = (model.sent + cable.left).map { "\($0)" }.sorted()
    var heard: [[UInt8]] = []
    _ = eventually {
      while let one = cable.heard.next() { if !one.isOutgoing { heard.append(one.bytes) } }
      return heard.count >= wanted.count
    }
    if heard.map({ "\($0)" }).sorted() != wanted {
      return "\(heard.count) frames left by \(model.name): \(wanted.count)"
    }
    let isRight = try eventually {
      try near.ip("-d -o link show dev \(model.name)").contains("promiscuity \(model.references > 0 ? 1 : 0) ")
    }
    return isRight ? nil : "promiscuous mode of \(model.name): \(model.references) references"
  }
}

@Suite("Requests of remote descriptors over cables against a model", .needsNamespaces)
struct RemoteReplayTests {
  @Test(
    "random requests, slots, writes, frames and departures answer through a daemon as the model says",
    .timeLimit(.minutes(5)))
  func sequences() throws {
    let isLong = Tool.environment("SWBPF_LONG") == "1"
    for seed in 0..<(isLong ? 60 : 2) {
      var source = SeededBytes(seed: UInt64(7000 + seed))
      if let difference = RemoteReplay.run(source.bytes(isLong ? 2000 : 900), on: try CableStage()) {
        Issue.record("seed \(7000 + seed): \(difference)")
        return
      }
    }
  }
}
