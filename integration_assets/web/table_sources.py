"""Sources the columns of a table are mapped from: files of the tenant's folder, and what https addresses lead to.

An address opens its file to whoever has it. It is on a page only while somebody is typing it; a saved one is told by
its host and called by a digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import msgspec

from integration_assets.config import Settings
from integration_assets.connectors.address_guard import AddressError, AddressGuard
from integration_assets.connectors.feedback.table.importing import type_of
from integration_assets.connectors.feedback.table.mapping import TYPE_OF_SUFFIX, FileType, Relation, TableMapping
from integration_assets.connectors.feedback.table.samples import Sample, sample
from integration_assets.connectors.feedback.table.web_files import fetched_unmapped
from integration_assets.errors import IntegrationError
from integration_assets.tenants.address_policies import internal_policy

MOST_ADDRESSES = 6
"""One for each relation."""
LARGEST_SHOWN = 64 * 1024**2
"""Bytes of all files together that are read for a look: it takes a few seconds, and the page waits for it."""
SECONDS = 20.0
"""To fetch one file for a look. A run waits longer."""
SAVED = "saved:"
_DIGITS = 16
ADDRESSES = "addresses"


class Asked(msgspec.Struct, frozen=True):
    """An address to be looked at. `token` is what the form sends for it: itself, or the digest of a saved one."""

    token: str
    url: str

    @property
    def host(self) -> str:
        """Host of the address."""
        return urlsplit(self.url).hostname or ""


class Source(msgspec.Struct, frozen=True):
    """A file with its first rows. `name` is what the form calls it; `asked`: it was fetched to `path` from there."""

    name: str
    path: Path
    sample: Sample
    asked: Asked | None = None

    @property
    def label(self) -> str:
        """Name for people."""
        return f"{self.name} ({self.asked.host})" if self.asked else self.name


def token_of(url: str) -> str:
    """Text a form sends for a saved address: no other one takes its place when the mapping is changed meanwhile."""
    return f"{SAVED}{hashlib.sha256(url.encode()).hexdigest()[:_DIGITS]}"


def asked_addresses(tokens: Sequence[str], lines: str, saved: Sequence[str]) -> tuple[list[Asked], str]:
    """The addresses that a form names, by tokens and on lines of their own, and what is wrong with them, if anything.

    `saved` are those of the mapping.
    """
    found: list[Asked] = []
    known = {token_of(url): url for url in saved}
    for token in dict.fromkeys([*tokens, *(line.strip() for line in lines.splitlines())]):
        if token.startswith(SAVED):
            # Of a page from before the mapping was changed: there is nothing to ask any more.
            if token in known:
                found.append(Asked(token, known[token]))
        elif token:
            found.append(Asked(token, token))
    if len(found) > MOST_ADDRESSES:
        return found, f"at most {MOST_ADDRESSES} addresses: a table has no more relations"
    return found, ""


def why_not_asked(found: Sequence[Asked], settings: Settings, tenant: str) -> str:
    """Say which of the addresses may not be asked, and why; empty where all may. None of them is repeated."""
    guard = _guard(settings, tenant)
    wrong = []
    for number, one in enumerate(found, start=1):
        try:
            # Also of a pair that the operator allowed without TLS: no mapping names such an address.
            if guard.check(one.url, with_query=True).scheme != "https":
                wrong.append(f"address {number}: it must begin with https://")
        except AddressError as error:
            wrong.append(f"address {number}: {error.reason}")
    return "; ".join(wrong)


async def fetched_sources(
    found: Sequence[Asked],
    scratch: Path,
    taken: Sequence[str],
    declared: Mapping[str, FileType],
    settings: Settings,
    tenant: str,
) -> tuple[list[Source], str]:
    """Fetch the addresses into `scratch`, and what is wrong with those that cannot be read.

    `taken` are names of files, `declared` types by address, of the mapping in use.

    They are asked as a run asks them: behind the guard of the tenant, which looks at each redirect as well.
    """
    guard, sources, wrong = _guard(settings, tenant), list[Source](), []
    for number, one in enumerate(found, start=1):
        try:
            path = await fetched_unmapped(
                one.url,
                scratch,
                _stem(number, one, taken),
                most_bytes=LARGEST_SHOWN,
                seconds=SECONDS,
                guard=guard,
                declared=declared.get(one.url),
            )
            sources.append(Source(path.name, path, sample(path), one))
        except IntegrationError as error:
            wrong.append(
                error.message if error.message.startswith("address ") else f"address {number}: {error.message}"
            )
    return sources, "; ".join(wrong)


def with_names(mapping: TableMapping, sources: Sequence[Source]) -> TableMapping:
    """The mapping with the names of the form in place of addresses."""
    names = {one.asked.url: one.name for one in sources if one.asked}
    return _with_files(mapping, {url: Relation(columns={}, file=name) for url, name in names.items()})


def with_addresses(mapping: TableMapping, sources: Sequence[Source]) -> TableMapping:
    """The mapping as it is saved: addresses in place of the names of the form, with the type of what is there."""
    return _with_files(mapping, {one.name: _relation(one) for one in sources if one.asked})


def _relation(one: Source) -> Relation:
    kind = type_of(Relation(columns={}), one.path)
    return Relation(columns={}, file=one.asked.url if one.asked else None, type=None if kind == "csv" else kind)


def _with_files(mapping: TableMapping, files: Mapping[str, Relation]) -> TableMapping:
    changed = {
        name: msgspec.structs.replace(relation, file=other.file, type=other.type)
        for name, relation in mapping.relations().items()
        if (other := files.get(relation.file or "")) is not None
    }
    return msgspec.structs.replace(mapping, **changed)


def _guard(settings: Settings, tenant: str) -> AddressGuard:
    return AddressGuard(internal_policy(settings, tenant))


def _stem(number: int, one: Asked, taken: Sequence[str]) -> str:
    """Name of a file that came from an address: by its number, and by its own name where it tells the type."""
    path = PurePosixPath(urlsplit(one.url).path)
    # An export without a name has an id in its place, which is half of the secret.
    named = f" {path.stem}" if path.suffix.lower() in TYPE_OF_SUFFIX and path.stem.isidentifier() else ""
    stem = f"address {number}{named}"
    while any(name.startswith(stem) for name in taken):
        stem = f"{stem} (web)"
    return stem
