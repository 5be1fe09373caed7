"""One item of an internal system's list into a canonical row, or the reason why it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from integration_assets.connectors.internal.paths import Path, WrongKindError, kind_of, path_text, value_at
from integration_assets.models import InternalAccount, Rejected

KIND = "internal_account"
LONGEST_VALUE = 500
_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBERS = ("arr",)
_IDS = ("row_id", "company_id")

Mappings = Mapping[str, tuple[Path | None, str | None]]


def account(item: Any, mappings: Mappings, *, place: str) -> InternalAccount | Rejected:
    """The row an item makes. `place` names it where it has no usable id of its own."""
    values: dict[str, str | None] = {}
    # The id first: what is wrong with the other fields is told under it.
    for field in ("row_id", *(name for name in mappings if name != "row_id")):
        path, default = mappings[field]
        try:
            values[field] = _text(field, item, path, default)
        except (WrongKindError, _UnusableError) as error:
            return Rejected(KIND, _key(values.get("row_id"), place), f"{field}: {error}")
    row_id = values.pop("row_id")
    if row_id is None:
        return Rejected(KIND, place, f"row_id: nothing stands at `{path_text(mappings['row_id'][0] or ())}`")
    return InternalAccount(row_id, **values)


def _key(row_id: str | None, place: str) -> str:
    """Name a rejected row: by its id, unless that is somebody's address."""
    return place if row_id is None or "@" in row_id else row_id


class _UnusableError(ValueError):
    """A value that cannot be this field."""


def _text(field: str, item: Any, path: Path | None, default: str | None) -> str | None:
    """The value as text, or None. Numbers keep every digit that JSON gave them."""
    value = None if path is None else value_at(item, path)
    # An empty text is no value: the default stands in for it as for none.
    if value is None or value == "":
        value = default
    if value is None:
        return None
    where = f"`{path_text(path)}`" if path else "the default"
    # True is an int to Python, and no figure.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # A fraction is no id: as text it would depend on how it was written.
    if number and (field in _NUMBERS or (field in _IDS and isinstance(value, int))):
        return str(value)
    if not isinstance(value, str):
        wanted = {"arr": "a number or text", "row_id": "text or a whole number", "company_id": "text or a whole number"}
        raise _UnusableError(f"{where} should be {wanted.get(field, 'text')} and is {kind_of(value)}")
    text = value.strip()
    if len(text) > LONGEST_VALUE or not text.isprintable():
        raise _UnusableError(f"{where} is longer than {LONGEST_VALUE} characters, or holds control characters")
    if field == "currency":
        text = text.upper()
        if text and not _CURRENCY.fullmatch(text):
            raise _UnusableError(f"{where} is no ISO 4217 code of three letters")
    return text or None
