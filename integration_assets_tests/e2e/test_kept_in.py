"""Records kept in an object of HubSpot's library: the rows of others beside them, and portals that cannot have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.harness import OBJECT, Properties, Ran, World, world_of
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, Snapshot, copy_of, folder

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

MARKER = f"{OBJECT}_marker"


def world_in(home: Path, kept_in: str = "services", **options: Any) -> Any:
    sandbox = build_sandbox(
        small_world().sample,
        plan=None,
        slack_interval=0,
        portal_options=replace(PROMPT, plan="starter", **options),
        kept_in=kept_in,
    )
    return world_of(sandbox, home)


@pytest.fixture(scope="module")
def services_snapshot() -> Iterator[Snapshot]:
    """The small world on a Starter plan, with our records among the services of others, after its first sync."""
    with folder() as home, world_in(home) as world:
        world.set_up()
        world.sync()
        yield Snapshot(world.sandbox, world.home)


@pytest.fixture
def services(services_snapshot: Snapshot) -> Iterator[World]:
    """A copy of it."""
    with copy_of(services_snapshot) as world:
        yield world


def rows_of_others(world: World) -> list[Properties]:
    rows = [one["properties"] for one in world.portal.records(world.object_name)]
    return [row for row in rows if row.get(MARKER) is None]


def said(ran: Ran) -> str:
    return " ".join((ran.out + ran.err).split())


def test_rows_of_others_are_never_read_written_retired_or_undone(services: World) -> None:
    """Three are there, and somebody copies our key into a fourth; a whole story later they are as they were."""
    (copied,) = services.portal.seed("services", [{"hs_name": "A copy", f"{OBJECT}_key": "canny:of-nobody"}])
    before = rows_of_others(services)
    assert len(before) == 4
    services.edit_request("dark mode", title="Night theme")
    services.take_vote_back("single sign-on", "han")
    services.canny.delete_post(services.request_id("crash"))
    summary = services.sync().summary
    assert (summary["feature_requests"]["retired"], summary["quarantined"]) == (1, {})
    assert summary["links"]["removed"] == 1
    assert services.in_crm().records[services.key("crash")]["retired_reason"] == "deleted"
    assert len(services.in_crm().records) == 5
    undone = services.run("undo", summary["run_id"][:8], "--yes", json_file=True)
    assert undone.code == 0, undone.err
    assert services.in_crm().records[services.key("dark mode")]["title"] == "Dark mode"
    assert rows_of_others(services) == before
    written = [request.path for request in services.writes()]
    assert copied not in " ".join(written)


def test_a_second_sync_writes_nothing_and_says_what_the_plan_does_not_have(services: World) -> None:
    """Once, as a warning of a check; the doctor says it as well, and calls no label missing."""
    services.forget_requests()
    summary = services.sync().summary
    assert services.writes() == []
    told = [check for check in summary["checks"] if "not on this plan" in check["detail"]]
    assert [(check["name"], check["severity"]) for check in told] == [("crm_schema_differs", "WARN")]
    doctor = services.run("doctor")
    assert said(doctor).count("link labels: not on this plan") == 1
    assert "label is missing" not in said(doctor)


@pytest.mark.parametrize("command", ["setup", "sync", "doctor"])
def test_an_object_that_is_not_activated_is_one_clear_line(home: Path, command: str) -> None:
    """What it is and what to do; nothing is written."""
    with world_in(home) as world:
        for seeded in (world.sandbox.sandbox, world.sandbox.production):
            seeded.portal.options = replace(seeded.portal.options, activated=frozenset())
        ran = world.run(command, *(["--yes"] if command == "setup" else []))
        assert ran.code == {"setup": 2, "sync": 3, "doctor": 1}[command], said(ran)
        assert "services are not activated in this portal" in said(ran)
        assert "activate services in HubSpot's settings (Objects), or choose another object with" in said(ran)
        assert world.writes() == []


@pytest.mark.parametrize("command", ["setup", "doctor"])
def test_a_portal_without_custom_objects_offers_the_others(home: Path, command: str) -> None:
    """With what each costs; the choice stays a person's."""
    with world_in(home) as world:
        world.extra["HUBSPOT_OBJECT"] = "custom"
        ran = world.run(command, *(["--yes"] if command == "setup" else []))
        assert ran.code == {"setup": 2, "doctor": 1}[command], said(ran)
        assert "this portal has no custom objects, which need Enterprise" in said(ran)
        assert "services: activated; projects: to be activated in HubSpot's settings first; tickets:" in said(ran)
        assert world.writes() == []


def test_another_word_for_the_object_is_refused(home: Path) -> None:
    """Exit 2, with those there are."""
    with world_in(home) as world:
        world.extra["HUBSPOT_OBJECT"] = "deals"
        ran = world.run("setup", "--yes")
        assert ran.code == 2
        assert "HUBSPOT_OBJECT" in said(ran)
        assert "must be custom, services, projects or tickets" in said(ran)
