"""Refusals in Twenty's own words, made fit to be told.

Messages change between versions and quote values, so nothing is decided by one; what is quoted is taken out, but for
names of fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from integration_assets.connectors.redaction import redact

MOST_CHARACTERS = 200
"""Of a message that is told."""
_QUOTED = re.compile(r'(?<!field )"[^"]*"(?! field)')


def reason(body: Any) -> str:
    """Words of a refusal, in one line without values; empty where it says nothing."""
    return "; ".join(dict.fromkeys(filter(None, map(_told, _messages(body)))))


def _messages(body: Any) -> Iterator[str]:
    if not isinstance(body, dict):
        return
    # The record API has `messages`; that of metadata `message` with what is wrong two levels further down.
    for message in body.get("messages") or ():
        if isinstance(message, str):
            yield message
    if isinstance(body.get("message"), str):
        yield body["message"]
    parts = body.get("errors")
    for part in parts.values() if isinstance(parts, dict) else ():
        for entry in part if isinstance(part, list) else ():
            for error in entry.get("errors") or () if isinstance(entry, dict) else ():
                if isinstance(error, dict) and isinstance(error.get("message"), str):
                    yield error["message"]


def _told(message: str) -> str:
    # Redacted before it is cut: half an address would not be known for one.
    text = _QUOTED.sub('"…"', redact(message))
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"
