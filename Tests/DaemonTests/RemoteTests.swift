// Descriptors of the daemon that other processes read: frames, requests, rights, and clients that break the rules.
import CPcapShim
import Glibc
import SwBPFDaemonClient
import SwBPFFilterMachine
import SwBPFInterfaces
import SwBPFKern
import Synchronization
import Testing

@testable import SwBPFBPF
@testable import SwBPFDaemon
@testable import TestSupport

@Suite(.timeLimit(.minutes(2))) struct RemoteTests {
  // MARK: Frames

  @Test func everyFrameArrivesOnceAndWholeAndInOrder() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    #expect(try remote.attach(to: "tap0").linkType == 1)
    let count = 20_000
    let taken = Atomic<Int>(0)
    let thread = startThread {
      for start in stride(from: 0, to: count, by: 50) {
        taps.tap(start..<(start + 50), pass: start % 3 == 0 ? 50 : 7)
        // Nothing is to be dropped.
        while start - taken.load(ordering: .relaxed) > 200 { usleep(100) }
      }
    }
    var seen: [Int] = []
    while seen.count < count, remote.sleep() {
      seen += remote.drain()
      taken.store(seen.count, ordering: .relaxed)
    }
    taken.store(.max / 2, ordering: .relaxed)
    pthread_join(thread, nil)
    #expect(seen == Array(0..<count))
    let counts = remote.state.statistics
    #expect(counts.captured == UInt64(count) && counts.delivered == UInt64(count) && counts.addsUp, "\(counts)")
  }

  @Test func aSlotThatIsHalfFullIsReadInPartsAndAFullOneWithoutRotating() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    taps.tap(0..<3)
    if let slot = try remote.takeSlot(rotating: false) { Issue.record("a slot of \(slot.count)") }
    #expect(remote.drain() == [0, 1, 2])
    taps.tap(3..<5)
    #expect(remote.drain() == [3, 4])
    // 53 records of 76 bytes fill a slot.
    taps.tap(5..<60, pass: 10)
    guard let slot = try remote.takeSlot(rotating: false) else {
      Issue.record("no slot")
      return
    }
    #expect(RemoteDescriptor.numbers(slot) == Array(5..<53))
    #expect(remote.drain() == Array(53..<60))
  }

  @Test func aReaderThatSleepsIsWokenOnceAndOneThatReadsNotAtAll() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    _ = remote.clearWake()
    func wakes() -> Int {
      var bytes = [UInt8](repeating: 0, count: 4096)
      return max(0, read(remote.wakeDescriptor, &bytes, bytes.count)) / 8
    }
    #expect(remote.reader.mayWait())
    for number in 0..<20 { taps.tap(number..<(number + 1)) }
    #expect(wakes() == 1)
    #expect(remote.drain().count == 20)
    taps.tap(20..<30)
    #expect(wakes() == 0)
    #expect(!remote.reader.mayWait())
    #expect(remote.drain().count == 10)
  }

  /// Wake-ups that wait in the pipe.
  private func wakes(_ remote: RemoteDescriptor) -> Int {
    var bytes: CInt = 0
    _ = ioctl(remote.wakeDescriptor, 0x541b, &bytes)
    return Int(bytes) / 8
  }

  @Test("a reader is woken at most once by a pass, however many slots it fills and however often he sleeps meanwhile")
  func oneWakeUpForOnePass() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote(slots: 64)
    try remote.attach(to: "tap0")
    _ = remote.clearWake()
    for isAsleep in [true, false] {
      if isAsleep { #expect(remote.reader.mayWait()) }
      // 19 slots in parts of 128 frames.
      taps.tap(0..<1000, pass: 1000)
      #expect(wakes(remote) == 1)
      #expect(remote.drain() == Array(0..<1000))
    }
    _ = remote.clearWake()
    // A reader that says all the time that it is going to sleep.
    let ends = Atomic<Bool>(false)
    let thread = startThread { while !ends.load(ordering: .relaxed) { _ = remote.reader.mayWait() } }
    var most = 0
    for _ in 0..<200 {
      taps.tap(0..<300, pass: 300)
      most = max(most, wakes(remote))
      _ = remote.drain()
    }
    ends.store(true, ordering: .relaxed)
    pthread_join(thread, nil)
    #expect(most == 1)
  }

  @Test("C-124 through the daemon: a frame that is refused or hidden wakes nobody")
  func refusedFramesWakeNobody() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    let odd = try Program([.statement(0x30, 14), .jump(0x45, 1, 0, 1), .statement(6, 0xffff), .statement(6, 0)])
    try remote.setProgram(odd, flushing: true)
    try remote.change(.in)
    _ = remote.clearWake()
    #expect(remote.reader.mayWait())
    taps.tap(2..<3)
    taps.tap(1..<2, .sent)
    #expect(wakes(remote) == 0)
    taps.tap(3..<4)
    #expect(wakes(remote) == 1)
    #expect(remote.drain() == [3])
  }

  @Test func framesForWhichThereIsNoRoomAreCountedAndNobodyElseLosesAny() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let (slow, quick) = (try served.remote(slots: 2), try served.remote(slots: 64))
    for one in [slow, quick] { try one.attach(to: "tap0") }
    taps.tap(0..<1000, pass: 100)
    #expect(quick.drain() == Array(0..<1000))
    var counts = slow.state.statistics
    #expect(counts.captured == 1000 && counts.dropped == 1000 - 106 && counts.addsUp, "\(counts)")
    #expect(slow.drain() == Array(0..<106))
    // What was given back is used again.
    taps.tap(1000..<1010)
    #expect(slow.drain() == Array(1000..<1010))
    counts = slow.state.statistics
    #expect(counts.delivered == 116 && counts.addsUp, "\(counts)")
  }

  // MARK: Requests

  @Test func directionAndSeeSentChangeWhileFramesFlow() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    for (direction, wanted) in [(BPF.Direction.in, [1]), (.out, [2]), (.inOut, [1, 2])] {
      try remote.change(direction)
      taps.tap(1..<2, .received)
      taps.tap(2..<3, .sent)
      #expect(remote.drain() == wanted)
      #expect(remote.state.direction == direction)
    }
    let counts = remote.state.statistics
    #expect(counts.hidden == 2 && counts.captured == 4 && counts.addsUp)
  }

  @Test func programsAreCheckedAndWhatIsStoredIsDiscardedOnlyWhenAskedFor() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    taps.tap(0..<5)
    // Frames whose number is odd.
    let odd = try Program([.statement(0x30, 14), .jump(0x45, 1, 0, 1), .statement(6, 0xffff), .statement(6, 0)])
    try remote.setProgram(odd, flushing: false)
    taps.tap(5..<10)
    #expect(remote.drain() == [0, 1, 2, 3, 4, 5, 7, 9])
    taps.tap(10..<20)
    try remote.setProgram(odd, flushing: true)
    taps.tap(20..<24)
    #expect(remote.drain() == [21, 23])
    let counts = remote.state.statistics
    #expect(counts.captured == 2 && counts.delivered == 2 && counts.refused == 2 && counts.addsUp, "\(counts)")
    // As BIOCSETF, with a program in the message; one that is none is refused, and the old one stays.
    var argument: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0x41, count: 8)
    var memory: [UInt8] = [0xff, 0xff, 0, 0, 0, 0, 0, 0]
    #expect(refuses(EINVAL) { try remote.ioctl(0x8010_4267, argument: &argument, memory: &memory) })
    // An address of the daemon's is never followed.
    var none: [UInt8] = []
    #expect(refuses(EINVAL) { try remote.ioctl(0x8010_4267, argument: &argument, memory: &none) })
    memory = [6, 0, 0, 0, 0xff, 0xff, 0, 0]
    try remote.ioctl(0x8010_4267, argument: &argument, memory: &memory)
    taps.tap(30..<33)
    #expect(remote.drain() == [30, 31, 32])
  }

  @Test func aFlushInTheMiddleOfAReadLeavesTheReaderWhatItHas() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    taps.tap(0..<80)
    guard let slot = try remote.takeSlot(rotating: false) else {
      Issue.record("no slot")
      return
    }
    var argument: [UInt8] = []
    var memory: [UInt8] = []
    // BIOCFLUSH
    try remote.ioctl(0x2000_4268, argument: &argument, memory: &memory)
    taps.tap(100..<500)
    #expect(RemoteDescriptor.numbers(slot) == Array(0..<53))
    // Every slot but the borrowed one and those behind it is filled; the rest are drops.
    let seen = remote.drain()
    #expect(seen == Array(100..<(100 + seen.count)) && seen.count > 300)
    let counts = remote.state.statistics
    #expect(counts.captured == 400 && counts.addsUp, "\(counts)")
  }

  @Test func requestsOfDevicesAreAnsweredAndThoseOfThisProcessRefused() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    var (word, memory): ([UInt8], [UInt8]) = ([0, 0, 0, 0], [])
    #expect(refuses(EINVAL) { try remote.ioctl(0x4004_426a, argument: &word, memory: &memory) })
    try remote.attach(to: "tap0")
    // BIOCGDLT
    try remote.ioctl(0x4004_426a, argument: &word, memory: &memory)
    #expect(word == [1, 0, 0, 0])
    // BIOCGDLTLIST
    var list: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 1, count: 8)
    memory = [9, 9, 9, 9]
    try remote.ioctl(0xc010_4279, argument: &list, memory: &memory)
    #expect(memory == [1, 0, 0, 0] && Array(list[8...]) == [UInt8](repeating: 1, count: 8))
    // BIOCSBLEN
    word = [1, 0, 0, 0]
    #expect(refuses(EOPNOTSUPP) { try remote.ioctl(0xc004_4266, argument: &word, memory: &memory) })
  }

  @Test func anInterfaceThatGoesAwayEndsTheReaderWhenEverythingIsRead() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    taps.tap(0..<3)
    taps.ifnet.depart()
    #expect(remote.drain() == [0, 1, 2])
    #expect(throws: BPF.Failure.departed) { _ = try remote.takeSlot(rotating: true) }
  }

  @Test func aDaemonThatEndsLeavesWhatIsStoredAndCountsThatAddUp() throws {
    let taps = try TestTaps()
    var served: Served? = try Served(taps: taps)
    let remote = try #require(try served?.remote())
    try remote.attach(to: "tap0")
    taps.tap(0..<3)
    _ = remote.state
    taps.tap(3..<5)
    served = nil
    #expect(remote.drain() == [0, 1, 2, 3, 4])
    #expect(throws: BPF.Failure.self) { _ = try remote.takeSlot(rotating: true) }
    let counts = remote.state.statistics
    #expect(counts.delivered == 5 && counts.addsUp, "\(counts)")
    withExtendedLifetime(served) {}
  }

  // MARK: Rights

  @Test func whoHasNoRightToCaptureGetsNeitherFramesNorNews() throws {
    let taps = try TestTaps()
    let rules = [RightRule(.user(1000), .capture, interface: "tap0"), RightRule(.group(50), .inject, interface: nil)]
    let rights = Rights(rules: rules)
    let remotes = RemoteTaps(taps, limits: DaemonLimits())
    var open = FieldWriter()
    open.put(RemoteTag.slotSize, UInt64(4096))
    open.put(RemoteTag.slots, UInt64(4))
    open.put(RemoteTag.nanoseconds, UInt8(0))
    for (user, groups, mayCapture) in [(uid_t(1000), Set<gid_t>(), true), (1001, [50], false), (0, [], true)] {
      let caller = Caller(user: user, groups: groups, pid: 1)
      func ask(_ kind: MessageKind, _ body: [UInt8]) -> (CInt, [UInt8]) {
        do throws(InterfaceFailure) {
          let answer = try remotes.perform(kind, body, client: UInt64(user), caller: caller) {
            rights.allows(caller, $0)
          }
          for one in answer.descriptors { close(one) }
          return (0, answer.body)
        } catch { return (error.errno, []) }
      }
      let opened = ask(.bpfOpen, open.bytes)
      #expect(opened.0 == 0)
      func body(_ name: String) -> [UInt8] {
        var writer = FieldWriter()
        writer.put(MessageTag.name, name, limit: 64)
        return opened.1 + writer.bytes
      }
      #expect(ask(.bpfAttach, body("tap0")).0 == (mayCapture ? 0 : EPERM))
      #expect(ask(.bpfAttach, body("none")).0 == (user == 0 ? ENXIO : EPERM))
      var writer = FieldWriter()
      writer.put(RemoteTag.frame, [UInt8](repeating: 1, count: 60))
      // Who is at no interface is told so.
      #expect(ask(.bpfWrite, opened.1 + writer.bytes).0 == (user == 0 ? 0 : mayCapture ? EPERM : ENXIO))
      remotes.ended(UInt64(user))
    }
    #expect(taps.driver.sent.count == 1)
    #expect(taps.ifnet.peerCount == 0)
  }

  @Test func descriptorsAndMemoryOfOneUserAreBounded() throws {
    var limits = DaemonLimits()
    limits.peers = 3
    limits.sharedMemory = 1 << 20
    let served = try Served(limits, taps: try TestTaps())
    #expect(refuses(ENOMEM) { _ = try served.remote(slotSize: 1 << 20, slots: 2) })
    #expect(refuses(EINVAL) { _ = try served.remote(slotSize: 1 << 40, slots: 2) })
    #expect(refuses(EINVAL) { _ = try served.remote(slotSize: 16, slots: 2) })
    var three: [RemoteDescriptor]? = try (0..<3).map { _ in try served.remote() }
    #expect(refuses(EMFILE) { _ = try served.remote() })
    withExtendedLifetime(three) {}
    three = nil
    #expect(eventually { (try? served.remote()) != nil })
  }

  @Test func aDescriptorIsTheConnectionsOwn() throws {
    let served = try Served(taps: try TestTaps())
    let remote = try served.remote()
    let other = try served.client()
    var writer = FieldWriter()
    writer.put(RemoteTag.descriptor, UInt32(1))
    writer.put(MessageTag.name, "tap0", limit: 64)
    #expect(refuses(EBADF) { _ = try other.request(.bpfAttach, body: writer.bytes) })
    try remote.attach(to: "tap0")
    let line = try #require(try other.peerLines().first)
    #expect(line.contains("interface=tap0") && line.contains("pid=\(getpid())"))
  }
}
