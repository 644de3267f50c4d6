// Carries what arrives for any gif. (`encap4_input`, `encap6_input`, `gif_input`)
// The body of the input worker; its thread only.
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFPackets

final class GifInputWorker: InputBody, @unchecked Sendable {
  private let shared: TunnelShared
  private let receivers: [RawReceiver]
  private let errors: PathErrors
  private var input: GifInput
  private var table: Published<TunnelTable>.Copy
  private var broadcasts: Broadcasts

  /// In the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: TunnelShared, _ ipsec: IPsecShared) throws(BPF.Failure) {
    self.shared = shared
    var receivers: [RawReceiver] = []
    for ipv6 in [false, true] {
      for transport in [IPProtocol.ipv4, IPProtocol.ipv6] {
        receivers.append(try RawReceiver(ipv6: ipv6, transport: transport, count: GifInput.batch))
      }
    }
    self.receivers = receivers
    errors = try PathErrors()
    broadcasts = try Broadcasts(shared.routing)
    input = GifInput(shared, ipsec.keys)
    table = shared.table.copy()
  }

  /// What is to be watched; the place in this list is the tag.
  var sockets: [CInt] { receivers.map(\.descriptor) + [errors.descriptor] }

  func refresh() { shared.table.refresh(&table) }

  func serve(_ tag: Int) -> CInt? {
    shared.table.refresh(&table)
    guard tag < receivers.count else {
      errors.hear { destination in
        for case let tunnel? in table.value.tunnels where tunnel.publishedPair?.destination.unscoped == destination {
          tunnel.routes.flush(destination)
        }
      }
      return nil
    }
    broadcasts.refresh()
    let count = input.serve(receivers[tag], table.value, broadcasts.addresses)
    // More is on its way: taken together it costs less, and may be put together.
    if count > 1 && count < GifInput.batch { Self.rest() }
    return nil
  }

  /// Some 150 microseconds, with the timer's slack. A packet that comes alone never waits for it.
  private static func rest() {
    LockDebug.sleeping("usleep")
    usleep(100)
  }
}
