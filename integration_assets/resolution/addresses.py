"""E-mail addresses: from what the source gave to a normalised address, its host and what it is good for."""

from __future__ import annotations

import re
from itertools import accumulate

import idna
import msgspec

from integration_assets.resolution.domains import Kind, MailDomains, registrable_domain, strip, to_host, visible

PLAIN_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+"
"""Addresses whose parts SQL may take apart itself: lower-cased, split at the `@`. `parse_address` does all others.

Same meaning in Python's `re` and in DuckDB's RE2, to be matched against the whole text.
"""

_DISPLAY_FORM = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_MAILTO = re.compile(r"mailto:/*(?P<address>[^?]*)(?:\?.*)?", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"(?:\([^()]*\)\s*)?(?P<address>[^()]*@[^()]*?)(?:\s*\([^()]*\))?")
_NAME_AND_BRACKETS = re.compile(r"[^()<>@]*\((?P<address>[^()]*@[^()]*)\)")
_SEPARATORS = ",;"
_PAIRS = {
    "(": ")",
    "[": "]",
    "{": "}",
    "<": ">",
    '"': '"',
    "'": "'",
    "`": "`",
    "“": "”",
    "„": "“",
    "\u2018": "\u2019",
    "«": "»",
}
"""Brackets and quotes that people and programs put round an address, opening and closing."""
_LONELY = {"<": ">", "(": ")", "[": "]", '"': '"'}
"""Of these, the ones no address begins or ends with."""
_ADDRESS_LIKE = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+\.[^\s<>()\[\],;:\"']+")
_NEVER_IN_LOCAL_PART = frozenset(' <>()[],;:\\"')


class Address(msgspec.Struct, frozen=True):
    """An address, normalised. Personal data: it never leaves the staging store.

    `address` is None without any (null or blank), and the trimmed lower-case text when it is malformed.
    `registrable_domain` is None for a host that is itself a public suffix.
    """

    kind: Kind
    address: str | None = None
    host: str | None = None
    registrable_domain: str | None = None


def split_address(text: str) -> tuple[str, str] | None:
    """Split one address into its local part (lower-case) and ASCII host; None where the text is not one address.

    What stands round it is taken off: a display name (`Name <a@b.c>`), `mailto:`, brackets, quotes, comments, a final
    `;` or `,`, and characters nobody sees. Two addresses in one text are none.
    """
    bare = _unwrapped(text)
    if bare is None:
        return None
    local, at, host_text = bare.partition("@")
    # Copied text carries zero-width characters: left in, they would make one address two.
    local = visible(local)
    # A second `@`, or a separator in the local part, means several addresses: nobody knows which one votes.
    if not at or "@" in host_text or not local or not local.isprintable() or _NEVER_IN_LOCAL_PART & set(local):
        return None
    host = to_host(host_text)
    return (local.lower(), host) if host else None


def _unwrapped(text: str) -> str | None:
    """The text without what stands round an address; None where that holds a second address."""
    bare, before = strip(text), None
    # Until nothing changes: wrappings nest in any order, such as `"Ann <mailto:a@b.c>";`.
    while bare != before:
        before = bare
        bare = strip(bare.strip(_SEPARATORS))
        bare = strip(_without_brackets(bare))
        if display := _DISPLAY_FORM.fullmatch(bare):
            inner, others = strip(display["address"]), _ADDRESS_LIKE.findall(display["name"])
            # programs repeat the address as its own display name; another address there makes two
            if any(strip(other).lower() != inner.lower() for other in others):
                return None
            bare = inner
        for form in (_MAILTO, _COMMENT, _NAME_AND_BRACKETS):
            if wrapped := form.fullmatch(bare):
                # The comment or name holds an address as well; the query of a `mailto:` (`?cc=`) may, it is no sender.
                if bare.count("@") > wrapped["address"].count("@") and form is not _MAILTO:
                    return None
                bare = strip(wrapped["address"])
    return bare


def _without_brackets(text: str) -> str:
    """The text without one pair of brackets or quotes round it, or without a single one whose partner got lost."""
    if len(text) < 2:
        return text
    # No entry for most first letters; the empty text matches no branch below.
    opening, closing = text[0], _PAIRS.get(text[0], "")
    if closing and text.endswith(closing):
        inner = text[1:-1]
        # `(Ann) a@b.c (work)` begins and ends with brackets that are no pair
        depths = accumulate((letter == opening) - (letter == closing) for letter in inner)
        if (opening == closing and opening not in inner) or (opening != closing and min(depths, default=0) >= 0):
            return inner
    # Not every sign of `_PAIRS`: an apostrophe or a brace may begin an address of its own.
    if opening in _LONELY and _LONELY[opening] not in text[1:]:
        return text[1:]
    last = next((start for start, end in _LONELY.items() if end == text[-1]), None)
    return text[:-1] if last and last not in text[:-1] else text


def other_spellings(text: str) -> set[str]:
    """Spellings other than the normalised one under which a CRM may hold this address: it compares texts.

    The host in letters beyond ASCII, and the address as the source spells it, without what stands round it.
    """
    parts = split_address(text)
    if parts is None:
        return set()
    local, host = parts
    unwrapped = (_unwrapped(text) or "").lower()
    # Not normalised: the CRM may hold the address just as the source does.
    spellings = {unwrapped, text.strip().lower()} if "@" in unwrapped else set()
    if "xn--" in host:
        spellings.add(f"{local}@{idna.decode(host)}")
    # Texts with brackets or separators are no addresses: to ask the CRM for them would cost calls and find nobody.
    return {spelling for spelling in spellings if not _NEVER_IN_LOCAL_PART & set(spelling)} - {f"{local}@{host}"}


def address_key(text: str) -> str:
    """Key that all spellings of one address share: the normalised address, or the trimmed lower-case text."""
    parts = split_address(text)
    return "@".join(parts) if parts else strip(text).lower()


def parse_address(text: str | None, domains: MailDomains) -> Address:
    """The address a source gave, understood as far as it can be."""
    if text is None or not strip(text):
        return Address(kind=Kind.NONE)
    parts = split_address(text)
    if parts is None:
        # The text is kept: an override or a contact may be spelt the same, wrong as it is.
        return Address(kind=Kind.MALFORMED, address=strip(text).lower())
    local, host = parts
    address, registrable = f"{local}@{host}", registrable_domain(host)
    return Address(
        kind=domains.kind_of_address(address, host, registrable),
        address=address,
        host=host,
        registrable_domain=registrable,
    )
