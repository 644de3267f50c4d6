// Requests at random to descriptors of a daemon, against the model that devices of a process are compared with.
import Glibc
import SwBPFDaemonClient
import Testing

@testable import RequestModel
@testable import SwBPFBPF
@testable import SwBPFDaemon
@testable import TestSupport

/// Interfaces in memory behind a served daemon.
private final class MemoryStage: RemoteStage {
  let interfaces = [
    ModelInterface(name: "lo", points: [ModelPoint(linkType: 1, header: 14), ModelPoint(linkType: 12, header: 0)]),
    ModelInterface(
      name: "veth12",
      points: [
        ModelPoint(linkType: 0, header: 4), ModelPoint(linkType: 1, header: 14), ModelPoint(linkType: 147, header: 24),
      ]),
  ]
  let isLive = false
  private let directory = MemoryDirectory()
  private let served: Served

  init() throws {
    var limits = DaemonLimits()
    limits.requests = 1_000_000
    limits.connectionWindow = 1
    directory.interfaces = interfaces.enumerated().map { MemoryInterface($1, index: UInt32($0 + 1)) }
    served = try Served(limits, taps: directory)
  }

  func client() throws -> DaemonClient { try served.client() }

  func tap(_ frames: [ModelFrame], at place: ModelPlace) {
    let interface = directory.interfaces[place.interface]
    interface.driver.tap(frames, at: interface.points[place.point])
  }

  func wrote(_ seen: Int, by interface: Int) {}

  func depart(_ interface: Int) {
    directory.interfaces[interface].isThere = false
    directory.interfaces[interface].ifnet.depart()
  }

  func arrive(_ interface: Int, _ model: ModelInterface) {
    directory.interfaces[interface] = MemoryInterface(model, index: UInt32(interface + 1))
  }

  func change(_ interface: Int, _ model: ModelInterface) {
    let driver = directory.interfaces[interface].driver
    driver.isUp = model.isUp
    driver.payload = model.payload
    driver.refusesFrames = model.refusesFrames
    driver.refusesPromiscuous = model.refusesPromiscuous
  }

  func difference(_ index: Int, _ model: ModelInterface) -> String? {
    let (ifnet, driver) = (directory.interfaces[index].ifnet, directory.interfaces[index].driver)
    if ifnet.promiscuousReferences != model.references || driver.isPromiscuous != (model.references > 0) {
      return
        "\(ifnet.promiscuousReferences) promiscuous references of \(model.name), the model says \(model.references)"
    }
    if driver.sent != model.sent {
      return "\(driver.sent.count) frames left by \(model.name), the model says \(model.sent.count), or other ones"
    }
    return nil
  }
}

@Suite("Requests of remote descriptors against a model", .timeLimit(.minutes(5)))
struct RemoteReplayTests {
  @Test(
    "random requests, slots, writes, taps and departures answer through the daemon as the model says", arguments: 0..<4)
  func sequences(part: Int) throws {
    let isQuick = Requirement.short || Requirement.sanitizer != nil
    for seed in 0..<(Tool.environment("SWBPF_LONG") == "1" ? 500 : isQuick ? 2 : 6) {
      var source = SeededBytes(seed: UInt64(part * 1000 + seed))
      if let difference = RemoteReplay.run(source.bytes(1200), on: try MemoryStage()) {
        Issue.record("seed \(part * 1000 + seed): \(difference)")
        return
      }
    }
  }
}
