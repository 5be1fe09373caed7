"""Refusals in HubSpot's own words: error bodies, and the error entries of partly successful batches.

Every field of these bodies is optional, messages change without notice and quote values, so nothing is decided by a
message. `reason` builds one from categories, codes and names; only where there is nothing but a category that says too
little is the message told as well, on one line, cut short, without secrets and addresses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from integration_assets.connectors.redaction import redact

_SCOPE_KEYS = ("requiredGranularScopes", "requiredScopes", "missingScopes")
"""The current and the older forms of a missing-scope answer, and that of the published specification."""


SPEAKING_CATEGORIES = frozenset(
    {"CONFLICT", "INVALID_AUTHENTICATION", "MISSING_SCOPES", "OBJECT_NOT_FOUND", "RATE_LIMIT", "RATE_LIMITS"}
)
"""Categories that say by themselves what is wrong."""
MOST_CHARACTERS = 200
"""Of a message that is told."""


class Detail(msgspec.Struct, frozen=True):
    """One thing that is wrong: a code such as `INVALID_INTEGER`, and the names of the properties it is about."""

    code: str
    properties: tuple[str, ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """A refusal, of a whole call or of some inputs of a batch. `context` maps a name to its values, all as text."""

    category: str | None = None
    sub_category: str | None = None
    policy: str | None = None
    details: tuple[Detail, ...] = ()
    context: Mapping[str, tuple[str, ...]] = {}
    scopes: tuple[str, ...] = ()
    message: str = ""

    @property
    def lacks_scope(self) -> bool:
        """True if the token was not granted what the call needs; `scopes` may still be empty."""
        return self.category == "MISSING_SCOPES" or bool(self.scopes)

    def reason(self) -> str:
        """The refusal in one line: category, then codes with property names, else what HubSpot says itself."""
        details = ", ".join(
            f"{detail.code} ({', '.join(detail.properties)})" if detail.properties else detail.code
            for detail in dict.fromkeys(self.details)
        )
        # A category is HubSpot's own code; a message is free text and may quote values.
        head = self.category or "refused without a category"
        if self.sub_category and not details:
            head = f"{head} ({self.sub_category})"
        elif not details and self.message and self.category not in SPEAKING_CATEGORIES:
            details = self.message
        return f"{head}: {details}" if details else head


def parse_problem(entry: Any) -> Problem:
    """Read an error body or error entry; what is absent or of another form stays empty. Never raises."""
    # Proxies answer with pages of their own: whatever it is, it must be fit to be told.
    if not isinstance(entry, dict):
        return Problem()
    # Codes and scopes may be one level further down, in a list of errors.
    nested = [item for item in _list(entry.get("errors")) if isinstance(item, dict)]
    contexts = [_mapping(entry.get("context")), *(_mapping(item.get("context")) for item in nested)]
    return Problem(
        category=_text(entry.get("category")) or _text(entry.get("errorType")),
        sub_category=_text(entry.get("subCategory")),
        policy=_text(entry.get("policyName")),
        details=(*_details(nested), *_details_in_message(entry.get("message"))),
        context={name: _texts(value) for name, value in contexts[0].items()},
        scopes=tuple(
            dict.fromkeys(scope for context in contexts for key in _SCOPE_KEYS for scope in _texts(context.get(key)))
        ),
        message=next(filter(None, (_told(item.get("message")) for item in (entry, *nested))), ""),
    )


def _told(message: Any) -> str:
    """A message fit to be told: one line without what is JSON in it, without secrets and addresses, cut short."""
    # redacted before it is cut or cleaned: half a secret or address would not be known for one
    text = redact(_text(message) or "").partition("[{")[0].partition("{")[0]
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"


def _details(entries: list[dict[str, Any]]) -> Iterator[Detail]:
    for entry in entries:
        # Some entries have a code, others only a sub-category: either says what is wrong.
        code = _text(entry.get("code")) or _text(entry.get("subCategory"))
        context = _mapping(entry.get("context"))
        names = (*_texts(context.get("propertyName")), *_texts(context.get("properties")), *_texts(entry.get("in")))
        if code:
            yield Detail(code, tuple(dict.fromkeys(names)))


def _details_in_message(message: Any) -> Iterator[Detail]:
    """Batches carry the list of wrong values as JSON text at the end of the message."""
    text = _text(message) or ""
    start = text.find("[{")
    if start < 0:
        return
    try:
        # More text may follow the list, so only its beginning is known.
        entries, _ = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return
    for entry in entries:
        if isinstance(entry, dict) and (code := _text(entry.get("error"))):
            yield Detail(code, _texts(entry.get("name")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> tuple[str, ...]:
    """Scalars and lists of scalars as text."""
    # Contexts hold lists, single texts and numbers under the same names.
    items = value if isinstance(value, list) else [value]
    return tuple(str(item) for item in items if isinstance(item, str | int) and not isinstance(item, bool))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
