// Lines of tcpdump 4.99.3, committed so that they hold where that version is not installed.
import Testing

@testable import SwBPFPacketText

/// A frame and the text that `tcpdump -n -t` of version 4.99.3 prints of it.
struct GoldenLine: Sendable, CustomTestStringConvertible {
  let name: String
  let linkType: Int32
  var flags = ""
  let wireLength: Int
  let text: String
  let hex: String

  var testDescription: String { name }
}

struct GoldenLineTests {
  @Test("prints the committed line", arguments: lines)
  func line(_ golden: GoldenLine) {
    let options = plain(golden.linkType, golden.flags.split(separator: " ").map(String.init))
    let record = Record(bytes(golden.hex), wireLength: golden.wireLength)
    #expect(text([record], options) == [golden.text])
  }

  @Test("numbers of a conversation are relative to its first ones, in both directions")
  func conversation() {
    let records = Self.conversationFrames.map { Record(bytes($0)) }
    #expect(text(records, plain(101)).joined() == Self.conversationText)
  }

  // tcpdump 4.99.3
  private static let conversationText = """
    IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [S], seq 4294967290, win 512, length 0
    IP 10.0.0.2.40002 > 10.0.0.1.40001: Flags [S.], seq 77, ack 4294967291, win 512, length 0
    IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [.], ack 1, win 512, length 0
    IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [P.], seq 1:11, ack 1, win 512, length 10
    IP 10.0.0.2.40002 > 10.0.0.1.40001: Flags [.], ack 11, win 512, options [nop,nop,sack 1 {15:25}], length 0
    IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [R.], seq 11, ack 1, win 512, length 0

    """

  private static let conversationFrames: [String] = [
    "4500002800014000400600000a0000010a0000029c419c42fffffffa000000005002020000000000",
    "4500002800014000400600000a0000020a0000019c429c410000004dfffffffb5012020000000000",
    "4500002800014000400600000a0000010a0000029c419c42fffffffb0000004e5010020000000000",
    "4500003200014000400600000a0000010a0000029c419c42fffffffb0000004e50180200000000006161616161616161"
      + "6161",
    "4500003400014000400600000a0000020a0000019c429c410000004e0000000580100200000000000101050a00000009"
      + "00000013",
    "4500002800014000400600000a0000010a0000029c419c42000000050000004e5014020000000000",
  ]

  // tcpdump 4.99.3
  static let lines: [GoldenLine] = [
    GoldenLine(
      name: "UDP", linkType: 1, wireLength: 46,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000010a000000000208004500002000014000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "UDP with the link-level header", linkType: 1, flags: "-e", wireLength: 46,
      text:
        "0a:00:00:00:00:02 > 0a:00:00:00:00:01, ethertype IPv4 (0x0800), length 46: 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000010a000000000208004500002000014000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "quiet UDP", linkType: 1, flags: "-q", wireLength: 46,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000010a000000000208004500002000014000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "UDP behind two VLAN tags", linkType: 1, flags: "-e", wireLength: 54,
      text:
        "0a:00:00:00:00:02 > 0a:00:00:00:00:01, ethertype 802.1Q-QinQ (0x88a8), length 54: vlan 200, p 1, ethertype 802.1Q (0x8100), vlan 100, p 1, DEI, ethertype IPv4 (0x0800), 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000010a000000000288a820c88100306408004500002000014000401100000a0000010a0000029c419c42000c"
        + "000061616161"),
    GoldenLine(
      name: "UDP with a length that lies", linkType: 1, wireLength: 46,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, bad length 91 > 4\n",
      hex: "0a00000000010a000000000208004500002000014000401100000a0000010a0000029c419c420063000061616161"),
    GoldenLine(
      name: "cut UDP header", linkType: 1, wireLength: 46,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002:  [|udp]\n",
      hex: "0a00000000010a000000000208004500002000014000401100000a0000010a0000029c419c42000c"),
    GoldenLine(
      name: "a first fragment", linkType: 1, wireLength: 46,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 91\n",
      hex: "0a00000000010a000000000208004500002000012000401100000a0000010a0000029c419c420063000061616161"),
    GoldenLine(
      name: "a later fragment", linkType: 1, wireLength: 50,
      text: "IP 10.0.0.1 > 10.0.0.2: ip-proto-17\n",
      hex: "0a00000000010a000000000208004500002400012003401100000a0000010a0000026161616161616161616161616161"
        + "6161"),
    GoldenLine(
      name: "IPv4 longer than its frame", linkType: 1, wireLength: 46,
      text: "IP truncated-ip - 67 bytes missing! 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000010a000000000208004500006300014000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "IPv4 shorter than its header", linkType: 1, wireLength: 46,
      text: "IP bad-len 10\n",
      hex: "0a00000000010a000000000208004500000a00014000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "an unknown IP protocol", linkType: 1, wireLength: 54,
      text: "IP 10.0.0.1 > 10.0.0.2:  ip-proto-253 20\n",
      hex: "0a00000000010a00000000020800450000280001400040fd00000a0000010a0000026161616161616161616161616161"
        + "616161616161"),
    GoldenLine(
      name: "IPv4 in IPv4", linkType: 1, wireLength: 66,
      text: "IP 10.0.0.1 > 10.0.0.2: IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000010a000000000208004500003400014000400400000a0000010a0000024500002000014000401100000a00"
        + "00010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "TCP SYN with its options", linkType: 1, wireLength: 74,
      text:
        "IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [S], seq 1000, win 512, options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7], length 0\n",
      hex: "0a00000000010a000000000208004500003c00014000400600000a0000010a0000029c419c42000003e800000000a002"
        + "020000000000020405b40402080a000000010000000001030307"),
    GoldenLine(
      name: "TCP with SACK", linkType: 1, wireLength: 66,
      text:
        "IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [.], ack 9, win 512, options [nop,nop,sack 1 {8:24}], length 0\n",
      hex: "0a00000000010a000000000208004500003400014000400600000a0000010a0000029c419c4200000005000000098010"
        + "0200000000000101050a0000001000000020"),
    GoldenLine(
      name: "TCP with MD5 and fast open", linkType: 1, wireLength: 78,
      text:
        "IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [S], seq 5, win 512, options [md5 shared secret not supplied with -M, can't check - abababababababababababababababab,tfo  cookie aabbccdd], length 0\n",
      hex: "0a00000000010a000000000208004500004000014000400600000a0000010a0000029c419c420000000500000000b002"
        + "0200000000001312abababababababababababababababab2206aabbccdd"),
    GoldenLine(
      name: "TCP with multipath", linkType: 1, wireLength: 66,
      text:
        "IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [S], seq 5, win 512, options [mptcp 12 capable v0 csum {0x102030405060708}], length 0\n",
      hex: "0a00000000010a000000000208004500003400014000400600000a0000010a0000029c419c4200000005000000008002"
        + "0200000000001e0c00810102030405060708"),
    GoldenLine(
      name: "TCP with a broken option", linkType: 1, wireLength: 58,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [.], ack 9, win 512, options [nop,nop,[bad opt]]\n",
      hex: "0a00000000010a000000000208004500002c00014000400600000a0000010a0000029c419c4200000005000000096010"
        + "02000000000001010840"),
    GoldenLine(
      name: "TCP cut inside its options", linkType: 1, wireLength: 66,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [.], ack 9, win 512, options [nop,nop,TS [|tcp]>\n",
      hex: "0a00000000010a000000000208004500003400014000400600000a0000010a0000029c419c4200000005000000098010"
        + "0200000000000101080a0000"),
    GoldenLine(
      name: "TCP urgent data", linkType: 1, wireLength: 57,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: Flags [P.U], seq 5:8, ack 9, win 512, urg 3, length 3\n",
      hex: "0a00000000010a000000000208004500002b00014000400600000a0000010a0000029c419c4200000005000000095038"
        + "020000000003616161"),
    GoldenLine(
      name: "quiet TCP", linkType: 1, flags: "-q", wireLength: 57,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: tcp 3\n",
      hex: "0a00000000010a000000000208004500002b00014000400600000a0000010a0000029c419c4200000005000000095018"
        + "020000000000616161"),
    GoldenLine(
      name: "ICMP echo request", linkType: 1, wireLength: 50,
      text: "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 4660, seq 1, length 16\n",
      hex: "0a00000000010a000000000208004500002400014000400100000a0000010a0000020800000012340001616161616161"
        + "6161"),
    GoldenLine(
      name: "ICMP unreachable port", linkType: 1, wireLength: 74,
      text: "IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 udp port 40002 unreachable, length 40\n",
      hex: "0a00000000010a000000000208004500003c00014000400100000a0000010a0000020303000000000000450000200001"
        + "4000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "ICMP need to fragment", linkType: 1, wireLength: 74,
      text: "IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 unreachable - need to frag (mtu 1400), length 40\n",
      hex: "0a00000000010a000000000208004500003c00014000400100000a0000010a0000020304000000000578450000200001"
        + "4000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "IPv6 TCP", linkType: 1, wireLength: 74,
      text: "IP6 fe80::1.40001 > 2001:db8:0:1::abc.40002: Flags [S], seq 7, win 512, length 0\n",
      hex: "0a00000000010a000000000286dd6000000000140640fe80000000000000000000000000000120010db8000000010000"
        + "000000000abc9c419c4200000007000000005002020000000000"),
    GoldenLine(
      name: "IPv6 multicast listener report behind options", linkType: 1, wireLength: 90,
      text: "IP6 fe80::1 > 2001:db8:0:1::abc: HBH ICMP6, multicast listener report v2, 1 group record(s), length 28\n",
      hex: "0a00000000010a000000000286dd6000000000240040fe80000000000000000000000000000120010db8000000010000"
        + "000000000abc3a000502000001008f000000000000010400000020010db8000000010000000000000abc"),
    GoldenLine(
      name: "IPv6 neighbour solicitation", linkType: 1, wireLength: 78,
      text: "IP6 fe80::1 > 2001:db8:0:1::abc: ICMP6, neighbor solicitation, who has 2001:db8:0:1::abc, length 24\n",
      hex: "0a00000000010a000000000286dd6000000000183a40fe80000000000000000000000000000120010db8000000010000"
        + "000000000abc870000000000000020010db8000000010000000000000abc"),
    GoldenLine(
      name: "IPv6 fragment", linkType: 1, wireLength: 74,
      text: "IP6 fe80::1 > 2001:db8:0:1::abc: frag (0|12) 40001 > 40002: UDP, length 4\n",
      hex: "0a00000000010a000000000286dd6000000000142c40fe80000000000000000000000000000120010db8000000010000"
        + "000000000abc11000001000000099c419c42000c000061616161"),
    GoldenLine(
      name: "IPv6 routing header", linkType: 1, wireLength: 90,
      text:
        "IP6 fe80::1 > 2001:db8:0:1::abc: RT6 (len=2, type=0 [Deprecated], segleft=1, [0]fe80::1) 40001 > 40002: UDP, length 4\n",
      hex: "0a00000000010a000000000286dd6000000000242b40fe80000000000000000000000000000120010db8000000010000"
        + "000000000abc1102000100000000fe8000000000000000000000000000019c419c42000c000061616161"),
    GoldenLine(
      name: "ARP request", linkType: 1, wireLength: 42,
      text: "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28\n",
      hex: "0a00000000010a0000000002080600010800060400010a00000000020a0000010000000000000a000002"),
    GoldenLine(
      name: "ARP reply", linkType: 1, wireLength: 42,
      text: "ARP, Reply 10.0.0.1 is-at 0a:00:00:00:00:02, length 28\n",
      hex: "0a00000000010a0000000002080600010800060400020a00000000020a0000010000000000000a000002"),
    GoldenLine(
      name: "ARP of an odd kind", linkType: 1, wireLength: 42,
      text: "ARP, ArcNet (len 6), IPv4 (len 3), length 28\n",
      hex: "0a00000000010a0000000002080600070800060300010a00000000020a0000010000000000000a000002"),
    GoldenLine(
      name: "an unknown Ethernet type", linkType: 1, wireLength: 32,
      text: "0a:00:00:00:00:02 > 0a:00:00:00:00:01, ethertype Unknown (0x88b5), length 32: \n"
        + "\t0x0000:  7377 6270 6620 7377 6270 6620 7377 6270  swbpf.swbpf.swbp\n"
        + "\t0x0010:  6620                                     f.\n",
      hex: "0a00000000010a000000000288b5737762706620737762706620737762706620"),
    GoldenLine(
      name: "802.3 with SNAP", linkType: 1, wireLength: 54,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000010a00000000020028aaaa0300000008004500002000014000401100000a0000010a0000029c419c42000c"
        + "000061616161"),
    GoldenLine(
      name: "802.3 with an unknown access point", linkType: 1, flags: "-e", wireLength: 28,
      text:
        "0a:00:00:00:00:02 > 0a:00:00:00:00:01, 802.3, length 6: LLC, dsap SNA (0x04) Individual, ssap SNA (0x04) Response, ctrl 0x03: Unnumbered, ui, Flags [Response], length 6\n"
        + "\t0x0000:  0405 0361 6263                           ...abc\n",
      hex: "0a00000000010a000000000200060405036162630000000000000000"),
    GoldenLine(
      name: "cut Ethernet header", linkType: 1, wireLength: 60,
      text: " [|ether]\n",
      hex: "0a00000000010a000000000208"),
    GoldenLine(
      name: "raw IP", linkType: 101, wireLength: 32,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "4500002000014000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "raw bytes that are no IP", linkType: 101, wireLength: 20,
      text: "unknown ip 7\n",
      hex: "7777777777777777777777777777777777777777"),
    GoldenLine(
      name: "BSD loopback", linkType: 0, wireLength: 36,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "020000004500002000014000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "OpenBSD loopback", linkType: 108, flags: "-e", wireLength: 56,
      text: "AF IPv6 (24), length 56: fe80::1.40001 > 2001:db8:0:1::abc.40002: UDP, length 4\n",
      hex: "0000001860000000000c1140fe80000000000000000000000000000120010db8000000010000000000000abc9c419c42"
        + "000c000061616161"),
    GoldenLine(
      name: "a cooked frame", linkType: 113, flags: "-e", wireLength: 48,
      text:
        "Out 0a:00:00:00:00:02 ethertype IPv4 (0x0800), length 48: 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0004000100060a0000000002000008004500002000014000401100000a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "a cooked frame of version 2", linkType: 276, wireLength: 52,
      text: "?     In  IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0800000000009c40000100060a000000000200004500002000014000401100000a0000010a0000029c419c42000c0000"
        + "61616161"),
    GoldenLine(
      name: "a cooked frame of version 2 with its header", linkType: 276, flags: "-e", wireLength: 52,
      text:
        "?     Out ifindex 40000 0a:00:00:00:00:02 ethertype IPv4 (0x0800), length 52: 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0800000000009c40000104060a000000000200004500002000014000401100000a0000010a0000029c419c42000c0000"
        + "61616161"),
  ]
}
