"""Pages of records become raw tables: all at once, each key once; what cannot be stored comes back with a reason."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.models import (
    Account,
    Board,
    Company,
    Contact,
    CrmFeatureRequest,
    FeatureRequest,
    InternalAccount,
    Link,
    LiveSchema,
    Portal,
    PortalKind,
    Rejected,
    Status,
    StatusChange,
    Vote,
    Voter,
)
from integration_assets.staging.loading import quarantine, replacing
from integration_assets.staging.rows import PortalRead
from integration_assets.staging.store import open_store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def request(request_id: str = "r1", title: str = "Dark mode", **values: Any) -> FeatureRequest:
    return FeatureRequest(request_id, title, Status.OPEN, "open", created_at=NOON, **values)


def vote(vote_id: str, request_id: str = "r1", voter: Voter | None = None) -> Vote:
    return Vote(vote_id, request_id, voter, NOON)


def rows(store: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return store.execute(sql).fetchall()


def test_feature_requests_and_merge_aliases(store):
    """A request makes its row and one alias per request merged into it; times arrive in UTC without zone."""
    east = timezone(timedelta(hours=5))
    record = request(tags=("ui", "a11y"), score=7, merged_ids=("r0", "r00"), board="Web", status_changed_at=None)
    with replacing(store, ["raw.feature_requests"]) as load:
        assert load.append("raw.feature_requests", [record]) == ()
        load.append("raw.feature_requests", [msgspec.structs.replace(record, request_id="r2", merged_ids=())])
        late = FeatureRequest("r3", "T", Status.PLANNED, "planned", created_at=datetime(2026, 3, 1, 2, tzinfo=east))
        load.append("raw.feature_requests", [late])
    assert load.loaded == {"raw.feature_requests": 3, "raw.merge_aliases": 2}
    assert rows(
        store, "SELECT title, status, tags, score, board FROM raw.feature_requests WHERE request_id = 'r1'"
    ) == [("Dark mode", "open", ["ui", "a11y"], 7, "Web")]
    assert rows(store, "SELECT created_at FROM raw.feature_requests WHERE request_id = 'r3'") == [
        (datetime(2026, 2, 28, 21),)  # noqa: DTZ001 - the store keeps UTC without zone
    ]
    assert rows(store, "FROM raw.merge_aliases ORDER BY ALL") == [("r0", "r1"), ("r00", "r1")]


def test_votes_bring_their_voters_and_memberships(store):
    """Voters seen in votes and listed ones are one set; the listed record wins whatever came last."""
    with replacing(store, ["raw.votes", "raw.voters"]) as load:
        load.append("raw.voters", [Voter("u1", "listed@a.com", ("c1", "c2"))])
        load.append("raw.votes", [vote("v1", voter=Voter("u1", "seen@a.com", ("c1",))), vote("v2", voter=Voter("u2"))])
        load.append("raw.votes", [vote("v3")])
    assert rows(store, "FROM raw.voters ORDER BY voter_id") == [("u1", "listed@a.com"), ("u2", None)]
    assert rows(store, "FROM raw.voter_accounts ORDER BY ALL") == [("u1", "c1"), ("u1", "c2")]
    assert rows(store, "SELECT vote_id, voter_id FROM raw.votes ORDER BY vote_id") == [
        ("v1", "u1"),
        ("v2", "u2"),
        ("v3", None),
    ]


def test_every_other_record_has_its_table(store):
    """Boards, status changes, accounts, companies, contacts, our CRM records, links, portals and internal rows load."""
    schema = LiveSchema(Portal("42", PortalKind.SANDBOX, "EUR", "UTC"), True, False, (), (), ())
    records = {
        "raw.boards": Board("b", "Web", 3),
        "raw.status_changes": StatusChange("s", "r1", "planned", NOON),
        "raw.accounts": Account("a", "Acme", "acme.com", "10.5"),
        "raw.crm_companies": Company("c", "Acme", additional_domains=("x.com",), merged_ids=("9",), arr="1e3"),
        "raw.crm_contacts": Contact("k", "a@acme.com", ("b@acme.com",), "c"),
        "raw.crm_feature_requests": CrmFeatureRequest("1", "canny:r1", {"title": "T", "votes": "3"}),
        "raw.crm_links": Link("1", "company", "c", "voted"),
        "raw.crm_portals": PortalRead("sandbox", "target", schema),
        "raw.internal_accounts": InternalAccount("i", "c", None, "5", "EUR"),
    }
    with replacing(store, list(records)) as load:
        for table, record in records.items():
            assert load.append(table, [record]) == ()
    assert load.loaded == dict.fromkeys(records, 1)
    assert rows(store, "SELECT property_values FROM raw.crm_feature_requests") == [({"title": "T", "votes": "3"},)]
    assert rows(store, "SELECT additional_domains, merged_ids, arr FROM raw.crm_companies") == [
        (["x.com"], ["9"], "1e3")
    ]
    [(portal_id, kind, readable, text)] = rows(
        store, "SELECT portal_id, kind, readable, schema_json FROM raw.crm_portals"
    )
    assert (portal_id, kind, readable) == ("42", "SANDBOX", True)
    assert msgspec.json.decode(text, type=LiveSchema) == schema


def test_unreadable_portal_keeps_the_reason(store):
    """A portal that could not be read is a row without a schema."""
    with replacing(store, ["raw.crm_portals"]) as load:
        load.append("raw.crm_portals", [PortalRead("production", "other", None, "no token")])
    assert rows(store, "SELECT readable, unreadable_reason, schema_json FROM raw.crm_portals") == [
        (False, "no token", None)
    ]


def test_page_served_twice_is_loaded_once_and_the_last_wins(store):
    """Rows with one key are one row: the last appended."""
    with replacing(store, ["raw.feature_requests"]) as load:
        load.append("raw.feature_requests", [request(score=1), request("r2")])
        load.append("raw.feature_requests", [request(score=2), request("r2"), request(score=3)])
    assert rows(store, "SELECT request_id, score FROM raw.feature_requests ORDER BY ALL") == [("r1", 3), ("r2", None)]


def test_error_leaves_yesterdays_rows(store, store_file):
    """After an error in the middle of a read the tables are as before, and nothing is left beside them."""
    with replacing(store, ["raw.feature_requests"]) as load:
        load.append("raw.feature_requests", [request("yesterday", merged_ids=("old",))])
        load.note_read("feature_requests", as_of=NOON, finished_at=NOON)

    def fail() -> None:
        with replacing(store, ["raw.feature_requests"]) as load:
            load.append("raw.feature_requests", [request("today")])
            load.note_read("feature_requests", as_of=NOON + timedelta(days=1))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert rows(store, "SELECT request_id FROM raw.feature_requests") == [("yesterday",)]
    assert rows(store, "FROM raw.merge_aliases") == [("old", "yesterday")]
    assert rows(store, "SELECT as_of, rows_read FROM raw.reads") == [(NOON.replace(tzinfo=None), 1)]
    assert rows(store, "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'loading'") == [(0,)]


def test_tables_swap_together(store, monkeypatch):
    """When the last of several tables cannot be replaced, none is."""
    with replacing(store, ["raw.votes"]) as load:
        load.append("raw.votes", [vote("old", voter=Voter("u0"))])

    def fail() -> None:
        with replacing(store, ["raw.votes"]) as load:
            load.append("raw.votes", [vote("new", voter=Voter("u1"))])
            store.execute("DROP TABLE loading.voter_accounts")

    with pytest.raises(Exception, match="voter_accounts"):
        fail()
    assert rows(store, "SELECT vote_id FROM raw.votes") == [("old",)]
    assert rows(store, "SELECT voter_id FROM raw.voters") == [("u0",)]


def test_text_that_cannot_be_stored_is_rejected_alone(store):
    """A lone surrogate rejects its own record, named once and printable, and the rest of the page is loaded."""
    bad = "caf\ud800"
    with replacing(store, ["raw.feature_requests"]) as load:
        rejected = load.append(
            "raw.feature_requests", [request("ok"), request("bad", bad), request(bad), request("ok2")]
        )
        again = load.append("raw.feature_requests", [request("bad", bad)])
    assert rejected == (
        Rejected("feature_request", "bad", "text or number that cannot be stored in title"),
        Rejected("feature_request", "caf?", "text or number that cannot be stored in request_id"),
    )
    assert again == ()
    assert rows(store, "SELECT request_id FROM raw.feature_requests ORDER BY ALL") == [("ok",), ("ok2",)]


def test_missing_ids_titles_and_impossible_numbers_are_rejected(store):
    """A blank id or title, a number beyond 64 bits, a time beyond the calendar: rejected with what is wrong."""
    too_early = datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))
    with replacing(store, ["raw.feature_requests", "raw.votes"]) as load:
        rejected = load.append(
            "raw.feature_requests",
            [request(" ", merged_ids=("x",)), request("r2", " \t\u200b"), request("r3", score=2**70)],
        )
        rejected += load.append("raw.votes", [Vote("v1", "r1", None, too_early), vote("", voter=Voter("u1"))])
    assert [(record.kind, record.key, record.reason) for record in rejected] == [
        ("feature_request", " ", "no id"),
        ("feature_request", "r2", "no title"),
        ("feature_request", "r3", "text or number that cannot be stored in score"),
        ("vote", "v1", "a time outside the years 1 to 9999"),
        ("vote", "", "no id"),
    ]
    assert load.loaded["raw.feature_requests"] == load.loaded["raw.merge_aliases"] == load.loaded["raw.votes"] == 0


def test_unstorable_voter_does_not_cost_the_vote(store):
    """A voter whose address cannot be stored is rejected; their vote stays."""
    with replacing(store, ["raw.votes"]) as load:
        rejected = load.append("raw.votes", [vote("v1", voter=Voter("u1", "\udfff@a.com")), vote("v2")])
    assert [(record.kind, record.key) for record in rejected] == [("voter", "u1")]
    assert "@" not in rejected[0].reason
    assert load.loaded == {"raw.votes": 2, "raw.voters": 0, "raw.voter_accounts": 0}


def test_records_of_another_table_are_refused(store):
    """Appending the wrong record, or to a table that is not being replaced, is a mistake of the caller."""
    with replacing(store, ["raw.votes"]) as load:
        with pytest.raises(TypeError, match=r"record of raw\.boards, not of raw\.votes"):
            load.append("raw.votes", [Board("b", "Web")])
        with pytest.raises(ValueError, match="not being replaced"):
            load.append("raw.boards", [Board("b", "Web")])
    with pytest.raises(ValueError, match=r"not a raw table: raw\.nothing"), replacing(store, ["raw.nothing"]):
        pass


def test_reads_are_noted_with_the_rows(store):
    """The freshness of an input changes with its rows; other inputs keep theirs."""
    with replacing(store, ["raw.votes"]) as load:
        load.append("raw.votes", [vote("v1"), vote("v2")])
        load.note_read("votes", as_of=NOON, finished_at=NOON)
        load.note_read("contacts", as_of=NOON, finished_at=NOON, rows_read=9)
    with replacing(store, ["raw.crm_companies"]) as load:
        load.append("raw.crm_companies", [Company("c")])
        load.note_read("companies", as_of=NOON + timedelta(hours=1))
    assert rows(store, "SELECT input, rows_read FROM raw.reads ORDER BY input") == [
        ("companies", 1),
        ("contacts", 9),
        ("votes", 2),
    ]


def test_quarantine_keeps_each_reason_once_per_run_and_stage(store):
    """A stage that is tried again does not count twice; another run and another stage do."""
    records = (Rejected("vote", "v1", "gone"), Rejected("vote", "v\ud8002", "gone"), Rejected("vote", "v1", "gone"))
    assert quarantine(store, "run1", "raw_votes", records) == 2
    assert quarantine(store, "run1", "raw_votes", records) == 0
    assert quarantine(store, "run1", "raw_votes", ()) == 0
    assert quarantine(store, "run2", "raw_votes", records[:1]) == 1
    assert rows(store, "SELECT run_id, stage, kind, key, reason FROM sync.quarantine ORDER BY ALL") == [
        ("run1", "raw_votes", "vote", "v1", "gone"),
        ("run1", "raw_votes", "vote", "v?2", "gone"),
        ("run2", "raw_votes", "vote", "v1", "gone"),
    ]


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    with open_store(tmp_path_factory.mktemp("home") / "default.duckdb") as connection:
        yield connection


@settings(max_examples=40, deadline=None)
@given(
    pages=st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=8), st.integers(-(2**65), 2**65)), max_size=6),
        max_size=4,
    )
)
def test_every_record_is_stored_or_rejected(shared_store, pages):
    """Whatever text arrives, each id ends in the table as its last storable record, or is named as rejected."""
    expected: dict[str, str] = {}
    refused: set[str] = set()
    with replacing(shared_store, ["raw.feature_requests"]) as load:
        for page in pages:
            records = [request(request_id, title, score=score) for request_id, title, score in page]
            refused |= {record.key for record in load.append("raw.feature_requests", records)}
            expected |= {key: title for key, title, score in page if title.strip() and -(2**63) <= score < 2**63}
    stored = dict(rows(shared_store, "SELECT request_id, title FROM raw.feature_requests"))
    assert stored == expected
    assert {request_id for page in pages for request_id, _, _ in page} == set(expected) | refused
