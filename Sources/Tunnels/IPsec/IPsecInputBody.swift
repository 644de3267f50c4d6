// Carries what arrives for any ipsec interface. (`esp_input`, `udp4_espinudp`)
// The body of the input worker; its thread only.
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFPackets

final class IPsecInputBody: InputBody, @unchecked Sendable {
  private let shared: IPsecShared
  private let receivers: [RawReceiver]
  private var input: IPsecInput
  private let relay: IKERelay
  private var table: Published<TunnelTable>.Copy
  private var broadcasts: Broadcasts
  private var tags = [UInt64](repeating: 0, count: 16)

  /// In the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: IPsecShared) throws(BPF.Failure) {
    self.shared = shared
    receivers = [
      try RawReceiver(ipv6: false, transport: IPProtocol.esp, count: IPsecInput.batch),
      try RawReceiver(ipv6: true, transport: IPProtocol.esp, count: IPsecInput.batch),
    ]
    broadcasts = try Broadcasts(shared.tunnels.routing)
    input = try IPsecInput(shared)
    relay = try IKERelay(shared)
    table = shared.tunnels.table.copy()
  }

  /// What is to be watched; the place in this list is the tag. The last two stand for all ports of NAT traversal, and for the
  /// answers of who negotiates keys.
  var sockets: [CInt] { receivers.map(\.descriptor) + [shared.sockets.descriptor, relay.descriptor] }

  func refresh() {
    shared.tunnels.table.refresh(&table)
    input.rest(isUsed: table.value.ipsecs.contains { $0 != nil })
    relay.refresh()
  }

  func serve(_ tag: Int) -> CInt? {
    shared.tunnels.table.refresh(&table)
    broadcasts.refresh()
    if tag < receivers.count {
      let count = input.serve(receivers[tag], table.value, broadcasts.addresses)
      // More is on its way: taken together it costs less, and may be put together.
      if count > 1 && count < IPsecInput.batch { Worker.rest() }
      return nil
    }
    if tag > receivers.count {
      relay.answer()
      return nil
    }
    for socket in shared.sockets.waiting(&tags) {
      _ = input.serve(socket, table.value, broadcasts.addresses, relay)
    }
    return nil
  }
}
