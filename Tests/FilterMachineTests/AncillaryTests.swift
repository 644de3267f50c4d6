import Testing

@testable import SwBPFFilterMachine

@Suite("Ancillary loads")
struct AncillaryTests {
  static let metadata = FrameMetadata(
    packetType: 4, vlanPresent: true, vlanTag: 0x2064, protocolType: 0x0800, hardwareType: 1, interfaceIndex: 70_000)

  /// Ethernet, IPv4, UDP, port 9.
  static let discard: [UInt8] =
    [UInt8](repeating: 2, count: 12) + [8, 0] + [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
    + [0x30, 0x39, 0, 9, 0, 8, 0, 0]

  @Test("outbound, compiled by libpcap, sees the tap's direction and not the frame")
  func outbound() throws {
    let program = try Program(compile("outbound and udp port 9"), ancillary: true)
    let frame = Self.discard
    #expect(program.verdict(frame, metadata: Self.metadata) != 0)
    for type: UInt8 in 0...3 {
      #expect(program.verdict(frame, metadata: FrameMetadata(packetType: type)) == 0)
    }
    var other = frame
    other[37] = 10
    #expect(program.verdict(other, metadata: Self.metadata) == 0)
    let inbound = try Program(compile("inbound and udp port 9"), ancillary: true)
    #expect(inbound.verdict(frame, metadata: Self.metadata) == 0)
    #expect(inbound.verdict(frame, metadata: FrameMetadata(packetType: 0)) != 0)
  }

  @Test("the same program by request knows no metadata (C-199)")
  func unmarked() throws {
    let program = try Program(compile("outbound and udp port 9"))
    #expect(!program.isAncillary)
    #expect(program.verdict(Self.discard, metadata: Self.metadata) == 0)
  }

  @Test(
    "protocol, packet type, interface, tag and its presence load in every width",
    arguments: [
      (SKF_AD_PROTOCOL, 0x0800), (SKF_AD_PKTTYPE, 4), (SKF_AD_IFINDEX, 70_000),
      (SKF_AD_VLAN_TAG, 0x2064), (SKF_AD_VLAN_TAG_PRESENT, 1),
    ] as [(UInt32, UInt32)])
  func loads(offset: UInt32, value: UInt32) throws {
    for code in [Opcode.LD_B_ABS, Opcode.LD_H_ABS, Opcode.LD_W_ABS] {
      let program = try Program([insn(code, SKF_AD_OFF + offset), insn(Opcode.RET_A)], ancillary: true)
      #expect(program.verdict([], metadata: Self.metadata) == value)
      #expect(program.verdict([], metadata: nil) == 0)
    }
  }

  @Test("any other offset beyond 2^31 ends a marked program with 0, and indexed loads never reach the metadata")
  func others() throws {
    let known: Set<UInt32> = [0, 4, 8, 44, 48]
    for offset: UInt32 in 0...64 where !known.contains(offset) {
      let program = try Program([insn(Opcode.LD_W_ABS, SKF_AD_OFF + offset), insn(Opcode.RET_K, 1)], ancillary: true)
      #expect(program.verdict(Self.discard, metadata: Self.metadata) == 0)
    }
    for k: UInt32 in [0x8000_0000, 0xffe0_0000, 0xfff0_0000, SKF_AD_OFF - 4, 0xffff_ffff] {
      let program = try Program([insn(Opcode.LD_B_ABS, k), insn(Opcode.RET_K, 1)], ancillary: true)
      #expect(program.verdict(Self.discard, metadata: Self.metadata) == 0)
    }
    let indexed = try Program(
      [insn(Opcode.LDX_IMM, SKF_AD_OFF), insn(Opcode.LD_W_IND, 4), insn(Opcode.RET_K, 1)], ancillary: true)
    #expect(indexed.verdict(Self.discard, metadata: Self.metadata) == 0)
  }

  @Test("a marked program's load within the frame is the frame's, and just beyond it out of range")
  func ordinary() throws {
    let program = try Program([insn(Opcode.LD_H_ABS, 12), insn(Opcode.RET_A)], ancillary: true)
    #expect(program.verdict(Self.discard, metadata: Self.metadata) == 0x0800)
    #expect(program.verdict([1, 2, 3], metadata: Self.metadata) == 0)
  }
}
