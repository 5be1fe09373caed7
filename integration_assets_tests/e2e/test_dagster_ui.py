"""The Dagster UI as `make dev` starts it: what it shows, what it starts, and what it must never hold.

Real processes and real HTTP; asked through GraphQL, as the UI's own pages ask.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from integration_assets.checks.gate import CHECKS
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, build_sandbox, serving
from integration_assets_tests.e2e.killing import Watch, is_write
from integration_assets_tests.e2e.processes import clean_environment
from integration_assets_tests.e2e.worlds import crm_state, prepare, variables

pytestmark = pytest.mark.proof  # real processes: part of `make proofs`

START_SECONDS = 120.0
"""Longest wait for the UI to have loaded our definitions; a few seconds on an idle machine."""
RUN_SECONDS = 180.0
STOP_SECONDS = 60.0
GROUPS = {
    "raw": {
        "raw_feature_requests",
        "raw_votes",
        "raw_crm_companies",
        "raw_crm_contacts",
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

LOADED = """
{workspaceOrError {... on Workspace {locationEntries {
  name loadStatus locationOrLoadError {__typename ... on PythonError {message}}
}}}}
"""
ASSETS = """
{assetNodes {
  assetKey {path} description groupName kinds owners {... on TeamAssetOwner {team}} partitionKeys
  assetChecksOrError {... on AssetChecks {checks {name description blocking}}}
}}
"""
LAUNCH = """
mutation ($parameters: ExecutionParams!) {launchPipelineExecution(executionParams: $parameters) {
  __typename
  ... on LaunchRunSuccess {run {runId}}
  ... on PythonError {message}
  ... on RunConfigValidationInvalid {errors {message}}
}}
"""
STATUS = "query ($run: ID!) {runOrError(runId: $run) {... on Run {status}}}"
EVENTS = """
query ($run: ID!, $cursor: String) {logsForRun(runId: $run, afterCursor: $cursor, limit: 500) {
  ... on EventConnection {cursor hasMore events {
    __typename
    ... on MessageEvent {message stepKey}
    ... on MaterializationEvent {assetKey {path} partition metadataEntries {...entry}}
    ... on AssetCheckEvaluationEvent {evaluation {checkName success severity description metadataEntries {...entry}}}
    ... on ErrorEvent {error {message stack}}
  }}
}}
fragment entry on MetadataEntry {
  label description
  ... on IntMetadataEntry {intValue}
  ... on FloatMetadataEntry {floatValue}
  ... on TextMetadataEntry {text}
  ... on MarkdownMetadataEntry {mdStr}
  ... on JsonMetadataEntry {jsonString}
  ... on PathMetadataEntry {path}
  ... on TableSchemaMetadataEntry {schema {columns {name type description}}}
}
"""


class Ui(NamedTuple):
    """A running UI, and everything it has answered so far."""

    address: str
    answers: list[str]

    def ask(self, query: str, **values: Any) -> Any:
        """The data of one GraphQL answer."""
        body = json.dumps({"query": query, "variables": values}).encode()
        request = urllib.request.Request(
            f"{self.address}/graphql", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            text = response.read().decode()
        self.answers.append(text)
        answer = json.loads(text)
        assert "errors" not in answer, answer
        return answer["data"]

    def run(self, job: str, assets: set[str] | None = None) -> str:
        """Launch a job for the partition `default`, wait until it has ended well; returns the run's id."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "integration_assets",
            "pipelineName": job,
            "assetSelection": [{"path": [key]} for key in sorted(assets)] if assets else None,
        }
        parameters = {
            "selector": selector,
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "default"}]},
        }
        launched = self.ask(LAUNCH, parameters=parameters)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = str(launched["run"]["runId"])
        deadline = time.monotonic() + RUN_SECONDS
        while (status := self.ask(STATUS, run=run)["runOrError"]["status"]) not in {"SUCCESS", "FAILURE", "CANCELED"}:
            assert time.monotonic() < deadline, f"still {status}"
            time.sleep(0.3)
        events = self.events(run)
        assert status == "SUCCESS", [event for event in events if event.get("error")]
        return run

    def events(self, run: str) -> list[dict[str, Any]]:
        """All events of a run."""
        found: list[dict[str, Any]] = []
        cursor, more = None, True
        while more:
            page = self.ask(EVENTS, run=run, cursor=cursor)["logsForRun"]
            found += page["events"]
            cursor, more = page["cursor"], page["hasMore"]
        return found


class Stage(NamedTuple):
    """The UI on a sandbox that is set up."""

    ui: Ui
    sandbox: Sandbox
    watch: Watch
    home: Path


@contextmanager
def running_ui(environment: dict[str, str], folder: Path) -> Iterator[Ui]:
    """The command behind `make dev` in a session of its own; nothing of it is left at the end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "integration_assets.cli", "dev", "--port", str(port)],
            env=clean_environment(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        ui = Ui(f"http://127.0.0.1:{port}", [])
        wait_until_loaded(ui, process, folder)
        yield ui
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        finally:
            with suppress(ProcessLookupError):  # code servers linger until they miss the heartbeat
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_loaded(ui: Ui, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Return once the definitions are loaded."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError):
            entries = ui.ask(LOADED)["workspaceOrError"].get("locationEntries", [])
            if [(one["name"], one["loadStatus"]) for one in entries] == [("integration_assets", "LOADED")]:
                assert entries[0]["locationOrLoadError"]["__typename"] == "RepositoryLocation", entries
                return
        log = (folder / "ui.log").read_text(encoding="utf-8")
        assert process.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.3)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A UI on its own sandbox and home, as a user has it after `setup`."""
    folder = tmp_path_factory.mktemp("ui")
    home = folder / "home"
    sandbox = build_sandbox(build_sample(requests=60, votes=500, companies=100), plan=None, slack_interval=0)
    for post in sandbox.sample.workspace.posts.values():
        post.title = post.title and f"ann@example.com: {post.title}"
    watch = Watch()
    watch.over(sandbox)
    with serving(sandbox) as addresses:
        prepare(sandbox, addresses, home)
        with running_ui(variables(addresses, home), folder) as ui:
            yield Stage(ui, sandbox, watch, home)


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
    assert "(an address): " in made["ranked_feature_requests"]["preview"]["mdStr"]
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
    texts = dict(enumerate(stage.ui.answers)) | {
        str(path): path.read_bytes().decode("utf-8", "replace")
        for path in (stage.home / "dagster").rglob("*")
        if path.is_file()
    }
    assert len(stage.ui.answers) > 5
    assert any(name.endswith(".db") for name in map(str, texts))
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
