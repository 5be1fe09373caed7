"""Records the portal refuses, records nobody can use, and a gate that keeps a run from writing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from integration_assets_tests.support.harness import OBJECT, World
from integration_assets_tests.support.schema_changes import (
    with_a_requirement,
    without_label,
    without_option,
    without_property,
)

pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("dagster_in_memory"),
]  # several runs for each refusal: part of `make proofs`


def test_a_record_the_portal_refuses_is_named_and_the_others_arrive(ready: World) -> None:
    """One record breaks a rule of the portal: it is rejected with the reason, four others are written and verified."""
    ready.portal.require(OBJECT, "category", when=("board", "Bugs"))
    ran = ready.sync()
    summary, key = ran.summary, ready.key("crash")
    assert summary["state"] == "SUCCEEDED_WITH_REJECTS"
    assert ready.in_crm().records.keys() == {
        ready.key(name) for name in ("dark mode", "csv export", "single sign-on", "themes")
    }
    assert summary["feature_requests"]["rejected"] == 1
    assert summary["feature_requests"]["verified"] == 4
    records = [reject for reject in summary["rejected"] if reject["kind"] == "feature_request"]
    assert [reject["key"] for reject in records] == [key]
    assert "category" in records[0]["reason"]
    assert _quarantined(ready, "feature_request") >= {key}


def test_a_rejected_record_is_tried_again_and_arrives_once_the_rule_is_gone(ready: World) -> None:
    """Nothing about a reject is remembered against it."""
    ready.portal.require(OBJECT, "category", when=("board", "Bugs"))
    ready.sync()
    ready.portal.object_type(OBJECT).required_when.clear()
    summary = ready.sync().summary
    assert (summary["state"], summary["feature_requests"]["created"]) == ("SUCCEEDED", 1)
    assert ready.in_crm().companies[ready.key("crash")] == {ready.company("Delta"): {"Voted"}}


def test_a_request_without_a_title_is_quarantined_and_the_others_arrive(ready: World) -> None:
    """It is counted in the summary, kept with its reason in the store, and is no record."""
    bad = ready.add_request("   ")
    summary = ready.sync().summary
    assert summary["state"] == "SUCCEEDED"
    assert bad not in ready.in_crm().records
    assert len(ready.in_crm().records) == 5
    assert summary["quarantined"] == {"raw_feature_requests": 1}
    assert _quarantined(ready, "feature_request") == {bad.removeprefix("canny:")}


def test_a_record_whose_request_became_unusable_is_not_retired(synced: World) -> None:
    """A request that cannot be read today is not gone: its record stays as it is."""
    synced.edit_request("themes", title="")
    before = synced.in_crm()
    synced.sync()
    assert synced.in_crm() == before


def test_too_many_unusable_records_close_the_gate(ready: World) -> None:
    """More than ten requests without a title: HELD, exit 3, nothing written, the reason gives the numbers."""
    for _ in range(11):
        ready.add_request("")
    ready.forget_requests()
    ran = ready.run("sync", json_file=True)
    assert (ran.code, ran.summary["state"], ready.writes()) == (3, "HELD", [])
    assert "11 of 16" in " ".join(ran.summary["plan"]["reasons"])
    assert ran.summary["quarantined"] == {"raw_feature_requests": 11}


def _quarantined(world: World, kind: str) -> set[str]:
    """Keys in the store's quarantine of one kind."""
    store = world.home / "staging" / "sandbox" / "default.duckdb"
    with duckdb.connect(str(store), read_only=True) as connection:
        rows = connection.execute("SELECT key, reason FROM sync.quarantine WHERE kind = ?", [kind]).fetchall()
    assert all(reason for _, reason in rows)
    return {key for key, _ in rows}


# -- drift


DRIFTS: dict[str, tuple[Any, str]] = {
    "property": (without_property, "voter_domains"),
    "option": (without_option, "planned"),
    "label": (without_label, "voted"),
    "requirement": (with_a_requirement, "category"),
}


@pytest.mark.parametrize("what", DRIFTS)
def test_a_schema_that_drifted_holds_the_run_but_not_the_ranking(synced: World, what: str) -> None:
    """HELD, exit 3, nothing written, the name of what is wrong said; the ranking of this run is published."""
    drift, named = DRIFTS[what]
    drift(synced)
    synced.edit_request("dark mode", title="Night theme")
    synced.forget_requests()
    began = datetime.now(UTC).replace(tzinfo=None)
    ran = synced.run("sync", json_file=True)
    assert (ran.code, ran.summary["state"], synced.writes()) == (3, "HELD", [])
    assert named in " ".join(ran.summary["plan"]["reasons"])
    failed = [check["name"] for check in ran.summary["checks"] if not check["passed"] and check["severity"] == "ERROR"]
    assert failed == ["crm_schema_as_expected"]
    with duckdb.connect(str(synced.home / "published/sandbox/default.duckdb"), read_only=True) as published:
        rows = published.execute("SELECT title FROM ranked.feature_requests WHERE as_of >= ?", [began]).fetchall()
    assert ("Night theme",) in rows


def test_a_portal_without_our_object_holds_the_run(new_world: World) -> None:
    """A sync before any setup ranks, publishes, says to run setup, and ends HELD."""
    ran = new_world.run("sync", json_file=True)
    assert (ran.code, ran.summary["state"], new_world.writes()) == (3, "HELD", [])
    assert "the object is missing; run `setup`" in ran.out
    assert (new_world.home / "published" / "sandbox" / "default.duckdb").exists()
    assert ran.summary["top"]["by_arr"][0]["title"] == "Dark mode"


def test_production_that_differs_from_the_sandbox_is_held(ready: World) -> None:
    """What was tried in the sandbox is not what production would get: an error when production is the target."""
    ready.set_up("production")
    del ready.seeded("production").portal.object_type(OBJECT).properties["details"]
    _ = ready.run("sync")
    ready.forget_requests()
    ran = ready.run("sync", "--environment", "production", json_file=True)
    assert (ran.code, ready.writes("production")) == (3, [])
    failed = {check["name"] for check in ran.summary["checks"] if not check["passed"] and check["severity"] == "ERROR"}
    assert "environments_agree" in failed


def test_a_coverage_floor_holds_what_falls_below_it(synced: World) -> None:
    """With a floor above the share of matched votes nothing is written."""
    synced.vote("themes", "eve")
    ran = synced.run("sync", json_file=True, INTEGRATION_ASSETS_COVERAGE_FLOOR="0.95")
    assert (ran.code, ran.summary["state"], synced.writes()) == (3, "HELD", [])


def test_one_of_our_keys_on_two_records_holds_the_run(synced: World) -> None:
    """Uniqueness lost in the portal and a copied record: nobody guesses which one is meant."""
    one = synced.portal.object_type(OBJECT)
    record = one.store.records[int(synced.record_id("dark mode"))]
    one.store.unique.pop("feature_request_key")
    synced.portal.seed(OBJECT, [dict(record.properties)])
    synced.edit_request("crash", title="Crash on exit")
    ran = synced.run("sync", json_file=True)
    assert (ran.code, ran.summary["state"], synced.writes()) == (3, "HELD", [])
    assert synced.key("dark mode") in ran.out + ran.err
