"""Open deals through a whole run: the published pipeline, and a run whose credential may not read them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from integration_assets_tests.support.harness import World

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

SCOPE = "crm.objects.deals.read"


def add_deal(world: World, name: str, *companies: str, **values: str) -> str:
    """An open deal of these companies of the small world."""
    portal = world.portal
    row = {"dealname": name, "dealstage": "contractsent", "closedate": "2027-01-31T12:00:00Z", **values}
    (deal_id,) = portal.seed("deals", [row])
    for company in companies:
        portal.associate("deals", deal_id, "companies", world.company(company))
    return deal_id


def published(world: World, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(world.home / "published" / "sandbox" / "default.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_pipeline_behind_each_request_is_published(ready: World) -> None:
    """Deals of companies that voted, each once per request; the second run writes nothing, and calls no more."""
    both = add_deal(ready, "Platform", "Acme", "Beta", amount="1000")
    add_deal(ready, "Pilot", "Delta", amount="100", deal_currency_code="EUR")
    add_deal(ready, "Lost", "Acme", amount="9000", dealstage="closedlost")
    first = ready.sync()
    pipelines = dict(published(ready, "SELECT title, open_pipeline FROM ranked.feature_requests"))
    assert pipelines == {
        "Dark mode": Decimal(1000),
        "Export to CSV": Decimal(0),
        "Crash on start": Decimal(108),
        "Single sign-on": Decimal(1108),
        "Themes": Decimal(0),
    }
    at_stake = published(
        ready,
        """
        SELECT deal_id, deal_name, company_names, stage, close_date, amount
        FROM ranked.deals_at_stake WHERE title = 'Dark mode'
        """,
    )
    names = sorted(("Acme", "Beta"), key=ready.company)
    assert at_stake == [(both, "Platform", names, "Contract Sent", date(2027, 1, 31), Decimal(1000))]
    assert "open pipeline not read" not in first.out
    ready.forget_requests()
    ready.sync()
    assert ready.writes() == []
    deals = [request for request in ready.lookalike().requests if "0-3" in request.path]
    assert len(deals) == 3


def test_a_credential_that_may_not_read_deals_costs_only_the_pipeline(ready: World) -> None:
    """The run succeeds, says once which scope is missing, and the column is null instead of zero."""
    add_deal(ready, "Platform", "Acme", amount="1000")
    ready.portal.scopes.discard(SCOPE)
    ran = ready.sync()
    assert ran.out.count("open pipeline not read") == 1
    assert SCOPE in ran.out
    assert published(ready, "SELECT DISTINCT open_pipeline FROM ranked.feature_requests") == [(None,)]
    assert published(ready, "SELECT count(*) FROM ranked.deals_at_stake") == [(0,)]
    ready.portal.scopes.add(SCOPE)
    ready.sync()
    assert (Decimal(1000),) in published(ready, "SELECT open_pipeline FROM ranked.feature_requests")
