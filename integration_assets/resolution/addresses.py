"""E-mail addresses: from what the source gave to a normalised address and what its host is good for."""

from __future__ import annotations

import msgspec

from integration_assets.invisible import strip
from integration_assets.mail_addresses import split_address
from integration_assets.resolution.domains import Kind, MailDomains, registrable_domain


class Address(msgspec.Struct, frozen=True):
    """An address, normalised. Personal data: it never leaves the staging store.

    `address` is None without any (null or blank), and the trimmed lower-case text when it is malformed.
    `registrable_domain` is None for a host that is itself a public suffix.
    """

    kind: Kind
    address: str | None = None
    host: str | None = None
    registrable_domain: str | None = None


def parse_address(text: str | None, domains: MailDomains) -> Address:
    """The address a source gave, understood as far as it can be."""
    if text is None or not strip(text):
        return Address(kind=Kind.NONE)
    parts = split_address(text)
    if parts is None:
        # The text is kept: an override or a contact may be spelt the same, wrong as it is.
        return Address(kind=Kind.MALFORMED, address=strip(text).lower())
    local, host = parts
    address, registrable = f"{local}@{host}", registrable_domain(host)
    return Address(
        kind=domains.kind_of_address(address, host, registrable),
        address=address,
        host=host,
        registrable_domain=registrable,
    )
