"""Addresses a tenant could enter to make the server ask something it should not, and some that are fine.

A vector is a URL and what its name resolves to. Sources of the forms: OWASP's SSRF prevention cheat sheet, the WHATWG
URL standard's host parser, the clouds' pages on their metadata services, and the advisories named beside some.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vector:
    """A URL and the addresses its name resolves to, if it is asked for."""

    url: str
    answers: tuple[str, ...] = ()


def _literals(*hosts: str) -> list[Vector]:
    return [Vector(f"https://{host}/") for host in hosts]


def _names(*answers: str) -> list[Vector]:
    """Honest-looking names that resolve to each of these."""
    return [Vector("https://billing.example.com/", (answer,)) for answer in answers]


LITERALS = _literals(
    "127.0.0.1",
    "127.1.2.3",
    "10.0.0.5",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
)
ODD_SPELLINGS = _literals(
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "2852039166",
    "0xa9fea9fe",
    "169.254.43518",
    "0251.0376.0251.0376",
    "127.0.0.1.",
    "127.0.0.01",
)
IPV6 = _literals(
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",  # CVE-2026-42449
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[fd00:ec2::254]",
    "[fc00::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[100::1]",
)
NAMES = [
    *_literals("localhost", "LOCALHOST", "localhost.", "foo.localhost", "metadata.google.internal", "printer.local"),
    *_literals("metadata", "kubernetes.default.svc.cluster.local"),
    *_names("127.0.0.1", "10.1.2.3", "169.254.169.254", "100.100.100.200", "::1", "::ffff:10.0.0.1", "fd00:ec2::254"),
    Vector("https://billing.example.com/", ("93.184.216.34", "10.0.0.1")),
]
FORMS = [
    Vector("http://billing.example.com/", ("93.184.216.34",)),
    Vector("https://user:secret@billing.example.com/", ("93.184.216.34",)),
    Vector("https://billing.example.com@169.254.169.254/"),
    Vector("https://billing.example.com:22/", ("93.184.216.34",)),
    Vector("https://billing.example.com\\@127.0.0.1/"),
    Vector("https://billing.example.com/#@127.0.0.1/", ("93.184.216.34",)),
    Vector("file:///etc/passwd"),
    Vector("gopher://127.0.0.1:6379/_INFO"),
]
VECTORS = [*LITERALS, *ODD_SPELLINGS, *IPV6, *NAMES, *FORMS]

LEGITIMATE = [
    Vector("https://billing.example.com/api", ("93.184.216.34",)),
    Vector("https://billing.example.com.:443/", ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")),
    Vector("https://xn--bcher-kva.example:8443/v1", ("151.101.1.69",)),
    Vector("https://1.1.1.1/"),
    Vector("https://[2606:4700:4700::1111]/"),
    Vector("https://172.15.255.255/"),
    Vector("https://100.128.0.1/"),
    Vector("https://localhost.example.com/", ("8.8.8.8",)),
]
"""These must pass for an internal system."""
