import Testing

@testable import SwBPFPacketText

/// Compares every form of tunnels, IPsec and IGMP with the installed tcpdump's, packet by packet.
///
/// Left out, besides what ``ReferenceTests`` leaves out, are the payloads of ISAKMP, which tcpdump lists with -v.
@Suite(
  .enabled(if: Reference.isInstalled, "needs tcpdump 4.99.3, whose text is the measure"),
  .timeLimit(.minutes(2)))
struct TunnelReferenceTests {
  private static let flags: [[String]] = [[], ["-v"], ["-vv"], ["-v", "-e"], ["-x"], ["-q", "-v"], ["-vv", "-X"]]

  @Test("prints every form of tunnels, IPsec and IGMP as tcpdump does", arguments: flags)
  func forms(_ flags: [String]) throws {
    var builder = FrameBuilder(seed: UInt64(flags.count) + 10)
    let options = plain(101, flags)
    let reference = ReferenceTests()
    var records: [Record] = []
    for _ in 0..<effort(4000) {
      var frame = packet(&builder)
      if builder.below(3) == 0, frame.count > 20 { frame[20 + builder.below(frame.count - 20)] = builder.byte() }
      let count = builder.below(4) == 0 ? 20 + builder.below(frame.count - 19) : frame.count
      let record = Record(Array(frame.prefix(count)), wireLength: frame.count)
      let line = text([record], options)[0]
      if reference.isComparable(line), !line.contains(" payloads, length ") { records.append(record) }
    }
    #expect(records.count > effort(2500))
    try reference.compare(records, linkType: 101, flags: flags)
  }

  private func packet(_ builder: inout FrameBuilder) -> [UInt8] {
    let (number, payload) = builder.below(5) == 0 ? (UInt8(17), builder.udpTunnel()) : builder.tunnel()
    return [0x45, 0] + builder.be16(20 + payload.count) + [0, 0, 0x40, 0, 64, number, 0, 0]
      + builder.ipv4Address() + builder.ipv4Address() + payload
  }
}
