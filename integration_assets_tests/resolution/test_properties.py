"""Over random worlds: the set-based result is the slow one, and what must hold always does."""

import random

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from integration_assets_tests.resolution.reference import Reference
from integration_assets_tests.resolution.strategies import tenants, worlds
from integration_assets_tests.resolution.worlds import connect, resolved, rows

CAREFULLY = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
TABLES = (
    "resolved.votes", "resolved.lost_votes", "resolved.company_arr", "resolved.company_hosts", "resolved.arr_unjoined",
    "resolved.arr_problems", "resolved.host_problems", "resolved.override_problems",
    "resolved.suspected_mail_providers", "resolved.contact_addresses", "resolved.arr_without_rate",
    "ranked.feature_requests",
    "ranked.company_requests", "ranked.companies", "ranked.unresolved_votes", "ranked.why",
)  # fmt: skip


@pytest.fixture(scope="module")
def store():
    """One connection for all examples: every run replaces what the last one made."""
    connection = connect()
    yield connection
    connection.close()


@CAREFULLY
@given(worlds(), tenants())
def test_results_are_what_the_rules_say(store, world, tenant):
    """Votes, ARR and the ranking are those of going through the rules one by one, and what must hold does."""
    resolved(world, tenant, store)
    reference = Reference(world, tenant)
    assert rows(store, "FROM resolved.votes ORDER BY vote_id") == reference.votes
    assert dict(store.execute("SELECT company_id, arr FROM resolved.company_arr").fetchall()) == reference.arr
    ranking = reference.ranking()
    found = rows(store, "FROM ranked.feature_requests")
    assert [{name: row[name] for name in expected} for row, expected in zip(found, ranking, strict=True)] == [
        {**row, "arr_share": pytest.approx(row["arr_share"])} for row in ranking
    ]
    check_what_always_holds(store)


@settings(CAREFULLY, max_examples=8)
@given(worlds(), tenants())
def test_naming_a_person_as_own_staff_touches_nobody_elses_votes(store, world, tenant):
    """Of all votes only those of this address change, and those are own staff's then."""
    plain = msgspec.structs.replace(tenant, own_domains=("own.com",))
    before = {row["vote_id"]: row for row in rows(resolved(world, plain, store), "FROM resolved.votes")}
    named = msgspec.structs.replace(tenant, own_domains=("own.com", "u@gmail.com"))
    after = {row["vote_id"]: row for row in rows(resolved(world, named, store), "FROM resolved.votes")}
    persons = {row["voter_id"] for row in world["voters"] if str(row["email"]).lower().rstrip(".") == "u@gmail.com"}
    assert before.keys() == after.keys()
    for vote_id, row in after.items():
        if row["voter_id"] in persons:
            assert (row["company_id"], row["reason"]) == (None, "own_staff")
        # a mail provider may be suspected because of a person, but these worlds have no crowds
        else:
            assert row == before[vote_id]


def check_what_always_holds(store: duckdb.DuckDBPyConnection) -> None:
    """Nothing is lost or counted twice, and nothing ambiguous is matched."""
    votes = rows(store, "FROM resolved.votes")
    assert all((vote["company_id"] is None) == (vote["reason"] is not None) for vote in votes)
    assert all((vote["company_id"] is None) == (vote["match_method"] is None) for vote in votes)
    for vote in votes:
        if vote["reason"] in {"ambiguous_domain", "ambiguous_account"}:
            assert len(vote["candidate_company_ids"]) > 1
        elif vote["reason"] != "personal_email":
            assert vote["candidate_company_ids"] == []

    ranking = rows(store, "FROM ranked.feature_requests")
    assert sum(row["votes"] for row in ranking) == len(votes)
    lost = rows(store, "FROM ranked.unresolved_votes")
    assert sum(row["votes"] for row in lost) == sum(row["unresolved_votes"] for row in ranking)
    for rank in ("rank_by_arr", "rank_by_companies", "rank_by_votes"):
        assert sorted(row[rank] for row in ranking) == list(range(1, len(ranking) + 1))

    pairs = rows(store, "FROM ranked.company_requests")
    assert len({(pair["company_id"], pair["request_id"]) for pair in pairs}) == len(pairs)
    arr = {row["company_id"]: row["arr"] or 0 for row in rows(store, "FROM resolved.company_arr")}
    for row in ranking:
        mine = [pair["company_id"] for pair in pairs if pair["request_id"] == row["request_id"]]
        assert row["companies"] == len(mine)
        assert row["arr"] == sum(arr[company_id] for company_id in mine)
        why = rows(store, f"FROM ranked.why WHERE request_id = '{row['request_id']}'")
        assert sum(one["voters"] for one in why) == row["votes"]
        assert {one["company_id"] for one in why} - {None} == set(mine)


@settings(CAREFULLY, max_examples=5)
@given(worlds(), tenants())
def test_the_order_of_the_rows_is_nothing(store, world, tenant):
    """Shuffled input gives the same tables."""
    resolved(world, tenant, store)
    first = [sorted(map(str, rows(store, f"FROM {table}"))) for table in TABLES]
    shuffled = {name: random.Random(7).sample(table, len(table)) for name, table in world.items()}
    resolved(shuffled, tenant, store)
    assert [sorted(map(str, rows(store, f"FROM {table}"))) for table in TABLES] == first
