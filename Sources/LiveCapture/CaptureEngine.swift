// The capture engine of one process: interfaces, their tap points and drivers.
// Called by the command and by users of the library; the monitor thread tells it of interfaces.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern

/// Captures from interfaces of this network namespace: one ring for each, whatever the number of readers.
///
///     let engine = try CaptureEngine()
///     let descriptor = try BPF.Descriptor()
///     try engine.attach(descriptor, to: "eth0")
///
/// Opening a packet socket needs CAP_NET_RAW; ``prepare(_:)`` opens it ahead of time, so that a program can give the
/// capability up before it attaches.
/// - Threads: any.
public final class CaptureEngine: @unchecked Sendable {
  /// What happened to an interface, or to the capture as a whole.
  public enum Event: Sendable, Equatable {
    case down(name: String)
    case up(name: String)
    case renamed(from: String, to: String)
    case gone(name: String)
    case appeared(name: String)
    case notice(String)
  }

  private struct Tapped {
    var link: Link
    let ifnet: BPF.Ifnet
    let interface: BPF.Interface
    let driver: PacketDriver
    let isShared: Bool
  }

  private struct TappedDevice {
    let ifnet: BPF.Ifnet
    let interface: BPF.Interface
    let driver: HandleDriver
  }

  // Guarded by `lock`.
  private var options: RingOptions
  /// Interfaces that this process makes itself; they come before the system's.
  private let emulated: BPF.InterfaceTable?
  private let lock = Lock(rank: .engine)
  private let work = DelayedWork(name: "swbpf-control")
  private let onEvent: @Sendable (Event) -> Void
  // Guarded by `lock`.
  private var monitor: LinkMonitor?
  /// Interfaces with a driver of their own and those that the shared ring has shown, by index.
  private var own: [UInt32: Tapped] = [:]
  private var shared: [UInt32: Tapped] = [:]
  /// Drivers by the name that was asked for; kept while an interface is away.
  private var drivers: [String: PacketDriver] = [:]
  private var sharedDriver: PacketDriver?
  /// Devices that are no interfaces, by name.
  private var devices: [String: TappedDevice] = [:]
  private var readersOfAll: [BPF.Descriptor] = []
  private var sharedNames: [String] = []
  /// Waits for interfaces that are not there yet.
  private let arrived = Condition()
  private var isClosed = false
  private var isCancelled = false

  /// - Parameter onEvent: called on a thread of the engine; must not call the engine back.
  public init(_ options: RingOptions = RingOptions(), onEvent: @escaping @Sendable (Event) -> Void = { _ in }) throws {
    self.options = options
    self.onEvent = onEvent
    emulated = nil
  }

  /// - Parameter emulated: interfaces that this process makes itself, taken before the system's of the same names.
  package init(
    _ options: RingOptions = RingOptions(), emulated: BPF.InterfaceTable,
    onEvent: @escaping @Sendable (Event) -> Void = { _ in }
  ) throws {
    self.options = options
    self.onEvent = onEvent
    self.emulated = emulated
  }

  deinit { close() }

  // MARK: Opening

  /// Opens the packet socket of an interface, which need not exist yet. It receives nothing before ``attach(_:to:)``.
  /// - Throws: EPERM without CAP_NET_RAW.
  public func prepare(_ name: String) throws {
    let cooked = try Link.all().first { $0.name == name }.flatMap { LinkLayer(hardwareType: $0.hardwareType) }?.cooked
    try lock.withLock {
      guard drivers[name] == nil else { return }
      drivers[name] = try makeDriver(.one, cooked: cooked ?? false)
    }
  }

  /// Opens the packet socket of all interfaces, or of the named ones, which then share one ring.
  public func prepareAll(only names: [String] = []) throws {
    let links = try Link.all()
    let indexes = try names.map { name in
      guard let link = links.first(where: { $0.name == name }) else { throw BPF.Failure.noSuchInterface(name) }
      return link.index
    }
    try lock.withLock {
      guard sharedDriver == nil else { return }
      let driver = try makeDriver(.all(only: indexes), cooked: false)
      driver.resolving { [weak self] index, hardwareType in self?.resolve(index, hardwareType) }
      sharedDriver = driver
      sharedNames = names
    }
  }

  /// Opens a device that is no interface (``CaptureDevice``) through libpcap. It keeps its packets until ``attach(_:to:cooked:)``.
  /// - Parameter linkType: nil takes the device's own.
  /// - Returns: its link type.
  /// - Throws: EPERM without the capability that the device asks for.
  @discardableResult
  public func prepareDevice(_ name: String, linkType: Int32? = nil) throws -> Int32 {
    try lock.withLock {
      if let old = devices[name] { return old.driver.linkType }
      let onEvent = onEvent
      let driver = try HandleDriver(name, linkType: linkType) { onEvent(.notice($0)) }
      let ifnet = BPF.Ifnet(name: name, index: 0, driver: driver)
      let interface = try ifnet.attach(linkType: driver.linkType, headerLength: 0)
      driver.serve(ifnet, interface.pointOfDriver)
      devices[name] = TappedDevice(ifnet: ifnet, interface: interface, driver: driver)
      return driver.linkType
    }
  }

  /// The link types that a prepared device can be opened with.
  public func linkTypes(ofDevice name: String) -> [Int32] { lock.withLock { devices[name]?.driver.linkTypes ?? [] } }

  /// How rings are made from now on; those that run are exchanged, a moment later, while frames go on.
  public func setRingOptions(_ new: RingOptions) {
    lock.withLock { options = new }
    for driver in allDrivers { driver.setOptions(new) }
  }

  private func makeDriver(_ scope: PacketDriver.Scope, cooked: Bool) throws -> PacketDriver {
    let onEvent = onEvent
    return try PacketDriver(scope: scope, cooked: cooked, options: options, work: work) { onEvent(.notice($0)) }
  }

  // MARK: Attaching

  /// Attaches a descriptor to an interface by name. (BIOCSETIF)
  /// - Throws: ENXIO when there is no such interface; EPERM without CAP_NET_RAW, unless prepared.
  public func attach(_ descriptor: BPF.Descriptor, to name: String, cooked: Bool = false) throws {
    try descriptor.attach(to: interface(named: name), cooked: cooked)
  }

  /// The tap point of an interface; its driver is idle until somebody attaches.
  public func interface(named name: String) throws -> BPF.Interface {
    if let point = emulated?.interface(named: name) { return point }
    if let device = lock.withLock({ devices[name] }) { return device.interface }
    try lock.withLock { try startMonitor() }
    // First of all: a driver stays, and with it its socket.
    guard let link = try Link.all().first(where: { $0.name == name }) else { throw BPF.Failure.noSuchInterface(name) }
    try prepare(name)
    return try lock.withLock {
      if let old = own[link.index] { return old.interface }
      guard let driver = drivers[name] else { throw BPF.Failure.noSuchInterface(name) }
      let tapped = try tap(link, driver, isShared: false)
      driver.serve(link, tapped.ifnet, tapped.interface.pointOfDriver)
      own[link.index] = tapped
      return tapped.interface
    }
  }

  /// Attaches a descriptor to every interface, now and later, with one unbound ring. Records are LINKTYPE_LINUX_SLL2.
  public func attachToAll(_ descriptor: BPF.Descriptor) throws {
    try prepareAll()
    try lock.withLock { try startMonitor() }
    let links = try Link.all()
    try lock.withLock {
      readersOfAll.append(descriptor)
      let names = sharedNames
      for link in links where names.isEmpty || names.contains(link.name) {
        if let old = shared[link.index] {
          try descriptor.attachAlso(to: old.interface, cooked: true)
        } else {
          try addShared(link)
        }
      }
    }
  }

  private func tap(_ link: Link, _ driver: PacketDriver, isShared: Bool) throws -> Tapped {
    guard let layer = LinkLayer(hardwareType: link.hardwareType) else {
      throw BPF.Failure.noTapPoint("\(link.name): hardware type \(link.hardwareType) is not supported")
    }
    let ifnet = BPF.Ifnet(name: link.name, index: link.index, driver: driver)
    let interface = try ifnet.attach(linkType: layer.linkType, headerLength: layer.headerLength)
    return Tapped(link: link, ifnet: ifnet, interface: interface, driver: driver, isShared: isShared)
  }

  /// The lock is held. Interfaces of unknown kinds, and those that the shared ring would read differently, are left out.
  private func addShared(_ link: Link) throws {
    guard let driver = sharedDriver, shared[link.index] == nil else { return }
    guard let layer = LinkLayer(hardwareType: link.hardwareType), !layer.cooked else { return }
    let tapped = try tap(link, driver, isShared: true)
    driver.serve(tapped.ifnet)
    shared[link.index] = tapped
    for descriptor in readersOfAll { try descriptor.attachAlso(to: tapped.interface, cooked: true) }
  }

  /// On the ring thread, for a frame of an interface that netlink has not told of yet.
  private func resolve(_ index: UInt32, _ hardwareType: UInt16) -> KnownInterface? {
    lock.withLock {
      if shared[index] == nil, sharedNames.isEmpty {
        var link = Link(index: index, name: "", hardwareType: hardwareType)
        link.name = Link.name(of: index) ?? "#\(index)"
        try? addShared(link)
      }
      return shared[index].map {
        KnownInterface(
          index: index, isLoopback: $0.link.hardwareType == 772, point: $0.interface.pointOfDriver, ifnet: $0.ifnet)
      }
    }
  }

  // MARK: Interfaces that come and go

  private func startMonitor() throws {
    guard monitor == nil, !isClosed else { return }
    monitor = try LinkMonitor { [weak self] in self?.heard($0) }
  }

  private func heard(_ event: LinkEvent) {
    switch event {
    case .changed(let link): changed(link)
    case .gone(let index): gone(index)
    case .lost:
      guard let links = try? Link.all() else { return }
      let known = lock.withLock { Array(own.keys) + Array(shared.keys) }
      for index in known where !links.contains(where: { $0.index == index }) { gone(index) }
      for link in links { changed(link) }
    }
  }

  private func changed(_ link: Link) {
    var events: [Event] = []
    lock.withLock {
      arrived.broadcast()
      for table in [\CaptureEngine.own, \CaptureEngine.shared] {
        guard var tapped = self[keyPath: table][link.index] else { continue }
        let old = tapped.link
        tapped.link = link
        self[keyPath: table][link.index] = tapped
        if !tapped.isShared { tapped.driver.changed(link) }
        if old.name != link.name {
          tapped.ifnet.name = link.name
          events.append(.renamed(from: old.name, to: link.name))
        }
        if old.isUp != link.isUp, !tapped.isShared {
          events.append(link.isUp ? .up(name: link.name) : .down(name: link.name))
        }
      }
      if !readersOfAll.isEmpty, shared[link.index] == nil, sharedNames.isEmpty { try? addShared(link) }
    }
    for event in events { onEvent(event) }
  }

  private func gone(_ index: UInt32) {
    let tapped = lock.withLock {
      [own.removeValue(forKey: index), shared.removeValue(forKey: index)].compactMap(\.self)
    }
    for one in tapped {
      // What the kernel captured before the interface went away is still delivered.
      one.driver.settle()
      one.ifnet.depart()
      one.driver.forget(one.ifnet)
      if one.isShared {
        for descriptor in lock.withLock({ readersOfAll }) { descriptor.forgetDeparted() }
      } else {
        onEvent(.gone(name: one.ifnet.name))
      }
    }
  }

  /// Waits until an interface of that name exists, or ``cancel()``. Asleep meanwhile.
  /// - Returns: false when cancelled.
  public func waitForInterface(named name: String) throws -> Bool {
    try lock.withLock { try startMonitor() }
    lock.lock()
    defer { lock.unlock() }
    while !isCancelled {
      // Asked while the lock is held: a change that comes meanwhile wakes us.
      if unsafe swpcap_link_index(name) != 0 { return true }
      _ = lock.wait(arrived)
    }
    return false
  }

  /// Ends ``waitForInterface(named:)``.
  public func cancel() {
    lock.withLock {
      isCancelled = true
      arrived.broadcast()
    }
  }

  // MARK: Ending and counting

  private var allDrivers: [PacketDriver] {
    lock.withLock { Array(drivers.values) + (sharedDriver.map { [$0] } ?? []) }
  }

  private var allHandles: [HandleDriver] { lock.withLock { devices.values.map(\.driver) } }

  /// Lets no new frame in and waits until each one that the kernel has accepted is with its readers.
  public func drain() {
    for driver in allDrivers { driver.drain() }
    for driver in allHandles { driver.drain() }
  }

  /// What the kernel counted at the ring of an interface; "any" is the shared ring.
  public func statistics(of name: String) -> RingStatistics {
    if let device = lock.withLock({ devices[name] }) { return device.driver.statistics }
    let driver = lock.withLock { name == "any" ? sharedDriver : drivers[name] }
    return driver?.statistics ?? RingStatistics()
  }

  /// What the kernel counted at all rings together.
  public var statistics: RingStatistics {
    (allDrivers.map(\.statistics) + allHandles.map(\.statistics)).reduce(into: RingStatistics()) { sum, one in
      sum.accepted += one.accepted
      sum.dropped += one.dropped
      sum.freezes += one.freezes
      sum.processed += one.processed
      sum.isNarrowed = sum.isNarrowed || one.isNarrowed
      sum.filterChanges += one.filterChanges
      sum.longestPass = max(sum.longestPass, one.longestPass)
    }
  }

  /// Ends every thread of the engine. Descriptors should be detached before.
  public func close() {
    let monitor = lock.withLock {
      isClosed = true
      isCancelled = true
      arrived.broadcast()
      defer { self.monitor = nil }
      return self.monitor
    }
    monitor?.stop()
    work.stop()
    for driver in allDrivers { driver.stop() }
    for driver in allHandles { driver.stop() }
  }
}
