"""The definitions in a project of somebody else: what is loaded, what a run does there, what its own assets read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import dagster as dg
import pytest
from host_project.assets import CAMPAIGNS, PREFIX, TENANTS
from host_project.definitions import defs as host

import integration_assets
from integration_assets.automation.sensors import is_followed
from integration_assets.errors import ConfigurationError
from integration_assets.runs.launch import WHOLE, scope_of
from integration_assets.runs.partitions import PARTITION_TAG
from integration_assets.runs.partitions import TENANTS as OURS
from integration_assets_tests.e2e.operator import EVERYTHING, Operator, operating
from integration_assets_tests.support.harness import World

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def begun(ready: World) -> Iterator[Operator]:
    """A world before its first sync, whose runs are those of the host project."""
    with operating(ready) as operator:
        yield operator


def executed(
    operator: Operator, defs: dg.Definitions, job: str, run_config: Mapping[str, Any] | None = None, **tags: str
) -> dg.DagsterRun:
    """A run of a job for the default tenant."""
    return (
        defs.resolve_job_def(job)
        .execute_in_process(
            instance=operator.instance,
            tags={PARTITION_TAG: "default", **tags},
            raise_on_error=False,
            run_config=run_config,
        )
        .dagster_run
    )


def materialized(operator: Operator, run: dg.DagsterRun) -> dict[dg.AssetKey, Mapping[str, Any]]:
    """Metadata of what a run materialized."""
    entries = operator.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    made = [entry.dagster_event.step_materialization_data.materialization for entry in entries if entry.dagster_event]
    return {one.asset_key: one.metadata for one in made}


def test_the_project_loads_with_what_is_its_own() -> None:
    """Its executor, its resource `session`, its job `sync` and its partitions are as it made them."""
    dg.Definitions.validate_loadable(host)
    repository = host.get_repository_def()
    assert host.executor is dg.multiprocess_executor
    ours = {dg.AssetKey([PREFIX, name]) for name in EVERYTHING}
    graph = repository.asset_graph
    assert set(graph.materializable_asset_keys) - ours == {
        dg.AssetKey(name) for name in ("regional_bookings", "campaign_replies", "roadmap_candidates")
    }
    assert {key.asset_key for key in graph.asset_check_keys} <= ours
    assert graph.get(dg.AssetKey("campaign_replies")).partitions_def == CAMPAIGNS
    selected = {
        name: set(host.resolve_job_def(name).asset_layer.executable_asset_keys)
        for name in ("sync", "feature_requests_sync")
    }
    assert selected == {"sync": {dg.AssetKey("campaign_replies")}, "feature_requests_sync": ours}
    assert TENANTS == OURS


def test_a_sync_there_leaves_the_projects_own_assets_alone_and_they_read_its_ranking(begun: Operator) -> None:
    """With its keys in everything that refers to one; the asset downstream follows, with what the CRM got."""
    downstream_only = dg.AssetSelection.assets("roadmap_candidates")
    before = dg.evaluate_automation_conditions(defs=host, instance=begun.instance, asset_selection=downstream_only)
    assert before.total_requested == 0
    run = executed(begun, host, "feature_requests_sync")
    assert run.status is SUCCESS, begun.failures(run)
    made = materialized(begun, run)
    assert set(made) == {dg.AssetKey([PREFIX, name]) for name in EVERYTHING}
    lineage = made[dg.AssetKey([PREFIX, "ranked_feature_requests"])]["dagster/column_lineage"].value
    assert lineage.deps_by_column["title"] == [
        dg.TableColumnDep(dg.AssetKey([PREFIX, "raw_feature_requests"]), "title")
    ]
    [row] = begun.rows()
    assert (row.run_id, row.mode, row.state, row.records_created) == (run.run_id, "sync", "SUCCEEDED", 5)
    assert begun.messages() == ["sandbox: succeeded"]
    after = dg.evaluate_automation_conditions(
        defs=host, instance=begun.instance, asset_selection=downstream_only, cursor=before.cursor
    )
    assert after.get_requested_partitions(dg.AssetKey("roadmap_candidates")) == {"default"}
    assert after.total_requested == 1
    downstream = materialized(begun, executed(begun, host, "roadmap"))[dg.AssetKey("roadmap_candidates")]
    titles = {record["title"] for record in begun.world.in_crm().records.values()}
    assert downstream["dagster/row_count"].value == 3
    assert set(downstream["titles"].value) < titles


def test_what_was_published_is_read_as_a_table(begun: Operator) -> None:
    """By rank; any table of the schema; what is not there says what is."""
    with pytest.raises(ConfigurationError, match="nothing has been published for default in sandbox yet"):
        integration_assets.published_rankings()
    assert executed(begun, host, "feature_requests_read_only").status is SUCCESS
    ranking = integration_assets.published_rankings()
    assert ranking.column("rank_by_arr").to_pylist() == list(range(1, 6))
    assert ranking.num_rows == 5
    companies = integration_assets.published_rankings("default", "sandbox", table="company_requests")
    assert companies.num_rows > ranking.num_rows
    with pytest.raises(ConfigurationError, match="no table votes in the published ranking: companies, company_req"):
        integration_assets.published_rankings(table="votes")
    with pytest.raises(ConfigurationError, match="nothing has been published for default in production yet"):
        integration_assets.published_rankings(environment="production")


@pytest.mark.parametrize(
    ("job", "mode"), [("dry_run", "dry_run"), ("read_only", "read_only"), ("undo_plan", "undo_plan"), ("undo", "undo")]
)
def test_every_job_keeps_its_mode_under_another_name(synced: World, job: str, mode: str) -> None:
    """One row of its mode, though the job has another name there."""
    with operating(synced) as operator:
        run = executed(operator, host, f"feature_requests_{job}")
        assert run.status is SUCCESS, operator.failures(run)
        row = operator.row(run)
        assert row is not None
        assert (row.mode, row.state) == (mode, "SUCCEEDED")


@dg.asset(name="raw")
def another_raw() -> None:
    """An asset of the project whose step has the name of one of ours."""


@dg.asset(name="crm_feature_requests")
def another_write() -> None:
    """The same, with a key that ours would have without a prefix."""


@dg.asset
def fails() -> None:
    """An asset of the project that fails."""
    raise ValueError("no")


def test_steps_of_the_project_are_not_taken_for_ours(begun: Operator) -> None:
    """A job of the project with all of its assets is a whole sync; one with its own assets is none of our business."""
    everything = dg.AssetSelection.all()
    mixed = dg.Definitions.merge(
        dg.Definitions(
            assets=[another_raw, another_write, fails],
            jobs=[
                dg.define_asset_job(
                    "all_of_it",
                    selection=everything - dg.AssetSelection.assets(fails),
                    executor_def=dg.in_process_executor,
                ),
                dg.define_asset_job("sync", selection=[another_raw, fails]),
            ],
        ),
        integration_assets.build_defs(key_prefix=["our", "requests"]),
    )
    whole = executed(begun, mixed, "all_of_it")
    assert whole.status is SUCCESS, begun.failures(whole)
    assert scope_of(whole, begun.instance) == WHOLE
    assert begun.row(whole) is not None
    assert is_followed(whole, begun.instance)
    theirs = executed(begun, mixed, "sync")
    assert theirs.status is FAILURE
    assert scope_of(theirs, begun.instance).stages == ()
    assert not is_followed(theirs, begun.instance)


def test_assets_run_by_the_executor_that_whoever_launches_them_chose(ready: World) -> None:
    """Where the project names none, the launchpad offers the in-process one, by which everything is a whole run."""
    with operating(ready) as operator:
        chooser = Operator(ready, operator.instance, "integration_assets_tests.e2e.default_executor")
        run = chooser.run(EVERYTHING, config={"execution": {"config": {"in_process": {}}}})
        assert run.status is SUCCESS, operator.failures(run)
        assert [(row.mode, row.state) for row in operator.rows()] == [("sync", "SUCCEEDED")]


def test_two_of_them_load_side_by_side() -> None:
    """Under different prefixes, in one project, with a job over all there is."""
    defs = dg.Definitions.merge(
        integration_assets.build_defs(key_prefix="a"),
        integration_assets.build_defs(key_prefix="b"),
        dg.Definitions(jobs=[dg.define_asset_job("all_of_it")]),
    )
    dg.Definitions.validate_loadable(defs)
    assert len(set(defs.resolve_job_def("all_of_it").asset_layer.executable_asset_keys)) == 2 * len(EVERYTHING)


def test_the_tenants_get_their_partitions(begun: Operator) -> None:
    """The sensor asks for those that are missing, and deletes none."""
    begun.instance.delete_dynamic_partition("integration_assets_tenants", "default")
    begun.instance.add_dynamic_partitions("integration_assets_tenants", ["by-hand"])
    sensor = host.get_repository_def().get_sensor_def("feature_requests_tenants")

    def tick() -> Any:
        return sensor.evaluate_tick(dg.build_sensor_context(instance=begun.instance, definitions=host))

    [request] = tick().dynamic_partitions_requests
    assert (request.partitions_def_name, list(request.partition_keys)) == ("integration_assets_tenants", ["default"])
    begun.instance.add_dynamic_partitions("integration_assets_tenants", ["default"])
    assert tick().skip_message == "every tenant has its partition"


@pytest.mark.parametrize("config", [{"mode": "sink"}, {"environment": "moon"}, {"full_read": "yes"}])
def test_the_launchpad_checks_what_a_run_is_given(begun: Operator, config: dict[str, str]) -> None:
    """Before a run begins, with the values there are."""
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        executed(
            begun, host, "feature_requests_sync", {"resources": {"integration_assets_session": {"config": config}}}
        )
    assert next(iter(config)) in str(refused.value)


def test_prefixes_that_cannot_be_one_are_refused() -> None:
    """In words that say which."""
    for wrong in ("", "a/b", ["a", " "]):
        with pytest.raises(ConfigurationError, match="key_prefix"):
            integration_assets.build_defs(key_prefix=wrong)
    with pytest.raises(ConfigurationError, match="name_prefix 'a-b'"):
        integration_assets.build_defs(name_prefix="a-b")
    assert {one.name for one in integration_assets.build_defs(key_prefix=["my-team", "x"]).jobs or ()} >= {
        "my_team_x_sync"
    }


def test_what_starts_runs_can_be_left_out_or_switched_on() -> None:
    """By parameters, whatever the environment says."""

    def status(defs: dg.Definitions) -> dg.DefaultScheduleStatus:
        return defs.get_repository_def().get_schedule_def("sync_schedule").default_status

    with mock.patch.dict(os.environ, {"INTEGRATION_ASSETS_AUTOMATION": "on"}):
        assert status(integration_assets.build_defs(automation=False)) is dg.DefaultScheduleStatus.STOPPED
    assert status(integration_assets.build_defs(automation=True)) is dg.DefaultScheduleStatus.RUNNING
    bare = integration_assets.build_defs(include_schedules=False, include_sensors=False, group_name="requests")
    assert (list(bare.schedules or ()), list(bare.sensors or ())) == ([], [])
    assert {spec.group_name for spec in bare.resolve_all_asset_specs()} == {"requests"}
    dg.Definitions.validate_loadable(bare)
