"""E-mail addresses and hosts as texts: the one normal form of each, whatever a source made of it.

Readers of tables, matching, linking and forgetting all call it. Imports nothing of ours but `invisible`.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate

import idna

from integration_assets.invisible import strip, visible

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_NUMERIC_LAST_LABEL = re.compile(r"\.[0-9]+\Z")
_LONGEST_HOST = 253
"""Octets of a host name, RFC 1035."""

PLAIN_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+"
"""Addresses whose parts SQL may take apart itself: lower-cased, split at the `@`. `parse_address` does all others.

Same meaning in Python's `re` and in DuckDB's RE2, to be matched against the whole text.
"""

_DISPLAY_FORM = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_MAILTO = re.compile(
    r"(?:mailto:/*|(?:smtp|e-?mail|mail)\s*:\s*)(?P<address>[^?]*)(?:\?.*)?", re.IGNORECASE | re.DOTALL
)
"""A link to an address, the form of directories (`SMTP:a@b.c` is the first of a mailbox), or a label before it."""
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
_QUOTED = re.compile(r'"((?:[^"\\@]|\\[^@])+)"')
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0x3001: ",", 0xFE6B: "@"}
"""Forms that East Asian keyboards and spreadsheets give to the letters, digits and signs of an address."""


def split_address(text: str) -> tuple[str, str] | None:
    """Split one address into its local part (lower-case) and ASCII host; None where the text is not one address.

    What stands round it is taken off: a display name (`Name <a@b.c>`), `mailto:` or `smtp:`, brackets, quotes,
    comments, a final `;` or `,`, and characters nobody sees. The same address several times is one; two addresses in
    one text are none.
    """
    narrow = _narrow(text)
    return _one_address(narrow) or _repeated_address(narrow)


def _narrow(text: str) -> str:
    return text if text.isascii() else text.translate(_FULL_WIDTH)


def _one_address(text: str) -> tuple[str, str] | None:
    bare = _unwrapped(text)
    if bare is None:
        return None
    local_text, at, host_text = bare.partition("@")
    # A second `@` means several addresses: nobody knows which one votes.
    if not at or "@" in host_text:
        return None
    local, host = _local_part(local_text), to_host(host_text)
    return (local, host) if local and host else None


def _local_part(text: str) -> str | None:
    """The local part in lower-case and composed letters; None where it is none.

    Copied text carries zero-width characters, and some systems keep `é` as two characters: left so, one address would
    be two. Quotes stay only round what needs them.
    """
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", visible(text)).lower())
    if quoted := _QUOTED.fullmatch(local):
        content = re.sub(r"\\(.)", r"\1", quoted[1])
        local = content if _is_plain(content) else local
        return local if content.isprintable() and strip(content) else None
    return local if _is_plain(local) else None


def _is_plain(local: str) -> bool:
    """Tell whether a local part needs no quotes: it holds no separator, which would mean several addresses."""
    return bool(local) and local.isprintable() and not _NEVER_IN_LOCAL_PART & set(local)


def _repeated_address(text: str) -> tuple[str, str] | None:
    """The address that a text holds several times and no other: `a@b.c; a@b.c`, or `[a@b.c](mailto:a@b.c)`."""
    words = _ADDRESS_LIKE.findall(text)
    if len(words) < 2 or len(words) != text.count("@"):
        return None
    found = {_one_address(word) for word in words}
    return found.pop() if len(found) == 1 else None


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

    The host in letters beyond ASCII, letters with their marks apart, and the address as the source spells it, without
    what stands round it.
    """
    parts = split_address(text)
    if parts is None:
        return set()
    local, host = parts
    unwrapped = (_unwrapped(_narrow(text)) or "").lower()
    # Not normalised: the CRM may hold the address just as the source does.
    spellings = {unwrapped, text.strip().lower()} if "@" in unwrapped else set()
    if "xn--" in host:
        spellings.add(f"{local}@{idna.decode(host)}")
    if not local.isascii():
        spellings.add(f"{unicodedata.normalize('NFD', local)}@{host}")
    # Texts with brackets or separators are no addresses: to ask the CRM for them would cost calls and find nobody.
    return {spelling for spelling in spellings if not _NEVER_IN_LOCAL_PART & set(spelling)} - {f"{local}@{host}"}


def address_key(text: str) -> str:
    """Key that all spellings of one address share: the normalised address, or the trimmed lower-case text."""
    parts = split_address(text)
    return "@".join(parts) if parts else strip(text).lower()


def to_host(text: str) -> str | None:
    """The host name in ASCII (IDNA, UTS 46) and lower-case, without final dot; None if it is not one.

    A host has at least one dot; an IP address is no host.
    """
    # No host is nearly as long, and the time IDNA takes grows steeply with the text: a field may hold a whole page.
    if len(text) > 4 * _LONGEST_HOST:
        return None
    host = text.lower() if text.isascii() else text
    # joiners mean something between letters of some scripts only; in a Latin name they come from copying
    if not host.isascii() and (bare := visible(host)).isascii():
        host = bare.lower()
    # Punycode too: it may decode to what no name may hold, or be spelt in two ways.
    if not host.isascii() or "xn--" in host:
        try:
            host = idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
        except UnicodeError:
            return None
    host = host.removesuffix(".")
    # Again, after encoding: in ASCII a name is longer than in its own letters.
    if len(host) > _LONGEST_HOST or not HOST.fullmatch(host):
        return None
    return None if host[-1].isdigit() and _NUMERIC_LAST_LABEL.search(host) else host
