// Packets that a program writes to an ipsec's bpf device.
// Called by writers, any thread.
import Glibc
import SwBPFBPF
import SwBPFKern

final class IPsecDriver: TunnelDriver, @unchecked Sendable {
  private let injectors: IPsecInjectors

  init(_ injectors: IPsecInjectors) { self.injectors = injectors }

  override func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    guard let ipsec = tunnel.value as? IPsec else { throw .departed }
    let settings = ipsec.variant.value
    return BPF.OutputState(isUp: settings.isUp, maximumPayload: settings.mtu, address: [])
  }

  /// A frame goes out through the tunnel, behind its family word.
  override func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    guard let ipsec = tunnel.value as? IPsec else { throw .departed }
    let error = injectors.send(frame, by: ipsec, unseen: unseen)
    if error != 0 { throw .system(errno: error, call: "ipsecif_output") }
  }
}

/// Outputs for threads that have none of their own.
final class IPsecInjectors: @unchecked Sendable {
  private final class Holder {
    var output: IPsecOutput
    init(_ shared: IPsecShared) throws(BPF.Failure) { output = try IPsecOutput(shared, capacity: 1) }
  }

  private let outputs: Pool<Holder>

  /// In the network namespace of the calling thread.
  init(_ shared: IPsecShared, count: Int = 2) throws(BPF.Failure) {
    var holders: [Holder] = []
    for _ in 0..<count { holders.append(try Holder(shared)) }
    outputs = Pool(holders)
  }

  /// Carries a frame of DLT_NULL. Waits while others do so, for some microseconds.
  /// - Returns: 0; EAFNOSUPPORT when the family word is not that of the packet; or what the output says.
  func send(_ frame: [UInt8], by ipsec: IPsec, unseen: Bool) -> CInt {
    guard frame.count > 4, let family = NullHeader.version(frame), frame[4] >> 4 == family else { return EAFNOSUPPORT }
    return outputs.with { $0.output.send(frame[4...], ipsec, ipsec.variant.value, isTapped: !unseen) }
  }
}

/// The family word of DLT_NULL.
enum NullHeader {
  /// The version of IP that it says.
  static func version(_ frame: [UInt8]) -> UInt8? {
    let word = frame[..<4].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    switch UInt32(littleEndian: word) {
    case 2: return 4
    case 24: return 6
    default: return nil
    }
  }
}
