// Carries what arrives for any l2tp. (`in_l2tp_input`, `in6_l2tp_input`)
// The body of an input worker; its thread only.
import Glibc
import SwBPFBPF
import SwBPFKern

final class L2TPInputBody: InputBody, @unchecked Sendable {
  private let shared: TunnelShared
  private let receivers: [RawReceiver]
  private var input: L2TPInput
  private var table: Published<TunnelTable>.Copy
  private var broadcasts: Broadcasts

  /// In the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: TunnelShared, _ ipsec: IPsecShared) throws(BPF.Failure) {
    self.shared = shared
    var receivers: [RawReceiver] = []
    for ipv6 in [false, true] {
      receivers.append(try RawReceiver(ipv6: ipv6, transport: L2TPPacket.transport, count: L2TPInput.batch))
    }
    self.receivers = receivers
    broadcasts = try Broadcasts(shared.routing)
    input = L2TPInput(shared, ipsec.keys)
    table = shared.table.copy()
  }

  var sockets: [CInt] { receivers.map(\.descriptor) }

  func refresh() { shared.table.refresh(&table) }

  func serve(_ tag: Int) -> CInt? {
    shared.table.refresh(&table)
    broadcasts.refresh()
    let count = input.serve(receivers[tag], table.value, broadcasts.addresses)
    // More is on its way: taken together it costs less, and may be put together.
    if count > 1 && count < L2TPInput.batch { Worker.rest() }
    return nil
  }
}
