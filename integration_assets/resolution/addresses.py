"""E-mail addresses: from what the source gave to a normalised address, its host and what it is good for."""

from __future__ import annotations

import re

import msgspec

from integration_assets.resolution.domains import Kind, MailDomains, registrable_domain, strip, to_host

PLAIN_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+"
"""Addresses whose parts SQL may take apart itself: lower-cased, split at the `@`. `parse_address` does all others.

Same meaning in Python's `re` and in DuckDB's RE2, to be matched against the whole text.
"""

_DISPLAY_FORM = re.compile(r"[^<>]*<([^<>]*)>")
_NEVER_IN_LOCAL_PART = frozenset(' <>()[],;:\\"')


class Address(msgspec.Struct, frozen=True):
    """An address, normalised. Personal data: it never leaves the staging store.

    `address` is None without any, and the trimmed lower-case text when it is malformed. `registrable_domain` is None
    for a host that is itself a public suffix.
    """

    kind: Kind
    address: str | None = None
    host: str | None = None
    registrable_domain: str | None = None


def split_address(text: str) -> tuple[str, str] | None:
    """Local part (lower-case) and ASCII host of an address or a display form (`Name <a@b.c>`), else None."""
    bare = strip(text)
    display = _DISPLAY_FORM.fullmatch(bare)
    if display:
        bare = strip(display.group(1))
    local, at, host_text = bare.partition("@")
    if not at or "@" in host_text or not local or not local.isprintable() or _NEVER_IN_LOCAL_PART & set(local):
        return None
    host = to_host(host_text)
    return (local.lower(), host) if host else None


def address_key(text: str) -> str:
    """What two spellings of one address have in common: the normalised address, or the trimmed lower-case text."""
    parts = split_address(text)
    return "@".join(parts) if parts else strip(text).lower()


def parse_address(text: str | None, domains: MailDomains) -> Address:
    """The address a source gave, understood as far as it can be."""
    if text is None:
        return Address(kind=Kind.NONE)
    parts = split_address(text)
    if parts is None:
        return Address(kind=Kind.MALFORMED, address=strip(text).lower())
    local, host = parts
    registrable = registrable_domain(host)
    return Address(
        kind=domains.kind(host, registrable),
        address=f"{local}@{host}",
        host=host,
        registrable_domain=registrable,
    )
