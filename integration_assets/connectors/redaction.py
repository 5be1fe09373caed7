"""Registered secrets and e-mail addresses, and their removal from every text that could leave the process.

A secret is registered once, where it is opened. `redact` then replaces it in any text, raw or in the forms it takes
on its way through URLs, base64 headers and JSON. `RedactingFilter` does so for log records, `fields_of` tells what
such a record has beside its message.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from integration_assets.masking import mask_addresses

MASK = "***"
SHORTEST_SECRET = 8
"""Characters. Shorter values are never registered: masking an empty or tiny one turns every text into stars."""

_lock = threading.Lock()
_forms_by_start: dict[str, tuple[str, ...]] = {}
"""First characters of a spelling, `SHORTEST_SECRET` of them → the spellings that begin so, the longest first. So a
process that serves a thousand tenants masks as fast as one that serves one, and learns a secret without going through
all the others."""


def register(secret: str) -> None:
    """Have `secret` replaced by `***` from now on. Values shorter than 8 characters are ignored."""
    if len(secret) < SHORTEST_SECRET:
        return
    with _lock:
        for form in _spellings(secret):
            start = form[:SHORTEST_SECRET]
            known = {form, *_forms_by_start.get(start, ())}
            # A secret may hold another one; the shorter match would leave the rest of it.
            _forms_by_start[start] = tuple(sorted(known, key=len, reverse=True))


def redact(text: str) -> str:
    """`text` with every registered secret, in any of its spellings, as `***`, and every e-mail address masked."""
    # Secrets first: one may hold a sign, and half of it would stay beside a masked address.
    return mask_addresses(_without_secrets(text) if _forms_by_start else text)


def _without_secrets(text: str) -> str:
    parts, copied, position = [], 0, 0
    while position <= len(text) - SHORTEST_SECRET:
        forms = _forms_by_start.get(text[position : position + SHORTEST_SECRET], ())
        found = next((form for form in forms if text.startswith(form, position)), None)
        if found is None:
            position += 1
        else:
            parts += [text[copied:position], MASK]
            position = copied = position + len(found)
    return "".join((*parts, text[copied:]))


_STANDARD = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"))
"""Attributes the standard library keeps in a record, and uvicorn its coloured message; the rest came with `extra`."""
_OF_DAGSTER = "dagster_"
"""Prefix of what Dagster keeps in a record for itself: objects of its own, which no handler of ours writes."""


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that came with a record's `extra`."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and not name.startswith(_OF_DAGSTER)
    }


def _redacted(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_writable(str(name)): _redacted(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(one) for one in value]
    # An error or a path too: as text, since a formatter would make the same text of it after we have looked.
    return _writable(str(value))


def _field(value: Any) -> Any:
    try:
        return _redacted(value)
    except Exception as error:  # noqa: BLE001 - whatever its own `__str__` raises; a log line must not end the work
        return f"(a {type(value).__name__} that cannot be shown: {type(error).__name__})"


def _message(record: logging.LogRecord) -> str:
    try:
        return _writable(record.getMessage())
    except Exception as error:  # noqa: BLE001 - as above, and arguments that do not fit the format
        shown = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        return _writable(f"{shown} (its arguments cannot be shown: {type(error).__name__})")


def _writable(text: str) -> str:
    """Redact, and spell out what no stream can encode: half of a surrogate pair, as of an odd file name."""
    return redact(text).encode("utf-8", "backslashreplace").decode()


class RedactingFilter(logging.Filter):
    """Replaces registered secrets and addresses in the message, fields and traceback of each record, for handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record in place; always keep it. Never raises: filters run in the code that logs."""
        record.msg, record.args = _message(record), ()
        vars(record).update({name: _field(value) for name, value in fields_of(record).items()})
        # Made here, before a formatter would make it anew without us.
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = _writable(record.exc_text)
        if record.stack_info:
            record.stack_info = _writable(record.stack_info)
        return True


def protect(logger: logging.Logger | None = None) -> None:
    """Attach a `RedactingFilter` to every handler of `logger` (default: the root logger) that has none yet."""
    for handler in (logger or logging.getLogger()).handlers:
        # Once each, however often it is called.
        if not any(isinstance(known, RedactingFilter) for known in handler.filters):
            handler.addFilter(RedactingFilter())


def _spellings(secret: str) -> set[str]:
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        *escaped,
        *_base64_cores(secret.encode()),
    }


def _base64_cores(raw: bytes) -> set[str]:
    """List what base64 makes of `raw` wherever it starts in a longer text, less the characters neighbours change."""
    cores = set()
    for offset in range(3):
        padded = bytes(offset) + raw
        whole = base64.b64encode(padded).decode()
        first, last = -(-offset * 8 // 6), len(padded) * 8 // 6
        core = whole[first:last]
        cores |= {core, core.replace("+", "-").replace("/", "_")}
    return cores
