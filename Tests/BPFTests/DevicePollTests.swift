// poll(2), select(2), epoll(7) and FIONREAD of open bpf devices, without the timer.
import Glibc
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

@Suite("Readiness of devices", .timeLimit(.minutes(1)))
struct DevicePollTests {
  @Test("C-131: output is always ready")
  func output() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128)
    #expect(one.poll(.writable) == .writable)
    try one.attach(to: wire.interface)
    #expect(one.poll(.writable) == .writable)
    #expect(one.poll([.writable, .readable]) == .writable)
    for number in 1...3 { wire.tap(frame(UInt8(number), 90)) }
    #expect(one.poll([.writable, .readable]) == [.writable, .readable])
    #expect(one.poll(BPF.PollEvents(rawValue: 0x004)).rawValue == 0x004, "POLLOUT alone")
    wire.ifnet.depart()
    #expect(one.poll(.writable) == .writable)
  }

  @Test("poll's bits are poll(2)'s; only what was asked for is answered")
  func bits() throws {
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(true)
    wire.tap(frame(1))
    for bits in [POLLIN, POLLRDNORM, POLLIN | POLLRDNORM, POLLOUT, POLLWRNORM] {
      #expect(one.poll(BPF.PollEvents(rawValue: Int16(bits))).rawValue == Int16(bits))
    }
    #expect(one.poll(BPF.PollEvents(rawValue: Int16(POLLHUP | POLLPRI | POLLERR))) == [])
    #expect(one.poll([]) == [])
  }

  @Test("C-132: ready for input: the full buffer has data, or in immediate mode the one that is filled")
  func input() throws {
    let wire = Wire()
    let one = try device(bufferSize: 256, on: wire)
    let watcher = Watcher(try one.pollDescriptor())
    func isReady(_ expected: Bool) -> Bool {
      (watcher.isReadable, one.poll(.readable)) == (expected, expected ? .readable : [])
    }
    #expect(isReady(false))
    wire.tap(frame(1, 100))
    #expect(isReady(false), "stored")
    one.setImmediate(true)
    #expect(isReady(true), "immediate")
    one.setImmediate(false)
    #expect(isReady(false), "not immediate")
    wire.tap(frame(2, 100))
    wire.tap(frame(3, 100))
    #expect(isReady(true), "full")
    #expect(try one.readFrames().count == 2)
    #expect(isReady(false), "the rest is stored")
    one.flush()
    one.setImmediate(true)
    #expect(isReady(false), "immediate, nothing stored")
    wire.tap(frame(4, 100))
    #expect(isReady(true))
    one.flush()
    #expect(isReady(false), "flushed")
    wire.tap(frame(5, 100))
    try one.setProgram(nothing)
    #expect(isReady(false), "a new program flushes")
    wire.tap(frame(6, 100))
    #expect(isReady(false), "refused")
    try one.setProgram(whole, flushing: false)
    wire.tap(frame(7, 100))
    try one.setProgram(nothing, flushing: false)
    #expect(isReady(true), "kept")
    #expect(try one.readFrames() == [frame(7, 100)])
    #expect(isReady(false))
  }

  @Test("the descriptor for poll is one and the same, and close-on-exec")
  func same() throws {
    let one = try device()
    let event = try one.pollDescriptor()
    #expect(try one.pollDescriptor() == event)
    #expect(fcntl(event, F_GETFD) & FD_CLOEXEC != 0)
  }

  @Test(
    "what is not attached is readable, so that its reader sees ENXIO; attaching ends that", arguments: [false, true])
  func unattached(detaches: Bool) throws {
    let (wire, other) = (Wire(), Wire())
    let one = try device()
    let watcher = Watcher(try one.pollDescriptor())
    #expect(watcher.isReadable == true)
    #expect(one.poll([.readable, .writable, .hangUp]) == [.readable, .writable, .hangUp])
    try one.attach(to: wire.interface)
    #expect(watcher.isReadable == false)
    #expect(one.poll([.readable, .hangUp]) == [])
    if detaches { one.detach() } else { wire.ifnet.depart() }
    #expect(watcher.isReadable == true)
    #expect(throws: BPF.Failure.notAttached) { try one.readBuffer() }
    #expect(watcher.isReadable == true, "ENXIO again and again")
    try one.attach(to: other.interface)
    #expect(watcher.isReadable == false)
    withExtendedLifetime((wire, other)) {}
  }

  @Test("threads asleep in poll(2) and in poll of the library are woken by data", arguments: [false, true])
  func sleepers(immediate: Bool) throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    one.setImmediate(immediate)
    let event = try one.pollDescriptor()
    let outside = Running { () throws(BPF.Failure) in Watcher(event).waits(seconds: 30) }
    let inside = (0..<2).map { _ in Running { () throws(BPF.Failure) in try one.poll(.readable, timeout: nil) } }
    #expect(outside.sleeps && inside[0].sleeps && inside[1].sleeps)
    wire.tap(frame(1, 90))
    if !immediate {
      #expect(outside.sleeps && inside[0].sleeps)
      wire.tap(frame(2, 90))
    }
    #expect(try outside.end())
    for one in inside { #expect(try one.end() == .readable) }
  }

  @Test("poll of the library: nothing after its time, at once what is ready, and the end of an interface")
  func waits() throws {
    let wire = Wire()
    let one = try device(on: wire)
    let start = Clock.monotonic()
    #expect(try one.poll(.readable, timeout: 50_000_000) == [])
    #expect(Clock.monotonic() - start >= 50_000_000)
    #expect(try one.poll(.readable, timeout: 0) == [])
    #expect(try one.poll([.readable, .writable], timeout: nil) == .writable)
    let long = Running { () throws(BPF.Failure) in try one.poll(.readable, timeout: .max) }
    let end = Running { () throws(BPF.Failure) in try one.poll([.readable, .hangUp], timeout: nil) }
    #expect(long.sleeps && end.sleeps)
    wire.ifnet.depart()
    #expect(try long.end() == .readable)
    #expect(try end.end() == [.readable, .hangUp])
  }

  @Test("who waits for a hang-up alone sleeps through data, without a turn of the processor")
  func hangUp() throws {
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(true)
    wire.tap(frame(1))
    #expect(try one.poll([], timeout: 20_000_000) == [])
    let used = Running { () throws(BPF.Failure) -> Double in
      _ = try one.poll(.hangUp, timeout: nil)
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    pause(0.2)
    wire.tap(frame(2))
    #expect(used.sleeps)
    wire.ifnet.depart()
    #expect(try used.end() < 0.1)
  }

  @Test("C-134, C-135: FIONREAD is what both buffers hold, ready or not; nothing after a full read")
  func readableBytes() throws {
    let wire = Wire()
    let one = try device(bufferSize: 256)
    #expect(one.readableBytes == 0)
    try one.attach(to: wire.interface)
    wire.tap(frame(1, 100))
    #expect(one.readableBytes == 126 && one.poll(.readable) == [])
    wire.tap(frame(2, 90))
    #expect(one.readableBytes == 128 + 116, "padding counts")
    wire.tap(frame(3, 50))
    #expect(one.readableBytes == 244 + 76)
    #expect(try one.readBuffer()?.count == 244)
    #expect(one.readableBytes == 76)
    #expect(try one.readNow() == [frame(3, 50)])
    #expect(one.readableBytes == 0)
  }

  @Test("a reader of savefile slots polls too: readable until it has taken what there is")
  func library() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 4)
    try one.attach(to: wire.interface)
    let watcher = Watcher(try one.pollDescriptor())
    #expect(watcher.isReadable == false)
    for number in 1...3 { wire.tap(frame(UInt8(number), 90)) }
    #expect(watcher.isReadable == true)
    #expect(try one.read()?.map(\.bytes) == [frame(1, 90)])
    #expect(watcher.isReadable == true, "one more is full")
    #expect(try one.read()?.map(\.bytes) == [frame(2, 90)])
    #expect(watcher.isReadable == false)
    one.setImmediate(true)
    #expect(watcher.isReadable == true)
    #expect(one.frames == [frame(3, 90)])
    #expect(watcher.isReadable == false)
  }
}
