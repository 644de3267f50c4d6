// What the tests of open bpf devices share: records parsed as a program does it, reads on threads, ready or not.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

/// A device descriptor whose births are never looked at, with settings of its own.
func device(
  _ profile: BPF.Profile = .freebsd, bufferSize: Int? = nil, settings: BPF.Settings = BPF.Settings(),
  on wire: Wire? = nil
) throws -> BPF.Descriptor {
  var configuration = BPF.Descriptor.Configuration.device(profile, settings: settings)
  configuration.clock = { 0 }
  let one = try BPF.Descriptor(configuration)
  if let bufferSize { try one.setBufferSize(bufferSize) }
  if let wire { try one.attach(to: wire.interface) }
  return one
}

/// One record of a read, with what its header says.
struct ReadRecord: Equatable {
  /// Where it starts in the buffer.
  var start = 0
  var seconds: Int64 = 0
  /// Micro- or nanoseconds, or a binary fraction.
  var fraction: UInt64 = 0
  var captured = 0
  var length = 0
  var headerLength = 0
  /// The bytes between the fields of the header and the frame.
  var headerPadding: [UInt8] = []
  /// The bytes between the end of the frame before and this record.
  var gap: [UInt8] = []
  var frame: [UInt8] = []
}

enum NotARecord: Error { case at(Int, String) }

/// Takes a read's bytes apart: each record where BPF_WORDALIGN says, the last byte of the last one the end of the read.
func parse(_ bytes: [UInt8], _ profile: BPF.Profile = .freebsd) throws -> [ReadRecord] {
  let alignment = profile == .openbsd ? 4 : 8
  // Bytes of the fields that are read here.
  let fields = profile == .openbsd ? 28 : 26
  func load<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) throws -> T {
    guard offset + MemoryLayout<T>.size <= bytes.count else { throw NotARecord.at(offset, "ends in a field") }
    return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
  }
  var all: [ReadRecord] = []
  var end = 0
  while end < bytes.count {
    var one = ReadRecord()
    one.start = (end + alignment - 1) / alignment * alignment
    let sizes = one.start + (profile == .openbsd ? 8 : 16)
    if profile == .openbsd {
      one.seconds = Int64(try load(one.start, as: UInt32.self))
      one.fraction = UInt64(try load(one.start + 4, as: UInt32.self))
    } else {
      one.seconds = try load(one.start, as: Int64.self)
      one.fraction = try load(one.start + 8, as: UInt64.self)
    }
    one.captured = Int(try load(sizes, as: UInt32.self))
    one.length = Int(try load(sizes + 4, as: UInt32.self))
    one.headerLength = Int(try load(sizes + 8, as: UInt16.self))
    guard one.headerLength >= fields else { throw NotARecord.at(one.start, "header of \(one.headerLength)") }
    let from = one.start + one.headerLength
    guard from + one.captured <= bytes.count else {
      throw NotARecord.at(one.start, "\(one.captured) bytes are not there")
    }
    one.headerPadding = Array(bytes[one.start + fields..<from])
    one.gap = Array(bytes[end..<one.start])
    one.frame = Array(bytes[from..<from + one.captured])
    end = from + one.captured
    all.append(one)
  }
  return all
}

extension BPF.Descriptor {
  /// One read(2) of the right size; nil when it returned 0.
  func readBuffer() throws(BPF.Failure) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0xee, count: bufferSize)
    let count = try read(into: &buffer)
    return count == 0 ? nil : Array(buffer[..<count])
  }

  /// The records of one read.
  func readRecords() throws -> [ReadRecord] { try parse(try readBuffer() ?? [], profile) }

  /// The frames of one read.
  func readFrames() throws -> [[UInt8]] { try readRecords().map(\.frame) }

  /// The frames of one read that does not wait; nil where it would wait.
  func readNow() throws -> [[UInt8]]? {
    setNonBlocking(true)
    defer { setNonBlocking(false) }
    let bytes: [UInt8]?
    do throws(BPF.Failure) {
      bytes = try readBuffer()
    } catch {
      if error == .wouldBlock { return nil }
      throw error
    }
    return try parse(bytes ?? [], profile).map(\.frame)
  }

  private var profile: BPF.Profile {
    if case .device(let profile) = configuration.format { profile } else { .freebsd }
  }
}

/// Has this thread take signals: threads of Swift's pool, and what they start, have them blocked.
func takeSignals() {
  var none = sigset_t()
  sigemptyset(&none)
  pthread_sigmask(SIG_SETMASK, &none, nil)
}

/// A call on a thread of its own, which takes signals.
final class Running<Value: Sendable>: @unchecked Sendable {
  private final class Outcome: @unchecked Sendable {
    private let lock = Lock(rank: .leaf)
    private var stored: Result<Value, BPF.Failure>?
    var value: Result<Value, BPF.Failure>? {
      get { lock.withLock { stored } }
      set { lock.withLock { stored = newValue } }
    }
  }

  private let outcome = Outcome()
  let thread: pthread_t

  init(_ call: @escaping @Sendable () throws(BPF.Failure) -> Value) {
    let outcome = outcome
    thread = startThread {
      takeSignals()
      do throws(BPF.Failure) { outcome.value = .success(try call()) } catch { outcome.value = .failure(error) }
    }
  }

  /// Whether the call has returned.
  var isBack: Bool { outcome.value != nil }

  /// Waits for the end of the call. Once.
  func end() throws(BPF.Failure) -> Value {
    pthread_join(thread, nil)
    return try outcome.value!.get()
  }

  /// Whether it sleeps: it has had the time to return and has not.
  var sleeps: Bool {
    pause(0.03)
    return !isBack
  }
}

/// A read on a thread of its own.
typealias Reading = Running<[UInt8]?>

extension Running where Value == [UInt8]? {
  convenience init(_ one: BPF.Descriptor) { self.init { () throws(BPF.Failure) in try one.readBuffer() } }

  /// Waits for the end: the frames, none after 0 bytes.
  func frames() throws -> [[UInt8]] { try parse(try end() ?? []).map(\.frame) }
}

/// poll(2), select(2) and epoll(7) on a descriptor that is only looked at.
final class Watcher {
  let descriptor: CInt
  private let epoll: CInt

  init(_ descriptor: CInt) {
    self.descriptor = descriptor
    epoll = Epoll.create(0)
    var event = Epoll.readable
    _ = Epoll.control(epoll, 1, descriptor, &event)
  }

  deinit { close(epoll) }

  /// Whether all three say readable, or all three not; nil when they differ.
  var isReadable: Bool? {
    var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let polled = poll(&one, 1, 0) == 1 && one.revents == Int16(POLLIN)
    var event = Epoll.readable
    let epolled = Epoll.wait(epoll, &event, 1, 0) == 1
    var set = fd_set()
    withUnsafeMutableBytes(of: &set) { $0[Int(descriptor) / 8] |= 1 << (descriptor % 8) }
    var limit = timeval()
    let selected = select(descriptor + 1, &set, nil, nil, &limit) == 1
    return polled == epolled && polled == selected ? polled : nil
  }

  /// Sleeps in poll(2) until it is readable.
  func waits(seconds: Double) -> Bool {
    var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&one, 1, CInt(seconds * 1000)) == 1
  }
}

/// epoll(7), which the Glibc module lacks; level-triggered.
private enum Epoll {
  /// `struct epoll_event` in either of its sizes: EPOLLIN, and data that nobody reads.
  static let readable: (UInt32, UInt32, UInt32, UInt32) = (1, 0, 0, 0)

  static let create = symbol("epoll_create1", as: (@convention(c) (CInt) -> CInt).self)
  static let control = symbol(
    "epoll_ctl", as: (@convention(c) (CInt, CInt, CInt, UnsafeMutableRawPointer) -> CInt).self)
  static let wait = symbol(
    "epoll_wait", as: (@convention(c) (CInt, UnsafeMutableRawPointer, CInt, CInt) -> CInt).self)

  private static func symbol<Function>(_ name: String, as type: Function.Type) -> Function {
    unsafeBitCast(dlsym(nil, name)!, to: type)
  }
}
