// Any request with any argument, any program, any length, in any state, from several threads: an errno and nothing else.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Synchronization
import Testing

@testable import SwBPFBPF
@testable import TestSupport

/// Numbers that are the same whenever the seed is.
struct Dice: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
  mutating func one(in count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}

/// Asks for anything.
private struct Asker {
  var dice: Dice
  /// Memory that may be written to.
  let scratch: UnsafeMutableRawPointer
  let page = GuardedPage()

  init(seed: UInt64) {
    dice = Dice(state: seed)
    scratch = .allocate(byteCount: 8192, alignment: 8)
    scratch.initializeMemory(as: UInt8.self, repeating: 0, count: 8192)
  }

  static let numbers = KnownRequest.all.map(\.number) + Request.byOpenBSDNumber.keys.map(\.rawValue)

  mutating func address() -> UInt64 {
    let edge = page.place([]) { $0 }
    let valid = UInt64(UInt(bitPattern: scratch))
    return [
      0, 1, 8, 4096, .max, .max - 7, 1 << 63, 0x7fff_ffff_f000, edge, edge - 4, edge - 8, valid, valid, valid + 1,
    ]
    .randomElement(using: &dice)!
  }

  mutating func request() -> UInt32 {
    let known = Asker.numbers.randomElement(using: &dice)!
    switch Int.random(in: 0..<10, using: &dice) {
    case 0: return UInt32.random(in: 0...UInt32.max, using: &dice)
    case 1: return known ^ (1 << UInt32.random(in: 0..<32, using: &dice))
    default: return known
    }
  }

  mutating func word() -> UInt32 {
    switch Int.random(in: 0..<4, using: &dice) {
    case 0: UInt32.random(in: 0...UInt32.max, using: &dice)
    case 1: [.max, 0x8000_0000, 0x7fff_ffff, 65536, 513, 512].randomElement(using: &dice)!
    default: UInt32.random(in: 0...16, using: &dice)
    }
  }

  mutating func argument(of request: UInt32) -> [UInt8] {
    let size = argumentSize(request)
    // Whoever gets signals from random numbers is not asked.
    if [0x667c, 0x7476].contains(request & 0xffff) { return little(dice.one(in: 2) ? 0 : UInt32(0x7fff_fff0)) }
    if dice.one(in: 20) { return [UInt8](repeating: 7, count: Int.random(in: 0...200, using: &dice)) }
    switch size {
    case 16: return little(word()) + little(word()) + little(dice.one(in: 8) ? dice.next() >> 50 : address())
    case 32..., 144:
      let name = ["en0", "en1", "none", "", "en0x", "\u{ff}"].randomElement(using: &dice)!
      return Array(ifreq(name, size: max(size, 32)).prefix(size))
    default: return Array((0..<(size / 4 + 1)).flatMap { _ in little(word()) }.prefix(size))
    }
  }

  /// Fills a part of the scratch memory with instructions, many of them valid.
  mutating func program() {
    for index in 0..<[8, 8, 8, 600].randomElement(using: &dice)! {
      let code =
        dice.one(in: 30) ? UInt16.random(in: 0...UInt16.max, using: &dice) : Opcode.all.randomElement(using: &dice)!
      let jumps = UInt16.random(in: 0...3, using: &dice)
      let k =
        dice.one(in: 5) ? UInt32.random(in: 0...UInt32.max, using: &dice) : UInt32.random(in: 0...20, using: &dice)
      scratch.storeBytes(
        of: UInt64(code) | UInt64(jumps) << 16 | UInt64(k) << 32, toByteOffset: index * 8, as: UInt64.self)
    }
    // Short ones end well.
    for index in [0, 1, 2, 4, 7] {
      scratch.storeBytes(of: 0xffff_ffff_0000_0006, toByteOffset: index * 8, as: UInt64.self)
    }
  }

  /// Asks once; the errno and what may have changed all the same.
  mutating func ask(_ one: BPF.Descriptor) -> (errno: CInt, excused: Bool) {
    let request = request()
    if dice.one(in: 8) { program() }
    var argument = argument(of: request)
    let wasLocked = one.isLocked
    do throws(BPF.Failure) {
      if dice.one(in: 3) && argument.count <= 8192 {
        var address = address()
        if address == UInt64(UInt(bitPattern: scratch)) + 1 {
          scratch.copyMemory(from: argument, byteCount: argument.count)
          address -= 1
        }
        // Nobody gets signals by numbers that lie around.
        if [0x667c, 0x7476].contains(request & 0xffff) { address = 8 }
        try one.ioctl(request: request, address: address)
      } else {
        try one.ioctl(request: request, argument: &argument)
      }
    } catch {
      // FIONBIO changes the mode before the lock is looked at; an answer is copied out after the size was changed.
      let excused = (request == 0x8004_667e && wasLocked) || (request == 0xc004_4266 && error == .badAddress)
      return (error.errno, excused)
    }
    return (0, false)
  }

  /// Writes anything.
  mutating func write(_ one: BPF.Descriptor) {
    let first = UInt8.random(in: 0...255, using: &dice)
    _ = try? one.write([first] + [UInt8](repeating: first, count: Int.random(in: 0...1600, using: &dice)))
    let pieces = (0..<Int.random(in: 0...5, using: &dice)).map { _ in
      (address: address(), count: [0, 1, 60, 1 << 32, .max, 4096].randomElement(using: &dice)! as UInt64)
    }
    _ = try? one.write(pieces: pieces)
  }

  /// Reads of sizes that no buffer has, and of what is there.
  mutating func read(_ one: BPF.Descriptor) {
    for size in [0, 1, 31, 65537, Int.max] {
      do throws(BPF.Failure) {
        _ = try one.read(toAddress: address(), size: size)
        Issue.record("a read of \(size) bytes")
      } catch {
        if error.errno != EINVAL { Issue.record("a read of \(size) bytes: \(error)") }
      }
    }
    _ = one.poll(BPF.PollEvents(rawValue: Int16.random(in: .min ... .max, using: &dice)))
    if let slot = try? one.takeSlot(rotating: true) { _ = slot.bytes.byteCount }
  }
}

@Suite("Requests at random", .timeLimit(.minutes(2)))
struct RequestRandomTests {
  private static let errnos: Set<CInt> = [
    0, EINVAL, ENXIO, EPERM, EFAULT, ENOMEM, ENOSPC, EBUSY, EOPNOTSUPP, ESRCH, EIO, EMSGSIZE, EOVERFLOW,
  ]

  @Test(
    "any request in any state is an errno of bpf(4), and a failing one changes nothing", arguments: BPF.Profile.allCases
  )
  func oneThread(profile: BPF.Profile) throws {
    let bench = try Bench()
    try bench.settings.set("net.bpf.maxbufsize", to: 65536)
    var asker = Asker(seed: UInt64(profile.rawValue.count))
    defer { asker.scratch.deallocate() }
    var answered = 0
    for _ in 0..<30 {
      let one = try bench.open(profile, attached: asker.dice.one(in: 2), reads: !asker.dice.one(in: 4))
      for _ in 0..<100 {
        if asker.dice.one(in: 4) { bench.tap(frame(1)) }
        let before = Setting(one)
        let (errno, excused) = asker.ask(one)
        if errno == 0 { answered += 1 }
        if errno != 0 && !excused && Setting(one) != before { Issue.record("\(before) became \(Setting(one))") }
        if !RequestRandomTests.errnos.contains(errno) { Issue.record("errno \(errno)") }
        if asker.dice.one(in: 10) { asker.write(one) }
        if asker.dice.one(in: 10) { asker.read(one) }
      }
    }
    #expect(answered > 300)
  }

  @Test("several threads at once ask, write, read and tap, and interfaces go")
  func manyThreads() throws {
    let rounds = Requirement.sanitizer == nil && !Requirement.short ? 20 : 5
    for round in 0..<rounds {
      let bench = try Bench()
      try bench.settings.set("net.bpf.maxbufsize", to: 65536)
      let all = try BPF.Profile.allCases.map { try bench.open($0) }
      let threads = (0..<4).map { number in
        startThread {
          var asker = Asker(seed: UInt64(round * 16 + number))
          defer { asker.scratch.deallocate() }
          for step in 0..<300 {
            let one = all.randomElement(using: &asker.dice)!
            _ = asker.ask(one)
            bench.tap(frame(UInt8(step & 7)))
            if asker.dice.one(in: 6) { asker.write(one) }
            if asker.dice.one(in: 6) { asker.read(one) }
          }
          if number == 0 { bench.ifnet.depart() }
        }
      }
      for thread in threads { pthread_join(thread, nil) }
      #expect(all.allSatisfy { $0.statistics.addsUp })
      #expect(bench.ifnet.promiscuousReferences == 0)
    }
  }
}
