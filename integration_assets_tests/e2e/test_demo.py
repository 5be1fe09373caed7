"""The demo: the main job from an empty portal to a second sync that writes nothing, with all there is to see."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, build_sandbox
from integration_assets_tests.support.harness import World, is_write
from integration_assets_tests.support.snapshots import PROMPT

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

LISTING = ("GET", "/crm/objects/2026-09/{type}")
SHOWN = (
    "create object feature_request",
    "Dry run",
    "would create 39, update 0, retire 0",
    "39 verified",
    "Requests by ARR",
    "Requests by companies",
    "unknown domain",
    "Feature requests → sandbox",
    "POST /v2/votes/list",
    "published/sandbox/default.duckdb",
    "The second sync made 0 write calls.",
)
"""What a reader of the demo must have seen."""


def test_the_demo_shows_the_main_job_whatever_else_is_configured(
    ready: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cut of the sample: every step is shown, the second sync writes nothing, and nobody's own settings count."""
    made: list[Sandbox] = []

    def small_sandbox() -> Sandbox:
        made.append(
            build_sandbox(
                build_sample(requests=40, votes=400, companies=120), plan=None, slack_interval=0, portal_options=PROMPT
            )
        )
        return made[0]

    monkeypatch.chdir(home)
    own = {
        "INTEGRATION_ASSETS_STORE_URL": str(home / "somebodys-store"),
        "INTEGRATION_ASSETS_CALL_BUDGET": "1",
        "CANNY_BOARDS": "A board of theirs",
        "HUBSPOT_SANDBOX_PORTAL_ID": "123",
    }
    with mock.patch("integration_assets.demo.build_sandbox", small_sandbox):
        ran = ready.run("demo", json_file=False, **own)
    assert ran.code == 0, ran.out + ran.err
    for words in SHOWN:
        assert words in ran.out, words
    assert not (home / "somebodys-store").exists()
    [sandbox] = made
    # the second sync read all companies again, and nothing was written from then on
    requests = sandbox.hubspot_sandbox.requests
    last_write = max(number for number, request in enumerate(requests) if is_write(request))
    assert [request for request in requests[last_write:] if (request.method, request.template) == LISTING]
    assert len(sandbox.sandbox.portal.records("feature_request")) == 39
    assert len(sandbox.team.messages) == 3
