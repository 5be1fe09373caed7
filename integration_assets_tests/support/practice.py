"""A healthy installation for the doctor: one tenant, set up in both portals, synced, all of it tried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets_tests.support.harness import World, is_write
from integration_assets_tests.support.installation import Installation, installation
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

TENANT = "acme"
INTEGRATIONS = (
    ("canny",),
    ("hubspot", "--environment", "sandbox"),
    ("hubspot", "--environment", "production"),
    ("slack",),
)
READING = ("/boards/list", "/posts/list", "/auth.test", "/conversations.info")
"""Canny and Slack are asked by POST for everything; these paths of theirs only read."""


@dataclass
class Examined:
    """What one examination said: exit code, findings by number, and both streams."""

    code: int
    findings: dict[int, dict[str, Any]]
    said: str

    def not_ok(self) -> dict[int, str]:
        """Verdict and words of what is not ok, by number."""
        return {
            number: f"{one['verdict']}: {one['seen']}"
            for number, one in self.findings.items()
            if one["verdict"] != "ok"
        }


@dataclass
class Practice:
    """The installation, and its doctor."""

    made: Installation

    @property
    def world(self) -> World:
        """The tenant's systems."""
        return self.made.worlds[TENANT]

    @property
    def home(self) -> Path:
        """The home of the installation."""
        return self.made.home

    @property
    def store(self) -> Path:
        """The tenant's staging store."""
        return self.home / "staging" / "sandbox" / f"{TENANT}.duckdb"

    def examine(self, **variables: str | None) -> Examined:
        """Run the command with `--json`."""
        report = self.home / "doctor.json"
        report.unlink(missing_ok=True)
        with mock.patch("integration_assets.doctor.examination.PATIENCE_SECONDS", PATIENCE_SECONDS):
            ran = self.made.run("doctor", "--tenant", TENANT, "--json", str(report), stdin="", **variables)
        text = report.read_text()
        findings = {one["number"]: one for one in json.loads(text)["findings"]}
        return Examined(ran.code, findings, ran.out + ran.err + text)

    def requests(self) -> list[LoggedRequest]:
        """Everything the look-alikes were asked since `forget`."""
        sandbox = self.world.sandbox
        lookalikes = (sandbox.canny, sandbox.hubspot_sandbox, sandbox.hubspot_production, sandbox.slack)
        return [request for one in lookalikes for request in one.requests]

    def forget(self) -> None:
        """Empty the logs of the look-alikes."""
        self.world.forget_requests()

    def secrets(self) -> list[str]:
        """Every credential of the tenant, and the master key."""
        values = self.world.addresses.environment()
        names = ("CANNY_API_KEY", "HUBSPOT_SANDBOX_TOKEN", "HUBSPOT_PRODUCTION_TOKEN", "SLACK_BOT_TOKEN")
        return [*(values[name] for name in names), self.made.key]


def writes_of(requests: list[LoggedRequest]) -> list[str]:
    """Requests that can change a system: at Canny and Slack, all whose path is not known to read."""
    return [f"{one.method} {one.path}" for one in requests if is_write(one) and not one.path.endswith(READING)]


@contextmanager
def practice() -> Iterator[Practice]:
    """The installation, served."""
    with folder() as home, installation(home, TENANT) as made:
        made.worlds[TENANT].sandbox.team.scopes.add("channels:read")
        made.register(TENANT)
        for environment in ("sandbox", "production"):
            made.good("setup", "--tenant", TENANT, "--environment", environment, "--yes")
        made.good("sync", "--tenant", TENANT)
        for place in INTEGRATIONS:
            made.good("tenants", "integrations", "change", TENANT, *place, "--expires", "never")
            made.good("tenants", "integrations", "test", TENANT, *place)
        yield Practice(made)
