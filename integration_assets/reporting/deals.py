"""Open deals behind requests, as people are shown them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import msgspec

from integration_assets.reporting.text import amount, clean, clip, money
from integration_assets.sql import read_sql
from integration_assets.staging.tables import has_table


class DealAtStake(msgspec.Struct, frozen=True):
    """An open deal whose companies voted. `amount` is in the base currency; `requests`: how many requests wait for it.

    `companies` are names, or ids where there is none.
    """

    deal_id: str
    name: str | None
    companies: list[str]
    stage: str | None
    close_date: date | None
    amount: Decimal | None
    amount_status: str
    own_amount: Decimal | None
    currency: str
    requests: int

    @property
    def amount_words(self) -> str:
        """The amount in the base currency, or why there is none."""
        if self.amount is not None:
            return amount(self.amount)
        if self.amount_status == "no_rate" and self.own_amount is not None:
            return f"{money(self.own_amount, clip(clean(self.currency), 20))}, no rate"
        return "not known"


def read_deals(
    connection: duckdb.DuckDBPyConnection, *, limit: int, request_id: str | None = None
) -> list[DealAtStake]:
    """Read the largest open deals behind a request, or behind any open one; none of what an older version published."""
    if not has_table(connection, "ranked", "deals_at_stake"):
        return []
    rows = connection.execute(
        read_sql("reporting/deals_at_stake"), {"request_id": request_id, "most_rows": limit}
    ).fetchall()
    return [DealAtStake(*row) for row in rows]
