// What all workers of an engine look at.
// Made with the engine; any thread.
import SwBPFBPF
import SwBPFKern
import SwBPFPackets
import Synchronization

/// The engine as its workers see it: nothing here waits for a request.
final class TunnelShared: Sendable {
  let routing: Routing
  /// The CPUs of this engine's workers.
  let memory: PerCPUMemory
  let table = Published(TunnelTable([], kinds: []))
  let onLog: @Sendable (TunnelEngine.Severity, String) -> Void
  /// Received packets that no tunnel took. (NOGIF)
  let strays = Atomic<UInt64>(0)
  /// Of the last outer packet that was cut into fragments. Starts anywhere.
  private let identification = Atomic<UInt32>(UInt32.random(in: 1...UInt32.max))

  init(
    _ routing: Routing, memory: PerCPUMemory, onLog: @escaping @Sendable (TunnelEngine.Severity, String) -> Void
  ) {
    self.routing = routing
    self.memory = memory
    self.onLog = onLog
  }

  /// A number for the fragments of one packet; its low 16 bits are not 0.
  func nextIdentification() -> UInt32 {
    while true {
      let number = identification.wrappingAdd(1, ordering: .relaxed).newValue
      if number & 0xffff != 0 { return number }
    }
  }
}
