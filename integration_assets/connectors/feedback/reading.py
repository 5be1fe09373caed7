"""Raw records of a feedback system's lists turned into canonical ones, with what could not be read told beside them.

A value of another type than documented costs a record that field; that of a required one rejects the record, by the
path of the field.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec

from integration_assets.connectors.fields import unknown_fields
from integration_assets.models import WITHOUT_ID, Page, Rejected

T = TypeVar("T")

Id = Annotated[str, msgspec.Meta(min_length=1)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class UnusableError(ValueError):
    """A record of the right shape that means nothing usable."""


_FIELD = re.compile(r" - at `\$\.(\w+(?:\.\w+)*)")
"""The place in msgspec's message of a field that it could not read; of one in a list only the list."""


def read(raw: Any, kind: type[T], unreadable: dict[str, str]) -> T:
    """A record, without the optional fields that cannot be read; `unreadable` gets the reason by outermost field.

    Raises:
        msgspec.ValidationError: it is no record, or a required field cannot be read.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        # The first is what is told in the end: later ones are about what was left over.
        first = reason = error
    # A copy: the record as it came is looked at again, for fields that are not documented.
    rest = copy.deepcopy(raw)
    # One field at a time, as msgspec stops at the first it cannot read.
    while _leave_out(rest, str(reason), unreadable):
        try:
            return msgspec.convert(rest, kind)
        except msgspec.ValidationError as error:
            reason = error
    raise first


def _leave_out(record: Any, reason: str, unreadable: dict[str, str]) -> bool:
    """Take the field out of the record that a message is about; False when it names none that is there."""
    found = _FIELD.search(reason)
    if found is None:
        return False
    *outer, name = found[1].split(".")
    inner = record
    for one in outer:
        inner = inner.get(one) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or name not in inner:
        return False
    del inner[name]
    # Without its required part an object goes as well; the first reason says why.
    unreadable.setdefault((outer or [name])[0], reason)
    return True


def utc(moment: datetime | None, field: str, unreadable: dict[str, str]) -> datetime | None:
    """The moment in UTC; None, with the reason under `field`, for one that UTC has no date for."""
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC)
    # Years 1 and 9999 may leave the calendar on the way to UTC.
    except OverflowError:
        unreadable[field] = "a time beyond the calendar"
        return None


class Reader:
    """Turns the raw pages of one list into pages of records, once per id, whatever is served twice.

    `kind` is our word for the records, `listed_as` how messages name the system's list ("canny.posts"), `documented`
    the fields its records may hold. `rejected` makes what is told of one that cannot be used, of its key, the reason
    and the record as it came; `id_field` is where its id is.
    """

    def __init__(
        self,
        kind: str,
        convert: Callable[[Any, dict[str, str]], Any],
        listed_as: str,
        documented: Collection[str],
        *,
        rejected: Callable[[str, str, Any], Rejected] | None = None,
        id_field: str = "id",
    ) -> None:
        self._kind = kind
        self._convert = convert
        self._listed_as = listed_as
        self._documented = documented
        self._rejected = rejected
        self._id_field = id_field
        self._seen: set[str] = set()
        self._position = 0

    def knows(self, item: Any) -> bool:
        """True if an earlier page held a record of the same id."""
        given = self._id_of(item)
        return given is not None and given in self._seen

    def _id_of(self, item: Any) -> str | None:
        # Of another type it is no id: a list, for one, could not even be looked for.
        given = item.get(self._id_field) if isinstance(item, dict) else None
        return given if isinstance(given, str) and given else None

    def page(self, items: Iterable[Any]) -> Page[Any]:
        """The items of one raw page that were not served before, in their order."""
        records, rejected, new = [], [], []
        left_out: dict[str, list[tuple[str, str]]] = {}
        for item in items:
            # Counted over all pages: it is the only name of a record without an id.
            self._position += 1
            key = self._id_of(item) or f"item {self._position} {WITHOUT_ID}"
            # Lists that move while they are read serve a record twice.
            if key in self._seen:
                continue
            self._seen.add(key)
            new.append(item)
            unreadable: dict[str, str] = {}
            try:
                records.append(self._convert(item, unreadable))
            except (msgspec.ValidationError, UnusableError) as error:
                rejected.append(self._told(key, str(error), item))
                continue
            for name, reason in unreadable.items():
                left_out.setdefault(f"{self._listed_as}.{name}", []).append((key, reason))
        return Page(
            tuple(records),
            tuple(rejected),
            unknown_fields=unknown_fields(self._listed_as, self._documented, new),
            unreadable_fields={name: tuple(found) for name, found in left_out.items()},
        )

    def _told(self, key: str, reason: str, item: Any) -> Rejected:
        # A record that is no object has nothing to tell beside its place.
        if self._rejected is None or not isinstance(item, dict):
            return Rejected(self._kind, key, reason)
        return self._rejected(key, reason, item)
