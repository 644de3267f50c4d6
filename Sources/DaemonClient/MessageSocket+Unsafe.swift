// Messages over a local socket, one packet each, with descriptors. Called by clients and by the daemon.
internal import CPcapShim
import Glibc
import SwBPFKern

/// A connected socket. Owns it.
/// - Threads: any.
package final class MessageSocket: Sendable {
  package enum Outcome: Equatable, Sendable {
    /// Descriptors are the caller's to close.
    case message([UInt8], descriptors: [CInt])
    /// Nothing there, or no room, now.
    case wait
    case end
    /// errno; EMSGSIZE: longer than a message, or with too many descriptors, and gone.
    case failed(CInt)
  }

  package let descriptor: CInt

  package init(_ descriptor: CInt) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Who is at the other end, by the kernel's word: of a client's socket, who called listen.
  package var peer: (user: UInt32, group: UInt32, pid: Int32)? {
    var (user, group, pid): (UInt32, UInt32, Int32) = (.max, .max, 0)
    guard unsafe swpcap_unix_peer(descriptor, &user, &pid) == 0,
      unsafe swpcap_unix_peer_group(descriptor, &group) == 0
    else { return nil }
    return (user, group, pid)
  }

  /// The other end's groups besides its first; empty where they are too many or unknown.
  package var peerGroups: [UInt32] {
    var groups = [UInt32](repeating: 0, count: 1024)
    let count = unsafe swpcap_unix_peer_groups(descriptor, &groups, CInt(groups.count))
    return count > 0 ? Array(groups.prefix(Int(count))) : []
  }

  /// Without waiting. - Returns: 0, or an errno; EAGAIN when there is no room.
  package func send(_ bytes: [UInt8], descriptors: [CInt] = []) -> CInt {
    -(unsafe swpcap_message_send(descriptor, bytes, bytes.count, descriptors, CInt(descriptors.count)))
  }

  /// What a thread receives with: any of its sockets.
  package static func buffer() -> [UInt8] { [UInt8](repeating: 0, count: DaemonMessage.largest + 1) }

  /// Without waiting. - Parameter buffer: of ``buffer()``.
  package func receive(_ buffer: inout [UInt8]) -> Outcome {
    var descriptors = [CInt](repeating: -1, count: Int(SWPCAP_MOST_DESCRIPTORS))
    var count: CInt = 0
    // SAFETY: the buffer is as long as it says.
    let result = unsafe swpcap_message_receive(descriptor, &buffer, buffer.count, &descriptors, &count)
    switch result {
    case -Int64(EAGAIN): return .wait
    case ..<0: return .failed(CInt(-result))
    case 0:
      for index in 0..<Int(count) { close(descriptors[index]) }
      return .end
    default: return .message(Array(buffer[..<Int(result)]), descriptors: Array(descriptors.prefix(Int(count))))
    }
  }

  /// Sleeps until something can be read (or written), the end has come, or the deadline (CLOCK_MONOTONIC, ns; nil: none).
  /// - Returns: false at the deadline.
  package func wait(writing: Bool = false, until deadline: Int64?) -> Bool {
    while true {
      var set = pollfd(fd: descriptor, events: Int16(writing ? POLLOUT : POLLIN), revents: 0)
      var timeout: CInt = -1
      if let deadline {
        let left = deadline - Clock.monotonic()
        if left <= 0 { return false }
        timeout = CInt(clamping: (left + 999_999) / 1_000_000)
      }
      let result = unsafe poll(&set, 1, timeout)
      if result > 0 { return true }
      if result < 0 && errno != EINTR { return true }
    }
  }
}
