// A descriptor: one open bpf device. This file: its life, its attachments, its settings.
// Reading is in Descriptor+Read+Unsafe.swift. Any thread; requests of one descriptor are serialised.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

extension BPF {
  /// One reader of an interface: what an open `/dev/bpf` is. (`struct bpf_d`)
  ///
  /// Attached to an interface it sees each frame of its direction that its program accepts exactly once, stored in slots
  /// that a reader borrows. Direction, program and see-sent change while frames flow, without a gap.
  /// - Threads: any. Requests are serialised; taps are never held up.
  @safe public final class Descriptor: @unchecked Sendable {
    /// What is fixed when a descriptor is made.
    public struct Configuration: Sendable {
      /// Bytes of one slot; a record is never split over two.
      public var slotSize: Int
      /// Slots in all, at least 2: one is filled while the others wait to be read. Memory is used as they fill.
      public var slots: Int
      /// The layout of records.
      public var format: RecordFormat
      /// The settings that requests obey.
      public var settings = Settings.shared
      /// Whether it was opened to read, and not only to write.
      public var reads = true
      /// Whether its programs go to the kernel where `swbpf.pushdown` is 1: set by the command.
      public var pushesDown = false
      /// Where BIOCSETIF looks names up; nil knows none.
      package var directory: (any InterfaceDirectory)?
      /// The clock of births, wall ns; a test's own stamps need a clock of their own.
      package var clock: @Sendable () -> Int64 = { Clock.wall() }
      /// Where the slots lie when another process reads them; nil: in memory of this one's.
      package var shared: SharedSlots?

      public init(
        slotSize: Int = 1 << 20, slots: Int = 8, format: RecordFormat = .savefile(nanoseconds: true)
      ) {
        self.slotSize = slotSize
        self.slots = slots
        self.format = format
      }
    }

    /// A program for frames of a link type; nil accepts everything.
    package typealias ProgramSource = @Sendable (_ linkType: Int32) throws -> Program?

    @safe struct Attachment {
      let interface: Interface
      /// Kept while attached, also when the engine has forgotten an interface that went away.
      let ifnet: Ifnet
      let node: UnsafeMutablePointer<PeerNode>
      var program: Program?
      var promiscuous = false
      /// Taps do not see it.
      var isWriter = false
    }

    public let configuration: Configuration
    /// Its programs may go to the kernel, as ``Settings`` said when it was opened.
    let isPushed: Bool
    let buffers: UnsafeMutablePointer<BufferState>
    let lock = Lock(rank: .descriptor)
    // Guarded by `lock`.
    private(set) var attachments: [Attachment] = []
    private var source: ProgramSource = { _ in nil }
    var device: DeviceState

    /// Opens a descriptor: unattached, direction in and out, no program. (`bpfopen`)
    /// - Throws: EINVAL for a slot below 64 bytes, fewer than two, or more bytes than can be counted.
    public init(_ configuration: Configuration = Configuration()) throws(Failure) {
      let least = configuration.format.layout.isSavefile ? 64 : Settings.minimumBufferSize
      guard configuration.slotSize >= least else { throw .invalid("slot size \(configuration.slotSize)") }
      let (_, overflows) = configuration.slotSize.multipliedReportingOverflow(by: configuration.slots)
      guard configuration.slots >= 2, !overflows else { throw .invalid("\(configuration.slots) slots") }
      self.configuration = configuration
      isPushed = configuration.settings.pushdown > (configuration.pushesDown ? 0 : 1)
      device = DeviceState(onlyWrites: !configuration.reads)
      let state = BufferState(
        slotSize: configuration.slotSize, slots: configuration.slots, layout: configuration.format.layout,
        shared: configuration.shared)
      // SAFETY: freed through the epoch after deinit; nodes that point to it are retired before.
      unsafe buffers = .allocate(capacity: 1)
      unsafe buffers.initialize(to: state)
      DescriptorTable.shared.add(self)
    }

    deinit {
      // Who closes knows; no signal tells of it.
      setSignalRequest(SignalRequest())
      detach()
      DescriptorTable.shared.remove(ObjectIdentifier(self))
      nonisolated(unsafe) let state = unsafe buffers
      // After the nodes of the last attachments in the order of retiring, so no tap can reach it; a wake-up may.
      Epoch.shared.retire {
        unsafe state.pointee.lock.lock()
        let pinned = unsafe state.pointee.slots.pins > 0
        unsafe state.pointee.lock.unlock()
        if pinned { return false }
        unsafe Step.free(state) {
          unsafe state.deinitialize(count: 1)
          unsafe state.deallocate()
        }
        return true
      }
    }

    // MARK: Attaching

    /// Moves the descriptor to a tap point; buffers and counters are reset. (BIOCSETIF)
    ///
    /// When this returns, every frame that reaches the interface from now on is seen; frames that reached it before the
    /// call are not.
    /// - Parameter cooked: store frames as LINKTYPE_LINUX_SLL2, with the interface in each record.
    /// - Throws: ENXIO when the interface is gone; the driver's error. Then everything is as it was.
    public func attach(to interface: Interface, cooked: Bool = false) throws {
      try lock.withLock {
        device.hasBuffers = true
        let old = attachments
        if old.count == 1, old[0].interface === interface, !cooked, !old[0].ifnet.isGone { return reset() }
        try add(interface, cooked: cooked)
        attachments.removeFirst(old.count)
        for one in old { leave(one) }
        attachments.last.map { stampBirth($0) }
        unsafe buffers.pointee.lock.withLock {
          discardStored()
          // Unless the new one is gone already.
          if unsafe buffers.pointee.slots.attachments > 0 { unsafe buffers.pointee.slots.departed = false }
        }
      }
    }

    /// Attaches to one more tap point and keeps the others: a reader of all interfaces. Nothing is reset.
    package func attachAlso(to interface: Interface, cooked: Bool) throws {
      try lock.withLock { try add(interface, cooked: cooked) }
    }

    /// The lock is held; the new attachment is the last of the list. When it fails, nothing has changed.
    /// - Parameter writer: whether it only writes there; nil: as its programs so far and the settings say.
    private func add(_ interface: Interface, cooked: Bool, writer: Bool? = nil) throws {
      // Once: what a dead interface has in its place is made each time.
      let ifnet = interface.ifnet
      let program = try source(interface.linkType)
      let node = UnsafeMutablePointer<PeerNode>.allocate(capacity: 1)
      unsafe node.initialize(
        to: PeerNode(
          buffers: buffers, interface: interface, cooked: cooked, isSavefile: configuration.format.layout.isSavefile,
          isPushed: isPushed))
      if isPushed { unsafe node.pointee.wishes = [wish(for: program, seenWays)] }
      if let program { unsafe node.pointee.program.store(Descriptor.box(program), ordering: .relaxed) }
      var attachment = unsafe Attachment(interface: interface, ifnet: ifnet, node: node, program: program)
      attachment.isWriter = writer ?? device.onlyWrites(configuration.settings)
      do {
        try ifnet.lock.withLock {
          // A driver is not opened for an interface that is gone.
          if ifnet.isDead { throw Failure.departed }
          do {
            if !attachment.isWriter { try widen(attachment) }
            stampBirth(attachment)
            try unsafe buffers.pointee.lock.withLock { () throws(Failure) in
              try unsafe buffers.pointee.slots.map()
              unsafe buffers.pointee.slots.attachments += 1
              settleReadiness()
            }
          } catch {
            ifnet.driver.mayNarrow(ifnet)
            throw error
          }
          unsafe interface.insert(node, writer: attachment.isWriter)
        }
      } catch {
        // SAFETY: never published.
        if let raw = unsafe node.pointee.program.load(ordering: .relaxed) { unsafe raw.deallocate() }
        unsafe node.deinitialize(count: 1)
        unsafe node.deallocate()
        throw error
      }
      attachments.append(attachment)
      if attachment.isWriter && writer == nil { device.beginsToWrite() }
    }

    /// Moves to another tap point of the same interface; the program is that of its link type, promiscuous mode stays.
    /// Buffers and counters are reset. (BIOCSDLT)
    /// - Throws: EINVAL unattached, or when the interface does not offer that type; the driver's error. Nothing changes then.
    public func setLinkType(_ linkType: Int32) throws {
      try lock.withLock {
        guard let old = attachments.last else { throw Failure.invalid("not attached") }
        if old.ifnet.isGone { throw Failure.invalid("not attached") }
        if old.interface.linkType == linkType { return }
        guard let next = old.ifnet.interface(ofType: linkType) else { throw Failure.invalid("link type \(linkType)") }
        try add(next, cooked: false, writer: old.isWriter)
        let last = attachments.count - 1
        if old.promiscuous {
          // Taken before the old one is given up, so the interface never leaves the mode.
          attachments[last].promiscuous = (try? old.ifnet.lock.withLock { try old.ifnet.addPromiscuous(1) }) != nil
        }
        attachments.remove(at: last - 1)
        leave(old)
        reset()
      }
    }

    /// Makes a reader of a descriptor that only wrote; the lock is held, the drivers are wide enough. (`bpf_upgraded`)
    private func upgrade() {
      for index in attachments.indices where attachments[index].isWriter {
        let one = attachments[index]
        one.ifnet.lock.withLock {
          if one.ifnet.isDead { return }
          try? widen(one)
          stampBirth(one)
          unsafe one.interface.upgrade(one.node)
        }
        attachments[index].isWriter = false
      }
    }

    /// Has the drivers let through what a descriptor that only wrote is about to read; the lock is held.
    private func widenForUpgrade() throws {
      for one in attachments where one.isWriter {
        try one.ifnet.lock.withLock { if !one.ifnet.isDead { try widen(one) } }
      }
    }

    /// Gives the attachment up; what is stored stays to be read. (`bpf_detachd`)
    public func detach() {
      lock.withLock {
        for one in attachments { leave(one) }
        attachments = []
      }
    }

    private func leave(_ one: Attachment) {
      let ifnet = one.ifnet
      ifnet.lock.withLock {
        // The node's program goes after the node: retired later, freed later.
        let raw = unsafe one.node.pointee.program.load(ordering: .relaxed)
        unsafe one.interface.remove(one.node)
        unsafe Descriptor.retire(raw, one.program)
        if one.promiscuous { try? ifnet.addPromiscuous(-1) }
        ifnet.driver.mayNarrow(ifnet)
      }
    }

    /// Forgets attachments to interfaces that went away.
    package func forgetDeparted() {
      lock.withLock {
        let gone = attachments.filter { $0.ifnet.isGone }
        attachments.removeAll { $0.ifnet.isGone }
        for one in gone { leave(one) }
        unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.departed = false }
      }
    }

    /// Whether frames can still come.
    public var isAttached: Bool {
      unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.attachments > 0 }
    }

    /// The tap points that the descriptor is attached to.
    package var interfaces: [Interface] { lock.withLock { attachments.map(\.interface) } }

    /// From now on only frames with a younger kernel stamp are this attachment's.
    private func stampBirth(_ one: Attachment) {
      let wait = one.ifnet.driver.retireTime * 2
      unsafe Step.point(.stampsBirthEnd, one.node)
      unsafe one.node.pointee.birthExpires.store(Clock.monotonic() + wait, ordering: .relaxed)
      unsafe Step.point(.stampsBirth, one.node)
      unsafe one.node.pointee.birth.store(configuration.clock(), ordering: .releasing)
    }

    // MARK: Settings

    /// Which frames are shown. (BIOCGDIRECTION) Out, too, while OpenBSD's filter hides both ways.
    public var direction: Direction { Direction(rawValue: seenWays.rawValue) ?? .out }

    /// Sets which frames are shown, from the next one on. Nothing is flushed. (BIOCSDIRECTION)
    /// - Throws: the driver's error when it cannot let more through.
    public func setDirection(_ new: Direction) throws { try setSeenWays(SeenWays(new)) }

    func setSeenWays(_ new: SeenWays) throws {
      try lock.withLock {
        if isPushed { return try changeWays(to: new) }
        let old = seenWays
        if old.covers(new) {
          unsafe Step.point(.storesDirection, buffers)
          unsafe buffers.pointee.direction.store(new.rawValue, ordering: .releasing)
        } else {
          try widenAndPublish(new)
        }
        if new.covers(old) { return }
        for index in attachments.indices { attachments[index].ifnet.driver.mayNarrow(attachments[index].ifnet) }
      }
    }

    /// Has the drivers let through another direction of all frames, then shows it; the lock is held.
    private func widenAndPublish(_ new: SeenWays) throws(Failure) {
      var isEnough = true
      for index in attachments.indices where !attachments[index].isWriter {
        if !attachments[index].ifnet.driver.holdOpen(sent: new.seesSent, wishes: nil) { isEnough = false }
      }
      defer {
        for index in attachments.indices where !attachments[index].isWriter {
          attachments[index].ifnet.driver.release()
        }
      }
      if !isEnough {
        for one in attachments where !one.isWriter {
          try one.ifnet.lock.withLock { () throws(Failure) in
            if one.ifnet.isDead { return }
            var demand = one.ifnet.demand
            demand.add(new, ringNeeds)
            demand.peers -= 1
            try one.ifnet.driver.widen(one.ifnet, to: demand)
          }
        }
      }
      unsafe Step.point(.storesDirection, buffers)
      unsafe buffers.pointee.direction.store(new.rawValue, ordering: .releasing)
    }

    /// Whether frames that leave by the interface are shown. (BIOCGSEESENT)
    public var seesSent: Bool { direction.seesSent }

    /// See-sent: on is in and out, off is in only. (BIOCSSEESENT)
    public func setSeesSent(_ on: Bool) throws { try setDirection(on ? .inOut : .in) }

    /// Whether readers are woken by every frame.
    public var isImmediate: Bool { unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.immediate } }

    /// Readers are woken as soon as a frame is there, not when a slot is full. (BIOCIMMEDIATE)
    public func setImmediate(_ on: Bool) {
      unsafe buffers.pointee.lock.withLock {
        // On is OpenBSD's wait time-out of 0, off is none.
        unsafe buffers.pointee.slots.readiness.batchTimeout = nil
        unsafe buffers.pointee.slots.immediate = on
        unsafe BufferState.wakeFollowers(buffers)
        settleReadiness()
      }
      ringNeedsChanged()
    }

    /// The ring of each interface has at least as many bytes from now on, 0: no matter; at most 256 MiB. It grows a moment
    /// later, while frames go on.
    public func setRingSize(_ bytes: Int) {
      unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.needs.size = min(max(bytes, 0), 256 << 20) }
      ringNeedsChanged()
    }

    private func ringNeedsChanged() {
      lock.withLock { for one in attachments where !one.isWriter { one.ifnet.driver.mayNarrow(one.ifnet) } }
    }

    /// Replaces the read program; nil accepts everything. A descriptor that only wrote may become a reader.
    /// (BIOCSETF; BIOCSETFNR without `flushing`)
    /// - Throws: the driver's error when it cannot serve one more reader; then nothing has changed.
    public func setProgram(_ program: Program?, flushing: Bool = true) throws {
      try lock.withLock {
        var next = device
        let upgrades = next.upgrades(program, flushing: flushing)
        try replaceProgram(from: { _ in program }, upgrading: upgrades, flushing: flushing)
        device = next
        if flushing { reset() }
        if upgrades { upgrade() }
      }
    }

    /// Replaces the read program by one for each link type that the descriptor is or will be attached to.
    package func setProgram(from source: @escaping ProgramSource, flushing: Bool = true) throws {
      try lock.withLock {
        try replaceProgram(from: source, upgrading: true, flushing: flushing)
        device.becomesReader()
        if flushing { reset() }
        upgrade()
      }
    }

    /// The lock is held. When it fails, nothing has changed.
    private func replaceProgram(from source: @escaping ProgramSource, upgrading: Bool, flushing: Bool) throws {
      let programs = try attachments.map { try source($0.interface.linkType) }
      if isPushed {
        // The frames that a flush leaves out do not matter.
        try change(to: programs.map { wish(for: $0, seenWays) }, upgrading: upgrading, isSeamless: !flushing) {
          publish(programs)
        }
      } else {
        if upgrading { try widenForUpgrade() }
        publish(programs)
      }
      self.source = source
    }

    /// Makes programs, one for each attachment, those that taps run. The lock is held.
    private func publish(_ programs: [Program?]) {
      for (index, program) in programs.enumerated() {
        unsafe Step.point(.swapsProgram, attachments[index].node)
        let raw = unsafe attachments[index].node.pointee.program.exchange(
          program.map(Descriptor.box), ordering: .sequentiallyConsistent)
        unsafe Descriptor.retire(raw, attachments[index].program)
        attachments[index].program = program
        attachments[index].interface.programsChanged()
      }
    }

    /// Discards what is stored and zeroes the counters. (BIOCFLUSH)
    public func flush() { lock.withLock { reset() } }

    /// Empties slots and counters, and makes passes that have begun discard what they found; the buffer lock is held.
    private func discardStored() {
      // A reader that copies a slot of a device has it for itself: what it copies was read before. (`reset_d`)
      if unsafe !buffers.pointee.slots.layout.isSavefile { waitForLoans() }
      unsafe buffers.pointee.slots.flush()
      settleReadiness()
      unsafe Step.point(.changesGeneration, buffers)
      unsafe buffers.pointee.generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    private func reset() {
      // Before the generation changes: a pass that sees the new one sees the births, too.
      for one in attachments { stampBirth(one) }
      unsafe buffers.pointee.lock.withLock { discardStored() }
    }

    /// Switches the interfaces that the descriptor is attached to into promiscuous mode, until it leaves them.
    /// (BIOCPROMISC) Later calls do nothing. - Throws: EINVAL unattached; the interface's error.
    public func setPromiscuous() throws {
      try lock.withLock {
        guard attachments.contains(where: { !$0.ifnet.isGone }) else { throw Failure.invalid("not attached") }
        for index in attachments.indices where !attachments[index].promiscuous {
          let ifnet = attachments[index].ifnet
          try ifnet.lock.withLock { try ifnet.addPromiscuous(1) }
          attachments[index].promiscuous = true
        }
      }
    }

    // MARK: Memory of programs

    /// A program as nodes hold it: the code in memory of its own. The program itself, and its machine code, is kept by the attachment.
    private static func box(_ program: Program) -> UnsafeRawPointer {
      let memory = UnsafeMutablePointer<TapProgram>.allocate(capacity: 1)
      unsafe memory.initialize(to: TapProgram(program))
      return UnsafeRawPointer(memory)
    }

    /// Frees a boxed program, and the program with it, when no tap runs it any more.
    private static func retire(_ raw: UnsafeRawPointer?, _ program: Program?) {
      guard let raw = unsafe raw else { return }
      let free = {
        unsafe Step.free(raw) {
          unsafe raw.deallocate()
          withExtendedLifetime(program) {}
        }
        #if SWBPF_EXPLORE
          if let program { unsafe Step.free(program.code.instructions) {} }
        #endif
        return true
      }
      let isFreed = Step.has(.freesProgramAtOnce) && free()
      if !isFreed { Epoch.shared.retire(free) }
    }
  }
}
