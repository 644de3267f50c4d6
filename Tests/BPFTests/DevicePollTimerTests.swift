// The poll timer: after the read time-out whatever is stored is ready. (`bpf_timed_out`)
import Glibc
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

private let milli: Int64 = 1_000_000
private let hour: Int64 = 3600 * 1000 * milli

extension BPF.Descriptor {
  fileprivate var timer: Readiness.Timer { buffers.pointee.lock.withLock { buffers.pointee.slots.readiness.timer } }

  /// Changes how long reads wait without a request, which would stop the timer.
  fileprivate func quietly(readTimeout: Int64) {
    buffers.pointee.lock.withLock { buffers.pointee.slots.readTimeout = readTimeout }
  }

  /// Polls, and waits until the timer has run out; then reads wait for ever again.
  fileprivate func letTimerRunOut() throws {
    try setReadTimeout(20 * milli)
    _ = poll(.readable)
    #expect(eventually { timer == .timedOut })
    quietly(readTimeout: hour)
  }
}

@Suite("The poll timer", .timeLimit(.minutes(1)))
struct DevicePollTimerTests {
  @Test("C-133: when it runs out with something stored, who polls is woken; not before", arguments: [false, true])
  func runsOut(outside: Bool) throws {
    let wire = Wire()
    let one = try device(on: wire)
    try one.setReadTimeout(200 * milli)
    let event = outside ? try one.pollDescriptor() : -1
    let start = Clock.monotonic()
    let poller = Running { () throws(BPF.Failure) in
      outside ? Watcher(event).waits(seconds: 30) : try one.poll(.readable, timeout: nil) == .readable
    }
    wire.tap(frame(1))
    try #require(try poller.end())
    #expect(Clock.monotonic() - start >= (outside ? 190 : 200) * milli)
    #expect(one.poll(.readable) == .readable)
    #expect(try one.readFrames() == [frame(1)])
    #expect(one.poll(.readable) == [])
  }

  @Test("C-133: when it runs out with nothing stored, the next packet wakes who polls")
  func nextPacket() throws {
    let wire = Wire()
    let one = try device(on: wire)
    let watcher = Watcher(try one.pollDescriptor())
    try one.setReadTimeout(20 * milli)
    #expect(eventually { one.timer == .timedOut })
    #expect(watcher.isReadable == false && one.poll(.readable) == [])
    let poller = Running { () throws(BPF.Failure) in try one.poll(.readable, timeout: nil) }
    #expect(poller.sleeps)
    wire.tap(frame(1))
    #expect(watcher.isReadable == true)
    #expect(try poller.end() == .readable)
    #expect(try one.readFrames() == [frame(1)])
    #expect(watcher.isReadable == false)
  }

  @Test("no time-out, no timer; asking for output starts none either")
  func none() throws {
    let wire = Wire()
    let one = try device(on: wire)
    _ = one.poll(.readable)
    #expect(one.timer == .idle)
    try one.setReadTimeout(hour)
    _ = one.poll([.writable, .hangUp])
    #expect(one.timer == .idle)
    _ = one.poll(.readable)
    #expect(one.timer == .waiting)
  }

  @Test("C-126: after it ran out a read takes what is stored at once")
  func read() throws {
    let wire = Wire()
    let one = try device(on: wire)
    wire.tap(frame(1))
    try one.letTimerRunOut()
    #expect(try one.readFrames() == [frame(1)])
    #expect(one.timer == .idle)
  }

  @Test("C-127: after it ran out with nothing stored a read waits as ever")
  func readOfNothing() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    try one.letTimerRunOut()
    let read = Reading(one)
    #expect(read.sleeps)
    wire.tap(frame(1, 90))
    #expect(read.sleeps)
    wire.tap(frame(2, 90))
    #expect(try read.frames() == [frame(1, 90)])
  }

  @Test("C-128: a read and any request stop it and what it said; a read refused for its size does not")
  func stops() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    var small = [UInt8](repeating: 0, count: 127)
    for ranOut in [false, true] {
      for stops in [true, false] {
        if ranOut { try one.letTimerRunOut() } else { try one.setReadTimeout(hour) }
        _ = one.poll(.readable)
        let before = one.timer
        #expect(before == (ranOut ? .timedOut : .waiting))
        #expect(throws: BPF.Failure.invalid("a read of 127 bytes")) { try one.read(into: &small) }
        #expect(one.timer == before)
        if stops {
          var nothing: [UInt8] = []
          #expect(throws: BPF.Failure.self) { try one.ioctl(request: 0x2000_42ff, argument: &nothing) }
        } else {
          #expect(try one.readNow() == nil)
        }
        #expect(one.timer == .idle)
        wire.tap(frame(1, 20))
        #expect(one.poll(.writable) == .writable && one.timer == .idle)
        _ = try one.readNow()
      }
    }
  }

  @Test("a timer stopped and started again counts from the second start")
  func restarts() throws {
    let wire = Wire()
    let one = try device(on: wire)
    wire.tap(frame(1))
    try one.setReadTimeout(300 * milli)
    _ = one.poll(.readable)
    pause(0.15)
    one.cancelPollTimer()
    let start = Clock.monotonic()
    #expect(try one.poll(.readable, timeout: nil) == .readable)
    #expect(Clock.monotonic() - start >= 300 * milli)
  }

  @Test("a long time-out that was given up does not hold up a shorter one")
  func shorter() throws {
    let wire = Wire()
    let one = try device(on: wire)
    wire.tap(frame(1))
    for timeout in [Int64.max, hour, 10 * milli] {
      try one.setReadTimeout(timeout)
      #expect(one.poll(.readable) == [])
    }
    #expect(try one.poll(.readable, timeout: 30 * 1000 * milli) == .readable)
  }

  // MARK: The descriptor for poll(2): the timer runs whenever nothing is ready

  enum Order: CaseIterable { case timeoutFirst, attachedFirst, descriptorFirst }

  @Test("time-out, interface and descriptor come in any order", arguments: Order.allCases)
  func anyOrder(_ order: Order) throws {
    let wire = Wire()
    let one = try device()
    if order == .timeoutFirst { try one.setReadTimeout(20 * milli) }
    if order == .attachedFirst { try one.attach(to: wire.interface) }
    let watcher = Watcher(try one.pollDescriptor())
    if order != .attachedFirst { try one.attach(to: wire.interface) }
    if order != .timeoutFirst { try one.setReadTimeout(20 * milli) }
    wire.tap(frame(1))
    try #require(watcher.waits(seconds: 30))
    #expect(try one.readFrames() == [frame(1)])
  }

  enum Interruption: CaseIterable { case tooEarly, took, flushed, program, moved, immediate, request, timedOut, slot }

  @Test("it goes on after whatever made the descriptor not ready", arguments: Interruption.allCases)
  func goesOn(after what: Interruption) throws {
    let wire = Wire()
    let one = try device(bufferSize: 256, on: wire)
    try one.setReadTimeout(hour)
    let watcher = Watcher(try one.pollDescriptor())
    // Full: nothing to wait for, so the timer is not needed.
    if what != .tooEarly && what != .timedOut { for number in 1...3 { wire.tap(frame(UInt8(number), 100)) } }
    one.quietly(readTimeout: 20 * milli)
    switch what {
    case .tooEarly: #expect(try one.readNow() == nil)
    case .took: _ = try one.readBuffer()
    case .flushed: one.flush()
    case .program: try one.setProgram(whole)
    case .moved: try one.attach(to: wire.interface)
    case .immediate:
      _ = try one.readBuffer()
      one.setImmediate(true)
      one.setImmediate(false)
    case .request: one.cancelPollTimer()
    case .timedOut: #expect(try one.readBuffer() == nil)
    case .slot: _ = try one.nextSlot()?.count
    }
    while case .request = what, try one.readNow() != nil {}
    wire.tap(frame(9, 20))
    try #require(watcher.waits(seconds: 30))
    one.quietly(readTimeout: 0)
    #expect(try one.readFrames().last == frame(9, 20))
  }

  @Test("C-026: after close the timer fires no more: no signal, no event, no descriptor left behind")
  func closes() throws {
    let wire = Wire()
    let counter = try SignalCounter()
    var one: BPF.Descriptor? = try device(on: wire)
    weak let gone = one
    let event = try #require(try one?.pollDescriptor())
    try one?.setSignal(counter.number)
    try one?.setSignalOwner(getpid())
    one?.setAsync(true)
    try one?.setReadTimeout(100 * milli)
    wire.tap(frame(1))
    one = nil
    #expect(gone == nil && wire.interface.peerCount == 0)
    #expect(eventually { fcntl(event, F_GETFD) < 0 })
    pause(0.2)
    #expect(counter.count == 0)
  }
}
