// Asks the system for routes.
// Called where a route cache misses, any thread; one question at a time. (rtnetlink through CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFPackets

/// The routing table of a network namespace, asked. (`rtalloc1`)
package final class RouteResolver: @unchecked Sendable {
  private let socket: CInt
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var sequence: UInt32 = 0

  /// For the network namespace of the calling thread.
  package init() throws(BPF.Failure) {
    socket = swpcap_route_open()
    guard socket >= 0 else { throw .system(errno: -socket, call: "socket(AF_NETLINK)") }
  }

  deinit { close(socket) }

  /// The way to an address. Sleeps in the system for some microseconds, a second at most.
  /// - Parameter source: rules may look at it; one that is not this system's is left out of the question.
  package func ask(_ destination: IPAddress, from source: IPAddress? = nil) -> RouteAnswer {
    var route = swpcap_route()
    var result = send(destination, source, &route)
    if let source, result == -EINVAL || result == -ENETUNREACH, !isLocal(source) {
      result = send(destination, nil, &route)
    }
    var answer = RouteAnswer()
    guard result == 0 else {
      answer.errno = -result
      return answer
    }
    answer.interface = route.interface
    answer.pathMTU = route.mtu
    answer.isLocal = route.is_local != 0
    // SAFETY: both are 16 plain bytes.
    answer.interfaceName = unsafe InterfaceName(unsafeBitCast(route.name, to: (UInt64, UInt64).self))
    if route.interface == 0 || route.is_up == 0 { answer.errno = ENETUNREACH }
    return answer
  }

  private func isLocal(_ address: IPAddress) -> Bool {
    var route = swpcap_route()
    return send(address, nil, &route) == 0 && route.is_local != 0
  }

  private func send(_ destination: IPAddress, _ source: IPAddress?, _ route: inout swpcap_route) -> CInt {
    var to = destination.wire
    let link = destination.isLinkLocal ? destination.scope : 0
    return lock.withLock {
      sequence &+= 1
      guard let source, source.isIPv6 == destination.isIPv6 else {
        return unsafe swpcap_route_get(socket, sequence, destination.systemFamily, &to, nil, link, &route)
      }
      var from = source.wire
      return unsafe swpcap_route_get(socket, sequence, destination.systemFamily, &to, &from, link, &route)
    }
  }
}
