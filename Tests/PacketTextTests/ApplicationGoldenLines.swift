// Lines of tcpdump 4.99.3 for DNS, DHCP, DHCPv6 and NTP, committed so that they hold where that version is not installed.

extension ApplicationGoldenTests {
  // tcpdump 4.99.3
  static let lines: [GoldenLine] = [
    GoldenLine(
      name: "DNS query", linkType: 101, wireLength: 57,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: 40001+ A? example.org. (29)

        """,
      hex: "4500003900014000401126b10a0000010a0000029c410035002500009c4101000001000000000000076578616d706c65"
        + "036f72670000010001"),
    GoldenLine(
      name: "DNS response", linkType: 101, wireLength: 171,
      text: """
        IP 10.0.0.1.53 > 10.0.0.2.40001: 40001 3/1/2 CNAME host.example.org., A 192.0.2.1, A 192.0.2.2 (143)

        """,
      hex: "450000ab000140004011263f0a0000010a00000200359c41009700009c41818000010003000100020377777707657861"
        + "6d706c65036f72670000010001c00c0005000100000e10000704686f7374c010c02d00010001000a9a4d0004c0000201"
        + "c02d000100010000003b0004c0000202c0100002000100000e100005026e73c010026e73c010001c000100000e100010"
        + "20010db800000000000000000000005300002904d0000000000000"),
    GoldenLine(
      name: "DNS response -v", linkType: 101, flags: "-v", wireLength: 171,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 171)
            10.0.0.1.53 > 10.0.0.2.40001: 40001 3/1/2 www.example.org. CNAME host.example.org., host.example.org. A 192.0.2.1, host.example.org. A 192.0.2.2 (143)

        """,
      hex: "450000ab000140004011263f0a0000010a00000200359c41009700009c41818000010003000100020377777707657861"
        + "6d706c65036f72670000010001c00c0005000100000e10000704686f7374c010c02d00010001000a9a4d0004c0000201"
        + "c02d000100010000003b0004c0000202c0100002000100000e100005026e73c010026e73c010001c000100000e100010"
        + "20010db800000000000000000000005300002904d0000000000000"),
    GoldenLine(
      name: "DNS response -vv", linkType: 101, flags: "-vv", wireLength: 171,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 171)
            10.0.0.1.53 > 10.0.0.2.40001: [no cksum] 40001 q: A? www.example.org. 3/1/2 www.example.org. CNAME host.example.org., host.example.org. A 192.0.2.1, host.example.org. A 192.0.2.2 ns: example.org. NS ns.example.org. ar: ns.example.org. AAAA 2001:db8::53, . OPT UDPsize=1232 (143)

        """,
      hex: "450000ab000140004011263f0a0000010a00000200359c41009700009c41818000010003000100020377777707657861"
        + "6d706c65036f72670000010001c00c0005000100000e10000704686f7374c010c02d00010001000a9a4d0004c0000201"
        + "c02d000100010000003b0004c0000202c0100002000100000e100005026e73c010026e73c010001c000100000e100010"
        + "20010db800000000000000000000005300002904d0000000000000"),
    GoldenLine(
      name: "DNS response -vvv", linkType: 101, flags: "-vvv", wireLength: 171,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 171)
            10.0.0.1.53 > 10.0.0.2.40001: [no cksum] 40001 q: A? www.example.org. 3/1/2 www.example.org. [1h] CNAME host.example.org., host.example.org. [1w1d1h1m1s] A 192.0.2.1, host.example.org. [59s] A 192.0.2.2 ns: example.org. [1h] NS ns.example.org. ar: ns.example.org. [1h] AAAA 2001:db8::53, . OPT UDPsize=1232 (143)

        """,
      hex: "450000ab000140004011263f0a0000010a00000200359c41009700009c41818000010003000100020377777707657861"
        + "6d706c65036f72670000010001c00c0005000100000e10000704686f7374c010c02d00010001000a9a4d0004c0000201"
        + "c02d000100010000003b0004c0000202c0100002000100000e100005026e73c010026e73c010001c000100000e100010"
        + "20010db800000000000000000000005300002904d0000000000000"),
    GoldenLine(
      name: "DNS with EDNS options", linkType: 101, flags: "-vv", wireLength: 100,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 100)
            10.0.0.1.40001 > 10.0.0.2.53: [no cksum] 40001+ [1au] AAAA? example.org. ar: . OPT UDPsize=1232 DO [COOKIE 0001020304050607,ECS 192.0.2.0/24/0,PADDING (5)] (72)

        """,
      hex: "4500006400014000401126860a0000010a0000029c410035005000009c4101200001000000000001076578616d706c65"
        + "036f726700001c000100002904d0000080000020000a000800010203040506070008000700011800c00002000c000500"
        + "00000000"),
    GoldenLine(
      name: "DNS over IPv6", linkType: 101, flags: "-v", wireLength: 77,
      text: """
        IP6 (hlim 1, next-header UDP (17) payload length: 37) 2001:db8::1.40001 > 2001:db8::53.53: [udp sum ok] 40001+ A? example.org. (29)

        """,
      hex: "600000000025110120010db800000000000000000000000120010db80000000000000000000000539c410035002598b2"
        + "9c4101000001000000000000076578616d706c65036f72670000010001"),
    GoldenLine(
      name: "DNS, quiet", linkType: 101, flags: "-q", wireLength: 57,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: UDP, length 29

        """,
      hex: "4500003900014000401126b10a0000010a0000029c410035002500009c4101000001000000000000076578616d706c65"
        + "036f72670000010001"),
    GoldenLine(
      name: "DNS, no such domain", linkType: 101, flags: "-vv", wireLength: 131,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 131)
            10.0.0.1.53 > 10.0.0.2.40001: [no cksum] 40001 NXDomain* q: ANY? nothing.example.org. 0/1/0 ns: example.org. SOA ns.example.org. root.example.org. 2026112101 7200 3600 1209600 300 (103)

        """,
      hex: "4500008300014000401126670a0000010a00000200359c41006f00009c4185830001000000010000076e6f7468696e67"
        + "076578616d706c65036f72670000ff0001c0140006000100000e100036026e73076578616d706c65036f72670004726f"
        + "6f74076578616d706c65036f72670078c4046500001c2000000e10001275000000012c"),
    GoldenLine(
      name: "DNS, many types", linkType: 101, flags: "-v", wireLength: 251,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 251)
            10.0.0.1.53 > 10.0.0.2.40001: 40001*- 8/0/0 example.org. MX mail.example.org. 10, example.org. TXT "v=spf1 -all" "^AM-i"\\", example.org. SRV srv.example.org.:443 1 2, example.org. DNAME example.net., example.org. A6 64 ::1:2:3:4 example.org., example.org. URI 10 1 https://example.org/, example.org. UNSPECAfree text, example.org. Type65 (223)

        """,
      hex: "450000fb00014000401125ef0a0000010a00000200359c4100e700009c4184000001000800000000076578616d706c65"
        + "036f72670000ff0001c00c000f000100000e100009000a046d61696cc00cc00c0010000100000e1000110b763d737066"
        + "31202d616c6c0401e9225cc00c0021000100000e10000c0001000201bb03737276c00cc00c0027000100000e10000d07"
        + "6578616d706c65036e657400c00c0026000100000e10000b400001000200030004c00cc00c0100000100000e10001800"
        + "0a000168747470733a2f2f6578616d706c652e6f72672fc00c0068000100000e100009667265652074657874c00c0041"
        + "000100000e100003000100"),
    GoldenLine(
      name: "DNS update with signature", linkType: 101, flags: "-vv", wireLength: 148,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 148)
            10.0.0.1.40001 > 10.0.0.2.53: [no cksum] 40001 update [1n] [1au] SOA? example.org. ns: new.example.org. A 192.0.2.9 ar: key.example.org. ANY TSIG hmac-sha256. fudge=300 maclen=4 origid=40001 error=0 otherlen=0 (120)

        """,
      hex: "4500009400014000401126560a0000010a0000029c410035008000009c4128000001000000010001076578616d706c65"
        + "036f72670000060001036e6577076578616d706c65036f7267000001000100000e100004c0000209036b657907657861"
        + "6d706c65036f72670000fa00ff0000000000210b686d61632d73686132353600000000000000012c0004616263649c41"
        + "00000000"),
    GoldenLine(
      name: "DNS, extended result", linkType: 101, wireLength: 68,
      text: """
        IP 10.0.0.1.53 > 10.0.0.2.40001: 40001 BadVers$ 0/0/1 (40)

        """,
      hex: "4500004400014000401126a60a0000010a00000200359c41003000009c4180b00001000000000001076578616d706c65"
        + "036f7267000001000100002904d0010000000000"),
    GoldenLine(
      name: "DNS, pointer forward", linkType: 101, flags: "-v", wireLength: 75,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 75)
            10.0.0.1.53 > 10.0.0.2.40001: 40001 1/0/0 <BAD PTR> [|domain]

        """,
      hex: "4500004b000140004011269f0a0000010a00000200359c41003700009c41818000010001000000000161076578616d70"
        + "6c65036f72670000010001c0300001000100000e100004c0000201"),
    GoldenLine(
      name: "DNS, pointer forward, not looked at", linkType: 101, wireLength: 75,
      text: """
        IP 10.0.0.1.53 > 10.0.0.2.40001: 40001 1/0/0 A 192.0.2.1 (47)

        """,
      hex: "4500004b000140004011269f0a0000010a00000200359c41003700009c41818000010001000000000161076578616d70"
        + "6c65036f72670000010001c0300001000100000e100004c0000201"),
    GoldenLine(
      name: "DNS, label of a reserved type", linkType: 101, wireLength: 56,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: 40001+ [2q] [|domain]

        """,
      hex: "4500003800014000401126b20a0000010a0000029c410035002400009c41010000020000000000000361626380017803"
        + "6f72670000010001"),
    GoldenLine(
      name: "DNS, bit label", linkType: 101, wireLength: 49,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: 40001+ PTR? \\[xcaf8/13]. (21)

        """,
      hex: "4500003100014000401126b90a0000010a0000029c410035001d00009c4101000001000000000000410dcaf800000c00"
        + "01"),
    GoldenLine(
      name: "DNS, name too long", linkType: 101, wireLength: 351,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: 40001+ A CHAOS? aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccccccccccccccccccccccccccccccccc.dddddddddddddddddddddddddddddddddddddddddddddddddd.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.<DOMAIN NAME TOO LONG> (323)

        """,
      hex: "4500015f000140004011258b0a0000010a0000029c410035014b00009c41010000010000000000003261616161616161"
        + "616161616161616161616161616161616161616161616161616161616161616161616161616161616161613262626262"
        + "626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262623263"
        + "636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363"
        + "633264646464646464646464646464646464646464646464646464646464646464646464646464646464646464646464"
        + "646464643265656565656565656565656565656565656565656565656565656565656565656565656565656565656565"
        + "656565656565653266666666666666666666666666666666666666666666666666666666666666666666666666666666"
        + "666666666666666666660000010003"),
    GoldenLine(
      name: "DNS, inverse query", linkType: 101, wireLength: 40,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: 40001 inv_q [0a] (12)

        """,
      hex: "4500002800014000401126c20a0000010a0000029c410035001400009c4108000000000000000000"),
    GoldenLine(
      name: "DNS, short", linkType: 101, wireLength: 37,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: domain [length 9 < 12] (invalid)

        """,
      hex: "4500002500014000401126c50a0000010a0000029c410035001100009c4101000001000000"),
    GoldenLine(
      name: "DNS header cut", linkType: 101, wireLength: 57,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53:  [|domain]

        """,
      hex: "4500003900014000401126b10a0000010a0000029c410035002500009c41010000010000"),
    GoldenLine(
      name: "DNS question cut", linkType: 101, wireLength: 57,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: 40001+ [|domain]

        """,
      hex: "4500003900014000401126b10a0000010a0000029c410035002500009c4101000001000000000000076578616d706c65"
        + "036f"),
    GoldenLine(
      name: "DNS answer cut", linkType: 101, wireLength: 171,
      text: """
        IP 10.0.0.1.53 > 10.0.0.2.40001: 40001 3/1/2 CNAME host.example.org., A 192.0.2.1, (143)

        """,
      hex: "450000ab000140004011263f0a0000010a00000200359c41009700009c41818000010003000100020377777707657861"
        + "6d706c65036f72670000010001c00c0005000100000e10000704686f7374c010c02d00010001000a9a4d0004c0000201"
        + "c02d0001"),
    GoldenLine(
      name: "DNS over TCP", linkType: 101, wireLength: 71,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: Flags [P.], seq 1000:1031, ack 2000, win 512, length 31 40001+ A? example.org. (29)

        """,
      hex: "4500004700014000400626ae0a0000010a0000029c410035000003e8000007d05018020082aa0000001d9c4101000001"
        + "000000000000076578616d706c65036f72670000010001"),
    GoldenLine(
      name: "DNS over TCP, another length", linkType: 101, wireLength: 71,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: Flags [P.], seq 1000:1031, ack 2000, win 512, length 31 [prefix length(99) != length(29)] (invalid)

        """,
      hex: "4500004700014000400626ae0a0000010a0000029c410035000003e8000007d0501802008264000000639c4101000001"
        + "000000000000076578616d706c65036f72670000010001"),
    GoldenLine(
      name: "DNS over TCP, one byte", linkType: 101, wireLength: 41,
      text: """
        IP 10.0.0.1.40001 > 10.0.0.2.53: Flags [P.], seq 1000:1001, ack 2000, win 512, length 1 [DNS over TCP: length 1 < 2] (invalid)

        """,
      hex: "4500002900014000400626cc0a0000010a0000029c410035000003e8000007d050180200f19a000000"),
    GoldenLine(
      name: "multicast DNS question", linkType: 101, flags: "-vv", wireLength: 83,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 83)
            10.0.0.1.5353 > 10.0.0.2.5353: [no cksum] 0 [1a] PTR (QU)? _ipp._tcp.local. _ipp._tcp.local. PTR printer._ipp._tcp.local. (55)

        """,
      hex: "4500005300014000401126970a0000010a00000214e914e9003f0000000000000001000100000000045f697070045f74"
        + "6370056c6f63616c00000c8001c00c000c000100000e10000a077072696e746572c00c"),
    GoldenLine(
      name: "multicast DNS answer", linkType: 101, flags: "-v", wireLength: 106,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 106)
            10.0.0.1.5353 > 10.0.0.2.5353: 0*- [0q] 2/0/0 _ipp._tcp.local. PTR printer._ipp._tcp.local., printer.local. (Cache flush) A 192.168.1.9 (78)

        """,
      hex: "4500006a00014000401126800a0000010a00000214e914e900560000000084000000000200000000045f697070045f74"
        + "6370056c6f63616c00000c000100000e10000a077072696e746572c00c077072696e746572056c6f63616c0000018001"
        + "000000780004c0a80109"),
    GoldenLine(
      name: "DHCP discover", linkType: 101, wireLength: 315,
      text: """
        IP 0.0.0.0.68 > 255.255.255.255.67: BOOTP/DHCP, Request from 02:00:00:00:00:01, length 287

        """,
      hex: "4500013b00014000401139b200000000ffffffff0044004301270000010106001234abcd000380000000000000000000"
        + "000000000000000002000000000100000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000638253633501013d07010200000000010c06636c69656e74"
        + "3c0676656e646f7237060103060f79c8390205dcff000000000000"),
    GoldenLine(
      name: "DHCP discover -v", linkType: 101, flags: "-v", wireLength: 315,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 315)
            0.0.0.0.68 > 255.255.255.255.67: BOOTP/DHCP, Request from 02:00:00:00:00:01, length 287, xid 0x1234abcd, secs 3, Flags [Broadcast]
        \t  Client-Ethernet-Address 02:00:00:00:00:01
        \t  Vendor-rfc1048 Extensions
        \t    Magic Cookie 0x63825363
        \t    DHCP-Message (53), length 1: Discover
        \t    Client-ID (61), length 7: ether 02:00:00:00:00:01
        \t    Hostname (12), length 6: "client"
        \t    Vendor-Class (60), length 6: "vendor"
        \t    Parameter-Request (55), length 6:\u{20}
        \t      Subnet-Mask (1), Default-Gateway (3), Domain-Name-Server (6), Domain-Name (15)
        \t      Classless-Static-Route (121), Unknown (200)
        \t    MSZ (57), length 2: 1500

        """,
      hex: "4500013b00014000401139b200000000ffffffff0044004301270000010106001234abcd000380000000000000000000"
        + "000000000000000002000000000100000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000638253633501013d07010200000000010c06636c69656e74"
        + "3c0676656e646f7237060103060f79c8390205dcff000000000000"),
    GoldenLine(
      name: "DHCP acknowledgement", linkType: 101, wireLength: 401,
      text: """
        IP 10.0.0.1.67 > 10.0.0.2.68: BOOTP/DHCP, Reply, length 373

        """,
      hex: "4500019100014000401125590a0000010a00000200430044017d0000020106001234abcd00000000000000000a00004d"
        + "000000000000000002000000000100000000000000000000736572766572000000000000000000000000000000000000"
        + "00000000000000000000000000000000000000000000000000000000000000000000000000000000626f6f740166696c"
        + "650000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "0000000000000000000000000000000000000000000000006382536335010536040a0000013304000151800104ffffff"
        + "0003040a00000106080a0000010a0000020f0b6578616d706c652e6f72670204fffff1f013010121080a0100000a0000"
        + "09790c100a010a000009000a000001520d0106706f72742031090301020351070100006e616d652e01083401034d0403"
        + "616263c80201020105ff00000000ff0000"),
    GoldenLine(
      name: "DHCP acknowledgement -vvv", linkType: 101, flags: "-vvv", wireLength: 401,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 401)
            10.0.0.1.67 > 10.0.0.2.68: [no cksum] BOOTP/DHCP, Reply, length 373, xid 0x1234abcd, Flags [none] (0x0000)
        \t  Your-IP 10.0.0.77
        \t  Client-Ethernet-Address 02:00:00:00:00:01
        \t  sname "server"
        \t  file "boot^Afile"
        \t  Vendor-rfc1048 Extensions
        \t    Magic Cookie 0x63825363
        \t    DHCP-Message (53), length 1: ACK
        \t    Server-ID (54), length 4: 10.0.0.1
        \t    Lease-Time (51), length 4: 86400
        \t    Subnet-Mask (1), length 4: 255.255.255.0
        \t    Default-Gateway (3), length 4: 10.0.0.1
        \t    Domain-Name-Server (6), length 8: 10.0.0.1,10.0.0.2
        \t    Domain-Name (15), length 11: "example.org"
        \t    Time-Zone (2), length 4: -3600
        \t    IPF (19), length 1: Y
        \t    Static-Route (33), length 8: (10.1.0.0:10.0.0.9)
        \t    Classless-Static-Route (121), length 12: (10.1.0.0/16:10.0.0.9),(default:10.0.0.1)
        \t    Agent-Information (82), length 13:\u{20}
        \t      Circuit-ID SubOption 1, length 6: port 1
        \t      Unknown SubOption 9, length 3:\u{20}
        \t\t0x0000:  0102 03
        \t    FQDN (81), length 7: [S] "name"
        \t    Netbios-Node (46), length 1: h-node
        \t    OO (52), length 1: file+sname
        \t    User-Class (77), length 4:\u{20}
        \t      instance#1: "abc", length 3
        \t    Unknown (200), length 2: 258
        \t    Subnet-Mask (1), length 5: 255.0.0.0
        \t  trailing data length 1
        \t    END (255), length 0
        \t    PAD (0), length 0, occurs 2

        """,
      hex: "4500019100014000401125590a0000010a00000200430044017d0000020106001234abcd00000000000000000a00004d"
        + "000000000000000002000000000100000000000000000000736572766572000000000000000000000000000000000000"
        + "00000000000000000000000000000000000000000000000000000000000000000000000000000000626f6f740166696c"
        + "650000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "0000000000000000000000000000000000000000000000006382536335010536040a0000013304000151800104ffffff"
        + "0003040a00000106080a0000010a0000020f0b6578616d706c652e6f72670204fffff1f013010121080a0100000a0000"
        + "09790c100a010a000009000a000001520d0106706f72742031090301020351070100006e616d652e01083401034d0403"
        + "616263c80201020105ff00000000ff0000"),
    GoldenLine(
      name: "BOOTP of Carnegie Mellon", linkType: 101, flags: "-v", wireLength: 328,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 328)
            10.0.0.1.67 > 10.0.0.2.68: BOOTP/DHCP, Reply, length 300, xid 0x1234abcd, Flags [none]
        \t  Client-Ethernet-Address 02:00:00:00:00:01 vend-cmu DG:10.0.0.1 SM:255.0.0.0

        """,
      hex: "4500014800014000401125a20a0000010a0000020043004401340000020106001234abcd000000000000000000000000"
        + "000000000000000002000000000100000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000434d550001000000ff0000000a0000010000000000000000"
        + "00000000000000000000000000000000000000000000000000000000000000000000000000000000"),
    GoldenLine(
      name: "BOOTP of another vendor", linkType: 101, flags: "-v", wireLength: 268,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 268)
            10.0.0.1.67 > 10.0.0.2.68: BOOTP/DHCP, unknown (0x03), length 240, xid 0x1234abcd, Flags [none]
        \t  Client-Ethernet-Address 02:00:00:00:00:01
        \t  Vendor-#0x1020304

        """,
      hex: "4500010c00014000401125de0a0000010a0000020043004400f80000030106001234abcd000000000000000000000000"
        + "000000000000000002000000000100000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "00000000000000000000000000000000000000000000000001020304"),
    GoldenLine(
      name: "DHCP cut in the header", linkType: 101, flags: "-v", wireLength: 315,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 315)
            10.0.0.1.68 > 10.0.0.2.67: BOOTP/DHCP, Request [|bootp]

        """,
      hex: "4500013b00014000401125af0a0000010a0000020044004301270000010106001234abcd000380000000000000000000"
        + "0000"),
    GoldenLine(
      name: "DHCP cut in an option", linkType: 101, flags: "-v", wireLength: 315,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 315)
            10.0.0.1.68 > 10.0.0.2.67: BOOTP/DHCP, Request from 02:00:00:00:00:01, length 287, xid 0x1234abcd, secs 3, Flags [Broadcast]
        \t  Client-Ethernet-Address 02:00:00:00:00:01
        \t  Vendor-rfc1048 Extensions
        \t    Magic Cookie 0x63825363
        \t    DHCP-Message (53), length 1: Discover
        \t    Client-ID (61), length 7: ether 02:00:00:00:00:01
        \t    Hostname (12), length 6: "client"
        \t    Vendor-Class (60), length 6:  [|bootp]

        """,
      hex: "4500013b00014000401125af0a0000010a0000020044004301270000010106001234abcd000380000000000000000000"
        + "000000000000000002000000000100000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000638253633501013d07010200000000010c06636c69656e74"
        + "3c06"),
    GoldenLine(
      name: "DHCP cut before the hardware address", linkType: 101, wireLength: 315,
      text: """
        IP 10.0.0.1.68 > 10.0.0.2.67: BOOTP/DHCP, Request [|bootp]

        """,
      hex: "4500013b00014000401125af0a0000010a0000020044004301270000010106001234abcd00038000"),
    GoldenLine(
      name: "DHCPv6 solicit", linkType: 101, wireLength: 108,
      text: """
        IP6 fe80::1.546 > ff02::1:2.547: dhcp6 solicit

        """,
      hex: "6000000000441101fe800000000000000000000000000001ff02000000000000000000000001000202220223004470e9"
        + "011234560001000e0001000129b927000200000000010003000c00000001000000000000000000060008001700180027"
        + "03e700080002000a000e0000"),
    GoldenLine(
      name: "DHCPv6 solicit -v", linkType: 101, flags: "-v", wireLength: 108,
      text: """
        IP6 (hlim 1, next-header UDP (17) payload length: 68) fe80::1.546 > ff02::1:2.547: [udp sum ok] dhcp6 solicit (xid=123456 (client-ID hwaddr/time type 1 time 700000000 020000000001) (IA_NA IAID:1 T1:0 T2:0) (option-request DNS-server DNS-search-list Client-FQDN opt_999) (elapsed-time 10) (rapid-commit))

        """,
      hex: "6000000000441101fe800000000000000000000000000001ff02000000000000000000000001000202220223004470e9"
        + "011234560001000e0001000129b927000200000000010003000c00000001000000000000000000060008001700180027"
        + "03e700080002000a000e0000"),
    GoldenLine(
      name: "DHCPv6 reply -v", linkType: 101, flags: "-v", wireLength: 307,
      text: """
        IP6 (hlim 1, next-header UDP (17) payload length: 267) fe80::1.547 > ff02::1:2.546: [udp sum ok] dhcp6 reply (xid=123456 (client-ID hwaddr/time type 1 time 700000000 020000000001) (server-ID hwaddr type 1 020000000001) (IA_NA IAID:1 T1:1800 T2:2880 (IA_ADDR 2001:db8::77 pltime:3600 vltime:7200 (status-code Success))) (IA_PD IAID:2 T1:0 T2:0 (IA_PD-prefix 2001:db8:1::/56 pltime:3600 vltime:7200)) (DNS-server 2001:db8::53) (DNS-search-list example.org. example.net.) (NTP-server subopt:1 2001:db8::123 subopt:3 ntp.example.org.) (AFTR-Name aftr.example.org) (POSIX-timezone EST5EDT))

        """,
      hex: "60000000010b1101fe800000000000000000000000000001ff02000000000000000000000001000202230222010b12fe"
        + "071234560001000e0001000129b927000200000000010002000a000300010200000000010003002e0000000100000708"
        + "00000b400005001e20010db800000000000000000000007700000e1000001c20000d0002000000190029000000020000"
        + "000000000000001a001900000e1000001c203820010db80001000000000000000000000017001020010db80000000000"
        + "000000000000530018001a076578616d706c65036f726700076578616d706c65036e657400003800290001001020010d"
        + "b800000000000000000000012300030011036e7470076578616d706c65036f726700004000120461667472076578616d"
        + "706c65036f7267000029000745535435454454"),
    GoldenLine(
      name: "DHCPv6 relayed -v", linkType: 101, flags: "-v", wireLength: 159,
      text: """
        IP6 (hlim 1, next-header UDP (17) payload length: 119) fe80::1.547 > ff02::1:2.547: [udp sum ok] dhcp6 relay-fwd (linkaddr=2001:db8::1 peeraddr=fe80::77 (interface-ID 65746830...) (relay-message (dhcp6 solicit (xid=123456 (client-ID hwaddr/time type 1 time 700000000 020000000001) (IA_NA IAID:1 T1:0 T2:0) (option-request DNS-server DNS-search-list Client-FQDN opt_999) (elapsed-time 10) (rapid-commit))) (preference 10))

        """,
      hex: "6000000000771101fe800000000000000000000000000001ff0200000000000000000000000100020223022300775fc8"
        + "0c0020010db8000000000000000000000001fe80000000000000000000000000007700120004657468300009003c0112"
        + "34560001000e0001000129b927000200000000010003000c0000000100000000000000000006000800170018002703e7"
        + "00080002000a000e0000000700010a"),
    GoldenLine(
      name: "DHCPv6 cut in an option", linkType: 101, flags: "-v", wireLength: 307,
      text: """
        IP6 (hlim 1, next-header UDP (17) payload length: 267) fe80::1.546 > ff02::1:2.547: dhcp6 reply (xid=123456 (client-ID hwaddr/time type 1 time 700000000 020000000001) (server-ID hwaddr type 1 020000000001) [|dhcp6])

        """,
      hex: "60000000010b1101fe800000000000000000000000000001ff02000000000000000000000001000202220223010b12fe"
        + "071234560001000e0001000129b927000200000000010002000a000300010200000000010003002e0000000100000708"
        + "00000b40"),
    GoldenLine(
      name: "DHCPv6 cut in the header", linkType: 101, flags: "-v", wireLength: 307,
      text: """
        IP6 (hlim 1, next-header UDP (17) payload length: 267) fe80::1.546 > ff02::1:2.547: dhcp6 [|dhcp6]

        """,
      hex: "60000000010b1101fe800000000000000000000000000001ff02000000000000000000000001000202220223010b12fe"
        + "0712"),
    GoldenLine(
      name: "DHCPv6 option that leaves its association", linkType: 101, flags: "-v", wireLength: 77,
      text: """
        IP6 (hlim 1, next-header UDP (17) payload length: 37) fe80::1.546 > ff02::1:2.547: [udp sum ok] dhcp6 solicit (xid=1 (IA_NA IAID:0 T1:0 T2:0 [|dhcp6]) (preference 1))

        """,
      hex: "6000000000251101fe800000000000000000000000000001ff020000000000000000000000010002022202230025fb1d"
        + "0100000100030010000000000000000000000000000500990007000101"),
    GoldenLine(
      name: "NTP client", linkType: 101, wireLength: 76,
      text: """
        IP 10.0.0.1.123 > 10.0.0.2.123: NTPv4, Client, length 48

        """,
      hex: "4500004c000140004011269e0a0000010a000002007b007b00380000230006ec00000000000000000000000000000000"
        + "0000000000000000000000000000000000000000eccf2b4040000000"),
    GoldenLine(
      name: "NTP client -v", linkType: 101, flags: "-v", wireLength: 76,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 76)
            10.0.0.1.123 > 10.0.0.2.123: NTPv4, Client, length 48
        \tLeap indicator:  (0), Stratum 0 (unspecified), poll 6 (64s), precision -20
        \tRoot Delay: 0.000000, Root dispersion: 0.000000, Reference-ID: (unspec)
        \t  Reference Timestamp:  0.000000000
        \t  Originator Timestamp: 0.000000000
        \t  Receive Timestamp:    0.000000000
        \t  Transmit Timestamp:   3973000000.250000000 (2025-11-24T19:06:40Z)
        \t    Originator - Receive Timestamp:  0.000000000
        \t    Originator - Transmit Timestamp: 3973000000.250000000 (2025-11-24T19:06:40Z)

        """,
      hex: "4500004c000140004011269e0a0000010a000002007b007b00380000230006ec00000000000000000000000000000000"
        + "0000000000000000000000000000000000000000eccf2b4040000000"),
    GoldenLine(
      name: "NTP server -v", linkType: 101, flags: "-v", wireLength: 76,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 76)
            10.0.0.1.123 > 10.0.0.2.123: NTPv4, Server, length 48
        \tLeap indicator:  (0), Stratum 2 (secondary reference), poll 6 (64s), precision -24
        \tRoot Delay: 0.039993, Root dispersion: 0.044998, Reference-ID: 0xc0000204
        \t  Reference Timestamp:  3972999000.000000000 (2025-11-24T18:50:00Z)
        \t  Originator Timestamp: 3973000000.250000000 (2025-11-24T19:06:40Z)
        \t  Receive Timestamp:    3973000000.312500000 (2025-11-24T19:06:40Z)
        \t  Transmit Timestamp:   3973000000.312500953 (2025-11-24T19:06:40Z)
        \t    Originator - Receive Timestamp:  +0.062500000
        \t    Originator - Transmit Timestamp: +0.062500953

        """,
      hex: "4500004c000140004011269e0a0000010a000002007b007b00380000240206e800000a3d00000b85c0000204eccf2758"
        + "00000001eccf2b4040000000eccf2b4050000000eccf2b4050001000"),
    GoldenLine(
      name: "NTP with a key -v", linkType: 101, flags: "-v", wireLength: 96,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 96)
            10.0.0.1.123 > 10.0.0.2.123: NTPv4, Server, length 68
        \tLeap indicator:  (0), Stratum 2 (secondary reference), poll 6 (64s), precision -24
        \tRoot Delay: 0.039993, Root dispersion: 0.044998, Reference-ID: 0xc0000204
        \t  Reference Timestamp:  3972999000.000000000 (2025-11-24T18:50:00Z)
        \t  Originator Timestamp: 3973000000.250000000 (2025-11-24T19:06:40Z)
        \t  Receive Timestamp:    3973000000.312500000 (2025-11-24T19:06:40Z)
        \t  Transmit Timestamp:   3973000000.312500953 (2025-11-24T19:06:40Z)
        \t    Originator - Receive Timestamp:  +0.062500000
        \t    Originator - Transmit Timestamp: +0.062500953
        \tKey id: 7
        \tAuthentication: 000102030405060708090a0b0c0d0e0f

        """,
      hex: "45000060000140004011268a0a0000010a000002007b007b004c0000240206e800000a3d00000b85c0000204eccf2758"
        + "00000001eccf2b4040000000eccf2b4050000000eccf2b405000100000000007000102030405060708090a0b0c0d0e0f"),
    GoldenLine(
      name: "NTP of a reference clock -v", linkType: 101, flags: "-v", wireLength: 85,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 85)
            10.0.0.1.123 > 10.0.0.2.123: NTPv3, Server, length 57
        \tLeap indicator: clock unsynchronized (192), Stratum 1 (primary reference), poll -6 (1/64s), precision -3
        \tRoot Delay: 0.039993, Root dispersion: 0.044998, Reference-ID: GPS^@
        \t  Reference Timestamp:  3972999000.000000000 (2025-11-24T18:50:00Z)
        \t  Originator Timestamp: 3973000000.250000000 (2025-11-24T19:06:40Z)
        \t  Receive Timestamp:    3973000000.312500000 (2025-11-24T19:06:40Z)
        \t  Transmit Timestamp:   3973000000.312500953 (2025-11-24T19:06:40Z)
        \t    Originator - Receive Timestamp:  +0.062500000
        \t    Originator - Transmit Timestamp: +0.062500953
        \t(9 more bytes after the header)

        """,
      hex: "4500005500014000401126950a0000010a000002007b007b00410000dc01fafd00000a3d00000b8547505300eccf2758"
        + "00000001eccf2b4040000000eccf2b4050000000eccf2b4050001000000000000000000000"),
    GoldenLine(
      name: "NTP control -v", linkType: 101, flags: "-v", wireLength: 48,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 48)
            10.0.0.1.123 > 10.0.0.2.123: NTPv2, Control Message, length 20
        \tLeap indicator:  (0), Response, OK, Last, OpCode=2
        \tSequence=1, Status=0x615, Assoc.=0, Offset=0, Count=8
        \tTO-BE-DONE: data not interpreted

        """,
      hex: "4500003000014000401126ba0a0000010a000002007b007b001c000016820001061500000000000876657273696f6e3d"),
    GoldenLine(
      name: "NTP private -v", linkType: 101, flags: "-v", wireLength: 36,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 36)
            10.0.0.1.123 > 10.0.0.2.123: NTPv2, Reserved, length 8
        \tLeap indicator:  (0)

        """,
      hex: "4500002400014000401126c60a0000010a000002007b007b001000001700032a00000000"),
    GoldenLine(
      name: "NTP cut", linkType: 101, flags: "-v", wireLength: 76,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 76)
            10.0.0.1.123 > 10.0.0.2.123: NTPv4, Server, length 48
        \tLeap indicator:  (0), Stratum 2 (secondary reference), poll 6 (64s), precision -24
        \tRoot Delay: 0.039993, Root dispersion: 0.044998, Reference-ID: 0xc0000204
        \t  Reference Timestamp:  3972999000.000000000 (2025-11-24T18:50:00Z)
        \t  Originator Timestamp: 3973000000.250000000 (2025-11-24T19:06:40Z) [|ntp]

        """,
      hex: "4500004c000140004011269e0a0000010a000002007b007b00380000240206e800000a3d00000b85c0000204eccf2758"
        + "00000001eccf2b4040000000"),
    GoldenLine(
      name: "NTP short", linkType: 101, flags: "-v", wireLength: 48,
      text: """
        IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 48)
            10.0.0.1.123 > 10.0.0.2.123: NTPv4, Server, length 20
        \tLeap indicator:  (0) (invalid)

        """,
      hex: "4500003000014000401126ba0a0000010a000002007b007b001c0000240206e800000a3d00000b85c0000204eccf2758"),
  ]
}
