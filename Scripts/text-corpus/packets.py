"""The groups of the corpus, in the order in which they are made."""

from common import *
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS
from scapy.layers.l2 import CookedLinux, Dot1Q
from scapy.packet import Raw

import dhcp
import dns
import icmp
import network
import ntp
import transport
import tunnels

ETHERNET, RAW, COOKED, COOKED2 = 1, 101, 113, 276
COOKED2_SIZE = 20


class Cooked2(Raw):
    """scapy 2.5 may lack the second cooked header: its size is all that is needed here."""

    def __init__(self, frame=b""):
        super().__init__(frame)
        self.original = frame
        if len(frame) > COOKED2_SIZE:
            self.load = frame[:COOKED2_SIZE]
            self.add_payload(raw_layer(frame[COOKED2_SIZE:]))


def raw_layer(frame):
    if frame[0] >> 4 == 6 and len(frame) >= 40:
        return IPv6(frame)
    return IP(frame) if frame[0] >> 4 == 4 and len(frame) >= 20 else Raw(frame)


LINK_LAYERS = {ETHERNET: Ether, RAW: raw_layer, COOKED: CookedLinux, COOKED2: Cooked2}


def inner_packets():
    """One of each kind, for link types other than Ethernet."""
    return [
        (0x0800, ip(udp())),
        (0x0800, ip(tcp(b"data", flags="PA", ack=7))),
        (0x0800, ip(ICMP(id=1, seq=2) / b"ping")),
        (0x0800, ip(b"x", proto=253)),
        (0x0800, ip(bytes(24), proto=17, frag=10)),
        (0x0800, ip(ip6(udp()))),
        (0x86DD, ip6(udp())),
        (0x86DD, ip6(tcp())),
        (0x86DD, ip6(ICMPv6EchoRequest(id=1, seq=2, data=b"ping"))),
        (0x86DD, ip6(ICMPv6ND_NS(tgt="2001:db8::2"), hlim=255)),
        (0x86DD, ip6(ip(udp()))),
    ]


def linked():
    """What only a link type with a protocol field can carry."""
    return inner_packets() + [
        (0x0806, network.arp_request()),
        (0x0806, network.arp_request(op=2)),
        (0x8100, Dot1Q(vlan=5) / ip(udp())),
        (0x88A8, Dot1Q(vlan=5) / Dot1Q(vlan=6) / ip6(udp())),
        (0x9999, Raw(b"unknown type")),
        (4, Raw(b"\x12\x34\x03llc")),
        (0x0800, Raw(b"")),
        (0x0800, Raw(b"\x45")),
        (0x86DD, Raw(b"")),
    ]


def raw():
    odd = [b"\x45", b"\x60", b"\x00\x01\x02", b"\x55" + bytes(30), b"\xff" * 20]
    return [bytes(packet) for _, packet in inner_packets()] + odd


def sll():
    def cooked(kind, packet, direction=0, hardware=1, size=6):
        return word(direction) + word(hardware) + word(size) + bytes.fromhex("0200000000010000") + word(kind) + bytes(packet)

    frames = [cooked(kind, packet) for kind, packet in linked()]
    return frames + [
        cooked(0x0800, ip(udp()), direction, hardware, size)
        for direction, hardware, size in [
            (1, 1, 6),
            (2, 1, 6),
            (3, 1, 6),
            (4, 1, 6),
            (9, 1, 6),
            (0, 772, 6),
            (4, 65534, 0),
            (0, 512, 4),
            (0, 1, 8),
            (0, 1, 20),
        ]
    ]


def sll2():
    # No machine has these interface numbers: their names would be in the text.
    def cooked(kind, packet, direction=0, hardware=1, size=6, number=0x7FFFFFF0):
        return (
            word(kind)
            + word(0)
            + long(number)
            + word(hardware)
            + bytes([direction, size])
            + bytes.fromhex("0200000000010000")
            + bytes(packet)
        )

    frames = [cooked(kind, packet) for kind, packet in linked()]
    return frames + [
        cooked(0x0800, ip(udp()), direction, hardware, size)
        for direction, hardware, size in [
            (1, 1, 6),
            (2, 1, 6),
            (3, 1, 6),
            (4, 1, 6),
            (9, 1, 6),
            (0, 772, 6),
            (4, 65534, 0),
            (0, 512, 4),
            (0, 1, 8),
            (0, 1, 20),
        ]
    ]


def groups():
    """Name, link type and frames of each group."""
    ethernet = [
        ("link", network.link),
        ("arp", network.arp),
        ("ip4", network.ip4),
        ("ip6", network.ip6_group),
        ("icmp", icmp.icmp),
        ("icmp6", icmp.icmp6),
        ("igmp", icmp.igmp),
        ("tcp", transport.tcp_group),
        ("udp", transport.udp_group),
        ("tunnel", tunnels.tunnel),
        ("l2tp", tunnels.l2tp),
        ("vxlan", tunnels.vxlan),
        ("ipsec", tunnels.ipsec),
        ("dns", dns.dns),
        ("dhcp", dhcp.dhcp),
        ("ntp", ntp.ntp),
    ]
    for name, make in ethernet:
        yield name, ETHERNET, make()
    yield "raw", RAW, raw()
    yield "sll", COOKED, sll()
    yield "sll2", COOKED2, sll2()
