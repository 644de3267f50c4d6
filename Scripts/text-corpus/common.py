"""What the packets of all groups are made from. Every field that scapy would choose by itself is given."""

import logging
import struct

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.layers.inet import IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402

NEAR, FAR = "02:00:00:00:00:01", "02:00:00:00:00:02"
# Ports that tcpdump dissects nothing on.
HERE, THERE = 40001, 45678


def eth(payload, kind=None, **fields):
    """An Ethernet frame; `kind` is needed where the payload is bytes."""
    if kind is not None:
        fields["type"] = kind
    return bytes(Ether(src=NEAR, dst=FAR, **fields) / payload)


def ip(payload=b"", **fields):
    fields = {"src": "10.0.0.1", "dst": "10.0.0.2", "id": 4660, "ttl": 64, **fields}
    return IP(**fields) / payload


def ip6(payload=b"", **fields):
    fields = {"src": "2001:db8::1", "dst": "2001:db8::2", "hlim": 64, **fields}
    return IPv6(**fields) / payload


def udp(payload=b"payload", **fields):
    return UDP(**{"sport": HERE, "dport": THERE, **fields}) / payload


def tcp(payload=b"", **fields):
    fields = {"sport": HERE, "dport": THERE, "seq": 1000, "ack": 0, "window": 512, "flags": "S", **fields}
    return TCP(**fields) / payload


def changed(frame, at, new):
    """The frame with other bytes at `at`."""
    return frame[:at] + new + frame[at + len(new) :]


def word(value):
    return struct.pack(">H", value)


def long(value):
    return struct.pack(">I", value)


def both(make):
    """The same over IPv4 and IPv6, in Ethernet."""
    return [eth(ip(make())), eth(ip6(make()))]
