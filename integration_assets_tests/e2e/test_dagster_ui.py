"""The Dagster UI as `make dev` starts it: what it shows, what it starts, and what it must never hold.

Real processes and real HTTP; asked through GraphQL, as the UI's own pages ask.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from integration_assets.checks.gate import CHECKS
from integration_assets_tests.support.crm_state import crm_state
from integration_assets_tests.support.dagster_ui import Stage, served_stage
from integration_assets_tests.support.kept_files import readable_contents
from integration_assets_tests.support.killing import is_write

pytestmark = pytest.mark.proof  # real processes: part of `make proofs`

GROUPS = {
    "raw": {
        "raw_feature_requests",
        "raw_votes",
        "raw_crm_companies",
        "raw_crm_contacts",
        "raw_crm_deals",
        "raw_crm_feature_requests",
        "raw_crm_schema",
        "raw_internal_accounts",
    },
    "resolved": {"domain_resolved_votes"},
    "ranked": {"ranked_feature_requests", "company_feature_requests", "unresolved_votes", "ranking_history"},
    "crm": {"crm_write_plan", "crm_feature_requests"},
    "summary": {"run_summary"},
}
TABLES = GROUPS["raw"] | GROUPS["resolved"] | GROUPS["ranked"]

ASSETS = """
{assetNodes {
  assetKey {path} description groupName kinds owners {... on TeamAssetOwner {team}} partitionKeys
  assetChecksOrError {... on AssetChecks {checks {name description blocking}}}
}}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A UI on its own sandbox and home, as a user has it after `setup`."""
    with served_stage(tmp_path_factory.mktemp("ui")) as served:
        yield served


@pytest.fixture(scope="module")
def assets(stage: Stage) -> dict[str, dict[str, Any]]:
    """All assets by key."""
    return {node["assetKey"]["path"][-1]: node for node in stage.ui.ask(ASSETS)["assetNodes"]}


@pytest.fixture(scope="module")
def first_run(stage: Stage) -> list[dict[str, Any]]:
    """Events of the job `sync`, launched from the UI on an empty portal."""
    stage.watch.trace.clear()
    return stage.ui.events(stage.ui.run("sync"))


def metadata(events: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Metadata entries by label, by asset."""
    return {
        event["assetKey"]["path"][-1]: {entry["label"]: entry for entry in event["metadataEntries"]}
        for event in events
        if event["__typename"] == "MaterializationEvent"
    }


def test_every_asset_is_there_and_explained(assets):
    """Each stage is a group; each asset says what it makes, of what kind it is, and who answers for it."""
    shown: dict[str, set[str]] = {}
    for key, node in assets.items():
        shown.setdefault(node["groupName"], set()).add(key)
        assert len(node["description"]) > 20, key
        assert node["owners"] == [{"team": "integration-assets"}], key
        assert node["kinds"], key
    assert shown == GROUPS


def test_the_default_tenant_is_there_in_a_fresh_instance(assets):
    """A run can be started at once: nobody has to add a partition by hand."""
    assert {key: node["partitionKeys"] for key, node in assets.items()} == {key: ["default"] for key in assets}


def test_every_check_of_the_gate_is_there_and_errors_block(assets):
    """The UI shows the gate as it is: what blocks and what only warns."""
    shown = {
        (key, check["name"]): (check["blocking"], bool(check["description"]))
        for key, node in assets.items()
        for check in node["assetChecksOrError"].get("checks", [])
    }
    assert shown == {(check.asset, check.name): (check.blocking, True) for check in CHECKS}
    assert {blocking for blocking, _ in shown.values()} == {True, False}


def test_a_run_from_the_ui_writes_the_crm_and_describes_what_it_made(stage, assets, first_run):
    """Every asset is materialised for the tenant; tables come with row count, described columns and a preview."""
    made = metadata(first_run)
    assert made.keys() == assets.keys()
    assert "\\[address\\]: " in made["ranked_feature_requests"]["preview"]["mdStr"]
    for key in TABLES:
        entries = made[key]
        columns = entries["dagster/column_schema"]["schema"]["columns"]
        assert len(columns) >= 2, key
        assert all(column["description"] for column in columns), key
        assert entries["dagster/row_count"]["intValue"] >= 0, key
        assert entries["preview"]["mdStr"], key
    records = crm_state(stage.sandbox.sandbox).records
    assert made["ranked_feature_requests"]["dagster/row_count"]["intValue"] == len(records) > 50
    assert made["crm_write_plan"]["create"]["intValue"] == len(records)
    assert made["crm_feature_requests"]["verified"]["intValue"] == len(records)
    assert made["run_summary"]["state"]["text"] == "SUCCEEDED"
    evaluated = [event["evaluation"] for event in first_run if event["__typename"] == "AssetCheckEvaluationEvent"]
    assert {one["checkName"] for one in evaluated} == {check.name for check in CHECKS}
    assert not [one for one in evaluated if not one["success"] and one["severity"] == "ERROR"]


def test_materialising_everything_again_writes_nothing(stage, assets, first_run):
    """The second time the CRM holds what it should: not one request changes it."""
    before = crm_state(stage.sandbox.sandbox)
    assert [seen for seen in stage.watch.trace if is_write(seen)]
    stage.watch.trace.clear()
    made = metadata(stage.ui.events(stage.ui.run("__ASSET_JOB", set(assets))))
    assert made["crm_feature_requests"]["unchanged"]["intValue"] == len(before.records)
    assert [seen.system for seen in stage.watch.trace if seen.system == "canny"]
    assert [seen for seen in stage.watch.trace if is_write(seen)] == []
    assert crm_state(stage.sandbox.sandbox) == before


def test_neither_addresses_nor_secrets_are_kept_or_shown(stage, first_run):
    """Whatever the UI answers or keeps on disk, people's addresses and our keys are not in it."""
    records = stage.home / "dagster"
    contents = readable_contents(records)
    assert len(stage.ui.answers) > 5
    assert any("event_logs" in name for name in contents)
    texts = dict(enumerate(stage.ui.answers)) | contents
    secrets = {
        stage.sandbox.sample.workspace.api_key,
        stage.sandbox.sandbox.portal.token,
        stage.sandbox.production.portal.token,
        stage.sandbox.team.token,
    }
    address = re.compile(r"[\w.+'-]+@[\w-]+\.[\w.-]+")
    for name, text in texts.items():
        assert address.findall(text) == [], name
        assert [secret for secret in secrets if secret in text] == [], name
    for file in records.rglob("*"):
        if file.is_file():
            # SQLite takes its files of open connections away while this looks: what is gone keeps nothing.
            with contextlib.suppress(FileNotFoundError):
                assert [secret for secret in secrets if secret.encode() in file.read_bytes()] == [], file
