// The signal that tells of something to read: in this process's name, never the daemon's.
internal import CPcapShim
import Glibc
import SwBPFInterfaces
import SwBPFKern
import Synchronization

/// Who gets which signal for a descriptor of the daemon's. (BIOCSRSIG, FIOASYNC, FIOSETOWN)
///
/// The kernel raises it when the daemon writes to the pipe that wakes the reader, and asks then whether the process that
/// named the receiver may signal it. The daemon neither knows of it nor takes part.
/// - Threads: any.
final class RemoteSignals: @unchecked Sendable {
  /// Requests, by the numbers of all profiles.
  private static let (getSignal, setSignal): (Set<UInt32>, Set<UInt32>) = (
    [0x4004_4272, 0x4004_4273], [0x8004_4273, 0x8004_4272]
  )
  private static let (setAsync, setOwner, getOwner): (UInt32, UInt32, UInt32) = (
    0x8004_667d, 0x8004_667c, 0x4004_667b
  )
  private static let (setGroup, getGroup): (UInt32, UInt32) = (0x8004_7476, 0x4004_7477)
  private static let locks: Set<UInt32> = [0x2000_427a, 0x2000_427e, 0x2000_4276]

  private let pipe: CInt
  private let lock = Lock(rank: .leaf)
  /// Whether somebody is to be told.
  private let wanted = Atomic<Bool>(false)
  // Guarded by `lock`.
  private var isAsync = false
  /// A process, or a process group as a negative number; 0: nobody.
  private var owner: pid_t = 0
  /// 0: none.
  private var number: CInt = SIGIO
  private var isLocked = false

  /// - Parameter pipe: the reading end; the caller closes it.
  init(_ pipe: CInt) { self.pipe = pipe }

  var isWanted: Bool { wanted.load(ordering: .relaxed) }

  /// Does a request about signals.
  /// - Returns: false for any other.
  /// - Throws: EINVAL for a signal above 64 or an argument of another length; ESRCH, EPERM for a receiver that is not there or
  ///   may not be signalled; EPERM on a locked descriptor.
  func perform(_ request: UInt32, _ argument: inout [UInt8]) throws(DaemonFailure) -> Bool {
    let isChange = Self.setSignal.contains(request) || [Self.setAsync, Self.setOwner, Self.setGroup].contains(request)
    let isLook = Self.getSignal.contains(request) || [Self.getOwner, Self.getGroup].contains(request)
    guard isChange || isLook else { return false }
    guard argument.count == 4 else { throw refusal(EINVAL) }
    let word = argument[...].number(Int32.self, at: 0) ?? 0
    let error: CInt
    (error, argument) = lock.withLock {
      if isLocked && (isChange || request == Self.getOwner) { return (EPERM, argument) }
      if isLook { return (0, look(request)) }
      return (change(request, word), argument)
    }
    if error != 0 { throw refusal(error) }
    return true
  }

  private func refusal(_ error: CInt) -> DaemonFailure {
    .refused(InterfaceFailure(errno: error, request: "ioctl"))
  }

  /// The daemon has done a request: some of them bind these as well. (BIOCLOCK)
  func note(_ request: UInt32) {
    if Self.locks.contains(request) { lock.withLock { isLocked = true } }
  }

  // MARK: With the lock held

  private func look(_ request: UInt32) -> [UInt8] {
    var answer: [UInt8] = []
    if Self.getSignal.contains(request) {
      answer.appendNumber(number)
    } else {
      answer.appendNumber(request == Self.getOwner ? owner : 0 &- owner)
    }
    return answer
  }

  /// - Returns: an errno; then nothing has changed.
  private func change(_ request: UInt32, _ word: Int32) -> CInt {
    let old = (isAsync, owner, number)
    switch request {
    case Self.setAsync: isAsync = word != 0
    case Self.setOwner, Self.setGroup:
      let new = request == Self.setOwner ? word : 0 &- word
      // To kill(2) -1 is not group 1 but every process.
      if new == -1 { return ESRCH }
      if new != 0 && kill(new, 0) < 0 { return errno }
      owner = new
    default:
      guard (0...64).contains(word) else { return EINVAL }
      number = word
    }
    let isWanted = isAsync && owner != 0 && number != 0
    let result = swpcap_wake_signal(pipe, isWanted ? owner : 0, number)
    if result < 0 {
      (isAsync, owner, number) = old
      return -result
    }
    wanted.store(isWanted, ordering: .relaxed)
    return 0
  }
}
