"""The log of a run, as a person finds it: on stderr, as JSON, and in the Dagster UI."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import dagster as dg
import pytest

from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.e2e.operator import Operator, operating
from integration_assets_tests.support.harness import World

LINE = re.compile(r"\d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) (integration_assets[\w.]*) (.+)")

pytestmark = pytest.mark.usefixtures("dagster_in_memory")


@pytest.fixture
def outage(synced: World) -> Iterator[World]:
    """A synced world whose portal answers 503 once, before anything of it is read."""
    synced.edit_request("dark mode", title="Darker mode")
    fault = Fault(lambda _request: True, times=1, status=503, body=b"{}")
    synced.sandbox.hubspot_sandbox.faults.append(fault)
    yield synced
    assert fault.times == 0


def log_lines(err: str) -> list[tuple[str, str, str]]:
    """Level, logger and message of each line of the log."""
    return [match.groups() for line in err.splitlines() if (match := LINE.fullmatch(line))]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "levels"),
    [
        ([], set()),
        (["-v"], {"INFO", "WARNING"}),
        (["-vv"], {"DEBUG", "INFO", "WARNING"}),
        (["-q"], set()),
    ],
    ids=["default", "verbose", "very verbose", "quiet"],
)
def test_the_options_say_how_much_is_told(synced: World, options: list[str], levels: set[str]) -> None:
    """By default progress, not what the result shows; -v: what is done; -vv: every call; -q: nothing."""
    ran = synced.run(*options, "sync")
    assert ran.code == 0, ran.err
    told = log_lines(ran.err)
    assert {level for level, _, _ in told} == levels
    if "-q" in options:
        assert ran.err == ""
    # Progress has lines of its own only where the log has none.
    assert any(line.startswith("votes: ") for line in ran.err.splitlines()) is (options == [])
    calls = [message for level, name, message in told if name == "integration_assets.connectors.http"]
    assert bool(calls) is ("-vv" in options)
    assert all("?" not in message for message in calls)


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (["-v", "-q", "sync"], {}, "--quiet and --verbose exclude each other"),
        (["sync"], {"INTEGRATION_ASSETS_LOG": "xml"}, "INTEGRATION_ASSETS_LOG: must be 'text' or 'json'"),
        (["doctor"], {"INTEGRATION_ASSETS_LOG_LEVEL": "loud"}, "INTEGRATION_ASSETS_LOG_LEVEL: must be"),
    ],
)
def test_what_cannot_be_meant_ends_before_anything_is_asked(
    synced: World, arguments: list[str], variables: dict[str, str], named: str
) -> None:
    """Exit 2 and one line that names it."""
    synced.forget_requests()
    synced.extra.update(variables)
    ran = synced.run(*arguments)
    assert ran.code == 2
    assert len(ran.error_lines) == 1
    assert named in ran.error_lines[0]
    assert synced.lookalike().requests == []


def test_every_line_is_one_object_that_names_the_run(outage: World) -> None:
    """Whoever collects the lines can ask for those of a tenant, a run, a system, or for what took long."""
    ran = outage.run("sync", json_file=True, INTEGRATION_ASSETS_LOG="json", INTEGRATION_ASSETS_LOG_LEVEL="debug")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in ran.err.splitlines()]
    run_id = ran.summary["run_id"]
    of_run = [line for line in lines if line.get("run_id") == run_id]
    assert {(line["tenant"], line.get("environment", "sandbox")) for line in of_run} == {("default", "sandbox")}
    begin, *_, end = [line for line in of_run if line["logger"].startswith("integration_assets.runs")]
    assert (begin["mode"], begin["job"], begin["environment"]) == ("sync", "sync", "sandbox")
    assert end["stage"] == "run_summary"
    [ended] = [line for line in of_run if "end_state" in line]
    assert (ended["end_state"], ended["exit_code"]) == ("SUCCEEDED", 0)
    assert ended["seconds"] > 0
    [again] = [line for line in of_run if "sending again" in line["message"]]
    assert (again["system"], again["status"], again["attempt"]) == ("hubspot", 503, 1)
    assert again["wait_seconds"] > 0
    calls = [line for line in of_run if "ms" in line]
    assert len(calls) == sum(one["total"] for one in ran.summary["api_calls"].values())
    assert {line["system"] for line in calls} == {"canny", "hubspot"}
    assert {line["attempt"] for line in calls} == {1, 2}
    checks = [line for line in of_run if "check" in line]
    assert {line["passed"] for line in checks} == {True, False}
    [plan] = [line for line in of_run if "plan_hash" in line]
    assert (plan["create"], plan["update"], plan["plan_hash"]) == (0, 1, ran.summary["plan"]["hash"])


def told_in_the_ui(operator: Operator, run: dg.DagsterRun) -> list[tuple[str | None, str, str]]:
    """Step, level and text of each line in a run's log that is no event of Dagster's own. Steps of stages as stages."""
    return [
        (
            entry.step_key and entry.step_key.removeprefix("integration_assets_"),
            logging.getLevelName(int(entry.level)),
            entry.user_message,
        )
        for entry in operator.instance.all_logs(run.run_id)
        if entry.dagster_event is None
    ]


def test_the_log_of_a_held_run_in_the_ui_tells_its_story(outage: World) -> None:
    """It begins, a call is sent again, checks are asked, a plan is made, the guard holds it, and so the run ends."""
    with operating(outage, INTEGRATION_ASSETS_CALL_BUDGET="1") as operator:
        run = operator.run()
        told = told_in_the_ui(operator, run)
    assert run.status is dg.DagsterRunStatus.FAILURE
    story = [
        (None, "INFO", "a run begins: tenant default, sandbox, mode sync"),
        ("raw", "INFO", "raw begins"),
        ("raw", "INFO", r"hubspot \(.+\), GET .+: answered 503; sending again after 0\.\d s"),
        ("raw", "INFO", r"votes: 11 in .+ s"),
        ("raw", "INFO", r"raw ended in .+ s"),
        ("domain_resolved_votes", "INFO", r"domain_resolved_votes ended in .+ s"),
        ("crm_write_plan", "INFO", r"plan [0-9a-f]{12}: create 0, update 1, retire 0, .+; about \d+ calls"),
        ("crm_write_plan", "WARNING", r"the guard holds plan [0-9a-f]{12}: budget: the plan takes about \d+ calls, .+"),
        ("crm_feature_requests", "INFO", r"the gate is open: \d+ checks asked"),
        ("crm_feature_requests", "WARNING", r"crm_feature_requests stopped after .+ s: plan [0-9a-f]{12} is held, .+"),
        (None, "INFO", "the summary was posted to Slack"),
        (None, "WARNING", r"the run ended HELD in .+ s: plan [0-9a-f]{12} is held, nothing was written: budget: .+"),
    ]
    _in_this_order(told, story)


def test_the_log_of_a_run_with_a_closed_gate_in_the_ui_tells_its_story(ready: World) -> None:
    """Which check closed it, with its numbers."""
    for _ in range(11):
        ready.add_request("")
    with operating(ready) as operator:
        run = operator.run()
        told = told_in_the_ui(operator, run)
    assert run.status is dg.DagsterRunStatus.FAILURE
    check = "raw_feature_requests_blocking_checks"
    story = [
        (None, "INFO", "a run begins: .+"),
        ("raw", "WARNING", "raw_feature_requests: 11 records kept out: 11 .+"),
        (check, "ERROR", "check feature_requests_usable of raw_feature_requests: failed, 11 of 16 requests .+"),
        (None, "WARNING", r"the run ended HELD in .+ s: the gate is closed, .+ 11 of 16 requests .+"),
    ]
    _in_this_order(told, story)


def test_the_look_at_credentials_is_told_in_the_ui(synced: World) -> None:
    """A warning for the one that is refused, none for the others, and that people were told; no secret."""
    key, synced.canny.api_key = synced.canny.api_key, "another key"
    with operating(synced) as operator:
        run = operator.run(job="check_credentials")
        told = told_in_the_ui(operator, run)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    step = "look_at_each_credential"
    canny = [(level, line) for one, level, line in told if one == step and "anny" in line and level != "DEBUG"]
    assert [level for level, _ in canny] == ["WARNING", "INFO"]
    assert canny[1][1] == "alert new: A credential does not work: canny"
    assert {level for one, level, line in told if one == step and line.startswith("HubSpot")} == {"INFO"}
    assert not any(key in line for _, _, line in told)


def test_a_run_that_cannot_begin_says_why_in_the_ui(ready: World) -> None:
    """The one line is there although no stage was begun."""
    with operating(ready, HUBSPOT_SANDBOX_TOKEN="") as operator:
        run = operator.run()
        told = told_in_the_ui(operator, run)
    assert run.status is dg.DagsterRunStatus.FAILURE
    _in_this_order(told, [(None, "ERROR", r"the run ended FAILED in .+HUBSPOT_SANDBOX_TOKEN.+")])


def _in_this_order(told: list[tuple[str | None, str, str]], story: list[tuple[str | None, str, str]]) -> None:
    left = iter(told)
    for step, level, text in story:
        found = any(
            (one_step, one_level) == (step, level) and re.fullmatch(text, line, re.DOTALL)
            for one_step, one_level, line in left
        )
        assert found, f"{step} {level} {text} is not in this order in {told}"
