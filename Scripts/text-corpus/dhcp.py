"""BOOTP and DHCP."""

from common import *

ADDRESS = bytes([192, 0, 2, 1])


def dhcp():
    def bootp(
        op=1,
        options=b"",
        client="0.0.0.0",
        yours="0.0.0.0",
        server="0.0.0.0",
        gateway="0.0.0.0",
        flags=0,
        seconds=0,
        hops=0,
        hlen=6,
        kind=1,
        magic=b"\x63\x82\x53\x63",
        sname=b"",
        file=b"",
    ):
        def quad(text):
            return bytes(map(int, text.split(".")))

        return (
            bytes([op, kind, hlen, hops])
            + long(0x3903F326)
            + word(seconds)
            + word(flags)
            + quad(client)
            + quad(yours)
            + quad(server)
            + quad(gateway)
            + bytes.fromhex("020000000001")
            + bytes(10)
            + sname.ljust(64, b"\0")
            + file.ljust(128, b"\0")
            + magic
            + options
        )

    def option(code, data):
        return bytes([code, len(data)]) + data

    def up(body):
        return bytes(
            Ether(src=NEAR, dst="ff:ff:ff:ff:ff:ff") / ip(udp(body, sport=68, dport=67), src="0.0.0.0", dst="255.255.255.255")
        )

    def down(body):
        return eth(ip(udp(body, sport=67, dport=68), src="10.0.0.254", dst="10.0.0.1"))

    end = b"\xff"
    wanted = option(55, bytes([1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42, 252, 200]))
    frames = [
        up(bootp(options=option(53, bytes([kind])) + option(61, b"\1\2\0\0\0\0\1") + option(50, ADDRESS) + wanted + end))
        for kind in [1, 3, 4, 7, 8, 9, 10, 99]
    ]
    offer = (
        option(1, bytes([255, 255, 255, 0]))
        + option(3, bytes([10, 0, 0, 254]))
        + option(6, bytes([10, 0, 0, 53, 10, 0, 0, 54]))
        + option(51, long(86400))
        + option(54, bytes([10, 0, 0, 254]))
    )
    frames += [
        down(bootp(2, option(53, bytes([kind])) + offer + end, yours="10.0.0.1", server="10.0.0.254")) for kind in [2, 5, 6, 13]
    ]
    singles = [
        option(2, long(2**32 - 3600)),
        option(4, bytes([10, 0, 0, 1])),
        option(12, b"host"),
        option(15, b"example.org"),
        option(17, b"/root"),
        option(19, b"\1"),
        option(20, b"\2"),
        option(21, bytes([10, 0, 0, 0, 255, 0, 0, 0])),
        option(22, word(576)),
        option(23, b"\x40"),
        option(26, word(1500)),
        option(28, bytes([10, 0, 0, 255])),
        option(33, bytes([10, 9, 0, 0, 10, 0, 0, 1])),
        option(35, long(60)),
        option(42, bytes([10, 0, 0, 123])),
        option(43, b"\1\2\3\4"),
        option(43, bytes([1, 4, 10, 0, 0, 1, 255])),
        option(44, ADDRESS),
        option(46, b"\x08"),
        option(52, b"\3"),
        option(52, b"\1"),
        option(56, b"a message"),
        option(57, word(1500)),
        option(58, long(43200)),
        option(59, long(75600)),
        option(60, b"MSFT 5.0"),
        option(61, b"\xff\1\2\3\4" + b"\0\1\0\1" + bytes(10)),
        option(61, b"\0name"),
        option(61, b"\7abc"),
        option(66, b"tftp"),
        option(67, b"boot.img"),
        option(77, b"\4user"),
        option(77, b"user"),
        option(78, b"\1" + ADDRESS),
        option(79, b"\1scope"),
        option(81, b"\1\0\0host.example.org"),
        option(81, b"\4\0\0\4host\0"),
        option(82, b"\1\4eth0\2\6remote\6\4subs"),
        option(82, b"\1\xff"),
        option(85, ADDRESS),
        option(93, word(7)),
        option(94, b"\1\3\x10"),
        option(97, b"\0" + bytes(16)),
        option(100, b"CET-1"),
        option(101, b"Europe/Berlin"),
        option(116, b"\1"),
        option(117, word(6)),
        option(118, bytes([10, 0, 0, 0])),
        option(119, b"\7example\3org\0"),
        option(120, b"\1" + ADDRESS),
        option(121, bytes([24, 192, 168, 7, 10, 0, 0, 1, 0, 10, 0, 0, 254])),
        option(121, b"\x21\1"),
        option(124, long(9) + b"\2ab"),
        option(125, long(9) + b"\2ab"),
        option(150, ADDRESS),
        option(249, bytes([24, 192, 168, 7, 10, 0, 0, 1])),
        option(252, b"http://wpad\n"),
        option(254, b"x"),
        option(1, b"\1\2"),
        option(51, b"\1"),
        option(53, b""),
        option(12, b"ho\x01st\xff"),
        option(51, long(2**32 - 1)),
        b"\0\0\0",
    ]
    frames += [down(bootp(2, option(53, b"\5") + single + end, yours="10.0.0.1")) for single in singles]
    frames += [
        up(bootp(options=end, **fields))
        for fields in [
            dict(),
            dict(flags=0x8000),
            dict(flags=0x8001, seconds=9),
            dict(hops=3, gateway="10.7.7.7"),
            dict(hlen=16),
            dict(kind=6),
            dict(kind=32, hlen=0),
            dict(op=3),
            dict(op=2, yours="10.0.0.1", server="10.0.0.2", client="10.0.0.1"),
            dict(sname=b"server", file=b"boot"),
            dict(magic=bytes(4)),
            dict(magic=b"CMU\0"),
            dict(magic=b"abcd"),
            dict(magic=b""),
        ]
    ]
    frames += [
        up(bootp(options=option(53, b"\1"))),
        up(bootp(options=option(53, b"\1") + b"\x0c\x40short")),
        up(bootp(options=option(53, b"\1") + b"\x0c")),
        up(bootp(options=option(53, b"\1") + end + bytes(60))),
        up(bootp()[:236]),
        up(bootp()[:100]),
        up(bootp()[:20]),
        up(bootp()[:3]),
        up(b""),
    ]
    frames += [
        eth(ip(udp(bootp(options=option(53, b"\1") + end, gateway="10.7.7.7", hops=1), sport=67, dport=67))),
        eth(ip(udp(bootp(options=end), sport=HERE, dport=67))),
    ]
    return frames
