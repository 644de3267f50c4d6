// The handle driver: one live handle of libpcap, as the driver of one device that is no network interface.
// Requests come from descriptors and the engine; its thread taps what libpcap hands out.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// Feeds the tap of nflog, usbmon and their like.
///
/// The handle is opened at once, while there are rights; its thread begins with the first peer and ends with the driver. What
/// one dispatch gives is one pass. libpcap does not say which way a frame of these devices goes: all count as received.
@safe final class HandleDriver: BPF.Driver, @unchecked Sendable {
  let linkType: Int32
  /// Link types that the device can be opened with.
  let linkTypes: [Int32]
  private let handle: OpaquePointer
  private let state = HandleState()
  private let lock = Lock(rank: .driver)
  private let notices: @Sendable (String) -> Void
  private let name: String
  // Guarded by `lock`.
  private var thread: Thread?
  private var isStopped = false
  private var target: (ifnet: BPF.Ifnet, point: TapPoint)?

  /// - Parameter linkType: nil takes the device's own.
  /// - Throws: EPERM without the capability that the device asks for (nflog: CAP_NET_ADMIN); libpcap's text otherwise.
  init(
    _ name: String, linkType wanted: Int32?, notices: @escaping @Sendable (String) -> Void
  ) throws(BPF.Failure) {
    var error: CInt = 0
    var message = [CChar](repeating: 0, count: Int(SWPCAP_ERRBUF))
    // SAFETY: the text has the shim's size; the handle is closed in deinit.
    guard let handle = unsafe swpcap_live_open(name, 262_144, wanted ?? -1, &error, &message) else {
      if error == -ENXIO { throw .noSuchInterface(name) }
      if error != SWPCAP_ERROR { throw .system(errno: -error, call: "pcap_activate") }
      throw .invalid("\(name): \(CaptureDevice.text(message))")
    }
    unsafe self.handle = handle
    var types = [CInt](repeating: 0, count: 32)
    let count = unsafe swpcap_live_linktypes(handle, &types, 32)
    linkTypes = Array(types.prefix(Int(count)))
    linkType = unsafe swpcap_live_linktype(handle)
    self.name = name
    self.notices = notices
  }

  deinit {
    stop()
    // SAFETY: the thread has been joined: nobody else has the handle.
    unsafe swpcap_live_close(handle)
  }

  func serve(_ ifnet: BPF.Ifnet, _ point: TapPoint) { lock.withLock { target = (ifnet, point) } }

  // MARK: BPF.Driver

  var retireTime: Int64 { 10_000_000 }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {
    try lock.withLock { () throws(BPF.Failure) in
      // Who kept a tap point of an engine that is closed.
      if isStopped { throw .departed }
      guard thread == nil, let target else { return }
      // SAFETY: from here on the handle is the thread's, until it has been joined.
      let loop = unsafe HandleLoop(handle: handle, point: target.point, state: state)
      let (notices, name, ifnet) = (notices, name, target.ifnet)
      do throws(Thread.Shortage) {
        thread = try Thread(starting: "swbpf-handle") {
          guard let failure = loop.run() else { return }
          notices("\(name): \(failure)")
          ifnet.depart()
        }
      } catch {
        throw .system(errno: error.errno, call: "pthread_create")
      }
    }
  }

  /// Idle peers cost nothing here; the handle stays open, for it could not be opened again without rights.
  func mayNarrow(_ interface: BPF.Ifnet) {}

  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}

  // MARK: Ending and counting

  /// Waits until what the device holds now has been tapped; at most a quarter of a second.
  func drain() {
    guard lock.withLock({ thread != nil }) else { return }
    // What was logged just now reaches the device's queue within this time.
    usleep(UInt32(2 * retireTime / 1000))
    let wanted = state.asked.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
    state.signal()
    let deadline = Clock.monotonic() + 250_000_000
    while state.answered.load(ordering: .acquiring) < wanted, !state.hasEnded.load(ordering: .acquiring),
      Clock.monotonic() < deadline
    {
      usleep(500)
    }
  }

  /// Ends the thread and lets the interface go.
  func stop() {
    let old = lock.withLock {
      isStopped = true
      defer { thread = nil }
      return thread
    }
    if let old {
      state.stop.store(true, ordering: .releasing)
      state.signal()
      old.join()
    }
    lock.withLock { target = nil }
  }

  var statistics: RingStatistics {
    var result = RingStatistics()
    result.processed = state.processed.load(ordering: .acquiring)
    result.accepted = result.processed
    result.dropped = state.dropped.load(ordering: .relaxed)
    return result
  }
}

/// What the handle's thread and those who command it share.
final class HandleState: Sendable {
  let stop = Atomic<Bool>(false)
  let hasEnded = Atomic<Bool>(false)
  let asked = Atomic<UInt64>(0)
  let answered = Atomic<UInt64>(0)
  let processed = Atomic<UInt64>(0)
  let dropped = Atomic<UInt64>(0)
  let wake = swpcap_event_open()

  func signal() { swpcap_event_signal(wake) }
  deinit { if wake >= 0 { closeDescriptor(wake) } }
}

/// The thread's work.
@safe private struct HandleLoop: @unchecked Sendable {
  let handle: OpaquePointer
  let point: TapPoint
  let state: HandleState
  /// Packets of one dispatch at most.
  private static var most: Int32 { 128 }

  init(handle: OpaquePointer, point: TapPoint, state: HandleState) {
    unsafe self.handle = handle
    self.point = point
    self.state = state
  }

  /// Taps until told to stop. Returns why it ended when nobody told it to.
  func run() -> String? {
    defer { state.hasEnded.store(true, ordering: .releasing) }
    var reader = TapReader()
    var message = [CChar](repeating: 0, count: Int(SWPCAP_ERRBUF))
    let descriptor = unsafe swpcap_live_descriptor(handle)
    let period = unsafe swpcap_live_period(handle)
    while true {
      // The words are read before the device: who sets them knows that what it held is seen.
      let stopping = state.stop.load(ordering: .acquiring)
      let asked = state.asked.load(ordering: .acquiring)
      // libpcap may hold packets of its last read back: only an empty dispatch says that there are none.
      while true {
        // SAFETY: the handle is this thread's; the text has the shim's size.
        let count = unsafe swpcap_live_dispatch(handle, HandleLoop.most, &message)
        if count < 0 { return CaptureDevice.text(message) }
        if count == 0 { break }
        pass(count, &reader)
        if state.stop.load(ordering: .relaxed) { break }
      }
      state.dropped.store(unsafe swpcap_live_dropped(handle), ordering: .relaxed)
      state.answered.store(asked, ordering: .releasing)
      if stopping { return nil }
      let ready = swpcap_wait(descriptor, state.wake, period)
      if ready & SWPCAP_READY_WAKE != 0 { swpcap_event_clear(state.wake) }
    }
  }

  /// The packets of one dispatch.
  private func pass(_ count: Int32, _ reader: inout TapReader) {
    defer { state.processed.wrappingAdd(UInt64(count), ordering: .releasing) }
    guard reader.begin(point) else { return }
    var record = swpcap_record()
    var data: UnsafePointer<UInt8>?
    for index in 0..<count {
      // SAFETY: the shim keeps `caplen` bytes there until the next dispatch, which comes after the pass.
      unsafe swpcap_live_packet(handle, index, &record, &data)
      guard let base = unsafe data else { continue }
      let frame = unsafe TapFrame(
        base: UnsafeRawPointer(base), captured: record.caplen, length: record.len,
        seconds: UInt32(truncatingIfNeeded: record.seconds), nanoseconds: UInt32(bitPattern: record.nanoseconds),
        metadata: FrameMetadata())
      reader.tap(frame, .received)
    }
    reader.end()
  }
}
