"""Roll-ups on companies through whole runs: off by default, held once, written, read back, undone."""

from __future__ import annotations

from typing import Any

import pytest

from integration_assets_tests.support.harness import World

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

ON: dict[str, Any] = {"INTEGRATION_ASSETS_COMPANY_ROLLUPS": "1"}
OPEN, TOP = "feature_requests_open", "top_feature_requests"


def held(world: World, name: str) -> dict[str, str | None]:
    company_id = world.company(name)
    (found,) = [one for one in world.portal.records("companies") if one["id"] == company_id]
    properties: dict[str, Any] = found["properties"]
    return {key: properties.get(key) for key in (OPEN, TOP)}


def approve(world: World) -> None:
    ran = world.run("sync", json_file=True, **ON)
    assert ran.code == 3, ran.out
    assert "first_rollups" in ran.out
    approved = world.run("approve", ran.summary["plan"]["hash"][:12])
    assert approved.code == 0, approved.out


def test_companies_say_what_waits_for_them(ready: World) -> None:
    """Set up, released once by a person, written and read back; a second run writes nothing; an undo clears them."""
    before = ready.standard_records()
    assert ready.run("setup", "--yes", **ON).code == 0
    approve(ready)
    ran = ready.sync(**ON)
    assert "roll-ups of" in ran.out
    assert held(ready, "Acme") == {OPEN: "1", TOP: "Dark mode"}
    assert held(ready, "Gamma") == {OPEN: "1", TOP: "Export to CSV"}
    assert held(ready, "Delta") == {OPEN: "1", TOP: "Crash on start"}
    ready.forget_requests()
    again = ready.sync(**ON)
    assert ready.writes() == []
    assert "roll-ups of" not in again.out
    undone = ready.run("undo", ran.summary["run_id"], "--yes")
    assert undone.code == 0, undone.out
    assert held(ready, "Acme") == {OPEN: None, TOP: None}
    names = {"name", "domain", "lifecyclestage", "annual_recurring_revenue"}
    for kind, records in ready.standard_records().items():
        for record_id, properties in records.items():
            kept = {name: properties.get(name) for name in names}
            assert kept == {name: before[kind][record_id].get(name) for name in names}


def test_without_setup_the_gate_names_what_is_missing(ready: World) -> None:
    """Drift looks at the properties only with the option; then the run is held until `setup` has made them."""
    ran = ready.run("sync", json_file=True, **ON)
    assert ran.code == 3, ran.out
    assert f"company.{OPEN}: the property is missing; run `setup`" in ran.out
    assert ready.writes() == []
    assert ready.sync().summary["feature_requests"]["created"] == 5
    assert held(ready, "Acme") == {OPEN: None, TOP: None}
