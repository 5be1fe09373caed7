"""Registered secrets and e-mail addresses, and their removal from every text that could leave the process.

A secret is registered once, where it is opened. `redact` then replaces it in any text, raw or in the forms it takes
on its way through URLs, base64 headers and JSON. `RedactingFilter` does so for log records.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
from urllib.parse import quote, quote_plus

from integration_assets.masking import mask_addresses

MASK = "***"
SHORTEST_SECRET = 8
"""Characters. Shorter values are never registered: masking an empty or tiny one turns every text into stars."""

_lock = threading.Lock()
_forms: set[str] = set()
_pattern: re.Pattern[str] | None = None


def register(secret: str) -> None:
    """Have `secret` replaced by `***` from now on. Values shorter than 8 characters are ignored."""
    global _pattern  # noqa: PLW0603 - one compiled pattern per process, replaced as a whole under the lock
    if len(secret) < SHORTEST_SECRET:
        return
    with _lock:
        _forms.update(_spellings(secret))
        longest_first = sorted(_forms, key=len, reverse=True)
        _pattern = re.compile("|".join(re.escape(form) for form in longest_first))


def redact(text: str) -> str:
    """`text` with every registered secret, in any of its spellings, as `***`, and every e-mail address masked."""
    # Secrets first: one may hold a sign, and half of it would stay beside a masked address.
    return mask_addresses(_pattern.sub(MASK, text) if _pattern else text)


class RedactingFilter(logging.Filter):
    """Replaces registered secrets and addresses in the message and the traceback of each record. Attach to handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record in place; always keep it."""
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def protect(logger: logging.Logger | None = None) -> None:
    """Attach a `RedactingFilter` to every handler of `logger` (default: the root logger) that has none yet."""
    for handler in (logger or logging.getLogger()).handlers:
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
