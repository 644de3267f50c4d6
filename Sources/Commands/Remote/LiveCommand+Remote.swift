// A capture through the daemon: it has the interface, and shows its frames to this process. The main thread's part.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFDaemonClient
import SwBPFFilterMachine
import SwBPFInterfaces
import SwBPFKern
import SwBPFLiveCapture

extension LiveCommand {
  /// The daemon that has the named interface; nil: this process captures itself.
  ///
  /// It is asked for names that tunnels have; for every name with SWBPF_DAEMON=1 in the environment.
  func daemon() throws -> DaemonClient? {
    guard settings.interfaces.count == 1, let name = names.first, !isAll, devices.isEmpty else { return nil }
    let asksAlways = Environment.value("SWBPF_DAEMON") == "1"
    guard asksAlways || InterfaceKind(name: name) != nil else { return nil }
    do throws(DaemonFailure) {
      let client = try DaemonClient()
      if asksAlways { return client }
      let names = try client.interfaceNames()
      return names.contains(name) ? client : nil
    } catch {
      if case .noDaemon = error, !asksAlways { return nil }
      throw CommandError(Printable.text(error.text))
    }
  }

  func capture(_ session: Session, through client: DaemonClient) throws -> CInt {
    do {
      return try captureRemotely(session, client)
    } catch let error as DaemonFailure {
      throw CommandError("\(names[0]): \(Printable.text(Self.reason(error)))")
    }
  }

  private static func reason(_ error: DaemonFailure) -> String {
    switch error.refusal?.errno {
    case EPERM: "the daemon gives no right to capture"
    case EMFILE: "the daemon has no more captures for this user (swbpf peers lists those that run)"
    case ENOMEM: "the daemon has no more memory for the captures of this user (try less, -B)"
    default: error.text
    }
  }

  private func captureRemotely(_ session: Session, _ client: DaemonClient) throws -> CInt {
    controls = Controls(session, usesKeys: usesKeys)
    defer { controls?.stop() }
    let size = min(settings.bufferSize, LiveCommand.mostRemoteBytes)
    if settings.choosesBufferSize && size < settings.bufferSize {
      Messages.say(
        "swbpf: \(names[0]): -B \(settings.bufferSize >> 10): the daemon gives a capture at most \(size >> 10) KiB")
    }
    let slot = max(64 << 10, min(256 << 10, size / 2))
    let remote = try RemoteDescriptor(
      client, slotSize: slot, slots: max(2, size / slot), nanoseconds: settings.hasNanoseconds)
    // First of all nothing is let in: the program is known when the link type is.
    try remote.setProgram(from: { _ in try Program([Instruction(code: 0x06)]) }, flushing: true)
    try remote.change(settings.direction)
    let (linkType, wait) = try remote.attach(to: names[0])
    let outputType = try chooseOutputType([linkType])
    let filter = unsafe FilterExpression(
      settings.expression, snapLength: settings.snapLength, optimizes: settings.optimizes,
      netmask: swpcap_link_netmask(names[0]))
    let program = try filter.program(linkType: linkType)
    if settings.usesControl { controls?.openSocket() }
    let file = try openFileAndDropRights()
    readers = [remote]
    controls?.running = RunningCapture([remote], nil, names: names, isAll: false, filter: filter)
    controls?.start()
    let output = try makeOutput(outputType, file)
    try remote.setProgram(program, flushing: true)
    announce(outputType, through: "the daemon, process \(remote.server)")
    let consumer = Consumer([remote], output: output, delay: delay) { [self] _ in
      let isDaemonGone = !remote.clearWake()
      Messages.say("swbpf: \(names[0]): " + (isDaemonGone ? "the daemon ended" : "the interface went away"))
      departedName = names[0]
      self.consumer?.end()
      return false
    }
    self.consumer = consumer
    let holds = settings.output == nil && isatty(STDOUT_FILENO) == 1
    controls?.startKeys { [weak consumer] asks in if holds { consumer?.hold(asks) } }
    let thread = Thread(name: "swbpf-consumer") {
      consumer.run()
      session.finish()
    }
    waitForEnd(session, nil, consumer, output)
    controls?.endKeys()
    let isStuck = !settle(session, consumer) {
      // What was sent before the signal has reached the tap then.
      if wait > 0 { usleep(UInt32(wait / 1000)) }
      consumer.end()
      try? remote.leave()
    }
    if !isStuck { thread.join() }
    let status = finish(nil, output, consumer, isStuck: isStuck)
    remote.shut()
    return status
  }

  /// Bytes of slots that are asked of the daemon at most.
  private static let mostRemoteBytes = 16 << 20
}
