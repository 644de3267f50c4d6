// A sequence of requests, reads, writes, polls, taps and changes of interfaces, done to open bpf devices and to the model;
// what they answer must be the same. Two interfaces, three devices, one thread, nothing that waits.
import Glibc
import SwBPFBPF

/// What went otherwise than the model says.
struct Mismatch: Error {
  let text: String
}

public final class Replay {
  /// Does what the bytes say. - Returns: nil, or what differed and all that was done before.
  public static func run(_ bytes: [UInt8]) -> String? {
    guard Replay(bytes, tells: false).play() != nil else { return nil }
    // Once more, with words.
    return Replay(bytes, tells: true).play() ?? "another result the second time"
  }

  /// Whom FIOASYNC may tell is this process alone, and it does not listen.
  static let ignoresSignal: Void = { _ = signal(SIGIO, SIG_IGN) }()

  static let deviceCount = 3
  private static let plan = [
    ModelInterface(name: "lo", points: [ModelPoint(linkType: 1, header: 14), ModelPoint(linkType: 12, header: 0)]),
    ModelInterface(
      name: "veth12",
      points: [
        ModelPoint(linkType: 0, header: 4), ModelPoint(linkType: 1, header: 14), ModelPoint(linkType: 147, header: 24),
      ]),
  ]

  var source: ByteSource
  var model = ModelWorld(interfaces: plan, devices: [])
  let directory = MemoryDirectory()
  let settings = BPF.Settings()
  var devices: [BPF.Descriptor] = []
  /// Devices whose descriptor for poll(2) was asked for.
  var pollDescriptors = [CInt?](repeating: nil, count: deviceCount)
  /// A tap point of an interface that went.
  var dead: BPF.Interface?
  let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 16)
  private let tells: Bool
  private var told: [String] = []
  private var defaultSize = 256

  init(_ bytes: [UInt8], tells: Bool) {
    source = ByteSource(bytes)
    self.tells = tells
    _ = Replay.ignoresSignal
  }

  deinit { room.deallocate() }

  private func play() -> String? {
    do {
      try open()
      while !source.isEmpty {
        try step()
        try compare()
      }
      return nil
    } catch {
      return (told + ["-> \((error as? Mismatch)?.text ?? "\(error)")"]).joined(separator: "\n")
    }
  }

  func tell(_ text: @autoclosure () -> String) { if tells { told.append(text()) } }

  func expect(_ isSo: Bool, _ text: @autoclosure () -> String) throws {
    if !isSo { throw Mismatch(text: text()) }
  }

  func expect<Value: Equatable>(_ value: Value, is expected: Value, _ what: @autoclosure () -> String) throws {
    if value != expected { throw Mismatch(text: "\(what()): \(value), the model says \(expected)") }
  }

  /// The errno of what a closure throws, 0 if it does not.
  func errno(_ body: () throws -> Void) -> Int32 {
    do {
      try body()
      return 0
    } catch { return (error as? BPF.Failure)?.errno ?? -1 }
  }

  // MARK: Opening

  private func open() throws {
    try settings.set("net.bpf.bufsize", to: defaultSize)
    try settings.set("net.bpf.maxbufsize", to: model.maximumBufferSize)
    for index in model.interfaces.indices {
      directory.interfaces.append(MemoryInterface(model.interfaces[index], index: UInt32(index + 1)))
    }
    for _ in 0..<Replay.deviceCount {
      let (new, copy) = try newDevice(source.next())
      devices.append(new)
      model.devices.append(copy)
    }
  }

  /// Bit 0: NetBSD's layout; bits 1 and 2: opened to write only.
  private func newDevice(_ choice: UInt8) throws -> (BPF.Descriptor, ModelDevice) {
    let isNetBSD = choice & 1 != 0
    let writes = choice & 6 == 6
    var configuration = BPF.Descriptor.Configuration.device(isNetBSD ? .netbsd : .freebsd, settings: settings)
    configuration.directory = directory
    configuration.reads = !writes
    // Frames of any stamp are young enough.
    configuration.clock = { 0 }
    let copy = ModelDevice(headerSize: isNetBSD ? 32 : 26, bufferSize: defaultSize, isOpenedToWrite: writes)
    return (try BPF.Descriptor(configuration), copy)
  }

  /// Closes a device and opens another one in its place.
  func reopen(_ device: Int) throws {
    model.leave(device)
    pollDescriptors[device] = nil
    (devices[device], model.devices[device]) = try newDevice(source.next())
  }

  func changeSettings() throws {
    switch source.below(3) {
    case 0:
      model.optimizesWriters.toggle()
      try settings.set("net.bpf.optimize_writers", to: model.optimizesWriters ? 1 : 0)
    case 1:
      defaultSize = source.one(of: [32, 64, 256, 1024])
      try settings.set("net.bpf.bufsize", to: defaultSize)
    default:
      model.maximumBufferSize = source.one(of: [1024, 2048, 4096])
      try settings.set("net.bpf.maxbufsize", to: model.maximumBufferSize)
    }
  }

  // MARK: Comparing what can be seen at any time

  private func compare() throws {
    for device in devices.indices {
      let (one, copy) = (devices[device], model.devices[device])
      let now = one.statistics
      let counters = ModelCounters(
        offered: now.offered, hidden: now.hidden, refused: now.refused, captured: now.captured, dropped: now.dropped,
        cut: now.cut, delivered: now.delivered, waiting: now.waiting)
      try expect(counters, is: copy.counters, "counters of \(device)")
      try expect(one.readableBytes, is: copy.stored, "bytes stored in \(device)")
      try expect(one.bufferSize, is: copy.bufferSize, "buffer size of \(device)")
      try expect(one.isAttached, is: copy.place != nil, "attachment of \(device)")
      try expect(one.writeStatistics.sent, is: copy.written, "frames written by \(device)")
      try compareSettings(one, copy, device)
      if let descriptor = pollDescriptors[device] {
        var asked = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        try expect(poll(&asked, 1, 0) == 1, is: copy.isReady, "readable by poll(2): \(device)")
      }
    }
    for index in model.interfaces.indices where model.interfaces[index].isThere {
      try compare(directory.interfaces[index], model.interfaces[index], index)
    }
    if let dead { try expect(!dead.hasPeers && dead.peerCount == 0, "peers of an interface that went") }
  }

  private func compareSettings(_ one: BPF.Descriptor, _ copy: ModelDevice, _ device: Int) throws {
    try expect(one.direction.rawValue, is: copy.direction, "direction of \(device)")
    try expect(one.isImmediate, is: copy.immediate, "immediate mode of \(device)")
    try expect(one.isNonBlocking, is: copy.nonBlocking, "non-blocking mode of \(device)")
    try expect(one.isHeaderComplete, is: copy.headerComplete, "header-complete flag of \(device)")
    try expect(one.feedback, is: copy.feedback, "feedback of \(device)")
    try expect(one.isLocked, is: copy.isLocked, "lock of \(device)")
    try expect(one.stampFormat.rawValue, is: copy.stampFormat, "stamps of \(device)")
    try expect(
      one.readTimeout, is: Int64(copy.seconds * 1_000_000_000 + copy.microseconds * 1000), "time-out of \(device)")
    try expect(one.signal, is: CInt(copy.signal), "signal of \(device)")
    try expect(one.signalOwner, is: copy.owner, "owner of \(device)")
  }

  private func compare(_ interface: MemoryInterface, _ copy: ModelInterface, _ index: Int) throws {
    try expect(interface.ifnet.promiscuousReferences, is: copy.references, "promiscuous references of \(copy.name)")
    try expect(interface.driver.isPromiscuous, is: copy.references > 0, "promiscuous mode of \(copy.name)")
    try expect(interface.driver.sent.count, is: copy.sent.count, "frames that left by \(copy.name)")
    try expect(interface.driver.sent.last ?? [], is: copy.sent.last ?? [], "the last frame that left by \(copy.name)")
    for (number, point) in interface.points.enumerated() {
      let there = model.devices.filter { $0.place == ModelPlace(interface: index, point: number) }
      try expect(point.peerCount, is: there.count, "descriptors at \(copy.name), \(point.linkType)")
      try expect(point.hasPeers, is: there.contains { !$0.isWriter }, "readers of \(copy.name), \(point.linkType)")
    }
  }
}
