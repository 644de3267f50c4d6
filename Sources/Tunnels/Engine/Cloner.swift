// What makes the tunnels of one kind.
// Made with the engine; called under its lock.
import SwBPFBPF
import SwBPFInterfaces

/// A kind of tunnels: makes interfaces and what carries their packets. One of each kind in an engine. (`struct if_clone`)
protocol Cloner: AnyObject, Sendable {
  var kind: InterfaceKind { get }
  /// What its devices carry.
  var layer: TunDevice.Layer { get }

  func make(_ parts: TunnelParts) throws(BPF.Failure) -> Tunnel

  /// What carries packets that leave by one queue of every tunnel of the kind; called once for each output worker.
  /// Opens its sockets in the network namespace of the calling thread.
  func output(queue: Int) throws(BPF.Failure) -> any OutputBody

  /// What carries packets that arrive; it has a worker of its own.
  /// Opens its sockets in the network namespace of the calling thread.
  func input() throws(BPF.Failure) -> any InputBody

  /// Ends threads of its own. No interface is left.
  func shutdown()
}

extension Cloner {
  func shutdown() {}
}
