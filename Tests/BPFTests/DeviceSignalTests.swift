// Signals of open bpf devices: SIGIO and its like, and reads that a signal interrupts.
import Glibc
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

extension BPF.Descriptor {
  fileprivate func signals(_ counter: SignalCounter) throws {
    try setSignal(counter.number)
    try setSignalOwner(getpid())
    setAsync(true)
  }
}

@Suite("Signals of devices", .serialized, .timeLimit(.minutes(1)))
struct DeviceSignalTests {
  @Test("C-125: a signal ends a sleeping read with EINTR; nothing is lost", arguments: [false, true])
  func interrupts(withTimeout: Bool) throws {
    let counter = try SignalCounter(SIGUSR2)
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    if withTimeout { try one.setReadTimeout(3600 * 1_000_000_000) }
    wire.tap(frame(1, 90))
    let read = Reading(one)
    #expect(read.sleeps)
    try #require(
      eventually {
        pthread_kill(read.thread, counter.number)
        pause(0.01)
        return read.isBack
      })
    #expect(throws: BPF.Failure.interrupted) { try read.end() }
    #expect(BPF.Failure.interrupted.errno == EINTR && counter.count > 0)
    wire.tap(frame(2, 90))
    #expect(try one.readFrames() == [frame(1, 90)])
    #expect(try one.readNow() == [frame(2, 90)])
    #expect(one.statistics.dropped == 0 && one.statistics.delivered == 2)
  }

  @Test("a signal ends one reader of several, the others sleep on")
  func interruptsOne() throws {
    let counter = try SignalCounter(SIGUSR2)
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(true)
    let reads = (0..<3).map { _ in Reading(one) }
    #expect(reads.allSatisfy { $0.sleeps })
    try #require(
      eventually {
        pthread_kill(reads[1].thread, counter.number)
        pause(0.01)
        return reads[1].isBack
      })
    #expect(throws: BPF.Failure.interrupted) { try reads[1].end() }
    #expect(reads[0].sleeps && reads[2].sleeps)
    for number in 1...2 {
      wire.tap(frame(UInt8(number)))
      #expect(eventually { reads[0].isBack || reads[2].isBack })
    }
    #expect(eventually { reads[0].isBack && reads[2].isBack })
    #expect(try Set([reads[0].frames(), reads[2].frames()]) == [[frame(1)], [frame(2)]])
  }

  @Test("a signal ends a poll of the library with EINTR")
  func interruptsPoll() throws {
    let counter = try SignalCounter(SIGUSR2)
    let wire = Wire()
    let one = try device(on: wire)
    let poll = Running { () throws(BPF.Failure) in try one.poll(.readable, timeout: nil) }
    #expect(poll.sleeps)
    try #require(
      eventually {
        pthread_kill(poll.thread, counter.number)
        pause(0.01)
        return poll.isBack
      })
    #expect(throws: BPF.Failure.interrupted) { try poll.end() }
  }

  @Test("C-137: the signal is sent when a reader would be woken: each packet in immediate mode, else each full buffer")
  func sent() throws {
    let counter = try SignalCounter()
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    try one.signals(counter)
    wire.tap(frame(1, 90))
    #expect(counter.settles(at: 0), "stored only")
    wire.tap(frame(2, 90))
    #expect(counter.settles(at: 1), "full")
    wire.tap(frame(3, 90))
    #expect(counter.settles(at: 1), "dropped")
    one.flush()
    one.setImmediate(true)
    for number in 1...3 {
      wire.tap(frame(1, 5))
      #expect(counter.settles(at: 1 + number), "immediate")
    }
    try one.setProgram(nothing)
    wire.tap(frame(1, 5))
    #expect(counter.settles(at: 4), "refused")
  }

  @Test("C-137: no signal unless asked for, with a number and an owner")
  func notSent() throws {
    let counter = try SignalCounter()
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(true)
    #expect(one.signal == SIGIO && one.signalOwner == 0, "the default")
    let steps: [(String, () throws -> Void)] = [
      ("number", { try one.setSignal(counter.number) }),
      ("owner, not async", { try one.setSignalOwner(getpid()) }),
      (
        "async, no owner",
        {
          one.setAsync(true)
          try one.setSignalOwner(0)
        }
      ),
      (
        "number 0",
        {
          try one.setSignalOwner(getpid())
          try one.setSignal(0)
        }
      ),
      (
        "async off",
        {
          try one.setSignal(counter.number)
          one.setAsync(false)
        }
      ),
    ]
    for (name, step) in steps {
      try step()
      wire.tap(frame(1))
      #expect(counter.settles(at: 0), "\(name)")
    }
    one.setAsync(true)
    #expect(one.signal == counter.number && one.signalOwner == getpid())
    wire.tap(frame(1))
    #expect(counter.settles(at: 1))
  }

  @Test("a request sends no signal, neither does close; departure does, and the poll timer with data")
  func others() throws {
    let counter = try SignalCounter()
    let wire = Wire()
    var one: BPF.Descriptor? = try device(on: wire)
    try one?.signals(counter)
    wire.tap(frame(1))
    one?.setImmediate(true)
    one?.setImmediate(false)
    try one?.setDirection(.in)
    one?.flush()
    try one?.setProgram(whole)
    #expect(counter.settles(at: 0))
    try one?.setReadTimeout(20_000_000)
    _ = one?.poll(.readable)
    pause(0.1)
    #expect(counter.settles(at: 0), "the timer ran out with nothing stored")
    wire.tap(frame(1))
    #expect(counter.settles(at: 1), "the next packet")
    _ = try one?.readBuffer()
    wire.tap(frame(2))
    _ = one?.poll(.readable)
    #expect(counter.settles(at: 2), "the timer with data")
    wire.ifnet.depart()
    #expect(counter.settles(at: 3))
    let other = Wire()
    try one?.attach(to: other.interface)
    let before = counter.count
    one = nil
    #expect(counter.settles(at: before), "closed")
  }

  @Test("C-138: numbers of signals are 0 to 64; others change nothing", arguments: [-1, 65, 66, .max, .min] as [CInt])
  func numbers(bad: CInt) throws {
    let one = try device()
    for good in [0, 1, 64, SIGUSR1] as [CInt] {
      try one.setSignal(good)
      #expect(one.signal == good)
    }
    #expect(throws: BPF.Failure.invalid("signal \(bad)")) { try one.setSignal(bad) }
    #expect(one.signal == SIGUSR1 && BPF.Failure.invalid("").errno == EINVAL)
  }

  @Test("the owner is a process, or a group as a negative number", arguments: [1, -1] as [pid_t])
  func owner(sign: pid_t) throws {
    let sleeper = try Sleeper()
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(true)
    try one.setSignal(SIGTERM)
    try one.setSignalOwner(sign * sleeper.pid)
    #expect(one.signalOwner == sign * sleeper.pid)
    one.setAsync(true)
    wire.tap(frame(1))
    #expect(sleeper.endedBy() == SIGTERM)
    let refusal = BPF.Failure.system(errno: ESRCH, call: "FIOSETOWN")
    #expect(throws: refusal) { try one.setSignalOwner(sign * sleeper.pid) }
    #expect(one.signalOwner == sign * sleeper.pid)
  }

  @Test("the number that means every process to kill(2) owns nothing")
  func everybody() throws {
    let one = try device()
    #expect(throws: BPF.Failure.system(errno: ESRCH, call: "FIOSETOWN")) { try one.setSignalOwner(-1) }
    #expect(one.signalOwner == 0)
  }
}
