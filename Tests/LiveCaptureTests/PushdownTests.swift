import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("Programs in the kernel", .needsNamespaces)
struct PushdownTests {
  /// Readers whose programs go to the kernel.
  static let pushing: BPF.Descriptor.Configuration = {
    var configuration = BPF.Descriptor.Configuration(slotSize: 1 << 18, slots: 4)
    configuration.pushesDown = true
    return configuration
  }()

  static let expressions = [
    "", "udp port 53", "tcp port 80", "ip host 10.9.0.1", "udp and ip[100] = 1", "ether[100] = 1", "greater 200",
    "less 100", "vlan", "vlan 5", "vlan and udp port 53", "vlan 5 and ether[120] = 1", "inbound", "outbound and udp",
    "arp", "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "ether[len - 4:4] = 0", "not udp", "ip6",
    "host 10.9.0.1 or host 10.9.0.2 or tcp portrange 1-1000", "ether proto 0x88b5",
  ]

  /// A frame to a station that is not there: nobody answers.
  static func frame(_ random: inout SystemRandomNumberGenerator, _ serial: UInt64) -> [UInt8] {
    let tags: [[UInt16]] = [[], [], [], [5], [6], [5, 7]]
    let kind = Int.random(in: 0..<5, using: &random)
    let type: UInt16 = [0x0800, 0x0800, 0x0806, 0x86dd, 0x88b5][kind]
    var payload: [UInt8] = []
    if kind < 2 {
      let ports: [UInt8] = [53, 80, 7].randomElement(using: &random).map { [0, $0, 0, 9] }!
      let host = UInt8.random(in: 1...3, using: &random)
      payload = [0x45, 0, 0, 60, 0, 0, 0, 0, 64, kind == 0 ? 17 : 6, 0, 0, 10, 9, 0, host, 10, 9, 1, 1] + ports
      payload += [0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0, 0x47, 0x45, 0x54, 0x20]
    }
    payload += bytes(of: serial)
    for _ in 0..<Int.random(in: 0...250, using: &random) { payload.append(UInt8.random(in: 0...1, using: &random)) }
    return Frame.ethernet(
      from: [2, 0, 0, 0, 7, 1], to: [2, 0, 0, 0, 7, 2], vlans: tags.randomElement(using: &random)!, type: type, payload)
  }

  private static func all(_ reader: BPF.Descriptor) throws -> [Seen] {
    try reader.collect(.max, within: 0.03).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  @Test("what any set of readers gets is the same with and without the kernel's help", .timeLimit(.minutes(2)))
  func twins() throws {
    let wire = try Wire()
    var random = SystemRandomNumberGenerator()
    let with = try wire.near.engine()
    let without = try wire.near.engine()
    let (out, back) = (
      try FrameSender(in: wire.near, interface: "va"), try FrameSender(in: wire.far, interface: "vb")
    )
    var captured: UInt64 = 0
    let rounds = Requirement.short ? 20 : 60
    for round in 0..<rounds {
      var readers: [(BPF.Descriptor, BPF.Descriptor, String)] = []
      for _ in 0..<Int.random(in: 1...8) {
        let text = Self.expressions.dropFirst(Int.random(in: 0..<8) == 0 ? 0 : 1).randomElement()!
        let direction: BPF.Direction = [.inOut, .in, .out].randomElement()!
        let filter = FilterExpression(text, snapLength: [262_144, 262_144, 64, 20, 110].randomElement()!)
        let pair = try [(with, Self.pushing), (without, .init(slotSize: 1 << 18, slots: 4))].map {
          engine, configuration in
          let reader = try wire.near.reader(engine, "va", direction, filter: nil, configuration)
          try reader.setFilter(filter)
          return reader
        }
        readers.append((pair[0], pair[1], "\(text) -s \(filter.snapLength) \(direction)"))
      }
      // With and without the time in which the kernel is narrowed.
      if round % 2 == 0 { pause(0.03) }
      for serial in 0..<UInt64(40) {
        try (Bool.random() ? out : back).send(Self.frame(&random, serial))
      }
      pause(0.03)
      for (one, other, text) in readers {
        let (seen, wanted) = (try Self.all(one), try Self.all(other))
        #expect(seen == wanted, "round \(round): \(text) among \(readers.map(\.2))")
        #expect(one.statistics.captured == other.statistics.captured)
        #expect(one.statistics.cut == other.statistics.cut)
        captured += other.statistics.captured
        one.detach()
        other.detach()
      }
    }
    let (helped, alone) = (with.statistics, without.statistics)
    #expect(captured > UInt64(rounds) * 10)
    #expect(helped.isNarrowed)
    #expect(helped.accepted < alone.accepted)
    #expect(helped.dropped == 0 && alone.dropped == 0)
    with.close()
    without.close()
  }

  @Test(
    "C-212 programs changed many times around a pausing sender: no wrong and no missing frame", .timeLimit(.minutes(5)))
  func changes() throws {
    let wire = try Wire()
    let rounds = Tool.environment("SWBPF_LONG") == "1" ? 10_000 : Requirement.short ? 300 : 2000
    let engine = try wire.near.engine()
    let reader = try wire.near.reader(engine, "va", filter: nil, Self.pushing)
    // One that does not change, beside it.
    let steady = try wire.near.reader(engine, "va", .out, filter: "ether[21] & 7 = 3", Self.pushing)
    let reply = try FrameSender(in: wire.far, interface: "vb")
    var (seen, wanted, steadyWanted): ([UInt64], [UInt64], [UInt64]) = ([], [], [])
    var steadySeen: [UInt64] = []
    for round in 0..<UInt64(rounds) {
      if round % 40 == 7 { pause(0.025) }
      let pick = UInt64.random(in: 0..<6)
      // The received frame ends a round: every program wants it.
      let filter: String? = pick == 5 ? nil : "ether[14] & 0x80 != 0 or ether[21] & 3 = \(pick)"
      let keep = Bool.random() ? 262_144 : 64
      let program = try FilterExpression(filter ?? "", snapLength: keep).program(linkType: 1)
      try reader.setProgram(program, flushing: round % 3 == 0)
      if round % 5 == 0 { try reader.setSeesSent(round % 2 == 0) }
      try wire.send((round * 3)..<(round * 3 + 3), size: 100)
      try reply.send(wire.numberedBack(round))
      for number in (round * 3)..<(round * 3 + 3) {
        if reader.seesSent && (pick == 5 || number & 3 == pick) { wanted.append(number) }
        if number & 7 == 3 { steadyWanted.append(number) }
      }
      wanted.append(round | back)
      while seen.last != round | back {
        guard let slot = try reader.nextSlot(timeout: .seconds(5)) else { break }
        for frame in reader.frames(slot) {
          if let number = frame.number { seen.append(number) }
          #expect(frame.bytes.count == min(keep, frame.length))
        }
      }
      while let slot = try steady.nextSlot(timeout: .milliseconds(0)) {
        steadySeen += steady.frames(slot).compactMap(\.number)
      }
      if seen.count != wanted.count { break }
    }
    steadySeen += try steady.collect(steadyWanted.count - steadySeen.count).compactMap(\.number)
    #expect(seen == wanted)
    #expect(steadySeen == steadyWanted)
    #expect(engine.statistics.dropped == 0)
    #expect(engine.statistics.isNarrowed)
    engine.close()
  }

  @Test("a change that the kernel covers already makes no system call", .timeLimit(.minutes(1)))
  func covered() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    func changes() -> UInt64 { engine.statistics.filterChanges }
    let first = try wire.near.reader(engine, "va", .inOut, filter: "udp port 53", Self.pushing)
    #expect(changes() == 1)
    let second = try wire.near.reader(engine, "va", .inOut, filter: "udp port 53", Self.pushing)
    let third = try wire.near.reader(engine, "va", .inOut, filter: "tcp port 80", Self.pushing)
    #expect(changes() == 2)
    pause(0.05)
    // The new one, and the one that is there for others.
    try second.setFilter("tcp port 80")
    try second.setFilter("udp port 53")
    try third.setDirection(.out)
    try third.setDirection(.inOut)
    #expect(changes() == 2)
    pause(0.05)
    #expect(changes() == 2)
    // One that wants less: narrowed once, later.
    third.detach()
    #expect(changes() == 2)
    #expect(eventually { changes() == 3 })
    withExtendedLifetime((first, second)) {}
    engine.close()
  }

  @Test("the kernel refuses what nobody wants, by program and direction", .timeLimit(.minutes(1)))
  func refused() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let reply = try FrameSender(in: wire.far, interface: "vb")
    func accepted() -> UInt64 { engine.statistics.accepted }
    let sent = try wire.near.reader(engine, "va", .out, filter: "ether[21] & 1 = 0", Self.pushing)
    for number in 0..<UInt64(10) { try reply.send(wire.numberedBack(number)) }
    try wire.send(0..<10)
    #expect(try sent.collect(5).compactMap(\.number) == [0, 2, 4, 6, 8])
    #expect(accepted() == 5)
    // One that wants received frames only does not bring the sent ones of others.
    let received = try wire.near.reader(engine, "va", .in, filter: nil, Self.pushing)
    for number in 10..<UInt64(14) { try reply.send(wire.numberedBack(number)) }
    try wire.send(10..<14)
    #expect(try received.collect(4).compactMap(\.number) == (10..<14).map { $0 | back })
    #expect(accepted() == 5 + 4 + 2)
    // One whose program may not go there opens the ring for everything.
    let plain = try wire.near.reader(engine, "va", .inOut, filter: "udp")
    try wire.send(14..<24)
    #expect(eventually { accepted() == 21 })
    plain.detach()
    pause(0.05)
    try wire.send(24..<34)
    pause(0.03)
    #expect(accepted() == 26)
    engine.close()
  }

  /// Sets what the kernel grants to a filter in a host of its own; not every kernel has that for each namespace.
  private static func grant(_ bytes: Int, in host: Host) -> Bool {
    host.inside {
      let file = open("/proc/sys/net/core/optmem_max", O_WRONLY)
      guard file >= 0 else { return false }
      defer { close(file) }
      let text = "\(bytes)\n"
      return write(file, text, text.utf8.count) == text.utf8.count
    }
  }
  private static let canGrant = (try? Host("grant")).map { grant(100_000, in: $0) } ?? false

  @Test(
    "a kernel that grants too little memory for a filter lets everything through", .timeLimit(.minutes(1)),
    .enabled(if: canGrant, "needs net.core.optmem_max for each network namespace (Linux 6.8)"))
  func noMemory() throws {
    let wire = try Wire()
    for early in [true, false] {
      #expect(Self.grant(early ? 100 : 131_072, in: wire.near))
      let engine = try wire.near.engine()
      try wire.near.inside { try engine.prepare("va") }
      // Known when the socket is opened, or only to the kernel.
      #expect(Self.grant(100, in: wire.near))
      let reader = try wire.near.reader(
        engine, "va", .inOut, filter: "ether[14:4] = 0 and ether[21] & 1 = 0", Self.pushing)
      try wire.send(0..<10)
      #expect(try reader.collect(5).compactMap(\.number) == [0, 2, 4, 6, 8])
      #expect(engine.statistics.accepted == 10)
      #expect(!engine.statistics.isNarrowed)
      reader.detach()
      engine.close()
    }
  }

  @Test(
    "no frame is cut for a change that another's flushing change made possible just before", .timeLimit(.minutes(1)))
  func cutFrames() throws {
    let wire = try Wire()
    // Frames wait long in the ring.
    var options = RingOptions()
    options.retire = 150
    let engine = try wire.near.engine(options)
    let short = try FilterExpression("ether[14:4] = 0", snapLength: 64).program(linkType: 1)
    let whole = try FilterExpression("ether[14:4] = 0", snapLength: 90).program(linkType: 1)
    let readers = try (0..<2).map { _ in try wire.near.reader(engine, "va", .out, filter: nil, Self.pushing) }
    for round in 0..<UInt64(5) {
      for reader in readers { try reader.setProgram(short, flushing: true) }
      pause(0.03)
      try wire.send((round * 4)..<(round * 4 + 4), size: 100)
      try readers[0].setProgram(whole, flushing: true)
      try readers[1].setProgram(whole, flushing: false)
      let seen = try readers[1].collect(4)
      #expect(seen.compactMap(\.number) == Array((round * 4)..<(round * 4 + 4)))
      #expect(seen.allSatisfy { $0.bytes.count == 64 || $0.bytes.count == 90 }, "\(seen.map(\.bytes.count))")
    }
    engine.close()
  }

  @Test("C-070 what hides both ways keeps the kernel from handing over, until it shows one", .timeLimit(.minutes(1)))
  func neither() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let reply = try FrameSender(in: wire.far, interface: "vb")
    func accepted() -> UInt64 { engine.statistics.accepted }
    let reader = try wire.near.reader(engine, "va", .inOut, filter: "ether[21] & 1 = 0", Self.pushing)
    try wire.send(0..<4)
    #expect(try reader.collect(2).compactMap(\.number) == [0, 2])
    try reader.setDirectionFilter(3)
    pause(0.05)
    try wire.send(4..<8)
    for number in 4..<UInt64(8) { try reply.send(wire.numberedBack(number)) }
    pause(0.03)
    #expect(accepted() == 2)
    try reader.setDirectionFilter(2)
    try wire.send(8..<12)
    for number in 8..<UInt64(12) { try reply.send(wire.numberedBack(number)) }
    #expect(try reader.collect(2).compactMap(\.number) == [8 | back, 10 | back])
    try reader.setDirectionFilter(0)
    try wire.send(12..<14)
    #expect(try reader.collect(1).compactMap(\.number) == [12])
    engine.close()
  }

  @Test("the setting says whose programs go to the kernel: swbpf.pushdown", .timeLimit(.minutes(1)))
  func setting() throws {
    let wire = try Wire()
    for (value, isCommand, narrows) in [(0, true, false), (1, true, true), (1, false, false), (2, false, true)] {
      var configuration = BPF.Descriptor.Configuration()
      configuration.pushesDown = isCommand
      configuration.settings = BPF.Settings()
      try configuration.settings.set("swbpf.pushdown", to: value)
      let engine = try wire.near.engine()
      let reader = try wire.near.reader(engine, "va", .inOut, filter: "udp", configuration)
      #expect(engine.statistics.isNarrowed == narrows, "\(value), \(isCommand)")
      reader.detach()
      engine.close()
    }
  }
}
