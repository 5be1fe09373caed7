"""E-mail addresses in free text, and their removal: the one pattern for every surface. Imports nothing of ours.

People write addresses into titles, boards, company names and messages. `mask_addresses` replaces what looks like one by
`[address]`, in whatever script and spelling; the terminal, JSON, reports, Slack, logs, errors, Dagster metadata and the
published database all call it. Where a reader cannot tell an address from other text it errs on the side of masking.
"""

from __future__ import annotations

import json
import re
import unicodedata
from html import unescape
from typing import Any
from urllib.parse import unquote

MASKED_ADDRESS = "[address]"

ADDRESS_SIGN = "[@\uff20\ufe6b]|%(25)*40|&#0*64;|&#[xX]0*40;|&commat;"
"""The sign, its full-width and small forms, and how URLs and HTML write it. DuckDB's RE2 reads it alike."""
_SIGN = re.compile(ADDRESS_SIGN)
_STOPS_LOCAL_PART = frozenset(
    '<>,;:"@\uff20\ufe6b\uff0c\uff1b\uff1a\u3001\u3002\u300c\u300d\u300e\u300f\u3010\u3011\u300a\u300b'
)
"""Characters that no local part holds outside quotes (RFC 5322), and punctuation of scripts written without blanks."""
_OPENING = "([{'`*_<\u201c\u201e\u2018\u00ab\u2039\uff08"
"""Stands before an address in a sentence more often than at the beginning of one."""
_ATOM = re.compile(r"[^\W_]|[!#$%&'*+/=?^_`{|}~-]")
_HOST_PUNCTUATION = frozenset("-._%\u3002\uff0e\uff61\u00b7\u30fb\u05f3\u05f4")
"""Punctuation inside host names: hyphen, the four dots of IDNA, percent-encoding, and letters' own (RFC 5892, A)."""
_ESCAPED_IN_MARKDOWN = frozenset(".-_")
_HOST_LITERAL = re.compile(r"\[[0-9A-Za-z:.]{3,64}\]")
_VERSION = re.compile(r"[v^~=]?[0-9]+(?:\.(?:[0-9]+|x|\*))+(?:[-+][0-9a-z.+-]*)?")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])")
_SCALED_PICTURE = re.compile(r"[0-9](?:\.[0-9])?x\.(?:png|jpe?g|gif|svg|webp)")
_PATH_OF_URL = re.compile(r"(?://|(?:[a-z0-9-]+\.)+[a-z]{2,}/)(?:.*/)?", re.IGNORECASE)
LONGEST_QUOTED = 256
"""Characters a quoted local part may have; RFC 5321 allows 64."""


def mask_addresses(text: str) -> str:
    """The text with each e-mail address replaced by `[address]`.

    Known are local parts and hosts of any script, quoted local parts, `mailto:`, address literals, percent-encoded and
    HTML-escaped signs, and invisible characters anywhere inside. Mentions (`@ann`), a lone `a @ b`, hosts without a dot
    and versions (`pkg@1.2.3`) are no addresses.
    """
    pieces, done = [], 0
    for sign in _SIGN.finditer(text):
        # A second sign inside an address that is masked already.
        if sign.start() < done:
            continue
        end = _host_end(text, sign.end())
        start = _local_start(text, done, sign.start()) if end > sign.end() else sign.start()
        if start < sign.start():
            pieces += [text[done:start], MASKED_ADDRESS]
            done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def mask_addresses_in_json(text: str) -> str:
    """A JSON text with the addresses in its strings and keys masked: escapes and quotes would hide them otherwise."""
    # Most texts hold none, and decoding every one of them would cost more than the search.
    return text if not _may_hold_address(text) else json.dumps(_masked(json.loads(text)), ensure_ascii=False)


def _may_hold_address(json_text: str) -> bool:
    # In JSON every sign may also stand as an escape, `\u0040`.
    return "\\u" in json_text or _SIGN.search(json_text) is not None


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask_addresses(value)
    if isinstance(value, list):
        return [_masked(one) for one in value]
    if isinstance(value, dict):
        return {mask_addresses(key): _masked(one) for key, one in value.items()}
    return value


def _host_end(text: str, start: int) -> int:
    """Return where the host that begins at `start` ends; `start` when there is none."""
    if literal := _HOST_LITERAL.match(text, start):
        return literal.end()
    end = start
    while end < len(text) and _in_host(text, end):
        end += 1
    # A sentence's own full stop, or an encoded blank, is none of the host's.
    while end > start and (text[end - 1] in "-._%\\\u3002" or _invisible(text[end - 1])):
        end -= 1
    return end if _is_mail_host(text[start:end]) else start


def _in_host(text: str, place: int) -> bool:
    character = text[place]
    if character in _HOST_PUNCTUATION:
        return True
    if character == "\\":
        return text[place + 1 : place + 2] in _ESCAPED_IN_MARKDOWN and place + 1 < len(text)
    if character.isascii():
        return character.isalnum()
    # Letters, marks, digits, symbols (there are emoji domains) and what shows nothing; no punctuation, no blank.
    return unicodedata.category(character)[0] in "LMNSC" and not character.isspace()


def _is_mail_host(host: str) -> bool:
    """True if mail could go there: a name with a dot, or four numbers; neither a version nor a picture's scale."""
    plain = unicodedata.normalize("NFKC", unquote(unescape(host))).replace("\\", "").lower()
    plain = "".join(character for character in plain if not _invisible(character)).replace("\u3002", ".")
    # Before versions: four numbers are a host as well as a version, and masking errs on the side of hiding.
    if _IPV4.fullmatch(plain):
        return True
    if _VERSION.fullmatch(plain) or _SCALED_PICTURE.fullmatch(plain):
        return False
    labels = [label for label in plain.split(".") if label]
    # No top-level domain begins with a digit: `5@10.30am`, `2@9.99`.
    return len(labels) > 1 and not labels[-1][0].isdigit() and any(map(str.isalpha, labels[-1]))


def _local_start(text: str, lower: int, sign: int) -> int:
    """Return where the local part that ends before `sign` begins, not before `lower`; `sign` when there is none."""
    quote = sign
    while quote > lower and _invisible(text[quote - 1]):
        quote -= 1
    # A quoted local part may hold blanks: it ends at its own quote only, and not too far back.
    if text[lower:quote].endswith('"'):
        opening = _opening_quote(text, max(lower, quote - LONGEST_QUOTED), quote - 1)
        return sign if opening is None else opening
    start = sign
    while start > lower and text[start - 1] not in _STOPS_LOCAL_PART and not text[start - 1].isspace():
        start -= 1
    whole = start
    while start < sign and (text[start] in _OPENING or _invisible(text[start])):
        start += 1
    if start == sign:  # nothing but such characters: an odd local part where RFC 5322 allows them
        return whole if _ATOM.search(text, whole, sign) else sign
    # `https://medium.com/@first.last` is a page, not an address that ends in a slash.
    return sign if text[sign - 1] == "/" and _PATH_OF_URL.fullmatch(text, start, sign) else start


def _opening_quote(text: str, lower: int, closing: int) -> int | None:
    place = text.rfind('"', lower, closing)
    while place > lower and text[place - 1] == "\\":
        place = text.rfind('"', lower, place)
    return place if place >= 0 else None


def _invisible(character: str) -> bool:
    """True if a character shows nothing: formats such as zero-width blanks, and controls."""
    return unicodedata.category(character) in ("Cf", "Cc")
