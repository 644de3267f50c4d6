// Lines of tcpdump 4.99.3 about tunnels, IPsec and IGMP, committed as those in GoldenLineTests.swift.
import Testing

@testable import SwBPFPacketText

extension GoldenLineTests {
  @Test("prints the committed line about tunnels, IPsec and IGMP", arguments: tunnelLines)
  func tunnelLine(_ golden: GoldenLine) {
    let options = plain(golden.linkType, golden.flags.isEmpty ? [] : [golden.flags])
    let record = Record(bytes(golden.hex), wireLength: golden.wireLength)
    #expect(text([record], options) == [golden.text])
  }

  // tcpdump 4.99.3
  static let tunnelLines: [GoldenLine] = [
    GoldenLine(
      name: "IGMP version 1 query", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp query v1\n",
      hex: "4500001c00014000400250dd0a000001e00000011100eeff00000000"),
    GoldenLine(
      name: "IGMP version 2 query", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp query v2\n",
      hex: "4500001c00014000400250dd0a000001e00000011164ee9b00000000"),
    GoldenLine(
      name: "IGMP version 2 query for a group", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp query v2 [max resp time 10] [gaddr 239.1.2.3]\n",
      hex: "4500001c00014000400250dd0a000001e0000001110afdf0ef010203"),
    GoldenLine(
      name: "IGMP version 3 query", linkType: 101, wireLength: 32,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp query v3\n",
      hex: "4500002000014000400250d90a000001e00000011164ec1e00000000027d0000"),
    GoldenLine(
      name: "IGMP version 3 query for a group and sources", linkType: 101, wireLength: 40,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp query v3 [max resp time 5m7s] [gaddr 239.1.2.3, 2 source(s)]\n",
      hex: "4500002800014000400250d10a000001e000000111c876afef010203027d0002c0000201c0000202"),
    GoldenLine(
      name: "the sources of an IGMP version 3 query", linkType: 101, flags: "-vv", wireLength: 40,
      text:
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto IGMP (2), length 40)\n    10.0.0.1 > 224.0.0.1: igmp query v3 [max resp time 2.0s] [gaddr 239.1.2.3 { 192.0.2.1 192.0.2.2 }]\n",
      hex: "4500002800014000400250d10a000001e000000111147763ef010203027d0002c0000201c0000202"),
    GoldenLine(
      name: "IGMP version 1 report", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp v1 report 239.1.2.3\n",
      hex: "4500001c00014000400250dd0a000001e00000011200fcfaef010203"),
    GoldenLine(
      name: "IGMP version 2 report", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp v2 report 239.1.2.3\n",
      hex: "4500001c00014000400250dd0a000001e00000011600f8faef010203"),
    GoldenLine(
      name: "IGMP leave", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp leave 239.1.2.3\n",
      hex: "4500001c00014000400250dd0a000001e00000011700f7faef010203"),
    GoldenLine(
      name: "IGMP version 3 report", linkType: 101, wireLength: 52,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp v3 report, 2 group record(s)\n",
      hex: "4500003400014000400250c50a000001e0000001220070ed0000000204000000ef01020303000002ef010203c0000201"
        + "c0000202"),
    GoldenLine(
      name: "quiet IGMP", linkType: 101, flags: "-q", wireLength: 52,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp\n",
      hex: "4500003400014000400250c50a000001e0000001220070ed0000000204000000ef01020303000002ef010203c0000201"
        + "c0000202"),
    GoldenLine(
      name: "the groups of an IGMP version 3 report", linkType: 101, flags: "-v", wireLength: 52,
      text:
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto IGMP (2), length 52)\n    10.0.0.1 > 224.0.0.1: igmp v3 report, 2 group record(s) [gaddr 239.1.2.3 to_ex, 0 source(s)] [gaddr 239.1.2.3 to_in, 2 source(s)]\n",
      hex: "4500003400014000400250c50a000001e0000001220070ed0000000204000000ef01020303000002ef010203c0000201"
        + "c0000202"),
    GoldenLine(
      name: "the groups and sources of an IGMP version 3 report", linkType: 101, flags: "-vv", wireLength: 52,
      text:
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto IGMP (2), length 52)\n    10.0.0.1 > 224.0.0.1: igmp v3 report, 2 group record(s) [gaddr 239.1.2.3 to_ex { }] [gaddr 239.1.2.3 to_in { 192.0.2.1 192.0.2.2 }]\n",
      hex: "4500003400014000400250c50a000001e0000001220070ed0000000204000000ef01020303000002ef010203c0000201"
        + "c0000202"),
    GoldenLine(
      name: "IGMP with a wrong checksum", linkType: 101, flags: "-v", wireLength: 28,
      text:
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto IGMP (2), length 28)\n    10.0.0.1 > 224.0.0.1: igmp v2 report 239.1.2.3 bad igmp cksum 1234!\n",
      hex: "4500001c00014000400250dd0a000001e000000116001234ef010203"),
    GoldenLine(
      name: "IGMP of an unknown type", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp-85\n",
      hex: "4500001c00014000400250dd0a000001e00000015500b9faef010203"),
    GoldenLine(
      name: "IGMP cut in the group", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1:  [|igmp]\n",
      hex: "4500001c00014000400250dd0a000001e00000011600f8faef01"),
    GoldenLine(
      name: "IGMP version 3 report of a length that lies", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp v3 report [invalid len 8]\n",
      hex: "4500001c00014000400250dd0a000001e00000012200ddfe00000001"),
    GoldenLine(
      name: "mtrace", linkType: 101, wireLength: 44,
      text: "IP 10.0.0.1 > 224.0.0.1: mtrace 256: 192.0.2.1 to 192.0.2.2 reply-to 224.0.0.1 with-ttl 7\n",
      hex: "4500002c00014000400250cd0a000001e00000011f0183f3ef010203c0000201c0000202e000000107000100"),
    GoldenLine(
      name: "DVMRP prune", linkType: 101, wireLength: 40,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp dvmrp Prune src 192.0.2.1 grp 239.1.2.3 timer 2h3m4s\n",
      hex: "4500002800014000400250d10a000001e000000113071c1700000103c0000201ef01020300001cd8"),
    GoldenLine(
      name: "DVMRP neighbors", linkType: 101, wireLength: 40,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp dvmrp Neighbors2 (v 3.8): [10.0.0.1 -> 192.0.2.1 (1/64/tunnel/querier)]\n",
      hex: "4500002800014000400250d10a000001e00000011306d6b2000008030a00000101404101c0000201"),
    GoldenLine(
      name: "PIM version 1 query", linkType: 101, flags: "-v", wireLength: 32,
      text:
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto IGMP (2), length 32)\n    10.0.0.1 > 224.0.0.1: igmp pimv1 Query Sparse-Dense-mode (Hold-time 1m45s)\n",
      hex: "4500002000014000400250d90a000001e00000011400bb961000000020000069"),
    GoldenLine(
      name: "PIM version 1 assert", linkType: 101, wireLength: 48,
      text: "IP 10.0.0.1 > 224.0.0.1: igmp pimv1 Assert for 192.0.2.1 > 239.1.2.3 SPT pref 110 metric 20\n",
      hex: "4500003000014000400250c90a000001e00000011405287210000000ef010203ffffffffc00002010000006e00000014"),
    GoldenLine(
      name: "GRE with IPv4 inside", linkType: 101, wireLength: 56,
      text: "IP 10.0.0.1 > 10.0.0.2: GREv0, length 36: IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "4500003800014000402f26940a0000010a000002000008004500002000014000401126ca0a0000010a0000029c419c42"
        + "000c000061616161"),
    GoldenLine(
      name: "GRE with IPv4 inside and the link-level header", linkType: 1, flags: "-e", wireLength: 70,
      text:
        "0a:00:00:00:00:01 > 0a:00:00:00:00:02, ethertype IPv4 (0x0800), length 70: 10.0.0.1 > 10.0.0.2: GREv0, proto IPv4 (0x0800), length 36: 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000020a000000000108004500003800014000402f26940a0000010a0000020000080045000020000140004011"
        + "26ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "GRE with a checksum, a key, a sequence number, and IPv6 inside", linkType: 101, wireLength: 88,
      text:
        "IP 10.0.0.1 > 10.0.0.2: GREv0, off 0x0, key=0xbeef, seq 7, length 68: IP6 2001:db8::1.40001 > 2001:db8::2.40002: UDP, length 4\n",
      hex: "4500005800014000402f26740a0000010a000002b00086dd123400000000beef0000000760000000000c114020010db8"
        + "00000000000000000000000120010db80000000000000000000000029c419c42000c000061616161"),
    GoldenLine(
      name: "the flags of GRE", linkType: 101, flags: "-v", wireLength: 32,
      text:
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto GRE (47), length 32)\n    10.0.0.1 > 10.0.0.2: GREv0, Flags [key present, sequence# present], key=0xbeef, seq 7, length 12\n\tgre-proto-0x1234\n",
      hex: "4500002000014000402f26ac0a0000010a000002300012340000beef00000007"),
    GoldenLine(
      name: "GRE with Ethernet inside", linkType: 101, wireLength: 70,
      text: "IP 10.0.0.1 > 10.0.0.2: GREv0, length 50: IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "4500004600014000402f26860a0000010a000002000065580a00000000020a0000000001080045000020000140004011"
        + "26ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "GRE with an unknown protocol inside", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 10.0.0.2: GREv0, length 8: gre-proto-0x88be\n",
      hex: "4500001c00014000402f26b00a0000010a000002000088be61616161"),
    GoldenLine(
      name: "GRE with source routes", linkType: 101, wireLength: 50,
      text:
        "IP 10.0.0.1 > 10.0.0.2: GREv0, off 0x0, (rtaf=ip 192.0.2.1 *192.0.2.2), (rtaf=asn *4d), length 30: gre-proto-0x88be\n",
      hex: "4500003200014000402f269a0a0000010a000002400088be0000000008000408c0000201c0000202fffe0002004d0000"
        + "0000"),
    GoldenLine(
      name: "GRE cut in the key", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 10.0.0.2: GREv0 [|gre]\n",
      hex: "4500001c00014000402f26b00a0000010a000002200088be6161"),
    GoldenLine(
      name: "GRE of an unknown version", linkType: 101, wireLength: 28,
      text: "IP 10.0.0.1 > 10.0.0.2: GREv2 ERROR: unknown-version\n",
      hex: "4500001c00014000402f26b00a0000010a000002000288be61616161"),
    GoldenLine(
      name: "PPTP with IPv4 inside", linkType: 101, wireLength: 72,
      text:
        "IP 10.0.0.1 > 10.0.0.2: GREv1, call 7, seq 1, ack 2, length 52: IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "4500004800014000402f26840a0000010a0000023081880b002800070000000100000002ff0300214500002000014000"
        + "401126ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "PPTP without payload", linkType: 101, wireLength: 32,
      text: "IP 10.0.0.1 > 10.0.0.2: GREv1, call 7, ack 2, no-payload, length 12\n",
      hex: "4500002000014000402f26ac0a0000010a0000022081880b0000000700000002"),
    GoldenLine(
      name: "PPTP with compressed PPP inside and the link-level header", linkType: 1, flags: "-e", wireLength: 54,
      text:
        "0a:00:00:00:00:01 > 0a:00:00:00:00:02, ethertype IPv4 (0x0800), length 54: 10.0.0.1 > 10.0.0.2: GREv1, call 7, seq 1, proto PPP (0x880b), length 20: Compressed (0x00fd), length 8: compressed PPP data\n",
      hex: "0a00000000020a000000000108004500002800014000402f26a40a0000010a0000023001880b000800070000000100fd"
        + "616161616161"),
    GoldenLine(
      name: "IPv4 in IPv4", linkType: 101, wireLength: 52,
      text: "IP 10.0.0.1 > 10.0.0.2: IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "4500003400014000400426c30a0000010a0000024500002000014000401126ca0a0000010a0000029c419c42000c0000"
        + "61616161"),
    GoldenLine(
      name: "IPv6 in IPv4", linkType: 101, wireLength: 72,
      text: "IP 10.0.0.1 > 10.0.0.2: IP6 2001:db8::1.40001 > 2001:db8::2.40002: UDP, length 4\n",
      hex: "45000048000140004029268a0a0000010a00000260000000000c114020010db800000000000000000000000120010db8"
        + "0000000000000000000000029c419c42000c000061616161"),
    GoldenLine(
      name: "IPv4 in IPv6", linkType: 101, wireLength: 72,
      text: "IP6 2001:db8::1 > 2001:db8::2: IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "600000000020044020010db800000000000000000000000120010db80000000000000000000000024500002000014000"
        + "401126ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "IPv6 in IPv6 in IPv4", linkType: 101, wireLength: 112,
      text:
        "IP 10.0.0.1 > 10.0.0.2: IP6 2001:db8::1 > 2001:db8::2: IP6 2001:db8::1.40001 > 2001:db8::2.40002: UDP, length 4\n",
      hex: "4500007000014000402926620a0000010a000002600000000034294020010db800000000000000000000000120010db8"
        + "00000000000000000000000260000000000c114020010db800000000000000000000000120010db80000000000000000"
        + "000000029c419c42000c000061616161"),
    GoldenLine(
      name: "IPv4 in GRE in IPv6", linkType: 101, wireLength: 76,
      text: "IP6 2001:db8::1 > 2001:db8::2: GREv0, length 36: IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "6000000000242f4020010db800000000000000000000000120010db80000000000000000000000020000080045000020"
        + "00014000401126ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "ESP", linkType: 101, wireLength: 60,
      text: "IP 10.0.0.1 > 10.0.0.2: ESP(spi=0x00001001,seq=0x5), length 40\n",
      hex: "4500003c000140004032268d0a0000010a00000200001001000000056161616161616161616161616161616161616161"
        + "616161616161616161616161"),
    GoldenLine(
      name: "ESP in IPv6", linkType: 101, wireLength: 80,
      text: "IP6 2001:db8::1 > 2001:db8::2: ESP(spi=0xdeadbeef,seq=0x1f), length 40\n",
      hex: "600000000028324020010db800000000000000000000000120010db8000000000000000000000002deadbeef0000001f"
        + "6161616161616161616161616161616161616161616161616161616161616161"),
    GoldenLine(
      name: "ESP cut behind its header", linkType: 101, wireLength: 60,
      text: "IP 10.0.0.1 > 10.0.0.2:  [|esp]\n",
      hex: "4500003c000140004032268d0a0000010a0000020000100100000005"),
    GoldenLine(
      name: "AH before TCP", linkType: 101, wireLength: 64,
      text:
        "IP 10.0.0.1 > 10.0.0.2: AH(spi=0x00001001,seq=0x5,icv=0x000102030405060708090a0b): 40001 > 40002: Flags [.], ack 2000, win 512, length 0\n",
      hex: "4500004000014000403326880a0000010a000002060400000000100100000005000102030405060708090a0b9c419c42"
        + "000003e8000007d05010020000000000"),
    GoldenLine(
      name: "AH before UDP in IPv6", linkType: 101, wireLength: 76,
      text:
        "IP6 2001:db8::1 > 2001:db8::2: AH(spi=0x00001001,seq=0x5,icv=0x000102030405060708090a0b): 40001 > 40002: UDP, length 4\n",
      hex: "600000000024334020010db800000000000000000000000120010db80000000000000000000000021104000000001001"
        + "00000005000102030405060708090a0b9c419c42000c000061616161"),
    GoldenLine(
      name: "AH before ESP", linkType: 101, wireLength: 68,
      text:
        "IP 10.0.0.1 > 10.0.0.2: AH(spi=0x00001001,seq=0x5,icv=0x000102030405060708090a0b): ESP(spi=0x00001002,seq=0x6), length 24\n",
      hex: "4500004400014000403326840a0000010a000002320400000000100100000005000102030405060708090a0b00001002"
        + "0000000661616161616161616161616161616161"),
    GoldenLine(
      name: "the length of AH", linkType: 101, flags: "-v", wireLength: 68,
      text:
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto AH (51), length 68)\n    10.0.0.1 > 10.0.0.2: AH(length=4(24-bytes),spi=0x00001001,seq=0x5,icv=0x000102030405060708090a0b): ESP(spi=0x00001002,seq=0x6), length 24\n",
      hex: "4500004400014000403326840a0000010a000002320400000000100100000005000102030405060708090a0b00001002"
        + "0000000661616161616161616161616161616161"),
    GoldenLine(
      name: "AH cut in the check value", linkType: 101, wireLength: 64,
      text: "IP 10.0.0.1 > 10.0.0.2: AH(spi=0x00001001,seq=0x5,icv=0x00010203 [|ah]\n",
      hex: "4500004000014000403326880a0000010a00000206040000000010010000000500010203"),
    GoldenLine(
      name: "IPComp", linkType: 101, wireLength: 32,
      text: "IP 10.0.0.1 > 10.0.0.2: IPComp(cpi=0x0002)\n",
      hex: "4500002000014000406c266f0a0000010a000002060000026161616161616161"),
    GoldenLine(
      name: "L2TP version 3", linkType: 101, wireLength: 44,
      text: "IP 10.0.0.1 > 10.0.0.2:  ip-proto-115 24\n",
      hex: "4500002c000140004073265c0a0000010a0000020000004d6161616161616161616161616161616161616161"),
    GoldenLine(
      name: "a keepalive of ESP in UDP", linkType: 101, wireLength: 29,
      text: "IP 10.0.0.1.4500 > 10.0.0.2.4500: isakmp-nat-keep-alive\n",
      hex: "4500001d00014000401126cd0a0000010a0000021194119400090000ff"),
    GoldenLine(
      name: "ESP in UDP", linkType: 101, wireLength: 60,
      text: "IP 10.0.0.1.4500 > 10.0.0.2.4500: UDP-encap: ESP(spi=0x00001001,seq=0x5), length 32\n",
      hex: "4500003c00014000401126ae0a0000010a00000211941194002800000000100100000005616161616161616161616161"
        + "616161616161616161616161"),
    GoldenLine(
      name: "IKE version 1 in UDP with ESP", linkType: 101, wireLength: 80,
      text: "IP 10.0.0.1.4500 > 10.0.0.2.4500: NONESP-encap: isakmp: phase 1 I ident\n",
      hex: "45000050000140004011269a0a0000010a00000211941194003c00000000000011223344556677880000000000000000"
        + "2110020000000000000000306161616161616161616161616161616161616161"),
    GoldenLine(
      name: "encrypted IKE version 1", linkType: 101, flags: "-vv", wireLength: 76,
      text:
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 76)\n    10.0.0.1.500 > 10.0.0.2.500: [no cksum] isakmp 1.0 msgid 0000004d cookie 1122334455667788->0000000000000009: phase 2/others ? oakley-quick[E]: [encrypted hash]\n",
      hex: "4500004c000140004011269e0a0000010a00000201f401f4003800001122334455667788000000000000000908102001"
        + "0000004d000000306161616161616161616161616161616161616161"),
    GoldenLine(
      name: "IKE version 2", linkType: 101, wireLength: 76,
      text: "IP 10.0.0.1.500 > 10.0.0.2.500: isakmp: parent_sa ikev2_init[I]\n",
      hex: "4500004c000140004011269e0a0000010a00000201f401f4003800001122334455667788000000000000000021202208"
        + "00000000000000306161616161616161616161616161616161616161"),
    GoldenLine(
      name: "an answer of IKE version 2", linkType: 101, wireLength: 76,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.500: isakmp: child_sa  ikev2_auth[R]\n",
      hex: "4500004c000140004011269e0a0000010a0000029c4101f400380000112233445566778800000000000000092e202320"
        + "00000001000000306161616161616161616161616161616161616161"),
    GoldenLine(
      name: "IKE cut in its header", linkType: 101, wireLength: 76,
      text: "IP 10.0.0.1.500 > 10.0.0.2.500:  [|isakmp]\n",
      hex: "4500004c000140004011269e0a0000010a00000201f401f4003800001122334455667788000000000000000021202208"
        + "00000000000000"),
    GoldenLine(
      name: "ESP in UDP cut behind the ports", linkType: 101, wireLength: 52,
      text: "IP 10.0.0.1.4500 > 10.0.0.2.4500:  [|isakmp_rfc3948]\n",
      hex: "4500003400014000401126b60a0000010a00000211941194002000006161"),
    GoldenLine(
      name: "quiet ESP in UDP", linkType: 101, flags: "-q", wireLength: 52,
      text: "IP 10.0.0.1.4500 > 10.0.0.2.4500: UDP, length 24\n",
      hex: "4500003400014000401126b60a0000010a00000211941194002000006161616161616161616161616161616161616161"
        + "61616161"),
    GoldenLine(
      name: "VXLAN", linkType: 101, wireLength: 82,
      text:
        "IP 10.0.0.1.40001 > 10.0.0.2.4789: VXLAN, flags [I] (0x08), vni 100\nIP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "4500005200014000401126980a0000010a0000029c4112b5003e000008000000000064000a00000000020a0000000001"
        + "08004500002000014000401126ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "VXLAN with the link-level header", linkType: 1, flags: "-e", wireLength: 96,
      text:
        "0a:00:00:00:00:01 > 0a:00:00:00:00:02, ethertype IPv4 (0x0800), length 96: 10.0.0.1.40001 > 10.0.0.2.4789: VXLAN, flags [I] (0x08), vni 100\n0a:00:00:00:00:01 > 0a:00:00:00:00:02, ethertype IPv4 (0x0800), length 46: 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "0a00000000020a000000000108004500005200014000401126980a0000010a0000029c4112b5003e0000080000000000"
        + "64000a00000000020a000000000108004500002000014000401126ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "quiet VXLAN", linkType: 101, flags: "-q", wireLength: 82,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.4789: UDP, length 54\n",
      hex: "4500005200014000401126980a0000010a0000029c4112b5003e000008000000000064000a00000000020a0000000001"
        + "08004500002000014000401126ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "VXLAN without a valid network", linkType: 101, wireLength: 82,
      text:
        "IP 10.0.0.1.40001 > 10.0.0.2.4789: VXLAN, flags [invalid] (0x00), vni 100\nIP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "4500005200014000401126980a0000010a0000029c4112b5003e000000000000000064000a00000000020a0000000001"
        + "08004500002000014000401126ca0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "VXLAN too short for its header", linkType: 101, wireLength: 32,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.4789: VXLAN (invalid)\n",
      hex: "4500002000014000401126ca0a0000010a0000029c4112b5000c000061616161"),
    GoldenLine(
      name: "VXLAN cut in its header", linkType: 101, wireLength: 82,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.4789: VXLAN, flags [I] (0x08),  [|vxlan]\n",
      hex: "4500005200014000401126980a0000010a0000029c4112b5003e0000080000000000"),
    GoldenLine(
      name: "VXLAN cut in the frame inside", linkType: 101, wireLength: 82,
      text: "IP 10.0.0.1.40001 > 10.0.0.2.4789: VXLAN, flags [I] (0x08), vni 100\n [|ether]\n",
      hex: "4500005200014000401126980a0000010a0000029c4112b5003e000008000000000064000a000000"),
    GoldenLine(
      name: "VXLAN in IPv6", linkType: 101, wireLength: 122,
      text:
        "IP6 2001:db8::1.40001 > 2001:db8::2.4789: VXLAN, flags [I] (0x08), vni 100\nIP6 2001:db8::1.40001 > 2001:db8::2.40002: UDP, length 4\n",
      hex: "600000000052114020010db800000000000000000000000120010db80000000000000000000000029c4112b500520000"
        + "08000000000064000a00000000020a000000000186dd60000000000c114020010db80000000000000000000000012001"
        + "0db80000000000000000000000029c419c42000c000061616161"),
    GoldenLine(
      name: "VXLAN-GPE with IPv4 inside", linkType: 101, wireLength: 68,
      text:
        "IP 10.0.0.1.40001 > 10.0.0.2.4790: VXLAN-GPE, flags [IP], vni 100: IP 10.0.0.1.40001 > 10.0.0.2.40002: UDP, length 4\n",
      hex: "4500004400014000401126a60a0000010a0000029c4112b6003000000c000001000064004500002000014000401126ca"
        + "0a0000010a0000029c419c42000c000061616161"),
    GoldenLine(
      name: "VXLAN-GPE with an unknown protocol inside", linkType: 101, wireLength: 40,
      text:
        "IP 10.0.0.1.40001 > 10.0.0.2.4790: VXLAN-GPE, flags [IP], vni 100: ERROR: unknown-next-protocol (invalid)\n",
      hex: "4500002800014000401126c20a0000010a0000029c4112b6001400000c0000090000640061616161"),
  ]
}
