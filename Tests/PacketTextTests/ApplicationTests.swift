import Testing

@testable import SwBPFPacketText

/// Compares DNS, DHCP, DHCPv6 and NTP with the installed tcpdump, packet by packet.
@Suite(
  .enabled(if: Reference.isInstalled, "needs tcpdump 4.99.3, whose text is the measure"),
  .timeLimit(.minutes(3)))
struct ApplicationTests {
  static let flags: [[String]] = [[], ["-v"], ["-vv"], ["-vvv"], ["-q"], ["-vv", "-x"]]

  /// Fails with the first few packets that differ.
  ///
  /// With a dump they go in Ethernet frames: what is dumped tells whether tcpdump left all printers at once.
  func compare(_ packets: [Record], flags: [String]) throws {
    let linkType: Int32 = flags.contains("-x") ? 1 : 101
    let records = linkType == 101 ? packets : packets.map(inFrame)
    var options = plain(linkType, flags)
    options.packetNumber = true
    let ours = text(records, options)
    let output = try Reference.output(records, linkType: linkType, flags: ["-n", "-#", "-t"] + flags)
    if ours.joined() == output { return }
    let theirs = Reference.split(output)
    try #require(ours.count == theirs.count)
    var shown = 0
    for index in records.indices where ours[index] != theirs[index] {
      shown += 1
      if shown > 8 { break }
      let hex = records[index].frame.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      Issue.record("\(flags) \(records[index].wireLength) \(hex)\nours:   \(ours[index])theirs: \(theirs[index])")
    }
  }

  private func inFrame(_ packet: Record) -> Record {
    let type: [UInt8] = packet.frame[0] >> 4 == 6 ? [0x86, 0xdd] : [8, 0]
    let header = [UInt8](repeating: 2, count: 12) + type
    return Record(header + packet.frame, wireLength: packet.wireLength + header.count)
  }

  @Test("prints what tcpdump prints for valid and odd messages", arguments: Application.allCases, flags)
  func messages(_ application: Application, _ flags: [String]) throws {
    var builder = ApplicationBuilder(seed: 11)
    try compare((0..<effort(500)).map { _ in Record(builder.packet(application)) }, flags: flags)
  }

  @Test("prints what tcpdump prints for messages cut at every length", arguments: Application.allCases, flags)
  func cuts(_ application: Application, _ flags: [String]) throws {
    var builder = ApplicationBuilder(seed: 12)
    var records: [Record] = []
    for _ in 0..<effort(8) {
      let packet = builder.packet(application)
      for length in 28...packet.count {
        records.append(Record(Array(packet.prefix(length)), wireLength: packet.count))
      }
    }
    try compare(records, flags: flags)
  }

  @Test("prints what tcpdump prints for messages with flipped bytes", arguments: Application.allCases, flags)
  func flips(_ application: Application, _ flags: [String]) throws {
    var builder = ApplicationBuilder(seed: 13)
    let records = (0..<effort(800)).map { _ in
      var message = builder.message(application)
      for _ in 0...builder.base.below(4) where !message.isEmpty {
        message[builder.base.below(message.count)] = builder.base.byte()
      }
      let packet = builder.packet(application, payload: message)
      return Record(Array(packet.prefix(28 + builder.base.below(packet.count * 2))), wireLength: packet.count)
    }
    try compare(records, flags: flags)
  }

  @Test("prints what tcpdump prints for random bytes", arguments: Application.allCases, flags)
  func random(_ application: Application, _ flags: [String]) throws {
    var builder = ApplicationBuilder(seed: 14)
    let records = (0..<effort(300)).map { _ in
      Record(builder.packet(application, payload: builder.base.some(builder.base.below(120))))
    }
    try compare(records, flags: flags)
  }

  @Test("prints what tcpdump prints for messages that ICMP errors quote", arguments: Application.allCases, flags)
  func quoted(_ application: Application, _ flags: [String]) throws {
    var builder = ApplicationBuilder(seed: 15)
    try compare((0..<effort(300)).map { _ in Record(builder.quoted(application)) }, flags: flags)
  }
}
