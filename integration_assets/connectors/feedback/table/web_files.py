"""A relation behind an https address, such as the CSV export of a spreadsheet that is shared by its link."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from integration_assets.connectors.download import download
from integration_assets.connectors.feedback.table.mapping import Relation
from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError, ContractError

MOST_BYTES = 2 * 1024**3
SECONDS = 600.0
REDIRECTS = 3
"""Spreadsheets hand out their exports from another host."""
_PAGES = (b"<!doctype", b"<html")


async def fetched(name: str, relation: Relation, folder: Path, *, confined: bool) -> Path:
    """Fetch the file of a relation into `folder`.

    Raises:
        ConfigurationError: the mapping is a tenant's, whose tables are files.
        ContractError: the address leads to a web page.
        PermanentError: it may not be asked, or answers with no file.
        TransientError: the transfer broke, or took too long.
    """
    url = relation.file or ""
    # Who has the link may read the sheet: it is a secret.
    register(url)
    if confined:
        raise ConfigurationError(f"[{name}].file: an address may be read by the operator's own mapping only")
    target = folder / f"{name}-fetched.{relation.type or 'csv'}"
    await download(url, target, most_bytes=MOST_BYTES, seconds=SECONDS, redirects=REDIRECTS)
    with target.open("rb") as file:
        start = file.read(64).lstrip().lower()
    # With status 200: a login page looks like success.
    if start.startswith(_PAGES):
        raise ContractError(
            f"[{name}].file: {urlsplit(url).hostname} answers with a web page, not with a table: share it with "
            "everyone who has the link, and use the address of its export"
        )
    return target
