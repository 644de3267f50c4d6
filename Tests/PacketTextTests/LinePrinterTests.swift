import Testing

@testable import SwBPFPacketText

struct LinePrinterTests {
  private let packet = bytes("45000020 00010000 40110000 0a000001 0a000002 9c41 9c42 000c 0000 61616161")

  private func stamped(
    _ style: StampStyle, nanoseconds: Bool = false, at seconds: Int64, _ fraction: UInt32
  ) -> String {
    var options = TextOptions(linkType: 101)
    options.stamp = style
    options.nanoseconds = nanoseconds
    let line = text([Record(packet)], options, seconds: seconds, nanoseconds: fraction)[0]
    return String(line.prefix(line.count - "IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n".count))
  }

  @Test("stamps lines with seconds since 1970")
  func epoch() {
    #expect(stamped(.epoch, at: 1_700_000_000, 1_002_003) == "1700000000.001002 ")
    #expect(stamped(.epoch, nanoseconds: true, at: 1_700_000_000, 1_002_003) == "1700000000.001002003 ")
    #expect(stamped(.none, at: 1, 1).isEmpty)
  }

  @Test("stamps lines with the time of day, to the digit asked for")
  func clock() {
    // Minutes and seconds are the same in every zone of whole hours; zones of half hours shift both tests alike.
    let midnight = stamped(.clock, at: 0, 0)
    #expect(midnight.hasSuffix(":00.000000 "))
    #expect(stamped(.clock, at: 59, 999_999_999).hasSuffix(":59.999999 "))
    #expect(stamped(.clock, nanoseconds: true, at: 59, 999_999_999).hasSuffix(":59.999999999 "))
    #expect(stamped(.clock, at: 86400, 0) == midnight)
  }

  @Test("says so when the seconds do not fit into tcpdump's 31 bits")
  func unreadableTime() {
    #expect(stamped(.clock, at: 0x8000_0000, 0) == "[Error converting time] ")
  }

  @Test("asks for an interface's name once, and shows a question mark without one")
  func interfaceNames() {
    func cooked(_ index: UInt8) -> Record {
      Record(bytes("0800 0000 000000") + [index] + bytes("0001 00 06 0a0000000002 0000") + packet)
    }
    nonisolated(unsafe) var asked: [UInt32] = []
    let lines = text([cooked(1), cooked(2), cooked(1), cooked(3), cooked(4), cooked(2)], plain(276)) { index in
      asked.append(index)
      return index == 1 ? "lo" : index == 2 ? "a-name-of-twenty-one" : index == 3 ? "a\u{1b}b" : nil
    }
    #expect(asked == [1, 2, 3, 4])
    #expect(
      lines.map { $0.prefix { $0 != "I" } }.map(String.init)
        == ["lo    ", "a-name-of-twenty-one ", "lo    ", "a?b   ", "?     ", "a-name-of-twenty-one "])
  }

  @Test("says what an unknown link type is")
  func otherLinkTypes() {
    #expect(text([Record(packet)], plain(105)) == ["link type 105, length 32\n"])
  }

  @Test("gives a protocol without a printer one honest line")
  func undissected() {
    var ospf = packet
    ospf[9] = 89
    #expect(text([Record(ospf)], plain(101)) == ["IP 10.0.0.1 > 10.0.0.2: OSPF, length 12\n"])
    let lldp = bytes("0a0000000001 0a0000000002 88cc 0204")
    #expect(text([Record(lldp)], plain(1)) == ["LLDP, length 2\n"])
  }

  @Test("a checksum that the sender's hardware was to finish is not called wrong in a live capture")
  func offload() {
    var live = plain(101, ["-vv"])
    live.recognizesOffload = true
    // 10.0.0.1 > 10.0.0.2: the pseudo header of these 12 bytes of UDP sums up to 0x1420, of 20 bytes of TCP to 0x141d.
    let header = bytes("4500 0020 0001 0000 40 11 66cb 0a000001 0a000002")
    let udp = Record(header + bytes("9c41 9c42 000c 1420 61616161"))
    let ends = "    10.0.0.1.40001 > 10.0.0.2.40002: "
    #expect(text([udp], live)[0].hasSuffix(ends + "[udp sum unfinished] UDP, length 4\n"))
    #expect(text([udp], plain(101, ["-vv"]))[0].hasSuffix("[bad udp cksum 0x1420 -> 0xf08c!] UDP, length 4\n"))
    let segment = bytes(
      "4500 0028 0001 0000 40 06 66cd 0a000001 0a000002 9c41 9c42 00000001 00000000 5002 0200 141d 0000")
    #expect(
      text([Record(segment)], live)[0].hasSuffix(
        ends + "Flags [S], cksum 0x141d (unfinished), seq 1, win 512, length 0\n"))
    // Wrong is wrong.
    var broken = segment
    broken[36] = 0x15
    #expect(text([Record(broken)], live)[0].contains("cksum 0x151d (incorrect -> 0x"))
  }
}
