"""Checks of keys, tokens, addresses and settings of a provider, as people give them.

What is plainly something else is told, without a word of the key itself.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from integration_assets.connectors.specs import AddressSpec, SecretSpec, SettingSpec
from integration_assets.providers import PROVIDERS

_SCHEMES = re.compile(r"(bearer|basic|token|authorization:?|apikey|api_key)[\s:=]", re.IGNORECASE)


def why_no_secret(spec: SecretSpec, secret: str) -> str | None:
    """Say why a value cannot be the secret of this kind; None when it may be one. Nothing of it is repeated."""
    if _SCHEMES.match(secret):
        return "must be the key or token alone, without the word before it"
    lines = secret.splitlines() if spec.multiline else [secret]
    if any(not (line.isascii() and line.isprintable()) for line in lines):
        return "holds a line break or another character that no key has: copy it again"
    if "://" in secret:
        return f"is an address: it must be {spec.wanted}"
    for prefix, what in _openings().items():
        if secret.startswith(prefix) and prefix not in spec.prefixes:
            return f"is {what}: it must be {spec.wanted}"
    return None


def _openings() -> dict[str, str]:
    return {
        prefix: what
        for spec in PROVIDERS.values()
        if spec.secret is not None
        for prefix, what in spec.secret.openings.items()
    }


def why_no_setting(spec: SettingSpec, text: str) -> str | None:
    """Say why a text cannot be the value of a setting, or one of its list; None when it may be."""
    return None if re.fullmatch(spec.form, text) else spec.hint


def why_no_base_url(spec: AddressSpec, url: str) -> str | None:
    """Say why a value cannot be the base address of this API; None when it may be."""
    example = spec.example
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
    if beyond := re.search(spec.ends_before, parts.path):
        return f"must end before {beyond[0].rstrip('/')}: it must look like {example}"
    # Whoever names a port means something else than the public address: a tunnel, a relay.
    if spec.default and port is None and any(host == one or host.endswith(f".{one}") for one in spec.domains):
        own = urlsplit(spec.default)
        if parts.scheme != "https" or parts.path.rstrip("/") != own.path.rstrip("/") or host != own.hostname:
            return f"must be {spec.default}"
    return None
