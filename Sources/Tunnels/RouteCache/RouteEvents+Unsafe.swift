// Hears of everything that may change a route, and counts it.
// A thread of its own per network namespace. (rtnetlink through CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern
import Synchronization

/// The generation of a network namespace's routes: what was found out in an older one may be wrong.
///
/// Changed links, addresses, routes, rules and next hops raise it, and so do events that were lost.
package final class RouteEvents: Sendable {
  /// Times that the kernel had more to tell than there was room for.
  package var lost: UInt64 { counts.lost.load(ordering: .relaxed) }
  package var generation: UInt64 { counts.generation.load(ordering: .acquiring) }

  let counts = Counts()
  private let socket: CInt
  private let wake: CInt
  private let thread: Thread
  private let marks = Marks()

  /// For the network namespace of the calling thread.
  /// - Parameters:
  ///   - room: bytes of events that may wait; nil for 1 MiB.
  ///   - onChange: called on the thread that hears, after the generation was raised. No event is heard meanwhile.
  package init(room: UInt32? = nil, onChange: (@Sendable () -> Void)? = nil) throws(BPF.Failure) {
    let socket = swpcap_route_listen(room ?? 0)
    guard socket >= 0 else { throw .system(errno: -socket, call: "socket(AF_NETLINK)") }
    let wake = swpcap_event_open()
    guard wake >= 0 else {
      close(socket)
      throw .system(errno: -wake, call: "eventfd")
    }
    self.socket = socket
    self.wake = wake
    thread = Thread(name: "swbpf-routes") { [counts, marks] in
      while true {
        let ready = swpcap_wait(socket, wake, -1)
        if ready < 0 || ready & SWPCAP_READY_WAKE != 0 { return }
        var number: UInt32 = 0
        let heard = unsafe swpcap_route_hear(socket, &number)
        if heard < 0 {
          // Nothing can be relied on any more.
          counts.neverAgain()
          return
        }
        if heard & SWPCAP_ROUTE_LOST != 0 { counts.lost.wrappingAdd(1, ordering: .relaxed) }
        if heard & (SWPCAP_ROUTE_CHANGED | SWPCAP_ROUTE_LOST) != 0 {
          counts.generation.wrappingAdd(1, ordering: .releasing)
          onChange?()
        }
        if heard & SWPCAP_ROUTE_MARK != 0 { marks.reached(number) }
      }
    }
  }

  deinit {
    swpcap_event_signal(wake)
    thread.join()
    close(socket)
    close(wake)
  }

  /// Waits until every change that was made before the call has raised the generation. Not on the thread of `onChange`.
  /// - Returns: false when that took longer than a second.
  @discardableResult
  package func settle() -> Bool {
    let number = marks.next()
    let end = Clock.monotonic() + 1_000_000_000
    // A mark is lost with the events when there is no room for it.
    while Clock.monotonic() < end {
      guard swpcap_route_mark(socket, number) == 0 else { return false }
      if marks.wait(for: number, until: min(end, Clock.monotonic() + 50_000_000)) { return true }
    }
    return false
  }

  /// What readers of other threads look at.
  final class Counts: Sendable {
    let generation = Atomic<UInt64>(1)
    let lost = Atomic<UInt64>(0)
    /// No answer is of this generation.
    static let unreliable = UInt64.max

    func neverAgain() { generation.store(Self.unreliable, ordering: .releasing) }
  }

  /// Marks that were asked for and that came back.
  private final class Marks: @unchecked Sendable {
    private let lock = Lock(rank: .leaf)
    private let changed = Condition()
    // Guarded by `lock`.
    private var asked: UInt32 = 0
    private var answered: UInt32 = 0

    func next() -> UInt32 {
      lock.withLock {
        asked &+= 1
        return asked
      }
    }

    func reached(_ number: UInt32) {
      lock.withLock {
        // Numbers go round.
        if Int32(bitPattern: number &- answered) > 0 { answered = number }
        changed.broadcast()
      }
    }

    func wait(for number: UInt32, until deadline: Int64) -> Bool {
      lock.withLock {
        while Int32(bitPattern: answered &- number) < 0 {
          if !lock.wait(changed, until: deadline) { return Int32(bitPattern: answered &- number) >= 0 }
        }
        return true
      }
    }
  }
}
