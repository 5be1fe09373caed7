"""Pasted keys, tokens and addresses, as they come out of a page, a mail, a file. Imports nothing of ours.

What stands round them is taken off; what is plainly something else is told, without a word of the key itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import urlsplit

_QUOTES = ('""', "''", "``", "“”", "‘’", "„“", "«»", "<>")  # noqa: RUF001 - pairs people's editors make

_PREFIXES = {
    "pat-": "a HubSpot token",
    "xoxb-": "a Slack bot token",
    "xoxp-": "a Slack user token",
    "xapp-": "a Slack app-level token",
    "xoxe.": "a Slack configuration token",
    "xoxa-": "a Slack workspace token",
    "xoxs-": "a Slack session token",
}
"""Openings of tokens, and what each is. Canny's keys have no form of their own."""
_OWN: Mapping[str, tuple[str, ...]] = {"canny": (), "hubspot": ("pat-",), "slack": ("xoxb-",)}
_WANTED = {
    "canny": "Canny's key (Settings → API)",
    "hubspot": "a HubSpot token (it begins with pat-)",
    "slack": "a Slack bot token (it begins with xoxb-)",
}
_SCHEMES = re.compile(r"(bearer|basic|token|authorization:?|apikey|api_key)[\s:=]", re.IGNORECASE)

_BASES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "canny": (("canny.io",), "https://canny.io/api"),
    "hubspot": (("hubapi.com", "hubspot.com"), "https://api.hubapi.com"),
    "slack": (("slack.com",), "https://slack.com/api/"),
}
"""Domains of each system, and the address of its API."""
_VERSION = re.compile(r"/v[0-9]+(/|$)|/crm(/|$)")


def unwrapped(text: str) -> str:
    """A value without white space, invisible characters, and one pair of quotes round it."""
    bare = "".join(one for one in text if unicodedata.category(one) != "Cf").strip()
    if len(bare) > 1 and bare[0] + bare[-1] in _QUOTES:
        bare = bare[1:-1].strip()
    return bare


def why_no_secret(system: str, secret: str) -> str | None:
    """Say why a value cannot be a key or token of this system; None when it may be one. Nothing of it is repeated."""
    if _SCHEMES.match(secret):
        return "must be the key or token alone, without the word before it"
    if not (secret.isascii() and secret.isprintable()):
        return "holds a line break or another character that no key has: copy it again"
    if "://" in secret:
        return f"is an address: it must be {_WANTED[system]}"
    for prefix, what in _PREFIXES.items():
        if secret.startswith(prefix) and prefix not in _OWN[system]:
            return f"is {what}: it must be {_WANTED[system]}"
    return None


def why_no_base_url(system: str, url: str) -> str | None:
    """Say why a value cannot be the base address of this system's API; None when it may be."""
    (domains, own), example = _BASES[system], _BASES[system][1]
    if not url.isprintable() or any(map(str.isspace, url)) or "\\" in url:
        return f"has a blank or another odd character in it: it must look like {example}"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return f"is no address: it must look like {example}"
    if parts.scheme not in ("https", "http"):
        return "must start with https:// or http://"
    if not host or port == 0 or "%" in host:
        return f"names no host: it must look like {example}"
    if "@" in parts.netloc or "?" in url or "#" in url:
        return f"must have no user, password, query or fragment in it: it must look like {example}"
    if version := _VERSION.search(parts.path):
        return f"must end before {version[0].rstrip('/')}: it must look like {example}"
    # Whoever names a port means something else than the public address: a tunnel, a relay.
    if port is None and any(host == domain or host.endswith(f".{domain}") for domain in domains):
        path = urlsplit(own).path.rstrip("/")
        if parts.scheme != "https" or parts.path.rstrip("/") != path or (host != urlsplit(own).hostname):
            return f"must be {own}"
    return None
