"""Runs that are started, stopped and repeated through Dagster, in whatever way it offers: what is left of each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from integration_assets.automation.sensors import result_of, why_silent
from integration_assets.runs.in_process import dagster_home, prepared_instance
from integration_assets.runs.partitions import PARTITION_TAG
from integration_assets.staging.store import open_store, store_path
from integration_assets_tests.e2e.operator import EVERYTHING, RANKED, RAW, Operator, operating
from integration_assets_tests.support.harness import World

pytestmark = pytest.mark.proof  # some fifty runs by Dagster's own ways: part of `make proofs`

SUCCESS, FAILURE, CANCELED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED


@pytest.fixture
def begun(ready: World) -> Iterator[Operator]:
    """An operator of the small world before its first sync."""
    with operating(ready) as operator:
        yield operator


@pytest.fixture
def operator(synced: World) -> Iterator[Operator]:
    """An operator of the small world after its first sync."""
    with operating(synced) as operator:
        yield operator


def hold(operator: Operator) -> str:
    """Make the next sync end held, as it exceeds a budget of calls; returns the run's id."""
    operator.world.edit_request("dark mode", title="Darker mode")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("INTEGRATION_ASSETS_CALL_BUDGET", "1")
        run = operator.run()
    assert run.status is FAILURE
    row = operator.row(run)
    assert row is not None
    assert row.state == "HELD"
    return run.run_id


def approve(operator: Operator) -> None:
    """Release the plan that is held."""
    found = re.search(r"approve ([0-9a-f]{12})", operator.last_message())
    assert found is not None
    approved = operator.world.run("approve", found[1])
    assert approved.code == 0, approved.out + approved.err


def title(operator: Operator) -> str | None:
    """Title in the CRM of the request that `hold` edits."""
    return operator.world.in_crm().records[operator.world.key("dark mode")]["title"]


# ------------------------------------------------------------------------------------------------------------- starting


def test_a_run_whose_result_is_opened_afterwards_has_ended_once(begun: Operator) -> None:
    """Dagster opens the resources again to hand out a result: the run that has ended stays as it ended."""
    run = begun.run()
    assert run.status is SUCCESS
    [row] = begun.rows()
    assert (row.run_id, row.state, row.records_created, row.votes_total) == (run.run_id, "SUCCEEDED", 5, 11)
    assert begun.messages() == ["sandbox: succeeded"]
    assert not begun.alert_is_open()


@pytest.mark.parametrize("job", ["dry_run", "read_only", "undo_plan", "undo"])
def test_every_job_ends_once(operator: Operator, job: str) -> None:
    """Whatever the job: one row of its mode, one message, though nobody passes its configuration on."""
    told = len(operator.messages())
    run = operator.run(job=job)
    assert run.status is SUCCESS, operator.failures(run)
    row = operator.row(run)
    assert row is not None
    assert (row.mode, row.state) == (job, "SUCCEEDED")
    assert len(operator.messages()) == told + 1


@pytest.mark.parametrize(
    ("job", "mode"), [("sync", "dry_run"), ("sync", "read_only"), ("sync", "undo"), ("undo", "sync")]
)
def test_a_mode_that_the_job_does_not_keep_is_refused(operator: Operator, job: str, mode: str) -> None:
    """A sync that is configured to write nothing must not write."""
    operator.world.edit_request("dark mode", title="Darker mode")
    operator.world.forget_requests()
    run = operator.run_in_process(job, mode=mode)
    assert run.status is FAILURE
    assert f"mode {mode}" in operator.errors(run)[0]
    assert operator.world.lookalike().requests == []


def test_a_run_for_no_tenant_says_so_before_any_call(operator: Operator) -> None:
    """One line at the beginning of its log, with what to do; nobody else is told of it."""
    world, told = operator.world, len(operator.messages())
    world.forget_requests()
    for assets in (None, RANKED, ["run_summary"]):
        run = operator.run(assets, tags={})
        assert run.status is FAILURE
        assert "this run names no tenant: choose a partition" in operator.errors(run)[0]
        assert operator.row(run) is None
        assert why_silent(run, result_of(world.home, "default", run.run_id)) == "it has told it itself"
        assert not any("please report" in line for line in operator.errors(run))
    run = operator.run(job="check_credentials", tags={})
    assert "this run names no tenant" in operator.failures(run)[0]
    assert world.sandbox.canny.requests == world.lookalike().requests == []
    assert len(operator.messages()) == told
    assert not operator.alert_is_open()


def test_a_run_for_a_partition_that_was_deleted_says_so_before_any_call(operator: Operator) -> None:
    """The remedy is named."""
    operator.instance.delete_dynamic_partition("integration_assets_tenants", "default")
    operator.world.forget_requests()
    run = operator.run()
    assert run.status is FAILURE
    assert re.search("tenant default is not among Dagster's partitions.*add it", operator.errors(run)[0])
    assert operator.row(run) is None
    assert operator.world.sandbox.canny.requests == []


def test_a_run_for_several_tenants_says_so_before_any_call(operator: Operator) -> None:
    """A backfill in a single run: the same staging store cannot be that of two."""
    operator.instance.add_dynamic_partitions("integration_assets_tenants", ["acme"])
    operator.world.forget_requests()
    tags = {"dagster/asset_partition_range_start": "acme", "dagster/asset_partition_range_end": "default"}
    run = operator.run(tags=tags)
    assert run.status is FAILURE
    assert "this run is for several tenants at once (acme to default)" in operator.errors(run)[0]
    assert operator.world.sandbox.canny.requests == []


def test_a_tenant_that_does_not_exist_says_so_before_any_call(operator: Operator) -> None:
    """A partition somebody added by hand is no tenant."""
    operator.instance.add_dynamic_partitions("integration_assets_tenants", ["no_tenant"])
    operator.world.forget_requests()
    run = operator.run(tags={PARTITION_TAG: "no_tenant"})
    assert run.status is FAILURE
    assert "no_tenant" in operator.errors(run)[0]
    assert operator.world.sandbox.canny.requests == []


# ----------------------------------------------------------------------------------------------------- some stages only


def test_everything_selected_is_a_whole_run(operator: Operator) -> None:
    """It settles what a sync left open, and is published."""
    hold(operator)
    assert operator.alert_is_open()
    run = operator.run(EVERYTHING)
    assert run.status is SUCCESS
    assert operator.messages()[-1] == "sandbox: recovered, succeeded"
    assert not operator.alert_is_open()
    assert operator.published_rows()[-1].run_id == run.run_id


@pytest.mark.parametrize("assets", [["crm_feature_requests"], ["crm_write_plan", "crm_feature_requests"]], ids=len)
def test_the_write_alone_is_recorded_published_told_and_settles(operator: Operator, assets: list[str]) -> None:
    """An approved plan that somebody applies by materialising its asset: as much a run as any other."""
    hold(operator)
    approve(operator)
    run = operator.run(assets)
    assert run.status is SUCCESS
    assert title(operator) == "Darker mode"
    row = operator.row(run)
    assert row is not None
    assert (row.mode, row.state, row.records_updated, row.requests_identified, row.votes_total) == (
        "sync",
        "SUCCEEDED",
        1,
        5,
        11,
    )
    assert operator.messages()[-1] == "sandbox: recovered, succeeded"
    assert f"only {', '.join(assets)} ran" in operator.last_message()
    assert not operator.alert_is_open()
    assert operator.published_rows()[-1] == row
    operator.world.forget_requests()
    assert operator.run().status is SUCCESS
    assert operator.world.writes() == []
    assert operator.messages()[-1] == "sandbox: succeeded"


def test_what_is_left_of_a_held_run_ends_like_a_whole_one(operator: Operator) -> None:
    """Re-execution from failure after an approval: true numbers, published; the next sync has nothing to recover."""
    held = hold(operator)
    approve(operator)
    run = operator.run(repeat=held)
    assert run.status is SUCCESS
    assert title(operator) == "Darker mode"
    row = operator.row(run)
    assert row is not None
    assert (row.mode, row.state, row.records_updated, row.requests_identified, row.votes_total) == (
        "sync",
        "SUCCEEDED",
        1,
        5,
        11,
    )
    assert operator.published_rows()[-1] == row
    assert not operator.alert_is_open()
    assert operator.messages()[-1] == "sandbox: recovered, succeeded"


def test_the_write_alone_that_is_refused_is_told(operator: Operator) -> None:
    """A plan nobody approved stays held, whoever materialises its asset."""
    hold(operator)
    told = len(operator.messages())
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("INTEGRATION_ASSETS_CALL_BUDGET", "1")
        run = operator.run(["crm_feature_requests"])
    assert run.status is FAILURE
    row = operator.row(run)
    assert row is not None
    assert (row.state, row.records_updated) == ("HELD", 0)
    assert operator.messages()[told:] == ["sandbox: held, nothing written"]
    assert operator.alert_is_open()
    assert title(operator) == "Dark mode"


def test_stages_that_write_nothing_outside_leave_the_record_alone(operator: Operator) -> None:
    """Who materialises them looks at them in Dagster: no row, no message, no alert settled, nothing written."""
    hold(operator)
    rows, told = operator.rows(), operator.messages()
    operator.world.forget_requests()
    for assets in (["crm_write_plan"], RANKED, ["domain_resolved_votes"], [*RAW, *RANKED], RAW):
        assert operator.run(assets).status is SUCCESS
        assert (operator.rows(), operator.messages()) == (rows, told)
        assert operator.alert_is_open()
    assert operator.world.writes() == []


def test_an_approval_outlives_a_plan_that_is_only_looked_at(operator: Operator) -> None:
    """Materialising the plan makes one to look at; what was approved is applied by the next run that writes."""
    hold(operator)
    approve(operator)
    assert operator.run(["crm_write_plan"]).status is SUCCESS
    assert title(operator) == "Dark mode"
    run = operator.run(["crm_feature_requests"])
    assert "applying the approved plan" in operator.last_message()
    assert run.status is SUCCESS
    assert title(operator) == "Darker mode"


def test_a_plan_of_an_earlier_read_retires_what_that_read_may_retire(operator: Operator) -> None:
    """A read that cannot be believed withholds retirements from every run that plans from it, not from its own only."""
    world = operator.world
    world.canny.delete_post(world.request_id("themes"))
    assert operator.run(RAW).status is SUCCESS
    with open_store(store_path(world.home, None, "sandbox", "default")) as connection:
        connection.execute("INSERT INTO raw.withheld_retirements VALUES ('the list was another one each time')")
    write = ["domain_resolved_votes", *RANKED, "crm_write_plan", "crm_feature_requests"]
    assert operator.run(write).status is SUCCESS
    assert world.in_crm().records[world.key("themes")]["retired_reason"] in (None, "")
    assert operator.run().status is SUCCESS
    assert world.in_crm().records[world.key("themes")]["retired_reason"] == "deleted"


def test_a_summary_of_stages_that_do_not_write_is_no_sync(operator: Operator) -> None:
    """It says how far the run went, and neither ends nor begins an alarm."""
    hold(operator)
    for assets, mode in (([*RANKED, "run_summary"], "read_only"), (["crm_write_plan", "run_summary"], "dry_run")):
        run = operator.run(assets)
        assert run.status is SUCCESS, operator.errors(run)
        row = operator.row(run)
        assert row is not None
        assert (row.mode, row.state, row.requests_identified, row.votes_total) == (mode, "SUCCEEDED", 5, 11)
        assert operator.alert_is_open()


def test_a_summary_alone_sums_up_the_last_run_again(operator: Operator) -> None:
    """It publishes once more and shows that run; Slack hears nothing, and no run is recorded."""
    held = hold(operator)
    rows, told = operator.rows(), operator.messages()
    run = operator.run(["run_summary"])
    assert run.status is SUCCESS
    assert (operator.rows(), operator.messages()) == (rows, told)
    [made] = [
        entry.dagster_event.step_materialization_data.materialization.metadata
        for entry in operator.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        if entry.dagster_event
    ]
    assert (made["summed_up_again"].value, made["state"].value) == (held, "HELD")
    assert operator.published_rows() == rows


def test_a_summary_of_nothing_says_so(begun: Operator) -> None:
    """Before the first run there is nothing to sum up: it is not a success of zero requests."""
    run = begun.run(["run_summary"])
    assert run.status is FAILURE
    assert any("nothing to sum up: no run of tenant default" in line for line in begun.failures(run))
    assert (begun.rows(), begun.messages()) == ([], [])


def test_checks_alone_change_nothing(operator: Operator) -> None:
    """They are asked of what is there."""
    rows, told = operator.rows(), operator.messages()
    operator.world.forget_requests()
    assert operator.run_checks().status is SUCCESS
    assert (operator.rows(), operator.messages()) == (rows, told)
    assert operator.world.lookalike().requests == []


@pytest.mark.proof  # a process for each step
def test_a_process_for_each_step_is_refused_before_any_call(synced: World, tmp_path: Path) -> None:
    """Somebody else's project may choose the executor: one that cannot work says so in one line."""
    with (
        operating(synced),
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
    ):
        instance.add_dynamic_partitions("integration_assets_tenants", ["default"])
        operator = Operator(synced, instance, "integration_assets_tests.e2e.other_executor")
        rows, told = operator.rows(), operator.messages()
        synced.forget_requests()
        run = operator.run(EVERYTHING)
        assert run.status is FAILURE
        assert "this run has a process for each step" in operator.errors(run)[0]
        assert synced.sandbox.canny.requests == synced.lookalike().requests == []
        assert (operator.rows(), operator.messages()) == (rows, told)


@pytest.mark.proof  # a process that imports everything
def test_dagsters_own_command_line_leaves_one_ending(ready: World) -> None:
    """`dagster job execute`, as people type it."""
    with operating(ready) as operator:
        folder = dagster_home(ready.home)
        with prepared_instance(folder):
            pass
        command = [
            sys.executable,
            "-m",
            "dagster",
            "job",
            "execute",
            "-m",
            "integration_assets.definitions",
            "-j",
            "sync",
        ]
        done = subprocess.run(
            [*command, "--tags", '{"dagster/partition":"default"}'],
            env={**os.environ, "DAGSTER_HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert [(row.state, row.records_created) for row in operator.rows()] == [("SUCCEEDED", 5)]
        assert operator.messages() == ["sandbox: succeeded"]
        assert not operator.alert_is_open()
