"""Runs that were held or failed before they ranked: on the pages of their tenant, and of nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from integration_assets.config import Environment
from integration_assets.errors import EndState
from integration_assets.reporting.result_files import KeptEnding, result_path
from integration_assets.reporting.run_summary import PlanLine, RunFacts, build_summary
from integration_assets_tests.reporting.conftest import STARTED
from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import Served

REASON = "votes_usable: 25 of 526 votes quarantined, limit 10; give request r9 a title in the feedback system"


@pytest.fixture
def held(pages: Served) -> Iterator[Path]:
    """A run of acme that a check held before the ranking, as the file it left."""
    facts = RunFacts(
        run_id="held-run",
        tenant="acme",
        environment="sandbox",
        mode="sync",
        state=EndState.HELD,
        started_at=STARTED,
        duration_seconds=2.0,
        plan=PlanLine(None, held=True, reasons=(REASON,)),
    )
    path = result_path(pages.home, Environment.SANDBOX, "acme", "held-run")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(KeptEnding(build_summary(None, facts), f"the gate is closed: {REASON}")))
    yield path
    path.unlink()


@pytest.mark.usefixtures("held")
def test_a_run_held_before_the_ranking_is_listed_with_reason_and_remedy(ann: Client) -> None:
    """Where nothing has ever been published, and on a page of its own."""
    listed = ann.http.get("/runs")
    assert listed.status_code == 200
    assert "give request r9 a title in the feedback system" in listed.text
    assert "Fix the data or the schema" in listed.text
    shown = ann.http.get("/runs/held-run")
    assert shown.status_code == 200
    assert "give request r9 a title" in shown.text
    assert "Approve" not in shown.text


@pytest.mark.usefixtures("held")
def test_another_tenant_sees_nothing_of_it(gus: Client) -> None:
    """Neither in the list nor by its id."""
    assert "request r9" not in gus.http.get("/runs").text
    assert gus.http.get("/runs/held-run").status_code == 404
