"""Vectors written apart from the guard's table and from the other vectors, to see what the table does not know.

They are drawn from the IANA special-purpose registries row by row, from the spellings that resolvers of libc, browsers
and Node accept, and from the first and last addresses of what is blocked.
"""

from __future__ import annotations

from integration_assets_tests.proofs.security.ssrf_vectors import Vector


def _all(*hosts: str) -> list[Vector]:
    return [Vector(f"https://{host}/latest/meta-data") for host in hosts]


EDGES = _all(
    "0.255.255.255",
    "10.255.255.255",
    "100.127.255.255",
    "127.255.255.255",
    "169.254.0.0",
    "172.20.10.1",
    "192.0.0.8",
    "192.0.0.170",
    "192.168.255.255",
    "198.19.255.255",
    "239.255.255.255",
    "247.8.8.8",
)
SPELLINGS = _all(
    "0x7F.1",
    "0300.0250.1.1",
    "192.168.257",
    "3232235777",
    "00000177.0.0.0x1",
    "0xC0A80101.",
    "1.2.3.4.5",
    "127.0.0.1.0x0",
    "0x",
    "%31%32%37.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "127\u30020\u30020\u30021",
    "[::1%25eth0]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
)
EMBEDDED = _all(
    "[::ffff:0:127.0.0.1]",
    "[::ffff:7f00:0001]",
    "[0:0:0:0:0:ffff:0a00:0001]",
    "[64:ff9b::a00:1]",
    "[2002:a9fe:a9fe::1]",
    "[2002:c0a8:0101::]",
    "[2001:0::1]",
    "[2001:20::1]",
    "[2001:2::1]",
    "[2a01:4f8::5efe:7f00:1]",
    "[3fff::1]",
    "[5f00::1]",
    "[fd20:ce::254]",
    "[febf::1]",
    "[feff::1]",
    "[4000::1]",
)
NAMES = [
    Vector("https://instance-data.ec2.internal/"),
    Vector("https://router.home.arpa/"),
    Vector("https://box.localdomain/"),
    Vector("https://A.B.LocalHost./"),
    Vector("https://intranet/"),
    Vector("https://a..example.com/", ("93.184.216.34",)),
    Vector("https://-a.example.com/", ("93.184.216.34",)),
    Vector("https://v6.example.com/", ("2606:4700::1", "fe80::1")),
    Vector("https://v6.example.com/", ("fe80::1%eth0",)),
    Vector("https://many.example.com/", tuple(f"8.8.{number}.1" for number in range(64))),
    Vector("https://odd.example.com/", ("not-an-address",)),
    Vector("https://last.example.com/", ("8.8.8.8", "1.1.1.1", "127.0.0.1")),
]
FORMS = [
    Vector("HTTP://example.com/", ("93.184.216.34",)),
    Vector("https:example.com", ("93.184.216.34",)),
    Vector("//example.com/", ("93.184.216.34",)),
    Vector("https://example.com:0/", ("93.184.216.34",)),
    Vector("https://example.com:65536/", ("93.184.216.34",)),
    Vector("https://example.com:6379/", ("93.184.216.34",)),
    Vector("https://example.com/\r\nHost: localhost", ("93.184.216.34",)),
    Vector("https://exa\tmple.com/", ("93.184.216.34",)),
    Vector("https://example.com/?next=http://127.0.0.1", ("93.184.216.34",)),
    Vector("ftp://example.com/", ("93.184.216.34",)),
    Vector("https://@example.com/", ("93.184.216.34",)),
    Vector("", ()),
]
HOLDOUT = [*EDGES, *SPELLINGS, *EMBEDDED, *NAMES, *FORMS]
