"""A Dagster UI as `make dev` starts it, on a sandbox that is set up: real processes, asked as its pages ask."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, build_sandbox, serving
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.killing import Watch
from integration_assets_tests.support.processes import clean_environment
from integration_assets_tests.support.waiting import until

START_SECONDS = 300.0
"""Longest wait for the UI to have loaded our definitions; a few seconds on an idle machine."""
RUN_SECONDS = 300.0
STOP_SECONDS = 120.0
PICTURE = "![](http://127.9.9.9)"
"""Begins every title: Markdown that asks for a picture. Nobody listens there."""

REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "integration_assets"}
LOADED = """
{workspaceOrError {... on Workspace {locationEntries {
  name loadStatus locationOrLoadError {__typename ... on PythonError {message}}
}}}}
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
  ... on TableMetadataEntry {table {records schema {columns {name}}}}
  ... on TableColumnLineageMetadataEntry {lineage {columnName columnDeps {assetKey {path} columnName}}}
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
        with urllib.request.urlopen(request, timeout=STOP_SECONDS) as response:
            text = response.read().decode()
        self.answers.append(text)
        answer = json.loads(text)
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, job: str, assets: set[str] | None = None) -> str:
        """Launch a job for the partition `default`; returns the run's id."""
        selector = {
            **REPOSITORY,
            "pipelineName": job,
            "assetSelection": [{"path": [key]} for key in sorted(assets)] if assets else None,
        }
        parameters = {
            "selector": selector,
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "default"}]},
        }
        launched = self.ask(LAUNCH, parameters=parameters)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def wait(self, run: str, *, ends: str = "SUCCESS") -> None:
        """Return once a run has ended, which must be so."""

        def ended() -> str | None:
            status = str(self.ask(STATUS, run=run)["runOrError"]["status"])
            return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

        status = until(ended, f"the end of run {run}", patience=RUN_SECONDS, every=0.3)
        assert status == ends, [event for event in self.events(run) if event.get("error")]

    def run(self, job: str, assets: set[str] | None = None) -> str:
        """Launch a job for the partition `default`, wait until it has ended well; returns the run's id."""
        run = self.launch(job, assets)
        self.wait(run)
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

    def log() -> str:
        return (folder / "ui.log").read_text(encoding="utf-8")

    def loaded() -> bool:
        assert process.poll() is None, log()
        with suppress(OSError):
            entries = ui.ask(LOADED)["workspaceOrError"].get("locationEntries", [])
            if [(one["name"], one["loadStatus"]) for one in entries] == [("integration_assets", "LOADED")]:
                assert entries[0]["locationOrLoadError"]["__typename"] == "RepositoryLocation", entries
                return True
        return False

    until(loaded, lambda: f"{log()}\nloading", patience=START_SECONDS, every=0.3)


@contextmanager
def served_stage(folder: Path) -> Iterator[Stage]:
    """A UI on its own sandbox and home, as a user has it after `setup`.

    Titles have an address in them, and a picture that is elsewhere: a browser must not be made to ask for it.
    """
    home = folder / "home"
    sandbox = build_sandbox(build_sample(requests=60, votes=500, companies=100), plan=None, slack_interval=0)
    for post in sandbox.sample.workspace.posts.values():
        post.title = post.title and f"ann@example.com: {PICTURE}{post.title}"
    watch = Watch()
    watch.over(sandbox)
    with serving(sandbox) as addresses:
        home.mkdir()
        (home / "overrides.csv").write_text(sandbox.overrides_csv("sandbox"), encoding="utf-8")
        world = World(sandbox, addresses, home)
        world.set_up()
        with running_ui(world.environment(), folder) as ui:
            yield Stage(ui, sandbox, watch, home)
