"""Undo of a run, seen from outside: what HubSpot's own client finds, what the command says, what the next sync does."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from integration_assets_tests.support.harness import InCrm, Ran, World
from integration_assets_tests.support.killing import Seen, Strike, Watch
from integration_assets_tests.support.snapshots import folder

pytestmark = pytest.mark.proof  # real processes: part of `make proofs`

BOOKKEEPING = {"hs_lastmodifieddate"}
A_WRITE_OF_EACH_SORT = (
    "/crm/objects/2026-09/2-1/batch/upsert",
    "/crm/associations/2026-09/2-1/companies/batch/create",
)
"""Enough of a trace to strike at the first write of a sort."""


def undo(world: World, *arguments: str) -> Ran:
    """An undo that must succeed, with its summary."""
    ran = world.run("undo", *arguments, json_file=True)
    assert ran.code == 0, ran.out + ran.err
    return ran


def values(crm: InCrm) -> dict[str, dict[str, str | None]]:
    """All properties of all records, what HubSpot stamps left out."""
    return {
        key: {name: value or "" for name, value in record.items() if name not in BOOKKEEPING}
        for key, record in crm.records.items()
    }


@pytest.fixture
def changed(synced: World) -> tuple[World, InCrm, InCrm, str]:
    """A second sync that created, updated, retired, linked and unlinked: before, after, and its run id."""
    before = synced.in_crm()
    synced.edit_request("dark mode", title="Night theme")
    synced.vote("csv export", "ann")
    synced.take_vote_back("single sign-on", "han")
    synced.canny.delete_post(synced.request_id("crash"))
    synced.add_request("Brand new", voters=["bob"])
    run_id = synced.sync().summary["run_id"]
    synced.forget_requests()
    return synced, before, synced.in_crm(), run_id


def test_the_crm_is_as_before_the_run(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """Every property and label of every record, bookkeeping included; the created record stays, retired, unlinked."""
    world, before, after, run_id = changed
    ran = undo(world, run_id[:8], "--yes")
    now = world.in_crm()
    (made,) = after.records.keys() - before.records.keys()
    expected = values(before)
    found = values(now)
    record = found.pop(made)
    assert found == expected
    assert (record["title"], record["retired_reason"]) == ("Brand new", "undone")
    assert record["retired_at"]
    assert (now.companies.pop(made), now.contacts.pop(made)) == ({}, {})
    assert (now.companies, now.contacts, now.archived) == (before.companies, before.contacts, {})
    summary = ran.summary
    assert (summary["state"], summary["dry_run"], summary["conflicts"]) == ("SUCCEEDED", False, [])
    numbers = summary["feature_requests"]
    assert (numbers["created"], numbers["updated"], numbers["retired"], numbers["verified"]) == (0, 4, 1, 5)
    assert summary["links"]["verified"] == summary["links"]["created"] + summary["links"]["removed"] > 0
    assert summary["api_calls"]["canny"]["total"] == 0
    assert summary["api_calls"]["hubspot"]["writes"] == len(world.writes())


def test_companies_and_contacts_are_untouched(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """No property of a company or contact differs after an undo."""
    world, *_ = changed
    before = world.standard_records()
    undo(world, "last", "--yes")
    assert world.standard_records() == before


def test_without_yes_and_terminal_it_is_only_shown(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """The plan with its values, the command that applies it, exit 0, and no write; the summary is that of a dry run."""
    world, _, after, run_id = changed
    ran = undo(world, "last")
    assert world.writes() == []
    assert values(world.in_crm()) == values(after)
    assert "Night theme → Dark mode" in ran.out
    assert f"undo of run {run_id}" in ran.out
    assert "integration-assets undo last --environment sandbox --yes" in ran.out
    assert (ran.summary["dry_run"], ran.summary["feature_requests"]["retired"]) == (True, 1)
    assert ran.summary["feature_requests"]["verified"] == 0
    assert ran.summary["plan"]["hash"] in ran.out


@pytest.mark.parametrize("agreed", [True, False])
def test_on_a_terminal_it_asks(changed: tuple[World, InCrm, InCrm, str], agreed: bool) -> None:
    """Yes applies the very plan that was shown; no changes nothing. Tried on a real terminal."""
    world, before, *_ = changed
    file = world.home / "asked-for.json"
    shown = _on_a_terminal(world, ["undo", "last", "--json", str(file)], "y" if agreed else "n")
    summary = json.loads(file.read_text())
    assert shown.count("Undo this?") == 1
    assert shown.count(summary["plan"]["hash"]) == 1
    assert (summary["dry_run"], bool(world.writes())) == (not agreed, agreed)
    key = world.key("dark mode")
    assert (world.in_crm().records[key]["title"] == before.records[key]["title"]) is agreed


def _on_a_terminal(world: World, arguments: list[str], answer: str) -> str:
    """Run a command as a process on a terminal of its own, answer its question, and return what it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "integration_assets.cli", *arguments],
        env=world.environment(COLUMNS="160"),
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    shown, answered = "", False
    with process, os.fdopen(ours, "rb", buffering=0) as terminal:
        while True:
            try:
                read = terminal.read(4096)
            except OSError:  # the other side is closed
                read = b""
            if not read:
                break
            shown += read.decode(errors="replace")
            if "Undo this?" in shown and not answered:
                os.write(ours, f"{answer}\n".encode())
                answered = True
    assert process.returncode == 0, shown
    return shown


def test_the_next_sync_is_held_until_approved_and_then_applies_again(
    changed: tuple[World, InCrm, InCrm, str],
) -> None:
    """Held with `after_undo` and without a write; approved, the CRM is as the undone run had left it."""
    world, _, after, _ = changed
    undo(world, "last", "--yes")
    undone = values(world.in_crm())
    world.forget_requests()
    held = world.run("sync", json_file=True)
    assert (held.code, held.summary["state"], world.writes()) == (3, "HELD", [])
    assert held.summary["plan"]["reasons"][0].startswith("after_undo")
    assert world.run("sync").code == 3
    assert values(world.in_crm()) == undone
    plan = world.run("sync", json_file=True).summary["plan"]["hash"]
    assert world.run("approve", plan[:8]).code == 0
    world.sync()
    now = world.in_crm()
    ignored = {"retired_at", "managed_state"}  # retired again, a little later
    found, expected = (
        {key: {n: v for n, v in record.items() if n not in ignored} for key, record in values(crm).items()}
        for crm in (now, after)
    )
    assert found == expected
    assert (now.companies, now.contacts) == (after.companies, after.contacts)
    world.forget_requests()
    world.sync()
    assert world.writes() == []


def test_what_people_changed_since_is_named_and_kept(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """An edited title stays and is named on the terminal, in the JSON and in Slack; an archived record as well."""
    world, *_ = changed
    key, archived = world.key("dark mode"), world.key("csv export")
    world.edit_record("dark mode", title="Mine")
    record_id = world.record_id("csv export")
    with world.as_person() as (client, object_type):
        client.crm.objects.basic_api.archive(object_type, record_id)
    ran = undo(world, "last", "--yes")
    assert {(one["key"], one["field"], one["action"]) for one in ran.summary["conflicts"]} == {
        (key, "title", "changed"),
        (archived, "feature_request_key", "archived"),
    }
    assert f"left alone: {key} title" in ran.out
    assert f"left alone: {archived}" in ran.out
    now = world.in_crm()
    assert now.records[key]["title"] == "Mine"
    assert (archived in now.records, archived in now.archived) == (False, True)


def test_an_undo_can_be_undone(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """By its run id; `last` names the sync again, and has nothing left to do after an undo."""
    world, _, after, run_id = changed
    first = undo(world, "last", "--yes").summary
    world.forget_requests()
    again = undo(world, "last", "--yes")
    assert "nothing is left to undo" in again.out
    assert (f"undo of run {run_id}" in again.out, world.writes()) == (True, [])
    undo(world, first["run_id"], "--yes")
    now = world.in_crm()
    assert values(now) == values(after)
    assert (now.companies, now.contacts) == (after.companies, after.contacts)


def test_slack_and_the_report_tell_of_it(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """The message is that of an undo, with its numbers; `report` shows it, and the rankings are still there."""
    world, *_ = changed
    summary = undo(world, "last", "--yes").summary
    message = world.sandbox.team.messages[-1]
    assert message["text"] == "Undo of a run → sandbox: succeeded"
    assert "0 created, 4 updated, 1 retired" in str(message["blocks"])
    report = world.run("report", "--run", summary["run_id"])
    assert report.code == 0
    assert summary["run_id"] in report.out
    assert "Single sign-on" in world.run("rankings", "--all").out


@pytest.mark.parametrize(
    "strike",
    [
        Strike("record write", 0.0, "arrived"),
        Strike("record write", 0.0, "committed"),
        Strike("link write", 0.0, "committed"),
    ],
    ids=str,
)
def test_killed_and_said_again_it_ends_where_it_would_have(
    changed: tuple[World, InCrm, InCrm, str], strike: Strike
) -> None:
    """SIGKILL at a write, the same command once more: the CRM is as before the run; once begun, it holds a sync."""
    world, before, after, _ = changed
    watch = Watch()
    watch.over(world.sandbox)
    watch.arm(strike, [Seen("hubspot_sandbox", "POST", path) for path in A_WRITE_OF_EACH_SORT])
    process = world.start("undo", "last", "--yes")
    watch.started(process.pid)
    assert world.finish(process).code == -signal.SIGKILL
    watch.ended()
    assert world.run("sync").code == (0 if strike.when == "arrived" else 3)
    undo(world, "last", "--yes")
    now = world.in_crm()
    (made,) = after.records.keys() - before.records.keys()
    assert {key: found for key, found in values(now).items() if key != made} == values(before)
    assert (now.records[made]["retired_reason"], now.companies.pop(made), now.contacts.pop(made)) == ("undone", {}, {})
    assert (now.companies, now.contacts) == (before.companies, before.contacts)
    assert world.run("sync").code == 3


# -- refusals


@pytest.mark.parametrize("run", ["no-such-run", "abc", "undo-plan"])
def test_a_run_that_cannot_be_undone_is_a_usage_error(synced: World, run: str) -> None:
    """Unknown, too short, or without a write: exit 2, one line, no request at all."""
    if run == "undo-plan":
        run = synced.run("plan", json_file=True).summary["run_id"]
    synced.forget_requests()
    ran = synced.run("undo", run, "--yes", json_file=True)
    assert (ran.code, ran.summary, len(ran.error_lines)) == (2, None, 1)
    assert synced.lookalike().requests == []


def test_without_a_store_there_is_nothing_to_undo(synced: World) -> None:
    """What the store alone holds is gone with it, and the command says so."""
    with folder() as empty:
        ran = synced.run("undo", "last", "--yes", INTEGRATION_ASSETS_HOME=str(empty))
    assert ran.code == 2
    assert "nothing to undo" in ran.error_lines[0]


def test_another_portal_is_refused(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """The token leads to another portal than the pinned one: exit 2, nothing is read of it, nothing written."""
    world, *_ = changed
    production = world.seeded("production").portal
    ran = world.run(
        "undo",
        "last",
        "--yes",
        HUBSPOT_SANDBOX_TOKEN=production.token,
        HUBSPOT_SANDBOX_BASE_URL=world.addresses.environment()["HUBSPOT_PRODUCTION_BASE_URL"],
        HUBSPOT_PRODUCTION_TOKEN=None,
    )
    assert ran.code == 2, ran.out + ran.err
    assert "portal" in ran.error_lines[0]
    assert {request.path for request in world.lookalike("production").requests} == {"/account-info/2026-09/details"}
    assert world.writes() == []


def test_a_missing_token_is_named_and_canny_is_not_needed(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """An undo talks to the CRM alone."""
    world, *_ = changed
    ran = world.run("undo", "last", HUBSPOT_SANDBOX_TOKEN=None)
    assert (ran.code, "HUBSPOT_SANDBOX_TOKEN" in ran.error_lines[0]) == (2, True)
    assert world.run("undo", "last", CANNY_API_KEY=None).code == 0


def test_the_jobs_are_there_for_the_dagster_ui(changed: tuple[World, InCrm, InCrm, str]) -> None:
    """The jobs `undo_plan` and `undo` take the run from the session's config, and no asset job contains them."""
    from integration_assets.definitions import defs

    for name in ("undo_plan", "undo"):
        assert [node.name for node in defs.resolve_job_def(name).nodes] == ["undo"]
    assert "undo" not in {node.name for node in defs.resolve_job_def("sync").nodes}
