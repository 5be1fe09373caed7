"""Dates and money are read in the declared format, and in no other."""

from __future__ import annotations

import duckdb
import pytest

from integration_assets.connectors.feedback.table.formats import (
    DateFormat,
    MoneyFormat,
    amount,
    time_expression,
    why_no_money_format,
)


@pytest.mark.parametrize(
    ("example", "cell", "plain"),
    [
        ("1234.56", "1200", "1200"),
        ("1234.56", "1,200", None),
        ("1234.56", "-5.5", "-5.5"),
        ("1,234.56", "1,200.50", "1200.50"),
        ("1,234.56", "1,20,0", None),
        ("1,234.56", "1.200,50", None),
        ("1.234,56", "1.200,50", "1200.50"),
        ("1.234,56", "1200.50", None),
        ("1 234,56", "12 345", "12345"),
        ("1 234,56", "12\u202f345,5", "12345.5"),
        ("1\u00a0234,56", "12 345", "12345"),
        ("1'234.56", "12\u2019345.50", "12345.50"),
        ("1\u2019234.56", "12'345.50", "12345.50"),
        ("€1,234.56", "-€5.00", "-5.00"),
        ("€1,234.56", "5.00", "5.00"),
        ("1.234,56 EUR", "7,5 EUR", "7.5"),
        ("€1,234.56", "$5.00", None),
        ("1234.56", "1e3", None),
        ("1234.56", "", None),
        ("1234.56", "\u0661\u0662", None),
    ],
)
def test_an_amount_is_read_as_its_format_writes_it(example: str, cell: str, plain: str | None) -> None:
    """A cell that could be another amount in another format is none."""
    assert why_no_money_format(example) is None
    assert amount(cell, MoneyFormat.of(example)) == plain


@pytest.mark.parametrize(
    ("written", "zone", "cell", "moment"),
    [
        ("iso", "UTC", "2026-03-01", "2026-03-01 00:00:00"),
        ("iso", "UTC", " 2026-03-01T10:00:00Z ", "2026-03-01 10:00:00"),
        ("iso", "UTC", "2026-03-01 10:00:00.250", "2026-03-01 10:00:00.25"),
        ("iso", "UTC", "2026-03-01T10:00:00+02:00", "2026-03-01 08:00:00"),
        ("iso", "UTC", "2026-03-01T10:00-05:00", "2026-03-01 15:00:00"),
        ("iso", "Europe/Berlin", "2026-03-01 10:00", "2026-03-01 09:00:00"),
        ("iso", "Europe/Berlin", "2026-07-01T10:00:00Z", "2026-07-01 10:00:00"),
        ("iso", "UTC", "01/02/2026", None),
        ("iso", "UTC", "infinity", None),
        ("iso", "UTC", "epoch", None),
        ("iso", "UTC", "2026-02-30", None),
        ("iso", "UTC", "294000-01-01", None),
        ("iso", "UTC", "26-03-01", None),
        ("iso", "Europe/Berlin", "26-03-01 10:00", None),
        ("%d/%m/%Y", "UTC", "01/03/26", None),
        ("%d/%m/%y", "UTC", "01/03/26", "2026-03-01 00:00:00"),
        ("%d/%m/%Y", "UTC", "01/02/2026", "2026-02-01 00:00:00"),
        ("%m/%d/%Y", "UTC", "01/02/2026", "2026-01-02 00:00:00"),
        ("%m/%d/%Y", "UTC", "31/01/2026", None),
        ("%d.%m.%Y %H:%M", "Europe/Berlin", "01.07.2026 12:00", "2026-07-01 10:00:00"),
        ("%d/%m/%Y %H:%M %z", "UTC", "01/02/2026 10:00 +0200", "2026-02-01 08:00:00"),
        ("%d/%m/%Y", "UTC", "2026-02-01", None),
        ("unix", "UTC", "1767225600", "2026-01-01 00:00:00"),
        ("unix_ms", "UTC", "1767225600500", "2026-01-01 00:00:00.5"),
        ("unix", "UTC", "1e300", None),
        ("unix", "UTC", "nan", None),
        ("unix", "UTC", "soon", None),
    ],
)
def test_a_time_is_read_as_its_format_writes_it(written: str, zone: str, cell: str, moment: str | None) -> None:
    """In UTC; a time without a zone is one of the declared zone. What is no such time is none, and no error."""
    expression, parameters = time_expression("cell", DateFormat(written, zone), typed=False)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = ?", [zone])
        connection.execute("CREATE TABLE cells AS SELECT ? AS cell", [cell])
        [(read,)] = connection.execute(f"SELECT ({expression})::VARCHAR FROM cells", parameters).fetchall()
    assert read == moment
