"""The lists of mail domains of one tenant: personal and disposable ones, and its own staff's domains and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from integration_assets.errors import ConfigurationError
from integration_assets.invisible import strip
from integration_assets.mail_addresses import split_address, to_host
from integration_assets.masking import ADDRESS_SIGN
from integration_assets.resolution.domains import MailDomains, listed_personal_domains, without_www

_SIGN = re.compile(ADDRESS_SIGN)


def mail_domains(*, own: Iterable[str] = (), personal: Iterable[str] = (), business: Iterable[str] = ()) -> MailDomains:
    """The lists of personal and disposable mail domains, plus `personal`, minus `business`; and the tenant's own.

    An entry of `own` is a domain, with all below it, or the address of one person.

    Raises:
        ConfigurationError: an entry is neither; names it, or its place in the list where it may be an address.
    """
    own_entries = tuple(own)
    exceptions = _domains("business", business)
    return MailDomains(
        own=_domains("own", own_entries, or_addresses=True),
        own_addresses=frozenset(filter(None, map(_own_address, own_entries))),
        personal=(listed_personal_domains() | _domains("personal", personal)) - exceptions,
        business=exceptions,
    )


def _own_address(entry: str) -> str | None:
    """Address of one person, normalised; None for a domain, which people also write as `@acme.com`."""
    parts = split_address(entry)
    return "@".join(parts) if parts else None


def _domains(what: str, entries: Iterable[str], *, or_addresses: bool = False) -> frozenset[str]:
    domains = set()
    for place, entry in enumerate(entries, start=1):
        host = to_host(strip(entry).removeprefix("@"))
        if host is not None:
            domains.add(without_www(host))
        elif not (or_addresses and _own_address(entry)):
            raise ConfigurationError(f"{what} domains: {_wrong(place, entry, or_addresses=or_addresses)}")
    return frozenset(domains)


def _wrong(place: int, entry: str, *, or_addresses: bool) -> str:
    if not _SIGN.search(entry):
        return f"{entry!r} is not a domain, correct or remove it"
    # It may be a person's address, well written or not: it is told by its place and never repeated.
    if or_addresses:
        return f"entry {place} is neither a domain nor one e-mail address, correct or remove it"
    return f"entry {place} is no domain (only own domains may be e-mail addresses), correct or remove it"
