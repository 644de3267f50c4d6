// The tunnel interfaces of one network namespace.
// Called by the daemon's requests; any thread of that namespace. Its lock is held while the system is asked.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets

/// Makes tunnel interfaces and carries what goes through them. (`if_clone`, `ifioctl`)
///
/// A refusal is an ``InterfaceFailure`` with the request that it answers, and leaves everything as it was.
/// - Threads: any, in the network namespace of the one that made it.
package final class TunnelEngine: @unchecked Sendable {
  package struct Options: Sendable {
    /// Queues of a device, each with a thread that carries what goes out by it.
    package var queues = max(1, min(4, sysconf(CInt(_SC_NPROCESSORS_ONLN))))
    /// Where the tap points of tunnels are found by name.
    package var taps = BPF.InterfaceTable()
    /// Called on any thread, seldom; must not call the engine back.
    package var onLog: @Sendable (Severity, String) -> Void = { _, _ in }

    package init() {}
  }

  package enum Severity: Sendable {
    case notice, warning, error
  }

  let options: Options
  let shared: TunnelShared
  let lock = Lock(rank: .engine)
  // Guarded by `lock`.
  let control: InterfaceControl
  var gifs: [String: Gif] = [:]
  var table: [Gif?] = []
  var values = TunnelSettings()
  private var outputs: [Worker<GifOutputWorker>] = []
  private var inputs: [Worker<GifInputWorker>] = []
  private var isClosed = false
  private let follower: Follower

  /// Opens the sockets and starts the threads; makes no interface.
  ///
  /// From now on the system does not answer that it knows no such protocol to outer packets, whatever their addresses.
  /// - Throws: EPERM without CAP_NET_ADMIN or CAP_NET_RAW.
  package init(_ options: Options = Options()) throws(InterfaceFailure) {
    self.options = options
    follower = Follower()
    do throws(BPF.Failure) {
      control = try InterfaceControl()
    } catch {
      throw InterfaceFailure(
        error, "", error.errno == EPERM ? "tunnels need the capability CAP_NET_ADMIN" : "rtnetlink")
    }
    do throws(BPF.Failure) {
      let memory = PerCPUMemory(cpus: options.queues + 1)
      let routing = try Routing(onChange: { [follower] in follower.somethingChanged() })
      shared = try TunnelShared(routing, memory: memory, onLog: options.onLog)
      for number in 0..<options.queues {
        let body = try GifOutputWorker(shared, queue: number)
        outputs.append(try Worker(name: "swbpf-out\(number)", cpu: number, of: memory, body))
      }
      let body = try GifInputWorker(shared)
      inputs.append(try Worker(name: "swbpf-in", cpu: options.queues, of: memory, body))
      for (tag, socket) in body.sockets.enumerated() { try inputs[0].watch(socket, tag: tag) }
    } catch {
      for worker in outputs { worker.stop() }
      for worker in inputs { worker.stop() }
      follower.stop()
      throw InterfaceFailure(error, "", error.errno == EPERM ? "tunnels need the capability CAP_NET_RAW" : "")
    }
    follower.follow { [weak self] in self?.followSystem() }
  }

  deinit { shutdown() }

  // MARK: Interfaces

  package var names: [String] { lock.withLock { gifs.values.sorted { $0.number < $1.number }.map(\.name) } }

  /// Makes an interface. (SIOCIFCREATE)
  /// - Throws: EEXIST; EINVAL for a name that is no tunnel's; EBUSY when the system has another interface of that name; ENOENT
  ///   without /dev/net/tun; EPERM.
  package func create(_ name: String) throws(InterfaceFailure) {
    let request = "SIOCIFCREATE"
    guard InterfaceKind(name: name) == .gif else {
      throw InterfaceFailure(errno: EINVAL, request: request, text: "\(name) is no name of a tunnel")
    }
    try lock.withLock { () throws(InterfaceFailure) in
      guard !isClosed else { throw InterfaceFailure(errno: ENXIO, request: request, text: "tunnels have ended") }
      guard gifs[name] == nil else { throw InterfaceFailure(errno: EEXIST, request: request) }
      do throws(BPF.Failure) {
        try make(name)
      } catch {
        throw InterfaceFailure(error, request, Self.explanation(error, name))
      }
    }
  }

  private static func explanation(_ failure: BPF.Failure, _ name: String) -> String {
    switch failure.errno {
    case EBUSY: "the system has an interface \(name) already"
    case ENOENT, ENODEV: "there is no /dev/net/tun"
    case EPERM, EACCES: "tunnels need the capability CAP_NET_ADMIN and access to /dev/net/tun"
    default: ""
    }
  }

  /// The lock is held. What was made goes when something fails.
  private func make(_ name: String) throws(BPF.Failure) {
    var queues = [try TunDevice(name, .ip)]
    while queues.count < options.queues { queues.append(try TunDevice(queueOf: queues[0], .ip)) }
    for queue in queues { try queue.setOffload(checksums: true, segments: true) }
    try control.setMTU(name, Gif.defaultMTU)
    let number = table.firstIndex { $0 == nil } ?? table.count
    let driver = GifDriver(shared.injectors)
    let gif = try Gif(
      name, number: number, index: control.index(of: name), queues: queues,
      routes: RouteCache(shared.routing, in: shared.memory), driver: driver)
    gif.publish(values)
    driver.gif.publish(gif)
    if number == table.count { table.append(gif) } else { table[number] = gif }
    gifs[name] = gif
    options.taps.add(gif.ifnet, gif.interface, named: name)
    publishTable()
    do throws(BPF.Failure) {
      for (worker, queue) in zip(outputs, queues) { try worker.watch(queue.descriptor, tag: number) }
    } catch {
      end(gif)
      throw error
    }
  }

  /// Ends an interface, whatever its state; when this returns nothing goes through it any more. (SIOCIFDESTROY)
  /// - Throws: ENXIO; EINVAL for an interface of the system that is no tunnel of this engine.
  package func destroy(_ name: String) throws(InterfaceFailure) {
    try lock.withLock { () throws(InterfaceFailure) in
      let gif = try find(name, "SIOCIFDESTROY", other: EINVAL)
      end(gif)
    }
  }

  /// The lock is held.
  func end(_ gif: Gif) {
    gifs[gif.name] = nil
    table[gif.number] = nil
    options.taps.remove(gif.name)
    gif.driver.gif.publish(nil)
    publishTable()
    for (worker, queue) in zip(outputs, gif.queues) { worker.forget(queue.descriptor) }
    settle()
    gif.ifnet.depart()
    // The device goes with the last reference on its queues, which nobody has now but this thread: and a writer perhaps.
  }

  /// An interface of this engine. The lock is held.
  /// - Parameter other: errno for one of the system's.
  func find(_ name: String, _ request: String, other: CInt = EOPNOTSUPP) throws(InterfaceFailure) -> Gif {
    if let gif = gifs[name] { return gif }
    guard control.index(of: name) != 0 else { throw InterfaceFailure(errno: ENXIO, request: request) }
    throw InterfaceFailure(errno: other, request: request, text: "\(name) is no tunnel of this engine")
  }

  /// Workers see the interfaces of now from their next pass on. The lock is held.
  func publishTable() { shared.table.publish(GifTable(table)) }

  /// Waits until every worker has ended the pass that it is in: what was published before is what they go by. The lock is held.
  func settle() {
    for worker in outputs { worker.settle() }
    for worker in inputs { worker.settle() }
  }

  /// Ends every interface and thread; devices, addresses and sockets are gone when this returns. Later calls do nothing.
  package func shutdown() {
    follower.stop()
    lock.withLock {
      guard !isClosed else { return }
      isClosed = true
      for gif in gifs.values { end(gif) }
    }
    for worker in outputs { worker.stop() }
    for worker in inputs { worker.stop() }
  }

  // MARK: What the system's other tools change

  /// The state of the devices becomes that of the interfaces: others may have changed it. On the follower's thread.
  private func followSystem() {
    lock.withLock {
      guard !isClosed else { return }
      for gif in gifs.values {
        guard let state = control.state(of: gif.name), control.index(of: gif.name) == gif.index else {
          options.onLog(.warning, "\(gif.name): the device is gone")
          end(gif)
          continue
        }
        guard state.isUp != gif.isUp || state.mtu != gif.mtu else { continue }
        gif.isUp = state.isUp
        gif.mtu = state.mtu
        gif.publish(values)
      }
    }
  }
}
