// A descriptor as an open bpf device: the settings that only devices have, as typed methods.
// Requests.swift decodes request numbers to these. Any thread; requests of one descriptor are serialised.
import Glibc
import SwBPFFilterMachine
import SwBPFKern

/// What a device knows beside its buffers. Guarded by the descriptor's lock.
struct DeviceState {
  /// BIOCLOCK was asked for; there is no way back.
  var isLocked = false
  /// Written frames have their own source address. (BIOCSHDRCMPLT)
  var isHeaderComplete = false
  /// Written frames come in again. The value as it was given. (BIOCFEEDBACK)
  var feedback: UInt32 = 0
  var writes = BPF.WriteStatistics()
  /// What may be written; nil: everything.
  var writeProgram: Program?
  /// BIOCSBLEN worked or BIOCSETIF was tried: the buffer mode is settled.
  var hasBuffers = false
  /// It was opened to write only.
  let isOpenedToWrite: Bool
  /// What makes a reader of a descriptor that only writes: so many programs that look like a mere snapshot length, or one
  /// other. 0: it has become one, for good. (`bd_writer`)
  private(set) var programsToCome = 2

  init(onlyWrites: Bool) { isOpenedToWrite = onlyWrites }

  /// Whether the descriptor only writes where it is attached now. (`bpf_attachd`)
  func onlyWrites(_ settings: BPF.Settings) -> Bool {
    programsToCome > 0 && (isOpenedToWrite || settings.optimizesWriters)
  }

  /// It was attached and only writes: the counting of programs begins.
  mutating func beginsToWrite() { programsToCome = 2 }

  /// At BIOCSETF and BIOCSETFNR: whether the descriptor becomes a reader now. (`bpf_check_upgrade`)
  mutating func upgrades(_ program: Program?, flushing: Bool) -> Bool {
    guard let program, programsToCome > 0 else { return false }
    let isSnapshotLength = flushing && program.count == 1 && program.instructions[0].code == 0x06
    programsToCome = isSnapshotLength ? programsToCome - 1 : 0
    return programsToCome == 0
  }

  /// A program of an expression is no mere snapshot length.
  mutating func becomesReader() { programsToCome = 0 }
}

extension BPF {
  /// Where names of interfaces are looked up. (`ifunit`, `bpf_iflist`)
  package protocol InterfaceDirectory: AnyObject, Sendable {
    /// The default tap point of an interface. - Throws: ENXIO when there is none.
    func interface(named name: String) throws -> Interface
    /// Every interface that can be tapped, newest first.
    var interfaceNames: [String] { get throws }
  }
}

extension BPF.Descriptor.Configuration {
  /// An open bpf device: two buffers of the default size, records as read(2) returns them. (`bpfopen`)
  public static func device(_ profile: BPF.Profile = .freebsd, settings: BPF.Settings = .shared) -> Self {
    var configuration = Self(slotSize: settings.bufferSize, slots: 2, format: .device(profile))
    configuration.settings = settings
    return configuration
  }
}

extension BPF.Descriptor {
  /// Bytes of one buffer, and so of every read. (BIOCGBLEN)
  public var bufferSize: Int { unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.slotSize } }

  /// Chooses the size of the buffers, at least 32 bytes, at most the setting net.bpf.maxbufsize. (BIOCSBLEN)
  /// What an interface that departed has left in them is gone.
  /// - Returns: the size used. - Throws: EINVAL while attached.
  @discardableResult
  public func setBufferSize(_ size: Int) throws(BPF.Failure) -> Int {
    if configuration.shared != nil { throw .invalid("the buffer size of a descriptor that another process reads") }
    return try lock.withLock { () throws(BPF.Failure) in
      let used = min(max(size, BPF.Settings.minimumBufferSize), configuration.settings.maximumBufferSize)
      try unsafe buffers.pointee.lock.withLock { () throws(BPF.Failure) in
        if unsafe buffers.pointee.slots.attachments > 0 { throw .invalid("the buffer size of an attached descriptor") }
        waitForLoans()
        unsafe buffers.pointee.slots.resize(to: used)
        unsafe buffers.pointee.slots.settleReadiness()
      }
      device.hasBuffers = true
      return used
    }
  }

  /// How long a read waits for a full buffer, and poll for stored data, ns; 0: for ever. (BIOCGRTIMEOUT)
  public var readTimeout: Int64 { unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.readTimeout } }

  /// A longer time becomes ``longestTimeout``. - Throws: EINVAL for a negative time. (BIOCSRTIMEOUT)
  public func setReadTimeout(_ nanoseconds: Int64) throws(BPF.Failure) {
    guard nanoseconds >= 0 else { throw .invalid("a time-out of \(nanoseconds) ns") }
    let used = min(nanoseconds, BPF.Descriptor.longestTimeout)
    unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.readTimeout = used }
    cancelPollTimer()
  }

  /// Nearly a hundred years in ns: added to any clock it is still a time.
  package static let longestTimeout: Int64 = 3_000_000_000 * 1_000_000_000

  /// Whether reads never wait. (FIONBIO, O_NONBLOCK)
  public var isNonBlocking: Bool { unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.isNonBlocking } }

  /// Readers that sleep stay asleep.
  public func setNonBlocking(_ on: Bool) {
    unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.isNonBlocking = on }
  }

  /// How stamps are written. (BIOCGTSTAMP)
  public var stampFormat: BPF.StampFormat {
    unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.layout.stamp }
  }

  /// From the next record on; what is stored keeps its format. (BIOCSTSTAMP)
  public func setStampFormat(_ format: BPF.StampFormat) {
    unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.layout.stamp = format }
  }

  /// Whether the buffer mode is settled: a size was chosen, or an interface.
  var hasBuffers: Bool { lock.withLock { device.hasBuffers } }
  /// BIOCSETIF is tried; also in vain it settles the buffer mode.
  package func noteBuffers() { lock.withLock { device.hasBuffers = true } }

  // MARK: Signals

  /// The signal that tells of something to read; 0: none. (BIOCGRSIG)
  public var signal: CInt { unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.signal.number } }

  /// - Throws: EINVAL for a number above 64. (BIOCSRSIG)
  public func setSignal(_ number: CInt) throws(BPF.Failure) {
    guard (0...64).contains(number) else { throw .invalid("signal \(number)") }
    changeSignal { $0.number = number }
  }

  /// Whether the signal is sent at all. (FIOASYNC)
  public func setAsync(_ on: Bool) { changeSignal { $0.isAsync = on } }

  /// Who gets the signal: a process, or a process group as a negative number; 0: nobody. (FIOGETOWN)
  public var signalOwner: pid_t { unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.signal.owner } }

  /// (FIOSETOWN) - Throws: ESRCH when there is no such process or group.
  public func setSignalOwner(_ owner: pid_t) throws(BPF.Failure) {
    // To kill(2) -1 is not group 1 but every process.
    let isNobody = owner == -1 || (owner != 0 && kill(owner, 0) < 0 && errno == ESRCH)
    if isNobody { throw .system(errno: ESRCH, call: "FIOSETOWN") }
    changeSignal { $0.owner = owner }
  }

  /// Replaces who gets which signal.
  func setSignalRequest(_ request: SignalRequest) { changeSignal { $0 = request } }

  private func changeSignal(_ change: (inout SignalRequest) -> Void) {
    unsafe buffers.pointee.lock.withLock {
      unsafe change(&buffers.pointee.slots.signal)
      if unsafe buffers.pointee.slots.signal.isWanted {
        unsafe Step.point(.storesWatched, buffers)
        unsafe buffers.pointee.isWatched.store(true, ordering: .releasing)
      }
    }
  }

  // MARK: Writing and the lock

  /// Whether written frames keep the source address that they have. (BIOCGHDRCMPLT)
  public var isHeaderComplete: Bool { lock.withLock { device.isHeaderComplete } }
  /// (BIOCSHDRCMPLT)
  public func setHeaderComplete(_ on: Bool) { lock.withLock { device.isHeaderComplete = on } }

  /// Whether written frames come in again, not 0. (BIOCGFEEDBACK)
  public var feedback: UInt32 { lock.withLock { device.feedback } }
  /// (BIOCFEEDBACK)
  public func setFeedback(_ value: UInt32) { lock.withLock { device.feedback = value } }

  /// Replaces the write program; nil lets everything out. Nothing that was read is touched. (BIOCSETWF)
  public func setWriteProgram(_ program: Program?) { lock.withLock { device.writeProgram = program } }

  /// From now on only harmless requests work; there is no way back. (BIOCLOCK)
  public func lockRequests() { lock.withLock { device.isLocked = true } }
  /// Whether it is locked.
  public var isLocked: Bool { lock.withLock { device.isLocked } }

  /// Waits until no reader copies a buffer; the buffer lock is held.
  func waitForLoans() {
    while unsafe buffers.pointee.slots.loans > 0 {
      unsafe buffers.pointee.slots.sleepers += 1
      _ = unsafe buffers.pointee.lock.wait(buffers.pointee.readable)
      unsafe buffers.pointee.slots.sleepers -= 1
    }
  }
}
