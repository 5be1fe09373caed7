"""The address guard: the addresses a tenant may have us ask.

`check_address` is asked when an address is saved, and again when a client is made for it; `AddressGuard.addresses_of`
when a connection is opened, so that what is dialled is what was checked. The table of networks is our own, because the
answers of `ipaddress` change between versions of Python. Sources: IANA IPv4 and IPv6 special-purpose address registries
(RFC 6890 and its updates), and the clouds' own pages on where their metadata services listen.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import msgspec

from integration_assets.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = frozenset({443, 8443})
LONGEST_URL = 2_000
LONGEST_HOST = 253
MOST_ANSWERS = 32
"""Addresses of one name. No honest name has more, and each of them is checked."""

PRIVATE, SHARED, LOCAL_V6 = "a private network", "a carrier's shared network", "a private network (IPv6)"
ALLOWABLE = frozenset({PRIVATE, SHARED, LOCAL_V6})
"""Only inside these may the operator name networks that tenants' internal systems may live in."""

_NOT_PUBLIC: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "a cloud's metadata service",  # Azure, Alibaba, Oracle; AWS and Google by IPv6
        ("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::/32"),
    ),
    ("this host", ("0.0.0.0/8", "::/128")),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("a link-local network", ("169.254.0.0/16", "fe80::/10")),
    (PRIVATE, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    (SHARED, ("100.64.0.0/10",)),
    (LOCAL_V6, ("fc00::/7",)),
    ("a site-local network", ("fec0::/10",)),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("reserved", ("192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4", "5f00::/16")),
    ("for tests and documentation", ("192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24")),
    ("for tests and documentation", ("2001:db8::/32", "3fff::/20")),
    ("a discard prefix", ("100::/64", "100:0:0:1::/64")),
    # Each of these holds an IPv4 address, which may be any of the above.
    ("an embedded IPv4 address", ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")),
    ("an embedded IPv4 address", ("2002::/16", "2001::/32")),
    ("reserved", ("2001::/23",)),
)
NOT_PUBLIC: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(text), what) for what, networks in _NOT_PUBLIC for text in networks
)
"""Networks that are not the public internet, each with what it is; the first that holds an address names it."""

_GLOBAL_V6 = IPv6Network("2000::/3")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""The upper half of an interface identifier whose lower half is an IPv4 address (RFC 5214, section 6.1)."""

_NETLOC = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?(0[xX][0-9A-Fa-f]*|[0-9]+)\.?")
"""Hosts that resolvers read as an IPv4 address, in whatever spelling (WHATWG URL, "ends in a number")."""
_NAMES_OF_THIS_NETWORK = ("localhost", "localdomain", "local", "internal", "home.arpa")


class AddressError(ConfigurationError):
    """An address may not be asked. `reason` says why, to stand beside the field."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"the address {host} may not be asked: {reason}")
        self.reason = reason


class Target(msgspec.Struct, frozen=True):
    """The end of a URL: `host` in lower case without final dot (IPv6 without brackets), and the port."""

    scheme: str
    host: str
    port: int

    @property
    def pair(self) -> str:
        """`host:port`, as the operator writes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class AddressPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses one kind of integration may ask.

    `hosts`: the only names allowed, those of the provider; None for an internal system, and for a provider of which
    everybody runs a server of their own: any public address. `networks`: private networks the operator opened to
    internal systems. `allowed`: exact `host:port` pairs of the operator that
    pass whatever they are, without TLS and on loopback included.
    """

    hosts: frozenset[str] | None = None
    networks: tuple[Network, ...] = ()
    allowed: frozenset[str] = frozenset()


def check_address(url: str, policy: AddressPolicy, *, with_query: bool = False) -> Target:
    """Read where a URL leads, and check that its spelling, scheme, port and address may be asked; resolve no name.

    `with_query`: it is that of a file, and not one that paths are added to.

    Raises:
        AddressError: it may not; the reason is fit for the person who typed it.
    """
    target = _parsed(url, with_query=with_query)
    _check_target(target, policy)
    # Without TLS, whoever sits in between reads the credential and answers in the system's place.
    if target.scheme != "https" and target.pair not in policy.allowed:
        raise AddressError(target.host, "it must begin with https://")
    return target


def why_not_public(address: Address) -> str | None:
    """Name the kind of an address that is not public; None when it is public."""
    for network, what in NOT_PUBLIC:
        if address.version == network.version and address in network:
            return what
    # Beyond the table only the global block is handed out; what lies outside it is nobody's public address.
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_V6:
            return "reserved"
        # ISATAP hides the IPv4 address in the lower half, under any prefix: no network of the table can name it.
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            return "an embedded IPv4 address"
    return None


def check_literal(host: str, address: Address, policy: AddressPolicy) -> None:
    """Return when a connection to this address may be opened on behalf of `host`.

    Raises:
        AddressError: it may not.
    """
    what = why_not_public(address)
    # The operator's networks open private ones only: no list opens loopback or a metadata service.
    if what is None or (what in ALLOWABLE and any(_holds(network, address) for network in policy.networks)):
        return
    raise AddressError(host, f"it leads to {what}, which is not the public internet")


# ------------------------------------------------------------------------------------------------------- at use

Resolver = Callable[[str, int], Awaitable[Iterable[str]]]
"""Addresses of a name, as text. Raises OSError when there are none."""


async def system_resolver(host: str, port: int) -> list[str]:
    """Ask the operating system for a name's addresses, in its order of preference."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(where[0]) for _, _, _, _, where in found]


class AddressGuard:
    """The guard of one client: `policy` decides, `resolver` says what a name's addresses are."""

    def __init__(self, policy: AddressPolicy, resolver: Resolver = system_resolver) -> None:
        self.policy = policy
        self._resolver = resolver

    def check(self, url: str, *, with_query: bool = False) -> Target:
        """As `check_address`."""
        return check_address(url, self.policy, with_query=with_query)

    async def addresses_of(self, host: str | bytes, port: int) -> list[str]:
        """The addresses to dial for a host and port: resolved once, every one of them checked, in order, each once.

        Raises:
            AddressError: one of them may not be asked, or the host and port may not.
            OSError: the name has no address.
        """
        # The spelling that the policy is written in; `Host.` and `host` are one machine.
        name = (host.decode("ascii") if isinstance(host, bytes) else host).strip("[]").lower().removesuffix(".")
        target = Target("", name, port)
        # Again at use, so that what is dialled is what was checked, whatever the client was made for.
        _check_target(target, self.policy)
        if (literal := _literal(name)) is not None:
            return [str(literal)]
        # Resolved once, and the answers are what is dialled: a name cannot lead elsewhere after it was checked.
        answers = list(dict.fromkeys(await self._resolver(name, port)))
        if not answers:
            raise OSError("the name has no address")
        if len(answers) > MOST_ANSWERS:
            raise AddressError(name, f"it has more than {MOST_ANSWERS} addresses")
        # Every answer, not the first alone: which one is dialled depends on which of them is up.
        if target.pair not in self.policy.allowed:
            for answer in answers:
                check_literal(name, _answered(name, answer), self.policy)
        return answers


def _answered(host: str, answer: str) -> Address:
    try:
        return ip_address(answer)
    except ValueError:
        raise AddressError(host, "what it resolves to is no address") from None


# ------------------------------------------------------------------------------------------------------- parts


def _parsed(url: str, *, with_query: bool) -> Target:
    # Everything below is about spellings that parsers read in different ways; the plain ones are left.
    if len(url) > LONGEST_URL:
        raise AddressError("given", f"it must have at most {LONGEST_URL:,} characters")
    if not url.isascii() or not url.isprintable() or set(url) & set(" \\<>\"'`{}|^"):
        raise AddressError("given", "it must be ASCII without spaces, quotes, backslashes or control characters")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise AddressError("given", "it must look like https://host/path") from None
    # A user before the host makes another host look like the one that is asked.
    if "@" in parts.netloc:
        raise AddressError("given", "it must have no user or password in it")
    # Looked for in the text: urlsplit shows an empty query or fragment as none.
    if ("?" in url and not with_query) or "#" in url:
        raise AddressError("given", f"it must have no {'' if with_query else 'query or '}fragment in it")
    found = _NETLOC.fullmatch(parts.netloc)
    if parts.scheme not in ("https", "http") or found is None or not url.startswith(f"{url[: len(parts.scheme)]}://"):
        raise AddressError("given", "it must look like https://host/path")
    host = found["host"].strip("[]").lower().removesuffix(".")
    port = int(found["port"]) if found["port"] else (443 if parts.scheme == "https" else 80)
    return Target(parts.scheme, host, port)


def _check_target(target: Target, policy: AddressPolicy) -> None:
    """Host and port by themselves: everything but the scheme and what the name resolves to."""
    # The operator's word, for a look-alike on loopback for one: it stands above all that follows.
    if target.pair in policy.allowed:
        return
    if target.port not in PORTS:
        raise AddressError(target.host, "its port must be 443 or 8443")
    literal = _literal(target.host)
    if literal is None:
        _check_name(target.host)
    if policy.hosts is not None and target.host not in policy.hosts:
        names = " or ".join(sorted(policy.hosts))
        raise AddressError(target.host, f"its host must be {names}, or one the operator of this installation added")
    if literal is not None:
        check_literal(target.host, literal, policy)


def _literal(host: str) -> Address | None:
    """The address a host is in its usual spelling; None when it is a name."""
    # What ends in a number is no name to a resolver, but an address in some spelling.
    if ":" not in host and not _ENDS_IN_A_NUMBER.fullmatch(host):
        return None
    try:
        return ip_address(host)
    except ValueError:
        raise AddressError(host, "it is an IP address in an odd spelling, or none") from None


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError(host[:LONGEST_HOST], "it is no name of a host")
    # Before anything is resolved: what such a name leads to differs from network to network.
    if any(host == name or host.endswith(f".{name}") for name in _NAMES_OF_THIS_NETWORK):
        raise AddressError(host, "it is a name that means another machine on every network")
    # A bare name is completed by the resolver with the search domains of this machine's own network.
    if len(labels) < 2:
        raise AddressError(host, "it must be a whole name, such as billing.example.com")


def _holds(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network
