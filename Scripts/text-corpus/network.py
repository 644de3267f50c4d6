"""Link layer, ARP, IPv4 and IPv6."""

from common import *
from scapy.layers.inet import (
    ICMP,
    IPOption,
    IPOption_EOL,
    IPOption_LSRR,
    IPOption_NOP,
    IPOption_RR,
    IPOption_Router_Alert,
    IPOption_SSRR,
    IPOption_Security,
    IPOption_Timestamp,
)
from scapy.layers.inet6 import (
    HBHOptUnknown,
    ICMPv6EchoRequest,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
    Jumbo,
    Pad1,
    PadN,
    RouterAlert,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q

BROADCAST = "ff:ff:ff:ff:ff:ff"


def link():
    plain = ip(udp())
    frames = [
        eth(plain),
        eth(plain) + bytes(20),
        eth(ip6(udp())),
        eth(ip6(udp())) + b"\1\2\3\4",
        eth(tcp_ip()),
        bytes(Ether(src=NEAR, dst=BROADCAST) / plain),
        bytes(Ether(src=NEAR, dst="33:33:00:00:00:01") / ip6(udp())),
        bytes(Ether(src=NEAR, dst="01:00:5e:00:00:fb") / plain),
        eth(bytes(range(46)), 0x88B5),
        eth(b"text of an unknown type", 0x9999),
        eth(b"", 0x0800),
        eth(b"\x45", 0x0800),
        eth(bytes(46), 0x0601),
        eth(bytes(5), 0xFFFF),
        eth(b"", 0x86DD),
        eth(bytes(plain), 0x86DD),
        eth(bytes(ip6(udp())), 0x0800),
        eth(b"\n\r\t ~\x7f\x80\xff", 0x88B6),
        eth(b"line\none\r\nline two\n", 0x88B5),
    ]

    # 802.3: LLC and SNAP.
    def llc(rest, length=None):
        return eth(rest, len(rest) if length is None else length)

    snap = b"\xaa\xaa\x03"
    frames += [
        llc(snap + b"\0\0\0" + word(0x0800) + bytes(plain)),
        llc(snap + b"\0\0\0" + word(0x86DD) + bytes(ip6(udp()))),
        llc(snap + b"\0\0\0" + word(0x0806) + bytes(arp_request())),
        llc(snap + b"\0\0\x5e\x12\x34 and more"),
        llc(b"\x06\x06\x03" + bytes(plain)),
        llc(b"\x00\x00\xe3") + bytes(43),
        llc(b"\x00\x01\xf3" + bytes(20)),
        llc(b"\x12\x34\x00\x02payload"),
        llc(b"\x12\x35\x01\x04"),
        llc(b"\x04\x04\xaf\x81\x01\x00"),
        llc(b"\x12\x34\x03unnumbered"),
        llc(b"\x12\x34\x03short", 400),
        llc(b""),
        llc(b"\xaa"),
        llc(b"\xaa\xaa"),
    ]
    for tag in [dict(vlan=5), dict(vlan=0, prio=7), dict(vlan=4095, prio=3, id=1), dict(vlan=1)]:
        frames.append(eth(Dot1Q(**tag) / plain))
    frames += [
        eth(Dot1Q(vlan=7) / ip6(udp())),
        eth(Dot1Q(vlan=7) / arp_request()),
        eth(Dot1Q(vlan=7, type=0x9999) / b"bytes"),
        eth(Dot1Q(vlan=7, type=11) / (snap + b"\0\0\0" + word(0x88B5) + b"abc")),
        eth(Dot1Q(vlan=7, type=0x0800)),
        eth(Dot1AD(vlan=100) / Dot1Q(vlan=5) / plain),
        eth(Dot1AD(vlan=100, prio=5) / plain),
        eth(Dot1AD(vlan=100) / Dot1Q(vlan=5, prio=1) / ip6(udp())),
        eth(Dot1Q(vlan=2) / Dot1Q(vlan=3) / plain),
        eth(Dot1Q(vlan=2) / Dot1Q(vlan=3) / Dot1Q(vlan=4, id=1) / tcp_ip()),
        eth(word(0x2064) + word(0x0800) + bytes(plain), 0x9100),
        eth(word(0x0064) + word(0x0800) + bytes(plain), 0x9200),
        eth(Dot1AD(vlan=100) / Dot1Q(vlan=5) / arp_request()),
    ]
    return frames


def tcp_ip():
    return ip(tcp(b"", flags="S", seq=7))


def arp_request(**fields):
    return ARP(**{"op": 1, "hwsrc": NEAR, "psrc": "10.0.0.1", "hwdst": "00:00:00:00:00:00", "pdst": "10.0.0.2", **fields})


def arp():
    def raw(hardware=1, protocol=0x0800, hlen=6, plen=4, op=1, rest=bytes.fromhex("0200000000010a0000010000000000000a000002")):
        return eth(word(hardware) + word(protocol) + bytes([hlen, plen]) + word(op) + rest, 0x0806)

    frames = [
        bytes(Ether(src=NEAR, dst=BROADCAST) / arp_request()),
        eth(arp_request()),
        eth(arp_request()) + bytes(18),
        eth(arp_request(hwdst=FAR)),
        eth(arp_request(op=2, hwdst=FAR)),
        eth(arp_request(op=2, hwdst=FAR)) + bytes(18),
        eth(arp_request(psrc="0.0.0.0")),
        eth(arp_request(pdst="10.0.0.1")),
        eth(arp_request(op=2, pdst="10.0.0.1", hwdst=BROADCAST)),
        eth(arp_request(op=2, pdst="10.0.0.1", hwdst=NEAR)),
        eth(arp_request(hwdst=BROADCAST)),
        eth(arp_request(hwsrc="00:00:00:00:00:00")),
        eth(arp_request(op=2, hwsrc=FAR)),
        bytes(Ether(src=FAR, dst=NEAR) / arp_request(op=2, hwdst=NEAR, psrc="10.0.0.9")),
    ]
    frames += [eth(arp_request(op=op)) for op in [3, 4, 8, 9, 10, 0, 25, 9999]]
    frames += [eth(bytes(arp_request(op=op)), 0x8035) for op in [3, 4, 1]]
    frames += [raw(hardware=hardware) for hardware in [0, 2, 6, 24, 32, 999]]
    frames += [
        raw(protocol=0x86DD),
        raw(protocol=0x1234),
        raw(protocol=0x9000),
        raw(hlen=0),
        raw(plen=0),
        raw(hlen=8),
        raw(hlen=255),
    ]
    frames += [
        raw(plen=16, rest=bytes(44)),
        raw(hlen=4, rest=bytes(16)),
        raw(hlen=8, rest=bytes(range(24))),
        raw(plen=3),
        raw(op=2, plen=0),
    ]
    frames += [raw(rest=bytes(10)), raw(rest=b""), eth(b"\0", 0x0806), raw(rest=bytes(20))]
    return frames


def ip4():
    data = bytes(range(64, 88))
    frames = [eth(ip(b"payload", proto=proto)) for proto in [0, 253, 254, 255, 61, 99, 63, 114]]
    frames += [eth(ip(udp(), tos=tos)) for tos in [0x10, 0xB8, 1, 2, 3, 0xFF]]
    frames += [eth(ip(udp(), flags=flags)) for flags in ["DF", 4, 7]]
    frames += [eth(ip(udp(), id=0, flags="DF")), eth(ip(udp(), ttl=1)), eth(ip(udp(), ttl=0)), eth(ip(udp(), ttl=255, id=65535))]
    for first in [udp(data, len=500, chksum=0x1234), tcp(data, flags="A", ack=5), ICMP(id=1, seq=2, chksum=0x1111) / data]:
        frames.append(eth(ip(first, flags="MF")))
    for proto in [17, 6, 1, 253]:
        frames += [eth(ip(data, proto=proto, flags="MF", frag=185)), eth(ip(data, proto=proto, frag=370))]
    frames += [
        eth(ip(data, proto=17, flags="MF", frag=8191)),
        eth(ip(b"", proto=17, frag=3)),
        eth(ip(data[:7], proto=17, flags="MF+DF", frag=2)),
    ]
    options = [
        IPOption_NOP(),
        IPOption_EOL(),
        IPOption_Router_Alert(),
        IPOption_Router_Alert(alert=1),
        IPOption_RR(pointer=4, routers=["0.0.0.0", "0.0.0.0"]),
        IPOption_RR(pointer=8, routers=["10.9.9.1", "0.0.0.0"]),
        IPOption_RR(pointer=5, routers=["10.9.9.1"]),
        IPOption_LSRR(pointer=4, routers=["10.9.9.1", "10.9.9.2"]),
        IPOption_SSRR(pointer=12, routers=["10.9.9.1", "10.9.9.2"]),
        IPOption_Security(security=0xABCD),
        IPOption_Timestamp(flg=0, timestamp=86399999, length=8, pointer=5),
        IPOption(b"\x44\x0c\x05\x01\x0a\x00\x00\x09\x00\x00\x10\x00"),
        IPOption(b"\x44\x0c\x0d\x11\x0a\x00\x00\x09\x80\x00\x10\x00"),
        IPOption(b"\x44\x0c\x05\x03\x0a\x00\x00\x09\x00\x00\x10\x00"),
        IPOption(b"\x44\x0c\x05\x02\x0a\x00\x00\x09\x00\x00\x10\x00"),
        IPOption(b"\x99\x04\1\2"),
        IPOption(b"\x88\x04\x12\x34"),
        IPOption(b"\x94\x06\0\0\0\0"),
        IPOption(b"\x07\x02"),
        IPOption(b"\x07\x01"),
        IPOption(b"\x83\x03\x04"),
        IPOption(b"\x44\x00"),
        IPOption(b"\x99\x28\1\2"),
        IPOption(b"\x01\x01\x99"),
    ]
    frames += [eth(ip(udp(), options=[option])) for option in options]
    frames.append(eth(ip(udp(), options=[IPOption_NOP(), IPOption_Router_Alert(), IPOption_RR(pointer=4, routers=["0.0.0.0"])])))
    frames.append(eth(ip(tcp(), options=[IPOption_LSRR(pointer=4, routers=["10.9.9.1"])])))
    good = eth(ip(udp(data)))
    frames += [
        good + bytes(10),
        changed(good, 14, b"\x44"),
        changed(good, 14, b"\x4f"),
        changed(good, 14, b"\x55"),
        changed(good, 14, b"\x40"),
        changed(good, 16, word(0)),
        changed(good, 16, word(10)),
        changed(good, 16, word(20)),
        changed(good, 16, word(28)),
        changed(good, 16, word(1000)),
        changed(good, 16, word(30)),
        changed(good, 24, word(0xDEAD)),
        changed(good, 24, word(0)),
        eth(ip(b"", proto=17)),
        eth(ip(b"")),
        eth(ip(b"", proto=6)),
        eth(ip(udp(), src="255.255.255.255", dst="0.0.0.0")),
        eth(ip(udp(), src="10.0.0.1", dst="224.0.0.251")),
    ]
    return frames


def ip6_group():
    data = bytes(range(64, 88))
    hop, destination = IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt
    chains = [
        hop(options=[]) / udp(),
        hop(options=[RouterAlert(value=0)]) / udp(),
        hop(options=[RouterAlert(value=3), PadN(optdata=b"")]) / udp(),
        hop(options=[PadN(optdata=b"\0\0\0\0")]) / udp(),
        hop(options=[Pad1(), Pad1(), PadN(optdata=b"\0\0")]) / udp(),
        hop(options=[Jumbo(jumboplen=70000)]) / udp(),
        hop(options=[HBHOptUnknown(otype=0x3E, optdata=b"xyz")]) / udp(),
        hop(options=[HBHOptUnknown(otype=0xC2, optdata=b"\0\0")]) / udp(),
        hop(options=[RouterAlert(value=0)] * 4) / tcp(),
        destination(options=[PadN(optdata=b"\1\2\3\4")]) / udp(),
        destination(options=[HBHOptUnknown(otype=0xC9, optdata=bytes(16))]) / udp(),
        destination(options=[HBHOptUnknown(otype=0x04, optdata=b"\5")]) / tcp(),
        destination(options=[]) / b"",
        IPv6ExtHdrRouting(type=0, segleft=1, addresses=["2001:db8::9"]) / udp(),
        IPv6ExtHdrRouting(type=0, segleft=0, addresses=[]) / udp(),
        IPv6ExtHdrRouting(type=2, segleft=1, addresses=["2001:db8::9"]) / udp(),
        IPv6ExtHdrRouting(type=9, segleft=1, addresses=["2001:db8::9"]) / tcp(),
        IPv6ExtHdrRouting(type=0, segleft=2, addresses=["2001:db8::9", "2001:db8::8"]) / udp(),
        IPv6ExtHdrSegmentRouting(addresses=["2001:db8::7", "2001:db8::8"], segleft=1, lastentry=1, tag=5) / udp(),
        IPv6ExtHdrSegmentRouting(addresses=["2001:db8::7"], segleft=0, lastentry=0) / tcp(),
        IPv6ExtHdrFragment(m=1, offset=0, id=0x12345678) / udp(data, len=600, chksum=0x9999),
        IPv6ExtHdrFragment(m=1, offset=0, id=9) / tcp(data),
        IPv6ExtHdrFragment(m=1, offset=185, id=9, nh=17) / data,
        IPv6ExtHdrFragment(m=0, offset=370, id=9, nh=17) / data,
        IPv6ExtHdrFragment(m=0, offset=0, id=77) / udp(),
        IPv6ExtHdrFragment(m=1, offset=8191, id=9, nh=6) / data,
        IPv6ExtHdrFragment(m=0, offset=3, id=9, nh=58, res1=7, res2=1) / data,
        hop(options=[RouterAlert(value=0)])
        / destination(options=[PadN(optdata=b"\0\0\0\0")])
        / IPv6ExtHdrRouting(type=0, segleft=0, addresses=["2001:db8::9"])
        / IPv6ExtHdrFragment(m=0, offset=0, id=1)
        / destination(options=[])
        / tcp(data, flags="PA", ack=1),
        hop(options=[]) / ICMPv6EchoRequest(id=1, seq=1, data=data),
    ]
    frames = [eth(ip6(chain)) for chain in chains]
    frames += [eth(ip6(data, nh=nh)) for nh in [59, 253, 254, 255, 61, 99]]
    frames += [eth(ip6(b"", nh=nh)) for nh in [59, 0, 43, 44, 60, 17, 6]]
    frames += [eth(ip6(udp(), tc=tc, fl=fl)) for tc, fl in [(0xB8, 0), (3, 0xFFFFF), (0, 1), (0xFF, 0x12345)]]
    frames += [eth(ip6(udp(), hlim=hlim)) for hlim in [0, 1, 255]]
    good = eth(ip6(udp(data)))
    frames += [
        good + bytes(6),
        changed(good, 14, b"\x50"),
        changed(good, 14, b"\x40"),
        changed(good, 18, word(0)),
        changed(good, 18, word(4)),
        changed(good, 18, word(8)),
        changed(good, 18, word(900)),
        changed(good, 18, word(12)),
        changed(eth(ip6(hop(options=[PadN(optdata=b"\0\0\0\0")]) / udp())), 55, b"\x40"),
        changed(eth(ip6(hop(options=[PadN(optdata=b"\0\0\0\0")]) / udp())), 57, b"\x30"),
        changed(eth(ip6(hop(options=[RouterAlert(value=0)]) / udp())), 57, b"\x05"),
    ]
    for source, target in [
        ("::", "ff02::1"),
        ("fe80::1", "ff02::fb"),
        ("::ffff:10.0.0.1", "::10.0.0.2"),
        ("2001:db8:0:1:0:0:0:1", "1:0:0:2::3"),
        ("1:2:3:4:5:6:7:8", "64:ff9b::a00:1"),
    ]:
        frames.append(eth(ip6(udp(), src=source, dst=target)))
    return frames
