// What policies say of packets that other kinds of tunnels send: gif and l2tp in ESP. (`ipsec4_output`)
// Used by one worker, or by whoever holds an output.
import SwBPFBPF
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

/// Costs one load while there are no policies.
final class PolicyOutput {
  private let shared: IPsecShared
  private let questions: KeyQuestions
  let capacity: Int
  /// nil until a policy asks for it.
  private var output: IPsecOutput?

  /// - Parameters:
  ///   - capacity: packets of a batch.
  ///   - isReady: what is only needed for policies is made now, in the network namespace of the calling thread; else in that of
  ///     the thread that needs it first.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: IPsecShared, capacity: Int = 64, isReady: Bool = false) throws(BPF.Failure) {
    self.shared = shared
    self.capacity = capacity
    questions = KeyQuestions(shared.keys)
    if isReady { output = try IPsecOutput(shared, capacity: capacity) }
  }

  @inline(__always) var hasPolicies: Bool { shared.keys.hasPolicies }

  /// Whether packets between these addresses leave as if there were no policies.
  /// - Parameter uppers: what the packets may be.
  @inline(never)
  func leavesAlone(_ pair: TunnelPair, uppers: [UInt8]) -> Bool {
    let now = UInt64(max(0, Clock.wall() / 1_000_000_000))
    return uppers.allSatisfy { questions.leavesAlone(pair, upper: $0, now: now) }
  }

  /// Carries packets as the policies say, and counts them: in ESP, in clear, or not at all.
  /// - Parameters:
  ///   - packets: what is behind the outer header, with room in front; at most a batch.
  ///   - upper: what they are; nil: IPv4 or IPv6.
  ///   - counted: bytes of each that count.
  /// - Returns: what became of each: 0 or a positive errno.
  @inline(never)
  func carry(
    _ packets: [PacketRoom], upper: UInt8?, _ tunnel: Tunnel, _ settings: IPsecSettings, mtu: Int, counted: [Int]
  ) -> [CInt] {
    if output == nil { output = try? IPsecOutput(shared, capacity: capacity) }
    guard output != nil else {
      var counts = TunnelCounts()
      counts.outputErrors = UInt64(packets.count)
      tunnel.counters.add(counts)
      tunnel.trouble.note(.ipsecOutput(.esp(.library)))
      return packets.map { _ in IPsecDrop.esp(.library).errno }
    }
    output?.carry(others: packets, upper: upper, tunnel, settings, mtu: mtu, counted: counted)
    return packets.indices.map { output?.error(of: $0) ?? 0 }
  }

  /// Lets go of what is only needed while there are interfaces of the kind.
  func rest(isUsed: Bool) { if !isUsed { output = nil } }
}
