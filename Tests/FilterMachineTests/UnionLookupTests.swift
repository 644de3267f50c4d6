import CPcapShim
import Glibc
import Testing

@testable import SwBPFFilterMachine

@Suite("Union for the kernel: programs that differ in constants")
struct UnionLookupTests {
  /// A datagram over IPv4 or IPv6 whose ports are these.
  static func datagram(_ source: Int, _ destination: Int, isSix: Bool = false) -> [UInt8] {
    let addresses = [UInt8](repeating: 2, count: 12)
    let four: [UInt8] = [8, 0, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
    let six: [UInt8] = [0x86, 0xdd, 0x60, 0, 0, 0, 0, 30, 17, 64] + [UInt8](repeating: 1, count: 32)
    let ports = [source, destination].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    return addresses + (isSix ? six : four) + ports + [UInt8](repeating: 0, count: 26)
  }

  static func ports(_ count: Int) -> [Int] { (0..<count).map { 20_000 + 37 * $0 } }

  static func union(of ports: [Int], memory: Int = UnionTests.memory) throws -> Union {
    try UnionTests.union(try ports.map { try compile("udp port \($0)") }, memory: memory)
  }

  @Test("64 and 256 readers of a port each: exactly their frames pass, and each more costs few instructions")
  func ports() throws {
    let pair = FilteredPair()
    for count in [64, 256] {
      let ports = Self.ports(count)
      let code = try #require(try Self.union(of: ports).code)
      #expect(code.count < 60 + 10 * count)
      try #require(pair.attach(code) == 0)
      for port in Set(ports.flatMap { [$0 - 1, $0, $0 + 1] } + [0, 9, 53, 65_535]) {
        let isWanted = ports.contains(port)
        for isSix in [false, true] {
          #expect((pair.kept(of: Self.datagram(9, port, isSix: isSix)) > 0) == isWanted, "to \(port)")
          #expect((pair.kept(of: Self.datagram(port, 9, isSix: isSix)) > 0) == isWanted, "from \(port)")
        }
      }
      // As short as can be: nothing that is read is there.
      #expect(pair.kept(of: Array(Self.datagram(9, ports[0]).prefix(36))) == 0)
    }
  }

  @Test("neighbouring ports are one range")
  func neighbours() throws {
    let one = try #require(try Self.union(of: [1000, 1001]).code)
    let many = try #require(try Self.union(of: Array(1000...1255)).code)
    #expect(many.count <= one.count + 8)
  }

  @Test("where the kernel takes no more, what is between some ports passes, too, and the rest is refused")
  func coarse() throws {
    let ports = Self.ports(256)
    let pair = FilteredPair()
    var before = Int.max
    for memory in [60_000, 20_480, 8192] {
      let code = try #require(try Self.union(of: ports, memory: memory).code)
      #expect(KernelSize.bytes(of: code) <= memory / 2)
      #expect(code.count < before)
      before = code.count
      try #require(pair.attach(code) == 0)
      for port in ports { #expect(pair.kept(of: Self.datagram(9, port)) > 0) }
      #expect(pair.kept(of: Self.datagram(9, 53)) == 0)
      #expect(pair.kept(of: Self.datagram(9, 40_000)) == 0)
    }
  }

  @Test("look-ups stand in front of other programs and behind them")
  func mixed() throws {
    let expressions = Self.ports(20).map { "udp port \($0)" } + ["arp", "tcp[13] & 2 != 0", "ip6 and udp port 53"]
    for order in [expressions, expressions.reversed()] {
      let programs = try order.map { try compile($0) }
      let code = try #require(try UnionTests.union(programs).code)
      #expect(code.count < 400)
      let pair = FilteredPair()
      try #require(pair.attach(code) == 0)
      var random = Random(state: 5)
      let parts = try programs.map { try Program($0, limit: Union.limit) }
      var passed = 0
      for round in 0..<3000 {
        let frame =
          round % 3 == 0
          ? Self.datagram(9, Self.ports(40).randomElement(using: &random)!, isSix: Bool.random(using: &random))
          : DifferentialTests.frame(&random) + [0]
        let isWanted = parts.contains { $0.verdict(frame) > 0 }
        let isKept = pair.kept(of: frame) > 0
        #expect(isKept || !isWanted, "\(frame)")
        if isKept { passed += 1 }
      }
      #expect(passed > 300 && passed < 2000)
    }
  }

  @Test("random sets of a few kinds: no frame that a program wants is refused, whatever the size that is granted")
  func randomKinds() throws {
    var random = Random(state: 77)
    let pair = FilteredPair()
    var (pushed, refused, accepted) = (0, 0, 0)
    for set in 0..<(getenv("SWBPF_LONG") == nil ? 150 : 4000) {
      let programs = try ProgramSet.expressions(&random, count: Int.random(in: 2...40, using: &random))
      let wishes = programs.map {
        let direction = Int.random(in: 0..<6, using: &random)
        return Union.Wish(UnionPart($0), sent: direction != 1, received: direction != 2)
      }
      let memory = [131_072, 20_480, 6000].randomElement(using: &random)!
      guard let code = Union(of: wishes, memory: memory).code else { continue }
      pushed += 1
      let machine = try Program(code, ancillary: true, limit: Union.limit)
      #expect(pair.attach(code) == 0, "set \(set): the kernel refuses \(code.count) instructions")
      for _ in 0..<40 {
        let frame = ProgramSet.frame(&random) + [0]
        let isSent = Bool.random(using: &random)
        let metadata = FrameMetadata(packetType: isSent ? 4 : 0)
        let verdict = machine.verdict(frame, metadata: metadata)
        if !isSent { #expect(pair.kept(of: frame) == min(Int(verdict), frame.count), "set \(set): \(code)") }
        if verdict == 0 { refused += 1 }
        for wish in wishes where isSent ? wish.sent : wish.received {
          guard wish.part!.program.verdict(frame, metadata: metadata) > 0 else { continue }
          accepted += 1
          if verdict == 0 { Issue.record("set \(set): refused: \(wish.part!.program.instructions) on \(frame)") }
        }
      }
    }
    #expect(pushed > 60)
    #expect(refused > 400)
    #expect(accepted > 2000)
  }
}
