// Which ports of NAT traversal are open, and how the input worker hears of all of them through one descriptor.
// Opened and let go by requests; looked at by the input worker.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern

/// - Threads: any.
final class NATSockets: @unchecked Sendable {
  private struct Key: Hashable {
    let isIPv6: Bool
    let port: UInt16
  }

  private struct Entry {
    let socket: NATSocket
    let tag: UInt64
    var users: Int
  }

  /// Readable while a datagram waits at any of them.
  let descriptor: CInt
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var entries: [Key: Entry] = [:]
  private var byTag: [UInt64: NATSocket] = [:]
  private var lastTag: UInt64 = 0

  init() throws(BPF.Failure) {
    descriptor = swpcap_poll_open()
    guard descriptor >= 0 else { throw .system(errno: -descriptor, call: "epoll_create") }
  }

  deinit { close(descriptor) }

  /// The socket of a port; opened when nobody has it yet. In the network namespace of the calling thread. To be given back.
  /// - Throws: as ``NATSocket/init(isIPv6:port:room:)``.
  func take(isIPv6: Bool, port: UInt16) throws(BPF.Failure) -> NATSocket {
    let key = Key(isIPv6: isIPv6, port: port)
    let known = lock.withLock { () -> NATSocket? in
      entries[key]?.users += 1
      return entries[key]?.socket
    }
    if let known { return known }
    let socket = try NATSocket(isIPv6: isIPv6, port: port)
    let tag = lock.withLock { () -> UInt64 in
      lastTag += 1
      entries[key] = Entry(socket: socket, tag: lastTag, users: 1)
      byTag[lastTag] = socket
      return lastTag
    }
    let result = swpcap_poll_add(descriptor, socket.descriptor, tag)
    guard result == 0 else {
      giveBack(socket)
      throw .system(errno: -result, call: "epoll_ctl")
    }
    return socket
  }

  /// The socket of a port that somebody has. Not to be kept.
  func known(isIPv6: Bool, port: UInt16) -> NATSocket? {
    lock.withLock { entries[Key(isIPv6: isIPv6, port: port)]?.socket }
  }

  /// Whoever took it does not need it any more. It is closed when workers have let go of it, too.
  func giveBack(_ socket: NATSocket) {
    let key = Key(isIPv6: socket.isIPv6, port: socket.port)
    let isLast = lock.withLock { () -> Bool in
      guard var entry = entries[key], entry.socket === socket else { return false }
      entry.users -= 1
      if entry.users > 0 {
        entries[key] = entry
        return false
      }
      entries[key] = nil
      byTag[entry.tag] = nil
      return true
    }
    if isLast { _ = swpcap_poll_remove(descriptor, socket.descriptor) }
  }

  /// The sockets at which something waits.
  func waiting(_ tags: inout [UInt64]) -> [NATSocket] {
    let count = unsafe swpcap_poll_wait(descriptor, &tags, CInt(tags.count), 0)
    guard count > 0 else { return [] }
    return lock.withLock { tags.prefix(Int(count)).compactMap { byTag[$0] } }
  }
}
