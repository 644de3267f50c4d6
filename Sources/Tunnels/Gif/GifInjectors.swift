// Packets that a program writes to a gif's bpf device.
// Called by writers, any thread.
import Glibc
import SwBPFBPF
import SwBPFKern

/// Outputs for threads that have none of their own.
final class GifInjectors: @unchecked Sendable {
  /// An output that one thread at a time has.
  private final class Holder {
    var output: GifOutput
    /// Writers come from any thread: nothing is left to be made by them.
    init(_ ipsec: IPsecShared) throws(BPF.Failure) {
      output = try GifOutput(try PolicyOutput(ipsec, capacity: 1, isReady: true))
    }
  }

  private let lock = Lock(rank: .leaf)
  private let returned = Condition()
  // Guarded by `lock`.
  private var free: [Holder]
  /// What workers look at; set before there is an interface.
  private weak var shared: TunnelShared?

  /// In the network namespace of the calling thread.
  init(_ ipsec: IPsecShared, count: Int = 2) throws(BPF.Failure) {
    var outputs: [Holder] = []
    for _ in 0..<count { outputs.append(try Holder(ipsec)) }
    free = outputs
  }

  func serve(_ shared: TunnelShared) { lock.withLock { self.shared = shared } }

  /// Carries a frame of DLT_NULL. Waits while others do so, for some microseconds.
  /// - Returns: 0; EAFNOSUPPORT when the family word is not that of the packet; or what the output says.
  func send(_ frame: [UInt8], by gif: Gif, unseen: Bool) -> CInt {
    guard frame.count > 4, let family = Self.family(frame) else { return EAFNOSUPPORT }
    guard frame[4] >> 4 == family else { return EAFNOSUPPORT }
    let (holder, shared) = take()
    defer { giveBack(holder) }
    guard let shared else { return ENXIO }
    return holder.output.send(
      frame[4...], gif, gif.variant.value, shared, shared.table.value, isTapped: !unseen)
  }

  /// The version of IP that a family word says.
  private static func family(_ frame: [UInt8]) -> UInt8? {
    let word = frame[..<4].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    switch UInt32(littleEndian: word) {
    case 2: return 4
    case 24: return 6
    default: return nil
    }
  }

  private func take() -> (Holder, TunnelShared?) {
    lock.withLock {
      while true {
        if let output = free.popLast() { return (output, shared) }
        _ = lock.wait(returned)
      }
    }
  }

  private func giveBack(_ output: Holder) {
    lock.withLock {
      free.append(output)
      returned.broadcast()
    }
  }
}
