"""Live requests missed while the list changes under the read, and what plain paging would have missed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import msgspec
from pydantic import SecretStr

from integration_assets.config import load_settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.canny.connector import PAGE, CannyFeedback
from integration_assets.connectors.limiter import Limiter
from integration_assets.ingest.context import TABLES, FeedbackContext, IngestContext, IngestInputs
from integration_assets.ingest.feedback import read_feedback
from integration_assets.sandbox.canny.app import canny_lookalike
from integration_assets.sandbox.lookalike import Lookalike
from integration_assets.staging.loading import replacing
from integration_assets.staging.migrations import migrate
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.churn import LIST, Churn, workspace_of_posts
from integration_assets_tests.support.in_process import InProcess, as_it_is, call, plug

MOST_PASSES = 3
BASE_URL = "http://in-process/api"


@dataclass(frozen=True)
class Outcome:
    """What one read of a changing list gave. `missed` lived through it and are not among what was read.

    `quiet` are the calls that the list takes when it does not change.
    """

    missed: int
    passes: int
    calls: int
    quiet: int
    deletions: int
    unsettled: bool


def read_under_churn(seed: int, **churn: float) -> Outcome:
    """Read a workspace of 300 to 700 posts with the product's own reader while it changes between the pages."""
    workspace = workspace_of_posts(seed, random.Random(seed).randint(300, 700))
    app = canny_lookalike(workspace)
    changes = Churn(workspace, seed, **churn)  # type: ignore[arg-type]  # the caller's names are its fields
    changes.attach(app)
    quiet = -(-(len(workspace.posts) - 1) // (PAGE - 1))
    with duckdb.connect() as connection:
        migrate(connection)
        reading = asyncio.run(_read(app, workspace.api_key, connection))
        stored = {row[0] for row in connection.execute("SELECT request_id FROM raw.feature_requests").fetchall()}
    calls = sum(request.path.endswith(LIST) for request in app.requests)
    missed = len((changes.lived & workspace.posts.keys()) - stored)
    return Outcome(missed, reading.passes, calls, quiet, changes.deletions, reading.requests_unsettled)


async def _read(app: Lookalike, key: str, connection: duckdb.DuckDBPyConnection) -> FeedbackContext:
    settings = load_settings(canny_api_key=SecretStr(key), canny_base_url=BASE_URL)
    feedback = CannyFeedback(base_url=BASE_URL, key=SecretStr(key), calls=CallCounter(), limiter=Limiter({}))
    plug(feedback._client, InProcess(app, BASE_URL, {"apiKey": key}, as_it_is))
    inputs = IngestInputs(
        settings=settings,
        tenant="default",
        environment=settings.environment,
        run_id="read",
        connection=connection,
        calls=CallCounter(),
        notes=[],
    )
    with replacing(connection, TABLES) as load:
        shared, [own] = IngestContext(inputs, load, datetime.now(UTC)), settings.feedbacks
        context = FeedbackContext(shared, own, {"votes", "status_changes", "persons", "accounts"})
        async with feedback:
            await read_feedback(feedback, context)
    return context


def missed_by_plain_paging(seed: int, sort: str) -> int:
    """Live posts that a loop over `skip` misses under the same changes."""
    workspace = workspace_of_posts(seed, random.Random(seed).randint(300, 700))
    app = canny_lookalike(workspace)
    changes = Churn(workspace, seed)
    changes.attach(app)

    async def read() -> set[str]:
        found: set[str] = set()
        skip, more = 0, True
        while more:
            query = {"apiKey": workspace.api_key, "sort": sort, "limit": 100, "skip": skip}
            answer = await call(app, "POST", "/api" + LIST, msgspec.json.encode(query))
            body = msgspec.json.decode(answer.body)
            found |= {post["id"] for post in body["posts"]}
            skip, more = skip + len(body["posts"]), body["hasMore"]
        return found

    return len((changes.lived & workspace.posts.keys()) - asyncio.run(read()))


@proof(
    "paging",
    "figures",
    "No live request is missed while the list changes under the read.",
    whole=200,
    small=10,
    unit="reads",
)
def measure(scale: Scale) -> Iterator[Row]:
    """200 workspaces, each with its own changes, read once each."""
    seeds = range(scale.seed * 1_000, scale.seed * 1_000 + scale.count)
    outcomes = [read_under_churn(one) for one in seeds]
    plain = {sort: sum(missed_by_plain_paging(one, sort) > 0 for one in seeds) for sort in ("newest", "oldest")}
    bad = sum(outcome.missed > 0 for outcome in outcomes)
    passes = max(outcome.passes for outcome in outcomes)
    withheld = sum(outcome.unsettled for outcome in outcomes)
    calls, quiet = (
        sum(numbers) / scale.count for numbers in zip(*((one.calls, one.quiet) for one in outcomes), strict=True)
    )
    yield Row(
        "paging under churn: runs that missed a live request",
        f"{bad}/{scale.count}, at most {passes} passes, {withheld} withheld retirements, {calls:.1f} calls where the "
        f"list without changes takes {quiet:.1f} "
        f"(plain paging: newest first {plain['newest']}/{scale.count}, oldest first {plain['oldest']}/{scale.count})",
        f"0/{scale.count}, at most {MOST_PASSES} passes",
        bad == 0 and passes <= MOST_PASSES,
    )
