"""How many calls runs make, counted by the look-alikes, beside the fewest their work takes."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.snapshots import PROMPT, folder

pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("dagster_in_memory"),
]  # runs whose calls are counted one by one: part of `make proofs`

SLACK = 1.05
"""How far above the floor a sync may be."""
LONG_AGO = "2020-01-01T00:00:00.000Z"


@pytest.fixture
def sample() -> Iterator[World]:
    """A small cut of the sample, set up."""
    sandbox = build_sandbox(
        build_sample(requests=40, votes=400, companies=120), plan=None, slack_interval=0, portal_options=PROMPT
    )
    with folder() as home, world_of(sandbox, home) as world:
        world.set_up()
        yield world


def made(world: World) -> dict[str, int]:
    """Requests that arrived since the logs were emptied, by system."""
    hubspot = len(world.lookalike().requests) + len(world.lookalike("production").requests)
    return {"canny": len(world.sandbox.canny.requests), "hubspot": hubspot}


def floor(world: World) -> dict[str, int]:
    """What the last run says its work takes at least, as analysts find it."""
    path = world.home / "published" / "sandbox" / "default.duckdb"
    with duckdb.connect(str(path), read_only=True) as published:
        return dict(
            published.execute(
                "SELECT system, calls FROM ops.call_floors JOIN ops.runs USING (run_id) "
                "WHERE started_at = (SELECT max(started_at) FROM ops.runs)"
            ).fetchall()
        )


def sync(world: World, *arguments: str) -> tuple[dict[str, int], dict[str, int]]:
    """Sync; the calls that arrived, and the floor the run tells of."""
    world.forget_requests()
    world.sync(*arguments)
    return made(world), floor(world)


def writes(world: World) -> int:
    return len(world.writes()) + len(world.writes("production"))


def test_a_first_sync_makes_hardly_more_calls_than_its_work_takes(sample: World) -> None:
    """Everything is read in the biggest pages and written in the biggest batches, and nothing is asked twice."""
    calls, least = sync(sample)
    assert all(calls[system] <= least[system] * SLACK for system in calls)
    # Canny: boards, 1 page of posts, 5 of votes, 1 of status changes, 2 of users and 1 of companies; a post whose score
    # is not its votes read again, 2 that only votes know looked up.
    assert calls["canny"] == 1 + 1 + 5 + 1 + 2 + 1 + 1 + 2
    # HubSpot: 8 for the schema and 5 for that of a portal without our object; 2 pages of companies, none of ours, live
    # or archived; open deals, their companies and the names of their stages; contacts, other spellings of their
    # addresses, and their companies; identity, scopes and our object before writing; a canary and the rest, written and
    # read back; to each of two targets the labels, the links, and those read back.
    assert calls["hubspot"] == 8 + 5 + 2 + 1 + 1 + 3 + 1 + 1 + 1 + 3 + 2 * 2 + 2 * 3
    assert writes(sample) == 2 + 2


def test_a_second_sync_makes_the_calls_of_the_formula_and_no_write(sample: World) -> None:
    """Requests whole, votes and changes to the first known one, companies and our records whole, no person at all."""
    sync(sample)
    calls, least = sync(sample)
    assert writes(sample) == 0
    assert calls == least
    # Boards, posts, votes, status changes, the 2 posts that only votes know, and votes of 20 posts looked at.
    assert calls["canny"] == 1 + 1 + 1 + 1 + 2 + 20
    # Both schemas; companies, our live and archived records, their links to two targets; deals; identity before
    # writing.
    assert calls["hubspot"] == 8 + 5 + 2 + 1 + 1 + 2 + 3 + 1


@pytest.mark.proof
@pytest.mark.long  # the benchmarks' small world, twice
def test_syncs_of_a_whole_portal_stay_as_close_to_the_floor() -> None:
    """500 requests, 20,000 votes, 2,000 companies: hardly a call more than their work takes, and again no write."""
    whole = build_sample(requests=500, votes=20_000, companies=2_000)
    for company in whole.companies:
        company["createdate"] = LONG_AGO  # made just now, they would all pass for changed
    sandbox = build_sandbox(whole, plan=None, slack_interval=0, portal_options=PROMPT)
    with folder() as home, world_of(sandbox, home) as world:
        world.set_up()
        calls, least = sync(world)
        assert sum(calls.values()) <= sum(least.values()) * SLACK
        calls, least = sync(world)
        assert writes(world) == 0
        assert calls == least
        # Boards, posts in pages that overlap by one, votes, status changes, the 3 posts that only votes know, and votes
        # of 20 posts looked at.
        assert calls["canny"] == 1 + 6 + 1 + 1 + 3 + 20
        # Both schemas; changed and archived companies and the parents of all; our live and archived records, their
        # links to two targets, one of which has a record with more than 500; two pages of open deals, their companies
        # and stages; identity before writing.
        assert calls["hubspot"] == 8 + 5 + (1 + 1 + 2) + 5 + 1 + 2 + 1 + 4 + 1


def test_one_changed_vote_adds_a_handful_of_calls(sample: World) -> None:
    """A new vote of a known person costs no read more, and the few calls of writing one record and its links."""
    sync(sample)
    unchanged, _ = sync(sample)
    canny = sample.canny
    post = max(canny.posts, key=canny.score)
    voted = {canny.votes[vote_id].voter_id for _, vote_id in canny.votes_of_post[post].newest_first()}
    canny.vote(post, next(one.id for one in canny.users.values() if one.id not in voted and one.email))
    calls, least = sync(sample)
    assert calls["canny"] == unchanged["canny"]
    assert calls["hubspot"] - unchanged["hubspot"] <= 10
    assert calls == least
    assert 1 <= writes(sample) <= 3


def test_the_floor_is_shown_beside_the_calls_made(sample: World) -> None:
    """On the terminal after the run, in its report, and in the message to Slack; the JSON keeps its fixed keys."""
    ran = sample.sync()
    assert "canny 14 (0 retried, 0 throttled, floor 14)" in ran.out
    assert "hubspot 36 (4 writes, 0 retried, 0 throttled, floor 36)" in ran.out
    assert set(ran.summary["api_calls"]["hubspot"]) == {"total", "writes", "retried", "throttled"}
    report = sample.run("report")
    assert "all, floor 14" in report.out
    assert "all, floor 36" in report.out
    [message] = sample.sandbox.team.messages
    assert "floor 36" in str(message)


def test_a_run_that_did_not_get_through_tells_no_floor(sample: World) -> None:
    """What a failed run had to do is not known, so nothing is claimed of it."""
    sample.canny.api_key = "another-key"
    assert sample.run("sync").code == 1
    assert "floor" not in sample.run("report").out
