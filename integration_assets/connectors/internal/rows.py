"""One item of an internal system's list into a canonical row, or the reason why it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any

from integration_assets.connectors.internal.description import PERIODS_OF_A_YEAR, Period, Unit
from integration_assets.connectors.internal.paths import Path, WrongKindError, kind_of, path_text, value_at
from integration_assets.models import InternalAccount, Rejected

KIND = "internal_account"
LONGEST_VALUE = 500
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
CENTS_DIGITS = 2
_WITHOUT_CENTS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_IN_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
MINOR_DIGITS: Mapping[str, int] = {
    **dict.fromkeys(_WITHOUT_CENTS.split(), 0),
    **dict.fromkeys(_IN_THOUSANDTHS.split(), 3),
}
"""Digits behind the point of the currencies that have not two (ISO 4217)."""
NO_CENTS = "currency: there is none, and what a cent is depends on it: give the currency a default"
_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBERS = ("arr",)
_IDS = ("row_id", "company_id")

Mappings = Mapping[str, tuple[Path | None, str | None]]


def account(
    item: Any,
    mappings: Mappings,
    *,
    place: str,
    unit: Unit = Unit.WHOLE,
    period: Period = Period.YEAR,
) -> InternalAccount | Rejected:
    """The row an item makes. `place` names it where it has no usable id of its own.

    `unit` and `period` are those of the figure that becomes ARR.
    """
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
    if unit is Unit.CENTS and values.get("arr") is not None and values.get("currency") is None:
        return Rejected(KIND, _key(row_id, place), NO_CENTS)
    values["arr"] = yearly(values.get("arr"), values.get("currency"), unit, period)
    if values.get("domain"):
        values["domain"] = _host(str(values["domain"]))
    return InternalAccount(row_id, **values)


def yearly(figure: str | None, currency: str | None, unit: Unit, period: Period) -> str | None:
    """The figure of a year in the currency itself, with every digit it has.

    What is no number stays none: the rules for ARR tell it, with the row's id.
    """
    if figure is None or (unit, period) == (Unit.WHOLE, Period.YEAR):
        return figure
    # With its unit, so that nothing behind this reads it as a number after all, which would be one of other money.
    if not _NUMBER.fullmatch(figure):
        return f"{figure} ({unit} a {period})"
    number = Decimal(figure)
    digits = MINOR_DIGITS.get(currency or "", CENTS_DIGITS) if unit is Unit.CENTS else 0
    # Exact: a product of as many digits as both have, moved by the digits of the smallest unit.
    with localcontext() as exact:
        exact.prec = LONGEST_VALUE
        return f"{(number * PERIODS_OF_A_YEAR[period]).scaleb(-digits):f}"


def _host(domain: str) -> str:
    # Some systems know a customer by an address alone: its host is what leads to the company, and all that is kept.
    return domain.rpartition("@")[2].strip(" <>")


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
