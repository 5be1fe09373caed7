"""The command line in processes of their own: started cold, or forked from a parent that has imported everything.

A fork saves the imports, and keeps Dagster's own records in memory, which together are most of what a small run costs.
What runs in it is the same command, with its own environment, working directory and files, and it dies of SIGKILL like
any other process.

    with warm_parent() as parent:
        code = parent.run(["sync"], environment, folder, on_start=remember_pid)
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from integration_assets_tests.support.fault_points import Death, plant

LIMIT_SECONDS = 120.0
"""Longest a command may run before it counts as hanging."""
OUTPUT = "output.txt"
"""File in the working directory that gets what a command prints."""
_OURS = ("CANNY_", "HUBSPOT_", "SLACK_", "INTEGRATION_ASSETS_", "DAGSTER_")


def clean_environment(values: Mapping[str, str]) -> dict[str, str]:
    """The environment of these tests without any variable the product reads, and `values` on top."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)} | dict(values)


def run_cold(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    on_start: Callable[[int], None] = lambda _pid: None,
) -> int:
    """Run the command in a new interpreter; returns its exit code, or minus the signal that ended it."""
    with (folder / OUTPUT).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "integration_assets.cli", *arguments],
            env=clean_environment(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    on_start(process.pid)
    try:
        return process.wait(LIMIT_SECONDS)
    finally:
        process.kill()


@dataclass
class WarmParent:
    """A process that forks one command at a time."""

    process: subprocess.Popen[bytes]

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        on_start: Callable[[int], None] = lambda _pid: None,
        batch_sizes: Mapping[str, int] | None = None,
        notes: Path | None = None,
        death: Death | None = None,
    ) -> int:
        """Run the command in a fork; returns its exit code, or minus the signal that ended it.

        `batch_sizes` replaces attributes of the HubSpot connector, so that a small run makes many write requests.
        With `notes` the fork notes in that file which fault points it passes, and dies at the one `death` names.
        """
        order = {
            "arguments": list(arguments),
            "environment": clean_environment(environment),
            "folder": str(folder),
            "batch_sizes": dict(batch_sizes or {}),
            "notes": str(notes) if notes else None,
            "death": msgspec.to_builtins(death) if death else None,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        pid = int(self._answer(LIMIT_SECONDS))
        on_start(pid)
        try:
            return int(self._answer(LIMIT_SECONDS))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._answer(LIMIT_SECONDS)
            raise

    def _answer(self, seconds: float) -> bytes:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise TimeoutError(f"no answer within {seconds:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the warm parent is gone")
        return line


@contextmanager
def warm_parent() -> Iterator[WarmParent]:
    """A parent that has imported the product, for the length of a block."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        env=clean_environment({}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    with process:  # closing its input ends it
        yield WarmParent(process)


# -- the parent's side

IMPORTED_ON_THE_WAY = (
    "integration_assets.commands.run_output",
    "integration_assets.runs.in_process",
    "integration_assets.cli",
    "integration_assets.definitions",
    "integration_assets.reporting.terminal",
    "pyarrow.dataset",
    "structlog",
    "tldextract",
)
"""Everything a sync imports late, so that forks have it."""


def serve() -> None:
    """Read orders from stdin, fork for each, and answer with the process id and, when it has ended, its exit code."""
    from integration_assets_tests.support.dagster_records import in_memory

    for name in IMPORTED_ON_THE_WAY:
        importlib.import_module(name)
    importlib.import_module("integration_assets.definitions").defs.resolve_job_def("sync")
    with in_memory():  # the first one imports the database layer, and reads its migrations
        pass
    for line in sys.stdin.buffer:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _obey(order)
        _say(pid)
        _, status = os.waitpid(pid, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _obey(order: dict[str, Any]) -> None:
    """Become the command: never returns."""
    import dagster as dg

    from integration_assets import cli
    from integration_assets.connectors.crm.hubspot.connector import HubSpotCrm
    from integration_assets_tests.support.dagster_records import in_memory

    code = 1
    try:
        output = os.open(Path(order["folder"]) / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        for name, size in order["batch_sizes"].items():
            setattr(HubSpotCrm, name, size)
        if order["notes"]:
            plant(Path(order["notes"]), msgspec.convert(order["death"], Death | None))
        dg.DagsterInstance.from_config = in_memory  # type: ignore[method-assign,assignment]
        sys.argv = ["integration-assets", *order["arguments"]]
        try:
            cli.main()
            code = 0
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
