"""What a code server pays for loading the definitions, and what they hold."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import dagster as dg

LOADING = """
import json, sys, time
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
began = time.process_time()
import dagster
own = time.process_time() - began
import integration_assets.definitions
integration_assets.definitions.defs.get_repository_def()
print(json.dumps({"dagster": own, "all": time.process_time() - began, "sockets": seen}))
"""


def loaded() -> dict[str, Any]:
    """Processor seconds of importing Dagster, of importing everything, and the socket calls on the way."""
    done = subprocess.run([sys.executable, "-c", LOADING], check=True, capture_output=True)
    return dict(json.loads(done.stdout))


def test_loading_the_definitions_opens_no_socket_and_costs_less_than_dagster_itself():
    """A code server loads them for every run: no network, and no long wait."""
    costs = min((loaded() for _ in range(2)), key=lambda one: one["all"])
    assert costs["sockets"] == []
    assert costs["all"] < 2 * costs["dagster"]


def test_the_definitions_are_loadable():
    """Every dependency, resource and job resolves."""
    from integration_assets.definitions import defs

    dg.Definitions.validate_loadable(defs)
    assert {job.name for job in defs.resolve_all_job_defs()} >= {"sync", "dry_run", "read_only"}
