"""Declared formats of dates and money: what they may be, and how DuckDB reads them.

A format is declared and never guessed: `01/02/2026` can be read two ways, and both would give a ranking.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

ISO: Final = "iso"
"""ISO 8601: `2026-01-31`, `2026-01-31 14:00`, `2026-01-31T14:00:00.5+01:00`. It cannot be read two ways."""
UNIX: Final = {"unix": 1, "unix_ms": 1_000}
"""Seconds or milliseconds since 1970, and how many of them make a second."""

_DIRECTIVE = re.compile(r"%(-?[A-Za-z%])")
_DIRECTIVES = frozenset("YymBbdHIMSfpzZ%aAj") | frozenset(("-m", "-d", "-H", "-I", "-M", "-S", "-y"))
"""What DuckDB's strptime understands, but for what depends on the locale of a machine."""
DAY_FIRST, MONTH_FIRST = re.compile(r"%-?d\W+%-?m"), re.compile(r"%-?m\W+%-?d")


class DateFormat(msgspec.Struct, frozen=True):
    """Declared format of dates: `iso`, `unix`, `unix_ms`, or directives of strptime; `zone` of those that name none."""

    format: str
    zone: str

    @property
    def can_be_swapped(self) -> bool:
        """True if day and month are numbers, so that the other order reads many of the same cells."""
        return bool(DAY_FIRST.search(self.format) or MONTH_FIRST.search(self.format))


def why_no_date_format(text: str) -> str | None:
    """Say why this is no format of dates; None when it is one."""
    if text in (ISO, *UNIX):
        return None
    if not text.strip():
        return (
            'must be declared: "iso", or for example "%d/%m/%Y" where the day comes first, "%m/%d/%Y" where the month'
        )
    found = _DIRECTIVE.findall(text)
    if not found:
        return 'must be "iso", "unix", "unix_ms", or for example "%d/%m/%Y %H:%M"'
    if unknown := [one for one in found if one not in _DIRECTIVES]:
        return f"%{unknown[0]} is no part of a date here"
    letters = {one.lstrip("-") for one in found}
    if not ({"Y", "y"} & letters and (({"m", "B", "b"} & letters and "d" in letters) or "j" in letters)):
        return "must hold a year (%Y), a month (%m) and a day (%d)"
    # A stray % would be read as a directive together with what follows it.
    return None if len(text) <= 100 and "%" not in _DIRECTIVE.sub("", text) else "holds a % that means nothing"


class MoneyFormat(msgspec.Struct, frozen=True):
    """Form of an amount: its `decimal` sign, `thousands` separator or "", and what stands before and after."""

    decimal: str
    thousands: str
    before: str
    after: str

    @classmethod
    def of(cls, example: str) -> MoneyFormat:
        """The format that `1,234.56` and its like are an example of; `why_no_money_format` must have said None."""
        found = _EXAMPLE.fullmatch(plainly_spelt(example))
        if found is None:
            raise ValueError("not an example of an amount")
        return cls(found["decimal"], found["thousands"], found["before"].strip(), found["after"].strip())


_EXAMPLE = re.compile(
    r"(?P<before>[^\d.,'\s]{0,3}\s?)1(?P<thousands>[.,' ]?)234(?P<decimal>[.,])56(?P<after>\s?[^\d.,'\s]{0,3})"
)
_SPELT_ALIKE = str.maketrans(
    {**dict.fromkeys("\u00a0\u2007\u2009\u202f", " "), **dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'")}
)
"""Spaces and apostrophes that programs write between thousands, as the one people type."""


def plainly_spelt(text: str) -> str:
    """An amount with one kind of space and one of apostrophe, whichever the program that wrote it prefers."""
    return text.translate(_SPELT_ALIKE)


def why_no_money_format(text: str) -> str | None:
    """Say why this is no format of money; None when it is one."""
    found = _EXAMPLE.fullmatch(plainly_spelt(text))
    if found is None:
        return 'must be 1234.56 as the table writes amounts: "1234.56", "1,234.56", "1.234,56", "1 234,56", "€1,234.56"'
    # One sign for both would make 1.234 either of two amounts.
    return "has one sign for thousands and for the decimals" if found["thousands"] == found["decimal"] else None


def amount(text: str, written: MoneyFormat) -> str | None:
    """The plain number (`-1234.56`) that a cell in this format says; None when it is not in the format."""
    said = plainly_spelt(text).strip()
    # The sign stands before the currency as often as behind it: -€5 and €-5.
    minus = "-" if said.startswith(("-", "\u2212")) else ""
    said = said[1:].strip() if minus else said
    said = said.removeprefix(written.before).removesuffix(written.after).strip()
    if not minus and said.startswith(("-", "\u2212")):
        minus, said = "-", said[1:].strip()
    whole, point, part = said.partition(written.decimal)
    groups = whole.split(written.thousands) if written.thousands else [whole]
    # 1,23,456 is no amount of this format: a cell that is not certain is not read.
    grouped = len(groups) == 1 or (0 < len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]))
    digits = "".join(groups)
    if not grouped or not _DIGITS.fullmatch(digits) or (point and not _DIGITS.fullmatch(part)):
        return None
    return f"{minus}{digits}{'.' if point else ''}{part}"


_PLAIN_ISO = r"\d{4}-\d\d?-\d\d?([T ][0-9:.]+Z?)?"
_DIGITS = re.compile(r"[0-9]{1,40}")


def time_expression(column: str, written: DateFormat, *, typed: bool) -> tuple[str, list[object]]:
    """SQL of the UTC time, without zone, that `column` (a name of ours) says, with its parameters; NULL for no time.

    `typed`: the column was a time in its source, and is ISO 8601 now. A time without a zone is one of the session's.
    """
    cell = f"trim({column})"
    given: list[object] = []
    if typed or written.format == ISO:
        # By the cast, which knows no order but year, month, day. It takes words for a moment as well: those are none.
        # The cast wants seconds before a zone, which ISO 8601 does not.
        seconds = f"regexp_replace({cell}, '([T ][0-9]{{2}}:[0-9]{{2}})([+-]|Z)', '\\1:00\\2')"
        with_zone = f"WHEN {cell} BETWEEN '0' AND ':' THEN try_cast({seconds} AS TIMESTAMPTZ) END"
        moment = f"CASE {with_zone}"
        if written.zone == "UTC":
            # Most tables, and half of the time: nothing to convert, so that the calendar of zones is not asked.
            plain = f"regexp_full_match({cell}, '{_PLAIN_ISO}')"
            quick = f"try_cast(rtrim({cell}, 'Z') AS TIMESTAMP)::TIMESTAMPTZ"
            moment = f"CASE WHEN {plain} THEN {quick} {with_zone}"
    elif written.format in UNIX:
        factor = 1_000_000 // UNIX[written.format]
        number = f"try_cast({cell} AS DOUBLE)"
        moment = f"CASE WHEN abs({number}) * {factor} < 2.5e17 THEN to_timestamp({number} * {factor} / 1e6) END"
    else:
        zoned = {"z", "Z"} & {one.lstrip("-") for one in _DIRECTIVE.findall(written.format)}
        # Only a format with a zone gives a moment; the cast of any other takes the session's.
        moment, given = f"try_strptime({cell}, ?)::TIMESTAMPTZ", [written.format]
        if zoned:
            moment = f"try_strptime({cell}, ?)"
    # A year of two digits is read as one of the first century: nobody voted then, and whether it means 1926 or 2026
    # is for the format to say.
    within = "BETWEEN TIMESTAMP '1000-01-01' AND TIMESTAMP '9999-12-30'"
    utc = f"timezone('UTC', {moment})"
    return f"CASE WHEN {utc} {within} THEN {utc} END", [*given, *given]
