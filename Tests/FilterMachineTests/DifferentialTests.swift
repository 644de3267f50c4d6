import Testing

@testable import SwBPFFilterMachine

/// libpcap's interpreter as the judge. Left out where it is known to differ: shifts by 32 and more.
@Suite("Against libpcap")
struct DifferentialTests {
  static let expressions: [String] = {
    var all = [
      "ip", "ip6", "arp", "rarp", "tcp", "udp", "icmp", "icmp6", "igmp", "sctp", "ah", "esp", "vrrp", "pim",
      "ip or ip6", "not ip", "not arp and not ip6", "broadcast", "multicast", "ip multicast", "ip6 multicast",
      "ether broadcast", "ether multicast", "less 100", "greater 1000", "len > 64 and len < 1500",
      "ether host 02:02:02:02:02:02", "ether src 02:00:00:00:00:01", "ether dst ff:ff:ff:ff:ff:ff",
      "ether proto 0x88cc", "ether[0] & 1 != 0", "ether[12:2] = 0x800", "ether[6:4] = 0x02020202",
      "host 10.0.0.1", "src host 10.0.0.1", "dst host 10.0.0.2", "host 10.0.0.1 and host 10.0.0.2",
      "host fe80::1", "src host 2001:db8::1", "net 10.0.0.0/8", "src net 10.0.0.0/24", "net 2001:db8::/32",
      "port 80", "tcp port 80", "udp port 53", "src port 80", "dst port 443", "portrange 1-1023",
      "tcp portrange 8000-8080", "src portrange 1024-65535", "tcp dst portrange 20-23",
      "host 10.0.0.1 and tcp portrange 1-1024", "tcp port 80 or tcp port 443 or udp port 53",
      "tcp[tcpflags] & tcp-syn != 0", "tcp[tcpflags] == tcp-syn", "tcp[13] & 7 != 0",
      "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
      "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8",
      "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
      "icmp[icmptype] == icmp-echo", "icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply",
      "icmp6[icmp6type] == 135", "ip[8] < 5", "ip[6:2] & 0x1fff != 0", "ip[0] & 0xf != 5", "ip[1] & 0xfc == 0x28",
      "ip6[6] = 17", "ip proto 47", "ip proto \\tcp", "ip6 proto 58", "proto 17", "ip protochain 6" + "",
      "vlan", "vlan 100", "vlan and ip", "vlan 100 and tcp port 80", "vlan and vlan", "vlan 5 and vlan 6 and udp",
      "mpls", "mpls 100000", "mpls and ip", "pppoed", "pppoes", "pppoes and ip", "pppoes 0x27", "geneve", "geneve 0xb1",
      "udp[8:4] = 0", "udp[4:2] > 100", "udp and ip[2:2] / 2 * 2 != ip[2:2]", "ip[2:2] % 3 = 0", "ip[4:2] ^ 0xffff > 5",
      "len * 3 - 1 > 200", "ip[ip[0] & 0xf] = 0", "ether[len - 4:4] = 0", "ether[len:1] = 0", "tcp[len - 60] = 2",
      "ether[0:4] + ether[4:4] > ether[8:4]", "ip[0:4] | 0xff = 0x450000ff", "len >> 2 = 16", "len << 3 > 2048",
      "gateway", "decnet host 10.1", "stp", "ipx", "aarp", "atalk", "llc", "iso", "clnp", "isis", "netbeui", "lat",
      "moprc",
    ]
    all += (0..<8).map { i in (0..<(4 + 3 * i)).map { "port \($0 * 97 + i)" }.joined(separator: " or ") }
    return all
  }()

  /// A frame that has a chance: layers put together at random, bytes broken now and then, cut anywhere.
  static func frame(_ random: inout Random) -> [UInt8] {
    func byte() -> UInt8 { UInt8.random(in: 0...255, using: &random) }
    func port() -> [UInt8] {
      let p = [0, 1, 9, 22, 53, 80, 97, 194, 443, 1024, 8080].randomElement(using: &random)! as UInt16
      return Bool.random(using: &random) ? [UInt8(p >> 8), UInt8(p & 255)] : [byte(), byte()]
    }
    let macs: [[UInt8]] = [
      [2, 2, 2, 2, 2, 2], [2, 0, 0, 0, 0, 1], .init(repeating: 255, count: 6), [1, 0, 0x5e, 0, 0, 1],
    ]
    var frame = macs.randomElement(using: &random)! + macs.randomElement(using: &random)!
    if Int.random(in: 0..<5, using: &random) == 0 {
      frame += [0x81, 0, 0, [5, 6, 100].randomElement(using: &random)!]
    }
    if Int.random(in: 0..<20, using: &random) == 0 { frame += [0x81, 0, 0, 6] }
    let transport: [UInt8] = [6, 6, 17, 17, 1, 58, 47, 50, 132]
    let kind = transport.randomElement(using: &random)!
    switch Int.random(in: 0..<8, using: &random) {
    case 0...4:
      let words = Int.random(in: 0..<4, using: &random) == 0 ? Int.random(in: 0...15, using: &random) : 5
      let fragment: UInt8 = Int.random(in: 0..<8, using: &random) == 0 ? byte() : 0
      frame += [
        8, 0, UInt8(0x40 + words), byte(), 0, byte(), byte(), byte(), fragment & 0x3f, fragment, byte(), kind, 0, 0,
      ]
      frame += [10, 0, 0, 1 + byte() % 3, 10, 0, 0, 1 + byte() % 3]
      for _ in 20..<max(words * 4, 20) { frame.append(byte()) }
    case 5:
      frame += [0x86, 0xdd, 0x60, 0, 0, 0, 0, 40, kind, 64]
      frame += [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]
      frame += [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1]
    case 6: frame += [8, 6, 0, 1, 8, 0, 6, 4, 0, 1]
    default:
      let types: [[UInt8]] = [[0x88, 0x47], [0x88, 0x63], [0x88, 0x64], [0x80, 0x35], [0, 40], [0x88, 0xcc]]
      frame += types.randomElement(using: &random)! + [0x42, 0x42, 3]
    }
    frame += port() + port() + [byte(), byte(), 0, 0, 0, 0, 0, 0, 0x50, byte()]
    for _ in 0..<Int.random(in: 0..<80, using: &random) { frame.append(byte()) }
    if Int.random(in: 0..<4, using: &random) == 0 {
      frame[Int.random(in: 0..<frame.count, using: &random)] = byte()
    }
    if Int.random(in: 0..<3, using: &random) == 0 {
      frame = Array(frame.prefix(Int.random(in: 0...frame.count, using: &random)))
    }
    return frame
  }

  @Test("compiled expressions judge thousands of frames as libpcap's own interpreter does")
  func expressions() throws {
    var random = Random(state: 2006)
    var compiled: [(String, Program)] = []
    for expression in Self.expressions {
      for optimize in [true, false] {
        // Some versions of libpcap lack some words; those with loops (protochain) are no programs here.
        guard let instructions = try? compile(expression, optimize: optimize),
          let program = try? Program(instructions, ancillary: false, limit: Program.expressionLimit)
        else { continue }
        compiled.append((expression, program))
      }
    }
    #expect(compiled.count > 180)
    var accepted = 0
    for _ in 0..<2000 {
      let frame = Self.frame(&random)
      let wire = UInt32(frame.count) + (Bool.random(using: &random) ? 0 : UInt32.random(in: 0...1500, using: &random))
      for (expression, program) in compiled {
        let ours = program.verdict(frame, wireLength: wire)
        let theirs = judge(program, frame, wire: wire)
        if ours != 0 { accepted += 1 }
        if ours != theirs { Issue.record("\(expression): \(ours), libpcap \(theirs), frame \(frame), wire \(wire)") }
      }
    }
    #expect(accepted > 20_000)
  }

  /// A valid program of random instructions, without shifts that libpcap leaves undefined.
  static func program(_ random: inout Random) -> [I] {
    let count = Int.random(in: 1...30, using: &random)
    let constants: [UInt32] = [0, 1, 2, 3, 5, 14, 15, 60, 255, 0x8000_0000, .max, 0 &- 3]
    var program: [I] = []
    var written: [UInt32] = []
    for index in 0..<count {
      let left = count - index  // instructions up to the final returns
      var code = Opcode.all.randomElement(using: &random)!
      var k =
        Bool.random(using: &random)
        ? constants.randomElement(using: &random)! : UInt32.random(in: 0...70, using: &random)
      var jt: UInt8 = 0
      var jf: UInt8 = 0
      switch code {
      case Opcode.LSH_X, Opcode.RSH_X: code = Opcode.ADD_X
      case Opcode.LSH_K, Opcode.RSH_K: k &= 31
      case Opcode.DIV_K, Opcode.MOD_K: k = max(k, 1)
      case Opcode.ST, Opcode.STX:
        k &= 15
        written.append(k)
      case Opcode.LD_MEM, Opcode.LDX_MEM:
        guard let word = written.randomElement(using: &random) else { continue }
        k = word
      case Opcode.JA: k = UInt32.random(in: 0...UInt32(min(left, 3)), using: &random)
      case Opcode.RET_K, Opcode.RET_A: if left > 2 { continue }
      case let code where code & 7 == BPF_JMP:
        jt = UInt8.random(in: 0...UInt8(min(left, 5)), using: &random)
        jf = UInt8.random(in: 0...UInt8(min(left, 5)), using: &random)
      default: break
      }
      program.append(I(code: code, jt: jt, jf: jf, k: k))
    }
    return program + [insn(Opcode.RET_A), insn(Opcode.RET_K, 1)]
  }

  @Test("random valid programs give libpcap's result")
  func randomPrograms() throws {
    var random = Random(state: 1992)
    var ran = 0
    for _ in 0..<20_000 {
      let instructions = Self.program(&random)
      guard let program = try? Program(instructions) else { continue }
      #expect(libpcapAccepts(instructions))
      ran += 1
      for _ in 0..<4 {
        let frame = (0..<Int.random(in: 0...64, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        let wire = UInt32.random(in: 0...2000, using: &random)
        let ours = program.verdict(frame, wireLength: wire)
        let theirs = judge(program, frame, wire: wire)
        if ours != theirs { Issue.record("\(ours), libpcap \(theirs): \(instructions) on \(frame), wire \(wire)") }
      }
    }
    #expect(ran > 5000)
  }
}
