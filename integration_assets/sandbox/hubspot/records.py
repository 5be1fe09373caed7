"""The records of one object type in memory: by id, by unique value, and as search sees them.

A record is never changed in place: a write puts a new version in its stead, whose `previous` is the old one. So search
may keep looking at an old version, and the history of a property is the chain of versions.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

MERGED_IDS = "hs_merged_object_ids"


class Record(NamedTuple):
    """One version of a record. Times are milliseconds since the epoch; unset properties are absent."""

    id: int
    properties: dict[str, str]
    created: int
    updated: int
    archived_at: int | None = None
    previous: Record | None = None


class RecordStore:
    """All records of one object type."""

    def __init__(self, first_id: int, *, search_lag: float, fold_case: bool, archived_stay_taken: bool) -> None:
        self.records: dict[int, Record] = {}
        self.live: list[int] = []
        self.archived: list[int] = []
        self.merged_into: dict[int, int] = {}
        self.unique: dict[str, dict[str, int]] = {}
        self.version = 0
        """Moves whenever what search sees changes."""
        self._next_id = first_id
        self._search_lag = search_lag
        self._fold_case = fold_case
        self._archived_stay_taken = archived_stay_taken
        self._seen: dict[int, Record] = {}
        self._unseen: deque[tuple[float, int, Record | None]] = deque()

    def new_id(self) -> int:
        """The next record id; ids grow."""
        self._next_id += 1 + self._next_id % 3
        return self._next_id

    def find(self, record_id: int) -> Record | None:
        """The live record with this id."""
        record = self.records.get(record_id)
        return record if record is not None and record.archived_at is None else None

    def find_archived(self, record_id: int) -> Record | None:
        """The archived record with this id."""
        record = self.records.get(record_id)
        return record if record is not None and record.archived_at is not None else None

    def survivor(self, record_id: int) -> int:
        """The id under which a merged record lives on; the id itself if it was never merged."""
        while record_id in self.merged_into:
            record_id = self.merged_into[record_id]
        return record_id

    def page(self, after: int, limit: int, *, archived: bool) -> tuple[list[Record], int | None]:
        """Up to `limit` records from id `after` on, ascending, and the id the next page begins with."""
        ids = self.archived if archived else self.live
        start = bisect.bisect_left(ids, after)
        chosen = ids[start : start + limit]
        following = ids[start + limit] if start + limit < len(ids) else None
        return [self.records[record_id] for record_id in chosen], following

    # ------------------------------------------------------------------------------------------------ unique values

    def normal(self, name: str, value: str) -> str:
        """The form in which unique values are compared."""
        return value.casefold() if self._fold_case or name == "email" else value

    def holder(self, name: str, value: str) -> int | None:
        """Id of the live record that holds this unique value (or of the archived one, where those keep theirs)."""
        return self.unique[name].get(self.normal(name, value))

    def _claims(self, record: Record) -> Iterator[tuple[str, str]]:
        for name in self.unique:
            value = record.properties.get(name)
            if value:
                yield name, self.normal(name, value)
        if "email" in self.unique:
            for address in record.properties.get("hs_additional_emails", "").split(";"):
                if address.strip():
                    yield "email", self.normal("email", address.strip())

    def _release(self, record: Record) -> None:
        for name, value in self._claims(record):
            if self.unique[name].get(value) == record.id:
                del self.unique[name][value]

    def _claim(self, record: Record) -> None:
        for name, value in self._claims(record):
            self.unique[name][value] = record.id

    def index(self, name: str) -> None:
        """Begin to keep the values of a property unique."""
        self.unique.setdefault(name, {})

    # ------------------------------------------------------------------------------------------------------- writes

    def add(self, record: Record, now: float, *, seen: bool = False) -> None:
        """Put in a new record; `seen` shows it to search at once."""
        self.records[record.id] = record
        self.live.append(record.id)
        self._claim(record)
        self._note(record.id, record, now, seen=seen)

    def replace(self, record: Record, now: float, *, seen: bool = False) -> None:
        """Put a new version in the place of a live record."""
        self._release(self.records[record.id])
        self.records[record.id] = record
        self._claim(record)
        self._note(record.id, record, now, seen=seen)

    def archive(self, record_id: int, now: float) -> None:
        """Move a live record to the recycle bin."""
        record = self.records[record_id]
        self._drop_live(record_id)
        bisect.insort(self.archived, record_id)
        self.records[record_id] = record._replace(archived_at=int(now * 1000))
        if not self._archived_stay_taken:
            self._release(record)
        self._note(record_id, None, now)

    def forget(self, record_id: int, now: float, *, survivor: int | None = None) -> None:
        """Remove a live record for good, merged into another or not."""
        record = self.records.pop(record_id)
        self._drop_live(record_id)
        self._release(record)
        if survivor is not None:
            self.merged_into[record_id] = survivor
        self._note(record_id, None, now)

    def _drop_live(self, record_id: int) -> None:
        del self.live[bisect.bisect_left(self.live, record_id)]

    # ------------------------------------------------------------------------------------------------------- search

    def _note(self, record_id: int, record: Record | None, now: float, *, seen: bool = False) -> None:
        if not seen:
            self._unseen.append((now, record_id, record))
        elif record is not None:
            self._seen[record_id] = record
            self.version += 1

    def seen_by_search(self, now: float) -> dict[int, Record]:
        """The records as search sees them now, in order of creation. Not to be changed."""
        while self._unseen and self._unseen[0][0] <= now - self._search_lag:
            _, record_id, record = self._unseen.popleft()
            self.version += 1
            if record is None:
                self._seen.pop(record_id, None)
            else:
                self._seen[record_id] = record
        return self._seen
