// A capture through the daemon: it has the interface, and shows its frames to this process. The main thread's part.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFDaemonClient
import SwBPFFilterMachine
import SwBPFInterfaces
import SwBPFKern
import SwBPFLiveCapture

/// A reader that the daemon has opened and attached.
struct RemoteSource {
  let remote: RemoteDescriptor
  let linkType: Int32
  /// How long frames may be on their way to the tap, ns.
  let delay: Int64
  /// The interface is the daemon's own.
  let isTunnel: Bool
}

extension LiveCommand {
  /// A reader at the daemon of this network namespace; nil: this process captures itself.
  ///
  /// The daemon's tunnels are read there. So is any other interface, where the request fits and the daemon serves the user;
  /// with SWBPF_DAEMON=1 in the environment nowhere else, and with 0, or --private, never.
  func openRemote() throws -> RemoteSource? {
    guard names.count == 1, let name = names.first, !isAll, devices.isEmpty, !settings.isPrivate else { return nil }
    let setting = Environment.value("SWBPF_DAEMON")
    var (insists, isTunnel) = (setting == "1", false)
    do throws(DaemonFailure) {
      guard insists || InterfaceKind(name: name) != nil || (setting != "0" && fitsDaemon) else { return nil }
      let client = try DaemonClient()
      if InterfaceKind(name: name) != nil { isTunnel = try client.interfaceNames().contains(name) }
      insists = insists || isTunnel
      guard insists || (setting != "0" && fitsDaemon) else { return nil }
      return try open(name, client, isTunnel: isTunnel)
    } catch {
      if insists { throw CommandError("\(name): \(Printable.text(Self.reason(error)))") }
      switch error.refusal?.errno {
      case EPERM: daemonRefuses = true
      case ENOMEM, EMFILE: Messages.say("swbpf: \(name): \(Self.reason(error)); this one has a ring of its own")
      default: break
      }
      return nil
    }
  }

  /// Whether the daemon can give what is asked for: it has the ring, and its limits.
  private var fitsDaemon: Bool {
    settings.ringSize == nil && !(settings.choosesBufferSize && settings.bufferSize > Self.mostRemoteBytes)
  }

  private static func reason(_ error: DaemonFailure) -> String {
    switch error.refusal?.errno {
    case EPERM: "the daemon gives no right to capture"
    case EMFILE: "the daemon has no more captures for this user (swbpf peers lists those that run)"
    case ENOMEM: "the daemon has no more memory for the captures of this user (ask for less, -B)"
    default: error.text
    }
  }

  /// Nothing is let in yet: the program is known when the link type is.
  private func open(_ name: String, _ client: DaemonClient, isTunnel: Bool) throws(DaemonFailure) -> RemoteSource {
    var size = min(settings.bufferSize, Self.mostRemoteBytes)
    let remote = try openDescriptor(client, &size)
    try remote.refuseAll()
    try remote.change(settings.direction)
    let (linkType, delay) = try remote.attach(to: name)
    if settings.isPromiscuous && !isTunnel { try? remote.setPromiscuous() }
    if self.delay == 0 { try? remote.setImmediate(true) }
    if settings.choosesBufferSize && size < settings.bufferSize {
      Messages.say(
        "swbpf: \(name): -B \(settings.bufferSize >> 10): the daemon gives a capture at most \(size >> 10) KiB")
    }
    return RemoteSource(remote: remote, linkType: linkType, delay: delay, isTunnel: isTunnel)
  }

  /// Takes less where nobody has said how much: what a user's captures have together is limited.
  /// - Parameter size: bytes; what was got.
  private func openDescriptor(_ client: DaemonClient, _ size: inout Int) throws(DaemonFailure) -> RemoteDescriptor {
    while true {
      let slot = max(64 << 10, min(256 << 10, size / 2))
      do throws(DaemonFailure) {
        return try RemoteDescriptor(
          client, slotSize: slot, slots: max(2, size / slot), nanoseconds: settings.hasNanoseconds)
      } catch {
        guard error.refusal?.errno == ENOMEM, !settings.choosesBufferSize, size > Self.leastRemoteBytes else {
          throw error
        }
        size /= 2
      }
    }
  }

  func capture(_ session: Session, from source: RemoteSource) throws -> CInt {
    do {
      return try captureRemotely(session, source)
    } catch let error as DaemonFailure { throw CommandError("\(names[0]): \(Printable.text(Self.reason(error)))") }
  }

  private func captureRemotely(_ session: Session, _ source: RemoteSource) throws -> CInt {
    let remote = source.remote
    controls = Controls(session, usesKeys: usesKeys)
    defer { controls?.stop() }
    let outputType = try chooseOutputType([source.linkType])
    let filter = unsafe FilterExpression(
      settings.expression, snapLength: settings.snapLength, optimizes: settings.optimizes,
      netmask: swpcap_link_netmask(names[0]))
    let program = try filter.program(linkType: source.linkType)
    // Its socket is opened while there are rights to, and receives nothing.
    let engine = settings.persists && !source.isTunnel ? ownEngine() : nil
    if settings.usesControl { controls?.openSocket() }
    let file = try openFileAndDropRights()
    let failover = engine.map { _ in
      FailoverReader(
        remote,
        FailoverReader.Settings(direction: settings.direction) { linkType in try filter.program(linkType: linkType) })
    }
    readers = [failover.map { $0 as any CaptureReader } ?? remote]
    controls?.running = RunningCapture(readers, engine, names: names, isAll: false, filter: filter)
    controls?.start()
    let output = try makeOutput(outputType, file)
    try remote.setProgram(program, flushing: true)
    announce(outputType, through: "the daemon, process \(remote.server)")
    let consumer = Consumer(readers, output: output, delay: delay) { [self] _ in
      let isDaemonGone = !remote.isDeparted || !remote.clearWake()
      Messages.say("swbpf: \(names[0]): " + (isDaemonGone ? "the daemon ended" : "the interface went away"))
      departedName = names[0]
      self.consumer?.end()
      return false
    }
    self.consumer = consumer
    let watch = failover.flatMap { failover in engine.map { startWatch(failover, $0, consumer) } }
    let holds = settings.output == nil && isatty(STDOUT_FILENO) == 1
    controls?.startKeys { [weak consumer] asks in if holds { consumer?.hold(asks) } }
    let thread = Thread(name: "swbpf-consumer") {
      consumer.run()
      session.finish()
    }
    waitForEnd(session, engine, consumer, output)
    controls?.endKeys()
    watch?.stop()
    engine?.cancel()
    let isStuck = !settle(session, consumer) {
      if failover?.replacement != nil {
        engine?.drain()
      } else if source.delay > 0 {
        // What was sent before the signal has reached the tap then.
        usleep(UInt32(source.delay / 1000))
      }
      consumer.end()
      try? remote.leave()
      failover?.giveUp()
    }
    if !isStuck { thread.join() }
    let status = finish(engine, output, consumer, isStuck: isStuck)
    remote.shut()
    return status
  }

  /// For --persist; nil where this process may not open a socket of its own.
  private func ownEngine() -> CaptureEngine? {
    guard let engine = try? CaptureEngine(ringOptions, onEvent: { LiveCommand.report($0) }),
      (try? engine.prepare(names[0])) != nil
    else { return nil }
    return engine
  }

  private func startWatch(_ failover: FailoverReader, _ engine: CaptureEngine, _ consumer: Consumer) -> FailoverWatch {
    let (name, isPromiscuous, isImmediate) = (names[0], settings.isPromiscuous, delay == 0)
    var configuration = slotConfiguration(share: settings.bufferSize)
    configuration.pushesDown = true
    let chosen = configuration
    let watch = FailoverWatch(failover, name: name) {
      var tries = 0
      while try engine.waitForInterface(named: name) {
        do {
          let descriptor = try BPF.Descriptor(chosen)
          descriptor.setImmediate(isImmediate)
          try failover.replace(with: descriptor) {
            try engine.attach(descriptor, to: name)
            if isPromiscuous { try? descriptor.setPromiscuous() }
          }
          return true
        } catch {
          // One that has just come may be gone again.
          tries += 1
          if tries > 100 { throw error }
          usleep(10_000)
        }
      }
      return false
    }
    waiters.append(Thread(name: "swbpf-await") { watch.run(consumer) })
    return watch
  }

  /// Bytes of slots that are asked of the daemon at most.
  private static let mostRemoteBytes = 16 << 20
  /// Less is only asked for where the user says so.
  private static let leastRemoteBytes = 1 << 20
}
