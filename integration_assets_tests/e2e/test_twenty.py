"""A whole installation on Twenty: setup, syncs and an undo by the command line, looked at through Twenty's own API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.small_world import COMPANIES, small_world
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The small world with two workspaces of Twenty, after `setup` of the sandbox."""
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, crm="twenty")
    with folder() as home, world_of(sandbox, home) as made:
        made.set_up()
        yield made


def rows(world: World, plural: str) -> list[dict[str, Any]]:
    """All live records of an object of the sandbox workspace."""
    variables = world.environment()
    answer = httpx.get(
        f"{variables['TWENTY_SANDBOX_BASE_URL']}/rest/{plural}",
        params={"limit": "200"},
        headers={"authorization": f"Bearer {variables['TWENTY_SANDBOX_API_KEY']}"},
        timeout=PATIENCE_SECONDS,
    )
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"][plural]
    return found


def titles(world: World) -> dict[str, str]:
    return {row["id"]: row["name"] for row in rows(world, "featureRequests")}


def companies_by_request(world: World) -> dict[str, set[str]]:
    """Names of the companies linked to each request, by its title."""
    names = dict(zip(world.sandbox.crm.company_ids["sandbox"], COMPANIES, strict=True))
    found: dict[str, set[str]] = {title: set() for title in titles(world).values()}
    for row in rows(world, "featureRequestVotes"):
        if row["label"] == "VOTED":
            found[titles(world)[row["featureRequestId"]]].add(names[row["companyId"]])
    return found


def test_doctor_has_no_failure_after_setup(world: World) -> None:
    """It names the workspace, and says what Twenty does not tell."""
    ran = world.run("doctor", json_file=True)
    failed = [finding for finding in ran.summary["findings"] if finding["verdict"] == "fail"]
    assert (ran.code, failed) == (0, []), ran.out
    seen = {finding["check"]: finding["seen"] for finding in ran.summary["findings"]}
    workspace = world.environment()["TWENTY_SANDBOX_WORKSPACE_ID"]
    assert seen["CRM token"] == f"workspace {workspace} (OTHER, USD), as configured"
    assert seen["CRM link labels"] == "every link label exists"


def test_a_sync_writes_what_a_second_one_leaves_alone(world: World) -> None:
    """Every request and link of the small world, each once, with amounts of money."""
    first = world.sync().summary
    assert (first["feature_requests"]["created"], first["feature_requests"]["rejected"]) == (5, 0)
    assert first["links"]["rejected"] == 0
    assert first["links"]["verified"] == first["links"]["created"] == len(rows(world, "featureRequestVotes"))
    assert companies_by_request(world) == {
        "Dark mode": {"Acme", "Beta"},
        "Export to CSV": {"Gamma"},
        "Crash on start": {"Delta"},
        "Single sign-on": {"Acme", "Beta", "Delta"},
        "Themes": set(),
    }
    amounts = {row["name"]: row["arr"] for row in rows(world, "featureRequests")}
    assert amounts["Dark mode"] == {"amountMicros": 1_500_500_000, "currencyCode": "USD"}
    second = world.sync().summary
    assert second["api_calls"]["twenty"]["writes"] == 0
    assert second["feature_requests"]["unchanged"] == 5


def test_changes_are_written_and_undone(world: World) -> None:
    """A vote taken back takes its link away, and an undo brings the same record of it back."""
    world.sync()
    before = {row["id"] for row in rows(world, "featureRequestVotes")}
    world.take_vote_back("single sign-on", "han")
    world.edit_request("dark mode", title="Night theme")
    changed = world.sync().summary
    assert companies_by_request(world)["Single sign-on"] == {"Acme", "Beta"}
    assert "Night theme" in titles(world).values()
    assert changed["links"]["removed"] > 0
    ran = world.run("undo", changed["run_id"], "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert "Dark mode" in titles(world).values()
    assert companies_by_request(world)["Single sign-on"] == {"Acme", "Beta", "Delta"}
    assert {row["id"] for row in rows(world, "featureRequestVotes")} == before


@pytest.mark.proof
def test_companies_say_what_waits_for_them(world: World) -> None:
    """Roll-ups: missing until set up, held once, written, left alone, changed with a vote, and cleared by an undo."""
    on: dict[str, Any] = {"INTEGRATION_ASSETS_COMPANY_ROLLUPS": "1"}
    world.sync()
    assert "company.feature_requests_open: the field is missing; run `setup`" in world.run("sync", **on).out
    assert world.run("setup", "--yes", **on).code == 0
    held = world.run("sync", json_file=True, **on)
    assert (held.code, "first_rollups" in held.out) == (3, True), held.out
    assert world.run("approve", held.summary["plan"]["hash"][:12]).code == 0

    def filled() -> dict[str, tuple[Any, Any]]:
        found = {
            row["name"]: (row["featureRequestsOpen"], row["topFeatureRequests"]) for row in rows(world, "companies")
        }
        return {name: values for name, values in found.items() if any(values)}

    first = world.sync(**on)
    held_first = filled()
    assert f"roll-ups of {len(held_first)} companies written, read back" in " ".join(first.out.split())
    assert all(count > 0 and text for count, text in held_first.values())
    again = world.sync(**on)
    assert again.summary["api_calls"]["twenty"]["writes"] == 0
    made, floor = re.findall(r"twenty (\d+) \([^)]*floor (\d+)\)", " ".join(first.out.split()))[0]
    assert int(floor) <= int(made) <= int(floor) + 6, first.out
    undone = world.run("undo", first.summary["run_id"], "--yes")
    assert undone.code == 0, undone.out
    assert filled() == {}


def test_another_workspace_is_never_written_to(world: World) -> None:
    """The key decides where a run would write: it has to be the workspace that was named."""
    other = world.environment()["TWENTY_PRODUCTION_WORKSPACE_ID"]
    ran = world.run("sync", TWENTY_SANDBOX_WORKSPACE_ID=other, TWENTY_PRODUCTION_API_KEY=None)
    assert ran.code == 2, ran.out
    assert "TWENTY_SANDBOX_WORKSPACE_ID" in ran.err + ran.out
    unnamed = world.run("setup", "--yes", "--environment", "production", TWENTY_PRODUCTION_WORKSPACE_ID=None)
    assert unnamed.code == 2, unnamed.out
    assert "TWENTY_PRODUCTION_WORKSPACE_ID" in unnamed.err + unnamed.out
