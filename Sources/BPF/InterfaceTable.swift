// Interfaces that this process makes itself, by name: tunnels. Looked at before the system's.
// Changed by those who make them, read by whoever attaches; any thread.
import SwBPFKern

extension BPF {
  /// The tap points of interfaces that are fed by this process and not by packet sockets.
  package final class InterfaceTable: @unchecked Sendable {
    private let lock = Lock(rank: .leaf)
    // Guarded by `lock`.
    private var interfaces: [String: (ifnet: Ifnet, interface: Interface)] = [:]

    package init() {}

    /// The default tap point of an interface; nil when there is none of that name here.
    package func interface(named name: String) -> Interface? { lock.withLock { interfaces[name]?.interface } }

    package var names: [String] { lock.withLock { interfaces.keys.sorted() } }

    /// - Parameter interface: the default tap point of `ifnet`.
    package func add(_ ifnet: Ifnet, _ interface: Interface, named name: String) {
      lock.withLock { interfaces[name] = (ifnet, interface) }
    }

    package func remove(_ name: String) {
      // Let go of outside the lock.
      let old = lock.withLock { interfaces.removeValue(forKey: name) }
      withExtendedLifetime(old) {}
    }
  }
}
