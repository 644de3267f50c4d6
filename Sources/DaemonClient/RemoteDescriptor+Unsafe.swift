// A bpf descriptor of the daemon's: requests go over the socket, frames come through shared memory.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFInterfaces
import SwBPFKern
import Synchronization

/// One reader of an interface that the daemon has.
///
/// Its slots are the daemon's memory, mapped for reading: they are borrowed as those of a descriptor of this process, without
/// a system call but for sleeping.
/// - Threads: one takes slots; requests are made by any, one at a time.
@safe package final class RemoteDescriptor: @unchecked Sendable {
  package let reader: BPF.SharedReader
  /// Becomes readable when there is something to take, and stays so when the daemon is gone. For poll(2).
  package let wakeDescriptor: CInt
  /// The daemon's process.
  package let server: Int32
  private let signals: RemoteSignals
  private let isLeaving = Atomic<Bool>(false)
  private let lock = Lock(rank: .engine)
  // Guarded by `lock`.
  private let client: DaemonClient
  private let number: UInt32
  private var lastState = State()
  private var isClosed = false

  /// What the daemon tells of it.
  package struct State: Equatable, Sendable {
    package var name: String?
    package var linkType: Int32?
    package var direction = BPF.Direction.inOut
    package var statistics = BPF.Statistics()
    package var ring = Ring()
  }

  /// What the kernel counted at the ring behind the interface since this descriptor was attached.
  package struct Ring: Equatable, Sendable {
    package var dropped: UInt64 = 0
    package var freezes: UInt64 = 0
    /// It refuses, or has refused, what no reader wants.
    package var isNarrowed = false
  }

  /// Opens one, unattached. - Parameter client: its own from now on.
  /// - Throws: EMFILE, ENOMEM (limits of the user), EINVAL.
  package init(_ client: DaemonClient, slotSize: Int, slots: Int, nanoseconds: Bool) throws(DaemonFailure) {
    var writer = FieldWriter()
    writer.put(RemoteTag.slotSize, UInt64(slotSize))
    writer.put(RemoteTag.slots, UInt64(slots))
    writer.put(RemoteTag.nanoseconds, UInt8(nanoseconds ? 1 : 0))
    let answer = try client.request(.bpfOpen, body: writer.bytes, mostDescriptors: 3)
    let given = answer.descriptors
    guard given.count == 3, let size = BPF.SharedSlots.size(slotSize: slotSize, slots: slots),
      let number = MessageBody(answer.body, tags: RemoteTag.all)?.number(RemoteTag.descriptor, UInt32.self),
      let map = SharedMap(given[0], size: size, answer: given[1])
    else {
      for one in given { close(one) }
      throw client.nonsense()
    }
    self.client = client
    self.number = number
    server = client.server.pid
    wakeDescriptor = given[2]
    signals = RemoteSignals(given[2])
    close(given[0])
    close(given[1])
    // SAFETY: mapped until the last slot is given back and the reader gone.
    unsafe reader = BPF.SharedReader(
      region: map.region, answer: map.answer, slotSize: slotSize, slots: slots, nanoseconds: nanoseconds,
      release: { map.unmap() })
  }

  deinit { close(wakeDescriptor) }

  // MARK: Requests

  private func body(_ fill: (inout FieldWriter) -> Void) -> [UInt8] {
    var writer = FieldWriter()
    writer.put(RemoteTag.descriptor, number)
    fill(&writer)
    return writer.bytes
  }

  private func ask(_ kind: MessageKind, _ fill: (inout FieldWriter) -> Void) throws(DaemonFailure) -> MessageBody {
    let answer = try lock.withLock { () throws(DaemonFailure) in try client.request(kind, body: body(fill)) }
    guard let fields = MessageBody(answer.body, tags: RemoteTag.all) else { throw client.nonsense() }
    reader.noteFlush()
    return fields
  }

  /// Moves to an interface; what is stored is discarded. (BIOCSETIF)
  /// - Returns: the link type, and how long frames may be on their way to the tap, ns.
  @discardableResult
  package func attach(to name: String) throws(DaemonFailure) -> (linkType: Int32, delay: Int64) {
    let fields = try ask(.bpfAttach) { $0.put(MessageTag.name, name, limit: MessageLimit.name) }
    guard let type = fields.number(RemoteTag.linkType, Int32.self),
      let delay = fields.number(RemoteTag.delay, Int64.self)
    else { throw client.nonsense() }
    lock.withLock { (lastState.name, lastState.linkType) = (name, type) }
    return (type, min(max(0, delay), 1_000_000_000))
  }

  /// FIONREAD
  private static let storedBytes: UInt32 = 0x4004_667f

  /// A request of BSD's. Those about signals are done here, see ``RemoteSignals``, and FIONREAD.
  /// - Parameter memory: what the argument points to.
  package func ioctl(_ request: UInt32, argument: inout [UInt8], memory: inout [UInt8]) throws(DaemonFailure) {
    if try signals.perform(request, &argument) {
      // From now on the daemon tells of the next frame.
      if signals.isWanted { _ = reader.mayWait() }
      return
    }
    if request == Self.storedBytes {
      guard argument.count == 4 else { throw .refused(InterfaceFailure(errno: EINVAL, request: "FIONREAD")) }
      // Only this process knows what it has taken.
      argument = []
      argument.appendNumber(UInt32(clamping: reader.storedBytes))
      return
    }
    let (given, pointed) = (argument, memory)
    guard given.count + pointed.count < FieldWriter.largest - 256 else {
      throw .refused(InterfaceFailure(errno: EMSGSIZE, request: "ioctl"))
    }
    let fields = try ask(.bpfRequest) { writer in
      writer.put(RemoteTag.number, request)
      writer.put(RemoteTag.argument, given)
      if !pointed.isEmpty { writer.put(RemoteTag.memory, pointed) }
    }
    signals.note(request)
    if let answer = fields[RemoteTag.argument] { argument = Array(answer) }
    if let answer = fields[RemoteTag.memory] { memory = Array(answer) }
  }

  /// Sets the read program; nil accepts everything. (BIOCSETF, BIOCSETFNR)
  package func setProgram(_ program: Program?, flushing: Bool) throws(DaemonFailure) {
    _ = try ask(.bpfRequest) { writer in
      writer.put(RemoteTag.number, RemoteRequest.program.rawValue)
      writer.put(RemoteTag.flushes, UInt8(flushing ? 1 : 0))
      guard let program else { return }
      var bytes: [UInt8] = []
      for one in program.instructions {
        bytes.appendNumber(one.code)
        bytes += [one.jt, one.jf]
        bytes.appendNumber(one.k)
      }
      writer.put(RemoteTag.program, bytes)
    }
  }

  /// (BIOCSDIRECTION)
  package func change(_ direction: BPF.Direction) throws(DaemonFailure) {
    _ = try ask(.bpfRequest) { writer in
      writer.put(RemoteTag.number, RemoteRequest.direction.rawValue)
      writer.put(RemoteTag.direction, direction.rawValue)
    }
    lock.withLock { lastState.direction = direction }
  }

  /// Lets nothing in until there is another program; what is stored is discarded.
  package func refuseAll() throws(DaemonFailure) {
    guard let nothing = try? Program([Instruction(code: 0x06)]) else { return }
    try setProgram(nothing, flushing: true)
  }

  /// (BIOCPROMISC) - Throws: the errors of the interface.
  package func setPromiscuous() throws(DaemonFailure) {
    var (argument, memory): ([UInt8], [UInt8]) = ([], [])
    try ioctl(0x2000_4269, argument: &argument, memory: &memory)
  }

  /// Frames do not wait in the kernel for others. (BIOCIMMEDIATE)
  package func setImmediate(_ on: Bool) throws(DaemonFailure) {
    var (argument, memory): ([UInt8], [UInt8]) = ([on ? 1 : 0, 0, 0, 0], [])
    try ioctl(0x8004_4270, argument: &argument, memory: &memory)
  }

  /// Sends a frame. (write(2)) - Throws: EPERM without the right; the errors of write(2).
  package func write(_ frame: [UInt8]) throws(DaemonFailure) {
    guard frame.count < FieldWriter.largest - 256 else {
      throw .refused(InterfaceFailure(errno: EMSGSIZE, request: "write"))
    }
    _ = try ask(.bpfWrite) { $0.put(RemoteTag.frame, frame) }
  }

  /// Gives the interface up; what is stored stays to be read.
  package func leave() throws(DaemonFailure) {
    isLeaving.store(true, ordering: .releasing)
    _ = try ask(.bpfRequest) { $0.put(RemoteTag.number, RemoteRequest.detach.rawValue) }
  }

  /// Its name, direction and counters now; when the daemon is gone, those of the last time.
  /// What was taken here is delivered, whether the daemon knows it or not.
  package var state: State {
    let delivered = reader.delivered
    let fresh: State?
    do throws(DaemonFailure) {
      let fields = try ask(.bpfRequest) { $0.put(RemoteTag.number, RemoteRequest.state.rawValue) }
      fresh = read(fields)
    } catch { fresh = nil }
    return lock.withLock {
      if let fresh { lastState = fresh }
      var state = lastState
      // What the daemon had stored and had not told of is counted all the same.
      state.statistics = fresh != nil ? state.statistics.delivering(delivered) : state.statistics.ending(delivered)
      return state
    }
  }

  private func read(_ fields: MessageBody) -> State? {
    guard let bytes = fields[RemoteTag.counters],
      let counters = BPF.Statistics(words: (0..<bytes.count / 8).compactMap { bytes.number(UInt64.self, at: $0 * 8) }),
      let direction = fields.number(RemoteTag.direction, UInt32.self).flatMap({ BPF.Direction(rawValue: $0) })
    else { return nil }
    let words = fields[RemoteTag.ring].map { bytes in (0..<3).map { bytes.number(UInt64.self, at: $0 * 8) ?? 0 } }
    let ring = words.map { Ring(dropped: $0[0], freezes: $0[1], isNarrowed: $0[2] != 0) } ?? Ring()
    return State(
      name: fields.text(MessageTag.name, limit: MessageLimit.name),
      linkType: fields.number(RemoteTag.linkType, Int32.self), direction: direction, statistics: counters,
      ring: ring)
  }

  /// The daemon forgets it. What is stored can still be read; requests fail from now on.
  package func shut() {
    _ = try? ask(.bpfClose) { _ in }
  }

  /// Of the interface that it was attached to last.
  package var linkType: Int32? { lock.withLock { lastState.linkType } }

  // MARK: Reading

  /// Nothing comes any more because the interface went away, and not because the daemon ended.
  package var isDeparted: Bool { reader.isDeparted }

  /// Whether the daemon can still store frames; also makes ``wakeDescriptor`` unreadable.
  package func clearWake() -> Bool { swpcap_wake_clear(wakeDescriptor) != 0 }

  /// As ``BPF/SharedReader/takeSlot(rotating:)``; `departed` also when the daemon is gone.
  package func takeSlot(rotating: Bool) throws(BPF.Failure) -> BPF.Slot? {
    let isServed = clearWake()
    do throws(BPF.Failure) {
      repeat {
        if let slot = try reader.takeSlot(rotating: rotating || !isServed) { return slot }
        // Who waits for a signal sleeps from here on; what has come in between is taken now.
      } while signals.isWanted && !reader.mayWait() && rotating && reader.storedBytes > 0
    } catch {
      // Detached, and not by this process: the daemon has ended.
      throw isLeaving.load(ordering: .acquiring) ? error : .departed
    }
    if isServed { return nil }
    throw .departed
  }

  /// Waits until a slot is full or, with `isImmediate`, a record is there; when the time is over it takes what is stored.
  /// - Parameter timeout: nil waits for ever; zero never waits.
  /// - Returns: nil when the time passed and nothing was stored. - Throws: as ``takeSlot(rotating:)``.
  package func nextSlot(timeout: Duration?, isImmediate: Bool) throws(BPF.Failure) -> BPF.Slot? {
    let deadline = timeout.map { limit -> Int64 in
      let (seconds, attoseconds) = limit.components
      return Clock.monotonic() + seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
    while true {
      let left = deadline.map { $0 - Clock.monotonic() }
      let isOver = left.map { $0 <= 0 } ?? false
      if let slot = try takeSlot(rotating: isImmediate || isOver) { return slot }
      if isOver { return nil }
      // What is stored already waits for more, and the next pass tells.
      if !reader.mayWait() && isImmediate { continue }
      _ = swpcap_wait(wakeDescriptor, -1, left.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? -1)
    }
  }
}

/// Two mappings, as long as somebody borrows from them.
@safe private struct SharedMap: @unchecked Sendable {
  let region: UnsafeMutableRawPointer
  let answer: UnsafeMutableRawPointer
  private let size: Int

  /// nil for memory that is too short, may shrink, or cannot be mapped.
  init?(_ slots: CInt, size: Int, answer: CInt) {
    guard swpcap_shared_check(slots, size) == 0, swpcap_shared_check(answer, 4096) == 0,
      let region = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, slots, 0), unsafe region != MAP_FAILED
    else { return nil }
    guard let word = unsafe mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, answer, 0),
      unsafe word != MAP_FAILED
    else {
      unsafe munmap(region, size)
      return nil
    }
    unsafe self.region = region
    unsafe self.answer = word
    self.size = size
  }

  func unmap() {
    // SAFETY: mapped above with these sizes, and out of everybody's reach.
    unsafe munmap(region, size)
    unsafe munmap(answer, 4096)
  }
}
