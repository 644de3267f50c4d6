// Lines of tcpdump 4.99.3 with -v, dumps and other forms, committed so that they hold where that is not installed.
import Testing

@testable import SwBPFPacketText

struct GoldenFormTests {
  @Test("prints the committed form of a line", arguments: forms)
  func form(_ golden: GoldenLine) {
    let options = plain(golden.linkType, golden.flags.split(separator: " ").map(String.init))
    #expect(text([Record(bytes(golden.hex), wireLength: golden.wireLength)], options) == [golden.text])
  }

  // tcpdump 4.99.3
  static let forms: [GoldenLine] = [
    GoldenLine(
      name: "IPv4 header and UDP with a right checksum", linkType: 1, flags: "-vv", wireLength: 42,
      text: """
        IP (tos 0x0, ttl 64, id 30734, offset 0, flags [DF], proto UDP (17), length 28)
            10.0.0.2.40001 > 10.0.0.1.40001: [udp sum ok] UDP, length 0

        """,
      hex: "8013e516089ad9b1f35e80b208004500001c780e40004011aec00a0000020a0000019c419c410008b358"),
    GoldenLine(
      name: "UDP without a checksum", linkType: 1, flags: "-vv", wireLength: 42,
      text: """
        IP (tos 0x0, ttl 235, id 140, offset 0, flags [DF], proto UDP (17), length 28)
            10.0.0.2.40003 > 192.168.100.200.40002: [no cksum] UDP, bad length 138 > 0

        """,
      hex: "5c089bbeebbcee24d0ffbc1708004500001c008c4000eb115fd20a000002c0a864c89c439c4200920000"),
    GoldenLine(
      name: "UDP with a wrong checksum", linkType: 1, flags: "-vv", wireLength: 42,
      text: """
        IP (tos 0x0, ttl 64, id 17536, offset 0, flags [DF], proto UDP (17), length 28)
            10.0.0.1.40002 > 1.22.255.9.40002: [bad udp cksum 0xa9e5 -> 0xbd38!] UDP, length 0

        """,
      hex: "c9c787d35fae44973100766908004500001c448040004011ec300a0000010116ff099c429c420008a9e5"),
    GoldenLine(
      name: "UDP over IPv6", linkType: 1, flags: "-v", wireLength: 62,
      text: """
        IP6 (flowlabel 0x05600, hlim 53, next-header UDP (17) payload length: 8) ::ffff:1.2.3.4.45678 > fe80::1.40002: [udp sum ok] UDP, length 0

        """,
      hex: "4a7f7ef52893a5652145761c86dd600056000008113500000000000000000000ffff01020304fe800000000000000000"
        + "000000000001b26e9c420008aea5"),
    GoldenLine(
      name: "TCP with a right checksum", linkType: 1, flags: "-v", wireLength: 58,
      text: """
        IP (tos 0x49,ECT(1), ttl 1, id 22366, offset 0, flags [none], proto TCP (6), length 44)
            192.168.100.200.40003 > 1.22.255.9.45678: Flags [S.], cksum 0x4653 (correct), seq 3352691827, ack 2667860885, win 26861, options [nop,eol], length 0

        """,
      hex: "0c17ef652a5aa30f4193532908004549002c575e000001063c95c0a864c80116ff099c43b26ec7d604739f0453956012"
        + "68ed4653bc6601000001"),
    GoldenLine(
      name: "TCP with a wrong checksum", linkType: 1, flags: "-v", wireLength: 54,
      text: """
        IP (tos 0x0, ttl 150, id 57370, offset 0, flags [DF], proto TCP (6), length 40)
            192.168.100.200.40001 > 192.168.100.200.40001: Flags [R.], cksum 0x0000 (incorrect -> 0xcc96), seq 2820823118, ack 3069579125, win 34108, length 0

        """,
      hex: "d19698f7c0dc7689da7799a2080045000028e01a40009606b9d3c0a864c8c0a864c89c419c41a822584eb6f60f755014"
        + "853c000013bc"),
    GoldenLine(
      name: "TCP over IPv6", linkType: 1, flags: "-vv", wireLength: 74,
      text: """
        IP6 (hlim 36, next-header TCP (6) payload length: 20) ::ffff:1.2.3.4.40003 > 2001:db8:0:1::abc.40003: Flags [R], cksum 0x5c50 (correct), seq 3487057533, win 61624, length 0

        """,
      hex: "829a3cee9783a4f363bcbbf586dd600000000014062400000000000000000000ffff0102030420010db8000000010000"
        + "000000000abc9c439c43cfd8467df6c117b05004f0b85c50c90c"),
    GoldenLine(
      name: "an acknowledgement says its number with -vv", linkType: 1, flags: "-vv", wireLength: 54,
      text: """
        IP (tos 0xdb,CE, ttl 64, id 1786, offset 0, flags [rsvd], proto TCP (6), length 40)
            10.0.0.2.45678 > 1.22.255.9.40001: Flags [.], cksum 0xf478 (correct), seq 2545561958, ack 133813395, win 58562, length 0

        """,
      hex: "642181223032ead5530e8c0b080045db002806fa80004006e8d90a0000020116ff09b26e9c4197ba316607f9d4935010"
        + "e4c2f478d819"),
    GoldenLine(
      name: "a reset that says why", linkType: 1, flags: "-v", wireLength: 55,
      text: """
        IP (tos 0xaf,CE, ttl 64, id 28100, offset 0, flags [+], proto TCP (6), length 41)
            10.0.0.1.45678 > 1.22.255.9.40001: Flags [R.], seq 1813754101:1813754102, ack 1749037412, win 22349, length 1 [RST M-d]

        """,
      hex: "153b9ed729c9888298f87d59080045af00296dc420004006e23b0a0000010116ff09b26e9c416c1bb0f5684031645014"
        + "574d401924e2e4"),
    GoldenLine(
      name: "a wrong IPv4 header checksum", linkType: 1, flags: "-v", wireLength: 42,
      text: """
        IP truncated-ip - 27 bytes missing! (tos 0x27,CE, ttl 182, id 53741, offset 0, flags [none], proto UDP (17), length 55, bad cksum 8fc8 (->1e9f)!)
            10.0.0.2.40003 > 10.0.0.1.40001: UDP, bad length 120 > 27

        """,
      hex: "0ae15c75781a3dc7c382b303080045270037d1ed0000b6118fc80a0000020a0000019c439c41008002e3"),
    GoldenLine(
      name: "a recorded route", linkType: 1, flags: "-v", wireLength: 46,
      text: """
        IP (tos 0x84, ttl 64, id 64592, offset 0, flags [rsvd], proto UDP (17), length 32, options (SSRR [bad length 4] [bad ptr 5] 26.156.65.156,))
            10.0.0.2.40001 > 192.168.100.200.40001: UDP, length 0

        """,
      hex: "72ca0275cff06ba1706b2abb080046840020fc50800040113f670a000002c0a864c88904051a9c419c41000897e8"),
    GoldenLine(
      name: "a source route", linkType: 1, flags: "-v", wireLength: 51,
      text: """
        IP (tos 0xdd,ECT(1), ttl 1, id 55972, offset 4056, flags [DF, rsvd], proto UDP (17), length 37, options (NOP,LSRR 0.59.20.157,))
            1.22.255.9 > 10.0.0.2: ip-proto-17

        """,
      hex: "c65086863e629629de049dfc080047dd0025daa4c1fb0111f2c60116ff090a00000201830708003b149d9c439c430009"
        + "c2fa1d"),
    GoldenLine(
      name: "time stamps in IPv4 options", linkType: 1, flags: "-v", wireLength: 70,
      text: """
        IP (tos 0x88, ttl 14, id 41898, offset 0, flags [+], proto unknown (253), length 56, options (NOP,timestamp TS{TS+ADDR ^ },NOP,EOL))
            10.0.0.1 > 10.0.0.1:  ip-proto-253 28

        """,
      hex: "d6c855d61299b790caae04f8080047880038a3aa20000efdcb4b0a0000010a00000101440405010100004500001c5fd5"
        + "b73b68df0146ce9bf2355db26687d1c8957ec313d751"),
    GoldenLine(
      name: "a router alert", linkType: 1, flags: "-v", wireLength: 47,
      text: """
        IP (tos 0x62,ECT(0), ttl 249, id 46751, offset 0, flags [none], proto UDP (17), length 33, options (RA value 258), bad cksum 0 (->6aa3)!)
            1.22.255.9.40001 > 10.0.0.1.40003: UDP, length 1

        """,
      hex: "dc15c98e0650c70ab4c755fb080046620021b69f0000f91100000116ff090a000001940401029c419c430009db35e2"),
    GoldenLine(
      name: "a later fragment", linkType: 1, flags: "-v", wireLength: 42,
      text: """
        IP (tos 0xbb,CE, ttl 8, id 16017, offset 24984, flags [DF], proto UDP (17), length 28, bad cksum 0 (->134f)!)
            10.0.0.2 > 10.0.0.2: ip-proto-17

        """,
      hex: "188d83c9f0c9476239ec18cb080045bb001c3e914c33081100000a0000020a0000029c429c410008b356"),
    GoldenLine(
      name: "an ICMP error with the quoted packet", linkType: 1, flags: "-v", wireLength: 70,
      text: """
        IP (tos 0x0, ttl 64, id 45987, offset 0, flags [+], proto ICMP (1), length 56, bad cksum 0 (->9d01)!)
            10.0.0.1 > 1.22.255.9: ICMP 10.0.0.2 unreachable - source host isolated, length 36
        \tIP (tos 0x20, ttl 225, id 19014, offset 50736, flags [+, DF], proto UDP (17), length 25914, bad cksum f08e (->a764)!)
            1.22.255.9 > 10.0.0.2: ip-proto-17

        """,
      hex: "f1769a05bd4fadcd9b7225b1080045000038b3a32000400100000a0000010116ff090308505e88941ea24520653a4a46"
        + "78c6e111f08e0116ff090a000002703f5baae94c0702"),
    GoldenLine(
      name: "extensions of an ICMP error", linkType: 1, flags: "-v", wireLength: 182,
      text: """
        IP (tos 0x7c, ttl 63, id 49869, offset 0, flags [rsvd], proto ICMP (1), length 168)
            10.0.0.1 > 10.0.0.2: ICMP ip reassembly time exceeded, length 148 (wrong icmp cksum 0 (->594b)!)
        \tIP (tos 0x0, ttl 64, id 4491, offset 45160, flags [DF], proto UDP (17), length 28)
            192.168.100.200 > 10.0.0.2: ip-proto-17
        \tICMP Multi-Part extension v2, checksum 0x3398 (correct), length 12
        \t  MPLS Stack Entry Object (1), Class-Type: 1, length 8
        \t    label 492835, tc 1, [S], ttl 12

        """,
      hex: "318dac92c449cac818f67a570800457c00a8c2cd80003f0124090a0000010a0000020b010000002000004500001c118b"
        + "560d4011e3c6c0a864c80a00000245cb93ad84493dd10000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000020003398000801017852330c"),
    GoldenLine(
      name: "a wrong ICMP checksum", linkType: 1, flags: "-v", wireLength: 70,
      text: """
        IP (tos 0x0, ttl 147, id 36967, offset 0, flags [DF], proto ICMP (1), length 56, bad cksum 0 (->4d3c)!)
            1.22.255.9 > 10.0.0.2: ICMP source quench, length 36 (wrong icmp cksum dd77 (->8624)!)
        \tIP (tos 0xa1,ECT(1), ttl 121, id 35969, offset 3144, flags [+, rsvd], proto TCP (6), length 13015, bad cksum da56 (->bae4)!)
            1.22.255.9 > 192.168.100.200: ip-proto-6

        """,
      hex: "4950e69920ed51a8292f76ad08004500003890674000930100000116ff090a0000020409dd7720c6c6de45a132d78c81"
        + "a1897906da560116ff09c0a864c83ff5db237a62d93f"),
    GoldenLine(
      name: "ICMPv6 echo with a right checksum", linkType: 1, flags: "-v", wireLength: 118,
      text: """
        IP6 (class 0x90, flowlabel 0x000c6, hlim 141, next-header ICMPv6 (58) payload length: 64) 3200:0:30c2:cc45:66:ea:af00:205e > a000:7f:e400:9:7e:711a:c7aa:7d88: [icmp6 sum ok] ICMP6, echo request, id 13744, seq 44477

        """,
      hex: "6b2b286bdb547334124a052b86dd690000c600403a8d3200000030c2cc45006600eaaf00205ea000007fe4000009007e"
        + "711ac7aa7d88800007d835b0adbd607a287d405c00400000000000000000000000000000000100f500e5192db5000000"
        + "00000000004a1100ea282a5d22bcef8319a9d9d99403"),
    GoldenLine(
      name: "a wrong ICMPv6 checksum", linkType: 1, flags: "-v", wireLength: 62,
      text: """
        IP6 (class 0xed, flowlabel 0x90000, hlim 174, next-header ICMPv6 (58) payload length: 8) ::9.8.7.6 > ::: [bad icmp6 cksum 0x0000 -> 0x6f24!] ICMP6, mobile router advertisement, length 8, id 0xf0c2 MO

        """,
      hex: "eee1b7582c81be9dfe214a1b86dd6ed9000000083aae0000000000000000000000000908070600000000000000000000"
        + "00000000000093000000f0c2fcc7"),
    GoldenLine(
      name: "a router advertisement with a prefix", linkType: 1, flags: "-v", wireLength: 102,
      text: """
        IP6 (class 0x07, flowlabel 0x900ea, hlim 70, next-header ICMPv6 (58) payload length: 48) db00:aa:0:3a:0:786:91:b2 > 2001:db8:0:1::abc: [icmp6 sum ok] ICMP6, router advertisement, length 48
        \thop limit 128, Flags [home agent, ipv6 only], pref low, router lifetime 54536s, reachable time 3880451686ms, retrans timer 2385789860ms
        \t  prefix info option (3), length 32 (4): dce5:16e6:b5f7:7585:efeb:9bc1:c369:dd6f/174, Flags [router], valid time infinity, pref. time 1846301450s

        """,
      hex: "cc598e4acbe2081bda1f1da686dd607900ea00303a46db0000aa0000003a00000786009100b220010db8000000010000"
        + "000000000abc86004798803bd508e74afe668e3443a40304ae2dffffffff6e0c530ade4e6ba2dce516e6b5f77585efeb"
        + "9bc1c369dd6f"),
    GoldenLine(
      name: "name servers in a router advertisement", linkType: 1, flags: "-v", wireLength: 86,
      text: """
        IP6 (flowlabel 0x01000, hlim 49, next-header ICMPv6 (58) payload length: 32) 2001:db8:0:1::abc > fe80::1: [icmp6 sum ok] ICMP6, mobile router advertisement, length 32, id 0xb78e MO
        \t  rdnss option (25), length 24 (3):  lifetime 1499236149s, addr: 95a3:bb47:ce64:6aa:3ffd:fdcc:6e44:541f

        """,
      hex: "f2f4be7e20d312e6a7a6f22586dd6000100000203a3120010db8000000010000000000000abcfe800000000000000000"
        + "00000000000193009aa5b78ee6621903dd58595c873595a3bb47ce6406aa3ffdfdcc6e44541f"),
    GoldenLine(
      name: "search domains in a router advertisement", linkType: 1, flags: "-v", wireLength: 78,
      text: """
        IP6 (class 0x04, flowlabel 0x37200, hlim 175, next-header ICMPv6 (58) payload length: 24) ::ffff:1.2.3.4 > ::ffff:1.2.3.4: [icmp6 sum ok] ICMP6, mobile router advertisement, length 24, id 0x0d8c MO
        \t  dnssl option (31), length 16 (2):  lifetime 3084065605s, domain(s): abc.de.

        """,
      hex: "191e17d09007ad5530fa259086dd6043720000183aaf00000000000000000000ffff0102030400000000000000000000"
        + "ffff01020304930055820d8cd17f1f0270cfb7d31b450361626302646500"),
    GoldenLine(
      name: "a route in a router advertisement", linkType: 1, flags: "-v", wireLength: 70,
      text: """
        IP6 (class 0xb3, flowlabel 0x83d00, hlim 17, next-header ICMPv6 (58) payload length: 16) ::1 > ::1: [bad icmp6 cksum 0x0000 -> 0x3c2f!] ICMP6, mobile router advertisement, length 16, id 0xd7e2 M
        \t  route info option (24), length 8 (1):  ::/84, pref=rsv, lifetime=4099369414s

        """,
      hex: "26218763bfe57d98b47e74c786dd6b383d0000103a110000000000000000000000000000000100000000000000000000"
        + "00000000000193000000d7e28ded18015494f45769c6"),
    GoldenLine(
      name: "a neighbour advertisement", linkType: 1, flags: "-v", wireLength: 94,
      text: """
        IP6 (hlim 4, next-header ICMPv6 (58) payload length: 40) ::ffff:1.2.3.4 > ::: [icmp6 sum ok] ICMP6, neighbor advertisement, length 40, tgt is 4543:4500:0:60f9:500:83dd:1200:5200, Flags [solicited]
        \t  advertisement interval option (7), length 8 (1):  1924103559ms
        \t  destination link-address option (2), length 8 (1): 06:8a:ff:ff:ff:ff

        """,
      hex: "095e4955fd1030702045172f86dd6000000000283a0400000000000000000000ffff0102030400000000000000000000"
        + "000000000000880071775f7e11a445434500000060f9050083dd120052000701b91f72af7d870201068affffffff"),
    GoldenLine(
      name: "a neighbour solicitation with bytes of its options", linkType: 1, flags: "-vv", wireLength: 86,
      text: """
        IP6 truncated-ip6 - 24 bytes missing!(flowlabel 0x00030, hlim 219, next-header ICMPv6 (58) payload length: 56) 2001:db8:0:1::abc > ::1: ICMP6, neighbor solicitation, length 56, who has 2001:db8:0:1::abc
        \t  source link-address option (1), length 8 (1): 6a:b8:e8:7c:36:66
        \t    0x0000:  6ab8 e87c 3666

        """,
      hex: "58740379da7ec9ddfbe800a986dd6000003000383adb20010db8000000010000000000000abc00000000000000000000"
        + "000000000001870023e9137c45b620010db8000000010000000000000abc01016ab8e87c3666"),
    GoldenLine(
      name: "a listener query", linkType: 1, flags: "-vv", wireLength: 98,
      text: """
        IP6 (class 0xdc, flowlabel 0x500a3, hlim 67, next-header ICMPv6 (58) payload length: 44) ::1 > 0:87e6:0:b019:4eb8::19: [icmp6 sum ok] ICMP6, multicast listener query v2 [max resp delay=197408] [gaddr :: sflag robustness=6 qqi=10240 { ::ffff:1.2.3.4 }]

        """,
      hex: "47bcc323b5302fbef370c7f886dd6dc500a3002c3a4300000000000000000000000000000001000087e60000b0194eb8"
        + "000000000019820096dda819a4e4000000000000000000000000000000000ee4000100000000000000000000ffff0102"
        + "0304"),
    GoldenLine(
      name: "a listener report", linkType: 1, flags: "-vv", wireLength: 106,
      text: """
        IP6 (class 0x0e, flowlabel 0x97fd1, hlim 16, next-header ICMPv6 (58) payload length: 48) 2001:db8:0:1::abc > 2001:db8:0:1::abc: [icmp6 sum ok] ICMP6, multicast listener report v2, 7 group record(s) [gaddr 2001:db8:0:1::abc  [v2-report-#7] { }] [gaddr 2001:db8:0:1::abc to_in [invalid number of sources 20]

        """,
      hex: "b50de73bf527f888695229528100750186dd60e97fd100303a1020010db8000000010000000000000abc20010db80000"
        + "00010000000000000abc8f0084a1000000070700000020010db8000000010000000000000abc0300001420010db80000"
        + "00010000000000000abc"),
    GoldenLine(
      name: "hop-by-hop options", linkType: 1, flags: "-v", wireLength: 70,
      text: """
        IP6 (class 0x0b, flowlabel 0x30000, hlim 126, next-header Options (0) payload length: 16) ::1 > ::1: HBH (rtalert: 0x0010) (pad1)(pad1) 45678 > 45678: [udp sum ok] UDP, length 0

        """,
      hex: "808d39b77b901894274507ee86dd60b300000010007e0000000000000000000000000000000100000000000000000000"
        + "0000000000011100050200100000b26eb26e00089aff"),
    GoldenLine(
      name: "a home address", linkType: 1, flags: "-v", wireLength: 94,
      text: """
        IP6 (flowlabel 0x07caa, hlim 151, next-header unknown (60) payload length: 40) ::9.8.7.6 > ::e2b0:1003:2e:500:92:0: DSTOPT (homeaddr: 2001:db8:0:1::abc, sopt_type 0x09: len=3)(pad1)(pad1)(pad1)(pad1)(pad1)(pad1)(pad1) 40003 > 40001: [udp sum ok] UDP, length 0

        """,
      hex: "51f9bc7ac0915fee018cfb0386dd60007caa00283c970000000000000000000000000908070600000000e2b01003002e"
        + "0500009200001103c91520010db8000000010000000000000abc0903010203000000000000009c439c410008bed7"),
    GoldenLine(
      name: "a fragment header", linkType: 1, flags: "-v", wireLength: 70,
      text: """
        IP6 (flowlabel 0x00800, hlim 163, next-header Fragment (44) payload length: 16) ::ffff:1.2.3.4 > ::: frag (0x635e0556:0|8) 45678 > 40001: UDP, length 0

        """,
      hex: "843f34b62e51420b8756f3dc86dd6000080000102ca300000000000000000000ffff0102030400000000000000000000"
        + "00000000000011000001635e0556b26e9c410008ad28"),
    GoldenLine(
      name: "a routing header", linkType: 1, flags: "-v", wireLength: 70,
      text: """
        IP6 (class 0x0c, flowlabel 0x45100, hlim 18, next-header Routing (43) payload length: 16) 1f9c:0:42f5:5e:717:3600:3a:7 > ::ffff:1.2.3.4: RT6 (len=0, type=0 [Deprecated], segleft=231, rsv=0x0) 40001 > 40001: [udp sum ok] UDP, length 0

        """,
      hex: "05074f0a923bf3aa04dd7eea86dd60c4510000102b121f9c000042f5005e07173600003a000700000000000000000000"
        + "ffff01020304110000e7000000009c419c410008230e"),
    GoldenLine(
      name: "ARP", linkType: 1, flags: "-v", wireLength: 42,
      text: """
        ARP, Ethernet (len 6), IPv4 (len 4), Inverse Request who-is 00:00:00:00:00:00 tell 39:6b:81:f9:d8:d7, length 28

        """,
      hex: "e0f92c2c34ee775f50e437d808060001080006040008396b81f9d8d748f5e4830000000000004e273809"),
    GoldenLine(
      name: "ARP with addresses of a wrong length", linkType: 1, flags: "-v", wireLength: 26,
      text: """
        ARP, IEEE 1394 (len 2), IPv4 (len 0), Reverse Reply 00:00 at <wrong len>, length 12

        """,
      hex: "1a1a95862a1c674af5b84df9803500180800020000041a1c0000"),
    GoldenLine(
      name: "absolute sequence numbers", linkType: 1, flags: "-S", wireLength: 74,
      text: """
        IP 10.0.0.1.40003 > 1.22.255.9.40001: Flags [P.], ack 449267437, win 57294, options [sack 2 {4172774614:3687044218}{1936224616:2804897675},eol], length 0

        """,
      hex: "f47ef9b433346539025a4c990800453a003c28bd40004006c0350a0000010116ff099c439c41da6902d11ac746eda018"
        + "dfce0068e8550512f8b77cd6dbc3d47a73687168a72f578b0001"),
    GoldenLine(
      name: "a dump in hexadecimal", linkType: 1, flags: "-x", wireLength: 54,
      text: """
        IP 10.0.0.1.40002 > 10.0.0.2.40003: UDP, length 12
        \t0x0000:  45e7 0028 ce89 0000 a211 e4f2 0a00 0001
        \t0x0010:  0a00 0002 9c42 9c43 0014 d234 df8d c40d
        \t0x0020:  e9e3 6a1b 2b7b b2cb

        """,
      hex: "71d361db796491b376324b9c080045e70028ce890000a211e4f20a0000010a0000029c429c430014d234df8dc40de9e3"
        + "6a1b2b7bb2cb"),
    GoldenLine(
      name: "a dump with the link-level header", linkType: 1, flags: "-xx", wireLength: 43,
      text: """
        IP truncated-ip - 34 bytes missing! 10.0.0.2.40003 > 1.22.255.9.40002: UDP, length 1
        \t0x0000:  c122 58de ff0e 0c22 dffa 000d 0800 4500
        \t0x0010:  003f 3de8 0000 2311 4fa5 0a00 0002 0116
        \t0x0020:  ff09 9c43 9c42 0009 2134 9c

        """,
      hex: "c12258deff0e0c22dffa000d08004500003f3de8000023114fa50a0000020116ff099c439c42000921349c"),
    GoldenLine(
      name: "a dump in hexadecimal and as text", linkType: 1, flags: "-X", wireLength: 54,
      text: """
        IP 10.0.0.1.40002 > 10.0.0.2.40003: UDP, length 12
        \t0x0000:  45e7 0028 ce89 0000 a211 e4f2 0a00 0001  E..(............
        \t0x0010:  0a00 0002 9c42 9c43 0014 d234 df8d c40d  .....B.C...4....
        \t0x0020:  e9e3 6a1b 2b7b b2cb                      ..j.+{..

        """,
      hex: "71d361db796491b376324b9c080045e70028ce890000a211e4f20a0000010a0000029c429c430014d234df8dc40de9e3"
        + "6a1b2b7bb2cb"),
    GoldenLine(
      name: "a dump of all with text", linkType: 1, flags: "-XX", wireLength: 43,
      text: """
        IP truncated-ip - 34 bytes missing! 10.0.0.2.40003 > 1.22.255.9.40002: UDP, length 1
        \t0x0000:  c122 58de ff0e 0c22 dffa 000d 0800 4500  .\"X....\"......E.
        \t0x0010:  003f 3de8 0000 2311 4fa5 0a00 0002 0116  .?=...#.O.......
        \t0x0020:  ff09 9c43 9c42 0009 2134 9c              ...C.B..!4.

        """,
      hex: "c12258deff0e0c22dffa000d08004500003f3de8000023114fa50a0000020116ff099c439c42000921349c"),
    GoldenLine(
      name: "a dump as text", linkType: 1, flags: "-A", wireLength: 54,
      text: """
        IP 10.0.0.1.40002 > 10.0.0.2.40003: UDP, length 12
        E..(........
        ...
        ....B.C...4......j.+{..

        """,
      hex: "71d361db796491b376324b9c080045e70028ce890000a211e4f20a0000010a0000029c429c430014d234df8dc40de9e3"
        + "6a1b2b7bb2cb"),
    GoldenLine(
      name: "quiet and verbose", linkType: 1, flags: "-q -v", wireLength: 54,
      text: """
        IP (tos 0x0, ttl 1, id 8163, offset 0, flags [+], proto TCP (6), length 40)
            1.22.255.9.45678 > 192.168.100.200.40001: tcp 0

        """,
      hex: "a6c6023ab250698d4077bc5a0800450000281fe320000106545d0116ff09c0a864c8b26e9c411c52a1f1fb811ff85014"
        + "50e3d5513b9d"),
    GoldenLine(
      name: "a cut frame's dump begins with its first byte", linkType: 1, flags: "-x", wireLength: 134,
      text: """
        IP6 e66::b200:dc00:b000:2a:3743 > fe80::1: DSTOPT  [|dstopt]
        \t0x0000:  6a29 0000 004c 3c58 0e66 0000 0000 b200
        \t0x0010:  dc00 b000 002a 3743 fe80 0000 0000 0000
        \t0x0020:  0000 0000 0000 0001 3c01 0102 0000 c204
        \t0x0030:  0000 0000 0000 0000 0603 00c9 1500 0000
        \t0x0040:  0000 0000 0000 00ff ff01 0203 0401 0100
        \t0x0050:  0000

        """,
      hex: "3ae132c25458654d13d5303881007bce86dd6a290000004c3c580e6600000000b200dc00b000002a3743fe8000000000"
        + "000000000000000000013c0101020000c2040000000000000000060300c91500000000000000000000ffff0102030401"
        + "01000000"),
    GoldenLine(
      name: "a cut option", linkType: 1, flags: "-v", wireLength: 74,
      text: """
        IP (tos 0xfe,ECT(0), ttl 1, id 14768, offset 17280, flags [DF, rsvd], proto IPIP (4), length 60, options (timestamp [truncated-option]))
            10.0.0.2 > 10.0.0.2:  [|ip]

        """,
      hex: "b607f760f30c9346c44212a0080048fe003c39b0c870010421370a0000020a0000024404"),
    GoldenLine(
      name: "cut neighbour discovery", linkType: 1, flags: "-v", wireLength: 78,
      text: """
        IP6 (class 0xc0, flowlabel 0x0fa26, hlim 55, next-header ICMPv6 (58) payload length: 24) ::9.8.7.6 > fe80::1: ICMP6, router advertisement, length 24 [|icmp6]

        """,
      hex: "0ed96422f1b75333a1e1d82486dd6c00fa2600183a3700000000000000000000000009080706fe800000000000000000"
        + "0000000000018600"),
  ]
}
