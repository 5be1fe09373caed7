"""A workspace behind real HTTP on loopback, in the shapes of either generation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.lookalike import Lookalike
from integration_assets.sandbox.twenty import TwentyOptions, Workspace, twenty_lookalike
from integration_assets_tests.support.foreign import served
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

WORKSPACE_ID = "3f0a1c52-7d5e-4a08-9b6e-5c1d2e3f4a5b"


class ManualClock:
    """Seconds since 1970 that move only when told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A workspace, its clock, and a client with its key."""

    workspace: Workspace
    clock: ManualClock
    lookalike: Lookalike
    client: httpx.Client

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **params: Any) -> Any:
        """Ask, insist on the status, and return the decoded answer."""
        answer = self.client.request(method, f"/rest{path}", json=body, params=params or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def upsert(self, *rows: dict[str, Any], status: int = 201) -> Any:
        """Upsert ideas; the records of the answer, or the message of a refusal."""
        answer = self.call("POST", "/batch/ideas", list(rows), status=status, upsert="true")
        return answer["data"]["createIdeas"] if status == 201 else answer["messages"][0]

    def ideas(self, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/ideas", **params)["data"]["ideas"]
        return found

    def with_ideas(self) -> Bench:
        """Define an object with a field of every type."""
        one = self.workspace.add_object("idea", "ideas", "Idea", "Ideas")
        self.workspace.add_field(one, "TEXT", "externalId", label="External id", unique=True)
        for kind, name in (("NUMBER", "votes"), ("CURRENCY", "revenue"), ("LINKS", "url"), ("DATE_TIME", "askedAt")):
            self.workspace.add_field(one, kind, name)
        options = [{"label": "New", "value": "NEW"}, {"label": "Planned", "value": "PLANNED"}]
        self.workspace.add_field(one, "SELECT", "stage", options=options)
        self.workspace.add_relation(one, "company", "Company", self.workspace.objects["companies"], "ideas")
        return self


Open = Callable[[TwentyOptions], AbstractContextManager[Bench]]


@contextmanager
def opened(options: TwentyOptions) -> Iterator[Bench]:
    """A bench with these options."""
    clock = ManualClock()
    workspace = Workspace(WORKSPACE_ID, options=options, now=clock)
    lookalike = twenty_lookalike(workspace)
    headers = {"authorization": f"Bearer {workspace.key}"}
    with served(lookalike) as url, httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_SECONDS) as client:
        yield Bench(workspace, clock, lookalike, client)


@pytest.fixture(params=["1.10", "2.21", "2.31"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A workspace with ideas, of each version."""
    with opened(TwentyOptions(version=request.param, calls_per_minute=None)) as one:
        yield one.with_ideas()


@pytest.fixture
def open_bench() -> Open:
    """Opens a workspace with options of its own."""
    return opened
