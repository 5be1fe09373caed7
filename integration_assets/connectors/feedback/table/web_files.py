"""A relation behind an https address, such as the CSV export of a spreadsheet that is shared by its link."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from integration_assets.connectors.address_guard import AddressError, AddressGuard
from integration_assets.connectors.download import download
from integration_assets.connectors.feedback.table.mapping import TYPE_OF_SUFFIX, FileType, Relation
from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError, ContractError, PermanentError, TransientError

MOST_BYTES = 2 * 1024**3
MOST_BYTES_OF_A_TENANT = 512 * 1024**2
"""Many tenants share the disk of one machine."""
SECONDS = 600.0
REDIRECTS = 3
"""Spreadsheets hand out their exports from another host."""
_PAGES = (b"<!doctype", b"<html")
_TYPES_OF_PAGES = frozenset({"text/html", "application/xhtml+xml"})


_TYPE_OF_MEDIA: Mapping[str, FileType] = {
    "application/json": "json",
    "application/x-ndjson": "json",
    "application/vnd.apache.parquet": "parquet",
    "text/tab-separated-values": "tsv",
}


async def fetched(
    name: str, relation: Relation, folder: Path, *, confined: bool, guard: AddressGuard | None = None
) -> Path:
    """Fetch the file of a relation into `folder`; of a tenant's mapping (`confined`) only what its guard lets pass.

    Raises:
        ConfigurationError: the mapping is a tenant's, and its guard lets the address not be asked, or there is none.
        ContractError: the address leads to a web page.
        PermanentError: it may not be asked, or answers with no file.
        TransientError: the transfer broke, or took too long.
    """
    where = f"[{name}].file"
    if confined and guard is None:
        raise ConfigurationError(f"{where}: an address is asked by runs only")
    target = folder / f"{name}-fetched.{relation.type or 'csv'}"
    most_bytes = MOST_BYTES if guard is None else MOST_BYTES_OF_A_TENANT
    await _fetch(relation.file or "", target, where, most_bytes=most_bytes, seconds=SECONDS, guard=guard)
    return target


async def fetched_unmapped(
    url: str,
    folder: Path,
    stem: str,
    *,
    most_bytes: int,
    seconds: float,
    guard: AddressGuard,
    declared: FileType | None = None,
) -> Path:
    """Fetch a file that no mapping describes yet, as `stem` with a suffix that says what it is: CSV if nothing tells.

    `declared` is the type by a mapping that is about to be changed.

    Raises:
        As `fetched`; messages call it `stem`.
    """
    target = folder / stem
    media_type = await _fetch(url, target, stem, most_bytes=most_bytes, seconds=seconds, guard=guard)
    named = TYPE_OF_SUFFIX.get(PurePosixPath(urlsplit(url).path).suffix.lower())
    kind = declared or named or _TYPE_OF_MEDIA.get(media_type, "csv")
    return target.rename(folder / f"{stem}.{kind}")


async def _fetch(
    url: str, target: Path, where: str, *, most_bytes: int, seconds: float, guard: AddressGuard | None
) -> str:
    # Who has the link may read the sheet: it is a secret.
    register(url)
    try:
        media_type = await download(
            url, target, most_bytes=most_bytes, seconds=seconds, redirects=REDIRECTS, guard=guard
        )
    except AddressError as error:
        raise ConfigurationError(f"{where}: {error.message}") from None
    # Which of several files it is, and on which host: never the path, which opens it.
    except (PermanentError, TransientError) as error:
        raise type(error)(f"{where}: {error.message}{_host_of(url)}") from None
    with target.open("rb") as file:
        start = file.read(64).lstrip().lower()
    # With status 200: a login page looks like success.
    if start.startswith(_PAGES) or media_type in _TYPES_OF_PAGES:
        raise ContractError(
            f"{where}: {urlsplit(url).hostname} answers with a web page, not with a table: share it with "
            "everyone who has the link, and use the address of its export"
        )
    return media_type


def _host_of(url: str) -> str:
    """The host of an address, for a message; "" where it has none."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return ""
    return f" ({host})" if host else ""
