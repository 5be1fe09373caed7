"""A sandbox in a process of its own, as far away and as strict as the real systems.

Answers take 60 ms to reads and 120 ms to writes; Canny allows 10 calls a second and 300 a minute, HubSpot 190 in ten
seconds and 5 searches a second. `python -m benchmarks.world REQUESTS VOTES COMPANIES SEED` serves one: it prints the
variables that point the product at it as one line of JSON, then answers `requests` (what was called since the last
time, and how many 429s there were) and `change` (one vote more) on its stdin.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_assets.sandbox.canny.limits import PRO
from integration_assets.sandbox.hubspot.options import PortalOptions
from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, build_sandbox, serving

READ_SECONDS, WRITE_SECONDS = 0.060, 0.120
SMALL, MEDIUM, LARGE = (500, 20_000, 2_000), (5_000, 100_000, 20_000), (20_000, 1_000_000, 200_000)
"""Requests, votes and companies of the worlds."""
LONG_AGO = "2020-01-01T00:00:00.000Z"
_READS = ("/read", "/search")


def is_write(request: LoggedRequest) -> bool:
    """Whether a request can change the CRM's records; asking for an export cannot."""
    reads = request.method == "GET" or request.path.endswith(_READS) or request.path.startswith("/crm/exports/")
    return request.path.startswith("/crm/") and not reads


def latency(request: LoggedRequest) -> float:
    """Seconds an answer takes."""
    return WRITE_SECONDS if is_write(request) else READ_SECONDS


@dataclass
class Served:
    """A sandbox in another process. `settings` are the product's variables."""

    settings: Mapping[str, str]
    process: subprocess.Popen[str]

    def environment(self, home: Path) -> dict[str, str]:
        """The variables of a process that works on this world, in a home of its own, and on nothing else."""
        foreign = ("CANNY", "HUBSPOT", "SLACK")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {
            **kept,
            **self.settings,
            "INTEGRATION_ASSETS_HOME": str(home),
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }

    def ask(self, what: str) -> Any:
        """Send an order, get its answer."""
        assert self.process.stdin is not None  # noqa: S101 - for the type checker: both are pipes
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def served(size: tuple[int, int, int], seed: int, *, unlimited: bool = False) -> Iterator[Served]:
    """Serve a world of this size until the block ends; `unlimited`: Canny answers at once, as often as it is asked."""
    command = [sys.executable, "-m", "benchmarks.world", *map(str, size), str(seed), *["unlimited"] * unlimited]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the sandbox did not start")
        yield Served(json.loads(line), process)
        assert process.stdin is not None  # noqa: S101 - for the type checker
        process.stdin.close()


def _serve(size: tuple[int, int, int], seed: int, *, unlimited: bool) -> None:
    requests, votes, companies = size
    sample = build_sample(seed, requests, votes, companies)
    for company in sample.companies:
        # Made just now, all of them would pass for changed, and a second run would have to read them all again.
        company["createdate"] = LONG_AGO
    sandbox = build_sandbox(
        sample,
        plan=None if unlimited else PRO,
        portal_options=PortalOptions(accept_legacy_paths=True),  # HubSpot's own client knows no other
        latency=None if unlimited else latency,
        slack_interval=0,
    )
    with serving(sandbox) as addresses:
        _say(addresses.environment())
        for line in sys.stdin:
            _say(_requests(sandbox) if line.strip() == "requests" else _change(sandbox))


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _requests(sandbox: Sandbox) -> dict[str, Any]:
    """What was called since the last time; forgets it."""
    portals = (sandbox.hubspot_sandbox, sandbox.hubspot_production)
    # The schema of the other environment is read as well, and belongs to the floor: so it does to the calls.
    canny, hubspot = list(sandbox.canny.requests), [one for portal in portals for one in portal.requests]
    for lookalike in (sandbox.canny, *portals):
        lookalike.clear()
    written = [one.at for one in hubspot if is_write(one)]
    moments = sorted(one.at for one in (*canny, *hubspot))
    return {
        # By the clock that all processes of a machine share.
        "first": moments[0] if moments else 0.0,
        "last": moments[-1] + READ_SECONDS if moments else 0.0,
        "first_write": min(written, default=0.0),
        "canny_seconds": canny[-1].at - canny[0].at if canny else 0.0,
        "write_seconds": max(one.at for one in hubspot) + READ_SECONDS - min(written) if written else 0.0,
        "canny": len(canny),
        "hubspot": len(hubspot),
        "writes": sum(map(is_write, hubspot)),
        "refused": sum(one.status == 429 for one in (*canny, *hubspot)),
        "by_path": dict(Counter(f"{one.method} {one.path}" for one in hubspot)),
        "canny_by_path": dict(Counter(one.path for one in canny)),
    }


def _change(sandbox: Sandbox) -> dict[str, str]:
    """Somebody who voted before votes for one more request."""
    workspace = sandbox.sample.workspace
    for voter in (user for user in workspace.users if workspace.votes_of_voter.get(user)):
        for post in workspace.posts:
            before = workspace.score(post)
            workspace.vote(post, voter)
            if workspace.score(post) > before:
                return {"voter": voter, "post": post}
    raise RuntimeError("everybody has voted for everything")


if __name__ == "__main__":
    _serve((int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), int(sys.argv[4]), unlimited="unlimited" in sys.argv)
