// Loads of a frame's metadata: this machine against the kernel's own, on the same interface.
import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("Metadata as the kernel has it", .needsNamespaces, .timeLimit(.minutes(2)))
struct AncillaryKernelTests {
  private static let metadata: UInt32 = 0xffff_f000
  /// SKF_AD_PROTOCOL, PKTTYPE, IFINDEX, VLAN_TAG, VLAN_TAG_PRESENT.
  private static let facts: [UInt32] = [0, 4, 8, 44, 48]

  /// A packet socket with a program, which is all that decides what it gets.
  private final class KernelSocket {
    private let socket: CInt

    init(_ instructions: [Instruction], in host: Host, interface: String) throws {
      socket = try host.inside {
        let socket = swpcap_packet_socket(0)
        guard socket >= 0 else { throw SupportError.system(call: "socket", errno: -socket) }
        let code = instructions.map { swpcap_insn(code: $0.code, jt: $0.jt, jf: $0.jf, k: $0.k) }
        var result = swpcap_packet_filter(socket, code, UInt16(code.count))
        if result == 0 { result = swpcap_packet_bind(socket, CInt(if_nametoindex(interface))) }
        guard result == 0 else {
          close(socket)
          throw SupportError.system(call: "\(instructions)", errno: -result)
        }
        return socket
      }
    }

    deinit { close(socket) }

    /// What it got until now, and the bytes kept of each.
    func frames() -> [Seen] {
      var room = [UInt8](repeating: 0, count: 2048)
      var all: [Seen] = []
      while true {
        // MSG_TRUNC would say the frame's length and not what the program kept.
        let count = recv(socket, &room, room.count, CInt(MSG_DONTWAIT))
        if count < 0 { return all }
        all.append(Seen(length: count, bytes: Array(room.prefix(count))))
      }
    }
  }

  /// The serial number at a frame's beginning: the last bytes of its source address.
  private static func serial(_ seen: Seen) -> UInt32 {
    seen.bytes.count < 12 ? .max : seen.bytes[8..<12].reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Frames of every packet type, with tags and without, both ways; the serial number is in the source address.
  private static func send(_ wire: Wire, tagged: Bool) throws -> Int {
    let (out, back) = (
      try FrameSender(in: wire.near, interface: "va"), try FrameSender(in: wire.far, interface: "vb")
    )
    let all: [UInt8] = [255, 255, 255, 255, 255, 255]
    let (group, other): ([UInt8], [UInt8]) = ([1, 0, 0x5e, 0, 0, 9], [2, 9, 9, 9, 9, 9])
    let udp: [UInt8] =
      [0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 1, 1] + [0, 53, 0, 9, 0, 26, 0, 0]
    var serial: UInt32 = 0
    for tags in tagged ? [[], [5], [0x2005], [6], [0xe00c], [5, 7]] : [[]] as [[UInt16]] {
      for (type, payload) in [(experimental, []), (0x0800, udp), (0x0806, []), (0x86dd, [])] as [(UInt16, [UInt8])] {
        for (sender, addresses) in [
          (out, [wire.farEnd.mac, all, group]), (back, [wire.nearEnd.mac, all, group, other]),
        ] {
          for address in addresses {
            let source: [UInt8] = [2, 0] + (0..<4).map { UInt8(truncatingIfNeeded: serial >> (24 - 8 * $0)) }
            let filler = [UInt8](repeating: UInt8(truncatingIfNeeded: serial), count: 60)
            try sender.send(Frame.ethernet(from: source, to: address, vlans: tags, type: type, payload + filler))
            serial += 1
          }
        }
      }
    }
    return Int(serial)
  }

  private struct Pair {
    let name: String
    let kernel: KernelSocket
    let reader: BPF.Descriptor
  }

  /// Shows both sides the same frames. Returns what each of the programs accepted, for comparing with what is expected.
  private func compare(
    _ programs: [(name: String, kernel: [Instruction], ours: Program?)], on wire: Wire, tagged: Bool,
    sameBytes: Bool
  ) throws -> [Int] {
    let engine = try wire.near.engine()
    defer { engine.close() }
    let pairs = try programs.map { name, kernel, ours in
      let reader = try wire.near.reader(engine, "va", .inOut, .init(slotSize: 1 << 18, slots: 4))
      try reader.setProgram(ours)
      return Pair(
        name: name, kernel: try KernelSocket(kernel, in: wire.near, interface: "va"), reader: reader)
    }
    let sent = try Self.send(wire, tagged: tagged)
    var accepted: [Int] = []
    for pair in pairs {
      let wanted = pair.kernel.frames()
      let seen = try pair.reader.collect(wanted.count, within: 2)
      #expect(seen.map(Self.serial) == wanted.map(Self.serial), "\(pair.name)")
      if sameBytes { #expect(seen.map(\.bytes) == wanted.map(\.bytes), "\(pair.name)") }
      #expect(wanted.count <= sent)
      accepted.append(wanted.count)
    }
    return accepted
  }

  private static func load(_ fact: UInt32, _ code: UInt16 = Opcode.LD_W_ABS) -> Instruction {
    .statement(code, metadata + fact)
  }

  @Test("loads by hand of every fact, in every width, and programs of them at random, accept the kernel's frames")
  func byHand() throws {
    let wire = try Wire()
    let index = wire.near.inside { if_nametoindex("va") }
    var programs: [(String, [Instruction])] = []
    let end: [Instruction] = [.statement(Opcode.RET_K, .max), .statement(Opcode.RET_K, 0)]
    let values: [UInt32: [UInt32]] = [
      0: [0x0800, 0x0806, 0x86dd, 0x8100, UInt32(experimental)], 4: [0, 1, 2, 3, 4], 8: [index, index + 1, 1],
      44: [0, 5, 6, 0x2005, 0xe00c], 48: [0, 1],
    ]
    for (fact, values) in values {
      for value in values {
        let code = [Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS][Int(value % 3)]
        programs.append(("[\(fact)] = \(value)", [Self.load(fact, code), .jump(Opcode.JEQ_K, value, 0, 1)] + end))
      }
      // Beyond the metadata that both have, the kernel's indexed loads end as ours.
      programs.append(
        ("[x + \(fact)]", [.statement(Opcode.LDX_IMM, fact), .statement(Opcode.LD_W_IND, Self.metadata)] + end))
    }
    programs.append(
      ("tag & 0xfff = 12", [Self.load(44), .statement(Opcode.AND_K, 0xfff), .jump(Opcode.JEQ_K, 12, 0, 1)] + end))
    let all = try programs.map { ($0.0, $0.1, try Program($0.1, ancillary: true)) }
    let accepted = try compare(all, on: wire, tagged: true, sameBytes: false)
    #expect(accepted.filter { $0 > 0 }.count > programs.count / 2)

    var random = SystemRandomNumberGenerator()
    for _ in 0..<(Requirement.short ? 1 : 4) {
      let batch = try (0..<24).map { _ in
        let code = Self.randomProgram(&random)
        return ("\(code)", code, try Program(code, ancillary: true))
      }
      // Without tags, both see the same bytes at the same places, and what is kept is compared as well.
      try #expect(compare(batch, on: wire, tagged: false, sameBytes: true).contains { $0 > 0 })
    }
  }

  /// Facts in A and X, put together, compared, returned; now and then a load of the frame.
  private static func randomProgram(_ random: inout SystemRandomNumberGenerator) -> [Instruction] {
    func one(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    var code: [Instruction] = []
    for _ in 0..<(2 + one(6)) {
      switch one(8) {
      case 0...2: code.append(load(facts[one(5)], [Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS][one(3)]))
      case 3: code.append(.statement([Opcode.TAX, Opcode.TXA][one(2)], 0))
      case 4: code.append(.statement([Opcode.ADD_X, Opcode.MUL_X, Opcode.XOR_X, Opcode.OR_X][one(4)], 0))
      case 5: code.append(.statement([Opcode.ADD_K, Opcode.AND_K, Opcode.MUL_K][one(3)], UInt32(one(64))))
      case 6:
        code.append(.statement([Opcode.LD_H_ABS, Opcode.LD_B_ABS, Opcode.LD_B_IND][one(3)], UInt32(12 + one(50))))
      default: code.append(.jump(Opcode.JGT_K, UInt32([0, 1, 3, 100, 0x0800][one(5)]), UInt8(one(2)), UInt8(one(2))))
      }
    }
    // Enough of the frame to know it by.
    return code + [.statement(Opcode.OR_K, 16), .statement(Opcode.RET_A, 0), .statement(Opcode.RET_K, 100)]
  }

  @Test(
    "inbound, outbound and vlan accept the frames that the kernel accepts by the program which tcpdump makes for it",
    .needsTool("tcpdump"))
  func expressions() throws {
    let wire = try Wire()
    let plain = [
      "inbound", "outbound", "inbound and udp port 53", "outbound and not arp", "outbound or udp", "not inbound",
      "ip6 and inbound", "inbound and ether broadcast", "outbound and ether multicast", "not vlan",
    ]
    try judge(plain, on: wire, tagged: false)
    // A program that does not say vlan takes a tagged frame, from which the kernel took the tag, for an untagged one; here
    // the tag is in its place, as in a savefile.
    let tags = [
      "inbound", "outbound", "vlan", "vlan 5", "vlan 6", "vlan 12 and outbound", "vlan and inbound", "not vlan",
      "vlan 5 and udp port 53", "vlan 5 and vlan 7", "vlan and vlan", "vlan and arp", "udp or (vlan and udp)",
      "vlan and ether proto 0x88b5 and outbound", "inbound and ether broadcast",
    ]
    try judge(tags, on: wire, tagged: true)
  }

  private func judge(_ expressions: [String], on wire: Wire, tagged: Bool) throws {
    let programs = try expressions.map { expression in
      // Compiled for the open interface: for where the kernel keeps tags.
      let output = try wire.near.run(["tcpdump", "-i", "va", "-ddd", expression])
      #expect(output.status == .exited(0), "\(output.err)")
      let kernel = output.out.split(separator: "\n").dropFirst().map { line in
        let numbers = line.split(separator: " ").compactMap { UInt32($0) }
        return Instruction(
          code: UInt16(numbers[0]), jt: UInt8(numbers[1]), jf: UInt8(numbers[2]), k: numbers[3])
      }
      return (expression, kernel, try FilterExpression(expression).program(linkType: 1))
    }
    let accepted = try compare(programs, on: wire, tagged: tagged, sameBytes: !tagged)
    #expect(!accepted.contains(0), "\(zip(expressions, accepted).filter { $0.1 == 0 })")
  }
}
