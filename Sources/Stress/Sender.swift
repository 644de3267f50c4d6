// The sender: numbered frames through ordinary packet sockets, paced, on a thread of its own.
internal import CPcapShim
import Glibc
import SwBPFKern
import Synchronization

/// Streams of numbered frames; each has numbers of its own, from 0 on.
package enum Stream: UInt8, CaseIterable, Sendable {
  /// Arrives at the main interface.
  case arriving = 0
  /// Leaves by it.
  case leaving = 1
  /// Arrives at the side interface.
  case side = 2
  /// Leaves by the main interface, written by peers; in no order.
  case injected = 3
}

/// Sends while it is not paused, and counts what the system took.
package final class Sender: @unchecked Sendable {
  private let ground: Ground
  private let rate: Int?
  private let model: Model2006?
  private let diesAfter: UInt64?
  private let findings: Findings
  private let quiet: CInt
  private let plain: CInt
  private let mainIndex: CInt
  private let mainPeerIndex: CInt
  private let lock = Lock(rank: .leaf)
  private let changed = Condition()
  // Guarded by `lock`.
  private var isPaused = false
  private var isResting = false
  private var isStopping = false
  private var thread: Thread?

  package let arriving = Atomic<UInt64>(0)
  package let leaving = Atomic<UInt64>(0)
  private let toSide = Atomic<UInt64>(0)
  /// Frames of ``leaving`` that were refused, perhaps after the taps had seen them.
  package let unsure = Atomic<UInt64>(0)
  /// Nothing gets through for a good reason.
  let isInterrupted = Atomic<Bool>(false)

  package init(_ ground: Ground, _ plan: StressPlan, model: Model2006?, findings: Findings) throws(StressFailure) {
    self.ground = ground
    self.model = model
    self.findings = findings
    (rate, diesAfter) = (plan.rate, plan.senderDiesAfter)
    mainIndex = unsafe CInt(swpcap_link_index(ground.main))
    mainPeerIndex = unsafe CInt(swpcap_link_index(ground.mainPeer))
    quiet = swpcap_packet_socket(0)
    plain = swpcap_packet_socket(0)
    for socket in [quiet, plain] where socket < 0 { throw .system(errno: -socket, call: "the sender's socket") }
    // Taps of the far end do not see what leaves there: they are not what is tested.
    _ = swpcap_packet_bypass(quiet)
  }

  deinit {
    if quiet >= 0 { close(quiet) }
    if plain >= 0 { close(plain) }
  }

  package func start() throws(StressFailure) {
    thread = try Thread(stress: "swbpf-sender") { [weak self] in self?.run() }
  }

  package func stop() {
    lock.withLock {
      isStopping = true
      changed.broadcast()
    }
    thread?.join()
  }

  /// Returns when nothing is being sent.
  package func pause() {
    lock.lock()
    isPaused = true
    while !isResting && !isStopping { _ = lock.wait(changed) }
    lock.unlock()
  }

  package func resume() {
    lock.withLock {
      isPaused = false
      changed.broadcast()
    }
  }

  /// False when told to stop.
  private func mayGoOn() -> Bool {
    lock.lock()
    defer { lock.unlock() }
    while isPaused && !isStopping {
      isResting = true
      changed.broadcast()
      _ = lock.wait(changed)
    }
    isResting = false
    return !isStopping
  }

  /// The thread ends: whoever waits for a pause has it.
  private func rest(because text: String?) {
    if let text { findings.report(.end, "the sender died: \(text)") }
    lock.withLock {
      isStopping = true
      changed.broadcast()
    }
  }

  private func run() {
    var began = Clock.monotonic()
    var done: UInt64 = 0
    var lastSuccess = began
    var sideIndex: CInt = 0
    while mayGoOn() {
      if let diesAfter, arriving.load(ordering: .relaxed) >= diesAfter { return rest(because: "as it was told to") }
      let now = Clock.monotonic()
      var count: UInt64 = 64
      if let rate {
        let due = UInt64(Double(now - began) * Double(rate) / 1e9)
        // After a pause, or where the machine is too slow, what was missed is not made up for.
        if due > done + UInt64(rate) / 50 + 64 { (began, done) = (now, 0) }
        count = due > done ? min(64, due - done) : 0
        if count < 16 && rate > 10_000 || count == 0 {
          usleep(200)
          continue
        }
      }
      let result = send(.arriving, quiet, mainPeerIndex, arriving, UInt32(count))
      if result > 0 {
        lastSuccess = now
        done += UInt64(result)
        tapModel(UInt64(result))
      } else {
        guard isTransient(-result) else { return rest(because: unsafe String(cString: strerror(-result))) }
        if isInterrupted.load(ordering: .relaxed) { lastSuccess = now }
        if now - lastSuccess > 2_000_000_000 {
          return rest(because: "nothing could be sent for 2 s: \(unsafe String(cString: strerror(-result)))")
        }
        usleep(100)
      }
      sendLeaving(UInt32(max(1, count / 16)))
      // It goes and comes again with another index.
      if sideIndex == 0 { sideIndex = unsafe CInt(swpcap_link_index(ground.sidePeer)) }
      if sideIndex > 0, [ENXIO, ENODEV].contains(-send(.side, quiet, sideIndex, toSide, 2)) { sideIndex = 0 }
    }
    rest(because: nil)
  }

  private func isTransient(_ error: CInt) -> Bool {
    [ENOBUFS, ENETDOWN, EAGAIN, EINTR].contains(error)
  }

  /// - Returns: the frames that the system took; else a negative errno.
  private func send(
    _ stream: Stream, _ socket: CInt, _ index: CInt, _ number: borrowing Atomic<UInt64>, _ count: UInt32
  ) -> CInt {
    let first = number.load(ordering: .relaxed)
    let sent = swpcap_numbered_send(socket, index, stream.rawValue, first, count, 64)
    if sent > 0 { number.wrappingAdd(UInt64(sent), ordering: .releasing) }
    return sent
  }

  /// Taps come before the cable there: a frame that is refused may have been seen, so its number is not used again.
  private func sendLeaving(_ count: UInt32) {
    if send(.leaving, plain, mainIndex, leaving, count) < CInt(count) {
      leaving.wrappingAdd(1, ordering: .releasing)
      unsure.wrappingAdd(1, ordering: .relaxed)
    }
  }

  private func tapModel(_ frames: UInt64) {
    guard let model else { return }
    for frame in 0..<frames {
      // Now and then the processor is taken away between the two loads.
      if frame == 17 { model.tap { sched_yield() } } else { model.tap() }
    }
  }
}
