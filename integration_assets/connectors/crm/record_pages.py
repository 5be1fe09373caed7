"""Addresses at which people see records of a CRM: the check of what such an address begins with. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

ID = "{id}"
"""Place of a record's id in an address."""
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


def page_host(text: str | None) -> str | None:
    """A name of a host in lower case, or None where the text is none. A port, user name or path makes it none."""
    host = (text or "").lower()
    return host if _HOST.fullmatch(host) else None


def page_base(url: str | None) -> str | None:
    """An http or https address without what follows its path, to which a page is added; None where it is none.

    An address with a user name, a password, or signs that would have to be escaped is none.
    """
    try:
        parts = urlsplit(url or "")
        port = f":{parts.port}" if parts.port else ""
    # A port that is no number, or brackets that hold no address.
    except ValueError:
        return None
    host = page_host(parts.hostname)
    if parts.scheme not in {"http", "https"} or host is None or "@" in parts.netloc or not _PATH.fullmatch(parts.path):
        return None
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
