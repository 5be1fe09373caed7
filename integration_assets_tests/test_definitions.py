"""What a code server pays for loading the definitions, and what they hold."""

from __future__ import annotations

import json
import subprocess
import sys

import dagster as dg

LOADING = """
import json, sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
import integration_assets.definitions
integration_assets.definitions.defs.get_repository_def()
print(json.dumps({"sockets": seen, "modules": sorted(sys.modules)}))
"""
NOT_NEEDED = (
    "integration_assets.sandbox",
    "integration_assets.web",
    "integration_assets.tenants.registry.models",
    "integration_assets.commands",
    "alembic.runtime",
    "argon2",
    "cryptography",
    "idna.uts46data",
    "playwright",
    "psycopg",
    "tldextract",
    "uvicorn",
)
"""Slow to import, and of no use before a run needs them. How long loading takes is measured by the benchmarks."""


def test_loading_the_definitions_opens_no_socket_and_imports_nothing_a_run_may_not_need():
    """A code server loads them for every run: no network, and no waiting for what most runs never use."""
    done = subprocess.run([sys.executable, "-c", LOADING], check=True, capture_output=True)
    loaded = dict(json.loads(done.stdout))
    assert loaded["sockets"] == []
    assert [name for name in loaded["modules"] if name.startswith(NOT_NEEDED)] == []


def test_the_definitions_are_loadable():
    """Every dependency, resource and job resolves."""
    from integration_assets.definitions import defs

    dg.Definitions.validate_loadable(defs)
    assert {job.name for job in defs.resolve_all_job_defs()} >= {"sync", "dry_run", "read_only"}
