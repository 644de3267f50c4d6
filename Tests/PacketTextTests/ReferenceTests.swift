import Testing

@testable import SwBPFPacketText

/// Compares with the installed tcpdump, packet by packet.
///
/// Left out, because the printer knowingly prints one honest line where tcpdump dissects:
/// - protocols that have no printer here: SCTP, OSPF, PIM version 2 …, the control protocols of PPP, the payloads of
///   ISAKMP with -v, and Ethernet types such as LLDP, PPPoE, MPLS; ICMPv6 router renumbering, node information and RPL;
///   SNAP of Cisco and of bridged frames; LLC of IPX, STP, NetBEUI and OSI; Mobility headers; ATM and Frame Relay ARP;
/// - ports whose protocol tcpdump dissects (only the ports of ``FrameBuilder/port()`` are used);
/// - more than 64 packets inside each other.
@Suite(
  .enabled(if: Reference.isInstalled, "needs tcpdump 4.99.3, whose text is the measure"),
  .timeLimit(.minutes(5)))
struct ReferenceTests {
  /// Fails with the first few packets that differ.
  func compare(_ records: [Record], linkType: Int32, flags: [String] = []) throws {
    var options = plain(linkType, flags)
    options.packetNumber = true
    let ours = text(records, options)
    let output = try Reference.output(records, linkType: linkType, flags: ["-n", "-#", "-t"] + flags)
    if ours.joined() == output { return }
    // Only now the costly way, packet by packet.
    let theirs = Reference.split(output)
    try #require(ours.count == theirs.count)
    var shown = 0
    for index in records.indices where ours[index] != theirs[index] {
      shown += 1
      if shown > 12 { break }
      let hex = records[index].frame.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      Issue.record("\(flags) \(records[index].wireLength) \(hex)\nours:   \(ours[index])theirs: \(theirs[index])")
    }
  }

  /// What the printer says in one word where tcpdump says more.
  static let honest: [String] = {
    var names = ["EGP", "SCTP", "DCCP", "IPX", "OSI", "Appletalk", "STP", "Mobility", "802.11 radiotap", "ATM ARP"]
    names += ["Frame Relay ARP", "CDP", "VTP", "DTP", "UDLD", "PVST", "VLAN Bridge", "BPDU"]
    names += [8, 9, 46, 55, 62, 88, 89, 103, 112, 113].compactMap { ipProtocolName($0)?.description }
    names += ["PPP", "MLPPP", "MPLS", "IPCP", "OSICP", "IP6CP", "CCP", "MPLSCP", "LCP", "PAP", "BACP", "BAP", "CHAP"]
    names += ["GRE-OSI", "NSH", " payloads"]
    names += (0...UInt16.max).filter { isDissectedElsewhere(etherType: $0) }.compactMap {
      etherTypeName($0)?.description
    }
    names += ["FCS", "RPL", "renumbering", "who-are-you request", "who-are-you reply"]
    return names.map { $0 + ", length " } + ["ethertype 0x", "NetBeui", "nested too deep"]
  }()

  /// Whether a line of ours is in the set that equals tcpdump's: no honest word, and only ports nobody dissects.
  func isComparable(_ line: String) -> Bool {
    if Self.honest.contains(where: { line.contains($0) }) { return false }
    let ports = line.matches(of: /([0-9]+) > (?:[0-9a-f.:]*\.)?([0-9]+): (?:\[[^\]]*\] )?(?:UDP,|Flags)/)
    let known: Set<Substring> = ["40001", "40002", "40003", "45678"]
    return ports.allSatisfy { known.contains($0.1) && known.contains($0.2) }
  }

  @Test(
    "prints what tcpdump prints for valid and odd frames",
    arguments: [Int32(1), 101, 0, 108, 113, 276], [[], ["-e"], ["-q"]])
  func frames(_ linkType: Int32, _ flags: [String]) throws {
    var builder = FrameBuilder(seed: 1)
    let records = (0..<effort(2000)).map { _ in Record(builder.frame(linkType)) }
    try compare(records, linkType: linkType, flags: flags)
  }

  @Test("prints what tcpdump prints for frames cut at every length", arguments: [Int32(1), 101, 0, 113, 276])
  func cuts(_ linkType: Int32) throws {
    var builder = FrameBuilder(seed: 2)
    var records: [Record] = []
    for _ in 0..<effort(60) {
      let frame = builder.frame(linkType)
      for length in 1...frame.count {
        records.append(Record(Array(frame.prefix(length)), wireLength: frame.count))
        if length % 3 == 0 { records.append(Record(Array(frame.prefix(length)))) }
      }
    }
    try compare(records, linkType: linkType)
  }

  @Test(
    "prints what tcpdump prints for frames with flipped bytes",
    arguments: [Int32(1), 101, 0, 108, 113, 276], [[], ["-e"]])
  func flips(_ linkType: Int32, _ flags: [String]) throws {
    var builder = FrameBuilder(seed: 3)
    var options = plain(linkType)
    options.linkHeader = flags.contains("-e")
    var records: [Record] = []
    for _ in 0..<effort(3000) {
      var frame = builder.frame(linkType)
      for _ in 0...builder.below(3) { frame[builder.below(min(frame.count, 80))] = builder.byte() }
      let record = Record(Array(frame.prefix(1 + builder.below(frame.count * 2))), wireLength: frame.count)
      if isComparable(text([record], options)[0]) { records.append(record) }
    }
    #expect(records.count > effort(1500))
    try compare(records, linkType: linkType, flags: flags)
  }

  /// Flags that change how a line looks.
  static let formFlags: [[String]] = [
    ["-v"], ["-vv"], ["-vvv", "-e"], ["-q", "-v"], ["-qq"], ["-S"], ["-S", "-v"], ["-x"], ["-xx"], ["-X"], ["-XX"],
    ["-A"], ["-AA"], ["-e", "-x", "-v"], ["-q", "-X"],
  ]

  @Test("prints every form as tcpdump does", arguments: [Int32(1), 101, 0, 108, 113, 276], Self.formFlags)
  func forms(_ linkType: Int32, _ flags: [String]) throws {
    var builder = FrameBuilder(seed: 5)
    let records = (0..<effort(400)).map { _ in Record(builder.detailed(linkType)) }
    try compare(records, linkType: linkType, flags: flags)
  }

  @Test(
    "prints every form of cut frames as tcpdump does",
    arguments: [Int32(1), 101, 0, 113, 276], [["-v"], ["-vv"], ["-x"], ["-v", "-X"], ["-A"]])
  func cutForms(_ linkType: Int32, _ flags: [String]) throws {
    var builder = FrameBuilder(seed: 6)
    var records: [Record] = []
    for _ in 0..<effort(40) {
      let frame = builder.detailed(linkType)
      for length in 1...frame.count {
        records.append(Record(Array(frame.prefix(length)), wireLength: frame.count))
        if length % 5 == 0 { records.append(Record(Array(frame.prefix(length)))) }
      }
    }
    try compare(records, linkType: linkType, flags: flags)
  }

  @Test(
    "prints every form of frames with flipped bytes as tcpdump does",
    arguments: [Int32(1), 101, 0, 113, 276], [["-v"], ["-vv"], ["-x"]])
  func flippedForms(_ linkType: Int32, _ flags: [String]) throws {
    var builder = FrameBuilder(seed: 7)
    let options = plain(linkType, flags)
    var records: [Record] = []
    for _ in 0..<effort(1000) {
      var frame = builder.detailed(linkType)
      for _ in 0...builder.below(3) { frame[builder.below(min(frame.count, 110))] = builder.byte() }
      let record = Record(Array(frame.prefix(1 + builder.below(frame.count * 2))), wireLength: frame.count)
      if isComparable(text([record], options)[0]) { records.append(record) }
    }
    #expect(records.count > effort(500))
    try compare(records, linkType: linkType, flags: flags)
  }

  @Test("prints what tcpdump prints of a record that is longer than the packet was")
  func invalidRecords() throws {
    let frame = [UInt8](repeating: 0x45, count: 60)
    try compare([Record(frame, wireLength: 0), Record(frame, wireLength: 20), Record(frame)], linkType: 1)
  }
}
