// The tunnel interfaces of one network namespace.
// Called by the daemon's requests; any thread of that namespace. Its lock is held while the system is asked.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets

import class SwBPFPFKey.KeyEngine

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
    /// Policies and associations of ipsec interfaces.
    package var keys = KeyEngine(now: UInt64(max(0, Clock.wall() / 1_000_000_000)))
    /// Before NetBSD corrected it, two tunnels over IPv6 could not have the same addresses, not even one after the other. For
    /// showing that fault only.
    package var hasOldEncapsulationKeys = false
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
  var tunnels: [String: Tunnel] = [:]
  private var table: [Tunnel?] = []
  /// Of each in `table`: its place in `cloners`.
  private var kinds: [Int?] = []
  var values = TunnelSettings()
  private let cloners: [any Cloner]
  private var outputs: [Worker] = []
  private var inputs: [Worker] = []
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
      let memory = PerCPUMemory(cpus: options.queues + InterfaceKind.allCases.count)
      let routing = try Routing(onChange: { [follower] in follower.somethingChanged() })
      shared = TunnelShared(routing, memory: memory, onLog: options.onLog)
      let ipsec = try IPsecShared(shared, options.keys)
      cloners = [try GifCloner(shared, ipsec), try L2TPCloner(shared, ipsec), try IPsecCloner(ipsec)]
      for number in 0..<options.queues {
        var bodies: [any OutputBody] = []
        for cloner in cloners { bodies.append(try cloner.output(queue: number)) }
        let body = OutputWorker(shared, bodies)
        outputs.append(try Worker(name: "swbpf-out\(number)", cpu: number, of: memory, body))
      }
      for (place, cloner) in cloners.enumerated() {
        let body = try cloner.input()
        let worker = try Worker(name: "swbpf-in-\(cloner.kind)", cpu: options.queues + place, of: memory, body)
        inputs.append(worker)
        for (tag, socket) in body.sockets.enumerated() { try worker.watch(socket, tag: tag) }
      }
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

  package var names: [String] { lock.withLock { tunnels.values.sorted { $0.number < $1.number }.map(\.name) } }

  /// Makes an interface. (SIOCIFCREATE)
  /// - Throws: EEXIST; EINVAL for a name that is no tunnel's; EBUSY when the system has another interface of that name; ENOENT
  ///   without /dev/net/tun; EPERM.
  package func create(_ name: String) throws(InterfaceFailure) {
    let request = "SIOCIFCREATE"
    guard let kind = cloners.firstIndex(where: { $0.kind == InterfaceKind(name: name) }) else {
      throw InterfaceFailure(errno: EINVAL, request: request, text: "\(name) is no name of a tunnel")
    }
    try lock.withLock { () throws(InterfaceFailure) in
      guard !isClosed else { throw InterfaceFailure(errno: ENXIO, request: request, text: "tunnels have ended") }
      guard tunnels[name] == nil else { throw InterfaceFailure(errno: EEXIST, request: request) }
      do throws(BPF.Failure) {
        try make(name, kind)
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
  /// - Parameter kind: its place in `cloners`.
  private func make(_ name: String, _ kind: Int) throws(BPF.Failure) {
    let cloner = cloners[kind]
    var queues = [try TunDevice(name, cloner.layer)]
    while queues.count < options.queues { queues.append(try TunDevice(queueOf: queues[0], cloner.layer)) }
    for queue in queues { try queue.setOffload(checksums: true, segments: true) }
    try control.setMTU(name, Tunnel.defaultMTU)
    let number = table.firstIndex { $0 == nil } ?? table.count
    let tunnel = try cloner.make(
      TunnelParts(
        name: name, number: number, index: control.index(of: name), queues: queues,
        routes: RouteCache(shared.routing, in: shared.memory)))
    tunnel.publish(values)
    tunnel.driver.tunnel.publish(tunnel)
    if number == table.count {
      table.append(nil)
      kinds.append(nil)
    }
    (table[number], kinds[number]) = (tunnel, kind)
    tunnels[name] = tunnel
    options.taps.add(tunnel.ifnet, tunnel.interface, named: name)
    publishTable()
    do throws(BPF.Failure) {
      for (worker, queue) in zip(outputs, queues) { try worker.watch(queue.descriptor, tag: number) }
    } catch {
      end(tunnel)
      throw error
    }
  }

  /// Ends an interface, whatever its state; when this returns nothing goes through it any more. (SIOCIFDESTROY)
  /// - Throws: ENXIO; EINVAL for an interface of the system that is no tunnel of this engine.
  package func destroy(_ name: String) throws(InterfaceFailure) {
    try lock.withLock { () throws(InterfaceFailure) in
      let tunnel = try find(name, "SIOCIFDESTROY", other: EINVAL)
      end(tunnel)
    }
  }

  /// The lock is held.
  func end(_ tunnel: Tunnel) {
    tunnels[tunnel.name] = nil
    (table[tunnel.number], kinds[tunnel.number]) = (nil, nil)
    options.taps.remove(tunnel.name)
    tunnel.driver.tunnel.publish(nil)
    tunnel.willEnd(in: self)
    publishTable()
    for (worker, queue) in zip(outputs, tunnel.queues) { worker.forget(queue.descriptor) }
    settle()
    tunnel.ifnet.depart()
    // The device goes with the last reference on its queues, which nobody has now but this thread: and a writer perhaps.
  }

  var ipsecShared: IPsecShared? { cloners.lazy.compactMap { ($0 as? IPsecCloner)?.shared }.first }

  /// An interface of this engine. The lock is held.
  /// - Parameter other: errno for one of the system's.
  func find(_ name: String, _ request: String, other: CInt = EOPNOTSUPP) throws(InterfaceFailure) -> Tunnel {
    if let tunnel = tunnels[name] { return tunnel }
    guard control.index(of: name) != 0 else { throw InterfaceFailure(errno: ENXIO, request: request) }
    throw InterfaceFailure(errno: other, request: request, text: "\(name) is no tunnel of this engine")
  }

  /// Workers see the interfaces of now from their next pass on. The lock is held.
  func publishTable() { shared.table.publish(TunnelTable(table, kinds: kinds)) }

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
      for tunnel in tunnels.values { end(tunnel) }
    }
    for cloner in cloners { cloner.shutdown() }
    for worker in outputs { worker.stop() }
    for worker in inputs { worker.stop() }
  }

  // MARK: What the system's other tools change

  /// The state of the devices becomes that of the interfaces: others may have changed it. On the follower's thread.
  private func followSystem() {
    lock.withLock {
      guard !isClosed else { return }
      for tunnel in tunnels.values {
        guard let state = control.state(of: tunnel.name), control.index(of: tunnel.name) == tunnel.index else {
          options.onLog(.warning, "\(tunnel.name): the device is gone")
          end(tunnel)
          continue
        }
        guard state.isUp != tunnel.isUp || state.mtu != tunnel.mtu else { continue }
        tunnel.isUp = state.isUp
        tunnel.mtu = state.mtu
        tunnel.publish(values)
      }
    }
  }
}
