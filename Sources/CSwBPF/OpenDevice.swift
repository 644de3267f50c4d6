// An open device as a C program has it: a descriptor, what it was opened for, and a number.
// Any thread.
import Glibc
import SwBPFBPF
import SwBPFKern
import Synchronization

/// One open device. Calls hold it while they run; the last one to let go frees what it used.
final class OpenDevice: Sendable {
  /// What it was opened for. (O_RDONLY, O_WRONLY, O_RDWR)
  struct Access: Sendable {
    let reads: Bool
    let writes: Bool

    /// - Throws: EINVAL for an access mode that there is not.
    init(flags: CInt) throws(BPF.Failure) {
      let mode = flags & O_ACCMODE
      guard mode == O_RDONLY || mode == O_WRONLY || mode == O_RDWR else { throw .invalid("access mode \(mode)") }
      reads = mode != O_WRONLY
      writes = mode != O_RDONLY
    }
  }

  let descriptor: BPF.Descriptor
  let access: Access
  private let directory = ThreadDirectory()
  private let isClosed = Atomic<Bool>(false)

  /// - Throws: ENOMEM.
  init(_ profile: BPF.Profile, _ access: Access, nonBlocking: Bool) throws(BPF.Failure) {
    self.access = access
    var configuration = BPF.Descriptor.Configuration.device(profile)
    configuration.reads = access.reads
    configuration.directory = directory
    descriptor = try BPF.Descriptor(configuration)
    if nonBlocking { descriptor.setNonBlocking(true) }
  }

  deinit {
    descriptor.detach()
    directory.giveUp()
  }

  /// Its number is gone: reads that sleep return.
  func close() {
    isClosed.store(true, ordering: .sequentiallyConsistent)
    descriptor.detach()
  }

  /// A request. One that attaches the device while it is closed leaves it detached, or a reader would sleep for ever.
  func ioctl(request: UInt32, address: UInt64) throws(BPF.Failure) {
    defer { if isClosed.load(ordering: .sequentiallyConsistent) { descriptor.detach() } }
    try descriptor.ioctl(request: request, address: address)
  }
}

/// The open devices of the process by number.
///
/// A number is a duplicate of the descriptor's readiness event, so poll, select and epoll take it, and no other file of the
/// process has it.
/// - Threads: any.
final class OpenTable: @unchecked Sendable {
  static let shared = OpenTable()

  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var devices: [CInt: OpenDevice] = [:]

  /// Gives a device a number, the lowest that is free. - Throws: EMFILE, ENFILE.
  func add(_ device: OpenDevice, closeOnExec: Bool) throws(BPF.Failure) -> CInt {
    let event = try device.descriptor.pollDescriptor()
    let number = fcntl(event, closeOnExec ? F_DUPFD_CLOEXEC : F_DUPFD, 0)
    guard number >= 0 else { throw .system(errno: errno, call: "fcntl(F_DUPFD)") }
    // One that was closed behind our back had the number before.
    let stale = lock.withLock { devices.updateValue(device, forKey: number) }
    stale?.close()
    return number
  }

  /// - Throws: EBADF.
  func device(_ number: CInt) throws(BPF.Failure) -> OpenDevice {
    guard let device = lock.withLock({ devices[number] }) else { throw .system(errno: EBADF, call: "swbpf") }
    return device
  }

  /// Closes a number. Reads that sleep return; calls that run end as they would. - Throws: EBADF.
  func close(_ number: CInt) throws(BPF.Failure) {
    guard let device = lock.withLock({ devices.removeValue(forKey: number) }) else {
      throw .system(errno: EBADF, call: "swbpf_close")
    }
    device.close()
    Glibc.close(number)
  }
}
