// Who may hold up whom: locks in order, taps past everything.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Locks", .serialized, .timeLimit(.minutes(1)))
struct LockOrderTests {
  /// A descriptor in each state that requests tell apart.
  private enum State: CaseIterable {
    case unattached
    case attached
    case writer
    case departed
    case locked
  }

  #if DEBUG
    @Test("C-043: every request, read, write and listing keeps the order of locks: a wrong one traps")
    func everyRequest() throws {
      for profile in BPF.Profile.allCases {
        for state in State.allCases {
          for request in Request.all { try check(request, state, profile) }
        }
      }
      #expect(eventually { Epoch.shared.pendingCount == 0 })
    }
  #endif

  private func check(_ request: Request, _ state: State, _ profile: BPF.Profile) throws {
    let ifnet = BPF.Ifnet(name: "test0", index: 3, driver: LifeDriver())
    let point = try ifnet.attach(linkType: 1, headerLength: 14)
    try ifnet.attach(linkType: 12, headerLength: 0)
    _ = point.track { _ in }
    var configuration = BPF.Descriptor.Configuration.device(profile, settings: BPF.Settings())
    configuration.directory = LifeNames(ifnet)
    configuration.reads = state != .writer
    let one = try BPF.Descriptor(configuration)
    if state != .unattached { try one.attach(to: point) }
    _ = try one.pollDescriptor()
    one.setFeedback(1)
    if state == .departed { ifnet.depart() }
    if state == .locked { one.lockRequests() }
    for number in request.numbers + [request.openbsd].compactMap({ $0 }) {
      var argument = [UInt8](repeating: 0, count: number.size)
      for (index, byte) in "test0".utf8.enumerated() where request.name == "BIOCSETIF" { argument[index] = byte }
      if request.name == "BIOCSDLT" { argument[0] = 12 }
      _ = refusal { try one.ioctl(request: number.rawValue, argument: &argument) }
    }
    _ = refusal { try one.write(frame(1)) }
    one.setNonBlocking(true)
    var buffer = [UInt8](repeating: 0, count: one.bufferSize)
    _ = refusal { _ = try one.read(into: &buffer) }
    #expect(BPF.peers.contains { $0.bufferSize == one.bufferSize } && BPF.globalStatistics.received >= 0)
  }

  @Test("C-044: a tap goes on while requests of its own descriptor, its interface and others wait in a driver")
  func tapsGoOn() throws {
    let (asked, goOn) = (Flag(), Flag())
    let driver = WaitingDriver()
    let ifnet = BPF.Ifnet(name: "slow", index: 3, driver: driver)
    let point = try ifnet.attach(linkType: 1, headerLength: 14)
    let one = try descriptor(slotSize: 1 << 16, slots: 4)
    try one.setDirection(.in)
    try one.attach(to: point)
    driver.wait(asked, goOn)
    // This holds the locks of the descriptor and of the interface until it may go on.
    let request = Thread(name: "request") { _ = refusal { try one.setDirection(.inOut) } }
    #expect(eventually { asked.isSet })
    let done = Flag()
    let tap = Thread(name: "tap") {
      var reader = TapReader()
      let bytes = frame(1)
      for _ in 0..<100 {
        guard reader.begin(point.pointOfDriver) else { return }
        bytes.withUnsafeBytes {
          show($0, .received, &reader)
          reader.end()
        }
      }
      done.set()
    }
    let wentOn = eventually { done.isSet }
    let captured = one.statistics.captured
    goOn.set()
    request.join()
    tap.join()
    #expect(wentOn && captured == 100 && one.direction == .inOut)
  }

  @Test("C-044: a tap goes on while a tracker, which the interface waits for, takes its time")
  func trackersHoldNothing() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 1 << 16, slots: 4)
    try one.attach(to: wire.interface)
    let (heard, goOn) = (Flag(), Flag())
    _ = wire.interface.track { _ in
      heard.set()
      while !goOn.isSet { usleep(100) }
    }
    let request = Thread(name: "request") {
      guard let two = try? descriptor() else { return }
      try? two.attach(to: wire.interface)
    }
    #expect(eventually { heard.isSet })
    let done = Flag()
    let tap = Thread(name: "tap") {
      for _ in 0..<100 { wire.tap(frame(1)) }
      done.set()
    }
    let wentOn = eventually { done.isSet }
    goOn.set()
    request.join()
    tap.join()
    #expect(wentOn && one.statistics.captured == 100)
  }
}

/// A driver that can be told to take its time.
private final class WaitingDriver: BPF.Driver, @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var flags: (asked: Flag, goOn: Flag)?
  let retireTime: Int64 = 10_000_000

  func wait(_ asked: Flag, _ goOn: Flag) { lock.withLock { flags = (asked, goOn) } }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {
    guard let flags = lock.withLock({ flags }) else { return }
    flags.asked.set()
    while !flags.goOn.isSet { usleep(100) }
  }

  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}
}
