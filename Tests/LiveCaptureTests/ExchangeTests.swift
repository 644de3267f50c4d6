import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

extension Seen {
  /// Of a frame with the header of LINUX_SLL2: 20 bytes, the protocol first.
  fileprivate var numberBehindCookedHeader: UInt64? {
    guard bytes.count >= 28, bytes[0] == 0x88, bytes[1] == 0xb5 else { return nil }
    return UDPSender.number(in: bytes[20...])
  }
}

/// Reads a descriptor on a thread of its own and looks at the numbers of the frames as they come.
private final class NumberWitness: @unchecked Sendable {
  private let monitor = Monitor()
  private var next: UInt64 = 0
  private var missed: UInt64 = 0
  private var wrong: [String] = []
  private var stops = false
  private var thread: pthread_t?
  let descriptor: BPF.Descriptor
  private let isCooked: Bool

  init(_ descriptor: BPF.Descriptor, isCooked: Bool = false) {
    self.descriptor = descriptor
    self.isCooked = isCooked
    thread = startThread { [self] in
      while !monitor.withLock({ stops }) {
        do {
          guard let slot = try descriptor.nextSlot(timeout: .milliseconds(50)) else { continue }
          look(descriptor.frames(slot))
        } catch { monitor.withLock { wrong.append("\(error)") } }
      }
    }
  }

  private func look(_ frames: [Seen]) {
    monitor.withLock {
      for number in frames.compactMap({ isCooked ? $0.numberBehindCookedHeader : $0.number }) {
        if number < next { wrong.append("\(number) where \(next) was due") }
        missed += number - min(number, next)
        next = number + 1
      }
    }
  }

  var seen: UInt64 { monitor.withLock { next } }
  /// Frames before the last one that never came.
  var missing: UInt64 { monitor.withLock { missed } }
  var problems: [String] { monitor.withLock { wrong } }

  func stop() {
    monitor.withLock { stops = true }
    if let thread { pthread_join(thread, nil) }
  }
}

@Suite("A ring in place of another", .needsNamespaces)
struct ExchangeTests {
  private static let rounds =
    Tool.environment("SWBPF_LONG") == "1" ? 200 : Requirement.short || Requirement.sanitizer != nil ? 3 : 6

  private func options() -> RingOptions {
    var options = RingOptions()
    options.size = 8 << 20
    options.calm = 20_000_000
    return options
  }

  @Test(
    "each frame comes once and in order while the ring is exchanged: received, sent, on all interfaces",
    .timeLimit(.minutes(5)))
  func everyFrameOnce() throws {
    let wire = try Wire()
    let options = options()
    let engines = [try wire.far.engine(options), try wire.near.engine(options), try wire.far.engine(options)]
    let readers = try (0..<3).map { place in
      let reader = try BPF.Descriptor(.init(slotSize: 1 << 16, slots: 64))
      try reader.setDirection(place == 1 ? .out : .in)
      return reader
    }
    try wire.far.inside { try engines[0].attach(readers[0], to: "vb") }
    try wire.near.inside { try engines[1].attach(readers[1], to: "va") }
    try wire.far.inside { try engines[2].attachToAll(readers[2]) }
    let names = ["vb", "va", "any"]
    let witnesses = readers.indices.map { NumberWitness(readers[$0], isCooked: $0 == 2) }
    let stop = Box(false)
    let sent = Box<UInt64>(0)
    let problems = Box<[String]>([])
    let sender = startThread {
      // Frames of one processor do not overtake each other.
      _ = swpcap_thread_pin(0)
      do {
        while !stop.value {
          let first = sent.value
          try wire.send(first..<(first + 8))
          sent.value = first + 8
          usleep(300)
        }
      } catch { problems.value.append("\(error)") }
    }
    for round in 0..<ExchangeTests.rounds {
      let before = engines.indices.map { engines[$0].statistics(of: names[$0]).exchanges }
      for (engine, reader) in zip(engines, readers) {
        // Three things that a ring is made by, each there and back.
        let isBack = round % 6 >= 3
        switch isBack ? 2 - round % 3 : round % 3 {
        case 0: reader.setImmediate(!isBack)
        case 1: reader.setRingSize(isBack ? 0 : 12 << 20)
        default:
          var other = options
          other.size = isBack ? 8 << 20 : 16 << 20
          engine.setRingOptions(other)
        }
      }
      for (place, engine) in engines.enumerated() {
        #expect(
          eventually(within: 30) { engine.statistics(of: names[place]).exchanges > before[place] },
          "round \(round), \(names[place])")
      }
    }
    stop.value = true
    pthread_join(sender, nil)
    let total = sent.value
    for (place, witness) in witnesses.enumerated() {
      readers[place].setImmediate(true)
      let name = names[place]
      let engine = engines[place]
      // A ring that is full on a busy machine is a loss that has a name.
      let isThere = eventually(within: 30) {
        let ring = engine.statistics(of: name)
        return ring.accepted == ring.processed && witness.seen - witness.missing == readers[place].statistics.captured
      }
      witness.stop()
      let ring = engine.statistics(of: name)
      let counts = readers[place].statistics
      #expect(isThere && witness.problems.isEmpty, "\(name): \(witness.problems.prefix(3)), \(ring), \(counts)")
      #expect(counts.captured + ring.dropped == total && counts.dropped == 0, "\(name): \(ring), \(counts)")
      #expect(witness.missing + (total - witness.seen) == ring.dropped, "\(name): \(ring)")
      if place < 2 { #expect(ring.processed == counts.captured, "\(ring)") }
      engine.close()
    }
    #expect(problems.value.isEmpty)
    #expect(try wire.far.mappedRings() == 0 && wire.near.mappedRings() == 0)
  }

  @Test("a ring is exchanged while readers come, go and change what they want", .timeLimit(.minutes(2)))
  func withReadersThatChange() throws {
    let wire = try Wire()
    let engine = try wire.far.engine(options())
    let steady = try BPF.Descriptor(.init(slotSize: 1 << 16, slots: 64))
    try steady.setDirection(.in)
    try wire.far.inside { try engine.attach(steady, to: "vb") }
    let witness = NumberWitness(steady)
    let interface = try wire.far.inside { try engine.interface(named: "vb") }
    var sent: UInt64 = 0
    var rounds: UInt64 = 0
    while rounds < 40 || (engine.statistics(of: "vb").exchanges < 2 && rounds < 4000) {
      let other = try BPF.Descriptor(.init(slotSize: 1 << 16, slots: 8))
      other.setImmediate(rounds % 8 < 4)
      if rounds % 3 == 0 { try other.setFilter("ether[21] & 1 = 0") }
      try other.attach(to: interface)
      try wire.send(sent..<(sent + 5))
      sent += 5
      if rounds % 4 == 0 { try other.setDirection(.out) }
      usleep(3000)
      other.detach()
      rounds += 1
    }
    #expect(eventually(within: 20) { witness.seen == sent || !witness.problems.isEmpty })
    witness.stop()
    #expect(witness.problems.isEmpty, "\(witness.problems.prefix(3))")
    #expect(witness.seen == sent && engine.statistics(of: "vb").exchanges >= 2)
    engine.close()
    #expect(try wire.far.mappedRings() == 0)
  }

  @Test("super-packets that became larger than a block take another ring, without a loss", .timeLimit(.minutes(2)))
  func largerSuperPackets() throws {
    let wire = try Wire()
    let engine = try wire.far.engine(options())
    let reader = try BPF.Descriptor(.init(slotSize: 1 << 16, slots: 64))
    try reader.setDirection(.in)
    try wire.far.inside { try engine.attach(reader, to: "vb") }
    let witness = NumberWitness(reader)
    var sent: UInt64 = 0
    // There and back. The kernel says nothing of this change; it comes with the next one that it tells of.
    for (round, size) in [400_000, 65_536].enumerated() {
      try wire.far.ip("link set vb gro_max_size \(size)")
      try wire.far.ip("link set vb txqueuelen \(2000 + round)")
      let isExchanged = try eventually(within: 30) {
        try wire.send(sent..<(sent + 8))
        sent += 8
        return engine.statistics(of: "vb").exchanges > round
      }
      #expect(isExchanged, "\(size)")
    }
    #expect(eventually(within: 20) { witness.seen == sent || !witness.problems.isEmpty })
    witness.stop()
    #expect(witness.problems.isEmpty && witness.seen == sent && witness.missing == 0, "\(witness.problems.prefix(3))")
    engine.close()
    #expect(try wire.far.mappedRings() == 0)
  }

  @Test("a capture that ends during an exchange has every frame of before, and leaves nothing", .timeLimit(.minutes(2)))
  func endsDuringExchange() throws {
    let wire = try Wire()
    var sent: UInt64 = 0
    for round in 0..<6 {
      let engine = try wire.far.engine(options())
      let reader = try BPF.Descriptor(.init(slotSize: 1 << 16, slots: 64))
      try reader.setDirection(.in)
      try wire.far.inside { try engine.attach(reader, to: "vb") }
      let first = sent
      try wire.send(sent..<(sent + 100))
      reader.setImmediate(true)
      usleep(UInt32(round) * 20_000)
      try wire.send((sent + 100)..<(sent + 200))
      sent += 200
      // The frames are through the cable's backlog.
      #expect(eventually { engine.statistics(of: "vb").accepted >= 200 })
      engine.drain()
      #expect(try reader.collect(200).compactMap(\.number) == Array(first..<sent), "round \(round)")
      reader.detach()
      engine.close()
      #expect(try wire.far.mappedRings() == 0)
    }
  }
}
