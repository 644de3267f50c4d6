// Counters: what zeroes them, and those that nothing zeroes.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Counters", .serialized, .timeLimit(.minutes(1)))
struct CounterTests {
  @Test("C-080: every frame of the direction counts as received, whether the program wants it or not")
  func received() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    try one.setDirection(.in)
    try one.setProgram(starting(with: 1))
    for number in 0..<10 as Range<UInt8> { wire.tap(frame(number % 2)) }
    for _ in 0..<3 { wire.tap(frame(1), .sent) }
    let count = one.statistics
    #expect(count.received == 10 && count.offered == 13 && count.captured == 5 && count.refused == 5)
    #expect(count.addsUp)
  }

  @Test(
    "C-084: BIOCFLUSH, BIOCSETF, BIOCSETIF and a BIOCSDLT that moves zero all counters; the others none",
    arguments: [
      (LifeRequest.biocflush, true), (.biocsetf, true), (.biocsetif, true), (.biocsdlt, true), (.biocsetfnr, false),
      (.biocsetwf, false), (.biocpromisc, false), (.biocsdirection, false),
    ])
  func zeroed(by request: LifeRequest, zeroes: Bool) throws {
    let wire = Wire()
    try wire.ifnet.attach(linkType: 127, headerLength: 0)
    let one = try opened(LifeNames(wire.ifnet), slots: 2)
    try one.bind(to: "test0")
    try one.setProgram(starting(with: 1))
    try one.setDirection(.in)
    for _ in 0..<200 { wire.tap(frame(1)) }
    wire.tap(frame(2))
    wire.tap(frame(2), .sent)
    let before = one.statistics
    #expect(before.dropped > 0 && before.hidden == 1 && before.refused == 1)
    switch request {
    case .biocsetf, .biocsetfnr, .biocsetwf: try one.install(starting(with: 1), by: request)
    case .biocsetif: try one.bind(to: "test0")
    case .biocsdlt: try one.ask(request, 127)
    case .biocsdirection: try one.ask(request, 0)
    default: try one.ask(request)
    }
    #expect(one.statistics == (zeroes ? BPF.Statistics() : before))
    #expect((one.storedBytes == 0) == zeroes)
  }

  @Test("C-085: closed and opened again it starts from zero")
  func opensWithZero() throws {
    let wire = Wire()
    for _ in 0..<3 {
      let one = try opened(LifeNames(wire.ifnet))
      try one.bind(to: "test0")
      #expect(one.statistics == BPF.Statistics() && one.writeStatistics == BPF.WriteStatistics())
      wire.tap(frame(1))
      #expect(one.statistics.captured == 1)
    }
  }

  @Test("C-086: global statistics grow with every descriptor's and are zeroed by nothing")
  func global() throws {
    let wire = Wire()
    let begin = BPF.globalStatistics
    func grown() -> [UInt64] {
      let now = BPF.globalStatistics
      return [now.received - begin.received, now.dropped - begin.dropped, now.captured - begin.captured]
    }
    do {
      let (one, two) = (try opened(LifeNames(wire.ifnet), slots: 2), try descriptor(slotSize: 64, slots: 2))
      try one.bind(to: "test0")
      try two.attach(to: wire.interface)
      try two.setDirection(.in)
      try one.setProgram(starting(with: 1))
      for _ in 0..<5 { wire.tap(frame(1, 40)) }
      wire.tap(frame(2, 40))
      wire.tap(frame(3, 40), .sent)
      #expect(two.statistics.dropped == 4)
      #expect(grown() == [7 + 6, 4, 5 + 6])
      try one.ask(.biocflush)
      #expect(one.statistics == BPF.Statistics() && grown() == [13, 4, 11], "a flush")
      try one.bind(to: "test0")
      two.detach()
      #expect(grown() == [13, 4, 11], "an attach, a detach")
      wire.tap(frame(1))
      #expect(grown() == [14, 4, 12])
    }
    #expect(grown() == [14, 4, 12], "two closings")
  }

  @Test("C-086: global statistics never go back while descriptors open, count, flush and close")
  func globalGrows() throws {
    let wire = Wire()
    let stop = Flag()
    let begin = BPF.globalStatistics.captured
    let closers = (0..<2).map { _ in
      Thread(name: "closer") {
        while !stop.isSet {
          guard let one = try? descriptor() else { return }
          try? one.attach(to: wire.interface)
          wire.tap(frame(1))
          one.flush()
          wire.tap(frame(2))
        }
      }
    }
    var last = BPF.globalStatistics
    var wentBack = 0
    let end = monotonicSeconds() + 0.4
    while monotonicSeconds() < end {
      let now = BPF.globalStatistics
      if now.received < last.received || now.captured < last.captured { wentBack += 1 }
      last = now
    }
    stop.set()
    for one in closers { one.join() }
    #expect(wentBack == 0 && BPF.globalStatistics.captured > begin)
  }

  @Test("C-087: NetBSD's structure has 128 bytes: three 64-bit counters and zeros")
  func structure() throws {
    let wire = Wire()
    let one = try opened(LifeNames(wire.ifnet), slots: 2)
    try one.bind(to: "test0")
    try one.setProgram(starting(with: 1))
    for _ in 0..<200 { wire.tap(frame(1)) }
    for _ in 0..<100 { wire.tap(frame(2)) }
    var bytes = [UInt8](repeating: 0xff, count: 128)
    try one.ioctl(request: 0x4080_426f, argument: &bytes)
    let words = bytes.withUnsafeBytes { raw in (0..<16).map { raw.load(fromByteOffset: $0 * 8, as: UInt64.self) } }
    let dropped = one.statistics.dropped
    #expect(dropped > 0 && words == [300, dropped, 200] + [UInt64](repeating: 0, count: 13))
    bytes.removeLast()
    #expect(refusal { try one.ioctl(request: 0x4080_426f, argument: &bytes) } == EINVAL)
  }
}
