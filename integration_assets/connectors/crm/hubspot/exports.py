"""All companies by one export: a file instead of a page per hundred.

HubSpot works on one export at a time, accepts 30 in a rolling day, and serves the file for five minutes to whoever has
its address ("Exports"). Whatever goes wrong, the caller still has the list. The file is checked to its end before the
first of its rows counts.
"""

from __future__ import annotations

import asyncio
import csv
import io
import lzma
import struct
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.crm.base import BulkRefusedError, CompanyMapping
from integration_assets.connectors.crm.hubspot import endpoints, translate
from integration_assets.connectors.crm.hubspot.searching import RECORD_ID
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import SYSTEM, ExportStatus, ExportTask, Record, SearchTotal
from integration_assets.connectors.download import download, is_loopback
from integration_assets.errors import ContractError, IntegrationError, PermanentError
from integration_assets.models import Company, Page

SCOPE = "crm.export"
COMPLETE, OVER = "COMPLETE", frozenset({"CANCELED", "FAILED"})
"""Status of a task whose file is there, and statuses of one that will never have any."""
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 2.0, 15.0
"""Between two looks at a task; each wait is half as long again as the one before."""
PATIENCE_SECONDS = 300.0
"""For the file to be made. Another export may be before ours, and paging takes a few minutes at most."""
DOWNLOAD_SECONDS = 240.0
"""The address is good for 300 s."""
MOST_BYTES, MOST_UNPACKED_BYTES = 1 << 30, 4 << 30
ROWS_PER_PAGE = 1_000
LEAST_SHARE = 0.99
"""Of the companies the portal counts, the share a file must hold to be believed; the count itself lags a little."""

DAMAGED = (
    csv.Error,
    UnicodeDecodeError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    # Of `zipfile`: an encrypted member, and one packed in a way that it does not know (NotImplementedError).
    RuntimeError,
    # Of the disk, or of `zipfile` where damage leads it to a place before the start of the file.
    OSError,
)
"""Errors of reading a file that is not what it should be."""

Pause = Callable[[float], Awaitable[None]]


class HubSpotCompanyExport:
    """See `connectors.crm.base.CompanyExport` for what each method promises. `base_url` is the portal's own."""

    scope = SCOPE
    calls = 4
    """To start, to look twice, to fetch: for an export that takes a few seconds."""

    def __init__(self, session: Session, base_url: str, calls: CallCounter, *, pause: Pause = asyncio.sleep) -> None:
        self._session = session
        self._calls = calls
        self._from_loopback = is_loopback(urlsplit(base_url).hostname or "")
        self._pause = pause

    async def count(self) -> int:
        """Count the companies the search index knows."""
        endpoint = endpoints.object_search(endpoints.COMPANIES)
        # One record, as only the total of the answer counts.
        body = {"filterGroups": [], "sorts": [], "properties": [RECORD_ID], "limit": 1}
        return (
            await self._session.read("POST", endpoint, SearchTotal, json=body, bucket=endpoints.SEARCH_BUCKET)
        ).total

    async def companies(self, mapping: CompanyMapping, *, expected: int) -> AsyncIterator[Page[Company]]:
        """All live companies, in pages of 1,000, without their parents."""
        # With the record id by its internal name, as the other columns are found by theirs.
        names = tuple(dict.fromkeys((RECORD_ID, *translate.COMPANY_PROPERTIES, *mapping.names())))
        with _folder() as folder:
            file = folder / "companies"
            try:
                await self._fetch(names, file)
                # Read once to its end before anything is handed out: a file that is cut shows it at its end only. In a
                # thread, as it may be large.
                rows = await asyncio.to_thread(_count_rows, file, names)
            except IntegrationError as error:
                raise BulkRefusedError(error.message, system=SYSTEM) from error
            except OSError as error:
                raise _unkept(error) from error
            # A file may be short without a sign of it: taken for whole, the missing companies would look deleted.
            if rows < expected * LEAST_SHARE:
                raise BulkRefusedError(f"the file holds {rows:,} of {expected:,} companies", system=SYSTEM)
            # The second reading, a page at a time: all rows at once may be more than memory holds.
            entries = _records(file, names)
            while page := await asyncio.to_thread(lambda: list(islice(entries, ROWS_PER_PAGE))):
                yield Page(tuple(translate.company(record, mapping) for record in page))

    async def _fetch(self, names: Sequence[str], file: Path) -> None:
        body = {
            "exportType": "VIEW",
            "exportName": "companies for integration-assets",
            "format": "CSV",
            "language": "EN",
            "objectType": "COMPANY",
            "objectProperties": list(names),
            "associatedObjectType": [],
            "exportInternalValuesOptions": ["NAMES", "VALUES"],
        }
        # Never repeated after a lost answer: exports are counted by the day.
        task = await self._session.start(endpoints.export_start(), ExportTask, json=body)
        url = await self._finished(str(task.id))
        # Counted here, as the file may be on a host that no client of ours talks to.
        self._calls.sent(SYSTEM, "GET export file", writes=False, repeat=False)
        await download(url, file, most_bytes=MOST_BYTES, seconds=DOWNLOAD_SECONDS, from_loopback=self._from_loopback)

    async def _finished(self, task_id: str) -> str:
        waited, wait = 0.0, FIRST_POLL_SECONDS
        while waited < PATIENCE_SECONDS:
            await self._pause(wait)
            waited, wait = waited + wait, min(wait * 1.5, LONGEST_POLL_SECONDS)
            task = await self._session.read("GET", endpoints.export_status(task_id), ExportStatus)
            # Complete without an address is not ready yet: without one there is nothing to fetch.
            if task.status == COMPLETE and task.result:
                return task.result
            if task.status in OVER:
                raise PermanentError(f"the export ended as {task.status}", system=SYSTEM)
        raise PermanentError(f"the export was not ready within {PATIENCE_SECONDS:.0f} s", system=SYSTEM)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for the file, gone with it afterwards.

    Raises:
        BulkRefusedError: this machine has no place for one.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="export-")
    except OSError as error:
        raise _unkept(error) from error
    with made as folder:
        yield Path(folder)


def _unkept(error: OSError) -> BulkRefusedError:
    return BulkRefusedError(f"the file of the export cannot be kept on this machine ({error.strerror})", system=SYSTEM)


@contextmanager
def _tables(file: Path) -> Iterator[Iterator[io.TextIOBase]]:
    """The CSV texts of a file: itself, or, when it is an archive, what it holds."""
    # By its content: the address says nothing of the form, and a small export comes unpacked.
    if not zipfile.is_zipfile(file):
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield iter([text])
        return
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename.lower().endswith(".csv")]
        # As the archive states it, before anything is unpacked; more than stated is never read of a member.
        if sum(member.file_size for member in members) > MOST_UNPACKED_BYTES:
            raise ContractError("the export unpacks to more than it may", system=SYSTEM)
        # One after the other: a large export comes in several files.
        yield (io.TextIOWrapper(archive.open(member), encoding="utf-8-sig", newline="") for member in members)


def _records(file: Path, names: Sequence[str]) -> Iterator[Record]:
    """The rows of a file as records.

    Raises:
        ContractError: a property is missing in it, a row has no id or another number of cells, or it is no CSV.
    """
    try:
        with _tables(file) as tables:
            for table in tables:
                with table:
                    yield from _rows(table, names)
    except DAMAGED as error:
        raise ContractError(f"the export cannot be read ({type(error).__name__})", system=SYSTEM) from None


def _rows(table: io.TextIOBase, names: Sequence[str]) -> Iterator[Record]:
    reader = csv.reader(table, strict=True)
    header = next(reader, [])
    # A property left out would read as empty for every company.
    if missing := [name for name in names if name not in header]:
        raise ContractError(f"the export lacks {', '.join(missing)}", system=SYSTEM)
    places = {name: header.index(name) for name in names}
    for row in reader:
        # The last line of a file that was cut has fewer cells, or a part of an id.
        if len(row) != len(header) or not row[places[RECORD_ID]].isdecimal():
            raise ContractError(f"line {reader.line_num} of the export is no record", system=SYSTEM)
        values = {name: row[place] or None for name, place in places.items()}
        yield Record(id=row[places[RECORD_ID]], properties=values)


def _count_rows(file: Path, names: Sequence[str]) -> int:
    return sum(1 for _ in _records(file, names))
