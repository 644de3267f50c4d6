// Outer packets as they go out, with their headers, in batches.
// Used by one worker. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFPackets

/// Sends packets that have their outer headers; receives nothing. The system chooses the way of each.
///
/// A source that is not this system's is sent as it stands. A packet longer than the MTU of the interface is refused
/// (EMSGSIZE): ``Fragments`` come before.
@safe package final class RawSender: @unchecked Sendable {
  package let descriptor: CInt
  private let family: CInt
  private let messages: OpaquePointer
  package let capacity: Int
  /// Packets that wait for ``flush()``. Their memory must stay until then.
  package var count: Int { unsafe waiting.pointee }
  /// In memory of its own: a variable of a class is checked for exclusive access each time.
  private let waiting: UnsafeMutablePointer<Int>
  private var errors: [CInt]

  /// In the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_RAW.
  package init(ipv6: Bool, capacity: Int = 64) throws(BPF.Failure) {
    family = ipv6 ? AF_INET6 : AF_INET
    self.capacity = capacity
    errors = Array(repeating: 0, count: capacity)
    let result = swpcap_raw_sender(family)
    guard result >= 0 else { throw .system(errno: -result, call: "socket(SOCK_RAW)") }
    guard let messages = unsafe swpcap_raw_batch_new(UInt32(capacity)) else {
      close(result)
      throw .system(errno: ENOMEM, call: "malloc")
    }
    descriptor = result
    unsafe self.messages = unsafe messages
    // SAFETY: freed in deinit.
    unsafe waiting = .allocate(capacity: 1)
    unsafe waiting.initialize(to: 0)
  }

  deinit {
    unsafe waiting.deallocate()
    unsafe swpcap_raw_batch_free(messages)
    close(descriptor)
  }

  package var isFull: Bool { count == capacity }

  /// Adds a packet to the batch, which must not be full. A link-local destination goes by the link of its scope.
  package func add(_ packet: borrowing PacketRoom, to destination: IPAddress) {
    let count = count
    precondition(count < capacity && destination.systemFamily == family)
    var address = destination.wire
    unsafe swpcap_raw_batch_place(messages, UInt32(count), packet.address, packet.count)
    unsafe swpcap_raw_batch_to(
      messages, UInt32(count), family, &address, destination.isLinkLocal ? destination.scope : 0)
    unsafe waiting.pointee = count + 1
  }

  /// Sends the batch. What the system does not take is lost, and the others go all the same.
  /// - Returns: for each packet 0 or a positive errno. Valid until the next call.
  package func flush() -> ArraySlice<CInt> {
    let sent = count
    unsafe waiting.pointee = 0
    guard sent > 0 else { return [] }
    _ = unsafe swpcap_raw_batch_send(descriptor, messages, UInt32(sent), &errors)
    return errors[..<sent]
  }
}
