// Signals that tell of something to read at the daemon: the client's own kernel call raises them, never the daemon.
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import Synchronization
import Testing

@testable import SwBPFBPF
@testable import SwBPFDaemon
@testable import TestSupport

/// Counts real-time signals that are sent to this process.
private struct Counter {
  static let number = __libc_current_sigrtmin() + 9
  private static let came = Atomic<Int>(0)
  private let start: Int

  init() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in Counter.came.wrappingAdd(1, ordering: .relaxed) }
    action.sa_flags = SA_RESTART
    sigaction(Counter.number, &action, nil)
    start = Counter.came.load(ordering: .relaxed)
  }

  var count: Int { Counter.came.load(ordering: .relaxed) - start }

  func settles(at expected: Int) -> Bool {
    guard eventually({ count >= expected }) else { return false }
    pause(0.03)
    return count == expected
  }
}

@Suite("Signals of the daemon's descriptors", .serialized, .timeLimit(.minutes(1)))
struct RemoteSignalTests {
  // BIOCSRSIG, BIOCGRSIG, FIOASYNC, FIOSETOWN, FIOGETOWN, TIOCSPGRP, TIOCGPGRP
  private let set: UInt32 = 0x8004_4273
  private let get: UInt32 = 0x4004_4272
  private let async: UInt32 = 0x8004_667d
  private let setOwner: UInt32 = 0x8004_667c
  private let getOwner: UInt32 = 0x4004_667b
  private let setGroup: UInt32 = 0x8004_7476
  private let getGroup: UInt32 = 0x4004_7477

  @discardableResult
  private func ask(_ remote: RemoteDescriptor, _ request: UInt32, _ word: Int32 = 0) throws -> Int32 {
    var argument: [UInt8] = []
    argument.appendNumber(word)
    var memory: [UInt8] = []
    try remote.ioctl(request, argument: &argument, memory: &memory)
    return argument.withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
  }

  @Test("C-137 through the daemon: one signal for each time that there is something new")
  func signals() throws {
    let counter = Counter()
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    #expect(try ask(remote, get) == SIGIO && ask(remote, getOwner) == 0)
    taps.tap(0..<1)
    #expect(remote.drain() == [0])
    try ask(remote, set, Counter.number)
    try ask(remote, async, 1)
    taps.tap(1..<2)
    // Nobody is named yet.
    #expect(remote.drain() == [1] && counter.count == 0)
    try ask(remote, setOwner, getpid())
    #expect(try ask(remote, getOwner) == getpid() && ask(remote, getGroup) == -getpid())
    for round in 1...5 {
      taps.tap(round..<(round + 1))
      #expect(counter.settles(at: round))
      #expect(remote.drain() == [round])
    }
    // Several before it looks are one.
    taps.tap(10..<20, pass: 1)
    #expect(counter.settles(at: 6) && remote.drain() == Array(10..<20))
    try ask(remote, set, 0)
    taps.tap(20..<21)
    #expect(remote.drain() == [20])
    try ask(remote, set, Counter.number)
    try ask(remote, async, 0)
    taps.tap(21..<22)
    #expect(remote.drain() == [21] && counter.settles(at: 6))
  }

  @Test("C-138: a number above 64 is EINVAL; nobody is named who is not there, or may not be signalled")
  func refusals() throws {
    let served = try Served(taps: try TestTaps())
    let remote = try served.remote()
    for number: Int32 in [65, 1000, -1] { #expect(refuses(EINVAL) { try ask(remote, set, number) }) }
    #expect(try ask(remote, get) == SIGIO)
    #expect(refuses(ESRCH) { try ask(remote, setOwner, 4_000_000) })
    #expect(refuses(ESRCH) { try ask(remote, setOwner, -1) })
    #expect(refuses(ESRCH) { try ask(remote, setGroup, 4_000_000) })
    #expect(try ask(remote, getOwner) == 0)
    var (argument, memory): ([UInt8], [UInt8]) = ([1, 2], [])
    #expect(refuses(EINVAL) { try remote.ioctl(set, argument: &argument, memory: &memory) })
    // A group is a negative number here and a positive one there.
    try ask(remote, setGroup, getpgrp())
    #expect(try ask(remote, getGroup) == getpgrp() && ask(remote, getOwner) == -getpgrp())
  }

  @Test("C-136, C-137: a locked descriptor keeps its signal")
  func locked() throws {
    let served = try Served(taps: try TestTaps())
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    var (argument, memory): ([UInt8], [UInt8]) = ([], [])
    try remote.ioctl(0x2000_427a, argument: &argument, memory: &memory)
    for request in [set, async, setOwner, setGroup, getOwner] {
      #expect(refuses(EPERM) { try ask(remote, request, 1) })
    }
    #expect(try ask(remote, get) == SIGIO && ask(remote, getGroup) == 0)
  }

  @Test("the daemon itself takes no request about signals")
  func daemon() throws {
    let served = try Served(taps: try TestTaps())
    let client = try served.client()
    var open = FieldWriter()
    open.put(RemoteTag.slotSize, UInt64(4096))
    open.put(RemoteTag.slots, UInt64(4))
    open.put(RemoteTag.nanoseconds, UInt8(1))
    let answer = try client.request(.bpfOpen, body: open.bytes, mostDescriptors: 3)
    for one in answer.descriptors { close(one) }
    for request in [set, async, setOwner, setGroup] {
      var writer = FieldWriter()
      writer.put(RemoteTag.number, request)
      writer.put(RemoteTag.argument, [1, 0, 0, 0])
      #expect(
        refuses(EOPNOTSUPP) { _ = try client.request(.bpfRequest, body: answer.body + writer.bytes) })
    }
  }
}
