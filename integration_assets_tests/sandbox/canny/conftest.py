"""A Canny look-alike on a socket, small enough to count by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from integration_assets.sandbox.canny import Workspace, canny_lookalike
from integration_assets.sandbox.canny.records import Company, Post, StatusChange, User
from integration_assets.sandbox.lookalike import Lookalike
from integration_assets.sandbox.serving import listening
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

KEY = "canny-sandbox-key"
START = 1_700_000_000_000


class Time:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.seconds = START / 1000

    def __call__(self) -> float:
        return self.seconds


class Canny(NamedTuple):
    """The look-alike, its state and a client that adds the key."""

    workspace: Workspace
    lookalike: Lookalike
    http: httpx.Client
    time: Time
    base_url: str

    def call(self, endpoint: str, **arguments: Any) -> Any:
        """The answer of a call that must succeed."""
        response = self.post(endpoint, **arguments)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, endpoint: str, **arguments: Any) -> httpx.Response:
        return self.http.post(f"/{endpoint}", json={"apiKey": KEY, **arguments})

    def refusal(self, endpoint: str, **arguments: Any) -> str:
        """The error text of a call that must be refused as wrong."""
        response = self.post(endpoint, **arguments)
        assert response.status_code == 400, response.text
        assert set(response.json()) == {"error"}
        return str(response.json()["error"])


def fill(workspace: Workspace) -> None:
    """One board, 25 people of two companies, 12 posts in all kinds of statuses, 30 votes."""
    board = workspace.add_board("Feature Requests", created=START)
    workspace.add_category(board.id, "Dashboard", created=START)
    workspace.add_company(Company("company 1/ü", "First", START, domain="first.com", monthly_spend=100.25))
    workspace.add_company(Company("two", "Second", START + 1))
    users = [
        workspace.add_user(
            User(
                workspace.new_id(START + number),
                f"Person {number}",
                START + number,
                email=None if number == 3 else f"p{number}@first.com",
                user_id=f"u{number}",
                company_ids=["company 1/ü"] if number < 10 else [],
            )
        )
        for number in range(25)
    ]
    statuses = ("open", "under review", "planned", "in progress", "complete", "closed", "on hold")
    for number in range(12):
        created = START + 1000 * number
        post = workspace.add_post(
            Post(workspace.new_id(created), board.id, f"Post {number}", created, f"post-{number}", users[number].id)
        )
        status = statuses[number % 7]
        if status != "open":
            changed = StatusChange(workspace.new_id(created), post.id, users[0].id, created + 500, status)
            workspace.add_status_change(changed)
    posts = list(workspace.posts)
    for number in range(30):
        workspace.vote(posts[(number + number // 25) % 5], users[number % 25].id, created=START + 100_000 + number)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Lookalike, str]]:
    """One server for all tests of a module; each puts its own workspace behind it."""
    lookalike = canny_lookalike(Workspace(KEY))
    with listening([lookalike]) as [origin]:
        yield lookalike, f"{origin}/api"


@pytest.fixture
def canny(server: tuple[Lookalike, str]) -> Iterator[Canny]:
    time = Time()
    workspace = Workspace(KEY, clock=time, now=time, plan=None)
    fill(workspace)
    lookalike, base_url = server
    lookalike.app = canny_lookalike(workspace).app
    lookalike.clear()
    with httpx.Client(base_url=base_url, timeout=PATIENCE_SECONDS) as http:
        yield Canny(workspace, lookalike, http, time, base_url)
