// The table of requests against the BSDs' numbers, typed in again: who has a number, when it works, what it copies.
import Glibc
import Testing

@testable import SwBPFBPF
@testable import TestSupport

/// A request as the BSDs' manuals and headers have it.
struct KnownRequest: CustomTestStringConvertible, Sendable {
  enum State { case any, attached, unattached }

  var name: String
  var number: UInt32
  var state: State
  /// It works after BIOCLOCK: NetBSD's list and BIOCGRSIG.
  var harmless: Bool
  var testDescription: String { "\(name) 0x\(String(number, radix: 16))" }

  init(_ name: String, _ number: UInt32, _ state: State = .any, harmless: Bool = false) {
    self.name = name
    self.number = number
    self.state = state
    self.harmless = harmless
  }

  static let all: [KnownRequest] = [
    .init("BIOCGBLEN", 0x4004_4266, harmless: true),
    .init("BIOCSBLEN", 0xc004_4266, .unattached),
    .init("BIOCSETF", 0x8010_4267),
    .init("BIOCSETFNR", 0x8010_4282),
    .init("BIOCSETWF", 0x8010_427b), .init("BIOCSETWF", 0x8010_427f),
    .init("BIOCFLUSH", 0x2000_4268, harmless: true),
    .init("BIOCPROMISC", 0x2000_4269, .attached),
    .init("BIOCGDLT", 0x4004_426a, .attached, harmless: true),
    .init("BIOCSDLT", 0x8004_4278, .attached), .init("BIOCSDLT", 0x8004_4276, .attached),
    .init("BIOCGDLTLIST", 0xc010_4279, .attached, harmless: true),
    .init("BIOCGDLTLIST", 0xc010_4277, .attached, harmless: true),
    .init("BIOCGETIF", 0x4020_426b, .attached, harmless: true),
    .init("BIOCGETIF", 0x4090_426b, .attached, harmless: true),
    .init("BIOCSETIF", 0x8020_426c), .init("BIOCSETIF", 0x8090_426c),
    .init("BIOCGETIFLIST", 0xc010_4286),
    .init("BIOCSRTIMEOUT", 0x8010_426d, harmless: true), .init("BIOCSRTIMEOUT", 0x8010_427a, harmless: true),
    .init("BIOCGRTIMEOUT", 0x4010_426e, harmless: true), .init("BIOCGRTIMEOUT", 0x4010_427b, harmless: true),
    .init("BIOCGSTATS", 0x4008_426f, harmless: true), .init("BIOCGSTATS", 0x4080_426f, harmless: true),
    .init("BIOCIMMEDIATE", 0x8004_4270, harmless: true),
    .init("BIOCVERSION", 0x4004_4271, harmless: true),
    .init("BIOCGRSIG", 0x4004_4272, harmless: true),
    .init("BIOCSRSIG", 0x8004_4273),
    .init("BIOCGHDRCMPLT", 0x4004_4274, harmless: true),
    .init("BIOCSHDRCMPLT", 0x8004_4275),
    .init("BIOCGDIRECTION", 0x4004_4276), .init("BIOCGDIRECTION", 0x4004_4278),
    .init("BIOCSDIRECTION", 0x8004_4277), .init("BIOCSDIRECTION", 0x8004_4279),
    .init("BIOCFEEDBACK", 0x8004_427c), .init("BIOCFEEDBACK", 0x8004_427d),
    .init("BIOCGFEEDBACK", 0x4004_427c),
    .init("BIOCLOCK", 0x2000_427a, harmless: true), .init("BIOCLOCK", 0x2000_427e, harmless: true),
    .init("BIOCGTSTAMP", 0x4004_4283),
    .init("BIOCSTSTAMP", 0x8004_4284),
    .init("BIOCGETBUFMODE", 0x4004_427d),
    .init("BIOCSETBUFMODE", 0x8004_427e),
    .init("BIOCGETZMAX", 0x4008_427f),
    .init("BIOCROTZBUF", 0x4018_4280),
    .init("BIOCSETZBUF", 0x8018_4281),
    .init("FIONREAD", 0x4004_667f, harmless: true),
    .init("FIONBIO", 0x8004_667e),
    .init("FIOASYNC", 0x8004_667d),
    .init("FIOSETOWN", 0x8004_667c),
    .init("FIOGETOWN", 0x4004_667b),
    .init("TIOCSPGRP", 0x8004_7476),
    .init("TIOCGPGRP", 0x4004_7477, harmless: true),
  ]

  var size: Int { argumentSize(number) }
  var copiesIn: Bool { number >> 31 == 1 }
  var copiesOut: Bool { number >> 30 & 1 == 1 }

  /// An argument that works, and the errno that it works with.
  func argument() -> (bytes: [UInt8], errno: CInt) {
    switch name {
    case "BIOCSETIF": (ifreq("en0", size: size), 0)
    case "BIOCSBLEN": (little(UInt32(4096)), 0)
    case "BIOCSDLT": (little(UInt32(12)), 0)
    case "BIOCSTSTAMP": (little(UInt32(1)), 0)
    case "BIOCSETBUFMODE": (little(UInt32(1)), 0)
    case "BIOCGETZMAX", "BIOCROTZBUF", "BIOCSETZBUF": (Array(repeating: 0, count: size), EOPNOTSUPP)
    default: (Array(repeating: 0, count: size), 0)
    }
  }
}

@Suite("The table of requests", .timeLimit(.minutes(1)))
struct RequestTableTests {
  /// A descriptor in a state that suits a request.
  private func opened(_ bench: Bench, for request: KnownRequest) throws -> BPF.Descriptor {
    try bench.open(attached: request.state == .attached)
  }

  @Test("C-155: FreeBSD's and NetBSD's numbers are known, and no others")
  func numbers() throws {
    let known = Set(KnownRequest.all.map(\.number))
    #expect(known.count == KnownRequest.all.count)
    #expect(Set(Request.byNumber.keys.map(\.rawValue)) == known)
    for request in KnownRequest.all {
      #expect(Request.byNumber[BPF.RequestNumber(rawValue: request.number)]?.name == request.name)
    }
  }

  @Test("C-155: each known number is served where the descriptor's state allows it", arguments: KnownRequest.all)
  func served(request: KnownRequest) throws {
    let bench = try Bench()
    let one = try opened(bench, for: request)
    let (bytes, errno) = request.argument()
    #expect(one.refusal(request.number, bytes) == errno)
  }

  @Test(
    "what needs an interface, or none, is EINVAL otherwise and changes nothing",
    arguments: KnownRequest.all.filter { $0.state != .any })
  func state(request: KnownRequest) throws {
    let bench = try Bench()
    let one = try bench.open(attached: request.state == .unattached)
    let before = Setting(one)
    #expect(one.refusal(request.number, request.argument().bytes) == EINVAL)
    #expect(Setting(one) == before)
  }

  @Test("C-150 C-151: after BIOCLOCK exactly the harmless requests work", arguments: KnownRequest.all)
  func locked(request: KnownRequest) throws {
    let bench = try Bench()
    let one = try opened(bench, for: request)
    _ = try one.answer(0x2000_427a)
    let before = Setting(one)
    let (bytes, errno) = request.argument()
    #expect(one.refusal(request.number, bytes) == (request.harmless ? errno : EPERM))
    if !request.harmless && request.name != "FIONBIO" { #expect(Setting(one) == before) }
  }

  @Test("C-155: an argument of another size is EINVAL and changes nothing", arguments: KnownRequest.all)
  func otherSize(request: KnownRequest) throws {
    let bench = try Bench()
    let one = try opened(bench, for: request)
    let before = Setting(one)
    for count in [request.size + 1, max(0, request.size - 1), 0, 4, 144] where count != request.size {
      #expect(one.refusal(request.number, Array(repeating: 1, count: count)) == EINVAL)
    }
    #expect(Setting(one) == before)
  }

  @Test("C-155: exactly the bytes of the number are read and written", arguments: KnownRequest.all)
  func exactly(request: KnownRequest) throws {
    let bench = try Bench()
    let pages = GuardedPage()
    let (bytes, errno) = request.argument()
    // The last byte of the argument is the last one that there is.
    let one = try opened(bench, for: request)
    #expect(pages.place(bytes) { one.refusal(request.number, at: $0) } == errno)
    #expect(pages.before(request.size).allSatisfy { $0 == 0xa5 })
    // Nothing is written by a request that only tells.
    if !request.copiesOut { #expect(pages.last(request.size) == bytes) }
    // One byte is missing.
    let two = try opened(bench, for: request)
    if request.copiesIn || (request.copiesOut && errno == 0) {
      #expect(pages.place(bytes) { two.refusal(request.number, at: $0 + 1) } == EFAULT)
    } else {
      #expect(pages.place(bytes) { two.refusal(request.number, at: $0 + 1) } == errno)
    }
  }

  @Test(
    "C-128: every request, a refused one too, stops the poll timer and the timed-out state",
    arguments: KnownRequest.all + [KnownRequest("unknown", 0x2000_42ff), KnownRequest("unknown", 0x8004_4242)])
  func timer(request: KnownRequest) throws {
    let bench = try Bench()
    let one = try bench.open()
    try one.setReadTimeout(1_000_000)
    bench.tap(frame(1))
    #expect(one.poll(.readable).isEmpty)
    #expect(try one.poll(.readable, timeout: 5_000_000_000) == .readable)
    // A time-out of an hour, so that the timer that poll starts below does not end.
    one.buffers.pointee.lock.withLock { one.buffers.pointee.slots.readTimeout = 3_600_000_000_000 }
    _ = one.refusal(request.number, request.argument().bytes)
    #expect(one.poll(.readable).isEmpty)
  }
}

/// A page of memory with nothing behind it.
final class GuardedPage {
  private let base: UnsafeMutableRawPointer
  private static let size = 65536

  init() {
    base = mmap(nil, 2 * GuardedPage.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    mprotect(base + GuardedPage.size, GuardedPage.size, PROT_NONE)
  }

  deinit { munmap(base, 2 * GuardedPage.size) }

  /// Runs `body` with the address of bytes that end where the memory ends; what is before them is 0xa5.
  func place<R>(_ bytes: [UInt8], _ body: (UInt64) -> R) -> R {
    memset(base, 0xa5, GuardedPage.size)
    let start = base + GuardedPage.size - bytes.count
    bytes.withUnsafeBytes { start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(base), byteCount: $0.count) }
    return body(UInt64(UInt(bitPattern: start)))
  }

  func before(_ count: Int) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: base, count: GuardedPage.size - count))
  }

  func last(_ count: Int) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: base + GuardedPage.size - count, count: count))
  }
}

extension BPF.Descriptor {
  /// Asks with the argument at an address; the errno.
  func refusal(_ request: UInt32, at address: UInt64) -> CInt {
    do throws(BPF.Failure) { try ioctl(request: request, address: address) } catch { return error.errno }
    return 0
  }
}
