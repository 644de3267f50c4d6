// Sets of programs for the merged form, and frames that they quarrel about.
import CPcapShim
import SwBPFKern

@testable import SwBPFFilterMachine

extension MergedPrograms {
  /// Runs `body` with each kind's answer to a frame; the frame's end is the end of what can be read.
  private func judging(
    _ frame: [UInt8], wire: UInt32, metadata: FrameMetadata?,
    _ body: (MergedCode, _ member: Int, _ isSure: Bool, _ verdict: () -> UInt32) -> Void
  ) {
    let rows = UnsafeMutablePointer<UInt64>.allocate(capacity: MergedPrograms.rowWords)
    defer { rows.deallocate() }
    let captured = UInt32(frame.count)
    Ground.shared.laying(frame) { base in
      func judge(_ metadata: UnsafePointer<FrameMetadata>?) {
        for index in 0..<kindCount {
          let code = kinds[index]
          func run(_ member: Int) -> UInt32 {
            code.members[member].code.verdict(packet: base, wireLength: wire, captured: captured, metadata: metadata)
          }
          if code.isAlone {
            body(code, 0, false) { run(0) }
          } else if code.judge(packet: base, wireLength: wire, captured: captured, metadata: metadata, rows: rows) {
            for member in 0..<code.memberCount {
              let bit: UInt64 = 1 << UInt64(member % 64)
              if rows[member / 64] & bit != 0 { body(code, member, true) { code.members[member].take } }
              if rows[code.words + member / 64] & bit != 0 { body(code, member, false) { run(member) } }
            }
          }
        }
      }
      if var metadata { withUnsafePointer(to: &metadata) { judge($0) } } else { judge(nil) }
    }
  }

  /// What each program says of a frame, from the merged form.
  func verdicts(_ frame: [UInt8], wire: UInt32? = nil, metadata: FrameMetadata? = nil) -> [UInt32] {
    var ofMembers = [UInt32](repeating: 0, count: memberCount)
    judging(frame, wire: wire ?? UInt32(frame.count), metadata: metadata) { code, member, _, verdict in
      ofMembers[code.base + member] = verdict()
    }
    return members.map { ofMembers[$0] }
  }

  /// How many programs have to be run for a frame, and how many accept it for sure.
  func asked(_ frame: [UInt8]) -> (sure: Int, run: Int) {
    var counts = (sure: 0, run: 0)
    judging(frame, wire: UInt32(frame.count), metadata: nil) { _, _, isSure, _ in
      if isSure { counts.sure += 1 } else { counts.run += 1 }
    }
    return counts
  }

  /// Nodes of all kinds.
  var nodeCount: Int { owners.reduce(0) { $0 + $1.nodeCount } }
}

/// Programs for one merged form.
struct ProgramSet {
  private static let templates: [@Sendable (inout Random) -> String] = [
    { "udp port \(port(&$0))" }, { "tcp port \(port(&$0))" }, { "port \(port(&$0)) or port \(port(&$0))" },
    { "host \(host(&$0))" }, { "host \(host(&$0)) or host \(host(&$0)) or host \(host(&$0))" },
    { "ip host \(host(&$0)) and udp dst port \(port(&$0))" }, { "net 10.0.\(byte(&$0) % 4).0/24" },
    { "src net 10.0.0.0/\(8 + byte(&$0) % 20)" }, { "not port \(port(&$0))" }, { "ip6 and udp port \(port(&$0))" },
    { _ in "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0" }, { _ in "arp" }, { _ in "icmp" }, { _ in "ip" }, { _ in "" },
    { "ether host 2:0:0:0:0:\(byte(&$0) % 3)" }, { "less \(byte(&$0))" }, { "greater \(byte(&$0))" },
    { "ip[8] > \(byte(&$0))" }, { "ip proto \([1, 6, 17, 132][byte(&$0) % 4])" }, { "vlan \(byte(&$0) % 4)" },
    { _ in "ether broadcast" }, { "inbound and udp port \(port(&$0))" }, { _ in "outbound" },
    {
      let low = port(&$0)
      return "udp portrange \(low)-\(low + byte(&$0))"
    },
  ]

  private static func port(_ random: inout Random) -> Int { [53, 80, 443, 1000, 1001, 1002, 5353].pick(&random) }
  private static func host(_ random: inout Random) -> String { "10.0.\(byte(&random) % 3).\(byte(&random) % 4)" }
  private static func byte(_ random: inout Random) -> Int { Int.random(in: 0...255, using: &random) }

  /// Expressions of one kind with other constants, or of many kinds; with returns of their own.
  static func expressions(_ random: inout Random, count: Int) throws -> [Program] {
    let kinds = Int.random(in: 1...4, using: &random)
    let chosen = (0..<kinds).map { _ in templates.randomElement(using: &random)! }
    let isOneReturn = random.next() % 2 == 0
    return try (0..<count).map { _ in
      let text = kinds == 4 ? templates.randomElement(using: &random)!(&random) : chosen.pick(&random)(&random)
      var instructions = try compile(text, optimize: random.next() % 8 != 0)
      let take = UInt32.random(in: 1...300, using: &random)
      for index in instructions.indices where instructions[index].code == Opcode.RET_K && instructions[index].k != 0 {
        instructions[index].k = isOneReturn ? 262_144 : random.next() % 9 == 0 ? 77 : take
      }
      return try Program(instructions, ancillary: true, limit: Program.expressionLimit)
    }
  }

  /// Random instructions; some the same as others but for constants.
  static func random(_ random: inout Random, count: Int, ancillary: Bool) -> [Program] {
    var all: [[I]] = []
    while all.count < count {
      var instructions: [I]
      if let old = all.randomElement(using: &random), random.next() % 3 != 0 {
        instructions = old
        for index in instructions.indices where random.next() % 4 == 0 {
          let code = instructions[index].code
          if code & 7 == BPF_JMP && code != Opcode.JA || code == Opcode.RET_K {
            instructions[index].k = UInt32(random.next() % 12)
          }
        }
      } else {
        instructions = RandomProgram(&random, length: 30, ancillary: ancillary).instructions
      }
      if (try? Program(instructions, ancillary: ancillary)) != nil { all.append(instructions) }
    }
    return all.map { try! Program($0, ancillary: ancillary) }
  }

  /// An Ethernet frame with numbers that the expressions know, now and then short.
  static func frame(_ random: inout Random) -> [UInt8] {
    func byte() -> UInt8 { UInt8.random(in: 0...255, using: &random) }
    func bytes(of number: Int) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }
    var frame: [UInt8] = [2, 0, 0, 0, 0, byte() % 3, 2, 0, 0, 0, 0, byte() % 3]
    if byte() < 20 { frame.replaceSubrange(0..<6, with: [UInt8](repeating: 255, count: 6)) }
    if byte() < 30 { frame += [0x81, 0, 0, byte() % 4] }
    let transport: UInt8 = [17, 17, 17, 6, 6, 1, 132].pick(&random)
    switch byte() % 16 {
    case 0: frame += [8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, byte() % 3, byte() % 4]
    case 1...3:
      frame += [0x86, 0xdd, 0x60, 0, 0, 0, 0, 40, transport, 64]
      for _ in 0..<32 { frame.append(byte()) }
    case 4: frame += bytes(of: Int(byte()))
    default:
      let words: UInt8 = byte() % 8 == 0 ? 4 + byte() % 6 : 5
      frame += [8, 0, 0x40 | words, 0, 0, 60, byte(), byte()]
      frame += byte() < 20 ? [byte() % 64, byte()] : [0x40, 0]
      frame += [byte(), transport, 0, 0, 10, 0, byte() % 4, byte() % 5, 10, 0, byte() % 4, byte() % 5]
      for _ in 5..<max(5, words) { frame += [0, 0, 0, 0] }
    }
    frame += bytes(of: port(&random)) + bytes(of: port(&random))
    frame += [0, 0, 0, 0, 0, 0, 0, 0, 0x50, byte()]
    while frame.count < 60 { frame.append(byte() % 20) }
    if byte() % 4 == 0 { frame = Array(frame.prefix(Int.random(in: 0...60, using: &random))) }
    return frame
  }
}

extension Array {
  fileprivate func pick(_ random: inout Random) -> Element { randomElement(using: &random)! }
}
