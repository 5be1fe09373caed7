"""Calls of a first sync of every CRM against its floor, of a second one, and of one after a vote more.

The standard sample on look-alikes without latency: only calls are counted, as the servers saw them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.base import Row, run
from benchmarks.first_sync import CLI, floor_of
from integration_assets.config import Settings, variable
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import CRM_NAMES, Sandbox, build_sandbox, serving

OURS = {variable(field) for field in Settings.model_fields}
MOST_OF_FLOOR = 1.05
A_VOTE = 10
"""Calls that one vote more may cost."""


def measure(seed: int) -> Iterator[Row]:
    """Every CRM that the sandbox can stand in for."""
    for crm in CRM_NAMES:
        yield from _one(crm, seed)


def _one(crm: str, seed: int) -> Iterator[Row]:
    sandbox = build_sandbox(build_sample(seed=seed), plan=None, slack_interval=0, crm=crm)
    with serving(sandbox) as addresses, tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = {
            # Keys that somebody has set for real would name a second CRM.
            **{name: value for name, value in os.environ.items() if name not in OURS},
            **addresses.environment(),
            "INTEGRATION_ASSETS_HOME": folder,
        }
        run([*CLI, "setup", "--yes"], environment, home)
        first, floor, writes = _sync(sandbox, environment, home, crm)
        yield Row(
            f"{crm}: calls of a first sync of 500 requests, 20,000 votes and 2,000 companies",
            f"{first:,}, of them {writes:,} writes",
            f"at most {MOST_OF_FLOOR} x {floor:,}",
            first <= MOST_OF_FLOOR * floor,
        )
        second, floor, writes = _sync(sandbox, environment, home, crm)
        yield Row(
            f"{crm}: a second sync, nothing changed",
            f"{writes} writes, {second:,} calls",
            f"0 writes, at most {MOST_OF_FLOOR} x {floor:,} calls",
            writes == 0 and second <= MOST_OF_FLOOR * floor,
        )
        _vote(sandbox)
        third, _, _ = _sync(sandbox, environment, home, crm)
        more = third - second
        yield Row(f"{crm}: calls that one vote more costs", str(more), f"at most {A_VOTE}", more <= A_VOTE)


def _sync(sandbox: Sandbox, environment: dict[str, str], home: Path, crm: str) -> tuple[int, int, int]:
    """Calls of a sync as the servers saw them, its floor, and its writes."""
    servers = (sandbox.canny, sandbox.crm.sandbox, sandbox.crm.production)
    for server in servers:
        server.requests.clear()
    run([*CLI, "sync", "--json", "summary.json"], environment, home)
    summary = json.loads((home / "summary.json").read_text(encoding="utf-8"))
    calls = sum(len(server.requests) for server in servers)
    return calls, floor_of(home, "summary"), int(summary["api_calls"][crm]["writes"])


def _vote(sandbox: Sandbox) -> None:
    """A vote of somebody on a request of which they have none yet."""
    workspace = sandbox.sample.workspace
    voted = set(workspace.vote_of_pair)
    post = next(iter(workspace.posts))
    workspace.vote(post, next(person for person in workspace.users if (post, person) not in voted))
