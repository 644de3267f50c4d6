// What bpf(4) says of a descriptor, asked of one of this process and of one of a daemon: the same answers.
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import Testing

@testable import SwBPFBPF
@testable import SwBPFDaemon
@testable import TestSupport

private enum Side: CaseIterable {
  case process
  case daemon
}

/// A descriptor of either side. Records are those of a savefile; there is no read(2).
private final class Subject {
  private let local: BPF.Descriptor?
  private let remote: RemoteDescriptor?

  init(local: BPF.Descriptor) { (self.local, remote) = (local, nil) }
  init(remote: RemoteDescriptor) { (local, self.remote) = (nil, remote) }

  /// A request with what its argument points to.
  func ask(_ request: UInt32, _ argument: [UInt8] = [], memory: [UInt8] = []) throws -> ([UInt8], memory: [UInt8]) {
    var (argument, memory) = (argument, memory)
    if let local { try local.ioctl(request: request, argument: &argument, memory: &memory) }
    if let remote { try remote.ioctl(request, argument: &argument, memory: &memory) }
    return (argument, memory)
  }

  func set(_ request: UInt32, _ word: UInt32) throws { _ = try ask(request, Subject.bytes(word)) }

  func word(_ request: UInt32) throws -> UInt32 {
    try ask(request, [0, 0, 0, 0]).0.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
  }

  /// BIOCSETF, BIOCSETFNR or BIOCSETWF.
  func program(_ instructions: [[UInt8]], request: UInt32 = 0x8010_4267) throws {
    let count = Subject.bytes(UInt32(instructions.count)) + [0, 0, 0, 0]
    _ = try ask(request, count + [UInt8](repeating: 1, count: 8), memory: instructions.flatMap { $0 })
  }

  func attach(_ name: String = "tap0") throws {
    try local?.attach(toName: name)
    try remote?.attach(to: name)
  }

  func write(_ frame: [UInt8]) throws {
    try local?.write(frame)
    try remote?.write(frame)
  }

  /// Frames that are there: bytes and length on the wire.
  func frames() -> [(bytes: [UInt8], length: Int)] {
    var all: [(bytes: [UInt8], length: Int)] = []
    if let local { while let slot = try? local.takeSlot(rotating: true) { all += Subject.frames(slot) } }
    if let remote { while let slot = try? remote.takeSlot(rotating: true) { all += Subject.frames(slot) } }
    return all
  }

  private static func frames(_ slot: borrowing BPF.Slot) -> [(bytes: [UInt8], length: Int)] {
    var all: [(bytes: [UInt8], length: Int)] = []
    // A slot is no sequence.
    // swift-format-ignore: ReplaceForEachWithForLoop
    slot.eachRecord { record in all.append((record.frame.withUnsafeBytes { Array($0) }, record.wireLength)) }
    return all
  }

  func numbers() -> [Int] { frames().map { TestTaps.number(of: $0.bytes) } }

  var counts: BPF.Statistics { local?.statistics ?? remote?.state.statistics ?? BPF.Statistics() }

  /// The errno of what a closure throws; 0: none.
  func errno(_ body: (Subject) throws -> Void) -> CInt {
    do {
      try body(self)
      return 0
    } catch let error as DaemonFailure { return error.refusal?.errno ?? -1 } catch {
      return (error as? BPF.Failure)?.errno ?? -1
    }
  }

  static func bytes(_ word: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
}

@Suite("bpf(4), in the process and through the daemon", .timeLimit(.minutes(1)))
struct RemoteConformanceTests {
  /// An interface of two link types, and who opens descriptors of a side.
  private struct Stand {
    let taps: TestTaps
    let served: Served
    let side: Side

    init(_ side: Side) throws {
      (taps, self.side) = (try TestTaps(), side)
      _ = try taps.ifnet.attach(linkType: 12, headerLength: 0)
      served = try Served(taps: taps)
    }

    func open(slotSize: Int = 4096, slots: Int = 8) throws -> Subject {
      guard side == .process else { return Subject(remote: try served.remote(slotSize: slotSize, slots: slots)) }
      var configuration = BPF.Descriptor.Configuration(slotSize: slotSize, slots: slots)
      configuration.directory = taps
      return Subject(local: try BPF.Descriptor(configuration))
    }
  }

  private let accept: [UInt8] = [6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
  private let refuse: [UInt8] = [6, 0, 0, 0, 0, 0, 0, 0]

  @Test(
    "C-001, C-002, C-141, C-156: what a new descriptor is set to, and that another has its own",
    arguments: Side.allCases)
  private func defaults(side: Side) throws {
    let stand = try Stand(side)
    let (one, other) = (try stand.open(), try stand.open())
    // BIOCGDIRECTION, BIOCGHDRCMPLT, BIOCGFEEDBACK, BIOCGTSTAMP, BIOCGETBUFMODE, BIOCGRSIG, FIOGETOWN, FIONREAD, BIOCVERSION
    let asked: [UInt32] = [
      0x4004_4276, 0x4004_4274, 0x4004_427c, 0x4004_4283, 0x4004_427d, 0x4004_4272, 0x4004_667b, 0x4004_667f,
      0x4004_4271,
    ]
    let wanted: [UInt32] = [1, 0, 0, 0, 1, UInt32(SIGIO), 0, 0, 1 | 1 << 16]
    #expect(try asked.map { try one.word($0) } == wanted)
    for (request, word) in [(0x8004_4277, 0), (0x8004_4275, 1), (0x8004_427c, 1), (0x8004_4284, 1)]
      as [(UInt32, UInt32)]
    {
      try one.set(request, word)
    }
    #expect(try asked.prefix(4).map { try one.word($0) } == [0, 1, 1, 1])
    #expect(try asked.map { try other.word($0) } == wanted)
  }

  @Test(
    "C-004, C-005, C-007, C-009, C-011, C-012, C-013: interfaces by name", arguments: Side.allCases)
  private func interfaces(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    let ifreq = [UInt8](repeating: 0, count: 32)
    // BIOCGETIF, BIOCPROMISC, BIOCGDLT, BIOCSDLT
    func unattached() -> [CInt] {
      [
        one.errno { _ = try $0.ask(0x4020_426b, ifreq) }, one.errno { _ = try $0.ask(0x2000_4269) },
        one.errno { _ = try $0.word(0x4004_426a) }, one.errno { try $0.set(0x8004_4278, 1) },
      ]
    }
    #expect(unattached() == [EINVAL, EINVAL, EINVAL, EINVAL])
    try one.program([[0x30, 0, 0, 0, 14, 0, 0, 0], [0x45, 0, 0, 1, 1, 0, 0, 0], accept, refuse])
    for name in ["", "tap", "TAP0", "tap00", "nothere"] {
      #expect(one.errno { try $0.attach(name) } == ENXIO, "\(name)")
    }
    #expect(unattached() == [EINVAL, EINVAL, EINVAL, EINVAL])
    try one.attach()
    #expect(try one.ask(0x4020_426b, ifreq).0 == Array("tap0".utf8) + [UInt8](repeating: 0, count: 28))
    stand.taps.tap(0..<4)
    #expect(one.errno { try $0.attach("nothere") } == ENXIO)
    #expect(one.numbers() == [1, 3])
  }

  @Test("C-008, C-084, C-163: what flushes and zeroes the counters", arguments: Side.allCases)
  private func flushes(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    try one.attach()
    let ways: [(String, Int, () throws -> Void)] = [
      ("BIOCSETIF", 0, { try one.attach() }), ("BIOCFLUSH", 0, { _ = try one.ask(0x2000_4268) }),
      ("BIOCSETF", 0, { try one.program([accept]) }),
      ("BIOCSETFNR", 3, { try one.program([accept], request: 0x8010_4282) }),
      ("BIOCSETWF", 3, { try one.program([accept], request: 0x8010_427b) }),
      ("BIOCSDIRECTION", 3, { try one.set(0x8004_4277, 1) }), ("BIOCSTSTAMP", 3, { try one.set(0x8004_4284, 0) }),
    ]
    for (name, kept, way) in ways {
      _ = try one.ask(0x2000_4268)
      stand.taps.tap(0..<3)
      try way()
      #expect(one.counts.captured == UInt64(kept), "\(name)")
      #expect(one.numbers() == Array(0..<kept), "\(name)")
    }
  }

  @Test("C-019, C-020, C-021, C-022, C-023, C-024: link types", arguments: Side.allCases)
  private func linkTypes(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    try one.attach()
    func list(_ room: UInt32, isNull: Bool = false, memory: [UInt8] = []) -> [UInt8] {
      Subject.bytes(room) + [0, 0, 0, 0] + [UInt8](repeating: isNull ? 0 : 7, count: 8)
    }
    #expect(try one.ask(0xc010_4279, list(0, isNull: true)).0.prefix(4) == [2, 0, 0, 0])
    #expect(one.errno { _ = try $0.ask(0xc010_4279, list(1), memory: [9, 9, 9, 9]) } == ENOMEM)
    let full = try one.ask(0xc010_4279, list(3), memory: [UInt8](repeating: 9, count: 12))
    #expect(full.0 == Subject.bytes(2) + [0, 0, 0, 0] + [UInt8](repeating: 7, count: 8))
    #expect(full.memory == [12, 0, 0, 0, 1, 0, 0, 0, 9, 9, 9, 9])
    stand.taps.tap(0..<2)
    _ = try one.ask(0x2000_4269)
    try one.set(0x8004_4278, 1)
    #expect(one.counts.captured == 2)
    #expect(one.errno { try $0.set(0x8004_4278, 105) } == EINVAL)
    #expect(one.counts.captured == 2)
    try one.set(0x8004_4278, 12)
    #expect(try one.word(0x4004_426a) == 12 && one.counts.captured == 0)
    #expect(stand.taps.ifnet.promiscuousReferences == 1)
  }

  @Test("C-010, C-025, C-147: promiscuous references, one of each descriptor", arguments: Side.allCases)
  private func promiscuous(side: Side) throws {
    let stand = try Stand(side)
    var all: [Subject]? = try (0..<3).map { _ in try stand.open() }
    for one in all ?? [] {
      try one.attach()
      for _ in 0..<2 { _ = try one.ask(0x2000_4269) }
    }
    #expect(stand.taps.ifnet.promiscuousReferences == 3)
    all?.removeLast()
    #expect(eventually { stand.taps.ifnet.promiscuousReferences == 2 && stand.taps.ifnet.peerCount == 2 })
    all = nil
    #expect(eventually { stand.taps.ifnet.promiscuousReferences == 0 && stand.taps.ifnet.peerCount == 0 })
  }

  @Test("C-027, C-029, C-030, C-032, C-034: an interface that departs", arguments: Side.allCases)
  private func departs(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    try one.attach()
    // A full slot and the rest.
    stand.taps.tap(0..<60)
    stand.taps.ifnet.depart()
    #expect(one.numbers() == Array(0..<60))
    #expect(one.errno { try $0.write([UInt8](repeating: 1, count: 60)) } == ENXIO)
    #expect(one.errno { _ = try $0.ask(0x2000_4269) } == EINVAL)
    #expect(one.counts.delivered == 60)
  }

  @Test(
    "C-057, C-058, C-060, C-061, C-062, C-066, C-067, C-080: the direction, of each its own, from the next frame on",
    arguments: Side.allCases)
  private func directions(side: Side) throws {
    let stand = try Stand(side)
    let (one, other) = (try stand.open(), try stand.open())
    for subject in [one, other] { try subject.attach() }
    try one.program([[0x30, 0, 0, 0, 14, 0, 0, 0], [0x45, 0, 0, 1, 4, 0, 0, 0], refuse, accept])
    for (direction, seen) in [(0, [1]), (2, [2]), (1, [1, 2])] as [(UInt32, [Int])] {
      try one.set(0x8004_4277, direction)
      #expect(try one.word(0x4004_4276) == direction)
      for bad: UInt32 in [3, .max] { #expect(one.errno { try $0.set(0x8004_4277, bad) } == EINVAL) }
      #expect(try one.word(0x4004_4276) == direction)
      let before = one.counts
      stand.taps.tap(1..<2, .received)
      stand.taps.tap(2..<3, .sent)
      stand.taps.tap(4..<5, .received)
      #expect(one.numbers() == seen)
      #expect(other.numbers() == [1, 2, 4])
      // Received counts what the program refuses, and nothing that is hidden.
      let (received, hidden): (UInt64, UInt64) = direction == 0 ? (2, 1) : direction == 2 ? (1, 2) : (3, 0)
      #expect(one.counts.received - before.received == received && one.counts.hidden - before.hidden == hidden)
    }
  }

  @Test(
    "C-081, C-082, C-083, C-087, C-101, C-103: counters, and what is lost when all is full", arguments: Side.allCases)
  private func counters(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open(slots: 2)
    try one.attach()
    // 53 records fill a slot.
    stand.taps.tap(0..<200, pass: 10)
    let statistics = try one.ask(0x4080_426f, [UInt8](repeating: 9, count: 128)).0
    #expect(
      statistics == [200, 94, 200].flatMap { Subject.bytes($0) + [0, 0, 0, 0] } + [UInt8](repeating: 0, count: 104))
    #expect(try one.ask(0x4008_426f, [UInt8](repeating: 9, count: 8)).0 == Subject.bytes(200) + Subject.bytes(94))
    #expect(one.numbers() == Array(0..<106))
    let counts = one.counts
    #expect(counts.captured == 200 && counts.dropped == 94 && counts.delivered == 106 && counts.addsUp, "\(counts)")
  }

  @Test("C-095, C-096, C-097, C-098: how much of a frame is kept", arguments: Side.allCases)
  private func lengths(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open(slotSize: 128)
    try one.attach()
    for (keep, size, kept) in [(60, 60, 60), (60, 40, 40), (1, 60, 1), (UInt32.max, 60, 60), (.max, 500, 112)]
      as [(UInt32, Int, Int)]
    {
      try one.program([[6, 0, 0, 0] + Subject.bytes(keep)])
      stand.taps.tap(1..<2, size: size)
      let frames = one.frames()
      #expect(frames.map(\.bytes) == [Array(TestTaps.frame(1, size).prefix(kept))] && frames[0].length == size)
    }
    #expect(one.counts.cut == 1)
  }

  @Test("C-134, C-135: FIONREAD counts what is stored and not yet taken", arguments: Side.allCases)
  private func storedBytes(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    try one.attach()
    for count in [0, 1, 53, 54, 200] {
      stand.taps.tap(0..<count, pass: 7)
      #expect(try one.word(0x4004_667f) == UInt32(count * 76))
      #expect(one.numbers().count == count)
      #expect(try one.word(0x4004_667f) == 0)
    }
  }

  @Test(
    "C-140, C-142, C-143, C-144, C-145, C-155, C-157: requests that there are not, settings and their readings",
    arguments: Side.allCases)
  private func settings(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    try one.attach()
    for unknown: UInt32 in [0, 0x1234, 0x2000_42ff, 0x4004_4266 ^ 0x0100] {
      #expect(
        one.errno { _ = try $0.ask(unknown, [UInt8](repeating: 0, count: Int(unknown >> 16 & 0x1fff))) } == EINVAL)
    }
    // An argument of another size.
    #expect(one.errno { _ = try $0.ask(0x4004_4266, [0, 0]) } == EINVAL)
    #expect(try one.word(0x4004_4266) == 4096)
    for word: UInt32 in [1, 0, 7] { try one.set(0x8004_4270, word) }
    try one.set(0x8004_4275, 7)
    #expect(try one.word(0x4004_4274) == 1)
    try one.set(0x8004_427c, 5)
    #expect(try one.word(0x4004_427c) == 5)
    let (second, bad) = (
      [1] + [UInt8](repeating: 0, count: 15), [UInt8](repeating: 0, count: 8) + Subject.bytes(1_000_000) + [0, 0, 0, 0]
    )
    _ = try one.ask(0x8010_426d, second)
    #expect(one.errno { _ = try $0.ask(0x8010_426d, bad) } == EINVAL)
    #expect(try one.ask(0x4010_426e, bad).0 == second)
    for request: UInt32 in [0x4008_427f, 0x4018_4280, 0x8018_4281] {
      #expect(
        one.errno { _ = try $0.ask(request, [UInt8](repeating: 0, count: Int(request >> 16 & 0x1fff))) } == EOPNOTSUPP)
    }
    #expect(one.errno { try $0.set(0x8004_427e, 1) } == EBUSY)
    #expect(one.errno { try $0.set(0x8004_427e, 2) } == EINVAL)
  }

  @Test("C-150, C-151, C-152, C-153, C-154: a locked descriptor", arguments: Side.allCases)
  private func locked(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    try one.attach()
    for _ in 0..<2 { _ = try one.ask(0x2000_427a) }
    let refused: [(String, (Subject) throws -> Void)] = [
      ("BIOCSETF", { try $0.program([refuse]) }), ("BIOCSETWF", { try $0.program([refuse], request: 0x8010_427b) }),
      ("BIOCPROMISC", { _ = try $0.ask(0x2000_4269) }), ("BIOCSDLT", { try $0.set(0x8004_4278, 12) }),
      ("BIOCSDIRECTION", { try $0.set(0x8004_4277, 0) }), ("BIOCGDIRECTION", { _ = try $0.word(0x4004_4276) }),
      ("BIOCSHDRCMPLT", { try $0.set(0x8004_4275, 1) }), ("BIOCSTSTAMP", { try $0.set(0x8004_4284, 1) }),
      ("BIOCSRSIG", { try $0.set(0x8004_4273, 1) }),
    ]
    for (name, body) in refused { #expect(one.errno(body) == EPERM, "\(name)") }
    // Harmless ones, reading, writing.
    _ = try one.word(0x4004_426a)
    _ = try one.ask(0x4008_426f, [UInt8](repeating: 0, count: 8))
    try one.set(0x8004_4270, 1)
    // It is set, and refused all the same.
    #expect(one.errno { try $0.set(0x8004_667e, 1) } == EPERM)
    try one.write(TestTaps.frame(1))
    stand.taps.tap(0..<2)
    #expect(one.numbers() == [0, 1])
    _ = try one.ask(0x2000_4268)
  }

  @Test("C-150 through the daemon: messages that do what a request does are bound by the lock as well")
  func lockedMessages() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let remote = try served.remote()
    try remote.attach(to: "tap0")
    var (argument, memory): ([UInt8], [UInt8]) = ([], [])
    try remote.ioctl(0x2000_427a, argument: &argument, memory: &memory)
    #expect(refuses(EPERM) { try remote.attach(to: "tap0") })
    #expect(refuses(EPERM) { try remote.setProgram(nil, flushing: false) })
    #expect(refuses(EPERM) { try remote.change(.in) })
    taps.tap(0..<2, .sent)
    #expect(remote.drain() == [0, 1])
  }

  @Test(
    "C-158, C-159, C-160, C-161, C-162, C-165: programs that are none change nothing", arguments: Side.allCases)
  private func programs(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    try one.attach()
    try one.program([[0x30, 0, 0, 0, 14, 0, 0, 0], [0x45, 0, 0, 1, 1, 0, 0, 0], accept, refuse])
    let long = [[UInt8]](repeating: [7, 0, 0, 0, 0, 0, 0, 0], count: 512)
    let bad: [(Subject) throws -> Void] = [
      { _ = try $0.ask(0x8010_4267, [1] + [UInt8](repeating: 0, count: 15)) },
      { _ = try $0.ask(0x8010_4267, [1, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 1, count: 8)) },
      { try $0.program(long + [accept]) }, { try $0.program([[7, 0, 0, 0, 0, 0, 0, 0]]) },
      { try $0.program([[0x34, 0, 0, 0, 0, 0, 0, 0], accept]) },
      { try $0.program([[0x30, 0, 0, 0, 0, 0xf0, 0xff, 0xff]]) },
    ]
    for (index, body) in bad.enumerated() { #expect(one.errno(body) == EINVAL, "\(index)") }
    stand.taps.tap(0..<4)
    #expect(one.numbers() == [1, 3])
    try one.program(long.dropLast() + [accept])
    stand.taps.tap(0..<4)
    #expect(one.numbers() == [0, 1, 2, 3])
    try one.program([refuse])
    try one.program([])
    stand.taps.tap(0..<4)
    #expect(one.numbers() == [0, 1, 2, 3])
  }

  @Test(
    "C-164, C-166, C-167, C-169, C-170, C-171, C-174, C-175, C-176: writing", arguments: Side.allCases)
  private func writing(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    let frame = TestTaps.frame(1)
    #expect(one.errno { try $0.write(frame) } == ENXIO)
    try one.attach()
    try one.write([])
    #expect(one.errno { try $0.write([UInt8](repeating: 1, count: 13)) } == EMSGSIZE)
    #expect(one.errno { try $0.write([UInt8](repeating: 1, count: 1515)) } == EMSGSIZE)
    #expect(stand.taps.driver.sent.isEmpty)
    try one.program([refuse])
    try one.write(TestTaps.frame(1, 1514))
    try one.write(frame)
    try one.set(0x8004_4275, 1)
    try one.write(frame)
    let addressed = Array(frame[..<6]) + [2, 0, 0, 0, 0, 1] + Array(frame[12...])
    #expect(stand.taps.driver.sent.map(\.count) == [1514, 60, 60])
    #expect(Array(stand.taps.driver.sent.dropFirst()) == [addressed, frame])
    try one.program([refuse], request: 0x8010_427b)
    #expect(one.errno { try $0.write(frame) } == EPERM)
    try one.program([], request: 0x8010_427b)
    try one.write(frame)
    #expect(stand.taps.driver.sent.count == 4)
  }

  @Test("C-178, C-180: feedback is seen once, as received", arguments: Side.allCases)
  private func feedback(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    try one.attach()
    for (direction, seen) in [(1, 1), (0, 1), (2, 0)] as [(UInt32, Int)] {
      try one.set(0x8004_4277, direction)
      try one.set(0x8004_427c, 1)
      try one.write(TestTaps.frame(1))
      #expect(one.frames().count == seen)
    }
  }

  @Test(
    "BIOCGETIFLIST names the interfaces, and through the daemon those that one may capture from",
    arguments: Side.allCases)
  private func names(side: Side) throws {
    let stand = try Stand(side)
    let one = try stand.open()
    let asked = [UInt8](repeating: 0, count: 8) + [UInt8](repeating: 7, count: 8)
    #expect(try one.ask(0xc010_4286, asked, memory: [9]).0.prefix(8) == [5, 0, 0, 0, 1, 0, 0, 0])
    let room = Subject.bytes(5) + Subject.bytes(0) + [UInt8](repeating: 7, count: 8)
    #expect(try one.ask(0xc010_4286, room, memory: [9, 9, 9, 9, 9]).memory == Array("tap0".utf8) + [0])
    #expect(one.errno { _ = try $0.ask(0xc010_4286, [4] + room.dropFirst(), memory: [9, 9, 9, 9]) } == ENOSPC)
  }
}
