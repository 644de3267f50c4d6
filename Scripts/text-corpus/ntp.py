"""NTP."""

from common import *


def ntp():
    def packet(
        leap=0,
        version=4,
        mode=3,
        stratum=0,
        poll=6,
        precision=0xEC,
        delay=0x00010000,
        dispersion=0x00020000,
        reference=b"\0\0\0\0",
        stamps=(0, 0, 0, 0),
        rest=b"",
    ):
        return (
            bytes([leap << 6 | version << 3 | mode, stratum, poll & 255, precision])
            + long(delay)
            + long(dispersion)
            + reference
            + b"".join(stamp.to_bytes(8, "big") for stamp in stamps)
            + rest
        )

    now = 3908988800 << 32
    served = (now, now + (1 << 30), now + (2 << 30), now + (3 << 30))
    bodies = [
        packet(stamps=(0, 0, 0, now)),
        packet(mode=4, stratum=2, reference=bytes([192, 0, 2, 1]), stamps=served),
        packet(mode=4, stratum=1, reference=b"GPS\0", stamps=served),
        packet(mode=4, stratum=0, reference=b"RATE", leap=3),
        packet(mode=4, stratum=16),
        packet(mode=4, stratum=17, leap=1),
        packet(mode=4, leap=2, stratum=15, delay=0xFFFFFFFF),
    ]
    bodies += [packet(mode=mode, stratum=3, reference=bytes([10, 0, 0, 1]), stamps=served) for mode in [0, 1, 2, 5]] + [
        packet(version=version, stamps=served) for version in [0, 1, 2, 3, 5, 7]
    ]
    bodies += [
        packet(poll=poll, precision=precision) for poll, precision in [(0, 0), (17, 0xFF), (0xFA, 0x80), (10, 3), (36, 0x7F)]
    ]
    bodies += [
        packet(stamps=(now, now + 5, now - 7, 2**64 - 1)),
        packet(stamps=(1, 2, 3, 4)),
        packet(stamps=(now, now, 0, now)),
        packet(stamps=(0, 0, now + (9 << 32), now)),
        packet(stamps=(2**63, 2**63 - 1, 1 << 32, now - (3 << 32) + 77)),
        packet(reference=b"\x01\xffab", stratum=1, mode=4),
    ]
    bodies += [
        packet(rest=long(5) + bytes(range(16))),
        packet(rest=long(5) + bytes(range(20))),
        packet(rest=long(0)),
        packet(rest=long(5) + bytes(7)),
        packet(rest=b"\1\4\0\x10" + bytes(12)),
        packet(rest=long(77) + bytes(16) + b"extra"),
    ]

    def control(first, second, sequence=1, status=0x0615, association=0, offset=0, data=b""):
        return bytes([first, second]) + word(sequence) + word(status) + word(association) + word(offset) + word(len(data)) + data

    bodies += [
        control(0x16, 0x02),
        control(0x16, 0x82, data=b'version="4", leap=0'),
        control(0xD6, 0xE2),
        control(0x26, 0x1F, 7, 0xC011, 9, 4, b"abcd"),
        control(0x16, 0x82, data=b"abcd")[:-2],
        control(0x16, 0x01)[:8],
    ]
    bodies += [
        b"\x17\0\3\x2a" + bytes(4),
        b"\x97\x80\3\x2a\0\6\0\x48" + bytes(72),
        b"\x27\1\2\3",
        packet()[:1],
        packet()[:47],
        packet()[:16],
        b"",
    ]
    frames = [eth(ip(udp(body, sport=123, dport=123))) for body in bodies]
    return frames + [
        eth(ip6(udp(bodies[1], sport=123, dport=HERE))),
        eth(ip(udp(bodies[0], sport=HERE, dport=123))),
        eth(ip(udp(bodies[8], sport=123, dport=123), dst="224.0.1.1")),
    ]
