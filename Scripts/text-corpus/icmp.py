"""ICMP, ICMPv6 with neighbour discovery and MLD, IGMP."""

from common import *
from scapy.contrib.igmp import IGMP
from scapy.contrib.igmpv3 import IGMPv3, IGMPv3gr, IGMPv3mq, IGMPv3mr
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6MLDMultAddrRec,
    ICMPv6MLDone,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6MLReport,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6ND_Redirect,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRedirectedHdr,
    ICMPv6NDOptRouteInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6NDOptAdvInterval,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    ICMPv6Unknown,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrFragment,
    RouterAlert,
)


def icmp():
    def reply(message):
        return eth(ip(message, src="10.0.0.2", dst="10.0.0.1"))

    quoted = ip(udp(b"0123456789"), id=7)
    frames = [eth(ip(ICMP(type=8, id=5, seq=number) / bytes(range(48)))) for number in [1, 2]]
    frames += [
        reply(ICMP(type=0, id=5, seq=1) / bytes(range(48))),
        eth(ip(ICMP(type=8, id=65535, seq=65535))),
        eth(ip(ICMP(type=8, id=5, seq=3, chksum=0xBAD) / b"abc")),
    ]
    frames += [reply(ICMP(type=3, code=code) / quoted) for code in list(range(16)) + [99]]
    frames += [reply(ICMP(type=3, code=4, nexthopmtu=mtu) / quoted) for mtu in [1280, 65535]]
    frames += [
        reply(ICMP(type=3, code=3) / inner)
        for inner in [
            ip(tcp(b"", flags="S"), id=8),
            ip(ICMP(type=8, id=1, seq=1), id=9),
            ip(b"12345678", proto=253),
            ip(b"12345678", proto=17, frag=20, flags="MF"),
            bytes(ip(tcp(b"")))[:28],
            b"",
            b"\x45\0\0",
            b"\x65" + bytes(30),
            ip(udp(b""), options=[]),
        ]
    ]
    frames += [reply(ICMP(type=3, code=2) / ip(b"12345678", proto=proto)) for proto in [6, 47, 99, 253]]
    frames += [reply(ICMP(type=5, code=code, gw="10.0.0.254") / quoted) for code in [0, 1, 2, 3, 9]]
    frames += [reply(ICMP(type=11, code=code) / quoted) for code in [0, 1, 7]]
    frames += [reply(ICMP(type=12, code=code, ptr=ptr) / quoted) for code, ptr in [(0, 0), (0, 9), (1, 20), (2, 3)]]
    frames += [
        reply(ICMP(type=4) / quoted),
        eth(ip(ICMP(type=13, id=4, seq=1, ts_ori=1000, ts_rx=0, ts_tx=0))),
        reply(ICMP(type=14, id=4, seq=1, ts_ori=1000, ts_rx=45296789, ts_tx=86399999)),
        reply(ICMP(type=14, id=4, seq=1, ts_ori=2**32 - 1, ts_rx=2**31, ts_tx=5)),
        eth(ip(ICMP(type=15, id=4, seq=1))),
        reply(ICMP(type=16, id=4, seq=1)),
        eth(ip(ICMP(type=17, id=4, seq=1, addr_mask="0.0.0.0"))),
        reply(ICMP(type=18, id=4, seq=1, addr_mask="255.255.255.0")),
        eth(ip(ICMP(type=10))),
    ]
    advertisement = (
        bytes([9, 0, 0, 0, 2, 2]) + word(1800) + bytes([10, 0, 0, 1]) + long(0) + bytes([10, 0, 0, 9]) + long(0x80000000)
    )
    frames += [
        eth(ip(advertisement, proto=1)),
        eth(ip(changed(advertisement, 4, b"\1\2\xff\xff"), proto=1)),
        eth(ip(changed(advertisement, 5, b"\1"), proto=1)),
    ]
    frames += [
        eth(ip(bytes([kind, code, 0x12, 0x34]) + b"rest of it", proto=1))
        for kind, code in [(1, 0), (2, 0), (30, 0), (41, 2), (200, 9), (255, 255)]
    ]
    # RFC 4884: the quoted packet padded to 128 bytes, then an extension with an MPLS label stack.
    stack = bytes.fromhex("2000") + word(0) + word(8) + b"\1\1" + long(16000 << 12 | 1 << 8 | 1)
    frames += [reply(ICMP(type=kind, length=32) / (bytes(quoted) + bytes(128 - len(quoted)) + stack)) for kind in [11, 3]]
    frames += [eth(ip(b"\x08", proto=1)), eth(ip(ICMP(type=8, id=5, seq=3) / b"abcdef")) + bytes(4)]
    return frames


def icmp6():
    def local(message, hlim=255, target="ff02::1", source="fe80::1"):
        return eth(ip6(message, src=source, dst=target, hlim=hlim))

    quoted = ip6(udp(b"0123456789"))
    link = [ICMPv6NDOptSrcLLAddr(lladdr=NEAR)]
    frames = [
        eth(ip6(ICMPv6EchoRequest(id=9, seq=1, data=bytes(range(48))))),
        eth(ip6(ICMPv6EchoReply(id=9, seq=1, data=bytes(48)))),
        eth(ip6(ICMPv6EchoRequest(id=9, seq=65535, data=b"", cksum=0xBAD))),
    ]
    frames += [eth(ip6(ICMPv6DestUnreach(code=code) / quoted)) for code in list(range(9)) + [200]]
    frames += [
        eth(ip6(ICMPv6DestUnreach(code=4) / inner))
        for inner in [
            ip6(tcp(b"", flags="S")),
            ip6(ICMPv6EchoRequest()),
            ip6(IPv6ExtHdrFragment(m=1, id=4, nh=17) / udp()),
            b"",
            b"\x60\0",
        ]
    ]
    frames += [eth(ip6(ICMPv6PacketTooBig(mtu=mtu) / quoted)) for mtu in [1280, 2**32 - 1]]
    frames += [eth(ip6(ICMPv6TimeExceeded(code=code) / quoted)) for code in [0, 1, 2]]
    frames += [eth(ip6(ICMPv6ParamProblem(code=code, ptr=40) / quoted)) for code in [0, 1, 2, 3]]
    frames += [local(ICMPv6ND_RS() / link[0], target="ff02::2"), local(ICMPv6ND_RS(), source="::", target="ff02::2")]
    prefix = ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=64, L=1, A=1, validlifetime=86400, preferredlifetime=14400)
    options = [
        link[0],
        ICMPv6NDOptMTU(mtu=1500),
        prefix,
        ICMPv6NDOptPrefixInfo(prefix="2001:db8:2::", prefixlen=48, L=0, A=0, R=1, validlifetime=2**32 - 1, preferredlifetime=0),
        ICMPv6NDOptRDNSS(dns=["2001:db8::53", "2001:db8::54"], lifetime=600),
        ICMPv6NDOptDNSSL(searchlist=["example.org.", "a.b."], lifetime=600),
        ICMPv6NDOptRouteInfo(prefix="2001:db8:3::", plen=48, prf=1, rtlifetime=900),
        ICMPv6NDOptRouteInfo(prefix="::", plen=0, prf=3, len=1, rtlifetime=2**32 - 1),
        ICMPv6NDOptAdvInterval(advint=1000),
        b"\xc8\x01abcdef",
    ]
    frames += [local(ICMPv6ND_RA(chlim=64, routerlifetime=1800) / option) for option in options]
    whole = ICMPv6ND_RA(chlim=64, M=1, O=1, H=1, prf=1, routerlifetime=1800, reachabletime=30000, retranstimer=1000)
    for option in options[:3] + options[4:7]:
        whole = whole / option
    frames += [
        local(whole),
        local(ICMPv6ND_RA(prf=3, routerlifetime=0)),
        local(ICMPv6ND_RA(prf=2, O=1)),
        local(ICMPv6ND_RA(prf=0, P=1)),
        local(ICMPv6ND_RA() / b"\x01\x00abcdef"),
        local(ICMPv6ND_RA() / b"\x01\x05abcdef"),
    ]
    frames += [
        local(ICMPv6ND_NS(tgt="2001:db8::2") / link[0], target="ff02::1:ff00:2"),
        local(ICMPv6ND_NS(tgt="2001:db8::2"), source="::", target="ff02::1:ff00:2"),
        local(ICMPv6ND_NS(tgt="fe80::2") / b"\x0e\x01\1\2\3\4\5\6", target="ff02::1:ff00:2", hlim=64),
    ]
    frames += [
        local(ICMPv6ND_NA(tgt="2001:db8::2", R=r, S=s, O=o) / ICMPv6NDOptDstLLAddr(lladdr=FAR))
        for r, s, o in [(0, 0, 0), (1, 1, 1), (0, 1, 0), (0, 0, 1)]
    ]
    frames += [local(ICMPv6ND_NA(tgt="2001:db8::2", R=1, S=0, O=1))]
    frames += [
        local(ICMPv6ND_Redirect(tgt="fe80::9", dst="2001:db8:9::9")),
        local(
            ICMPv6ND_Redirect(tgt="fe80::9", dst="2001:db8:9::9")
            / ICMPv6NDOptDstLLAddr(lladdr=FAR)
            / ICMPv6NDOptRedirectedHdr(pkt=quoted)
        ),
    ]

    def mld(message, target="ff02::16"):
        return eth(ip6(IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)]) / message, src="fe80::1", dst=target, hlim=1))

    frames += [
        mld(ICMPv6MLQuery(mrd=10000, mladdr="::")),
        mld(ICMPv6MLQuery(mrd=1000, mladdr="ff02::9")),
        mld(ICMPv6MLReport(mladdr="ff02::9")),
        mld(ICMPv6MLDone(mladdr="ff02::9")),
    ]
    frames += [
        mld(ICMPv6MLQuery2(mrd=10000, mladdr="::", S=0, QRV=2, QQIC=125, sources_number=0)),
        mld(ICMPv6MLQuery2(mrd=33000, mladdr="ff02::9", S=1, QRV=7, QQIC=200, sources=["2001:db8::5", "2001:db8::6"])),
        mld(ICMPv6MLQuery2(mrd=0, mladdr="ff02::9", QQIC=0, sources_number=40, sources=["2001:db8::5"])),
    ]
    records = [
        ICMPv6MLDMultAddrRec(rtype=kind, dst="ff02::%x" % kind, sources=["2001:db8::5"] * (kind % 3)) for kind in range(1, 8)
    ]
    frames += [
        mld(ICMPv6MLReport2(records=records[:1])),
        mld(ICMPv6MLReport2(records=records)),
        mld(ICMPv6MLReport2(records=[], records_number=3)),
        mld(ICMPv6MLReport2(records=[])),
    ]
    frames += [eth(ip6(bytes([kind, 3, 0x12, 0x34]) + b"some more bytes", nh=58)) for kind in [0, 5, 127, 150, 200, 255]]
    frames += [eth(ip6(b"\x80", nh=58)), eth(ip(ICMPv6EchoRequest(id=1, seq=1, cksum=0x1234), proto=58))]
    return frames


def igmp():
    def frame(message, target="224.0.0.1"):
        return eth(ip(message, dst=target, proto=2, ttl=1))

    frames = [
        frame(IGMP(type=0x11, mrcode=code, gaddr=group))
        for code, group in [(0, "0.0.0.0"), (100, "0.0.0.0"), (10, "239.1.1.1"), (5, "10.0.0.1")]
    ]
    frames += [frame(IGMP(type=0x12, mrcode=code, gaddr="239.1.1.1"), "239.1.1.1") for code in [0, 4]]
    frames += [
        frame(IGMP(type=0x16, mrcode=0, gaddr="239.1.1.1"), "239.1.1.1"),
        frame(IGMP(type=0x17, mrcode=0, gaddr="239.1.1.1"), "224.0.0.2"),
        frame(IGMP(type=0x17, mrcode=0, gaddr="239.1.1.1", chksum=0xBAD), "224.0.0.2"),
    ]
    for code in [0, 100, 127, 128, 200, 255]:
        frames.append(frame(IGMPv3(type=0x11, mrcode=code) / IGMPv3mq(gaddr="239.1.1.1", qqic=125, srcaddrs=["10.9.9.1"])))
    frames += [
        frame(IGMPv3(type=0x11, mrcode=100) / IGMPv3mq(gaddr="0.0.0.0", qrv=2, qqic=125)),
        frame(
            IGMPv3(type=0x11, mrcode=100) / IGMPv3mq(gaddr="239.1.1.1", s=1, qrv=7, qqic=200, srcaddrs=["10.9.9.1", "10.9.9.2"])
        ),
        frame(IGMPv3(type=0x11, mrcode=100) / IGMPv3mq(gaddr="239.1.1.1", numsrc=40, srcaddrs=["10.9.9.1"])),
        frame(IGMPv3(type=0x11, mrcode=1) / IGMPv3mq(gaddr="0.0.0.0", numsrc=2, srcaddrs=["10.9.9.1", "10.9.9.2"])),
    ]
    records = [
        IGMPv3gr(rtype=kind, maddr="239.1.1.%d" % kind, srcaddrs=["10.9.9.%d" % number for number in range(kind % 3)])
        for kind in range(1, 8)
    ]
    frames += [frame(IGMPv3(type=0x22) / IGMPv3mr(records=[record]), "224.0.0.22") for record in records]
    frames += [
        frame(IGMPv3(type=0x22) / IGMPv3mr(records=records), "224.0.0.22"),
        frame(IGMPv3(type=0x22) / IGMPv3mr(records=[]), "224.0.0.22"),
        frame(IGMPv3(type=0x22) / IGMPv3mr(records=records[:1], numgrp=9), "224.0.0.22"),
        frame(IGMPv3(type=0x22) / IGMPv3mr(records=[IGMPv3gr(rtype=1, maddr="239.1.1.1", numsrc=99)]), "224.0.0.22"),
        frame(IGMPv3(type=0x22) / IGMPv3mr(records=[IGMPv3gr(rtype=1, auxdlen=1, maddr="10.1.1.1") / b"aux."]), "224.0.0.22"),
    ]
    frames += [frame(bytes([kind, 0, 0x12, 0x34, 239, 1, 1, 1])) for kind in [0x00, 0x18, 0x40, 0xFF]]
    frames += [
        frame(b"\x11"),
        frame(b"\x16\0\0\0"),
        frame(IGMP(type=0x16, gaddr="239.1.1.1")) + bytes(14),
        frame(b"\x11\x64\xee\x9b" + bytes(6)),
        frame(b"\x22" + bytes(6)),
    ]
    frames += [eth(ip(IGMP(type=0x16, mrcode=0, gaddr="239.1.1.1"), dst="239.1.1.1", proto=2, ttl=1, options=b"\x94\x04\0\0"))]
    return frames
