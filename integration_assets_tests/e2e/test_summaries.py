"""What every run leaves behind: summary, Slack message, published database, and no secret in any of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import stamina

from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.support.harness import OBJECT, Ran, World
from integration_assets_tests.support.kept_files import readable_contents
from integration_assets_tests.support.small_world import PEOPLE

pytestmark = pytest.mark.proof  # a run for each ending: part of `make proofs`

DONE = ("created", "unchanged", "rejected", "verified")
SHAPE: dict[str, Any] = {
    "version": int,
    "run_id": str,
    "tenant": str,
    "environment": str,
    "state": str,
    "dry_run": bool,
    "started_at": str,
    "duration_seconds": float,
    "api_calls": {
        "canny": {"total": int, "retried": int, "throttled": int},
        "hubspot": {"total": int, "writes": int, "retried": int, "throttled": int},
    },
    "feature_requests": dict.fromkeys((*DONE, "identified", "updated", "retired"), int),
    "links": dict.fromkeys((*DONE, "desired", "removed"), int),
    "votes": {"total": int, "matched": int, "by_method": dict, "unmatched": dict},
    "checks": list,
    "rejected": list,
    "conflicts": list,
    "quarantined": dict,
    "currency": str,
    "plan": {"hash": (str, type(None)), "held": bool, "reasons": list, "changes": (dict, type(None))},
    "top": {"by_arr": list, "by_companies": list},
    "freshness": {"votes_as_of": (str, type(None)), "companies_as_of": (str, type(None))},
}
"""Every key of version 1 of the summary, with the kind of its value."""


def _assert_shape(summary: Any, shape: Any, path: str = "") -> None:
    if not isinstance(shape, dict):
        assert isinstance(summary, shape), f"{path}: {summary!r}"
        return
    assert summary.keys() >= shape.keys(), f"{path}: {shape.keys() - summary.keys()} missing"
    for name, kind in shape.items():
        _assert_shape(summary[name], kind, f"{path}.{name}")


def _held(world: World) -> Ran:
    return world.run("sync", json_file=True, INTEGRATION_ASSETS_CALL_BUDGET="1")


def _failed(world: World) -> Ran:
    return world.run("sync", json_file=True, CANNY_API_KEY="a-wrong-key")


def _with_rejects(world: World) -> Ran:
    world.portal.require(OBJECT, "category", when=("board", "Bugs"))
    return world.run("sync", json_file=True)


def _later(world: World) -> Ran:
    world.sandbox.canny.faults.append(Fault(matches=lambda request: "posts" in request.path, times=None, status=503))
    with stamina.set_testing(True, attempts=2):
        return world.run("sync", json_file=True)


ENDINGS: dict[str, tuple[Callable[[World], Ran], int]] = {
    "SUCCEEDED": (lambda world: world.run("sync", json_file=True), 0),
    "SUCCEEDED_WITH_REJECTS": (_with_rejects, 0),
    "HELD": (_held, 3),
    "FAILED": (_failed, 1),
    "RETRY_LATER": (_later, 75),
}


@pytest.fixture(params=ENDINGS)
def ended(request: pytest.FixtureRequest, ready: World) -> tuple[World, Ran, str]:
    """A run of each end state."""
    run, code = ENDINGS[request.param]
    ran = run(ready)
    assert ran.code == code, ran.out + ran.err
    return ready, ran, request.param


def test_every_ending_leaves_a_whole_summary_a_message_and_no_secret(ended: tuple[World, Ran, str]) -> None:
    """Each end state writes all keys of the summary, tells Slack once, and shows no token and no address anywhere."""
    world, ran, state = ended
    summary = ran.summary
    _assert_shape(summary, SHAPE)
    assert (summary["version"], summary["state"], summary["tenant"]) == (1, state, "default")
    votes = summary["votes"]
    assert votes["total"] == votes["matched"] + sum(votes["unmatched"].values())
    assert votes["matched"] == sum(votes["by_method"].values())
    _assert_message(world, ran)
    _assert_no_secrets(world, ran)


def _assert_message(world: World, ran: Ran) -> None:
    """One message, within Block Kit's limits as documented, that names environment and state."""
    assert len(world.sandbox.team.messages) == 1
    message = world.sandbox.team.messages[0]
    assert message["channel"] == world.sandbox.team.channels[0].id
    assert len(message["text"]) <= 4_000
    assert 1 <= len(message["blocks"]) <= 50
    for block in message["blocks"]:
        assert len(str(block.get("text", {}).get("text", ""))) <= (150 if block["type"] == "header" else 3_000)
    text = str(message)
    assert "sandbox" in text
    assert HEADINGS[ran.summary["state"]] in message["text"]
    assert ran.summary["run_id"] in text


HEADINGS = {
    "SUCCEEDED": "succeeded",
    "SUCCEEDED_WITH_REJECTS": "succeeded with rejects",
    "HELD": "held, nothing written",
    "FAILED": "failed",
    "RETRY_LATER": "not finished",
}
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def _assert_no_secrets(world: World, ran: Ran) -> None:
    """No token and no e-mail address in anything but the staging store, which holds addresses and no token."""
    secret = ("CANNY_API_KEY", "HUBSPOT_SANDBOX_TOKEN", "HUBSPOT_PRODUCTION_TOKEN", "SLACK_BOT_TOKEN")
    tokens = {world.environment()[name] for name in secret} | {"a-wrong-key"}
    texts = {"shown": ran.out + ran.err + str(ran.summary) + str(world.sandbox.team.messages)}
    texts |= readable_contents(world.home)
    assert any("dagster" in name for name in texts)
    for file in world.home.rglob("*"):
        if file.is_file():
            assert [token for token in tokens if token.encode() in file.read_bytes()] == [], file
    for name, text in texts.items():
        for token in tokens:
            assert token not in text, name
        if name.startswith("staging"):
            continue
        assert not ADDRESS.findall(text), name
        for email in filter(None, PEOPLE.values()):
            assert email.lower() not in text.lower(), name


# -- Slack


@pytest.mark.parametrize("what", ["down", "refused", "not configured"])
def test_slack_never_changes_what_a_run_achieved(ready: World, what: str) -> None:
    """Unreachable, refusing or absent, Slack costs the run nothing but a note."""
    variables: dict[str, str | None] = {}
    if what == "down":
        ready.sandbox.slack.faults.append(Fault(matches=lambda _: True, times=None, close=True))
    elif what == "refused":
        variables["SLACK_BOT_TOKEN"] = "xoxb-revoked"
    else:
        variables["SLACK_BOT_TOKEN"] = None
    ran = ready.sync(**variables)
    assert ran.summary["state"] == "SUCCEEDED"
    assert ready.sandbox.team.messages == []
    assert len(ready.in_crm().records) == 5
    assert ("Slack" in ran.out) == (what != "not configured")
    assert "xoxb-revoked" not in ran.out + ran.err


def test_a_dry_run_tells_slack_that_it_was_one(ready: World) -> None:
    """The message says that nothing was written."""
    ready.sync("--dry-run")
    assert "dry run" in str(ready.sandbox.team.messages[-1])


# -- the published database


def _published(world: World) -> Path:
    return world.home / "published" / "sandbox" / "default.duckdb"


def test_the_published_database_holds_rankings_and_runs_only(synced: World) -> None:
    """Schemas `ranked` and `ops`, readable by the owner's group of tools, without anything of raw or resolved."""
    with duckdb.connect(str(_published(synced)), read_only=True) as published:
        schemas = {row[0] for row in published.execute("SELECT DISTINCT schema_name FROM duckdb_tables()").fetchall()}
        schemas |= {
            row[0] for row in published.execute("SELECT schema_name FROM duckdb_views() WHERE NOT internal").fetchall()
        }
        assert schemas == {"ranked", "ops"}
        runs = published.execute("SELECT state, environment FROM ops.runs").fetchall()
        top = published.execute(
            "SELECT title, companies, arr, rank_by_arr FROM ranked.feature_requests ORDER BY rank_by_arr LIMIT 1"
        ).fetchall()
    assert runs == [("SUCCEEDED", "sandbox")]
    assert [(title, companies, float(arr), rank) for title, companies, arr, rank in top] == [
        ("Single sign-on", 3, 1608.5, 1)
    ]


@pytest.mark.proof  # real processes
def test_analysts_query_the_published_database_while_a_run_goes_on(synced: World) -> None:
    """A run in another process neither locks a reader out nor shows it half a run."""
    reached = _published(synced).stat().st_mtime_ns
    with duckdb.connect(str(_published(synced)), read_only=True) as reader:
        process = synced.start("sync")
        while process.poll() is None:
            assert reader.execute("SELECT count(*) FROM ranked.feature_requests").fetchall() == [(5,)]
            with duckdb.connect(str(_published(synced)), read_only=True) as another:
                assert another.execute("SELECT count(*) FROM ranked.feature_requests").fetchall() == [(5,)]
    ran = synced.finish(process)
    assert ran.code == 0, ran.err
    assert _published(synced).stat().st_mtime_ns > reached
    assert synced.writes() == []


def test_a_run_replaces_the_file_of_numbers_where_one_is_wanted(synced: World) -> None:
    """Its end, its calls and what the CRM said of its quota; a file that cannot be written costs the run nothing."""
    file = synced.home.parent / "numbers.prom"
    ran = synced.run("sync", json_file=True, INTEGRATION_ASSETS_METRICS_FILE=str(file))
    text = file.read_text(encoding="utf-8")
    numbers = dict(re.findall(r"^integration_assets_(\w+\{.*?\}) (\S+)$", text, re.MULTILINE))
    of_tenant = 'environment="sandbox",tenant="default"'
    assert float(numbers[f"last_run_succeeded{{{of_tenant}}}"]) == 1
    assert float(numbers[f"crm_calls_left_today{{{of_tenant}}}"]) > 0
    calls = ran.summary["api_calls"]["hubspot"]["total"]
    assert float(numbers['calls_total{environment="sandbox",system="hubspot"}']) >= calls > 0
    assert "@" not in text
    nowhere = synced.home.parent / "nowhere" / "numbers.prom"
    assert synced.run("sync", INTEGRATION_ASSETS_METRICS_FILE=str(nowhere)).code == 0
