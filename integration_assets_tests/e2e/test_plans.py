"""Plans that are looked at before they are applied: dry runs, plan files, held plans and their approval."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from integration_assets.config import load_settings
from integration_assets.web.one_time_link import OneTimeLink
from integration_assets_tests.support.harness import Ran, World
from integration_assets_tests.support.web_site import Client, served

pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("dagster_in_memory"),
]  # a dozen runs for each story of a plan: part of `make proofs`


def test_a_dry_run_shows_the_plan_and_writes_nothing(ready: World) -> None:
    """All changes are counted and listed, the exit code is that of the sync, the portal's log has no write."""
    ready.forget_requests()
    ran = ready.sync("--dry-run")
    assert ready.writes() == []
    summary = ran.summary
    assert (summary["dry_run"], summary["state"]) == (True, "SUCCEEDED")
    assert (summary["feature_requests"]["created"], summary["feature_requests"]["verified"]) == (5, 0)
    assert summary["links"]["created"] == 12
    assert summary["plan"]["hash"] in ran.out
    assert "5 identified, would create 5, update 0, retire 0" in ran.out
    with duckdb.connect(str(ready.home / "published" / "sandbox" / "default.duckdb"), read_only=True) as published:
        rows = published.execute("SELECT mode, records_created, links_created FROM ops.runs").fetchall()
    assert rows == [("dry_run", 0, 0)]
    for name in ("Dark mode", "Single sign-on"):
        assert name in ran.out


def test_a_dry_run_shows_before_and_after(synced: World) -> None:
    """A changed value is shown as it is and as it would be."""
    synced.edit_request("dark mode", title="Night theme")
    ran = synced.run("plan")
    assert (ran.code, synced.writes()) == (0, [])
    assert "Dark mode" in ran.out
    assert "Night theme" in ran.out


def test_a_plan_is_told_by_field_record_and_row(synced: World) -> None:
    """Counts by action and field, the record with before and after, and the same change in the CSV and on its page."""
    synced.edit_request("dark mode", title="=Night theme")
    file = synced.home / "changes.csv"
    ran = synced.run("plan", "--show", "1", "--csv", str(file))
    assert (ran.code, synced.writes()) == (0, [])
    assert ["update", "title", "1"] in [line.split() for line in ran.out.splitlines()]
    assert "title: Dark mode → =Night theme" in ran.out
    with file.open(encoding="utf-8", newline="") as read:
        rows = [row for row in csv.DictReader(read) if row["field"] == "title"]
    assert [(row["action"], row["before"], row["after"]) for row in rows] == [("update", "Dark mode", "'=Night theme")]
    with duckdb.connect(str(synced.home / "published" / "sandbox" / "default.duckdb"), read_only=True) as published:
        last = "SELECT records_updated, would_create, would_update FROM ops.runs ORDER BY started_at DESC LIMIT 1"
        assert published.execute(last).fetchall() == [(0, 0, 1)]


@pytest.fixture
def planned(ready: World) -> tuple[World, Path, str]:
    """A plan saved to a file, and its hash."""
    file = ready.home / "plan.json"
    ran = ready.run("plan", "--out", str(file), json_file=True)
    assert ran.code == 0, ran.err
    return ready, file, ran.summary["plan"]["hash"]


def test_a_saved_plan_is_applied_as_it_was_seen(planned: tuple[World, Path, str]) -> None:
    """`sync --plan FILE --approve HASH` applies that very plan, also where no state was kept."""
    world, file, plan_hash = planned
    for store in (world.home / "staging").rglob("*.duckdb*"):
        store.unlink()
    ran = world.run("sync", "--plan", str(file), "--approve", plan_hash[:12], json_file=True)
    assert ran.code == 0, ran.err
    assert ran.summary["plan"]["hash"] == plan_hash
    assert len(world.in_crm().records) == 5


@pytest.mark.parametrize("what", ["hash", "content"])
def test_a_plan_file_that_is_not_the_approved_one_is_refused(planned: tuple[World, Path, str], what: str) -> None:
    """Another hash, or a file that somebody changed: exit 2, one line, nothing written."""
    world, file, plan_hash = planned
    if what == "content":
        file.write_text(file.read_text().replace("Dark mode", "Bright mode"))
    world.forget_requests()
    approved = plan_hash if what == "content" else "0" * 64
    ran = world.run("sync", "--plan", str(file), "--approve", approved, json_file=True)
    assert (ran.code, ran.summary, world.writes()) == (2, None, [])
    assert len(ran.error_lines) == 1


def test_a_plan_file_of_another_portal_is_refused(planned: tuple[World, Path, str]) -> None:
    """A plan made for the sandbox is not applied to production."""
    world, file, plan_hash = planned
    world.set_up("production")
    world.forget_requests()
    ran = world.run("sync", "--environment", "production", "--plan", str(file), "--approve", plan_hash)
    assert (ran.code, world.writes(), world.writes("production")) == (2, [], [])


def test_what_moved_since_the_plan_is_left_alone(planned: tuple[World, Path, str]) -> None:
    """A record that appeared in the CRM after the plan was made is a conflict, not overwritten by the stale plan."""
    world, file, plan_hash = planned
    world.sync()
    world.edit_record("dark mode", title="Night theme")
    ran = world.run("sync", "--plan", str(file), "--approve", plan_hash, json_file=True)
    assert ran.code == 0, ran.err
    records = world.in_crm().records
    assert records[world.key("dark mode")]["title"] == "Night theme"
    assert len(records) == 5


def test_options_that_exclude_each_other_are_a_usage_error(ready: World) -> None:
    """Each wrong combination is exit 2 with a line that says what goes together."""
    for arguments in (
        ("--dry-run", "--read-only"),
        ("--plan", "plan.json"),
        ("--approve", "abc"),
        ("--plan", "plan.json", "--approve", "abc", "--dry-run"),
    ):
        ran = ready.run("sync", *arguments)
        assert (ran.code, len(ran.error_lines)) == (2, 1), arguments


def test_a_missing_plan_file_is_a_usage_error(ready: World) -> None:
    """A file that is not there is named."""
    ran = ready.run("sync", "--plan", "no-such-plan.json", "--approve", "abcdef123456")
    assert ran.code == 2
    assert "no-such-plan.json" in ran.error_lines[0]


# -- held plans


@pytest.fixture
def production(ready: World) -> World:
    """Both portals set up; production was never synced."""
    ready.set_up("production")
    ready.forget_requests()
    return ready


def _held(world: World) -> Ran:
    ran = world.run("sync", "--environment", "production", json_file=True)
    assert ran.code == 3, ran.out + ran.err
    return ran


def test_the_first_apply_to_production_waits_for_a_person(production: World) -> None:
    """It is held with its reason and hash, nothing is written; `approve` releases it, and the next sync applies it."""
    held = _held(production)
    assert held.summary["state"] == "HELD"
    assert held.summary["plan"]["held"] is True
    assert held.summary["plan"]["reasons"][0].startswith("first_apply")
    assert production.writes("production") == []
    plan_hash = held.summary["plan"]["hash"]
    assert plan_hash[:12] in held.out + held.err

    # the pages of `serve` without a registry name the same command
    link = OneTimeLink(datetime.now(UTC))
    with served(load_settings(home=production.home, environment="production"), link) as site, Client(site.origin) as me:
        me.follow(f"/open#{link.token}")
        page = me.get(f"/runs/{held.summary['run_id']}").text
    [command] = re.findall(r"<code>integration-assets (approve [^<]*)</code>", page)
    assert "Approve this plan" not in page
    approved = production.run(*command.split(), "--by", "kim")
    assert approved.code == 0, approved.err
    assert "kim" in approved.out

    applied = production.run("sync", "--environment", "production", json_file=True)
    assert applied.code == 0, applied.out + applied.err
    assert (applied.summary["state"], applied.summary["plan"]["hash"]) == ("SUCCEEDED", plan_hash)
    records, links = applied.summary["feature_requests"], applied.summary["links"]
    assert (records["identified"], records["created"], records["unchanged"], records["verified"]) == (5, 5, 0, 5)
    assert links["desired"] == links["created"] == links["verified"]
    assert links["unchanged"] == 0
    assert len(production.in_crm("production").records) == 5
    assert production.writes() == []


def test_a_released_plan_is_followed_by_what_changed_since(production: World) -> None:
    """After the approved plan the run plans the rest: a request made in between arrives too."""
    held = _held(production)
    made = production.add_request("Bulk edit", voters=("gus",))
    production.run("approve", held.summary["plan"]["hash"][:8], "--environment", "production")
    applied = production.run("sync", "--environment", "production", json_file=True)
    assert applied.code == 0, applied.out + applied.err
    assert made in production.in_crm("production").records
    records = applied.summary["feature_requests"]
    assert (records["identified"], records["created"], records["unchanged"]) == (6, 6, 0)


def test_an_approval_does_not_outlive_the_settings(production: World) -> None:
    """Settings changed after the approval: it is stale and says which changed; the new plan is held until approved."""
    production.run("approve", _held(production).summary["plan"]["hash"], "--environment", "production")
    changed = {"INTEGRATION_ASSETS_LINK_CONTACTS": "false", "CANNY_EXCLUDE_BOARDS": "Bugs"}
    held = production.run("sync", "--environment", "production", json_file=True, **changed)
    assert (held.code, production.writes("production")) == (3, [])
    assert any(
        reason.startswith("settings_changed: CANNY_EXCLUDE_BOARDS and INTEGRATION_ASSETS_LINK_CONTACTS changed")
        for reason in held.summary["plan"]["reasons"]
    )
    assert "was not applied: CANNY_EXCLUDE_BOARDS and INTEGRATION_ASSETS_LINK_CONTACTS changed since" in held.out
    production.run("approve", held.summary["plan"]["hash"], "--environment", "production")
    applied = production.run("sync", "--environment", "production", json_file=True, **changed)
    assert applied.code == 0, applied.out + applied.err
    crm = production.in_crm("production")
    assert production.key("crash") not in crm.records
    assert not any(crm.contacts.values())
    assert applied.summary["feature_requests"]["retired"] == 0


def test_a_plan_file_does_not_outlive_the_settings(planned: tuple[World, Path, str]) -> None:
    """The same of a plan in a file, also where no state was kept: exit 2, one line that names the setting."""
    world, file, plan_hash = planned
    world.forget_requests()
    for store in (world.home / "staging").rglob("*.duckdb*"):
        store.unlink()
    arguments = ("sync", "--plan", str(file), "--approve", plan_hash)
    ran = world.run(*arguments, INTEGRATION_ASSETS_CURRENCY_RATES="EUR=1.5")
    assert (ran.code, world.writes()) == (2, [])
    assert "INTEGRATION_ASSETS_CURRENCY_RATES changed since" in ran.error_lines[0]


def test_a_held_plan_stays_held_without_approval(production: World) -> None:
    """Running again changes nothing."""
    _held(production)
    _held(production)
    assert production.writes("production") == []


def test_a_dry_run_of_a_held_plan_ends_as_the_sync_would(production: World) -> None:
    """Exit 3, with the reason."""
    ran = production.run("sync", "--dry-run", "--environment", "production", json_file=True)
    assert (ran.code, ran.summary["state"], ran.summary["dry_run"]) == (3, "HELD", True)
    assert production.writes("production") == []


def test_approving_a_plan_that_does_not_exist_is_a_usage_error(production: World) -> None:
    """Exit 2, the hash is named."""
    _held(production)
    ran = production.run("approve", "feedfacefeed", "--environment", "production")
    assert ran.code == 2
    assert "feedfacefeed" in ran.error_lines[0]


def test_mass_changes_are_held(ready: World) -> None:
    """A read that suddenly lacks most requests is held before anything is retired; the numbers are in the reason."""
    for number in range(40):
        ready.add_request(f"Request {number}")
    ready.sync()
    ready.forget_requests()
    for post_id in list(ready.canny.posts)[:30]:
        ready.canny.delete_post(post_id)
    ran = ready.run("sync", json_file=True)
    assert (ran.code, ran.summary["state"]) == (3, "HELD")
    assert ready.writes() == []
    reasons = " ".join(ran.summary["plan"]["reasons"])
    assert "requests_shrank" in reasons
    assert "retirements" in reasons


def test_a_call_budget_holds_what_would_exceed_it(ready: World) -> None:
    """With a budget below the estimate nothing is written: HELD, and the reason gives both numbers."""
    ready.forget_requests()
    ran = ready.run("sync", json_file=True, INTEGRATION_ASSETS_CALL_BUDGET="1")
    assert (ran.code, ready.writes()) == (3, [])
    assert any(reason.startswith("budget") for reason in ran.summary["plan"]["reasons"])


def test_a_plan_file_can_be_read_by_people(planned: tuple[World, Path, str]) -> None:
    """It is JSON with its hash, and holds no token."""
    world, file, plan_hash = planned
    text = file.read_text()
    json.loads(text.splitlines()[0])
    assert plan_hash in text
    assert world.portal.token not in text


def test_a_closed_gate_saves_no_plan_and_ends_as_the_sync_would(ready: World, tmp_path: Path) -> None:
    """Production lacks the object, so there is nothing to plan: that is HELD, with or without a file to save it to."""
    file = tmp_path / "plan.json"
    ran = ready.run("plan", "--environment", "production", "--out", str(file), json_file=True)
    assert (ran.code, ran.summary["state"]) == (3, "HELD")
    assert f"none was saved to {file}" in ran.out
    assert not file.exists()
