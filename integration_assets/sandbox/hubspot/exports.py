"""Exports of a portal: one at a time, so many in a rolling day, each with a file that may be fetched for five minutes.

Rules follow "Exports" (https://developers.hubspot.com/docs/api-reference/latest/crm/exports/guide).
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from integration_assets.sandbox.hubspot.errors import error, not_found, validation
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.reading import value_of

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal

DAY = 24 * 3600.0
RECORD_ID_COLUMN = "Record ID"
"""Column every file begins with."""


@dataclass
class Export:
    """One export. Times are seconds since the epoch; `names` are the asked properties that exist."""

    task_id: str
    one: ObjectType
    names: list[str]
    internal_names: bool
    asked_at: float
    starts_at: float
    done_at: float
    file: bytes | None = None


@dataclass
class ExportDesk:
    """All exports of a portal. `cancelled` holds the ids of tasks that a person stopped."""

    exports: dict[str, Export] = field(default_factory=dict)
    links: dict[str, tuple[str, float]] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)

    def start(self, portal: Portal, one: ObjectType, names: Sequence[str], *, internal_names: bool) -> Export:
        """Take an export into the queue.

        Raises:
            ApiError: 429, too many in the last 24 hours.
        """
        now, options = portal.clock(), portal.options
        if sum(now - made.asked_at < DAY for made in self.exports.values()) >= options.exports_per_day:
            raise error(429, "RATE_LIMITS", f"You have reached the limit of {options.exports_per_day} exports a day")
        starts_at = max([now, *(made.done_at for made in self.exports.values())])
        made = Export(
            task_id=str(portal.random.randrange(10**9, 10**10)),
            one=one,
            names=[name for name in names if one.definition(name) is not None],
            internal_names=internal_names,
            asked_at=now,
            starts_at=starts_at,
            done_at=starts_at + options.export_seconds,
        )
        self.exports[made.task_id] = made
        return made

    def status(self, portal: Portal, task_id: str) -> tuple[str, Export]:
        """PENDING, PROCESSING, COMPLETE or CANCELED; a file shows the records of the moment it was finished.

        Raises:
            ApiError: 404, there is no such task.
        """
        made, now = self.exports.get(task_id), portal.clock()
        if made is None:
            raise not_found("There is no such export")
        if task_id in self.cancelled:
            return "CANCELED", made
        if now < made.starts_at:
            return "PENDING", made
        if now < made.done_at:
            return "PROCESSING", made
        if made.file is None:
            made.file = _file(portal, made)
        return "COMPLETE", made

    def link(self, portal: Portal, made: Export) -> str:
        """A new key to the file of a finished export."""
        key = f"{portal.random.getrandbits(128):032x}"
        self.links[key] = (made.task_id, portal.clock())
        return key

    def fetch(self, portal: Portal, key: str) -> bytes:
        """The file behind a key.

        Raises:
            ApiError: 403, the key is unknown or older than five minutes.
        """
        task_id, given_at = self.links.get(key, ("", 0.0))
        made = self.exports.get(task_id)
        if made is None or made.file is None or portal.clock() - given_at > portal.options.export_link_seconds:
            raise error(403, None, "Access denied")
        return made.file


def object_named(portal: Portal, name: str) -> ObjectType:
    """The type an export names: COMPANY, CONTACT, or the id of a custom object's type.

    Raises:
        ApiError: 400, there is none of that name.
    """
    found = portal.find_object(name, bare_names=False)
    if found is None:
        raise validation(f"Invalid object type {name}")
    return found


def _file(portal: Portal, made: Export) -> bytes:
    """CSV, as an archive when it is large, in several parts when it has very many rows."""
    options = portal.options
    ids = made.one.store.live
    starts = range(0, max(1, len(ids)), options.export_rows_per_file)
    parts = [_table(portal, made, ids[start : start + options.export_rows_per_file]) for start in starts]
    if len(parts) == 1 and len(parts[0]) <= options.export_plain_bytes:
        return parts[0]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate(parts, start=1):
            archive.writestr(f"export-{number}.csv", part)
    return packed.getvalue()


def _table(portal: Portal, made: Export, ids: Sequence[int]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    definitions = {name: made.one.definition(name) or {} for name in made.names}
    labels = [name if made.internal_names else definitions[name].get("label", name) for name in made.names]
    writer.writerow([RECORD_ID_COLUMN, *labels])
    for record_id in ids:
        record = made.one.store.records[record_id]
        writer.writerow([record_id, *(value_of(portal, made.one, record, name) or "" for name in made.names)])
    return text.getvalue().encode()
