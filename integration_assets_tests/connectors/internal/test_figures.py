"""Figures in cents and for a month or a quarter; descriptions of billing systems, each on its look-alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from integration_assets.connectors.internal.description import DescriptionError, Period, Unit, describe, wrong_mappings
from integration_assets.connectors.internal.presets import PRESETS
from integration_assets.connectors.internal.rows import NO_CENTS, account, yearly
from integration_assets.models import InternalAccount, Rejected
from integration_assets_tests.connectors.internal.conftest import Served, read_all

ARR = {"path": "mrr", "unit": "cents", "period": "month"}


@pytest.mark.parametrize(
    ("figure", "currency", "unit", "period", "expected"),
    [
        ("120050", "USD", Unit.CENTS, Period.YEAR, "1200.50"),
        ("3000", "EUR", Unit.CENTS, Period.MONTH, "360.00"),
        ("3000", None, Unit.WHOLE, Period.MONTH, "36000"),
        ("99.99", "USD", Unit.WHOLE, Period.QUARTER, "399.96"),
        ("5000", "JPY", Unit.CENTS, Period.MONTH, "60000"),
        ("5000", "KWD", Unit.CENTS, Period.YEAR, "5.000"),
        ("0", "USD", Unit.CENTS, Period.MONTH, "0.00"),
        ("1.5e3", "USD", Unit.CENTS, Period.YEAR, "15"),
        ("0.1", "USD", Unit.WHOLE, Period.MONTH, "1.2"),
        ("1,200", "USD", Unit.CENTS, Period.MONTH, "1,200 (cents a month)"),
        ("1e9999", "USD", Unit.CENTS, Period.YEAR, "1e9999 (cents a year)"),
        ("1,200", "USD", Unit.WHOLE, Period.YEAR, "1,200"),
        (None, "USD", Unit.CENTS, Period.MONTH, None),
    ],
)
def test_a_figure_of_any_kind_is_made_one_of_a_year(
    figure: str | None, currency: str | None, unit: Unit, period: Period, expected: str | None
) -> None:
    """Exactly, in the currency itself; what is no number never becomes another one."""
    assert yearly(figure, currency, unit, period) == expected


def test_cents_of_no_currency_are_none() -> None:
    """The base currency stands in for a missing one later, and a yen has no cents: nothing is guessed."""
    cents = {"row_id": "id", "arr": ARR, "domain": "d"}
    with pytest.raises(DescriptionError, match=r"mappings\.currency: must be mapped, or have a default"):
        describe([{"path": "/"}], cents)
    mapped = describe([{"path": "/"}], {**cents, "currency": "currency"})
    read = [
        account(row, mapped.mappings, place="row", unit=mapped.unit, period=mapped.period)
        for row in ({"id": "1", "mrr": 5000, "d": "a.example"}, {"id": "2", "d": "a.example"})
    ]
    assert read[0] == Rejected("internal_account", "1", NO_CENTS)
    assert isinstance(read[1], InternalAccount)
    defaulted = describe([{"path": "/"}], {**cents, "currency": {"default": "JPY"}})
    [yen] = [account({"id": "1", "mrr": 5000, "d": "a.example"}, defaulted.mappings, place="row", unit=defaulted.unit)]
    assert isinstance(yen, InternalAccount)
    assert yen.arr == "5000"


def test_every_wrong_mapping_is_named_at_once() -> None:
    """Each with its field, and nothing that only follows from another one."""
    wrong = {"row_id": "a..b", "arr": {"path": "x", "unit": "pennies"}, "colour": "x", "currency": {"unit": "cents"}}
    assert [error.field for error in wrong_mappings(wrong)] == [
        "mappings.row_id",
        "mappings.arr.unit",
        "mappings.colour",
        "mappings.currency",
        "mappings.arr",
        "mappings.domain",
    ]
    assert [error.field for error in wrong_mappings({})] == ["mappings.row_id", "mappings.arr", "mappings.domain"]
    with pytest.raises(DescriptionError, match="only arr has a unit"):
        describe([{"path": "/"}], {"row_id": "id", "arr": ARR, "domain": {"path": "d", "period": "month"}})
    assert (
        describe([{"path": "/"}], {"row_id": "id", "arr": ARR, "domain": "d", "currency": "c"}).period is Period.MONTH
    )


CUSTOMERS: dict[str, list[dict[str, Any]]] = {
    "chargebee": [
        {
            "subscription": {"id": f"sub{number}", "status": "active", "mrr": 10_000 * number, "currency_code": "USD"},
            "customer": {"id": f"cust{number}", "email": f"billing@company-{number}.example"},
        }
        for number in range(1, 4)
    ],
    "chartmogul": [
        {
            "uuid": f"cus_{number}",
            "email": f"billing@company-{number}.example",
            "mrr": 10_000 * number,
            "arr": 120_000 * number,
            "currency": "USD",
        }
        for number in range(1, 4)
    ],
}
"""As the systems' references show them, without what nobody reads here."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_billing_system_is_read_by_its_preset(served: Served, name: str) -> None:
    """All pages, with the key as user name; the figure is one of a year, and of an address its host alone is kept."""
    preset, billing = PRESETS[name], served.billing
    billing.accounts = CUSTOMERS[name]
    billing.largest_page = 2
    opened = served.open([preset.endpoint], preset.mappings, flow=preset.auth_flow, auth={}, secret=billing.key)
    pages = asyncio.run(read_all(opened))
    assert [len(page.records) for page in pages] == [2, 1]
    assert [row for page in pages for row in page.records] == [
        InternalAccount(
            row_id=("sub" if name == "chargebee" else "cus_") + str(number),
            domain=f"company-{number}.example",
            arr=f"{1_200 * number}.00",
            currency="USD",
        )
        for number in range(1, 4)
    ]
