"""The steps to a first sync: each says how it stands, and they go away with the sync that ended well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from integration_assets.config import Environment
from integration_assets.errors import EndState
from integration_assets.reporting.insights import FirstRuns
from integration_assets.reporting.result_files import KeptEnding, result_path
from integration_assets.reporting.run_summary import (
    ArrNumbers,
    CheckLine,
    PlanLine,
    RunFacts,
    RunSummary,
    build_summary,
)
from integration_assets.web.first_run import Keys, Progress, StepState, make_steps
from integration_assets_tests.reporting.conftest import STARTED
from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import Served

HASH = "ab" * 32


def summary(state: EndState, *, plan: PlanLine | None = None, checks: bool = True) -> RunSummary:
    """A run of acme with the checks of its CRM's schema."""
    lines = (CheckLine("object_exists", "raw_crm_schema", "ERROR", checks, "there is no object feature_requests"),)
    facts = RunFacts(
        run_id="r1",
        tenant="acme",
        environment="sandbox",
        mode="sync",
        state=state,
        started_at=STARTED,
        duration_seconds=1.0,
        plan=plan or PlanLine(),
        checks=lines,
    )
    return build_summary(None, facts)


def states(keys: Keys, progress: Progress) -> list[str]:
    """The states of the five steps."""
    return [step.state.value for step in make_steps(keys, progress, "acme", "sandbox", local=False)]


def test_each_step_follows_from_what_is_stored_and_what_runs_found() -> None:
    """From nothing at all to the sync."""
    assert states(Keys(missing=("a CRM",)), Progress()) == ["not yet"] * 5
    saved = Keys(arr="Read from arr", untested=("Canny",))
    assert states(saved, Progress()) == ["not yet", "done", "not yet", "not yet", "not yet"]
    tested = Keys(arr="Read from arr")
    lacking = Progress(newest=summary(EndState.HELD, checks=False), error="no object")
    assert states(tested, lacking) == ["done", "done", "failed", "failed", "not yet"]
    held = summary(EndState.HELD, plan=PlanLine(HASH, held=True))
    waiting = Progress(FirstRuns(plans=1), held)
    assert states(tested, waiting) == ["done", "done", "done", "done", "not yet"]
    assert make_steps(tested, waiting, "acme", "sandbox", local=False)[-1].command.startswith(
        "integration-assets approve abababababab"
    )
    poor = msgspec.structs.replace(held, arr=ArrNumbers(companies=3, companies_without_figure=3))
    assert states(tested, Progress(FirstRuns(plans=1, synced=1), poor))[1] == StepState.FAILED
    rich = msgspec.structs.replace(held, arr=ArrNumbers(companies=3, companies_without_figure=1))
    assert states(tested, Progress(FirstRuns(plans=1, synced=1), rich)) == ["done"] * 5


def test_a_refused_key_is_a_failed_step() -> None:
    """With the reason of its last use."""
    [keys, *_] = make_steps(Keys(refused=("Canny: key rejected",)), Progress(), "acme", "sandbox", local=False)
    assert (keys.state, keys.says) == (StepState.FAILED, "Canny: key rejected.")


@pytest.fixture
def refused(pages: Served) -> Iterator[Path]:
    """A first run of globex that its CRM's schema held, as the file it left."""
    path = result_path(pages.home, Environment.SANDBOX, "globex", "r1")
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = KeptEnding(summary(EndState.HELD, checks=False), "the gate is closed")
    path.write_bytes(msgspec.json.encode(ending))
    yield path
    path.unlink()


def test_the_steps_stand_where_there_is_nothing_to_see_yet(ann: Client, gus: Client, refused: Path) -> None:
    """On the home page, with links and commands; each tenant its own."""
    page = ann.get("/requests").text
    assert "First run: 0 of 5 steps done" in page
    assert "Missing: a feedback system, a CRM." in page
    assert "integration-assets setup --environment sandbox --tenant acme" in page
    assert "there is no object" not in page
    assert refused.exists()
    theirs = gus.get("/requests").text
    assert "The CRM lacks something: there is no object feature_requests" in theirs
    assert 'href="/runs/r1"' in theirs
