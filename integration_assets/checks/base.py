"""Input and answer of a check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Literal

import duckdb
import msgspec

from integration_assets.config import Environment
from integration_assets.sql import read_sql

Severity = Literal["ERROR", "WARN"]
Spoils = Literal["ranking", "write", "nothing"]
"""Extent of a failed check: it makes the ranking wrong, and so all that follows; only what is written; or nothing."""

SAMPLE_ROWS = 10
"""Most rows a result shows; the detail has the full count."""


class CheckResult(msgspec.Struct, frozen=True):
    """The answer of one check of one asset. `severity` says what a failure means: ERROR closes the gate, WARN does not.

    `detail` is one line; `rows` a few of the rows it is about, column by column. Neither holds personal data.
    """

    name: str
    asset: str
    severity: Severity
    passed: bool
    detail: str
    rows: tuple[Mapping[str, str], ...] = ()


class GateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of the run that the checks need. `now` is UTC; both floors are shares from 0 to 1.

    `rates_setting` and its like are what the person who may change a setting knows it by.
    `company_properties` are all that are mapped, `arr_property` the one with ARR and
    `renewal_property` that with the renewal date. `read_only`: nothing will be written.
    """

    run_id: str
    environment: Environment
    now: datetime
    coverage_floor: float = 0.0
    arr_coverage_floor: float = 0.0
    base_currency: str = "USD"
    rates_setting: str = "INTEGRATION_ASSETS_CURRENCY_RATES"
    business_domains_setting: str = "INTEGRATION_ASSETS_BUSINESS_DOMAINS"
    personal_domains_setting: str = "INTEGRATION_ASSETS_PERSONAL_DOMAINS"
    link_contacts: bool = True
    company_rollups: bool = False
    company_properties: tuple[str, ...] = ()
    arr_property: str | None = None
    renewal_property: str | None = None
    read_only: bool = False


class Check(msgspec.Struct, frozen=True):
    """One entry of the gate. Names are unique over all assets. `severity` is what its failure means at worst.

    `spoils` decides where an error counts: one that concerns only the write is a warning of a run that writes nothing.
    """

    name: str
    asset: str
    severity: Severity
    description: str
    run: Callable[[duckdb.DuckDBPyConnection, GateSettings], CheckResult]
    spoils: Spoils = "nothing"

    @property
    def blocking(self) -> bool:
        """Tell whether a failure can keep a run from writing."""
        return self.severity == "ERROR"

    def ask(self, connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
        """The answer of the check to this run."""
        result = self.run(connection, settings)
        # A credential that may only read cannot mend what is wrong with the CRM: it still gets its ranking.
        if settings.read_only and self.spoils == "write" and result.severity == "ERROR":
            return msgspec.structs.replace(result, severity="WARN")
        return result


Answers = dict[tuple[int, str, str], list[tuple[Any, ...]]]
"""Rows by the connection that was asked, the file of the statement, and its parameters as text."""
_KNOWN: ContextVar[Answers | None] = ContextVar("known answers of statements of checks", default=None)


@contextmanager
def asked_once(answers: Answers) -> Iterator[None]:
    """Have the checks of a block ask each statement once: what is in `answers` already is not asked again.

    For checks that are asked one after another, with nothing written to the store from the first to the last.
    """
    token = _KNOWN.set(answers)
    try:
        yield
    finally:
        _KNOWN.reset(token)


def query(connection: duckdb.DuckDBPyConnection, name: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Rows of `sql/checks/<name>.sql`."""
    known, asked = _KNOWN.get(), (id(connection), name, repr(list(parameters)))
    if known is not None and asked in known:
        return known[asked]
    rows = connection.execute(read_sql(f"checks/{name}"), list(parameters)).fetchall()
    if known is not None:
        known[asked] = rows
    return rows


def sample(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> tuple[Mapping[str, str], ...]:
    """The first rows as text, for a result."""
    # As text: exact decimals stay exact wherever a result is shown.
    return tuple(
        {column: _text(value) for column, value in zip(columns, row, strict=True)} for row in islice(rows, SAMPLE_ROWS)
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        # A domain may be shared by thousands of companies, all of them in one cell.
        return ", ".join(str(item) for item in value[:SAMPLE_ROWS]) + (", …" if len(value) > SAMPLE_ROWS else "")
    return f"{value:,}" if isinstance(value, int) else str(value)


def reaches(part: int, whole: int, floor: float) -> bool:
    """Tell whether `part` of `whole` is at least the share `floor`, taken as it was written: 7 of 100 reach 0.07."""
    # Through its text: the float 0.07 is a little more than 0.07, and 7 of 100 would not reach it.
    return part >= Decimal(str(floor)) * whole
