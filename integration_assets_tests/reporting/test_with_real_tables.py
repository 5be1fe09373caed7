"""Loading, resolving, ranking, checking, reporting and publishing agree on the tables they share."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import duckdb
import msgspec
import pytest
from rich.console import Console

from integration_assets.checks.base import GateSettings
from integration_assets.checks.gate import closed_by, run_gate
from integration_assets.config import Environment
from integration_assets.models import Account, Company, Deal, FeatureRequest, Status, Vote, Voter
from integration_assets.reporting.deals import read_deals
from integration_assets.reporting.html_report import ReportFacts, read_ranking, render_report
from integration_assets.reporting.rankings import read_movers, read_rankings, read_unresolved
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import build_summary
from integration_assets.reporting.terminal import show_rankings, show_unresolved
from integration_assets.resolution.rank import rank, snapshot_history
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.loading import replacing
from integration_assets.staging.publishing import publish
from integration_assets.staging.store import transaction

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = {"u1": "ann@acme.com", "u2": "bo@eu.acme.com", "u3": "cy@globex.io", "u4": "di@gmail.com", "u5": None}
VOTES = [("r1", "u1"), ("r1", "u2"), ("r1", "u4"), ("r2", "u3"), ("r2", "u5"), ("r3", "u4"), ("r0", "u3")]


@pytest.fixture
def ranked_store(empty_store: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    requests = [
        FeatureRequest(f"r{number}", f"Request {number}", Status.OPEN, "open", created_at=NOON, merged_ids=merged)
        for number, merged in ((1, ()), (2, ("r0",)), (3, ()))
    ]
    voters = {name: Voter(name, email) for name, email in PEOPLE.items()}
    votes = [
        Vote(f"v{number}", request, voters[voter], NOON - timedelta(days=number))
        for number, (request, voter) in enumerate(VOTES)
    ]
    companies = [
        Company("1", "Acme", "acme.com", arr="1000.50"),
        Company("2", "Globex", "globex.io", arr="99000"),
        Company("3", "Globex EU", "globex.eu", ("https://www.globex.io/",)),
    ]
    with replacing(empty_store, ["raw.feature_requests", "raw.votes", "raw.voters", "raw.accounts"]) as load:
        assert load.append("raw.feature_requests", requests) == ()
        assert load.append("raw.votes", votes) == ()
        assert load.append("raw.voters", list(voters.values())) == ()
        assert load.append("raw.accounts", [Account("a", "Acme", "acme.com", "5")]) == ()
        load.note_read("votes", as_of=NOON)
    with replacing(empty_store, ["raw.crm_companies"]) as load:
        load.append("raw.crm_companies", companies)
        load.note_read("companies", as_of=NOON)
    with transaction(empty_store):
        resolve_votes(empty_store, ResolutionSettings())
        rank(empty_store, as_of=NOON)
        snapshot_history(empty_store, as_of=NOON)
    return empty_store


def test_gate_reads_what_resolution_made(ranked_store):
    """The checks find coverage and shared domains in the resolved tables; only the schema was never read."""
    settings = GateSettings(run_id="run1", environment=Environment.SANDBOX, now=NOON)
    results = {result.name: result for result in run_gate(ranked_store, settings)}
    assert closed_by(results.values()) == (
        "raw_crm_schema: crm_schema_as_expected: the schema of this environment was not read",
    )
    assert results["votes_matched"].passed
    assert "globex.io (2)" in results["company_domains_unique"].detail
    assert not results["company_domains_unique"].passed


def test_summary_and_tables_show_what_ranking_made(ranked_store, facts):
    """Votes add up, the top is there, and both views print."""
    summary = build_summary(ranked_store, facts)
    assert summary.votes.total == summary.votes.matched + sum(summary.votes.unmatched.values()) == 6
    assert summary.votes.by_method == {"host": 2, "registrable_domain": 1}
    assert [one.request_id for one in summary.top.by_arr] == ["r2", "r1", "r3"]
    assert (summary.top.by_arr[0].companies, summary.top.by_arr[0].arr) == (1, "99000.00")
    out = StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None)
    show_rankings(console, read_rankings(ranked_store, by="companies"), by="companies", currency="USD")
    show_unresolved(console, read_unresolved(ranked_store))
    assert "99,000" in out.getvalue()
    assert "gmail.com" in out.getvalue()


def add_deals(store: duckdb.DuckDBPyConnection) -> None:
    """Open deals of the company behind request 2, read like everything else, and ranked again."""
    deals = [
        Deal("d1", "Platform", ("2",), "Contract Sent", Decimal(12000), close_date=date(2027, 1, 31)),
        Deal("d2", None, ("2", "3"), None, Decimal(480000), "SEK"),
    ]
    with replacing(store, ["raw.crm_deals"]) as load:
        assert load.append("raw.crm_deals", deals) == ()
        load.note_read("deals", as_of=NOON)
    with transaction(store):
        resolve_votes(store, ResolutionSettings())
        rank(store, as_of=NOON)
        snapshot_history(store, as_of=NOON)


def test_open_deals_are_shown_where_there_are_any(ranked_store, facts):
    """The terminal has the pipeline of each request, the report the deals as well; without deals there is neither."""

    def shown() -> tuple[str, str]:
        out = StringIO()
        console = Console(file=out, width=120, force_terminal=True, color_system=None)
        show_rankings(console, read_rankings(ranked_store, by="arr"), by="arr", currency="USD")
        report = ReportFacts(summary=build_summary(ranked_store, facts), mode="sync")
        return out.getvalue(), render_report(report, read_ranking(ranked_store, "USD"))

    for text in shown():
        assert "pipeline" not in text.lower()
    add_deals(ranked_store)
    terminal, report = shown()
    assert "open pipeline" in terminal
    assert "12,000" in terminal
    for words in ("Open pipeline", "Open deals at stake", "Platform", "Globex", "Contract Sent", "2027-01-31"):
        assert words in report, words
    assert "480,000 SEK, no rate" in report


def test_deals_of_a_request_are_the_largest_first(ranked_store):
    """Those that have an amount before those that have none; none of a request nobody's deal is behind."""
    add_deals(ranked_store)
    found = read_deals(ranked_store, limit=5, request_id="r2")
    assert [(one.deal_id, one.amount_words, one.companies, one.requests) for one in found] == [
        ("d1", "12,000", ["Globex"], 1),
        ("d2", "480,000 SEK, no rate", ["Globex"], 1),
    ]
    assert read_deals(ranked_store, limit=5, request_id="r3") == []
    ranked_store.execute("UPDATE raw.feature_requests SET status = 'complete' WHERE request_id = 'r2'")
    with transaction(ranked_store):
        rank(ranked_store, as_of=NOON)
    assert read_deals(ranked_store, limit=5) == []  # nothing waits for what was shipped
    assert len(read_deals(ranked_store, limit=1, request_id="r2")) == 1


def test_a_database_of_an_earlier_version_has_no_deals(ranked_store):
    """Its pages open all the same."""
    ranked_store.execute("DROP VIEW ranked.deals_at_stake")
    assert read_deals(ranked_store, limit=5) == []


def rank_a_day_later(store: duckdb.DuckDBPyConnection) -> None:
    """With other ARR, so that the two requests change places."""
    store.execute("UPDATE raw.crm_companies SET arr = '500000' WHERE company_id = '1'")
    with transaction(store):
        resolve_votes(store, ResolutionSettings())
        rank(store, as_of=NOON + timedelta(days=1))
        snapshot_history(store, as_of=NOON + timedelta(days=1))


def test_movers_come_from_the_history(ranked_store):
    """A request whose place changed since the snapshot before is named; the first snapshot has no movers."""
    assert read_movers(ranked_store) == ()
    rank_a_day_later(ranked_store)
    assert read_movers(ranked_store) == (
        "Request 1 (open): place 2 → 1 by ARR",
        "Request 2 (open): place 1 → 2 by ARR",
    )


def test_a_snapshot_of_a_clock_that_was_ahead_is_not_compared_with(ranked_store):
    """It would be the newest one for years, and every move be told the wrong way round."""
    with transaction(ranked_store):
        snapshot_history(ranked_store, as_of=NOON + timedelta(days=9_000))
    assert read_movers(ranked_store) == ()
    rank_a_day_later(ranked_store)
    assert read_movers(ranked_store) == (
        "Request 1 (open): place 2 → 1 by ARR",
        "Request 2 (open): place 1 → 2 by ARR",
    )


def test_published_database_has_all_views_and_no_address(ranked_store, facts, tmp_path):
    """Every ranked table is published, and none of the voters' addresses."""
    summary = build_summary(ranked_store, facts)
    record_run(ranked_store, summary, msgspec.structs.replace(facts, calls=()))
    target = tmp_path / "published.duckdb"
    publish(ranked_store, target)
    with duckdb.connect(str(target), read_only=True) as published:
        tables = published.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'ranked'").fetchall()
        assert read_rankings(published, by="arr")[0].request_id == "r2"
    assert {name for (name,) in tables} >= {
        "feature_requests",
        "company_requests",
        "companies",
        "unresolved_votes",
        "rank_history",
        "why",
    }
    content = target.read_bytes()
    assert not [email for email in PEOPLE.values() if email and email.encode() in content]
