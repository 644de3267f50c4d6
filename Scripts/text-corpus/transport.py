"""TCP and UDP."""

from common import *


def option(kind, data):
    return bytes([kind, len(data) + 2]) + data


def with_options(options, payload=b"", **fields):
    """A segment with these option bytes, padded with end-of-list."""
    options += bytes(-len(options) % 4)
    segment = tcp(options + payload, dataofs=5 + len(options) // 4, **fields)
    return eth(ip(segment))


def tcp_group():
    frames = conversation(lambda payload, forth: ip(payload) if forth else ip(payload, src="10.0.0.2", dst="10.0.0.1"), 41001)
    frames += conversation(
        lambda payload, forth: ip6(payload) if forth else ip6(payload, src="2001:db8::2", dst="2001:db8::1"), 41002
    )
    frames += [
        eth(ip(tcp(b"", flags=flags, ack=77, seq=5)))
        for flags in [
            0,
            "F",
            "S",
            "R",
            "P",
            "A",
            "U",
            "E",
            "C",
            "SA",
            "FA",
            "RA",
            "PA",
            "FPA",
            "SEC",
            "AE",
            "FSRPAUEC",
            "SF",
            "SR",
            "UA",
            0x100 | 0x10,
        ]
    ]
    frames += [
        eth(ip(tcp(b"data", flags=flags, ack=9, seq=2**32 - 2, urgptr=urgent)))
        for flags, urgent in [("PA", 0), ("UPA", 3), ("A", 5), ("R", 0), ("S", 0), ("FPA", 0)]
    ]
    options = [
        option(2, word(1460)),
        option(3, b"\x07"),
        option(4, b""),
        option(8, long(123456) + long(654321)),
        option(2, word(1460)) + option(4, b"") + option(8, long(1) + long(0)) + b"\1" + option(3, b"\x0a"),
        option(5, long(2000) + long(3000)),
        option(5, long(2000) + long(3000) + long(5000) + long(6000)) + b"\1\1",
        option(5, (long(1) + long(2)) * 4),
        option(5, b""),
        option(5, b"\1\2\3"),
        option(19, bytes(range(16))),
        option(19, bytes(5)),
        option(28, word(0x8005)),
        option(28, word(5)),
        option(28, b"\1"),
        option(34, b""),
        option(34, bytes.fromhex("0102030405060708")),
        option(34, bytes(16)),
        option(34, b"\1\2\3"),
        option(254, word(0xF989) + bytes(8)),
        option(254, word(0xF989)),
        option(254, word(0x1234) + b"ab"),
        option(253, word(0x00E2) + b"\1"),
        option(6, long(1)),
        option(7, long(2)),
        option(9, b""),
        option(10, b"\xc0"),
        option(11, long(1)),
        option(12, long(2)),
        option(13, long(3)),
        option(14, b"\1"),
        option(15, b"\x12\x34"),
        option(16, b"\1"),
        option(27, bytes(6)),
        option(29, b"\1\2" + bytes(12)),
        option(29, b"\1"),
        option(69, b"\x09\x08"),
        option(200, b"abc"),
        option(255, b""),
        b"\x02\x00",
        b"\x02\x01\x00\x00",
        b"\x02\x08\x05\xb4",
        b"\x03\x04\x01\x02",
        b"\x08\x04\x01\x02",
        b"\x04\x03\x01\x00",
        b"\1\1\1\x08",
        b"\0\1\1\1",
        b"\1\1\1\1" * 10,
        option(2, b"\1"),
        option(3, b"\x0f"),
    ]
    # Multipath: capable, join, data sequence, addresses, priority, fail, fastclose, reset, and wrong ones.
    options += [
        option(30, bytes([0x00, 0x81]) + bytes(8)),
        option(30, bytes([0x01, 0x01])),
        option(30, bytes([0x00, 0x81]) + bytes(range(16))),
        option(30, bytes([0x10, 0x05]) + bytes(range(8))),
        option(30, bytes([0x11, 0x02]) + bytes(range(12))),
        option(30, bytes([0x10, 0x00]) + bytes(range(20))),
        option(30, bytes([0x20, 0x01]) + long(99)),
        option(30, bytes([0x20, 0x05]) + long(99) + long(7) + long(1) + word(40) + word(0xABCD)),
        option(30, bytes([0x20, 0x10])),
        option(30, bytes([0x20, 0x0F]) + bytes(range(24))),
        option(30, bytes([0x34, 0x02, 10, 0, 0, 9])),
        option(30, bytes([0x34, 0x02, 10, 0, 0, 9, 0x1F, 0x90])),
        option(30, bytes([0x36, 0x02]) + bytes(range(16))),
        option(30, bytes([0x40, 0x02])),
        option(30, bytes([0x40, 0x02, 0x03])),
        option(30, bytes([0x51])),
        option(30, bytes([0x51, 0x07])),
        option(30, bytes([0x60, 0x00]) + bytes(8)),
        option(30, bytes([0x70, 0x00]) + bytes(8)),
        option(30, bytes([0x80, 0x01])),
        option(30, bytes([0xF0, 0x00])),
        option(30, b""),
    ]
    frames += [with_options(each, flags="S", seq=100 + number) for number, each in enumerate(options)]
    frames += [
        with_options(options[4], b"data", flags="A", ack=50),
        with_options(option(5, long(11) + long(22)), flags="A", ack=1, sport=HERE + 1),
    ]
    frames += [with_options(each, flags="SA", seq=9, ack=101) for each in [options[50], options[53], options[54]]]
    good = eth(ip(tcp(b"some data", flags="PA", ack=3)))
    frames += [changed(good, 46, bytes([offset << 4])) for offset in [0, 4, 6, 8, 15]]
    frames += [
        changed(good, 50, word(0)),
        changed(good, 50, word(0xBEEF)),
        changed(good, 16, word(36)),
        changed(good, 16, word(500)),
    ]
    frames += [changed(eth(ip6(tcp(b"some data", flags="PA", ack=3))), 70, word(0xBEEF)), good + bytes(4)]
    frames += [
        eth(ip(tcp(bytes(300), flags="A", ack=1, seq=2**31))),
        eth(ip(tcp(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", flags="PA", ack=1))),
    ]
    return frames


def conversation(wrap, port):
    """Beginning, data both ways, a lost segment with SACK, end."""

    def segment(forth, flags, sequence, acknowledgement, payload=b"", options=()):
        ports = (port, 45678) if forth else (45678, port)
        return eth(
            wrap(
                tcp(
                    payload, sport=ports[0], dport=ports[1], flags=flags, seq=sequence, ack=acknowledgement, options=list(options)
                ),
                forth,
            )
        )

    a, b = 4294967290, 700000
    stamps = ("Timestamp", (1000, 2000))
    return [
        segment(
            True, "S", a, 0, options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1000, 0)), ("NOP", None), ("WScale", 7)]
        ),
        segment(False, "SA", b, a + 1, options=[("MSS", 1440), ("SAckOK", b""), stamps, ("NOP", None), ("WScale", 8)]),
        segment(True, "A", a + 1, b + 1),
        segment(True, "PA", a + 1, b + 1, b"hello, world", [("NOP", None), ("NOP", None), stamps]),
        segment(False, "A", b + 1, (a + 13) % 2**32),
        segment(False, "PA", b + 1, (a + 13) % 2**32, b"answer\r\n"),
        segment(False, "PA", b + 21, (a + 13) % 2**32, b"third"),
        segment(True, "A", (a + 13) % 2**32, b + 9, options=[("NOP", None), ("NOP", None), ("SAck", (b + 21, b + 26))]),
        segment(False, "PA", b + 9, (a + 13) % 2**32, b"second one.."),
        segment(True, "FA", (a + 13) % 2**32, b + 26),
        segment(False, "FA", b + 26, (a + 14) % 2**32),
        segment(True, "A", (a + 14) % 2**32, b + 27),
        segment(True, "R", (a + 14) % 2**32, 0),
        segment(True, "S", 5000, 0),
    ]


def udp_group():
    frames = []
    for wrap in [ip, ip6]:
        frames += [eth(wrap(udp(bytes(range(size))))) for size in [0, 1, 2, 31, 200]]
        good = eth(wrap(udp(b"some data here")))
        at = len(good) - 22
        frames += [
            changed(good, at + 6, word(0)),
            changed(good, at + 6, word(0xBAD1)),
            changed(good, at + 4, word(0)),
            changed(good, at + 4, word(7)),
            changed(good, at + 4, word(8)),
            changed(good, at + 4, word(12)),
            changed(good, at + 4, word(1000)),
            good + bytes(8),
        ]
        frames += [eth(wrap(udp(b"x", sport=40002, dport=40003))), eth(wrap(udp(bytes(1472)[:900])))]
    frames += [eth(ip(udp(b"text \x01\x02\n\r\n\x7fmore")))]
    return frames
