"""DNS over UDP and TCP, and multicast DNS."""

from common import *


def name(text):
    labels = text.rstrip(".").split(".") if text.rstrip(".") else []
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in labels) + b"\0"


def question(text, kind=1, group=1):
    return name(text) + word(kind) + word(group)


def record(owner, kind, data, ttl=300, group=1):
    owner = name(owner) if isinstance(owner, str) else owner
    return owner + word(kind) + word(group) + long(ttl) + word(len(data)) + data


def message(questions=(), answers=(), authority=(), additional=(), number=0x1234, flags=0x0100, counts=None):
    counts = counts or [len(part) for part in (questions, answers, authority, additional)]
    return (
        word(number)
        + word(flags)
        + b"".join(word(count) for count in counts)
        + b"".join([*questions, *answers, *authority, *additional])
    )


BACK = b"\xc0\x0c"
ADDRESS = bytes([192, 0, 2, 1])


def dns():
    ask = [question("www.example.org")]
    edns = record("", 41, b"", ttl=0, group=1232)
    queries = [
        message([question("www.example.org", kind)])
        for kind in [1, 28, 2, 5, 6, 12, 15, 16, 33, 35, 43, 46, 47, 48, 50, 52, 64, 65, 99, 251, 252, 255, 256, 257, 12345]
    ]
    queries += [message([question("www.example.org", 1, group)]) for group in [3, 4, 255, 254, 77, 0x8001]]
    queries += [
        message(ask, flags=flags) for flags in [0, 0x0110, 0x0120, 0x0130, 0x0800, 0x1000, 0x2000, 0x2800, 0x7800, 0x0140]
    ]
    queries += [
        message(ask, additional=[edns], flags=0x0120),
        message(ask, additional=[record("", 41, b"", ttl=0x8000, group=4096)]),
        message(ask, additional=[record("", 41, word(10) + word(8) + bytes(8), ttl=0, group=1232)]),
        message(
            ask, additional=[record("", 41, word(8) + word(7) + bytes([0, 1, 24, 0, 192, 0, 2]), ttl=0x01000000, group=1232)]
        ),
        message([]),
        message(ask * 2),
        message([question("")]),
        message([question("1.2.0.192.in-addr.arpa", 12)]),
        message([question("a-very-long-label-of-forty-nine-characters-in-all-x." * 4)]),
        message([question("sp ace.\x01\xe4\\x.org")]),
        message(ask, counts=[1, 1, 0, 0]),
        message(ask, counts=[2, 0, 0, 0]),
        message(ask, [record(BACK, 1, ADDRESS)]),
        message([BACK + word(1) + word(1)]),
        message([b"\xc0\xff" + word(1) + word(1)]),
        message([b"\xc0"]),
        message([b"\x80abc"]),
        message([b"\x41\x02\xab\xcd" + word(1) + word(1)]),
        message([b"\x3fabc"]),
    ]
    datas = [
        (1, ADDRESS),
        (28, bytes.fromhex("20010db8000000000000000000000001")),
        (5, name("alias.example.org")),
        (5, b"\5alias\xc0\x10"),
        (2, name("ns1.example.org")),
        (12, name("host.example.org")),
        (15, word(10) + name("mx.example.org")),
        (16, b"\x0btext string\x04more"),
        (16, b"\0"),
        (33, word(1) + word(2) + word(5060) + name("sip.example.org")),
        (6, name("ns1.example.org") + name("admin.example.org") + b"".join(map(long, [2024, 7200, 3600, 1209600, 300]))),
        (13, b"\3cpu\2os"),
        (35, word(1) + word(2) + b"\1s\0\0" + name("r")),
        (43, word(1) + b"\x08\2" + bytes(32)),
        (46, word(1) + b"\x08\2" + long(300) * 3 + word(9) + name("example.org") + bytes(16)),
        (47, name("b.example.org") + b"\0\1\x40"),
        (48, word(257) + b"\3\x08" + bytes(16)),
        (52, b"\3\1\1" + bytes(32)),
        (65, word(1) + b"\0" + word(1) + word(3) + b"\2h2"),
        (257, b"\0\5issueca.example"),
        (99, b"\4spf1"),
        (10, b"null"),
        (11, ADDRESS + b"\6\x40"),
        (17, name("a") + name("b")),
        (18, word(1) + name("afs")),
        (29, bytes(16)),
        (38, b"\x40" + bytes.fromhex("0000000000000001") + name("x.y")),
        (38, b"\0" + bytes(16)),
        (39, name("dname.example")),
        (250, name("hmac-sha256") + bytes(6) + word(300) + word(4) + b"abcd" + word(0x1234) + word(0) + word(0)),
        (12345, b"unknown"),
        (1, ADDRESS[:3]),
        (28, ADDRESS),
        (1, b""),
    ]
    answers = [message(ask, [record(BACK, kind, data)], flags=0x8180) for kind, data in datas]
    three = [
        record(BACK, 5, b"\3web\xc0\x10"),
        record(b"\3web\xc0\x10", 1, ADDRESS),
        record(b"\3web\xc0\x10", 1, ADDRESS, ttl=86400),
    ]
    answers += [
        message(ask, three, flags=0x8180),
        message(ask, three, [record(b"\xc0\x10", 2, b"\2ns\xc0\x10")], [record(b"\2ns\xc0\x10", 1, ADDRESS), edns], flags=0x8580),
        message(ask, flags=0x8183),
        message(ask, [], [record(b"\xc0\x10", 6, name("ns.x") + name("a.x") + bytes(20))], flags=0x8183),
        message(ask, flags=0x8380),
        message(ask, flags=0x81A0),
        message(ask, flags=0x8190),
        message(flags=0x8000),
    ]
    answers += [message(ask, [record(BACK, 1, ADDRESS)], flags=0x8180 | code) for code in range(1, 12)] + [
        message(ask, flags=0x8180 | code) for code in [12, 15]
    ]
    answers += [
        message(ask, [record(BACK, 1, ADDRESS, ttl=0xFFFFFFFF), record(BACK, 1, ADDRESS, group=3)], flags=0x8180),
        message(ask, [record(BACK, 1, ADDRESS)], flags=0x8180, counts=[1, 3, 0, 0]),
        message(ask, [record(BACK, 1, ADDRESS)], flags=0x8180, counts=[0, 1, 0, 0]),
        message(ask, [record(BACK, 1, ADDRESS)], [record("", 2, name("a"))] * 2, [record("a", 1, ADDRESS)], flags=0xA980),
        message(ask, [record(b"\xc0\x21", 5, b"\xc0\x21")], flags=0x8180),
        message(ask, [record(BACK, 1, ADDRESS)[:-2]], flags=0x8180),
    ]
    frames = [eth(ip(udp(query, sport=41000, dport=53))) for query in queries]
    frames += [eth(ip(udp(answer, sport=53, dport=41000), src="10.0.0.2", dst="10.0.0.1")) for answer in answers]
    frames += [
        eth(ip6(udp(queries[0], sport=41000, dport=53))),
        eth(ip6(udp(answers[-1], sport=53, dport=41000))),
        eth(ip(udp(b"", dport=53))),
        eth(ip(udp(b"\1\2\3", dport=53))),
        eth(ip(udp(queries[0][:12], dport=53))),
    ]
    # Multicast DNS: cache flush and unicast-response bits.
    local = [
        message([question("host.local", 255, 0x8001), question("host.local", 28)], number=0, flags=0),
        message(answers=[record("host.local", 1, ADDRESS, ttl=120, group=0x8001)], number=0, flags=0x8400),
        message(
            [question("_http._tcp.local", 12)], [record("_http._tcp.local", 12, b"\3web\xc0\x0c", ttl=4500)], number=0, flags=0
        ),
        message(
            [question("a.local", 255, 0x8001)],
            [],
            [record("a.local", 1, ADDRESS, ttl=120), record("a.local", 28, bytes(15) + b"\1", ttl=120)],
            number=0,
            flags=0,
        ),
    ]
    frames += [eth(ip(udp(each, sport=5353, dport=5353), dst="224.0.0.251", ttl=255)) for each in local]
    frames += [
        eth(ip6(udp(local[0], sport=5353, dport=5353), src="fe80::1", dst="ff02::fb", hlim=255)),
        eth(ip(udp(local[1], sport=5353, dport=HERE))),
    ]
    framed = word(len(queries[0])) + queries[0]
    reply = word(len(answers[0])) + answers[0]
    for payload, flags, ports in [
        (b"", "S", (42000, 53)),
        (framed, "PA", (42000, 53)),
        (reply, "PA", (53, 42000)),
        (framed[:2], "PA", (42001, 53)),
        (framed[:1], "PA", (42001, 53)),
        (framed * 2, "PA", (42002, 53)),
        (word(5) + queries[0], "PA", (42003, 53)),
        (word(900) + queries[0], "PA", (42004, 53)),
        (framed, "PA", (5353, 5353)),
        (b"", "A", (42000, 53)),
    ]:
        frames.append(eth(ip(tcp(payload, sport=ports[0], dport=ports[1], flags=flags, ack=1))))
    return frames
