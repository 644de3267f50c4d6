import Testing

@testable import SwBPFPacketText

/// Compares what the printers of tunnels, IPsec and IGMP add with -v and -vv, packet by packet.
///
/// What IP's and UDP's own printers add is taken out of both texts. Left out, besides what ``ReferenceTests`` leaves
/// out, are the payloads of ISAKMP, which tcpdump lists with -v.
@Suite(
  .enabled(if: Reference.isInstalled, "needs tcpdump 4.99.3, whose text is the measure"),
  .timeLimit(.minutes(2)))
struct TunnelReferenceTests {
  @Test("prints what tcpdump prints of tunnels, IPsec and IGMP with -v and -vv", arguments: [1, 2], [false, true])
  func verbose(_ verbosity: Int, _ linkHeader: Bool) throws {
    var builder = FrameBuilder(seed: UInt64(verbosity))
    var records: [Record] = []
    for _ in 0..<effort(4000) {
      var frame = packet(&builder)
      if frame.count == 20 { continue }
      if builder.below(3) == 0 { frame[20 + builder.below(frame.count - 20)] = builder.byte() }
      let count = builder.below(4) == 0 ? 20 + builder.below(frame.count - 20) : frame.count
      let record = Record(Array(frame.prefix(count)), wireLength: frame.count)
      if isAlone(text([record], plain(101))[0]) { records.append(record) }
    }
    #expect(records.count > effort(2000))
    var options = plain(101)
    options.verbosity = verbosity
    options.linkHeader = linkHeader
    let ours = text(records, options)
    let theirs = try Reference.text(
      records, linkType: 101, flags: [verbosity == 1 ? "-v" : "-vv"] + (linkHeader ? ["-e"] : []))
    try #require(ours.count == theirs.count)
    var shown = 0
    for index in records.indices where !ours[index].contains(" payloads, length ") {
      let (our, their) = (withoutHeaders(ours[index]), withoutHeaders(theirs[index]))
      if our == their { continue }
      shown += 1
      if shown > 12 { break }
      let hex = records[index].frame.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      Issue.record("-v x\(verbosity) \(hex)\nours:   \(our)theirs: \(their)")
    }
  }

  private func packet(_ builder: inout FrameBuilder) -> [UInt8] {
    let (number, payload) = builder.below(5) == 0 ? (UInt8(17), builder.udpTunnel()) : builder.tunnel()
    return [0x45, 0] + builder.be16(20 + payload.count) + [0, 0, 0x40, 0, 64, number, 0, 0]
      + builder.ipv4Address() + builder.ipv4Address() + payload
  }

  /// Whether only the printers in question had a say: no second IP header, no transport with a text of its own.
  private func isAlone(_ line: String) -> Bool {
    let parts = ["Flags [", "tcp", "UDP, ", "ICMP", "ARP", "udp", "802"] + ReferenceTests.honest
    return line.matches(of: #/IP6? /#).count == 1 && !parts.contains { line.contains($0) }
  }
}

/// The text of one packet without what IP's and UDP's own printers say with -v.
func withoutHeaders(_ text: String) -> String {
  text.replacing(#/\(tos [^\n]*\)\n    /#, with: "")
    .replacing(#/\[(?:no cksum|udp sum ok|bad udp cksum [^\]]*)\] /#, with: "")
}
