"""GRE, IP in IP, L2TPv3, VXLAN, ESP and AH."""

from common import *
from scapy.layers.inet import ICMP
from scapy.layers.l2 import Dot1Q, GRE

import network

INNER = dict(src="192.168.1.1", dst="192.168.2.1", id=99)
INNER6 = dict(src="fd00::1", dst="fd00::2")


def inner(payload=None, **fields):
    return ip(udp() if payload is None else payload, **{**INNER, **fields})


def inner6(payload=None, **fields):
    return ip6(udp() if payload is None else payload, **{**INNER6, **fields})


def tunnel():
    def gre(rest, proto=0x0800, flags=0, version=0):
        return ip(word(flags | version) + word(proto) + rest, proto=47)

    packets = [
        ip(GRE() / inner()),
        ip6(GRE() / inner()),
        ip(GRE(proto=0x86DD) / inner6()),
        ip(GRE(key_present=1, key=0xDEADBEEF) / inner()),
        ip(GRE(seqnum_present=1, seqence_number=77) / inner()),
        ip(GRE(chksum_present=1) / inner()),
        ip(GRE(chksum_present=1, chksum=0xBAD) / inner()),
        ip(GRE(chksum_present=1, key_present=1, seqnum_present=1, key=5, seqence_number=6) / inner()),
        ip(GRE(key_present=1, key=1, seqnum_present=1, seqence_number=2, proto=0x6558) / (Ether(src=NEAR, dst=FAR) / inner())),
        ip(GRE(proto=0x6558) / (Ether(src=NEAR, dst=FAR) / inner6())),
        ip(GRE(proto=0x6558) / (Ether(src=NEAR, dst=FAR) / Dot1Q(vlan=5) / inner())),
        ip(GRE(proto=0x6558) / (Ether(src=NEAR, dst=FAR) / network.arp_request())),
        ip(GRE(proto=0x6558) / (Ether(src=NEAR, dst=FAR, type=0x9999) / b"unknown")),
        gre(b"unknown", 0x1234),
        gre(b"", 0x0800),
        gre(b"", 0x0000),
        gre(b"\0\0\0\0" + bytes(inner()), flags=0x4000),
        gre(b"\0\0\0\0\0\0\0\0" + bytes(inner()), flags=0x4000),
        gre(b"\0\0\0\0" + word(2) + b"\0\4\12\0\0\1" + b"\0\0\0\0" + bytes(inner()), flags=0x4000),
        gre(bytes(inner()), flags=0x0800),
        gre(bytes(inner()), flags=0x0700),
        gre(bytes(inner()), flags=0x0078),
        gre(b"rest", version=2),
        gre(b"rest", version=7),
        gre(word(0) + word(9) + long(5), 0x880B, 0x2080, 1),
        gre(word(4) + word(9) + long(5), 0x880B, 0x2080, 1),
        gre(word(4) + word(9) + long(5) + long(6), 0x1234, 0x3080, 1),
        ip(GRE() / inner(tcp(b"abc", flags="PA", ack=1))),
        ip(GRE() / inner(ICMP(id=1, seq=2) / b"ping")),
        ip(GRE() / ip(GRE() / inner())),
        ip6(GRE(proto=0x86DD, key_present=1, key=9) / inner6()),
        ip(inner()),
        ip(inner(tcp())),
        ip(inner(ICMP(id=1, seq=1))),
        ip(inner6()),
        ip(inner6(tcp())),
        ip6(inner()),
        ip6(inner6()),
        ip6(inner(tcp(b"abc", flags="PA", ack=1))),
        ip(ip(inner())),
        ip(ip6(ip(inner()))),
        ip6(ip(ip6(inner6()))),
        ip(inner(), tos=1),
        ip(inner6(tc=2), tos=2),
        ip(inner(b"frag", proto=17, frag=4)),
        ip(bytes(inner()), proto=4, flags="MF"),
        ip(bytes(inner()), proto=4, frag=10),
        ip(b"", proto=4),
        ip(b"", proto=41),
        ip6(b"", nh=4),
        ip(b"\x45\0", proto=4),
        ip(bytes(inner6()), proto=4),
        ip(bytes(inner()), proto=41),
        ip(changed(bytes(inner()), 2, word(500)), proto=4),
        ip(changed(bytes(inner6()), 4, word(500)), proto=41),
        ip(b"rest", proto=47),
        ip(b"\0", proto=47),
    ]
    return [eth(packet) for packet in packets]


def l2tp():
    """Version 3 straight over IP: data of a session, and a control message (session 0)."""
    data = long(0x01020304) + bytes(Ether(src=NEAR, dst=FAR) / inner())
    cookie = long(7) + bytes(range(8)) + long(0) + bytes(Ether(src=NEAR, dst=FAR) / inner())
    hello = long(0) + b"\xc8\x03" + word(20) + long(9) + word(1) + word(2) + word(0x8008) + word(0) + word(0) + word(6)
    frames = []
    for wrap, number in [(ip, "proto"), (ip6, "nh")]:
        frames += [eth(wrap(rest, **{number: 115})) for rest in [data, cookie, hello, long(5), b"\0\1", b""]]
    return frames + [eth(ip(data, proto=115, flags="MF")), eth(ip(data, proto=115, frag=9)), eth(ip(data, proto=115)) + bytes(5)]


def vxlan():
    def vx(rest, flags=0x08, vni=100, reserved=b"\0\0\0", last=b"\0"):
        return bytes([flags]) + reserved + long(vni << 8)[:3] + last + rest

    link = Ether(src="02:11:00:00:00:01", dst="02:11:00:00:00:02")
    inside = [
        link / inner(),
        link / inner6(),
        link / Dot1Q(vlan=5) / inner(),
        link / network.arp_request(),
        link / inner(tcp(b"abc", flags="PA", ack=1)),
        link / inner(ICMP(id=1, seq=1) / b"ping"),
        link.__class__(src=NEAR, dst=FAR, type=0x9999) / b"unknown",
    ]
    frames = [eth(ip(udp(vx(bytes(frame)), sport=55555, dport=4789, chksum=0))) for frame in inside]
    plain = bytes(inside[0])
    frames += [
        eth(ip6(udp(vx(plain), sport=55555, dport=4789))),
        eth(ip(udp(vx(plain), sport=4789, dport=HERE))),
        eth(ip(udp(vx(plain), sport=4789, dport=4789))),
    ]
    frames += [
        eth(ip(udp(vx(plain, flags=flags, vni=vni), sport=55555, dport=4789)))
        for flags, vni in [(0, 0), (8, 0xFFFFFF), (0xFF, 1), (0x0C, 1)]
    ]
    frames += [
        eth(ip(udp(vx(plain, reserved=b"\1\2\3", last=b"\4"), sport=55555, dport=4789))),
        eth(ip(udp(vx(b""), sport=55555, dport=4789))),
        eth(ip(udp(vx(plain)[:5], sport=55555, dport=4789))),
        eth(ip(udp(b"", sport=55555, dport=4789))),
        eth(ip(udp(vx(plain[:10]), sport=55555, dport=4789))),
        eth(ip(udp(vx(bytes(link / ip(udp(vx(plain), sport=1024, dport=4789)))), sport=55555, dport=4789))),
    ]
    return frames


def ipsec():
    def esp(spi=0x1000, sequence=1, size=40):
        return long(spi) + long(sequence) + bytes((number * 37 + 5) % 256 for number in range(size))

    def ah(next_header, rest, words=4, spi=0x2000, sequence=3, check=bytes(range(12))):
        return bytes([next_header, words]) + word(0) + long(spi) + long(sequence) + check + bytes(rest)

    frames = []
    for wrap, number in [(ip, "proto"), (ip6, "nh")]:
        frames += [
            eth(wrap(rest, **{number: 50}))
            for rest in [esp(), esp(0xFFFFFFFF, 0xFFFFFFFF, 100), esp(0, 0, 0), esp()[:6], esp()[:4], b""]
        ]
        frames += [
            eth(wrap(rest, **{number: 51}))
            for rest in [
                ah(17, udp()),
                ah(6, tcp(b"", flags="S")),
                ah(4, inner()),
                ah(41, inner6()),
                ah(50, esp()),
                ah(59, b""),
                ah(253, b"unknown"),
                ah(51, ah(17, udp())),
                ah(17, udp(), words=7, check=bytes(24)),
                ah(17, udp(), words=0),
                ah(17, udp(), words=1, check=b""),
                ah(17, udp(), words=200),
                ah(1, ICMP(id=1, seq=1)),
                ah(17, udp(), spi=0xFFFFFFFF, sequence=0xFFFFFFFF),
                b"\x11\x04",
                b"",
            ]
        ]
    frames += [
        eth(ip(esp(), proto=50, flags="MF")),
        eth(ip(esp(), proto=50, frag=7)),
        eth(ip(ah(17, udp()), proto=51, frag=7)),
        eth(ip(esp(), proto=50)) + bytes(4),
    ]
    for rest in [b"\xff", esp(), esp(0x12345678, 9, 90), esp()[:4], esp()[:8], b"", b"\1", b"\xff\xff", esp()[:3], esp(255, 1)]:
        frames.append(eth(ip(udp(rest, sport=4500, dport=4500, chksum=0))))
    frames += [
        eth(ip6(udp(esp(), sport=4500, dport=4500))),
        eth(ip(udp(esp(), sport=4500, dport=61000))),
        eth(ip(udp(esp(), sport=61000, dport=4500))),
        eth(ip6(udp(b"\xff", sport=61000, dport=4500))),
    ]
    return frames
