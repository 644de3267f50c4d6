#!/usr/bin/env python3
"""captures.py FOLDER: one savefile for each link type of expressions.txt, named after it.

Frame N of a file has the time stamp N seconds; each is there twice, whole and cut. The same bytes in every run.
"""

import logging
import random
import struct
import sys

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.contrib.geneve import GENEVE  # noqa: E402
from scapy.contrib.igmp import IGMP  # noqa: E402
from scapy.contrib.mpls import MPLS  # noqa: E402
from scapy.layers.dot11 import Dot11, Dot11Beacon, RadioTap  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP  # noqa: E402
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6ND_RA, IPv6  # noqa: E402
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting  # noqa: E402
from scapy.layers.l2 import ARP, GRE, LLC, SNAP, STP, Dot1AD, Dot1Q, Dot3, Ether  # noqa: E402
from scapy.layers.ppp import PPPoE, PPPoED  # noqa: E402
from scapy.layers.sctp import SCTP  # noqa: E402

NEAR, FAR, ALL = "02:00:00:00:00:01", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff"
RANDOM = random.Random(8021)


def ip(**fields):
    return IP(**{"src": "10.0.0.1", "dst": "10.0.0.2", "id": 7, "ttl": 64, **fields})


def ip6(**fields):
    return IPv6(**{"src": "2001:db8::1", "dst": "2001:db8::2", "hlim": 64, **fields})


def tcp(sport, dport, flags="A", data=b""):
    return TCP(sport=sport, dport=dport, seq=1, ack=2, window=512, flags=flags) / data


def udp(sport, dport, data=b"\0\0\0\0payload"):
    return UDP(sport=sport, dport=dport) / data


def transports():
    """What lies over IP, with its protocol."""
    for flags in ["S", "SA", "A", "PA", "FA", "R", "UA", "SEC"]:
        yield 6, tcp(40000, 80, flags, b"GET / HTTP/1.0\r\n" if flags == "PA" else b"")
    yield 6, tcp(22, 40001, "PA", b"SSH-2.0")
    yield 6, tcp(443, 8080)
    yield 6, TCP(sport=1023, dport=1024, flags="S", options=[("MSS", 1460), ("NOP", None)]) / b"x"
    for sport, dport in [(53, 40000), (40000, 53), (9, 9), (67, 68), (1500, 2000), (4500, 500), (999, 2001)]:
        yield 17, udp(sport, dport)
    yield 17, udp(40000, 9, b"\0" * 600)
    yield 132, SCTP(sport=80, dport=3000, tag=1) / b"\1\0\0\4"
    yield 51, bytes([6, 4, 0, 0]) + b"\0\0\1\0" * 5 + bytes(tcp(40000, 80))
    yield 50, struct.pack(">II", 4096, 1) + b"\0" * 24
    yield 103, b"\x20\0\0\0" * 2
    yield 112, b"\x21\1\x64\1" + b"\0" * 8
    yield 47, bytes(GRE(proto=0x0800) / ip() / udp(53, 53))
    yield 4, bytes(ip(src="192.168.1.1") / udp(1, 2))
    yield 89, b"\2\1\0\4"


def packets():
    """IP packets of every kind."""
    RANDOM.seed(1)
    for number, (protocol, payload) in enumerate(transports()):
        yield ip(proto=protocol) / payload
        yield ip6(nh=protocol) / payload
        if number % 4 == 0:
            yield ip(proto=protocol, src="192.168.1.5", dst="172.16.0.9", ttl=3, tos=0x28) / payload
            yield ip(proto=protocol, options=[IPOption_NOP()] * 8) / payload
            yield ip6(nh=protocol, src="fe80::1", dst="2001:db8:1::9", tc=0xB8) / payload
    for kind in [0, 3, 5, 8, 9, 11, 12, 13, 14, 17, 18]:
        # The time of day, were it not given.
        times = dict(ts_ori=1, ts_rx=2, ts_tx=3) if kind in [13, 14] else {}
        yield ip() / ICMP(type=kind, code=kind % 4, **times)
    for code in [0, 1, 3, 4]:
        yield ip(src="10.0.0.9") / ICMP(type=3, code=code) / ip() / udp(9, 9)
    yield ip(dst="224.0.0.1") / IGMP(type=0x11)
    yield ip(dst="224.0.0.251") / udp(5353, 5353)
    yield ip(dst="255.255.255.255") / udp(68, 67)
    yield ip(dst="0.0.0.0") / udp(68, 67)
    # Parts: the first, one in the middle, the last.
    yield ip(flags="MF", frag=0) / udp(53, 53, b"\0" * 64)
    yield ip(proto=17, flags="MF", frag=9) / (b"\0\x35\0\x35" * 8)
    yield ip(proto=6, frag=18) / (b"\0\x50\0\x50" * 8)
    yield ip(flags="DF") / udp(53, 53)
    yield ip6() / ICMPv6EchoRequest(id=1, seq=2)
    yield ip6(dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="2001:db8::2")
    yield ip6(dst="ff02::1") / ICMPv6ND_RA()
    yield ip6() / IPv6ExtHdrHopByHop() / udp(53, 53)
    yield ip6() / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / tcp(40000, 80, "S")
    yield ip6() / IPv6ExtHdrRouting(addresses=["2001:db8::7"]) / tcp(40000, 80)
    yield ip6() / IPv6ExtHdrFragment(offset=0, m=1, id=1) / udp(53, 53)
    yield ip6() / IPv6ExtHdrFragment(offset=100, m=0, id=1, nh=17) / (b"\0" * 24)
    yield ip6(nh=51) / (bytes([6, 4, 0, 0]) + b"\0" * 20 + bytes(tcp(40000, 80)))
    yield ip6(nh=59) / b""
    yield ip(proto=255) / b""
    yield bytes([0x4F]) + bytes(ip() / udp(1, 2))[1:]
    yield bytes([0x15]) + bytes(ip() / udp(1, 2))[1:]


def some():
    """A few of them, for what carries them."""
    return [ip() / tcp(40000, 80, "S"), ip6() / udp(53, 53), ip(src="192.168.1.5") / udp(40000, 53)]


def others():
    """Ethernet types that are not IP, with payloads."""
    for op in [1, 2]:
        yield 0x0806, ARP(op=op, hwsrc=NEAR, psrc="10.0.0.1", hwdst=FAR, pdst="10.0.0.2")
    yield 0x0806, ARP(op=1, hwsrc=NEAR, psrc="192.168.1.5", hwdst=FAR, pdst="192.168.1.1")
    yield 0x8035, ARP(op=3, hwsrc=NEAR, psrc="10.0.0.1", hwdst=FAR, pdst="10.0.0.2")
    # DECnet's routing header: length, flags, addresses in little-endian.
    yield 0x6003, b"\x20\x00\x06\0\0\xaa\0\4\0\x0a\x28\0\0\xaa\0\4\0\x0b\x28" + b"\0" * 20
    yield 0x6003, b"\x20\x00\x02\x0a\x28\x0b\x28" + b"\0" * 20
    for kind in [0x6001, 0x6002, 0x6004, 0x6007, 0x809B, 0x80F3, 0x8137, 0x9000, 0x88CC, 0x88B5, 0x0BAD]:
        yield kind, bytes([kind & 255]) * 40


def llcs():
    """802.2 headers with what follows."""
    for dsap, ssap, control in [
        (0x42, 0x42, 3), (0xE0, 0xE0, 3), (0xF0, 0xF0, 3), (0xFE, 0xFE, 3), (0xAA, 0xAA, 3), (0x04, 0x05, 0),
        (0x04, 0x05, 1), (0x04, 0x05, 5), (0x04, 0x05, 9), (0x04, 0x04, 0x63), (0x04, 0x04, 0x43), (0x04, 0x04, 0x6F),
        (0x04, 0x04, 0xE3), (0x04, 0x04, 0xAF), (0x04, 0x04, 0x87), (0x06, 0x06, 3),
    ]:  # fmt: skip
        yield bytes([dsap, ssap, control]) + b"\0" * 43
    for pdu in [15, 16, 17, 18, 20, 24, 25, 26, 27]:
        yield b"\xfe\xfe\3" + bytes([0x83, 27, 1, 0, pdu, 1, 0, 0]) + b"\0" * 30
    for protocol in [0x81, 0x82]:
        yield b"\xfe\xfe\3" + bytes([protocol]) + b"\0" * 30
    yield bytes(LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0x080007, code=0x809B)) + b"\0" * 30
    yield bytes(LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x80F3)) + b"\0" * 30
    yield bytes(LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x8137)) + b"\0" * 30
    for packet in some():
        kind = 0x86DD if packet.version == 6 else 0x0800
        yield bytes(LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=kind)) + bytes(packet)


def kind_of(packet):
    """The Ethernet type of an IP packet; a broken one is IPv4."""
    return 0x86DD if bytes(packet)[0] >> 4 == 6 else 0x0800


def en10mb():
    for packet in packets():
        yield Ether(src=NEAR, dst=FAR, type=kind_of(packet)) / packet
    for kind, payload in others():
        yield Ether(src=NEAR, dst=ALL if kind == 0x0806 else FAR, type=kind) / payload
    for payload in llcs():
        yield Dot3(src=NEAR, dst="01:80:c2:00:00:00", len=len(payload)) / payload
    yield Dot3(src=NEAR, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP()
    yield Dot3(src=NEAR, dst=FAR, len=40) / (b"\xff\xff" + b"\0" * 38)
    inside = some() + [ARP(psrc="10.0.0.1", pdst="10.0.0.2")]
    for packet in inside:
        head = Ether(src=FAR, dst=NEAR)
        for tags in [[100], [5], [0], [4095], [100, 200], [5, 6], [5, 6, 7]]:
            frame = head
            for tag in tags:
                frame = frame / Dot1Q(vlan=tag, prio=tag % 8)
            yield frame / packet
        yield head / Dot1AD(vlan=100) / Dot1Q(vlan=200) / packet
        yield Ether(src=FAR, dst=NEAR, type=0x9100) / Dot1Q(vlan=100) / packet
        yield head / ip() / UDP(sport=1, dport=4789) / (b"\x08\0\0\0\0\0\1\0" + bytes(head / packet))
        for vni in [0xB, 0xB1]:
            yield head / ip() / UDP(sport=1, dport=6081) / GENEVE(vni=vni, proto=0x6558) / head / packet
            yield head / ip6() / UDP(sport=1, dport=6081) / GENEVE(vni=vni, proto=0x6558) / head / packet
            yield head / ip() / UDP(sport=1, dport=6081) / GENEVE(vni=vni, proto=0x6558) / head / Dot1Q(vlan=100) / packet
    for packet in some():
        kind = kind_of(packet)
        for vni in [0xB, 0xB1]:
            yield Ether(src=FAR, dst=NEAR) / ip() / UDP(sport=1, dport=6081) / GENEVE(vni=vni, proto=kind) / packet
        for labels in [[1024], [100000], [100000, 1024], [3, 4, 5]]:
            frame = Ether(src=NEAR, dst=FAR, type=0x8847)
            for number, label in enumerate(labels):
                frame = frame / MPLS(label=label, s=int(number == len(labels) - 1), ttl=9)
            yield frame / packet
            yield Ether(src=NEAR, dst=FAR) / Dot1Q(vlan=100, type=0x8847) / bytes(frame)[14:]
        for session in [0x27, 1]:
            protocol = 0x57 if kind == 0x86DD else 0x21
            yield Ether(src=NEAR, dst=FAR) / PPPoE(sessionid=session) / (struct.pack(">H", protocol) + bytes(packet))
    yield Ether(src=NEAR, dst=ALL) / PPPoED(code=9)
    yield Ether(src=NEAR, dst="33:33:00:00:00:01", type=0x86DD) / ip6(dst="ff02::1") / ICMPv6EchoRequest()
    yield Ether(src=NEAR, dst="01:00:5e:00:00:fb", type=0x0800) / ip(dst="224.0.0.251") / udp(5353, 5353)
    yield b""
    yield b"\2"


def raw():
    for packet in packets():
        yield packet
    yield b""


def null(order):
    for packet in packets():
        family = 10 if bytes(packet)[0] >> 4 == 6 else 2
        yield struct.pack(order + "I", family) + bytes(packet)
    for family in [24, 28, 30, 7, 0x02000000]:
        yield struct.pack(order + "I", family) + bytes(some()[1])


def cooked(header):
    """`header(protocol, packet type)`"""
    for number, packet in enumerate(packets()):
        yield header(kind_of(packet), number % 5) + bytes(packet)
    for number, (kind, payload) in enumerate(others()):
        yield header(kind, number % 5) + bytes(payload)
    for number, payload in enumerate(llcs()):
        yield header(4, number % 5) + payload
    for packet in some():
        for kind in range(5):
            yield header(0x8100, kind) + bytes(Dot1Q(vlan=100) / packet)
            yield header(1, kind) + bytes(packet)


def sll(protocol, kind):
    return struct.pack(">HHH", kind, 1, 6) + b"\2\0\0\0\0\1\0\0" + struct.pack(">H", protocol)


def sll2(protocol, kind):
    return struct.pack(">HHIHBB", protocol, 0, 3 + kind, 1, kind, 6) + b"\2\0\0\0\0\1\0\0"


def wlan():
    a, b, c, d = ("02:00:00:00:00:0%d" % n for n in range(1, 5))
    subtypes = {0: [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12], 1: [8, 9, 10, 11, 12, 13, 14, 15], 2: range(16)}
    for kind, all in subtypes.items():
        for number in all:
            yield Dot11(type=kind, subtype=number, addr1=a, addr2=b, addr3=c) / (b"\0" * 20)
    yield Dot11(type=0, subtype=8, addr1=ALL, addr2=b, addr3=b) / Dot11Beacon()
    body = list(llcs())
    for flags in range(4):
        for packet in some():
            payload = bytes(LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=kind_of(packet))) + bytes(packet)
            head = dict(type=2, FCfield=flags, addr1=a, addr2=b, addr3=c, addr4=d)
            yield bytes(Dot11(subtype=0, **head)) + payload
            yield bytes(Dot11(subtype=8, **head)) + b"\0\0" + payload
            yield bytes(Dot11(subtype=0, **{**head, "addr1": ALL})) + payload
    for payload in body:
        yield bytes(Dot11(type=2, subtype=0, addr1=a, addr2=b, addr3=c)) + payload
    yield Dot11(type=2, subtype=0, FCfield=0x40, addr1=a, addr2=b, addr3=c) / (b"\0" * 30)


def radiotap():
    for frame in wlan():
        yield bytes(RadioTap()) + bytes(frame)
        yield bytes(RadioTap(present="Flags+Rate", Flags=0, Rate=2)) + bytes(frame)


def ppp():
    for packet in packets():
        protocol = 0x57 if bytes(packet)[0] >> 4 == 6 else 0x21
        yield b"\xff\x03" + struct.pack(">H", protocol) + bytes(packet)
    for protocol in [0x0021, 0x0057, 0x002B, 0x0025, 0x0027, 0x0029, 0x00FE, 0x8021, 0xC021, 0x0281]:
        yield b"\xff\x03" + struct.pack(">H", protocol) + bytes(some()[0])


def hdlc():
    for packet in packets():
        yield b"\x0f\0" + struct.pack(">H", kind_of(packet)) + bytes(packet)
    for kind, payload in others():
        yield b"\x8f\0" + struct.pack(">H", kind) + bytes(payload)


def slip():
    for number, packet in enumerate(packets()):
        yield bytes([number % 2]) + b"\x40" + b"\0" * 14 + bytes(packet)


def fddi():
    for payload in llcs():
        yield b"\x50\2\0\0\0\0\2\2\0\0\0\0\1" + payload
        yield b"\x50\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1" + payload
    yield b"\x50\1\0\x5e\0\0\1\2\0\0\0\0\1" + b"\0" * 40


def token_ring():
    for payload in llcs():
        yield b"\x10\x40\2\0\0\0\0\2\2\0\0\0\0\1" + payload
        yield b"\x10\x40\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1" + payload
        yield b"\x10\x40\2\0\0\0\0\2\x82\0\0\0\0\1\x06\x10\x12\x34\x56\x78" + payload


def pflog():
    for number, packet in enumerate(packets()):
        family = 10 if bytes(packet)[0] >> 4 == 6 else 2
        header = struct.pack(">BBBB16s16sIIIIII", 61, family, number % 8, number % 6, b"eth%d" % (number % 3),
            b"web" if number % 4 == 0 else b"", number % 5, number % 3, 0, 0, 0, 0)  # fmt: skip
        yield header + bytes([1 + number % 2, 0, 0, 0]) + bytes(packet)


def mtp2():
    for number, length in enumerate([0, 1, 2, 3, 20, 63]):
        for sio in [0, 3, 5, 0x83]:
            label = struct.pack("<I", (100 + number) | (200 + sio) << 14 | number << 28)
            yield bytes([0x80, 0x81, length, sio]) + label + b"\0" * 20


def sunatm():
    for kind in range(7):
        for vpi, vci in [(0, 1), (0, 2), (0, 5), (0, 16), (0, 3), (0, 4), (3, 33), (1, 5), (0, 18)]:
            head = struct.pack(">BBH", kind | (0x80 if vci % 2 else 0), vpi, vci)
            yield head + b"\xaa\xaa\3\0\0\0\x08\0" + bytes(some()[0])
    # Signalling: the message's type comes behind the call reference.
    for message in [b"\x05", b"\x4d", b"\x80\x5a", b"\x02", b"\x07"]:
        yield bytes([6, 0, 0, 5]) + b"\x09\3\0\0\1" + message + b"\0" * 20
    yield bytes([1, 0, 0, 33]) + b"\xff\0" + b"\0" * 40


LINK_TYPES = {
    "NULL": (0, lambda: null("=")),
    "EN10MB": (1, en10mb),
    "IEEE802": (6, token_ring),
    "SLIP": (8, slip),
    "PPP": (9, ppp),
    "FDDI": (10, fddi),
    "RAW": (101, raw),
    "C_HDLC": (104, hdlc),
    "IEEE802_11": (105, wlan),
    "LOOP": (108, lambda: null(">")),
    "LINUX_SLL": (113, lambda: cooked(sll)),
    "PFLOG": (117, pflog),
    "SUNATM": (123, sunatm),
    "IEEE802_11_RADIO": (127, radiotap),
    "MTP2": (140, mtp2),
    "IPV4": (228, lambda: (p for p in packets() if bytes(p)[0] >> 4 != 6)),
    "IPV6": (229, lambda: (p for p in packets() if bytes(p)[0] >> 4 == 6)),
    "LINUX_SLL2": (276, lambda: cooked(sll2)),
}


def main():
    for name, (number, frames) in LINK_TYPES.items():
        RANDOM.seed(number)
        records = []
        for frame in frames():
            frame = bytes(frame)
            records += [(frame, len(frame)), (frame[: RANDOM.randrange(min(len(frame), 100) + 1)], len(frame))]
        with open(f"{sys.argv[1]}/{name}.pcap", "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, number))
            for stamp, (captured, length) in enumerate(records):
                file.write(struct.pack("<IIII", stamp, 0, len(captured), length) + captured)


main()
