"""The first sync and the second one, on a world whose answers are known and on the dirty sample."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from canny.models.votes import Vote

from integration_assets.sandbox.hubspot import Subscription
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.foreign import hubspot_links, portal_for_foreigners
from integration_assets_tests.support.foreign_canny import all_posts, all_status_changes, all_users, all_votes
from integration_assets_tests.support.harness import OBJECT, World, world_of
from integration_assets_tests.support.loaded_packages import NEVER_TO_SHOW, packages_loaded_by
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, Snapshot, copy_of, folder

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

EXPECTED = {
    "dark mode": (
        "Dark mode",
        "open",
        "open",
        "Features",
        "4",
        "2",
        "1500.50",
        "acme.com beta-group.com nowhere-at-all.org",
    ),
    "csv export": ("Export to CSV", "planned", "planned", "Features", "2", "1", "0", "gamma.de"),
    "crash": ("Crash on start", "in_progress", "in progress", "Bugs", "2", "1", "108", "delta.fr"),
    "single sign-on": (
        "Single sign-on",
        "complete",
        "complete",
        "Features",
        "3",
        "3",
        "1608.50",
        "acme.com beta-group.com delta.fr",
    ),
    "themes": ("Themes", "unknown", "on the shelf", "Features", "0", "0", "0", ""),
}
"""Title, status, source status, board, votes, companies, ARR and voter domains of each record."""
VOTED = {
    "dark mode": {"Acme", "Beta"},
    "csv export": {"Gamma"},
    "crash": {"Delta"},
    "single sign-on": {"Acme", "Beta", "Delta"},
    "themes": set(),
}
CONTACT_LABELS = {
    "dark mode": {"ann": {"Voter", "Author"}},
    "csv export": {"dee": {"Voter", "Author"}},
    "crash": {},
    "single sign-on": {"ann": {"Voter"}},
    "themes": {},
}


KEPT_IN: dict[str, Subscription] = {"services": "professional", "tickets": "starter"}
"""Objects other than our own that hold the records, with a plan that has labels, and one that has none."""


@pytest.fixture(scope="session", params=["custom", *(pytest.param(name, marks=pytest.mark.proof) for name in KEPT_IN)])
def ready_snapshot(request: pytest.FixtureRequest) -> Iterator[Snapshot]:
    """The small world after `setup`, for each object that may hold the records."""
    options = replace(PROMPT, plan=KEPT_IN.get(request.param, "enterprise"))
    sandbox = build_sandbox(
        small_world().sample, plan=None, slack_interval=0, portal_options=options, kept_in=request.param
    )
    with folder() as home, world_of(sandbox, home) as world:
        world.set_up()
        yield Snapshot(sandbox, home)


@pytest.fixture(scope="session")
def synced_snapshot(ready_snapshot: Snapshot) -> Iterator[Snapshot]:
    """The small world after its first sync, for each object that may hold the records."""
    with copy_of(ready_snapshot) as world:
        world.sync()
        yield Snapshot(world.sandbox, world.home)


def labels_of(world: World, labels: set[str]) -> set[str]:
    """Labels as far as the portal has any."""
    return labels if world.labelled else set()


def test_the_first_sync_makes_one_record_per_request_with_the_right_values(synced: World) -> None:
    """Every request of the small world is one record with the values worked out by hand."""
    records = synced.in_crm().records
    assert set(records) == {synced.key(name) for name in EXPECTED}
    for name, (title, status, source_status, board, votes, companies, arr, domains) in EXPECTED.items():
        record = records[synced.key(name)]
        assert (record["title"], record["status"], record["source_status"]) == (title, status, source_status)
        assert (record["board"], record["votes"], record["companies"]) == (board, votes, companies)
        assert Decimal(record["arr"] or "-1") == Decimal(arr)
        assert (record["voter_domains"] or "").split("\n") == domains.split(" ")
        assert record["source"] == "canny"
        assert not record["retired_at"]
        assert not record["retired_reason"]
    dark_mode = records[synced.key("dark mode")]
    assert (dark_mode["category"], dark_mode["details"]) == ("Look and feel", "My eyes hurt at night.")
    assert dark_mode["url"] is not None
    assert dark_mode["url"].endswith("/features/p/dark-mode")
    assert (dark_mode["requested_at"], dark_mode["last_vote_at"]) == (
        "2025-06-15T15:07:40.000Z",
        "2025-06-15T15:11:40.000Z",
    )


def test_showing_the_ranking_loads_the_database_and_nothing_that_runs_need(synced: World) -> None:
    """Not Dagster, not Arrow, no client: what a person waits for is the import."""
    loaded = packages_loaded_by("rankings", environment=synced.environment())
    assert "duckdb" in loaded
    assert not loaded & NEVER_TO_SHOW


def test_the_first_sync_links_exactly_the_companies_that_voted(synced: World) -> None:
    """Each record has the label `Voted` towards each company of its voters and towards no other."""
    linked = synced.in_crm().companies
    for name, companies in VOTED.items():
        assert linked[synced.key(name)] == {
            synced.company(company): labels_of(synced, {"Voted"}) for company in companies
        }, name


def test_the_first_sync_links_exactly_the_contacts_that_voted_or_asked(synced: World) -> None:
    """Contacts are labelled `Voter` and `Author`; people who are no contact are not made one."""
    linked = synced.in_crm().contacts
    for name, people in CONTACT_LABELS.items():
        assert linked[synced.key(name)] == {
            synced.contact(who): labels_of(synced, labels) for who, labels in people.items()
        }, name


def test_a_sync_leaves_companies_and_contacts_as_they_were(ready: World) -> None:
    """No property of any company or contact changes, and none is created."""
    before = ready.standard_records()
    ready.sync()
    after = ready.standard_records()
    # HubSpot itself counts what a record is associated with; that is no write of ours.
    assert after == before


def test_the_first_sync_reports_what_the_portal_received(ready: World) -> None:
    """Created, linked, verified and write calls of the summary are those of the portal's own log."""
    summary = ready.sync().summary
    # Without labels a voter who is the author has one link.
    links = 12 if ready.labelled else 10
    assert summary["state"] == "SUCCEEDED"
    assert summary["feature_requests"] == {
        "identified": 5,
        "created": 5,
        "updated": 0,
        "unchanged": 0,
        "retired": 0,
        "rejected": 0,
        "verified": 5,
    }
    assert summary["links"] == {
        "desired": links,
        "created": links,
        "removed": 0,
        "unchanged": 0,
        "rejected": 0,
        "verified": links,
    }
    assert summary["api_calls"]["hubspot"]["writes"] == len(ready.writes()) > 0
    assert summary["votes"]["by_method"] == {"host": 5, "contact": 3, "registrable_domain": 1}
    assert summary["votes"]["unmatched"] == {"no_email": 1, "unknown_domain": 1}
    production = ready.lookalike("production").requests
    both = len(ready.lookalike().requests) + len(production)
    assert summary["api_calls"]["hubspot"]["total"] <= both  # `setup` is in the log as well
    assert not [request for request in production if request.method != "GET"]


def test_a_second_sync_writes_nothing(synced: World) -> None:
    """Nothing changed, so the portal's log has no request that could change it, and all is reported unchanged."""
    before = synced.in_crm()
    summary = synced.sync().summary
    assert synced.writes() == []
    assert synced.writes("production") == []
    assert summary["api_calls"]["hubspot"]["writes"] == 0
    assert summary["feature_requests"]["unchanged"] == 5
    assert summary["links"]["unchanged"] == (12 if synced.labelled else 10)
    assert synced.in_crm() == before


def test_losing_the_staging_store_changes_nothing_in_the_crm(synced: World) -> None:
    """A run without any memory rebuilds it from both systems and writes nothing."""
    for file in (synced.home / "staging").rglob("*.duckdb*"):
        file.unlink()
    summary = synced.sync().summary
    assert synced.writes() == []
    assert (summary["state"], summary["feature_requests"]["unchanged"]) == ("SUCCEEDED", 5)


def test_a_read_only_run_ranks_and_publishes_without_a_plan(ready: World) -> None:
    """`sync --read-only` publishes the ranking, makes no plan, and writes nothing."""
    ready.forget_requests()
    summary = ready.sync("--read-only").summary
    assert ready.writes() == []
    assert (summary["state"], summary["plan"]["hash"]) == ("SUCCEEDED", None)
    # Of the open ones: Single sign-on, with more ARR, is complete.
    assert summary["top"]["by_arr"][0]["title"] == "Dark mode"
    with duckdb.connect(str(ready.home / "published" / "sandbox" / "default.duckdb"), read_only=True) as published:
        assert published.execute("SELECT count(*) FROM ranked.feature_requests").fetchall() == [(5,)]


# -- the sample, with every kind of dirt


@pytest.fixture(scope="module")
def dirty() -> Iterator[World]:
    """A small cut of the sample, set up and synced."""
    sandbox = build_sandbox(
        build_sample(requests=40, votes=400, companies=120), plan=None, slack_interval=0, portal_options=PROMPT
    )
    with folder() as home, world_of(sandbox, home) as world:
        world.set_up()
        world.sync()
        yield world


def _post_id(vote: Vote) -> str:
    assert vote.post is not None
    return f"canny:{vote.post.id}"


def _published(home: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(home / "published" / "sandbox" / "default.duckdb"), read_only=True)


def test_the_dirty_sample_has_one_record_per_request_in_canny(dirty: World) -> None:
    """Requests of every status, counted and titled as another Canny client sees them, are records; nothing else is."""
    base_url, key = dirty.addresses.canny_base_url, dirty.canny.api_key
    statuses = {change.status for change in all_status_changes(base_url, key)}
    wanted = ",".join(sorted({"open", "under review", "planned", "in progress", "complete", "closed", *statuses}))
    titles = {f"canny:{post.id}": post.title.strip() for post in all_posts(base_url, key, statuses=wanted)}
    voters: defaultdict[str, set[str]] = defaultdict(set)
    for vote in all_votes(base_url, key):
        voters[_post_id(vote)].add(vote.voter.id if vote.voter else vote.id)
    records = dirty.in_crm().records
    usable = {key: title for key, title in titles.items() if title}
    assert {key: record["title"] for key, record in records.items()} == usable
    assert {key: int(record["votes"] or -1) for key, record in records.items()} == {
        key: len(voters[key]) for key in usable
    }


def test_the_dirty_sample_agrees_with_the_published_ranking(dirty: World) -> None:
    """Companies, ARR and company links of every record are those of the views analysts query."""
    crm = dirty.in_crm()
    with _published(dirty.home) as published:
        ranked = published.execute(
            "SELECT 'canny:' || request_id, companies, arr FROM ranked.feature_requests"
        ).fetchall()
        pairs = published.execute("SELECT 'canny:' || request_id, company_id FROM ranked.company_requests").fetchall()
    assert {
        key: (int(record["companies"] or -1), Decimal(record["arr"] or "-1")) for key, record in crm.records.items()
    } == {key: (companies, arr) for key, companies, arr in ranked}
    linked = {(key, company) for key, companies in crm.companies.items() for company in companies}
    assert linked == set(pairs)
    assert len(linked) > 100


def test_the_dirty_sample_links_the_voters_that_are_contacts(dirty: World) -> None:
    """Contacts carry `Voter` where their address, as two other clients read it, belongs to a person who voted."""
    base_url, key = dirty.addresses.canny_base_url, dirty.canny.api_key
    contacts = {
        address: contact_id
        for contact_id, record in dirty.standard_records()["contacts"].items()
        for address in [record["email"], *(record["hs_additional_emails"] or "").split(";")]
        if address
    }
    # `Name <a@b>` is an address as well.
    addresses = {
        user.id: (user.email or "").strip().rpartition("<")[2].rstrip("> ").lower() for user in all_users(base_url, key)
    }
    records = dirty.in_crm()
    wanted = {
        (_post_id(vote), contacts[addresses[vote.voter.id]])
        for vote in all_votes(base_url, key)
        if vote.voter and addresses.get(vote.voter.id) in contacts and _post_id(vote) in records.records
    }
    found = {
        (key, contact)
        for key, others in records.contacts.items()
        for contact, labels in others.items()
        if "Voter" in labels
    }
    assert found == wanted
    assert len(found) > 50


def test_the_labels_hang_on_the_companies_side_too(dirty: World) -> None:
    """Seen from the companies, the same pairs carry the inverse label."""
    portal = dirty.portal
    companies = dirty.in_crm().companies
    wanted = {(company, key) for key, others in companies.items() for company in others}
    with portal_for_foreigners(portal) as address:
        found = hubspot_links(address, portal.token, "companies", OBJECT, {company for company, _ in wanted})
    ids = {str(record["hs_object_id"]): key for key, record in dirty.in_crm().records.items()}
    assert {
        (company, ids[record]) for company, others in found.items() for record, label in others if label == "Voted for"
    } == wanted
