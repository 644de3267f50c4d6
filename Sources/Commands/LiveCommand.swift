// A live capture: opens, gives rights up, captures, ends with counts. The main thread's part.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFKern
import SwBPFLiveCapture

/// `swbpf -i IF …`
///
/// What other threads touch (`departed`) is set up before they start.
final class LiveCommand: @unchecked Sendable {
  var settings: CaptureSettings
  private let arguments: [String]
  var names: [String] = []
  var descriptors: [BPF.Descriptor] = []
  /// The descriptors, or what is read in their place.
  var readers: [any CaptureReader] = []
  var isAll = false
  /// Names that are no interfaces.
  var devices: Set<String> = []

  init(_ settings: CaptureSettings, arguments: [String]) {
    self.settings = settings
    self.arguments = arguments
  }

  func run() throws -> CInt {
    usesKeys = settings.usesKeys && Keys.isPossible
    swpcap_terminal_never_stop()
    let session = try Session(handlesStops: usesKeys)
    names =
      try settings.interfaces.isEmpty ? [Listing.resolve(nil)] : settings.interfaces.map { try Listing.resolve($0) }
    devices = Set(names.filter { CaptureDevice.isDevice($0) })
    isAll = names.contains("any") || names.count > 8
    try checkDevices()
    do {
      if let source = try openRemote() { return try capture(session, from: source) }
      return try capture(session)
    } catch {
      let hint = daemonRefuses ? " (and the daemon gives no right to capture there)" : ""
      throw CommandError(Messages.explain(error, interface: names.joined(separator: ", "), arguments: arguments) + hint)
    }
  }

  /// What cannot be had from devices that are no interfaces.
  private func checkDevices() throws {
    guard let device = names.first(where: { devices.contains($0) }) else { return }
    if settings.direction != .inOut {
      throw CommandError("\(device): direction is not known on this device (leave -Q and --see-sent away)")
    }
    if device.hasPrefix("nfqueue") {
      throw CommandError("\(device): each packet waits for an answer there, which swbpf does not give (try nflog)")
    }
    if isAll { throw CommandError(Messages.mixed(device)) }
  }

  private func capture(_ session: Session) throws -> CInt {
    controls = Controls(session, usesKeys: usesKeys)
    defer { controls?.stop() }
    let engine = try CaptureEngine(ringOptions) { LiveCommand.report($0) }
    // Sockets first, while there are rights to open them.
    let linkTypes = try names.map { try knownLinkType(of: $0, engine) }
    if isAll {
      try engine.prepareAll(only: names.contains("any") ? [] : names)
    } else {
      for name in names where !devices.contains(name) { try engine.prepare(name) }
    }
    let outputType = try chooseOutputType(linkTypes.compactMap(\.self))
    let filter = unsafe FilterExpression(
      settings.expression, snapLength: settings.snapLength, optimizes: settings.optimizes,
      netmask: names.count == 1 ? swpcap_link_netmask(names[0]) : .max)
    for linkType in Set(linkTypes.compactMap(\.self)) where !isAll { _ = try filter.program(linkType: linkType) }
    if isAll { _ = try filter.program(linkType: 1) }
    if settings.usesControl { controls?.openSocket() }
    let file = try openFileAndDropRights()
    try makeDescriptors(filter)
    readers = descriptors
    controls?.running = RunningCapture(readers, engine, names: names, isAll: isAll, filter: filter)
    controls?.start()
    let output = try makeOutput(outputType, file)

    if settings.persists { try waitForAll(engine, session) }
    if isEnded { return finish(engine, output, nil) }
    try attach(engine, cooked: outputType == 276)
    announce(outputType)
    let consumer = Consumer(readers, output: output, delay: delay) { [self] descriptor in
      departed(descriptor, engine, cooked: outputType == 276)
    }
    self.consumer = consumer
    // No line comes into the filter that is being typed. With -w nothing waits for a typist.
    let holds = settings.output == nil && isatty(STDOUT_FILENO) == 1
    controls?.startKeys { [weak consumer] asks in if holds { consumer?.hold(asks) } }
    let thread = Thread(name: "swbpf-consumer") {
      consumer.run()
      session.finish()
    }
    waitForEnd(session, engine, consumer, output)
    controls?.endKeys()
    engine.cancel()
    let isStuck = !settle(session, consumer) {
      engine.drain()
      // Told before the first descriptor is detached, so that what all of them still hold is merged in one go.
      consumer.end()
      for descriptor in descriptors { descriptor.detach() }
    }
    if !isStuck { thread.join() }
    return finish(engine, output, consumer, isStuck: isStuck)
  }

  var isEnded = false
  /// The daemon was asked, and refused.
  var daemonRefuses = false
  var usesKeys = false
  var controls: Controls?
  var consumer: Consumer?
  var departedName: String?
  var waiters: [Thread] = []

  // MARK: Opening

  var ringOptions: RingOptions {
    var options = RingOptions()
    options.size = settings.ringSize
    options.prefersLarge = settings.output != nil
    return options
  }

  /// nil for an interface that is not there and waited for.
  private func knownLinkType(of name: String, _ engine: CaptureEngine) throws -> Int32? {
    if devices.contains(name) { return try engine.prepareDevice(name, linkType: settings.deviceLinkType()) }
    do {
      return try Listing.linkType(of: name)
    } catch BPF.Failure.noSuchInterface where settings.persists {
      return nil
    }
  }

  /// The link type of lines and of the file: the interfaces' own, or LINUX_SLL2 when they differ or must be told apart.
  func chooseOutputType(_ types: [Int32]) throws -> Int32 {
    let first = types.first ?? 1
    let differ =
      isAll || types.contains { $0 != first }
      || (names.count > 1 && devices.isEmpty && settings.output == nil && !settings.showsLinkHeader)
    let chosen: Int32 = differ ? 276 : first
    if let device = devices.first, differ { throw CommandError(Messages.mixed(device)) }
    if let wanted = settings.linkType {
      guard let type = Listing.linkType(named: wanted) else { throw CommandError("-y \(wanted): unknown link type") }
      if type != chosen {
        throw CommandError(
          "-y \(wanted): \(names[0]) has only \(Listing.describe(chosen)) (try swbpf -L -i \(names[0]))")
      }
    }
    return chosen
  }

  /// The first output file, then no capability any more. With -Z the file is made by that user.
  func openFileAndDropRights() throws -> CInt? {
    if let user = settings.user {
      let result = unsafe swpcap_become_user(user)
      if result == -ENOENT { throw CommandError("-Z \(user): no such user") }
      if result < 0 { throw CommandError("-Z \(user): cannot become that user: \(Messages.text(of: -result))") }
    }
    let file = try openFile()
    try dropCapabilities()
    return file
  }

  private func openFile() throws(CommandError) -> CInt? {
    guard let path = settings.output else { return nil }
    do throws(CommandError) {
      return try openOutput(path)
    } catch {
      guard let user = settings.user else { throw error }
      throw CommandError("\(error.text) (as user \(user), -Z)")
    }
  }

  private func makeDescriptors(_ filter: FilterExpression) throws {
    var configuration = slotConfiguration(share: settings.bufferSize / (isAll ? 1 : names.count))
    try setPushdown()
    configuration.pushesDown = true
    for _ in 0..<(isAll ? 1 : names.count) {
      let descriptor = try BPF.Descriptor(configuration)
      try descriptor.setFilter(filter)
      try descriptor.setDirection(settings.direction)
      descriptor.setImmediate(delay == 0)
      descriptors.append(descriptor)
    }
  }

  /// - Parameter share: bytes of all slots of one descriptor.
  func slotConfiguration(share: Int) -> BPF.Descriptor.Configuration {
    let slot = max(64 << 10, min(256 << 10, share / 2))
    return BPF.Descriptor.Configuration(
      slotSize: slot, slots: max(2, share / slot), format: .savefile(nanoseconds: settings.hasNanoseconds))
  }

  /// SWBPF_PUSHDOWN is the setting swbpf.pushdown.
  private func setPushdown() throws(CommandError) {
    guard let value = unsafe getenv("SWBPF_PUSHDOWN") else { return }
    let text = unsafe String(cString: value)
    guard let number = Int(text), (try? BPF.Settings.shared.set("swbpf.pushdown", to: number)) != nil else {
      throw CommandError("SWBPF_PUSHDOWN=\(text): 0 keeps programs out of the kernel, 1 and 2 push them down")
    }
  }

  func makeOutput(_ linkType: Int32, _ file: CInt?) throws(CommandError) -> Output {
    do {
      let interface = isAll || names.count > 1 ? nil : names[0]
      return try Output(settings, linkType: linkType, file: file, interface: interface) { index in
        var buffer = [CChar](repeating: 0, count: 16)
        guard unsafe if_indextoname(index, &buffer) != nil else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      }
    } catch {
      switch error {
      case .closed: throw CommandError("standard output: \(Messages.text(of: EPIPE))")
      case .failed(let text): throw CommandError(text)
      }
    }
  }

  private func attach(_ engine: CaptureEngine, cooked: Bool) throws {
    if isAll { return try engine.attachToAll(descriptors[0]) }
    for (name, descriptor) in zip(names, descriptors) { try attach(descriptor, to: name, engine, cooked: cooked) }
  }

  private func attach(_ descriptor: BPF.Descriptor, to name: String, _ engine: CaptureEngine, cooked: Bool) throws {
    try engine.attach(descriptor, to: name, cooked: cooked)
    if settings.isPromiscuous { try? descriptor.setPromiscuous() }
  }

  /// How long a packet may wait before it is written or printed, ns.
  var delay: Int64 {
    if settings.isPacketBuffered || settings.isLineBuffered || settings.isImmediate { return 0 }
    if settings.output == nil { return isatty(STDOUT_FILENO) == 1 ? 0 : 100_000_000 }
    return settings.prints ? 100_000_000 : 1_000_000_000
  }

  /// - Parameter through: who has the interface, if not this process.
  func announce(_ linkType: Int32, through: String? = nil) {
    let prefix = settings.output == nil && settings.lines.verboseCount == 0 ? "" : "swbpf: "
    let list = names.joined(separator: ", ") + (through.map { " (through \($0))" } ?? "")
    Messages.say(
      "\(prefix)listening on \(list), link-type \(Listing.describe(linkType)), snapshot length \(settings.snapLength) bytes"
    )
    if settings.direction == .out && names == ["lo"] {
      Messages.say("swbpf: lo: packets are seen once, as received; -Q out shows nothing there")
    }
  }

  static func report(_ event: CaptureEngine.Event) {
    switch event {
    case .down(let name): Messages.say("swbpf: \(name): the interface is down; the capture goes on when it is up")
    case .up(let name): Messages.say("swbpf: \(name): the interface is up")
    case .renamed(let old, let new): Messages.say("swbpf: \(old): renamed to \(new)")
    case .notice(let text): Messages.say("swbpf: \(text)")
    case .gone, .appeared: break
    }
  }
}

/// Gives all capabilities up.
func dropCapabilities() throws(CommandError) {
  // Capabilities belong to threads: one that was there before would keep them.
  guard swpcap_thread_count() == 1 else { throw CommandError("cannot give capabilities up: there are other threads") }
  let dropped = swpcap_drop_capabilities()
  if dropped < 0 { throw CommandError("cannot give capabilities up: \(Messages.text(of: -dropped))") }
}
