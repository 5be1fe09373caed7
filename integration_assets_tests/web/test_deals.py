"""Open deals on the pages: the pipeline in the ranking, and the deals at stake on the page of a request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store
from integration_assets_tests.resolution.worlds import AS_OF, World, company, load, request, vote
from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import Served


@pytest.fixture
def published(pages: Served, tmp_path: Path) -> Iterator[None]:
    """A ranking of two requests: one with two deals behind it, one of them without a rate, and one with none."""
    hostile = {"name": "<b>Renewal</b>", "stage": "Contract Sent", "close_date": date(2027, 1, 31)}
    world: World = {
        "feature_requests": [request("r", title="Dark mode"), request("s", title="Themes")],
        "voters": [{"voter_id": "ann", "email": "ann@a.com"}],
        "votes": [vote("1", "r", "ann")],
        "crm_companies": [company("1", "a.com", name="Acme")],
        "crm_deals": [
            {"deal_id": "x", "company_ids": ["1"], "amount": "12000", **hostile},
            {"deal_id": "y", "company_ids": ["1"], "amount": "480000", "currency": "SEK"},
        ],
        "reads": [{"input": "deals"}],
    }
    target = published_path(pages.home, "sandbox", "acme")
    with open_store(tmp_path / "acme.duckdb") as connection:
        load(connection, world)
        resolve_votes(connection, ResolutionSettings())
        rank(connection, AS_OF)
        publish(connection, target)
    yield
    target.unlink()


@pytest.mark.usefixtures("published")
def test_the_ranking_has_the_pipeline_of_each_request(ann: Client) -> None:
    """A column of amounts, zero where no deal is behind a request."""
    shown = ann.http.get("/requests").text
    assert '<td class="num" data-label="Open pipeline">12,000</td>' in shown
    assert '<td class="num" data-label="Open pipeline">0</td>' in shown


@pytest.mark.usefixtures("published")
def test_a_request_has_the_deals_at_stake(ann: Client) -> None:
    """Deal, company, stage, close date and amount; what no rate converts in its own currency. A name is no markup."""
    shown = ann.http.get("/requests/r").text
    for words in (
        "Open deals at stake",
        "&lt;b&gt;Renewal&lt;/b&gt;",
        "Acme",
        "Contract Sent",
        "2027-01-31",
        "<strong>12,000</strong>",
        "480,000 SEK, no rate",
    ):
        assert words in shown, words
    assert "<b>Renewal" not in shown
    assert "Open deals at stake" not in ann.http.get("/requests/s").text
