"""Killed at any moment and run again, a sync ends in the state of the CRM it would have ended in anyway.

Real processes, real SIGKILL, real HTTP; the state is read through HubSpot's own client. The look-alikes say when to
kill: they see each request before, during and after its effect. `INTEGRATION_ASSETS_TEST_KILLS=200` adds that many
moments drawn at random, `INTEGRATION_ASSETS_TEST_SEED` draws those of an earlier run again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, get_args

import duckdb
import msgspec
import pytest

from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, build_sandbox, serving
from integration_assets_tests.e2e.killing import Kind, Seen, Strike, Watch, When, is_write
from integration_assets_tests.e2e.processes import OUTPUT, WarmParent, run_cold, warm_parent
from integration_assets_tests.e2e.worlds import CrmState, copied, copied_home, crm_state, prepare, variables

pytestmark = pytest.mark.proof  # real processes: part of `make proofs`

BATCH_SIZES = {"records_per_write": 25, "pairs_per_write": 150, "pairs_per_removal": 4, "records_per_link_read": 60}
"""Smaller than HubSpot's, so that a small run has many moments to be killed at."""
FIRST = [
    (Strike("reading", 0.45, "answered"),),
    (Strike("reading", 1.0, "answered", pause=0.1),),
    (Strike("record write", 0.0, "committed"),),
    (Strike("record write", 0.5, "committed"),),
    (Strike("link write", 0.0, "arrived"),),
    (Strike("link write", 0.6, "committed"),),
    (Strike("after writing", 1.0, "answered"),),
    (Strike("record write", 0.6, "arrived"), Strike("link write", 0.4, "committed")),
]
"""Moments of a first sync. The first record write is the canary; after two strikes the recovery was killed as well."""
LATER = [
    (Strike("record write", 0.5, "committed"),),
    (Strike("link write", 0.5, "committed"),),
    (Strike("link write", 1.0, "answered"), Strike("slack", 1.0, "committed")),
]
"""Moments of a sync that updates, retires, links and unlinks."""
MORE = int(os.environ.get("INTEGRATION_ASSETS_TEST_KILLS", "0"))
SEED = os.environ.get("INTEGRATION_ASSETS_TEST_SEED") or os.urandom(4).hex()


def drawn(number: int) -> tuple[Strike, ...]:
    """Moments drawn at random; the same for the same seed and number."""
    draw = random.Random(f"{SEED}/{number}")
    return tuple(
        Strike(
            draw.choice(["any", "any", *get_args(Kind)]),
            draw.random(),
            draw.choice(get_args(When)),
            draw.choice([0.0, 0.0, round(draw.random() / 2, 3)]),
        )
        for _ in range(1 + (number % 4 == 0))
    )


@dataclass
class Before:
    """A world as it is before the sync that gets killed, and what that sync does when it is left alone."""

    sandbox: Sandbox
    home: Path
    after: CrmState
    trace: list[Seen]


class Stage:
    """Runs commands in copies of a world, each in a folder of its own."""

    def __init__(self, parent: WarmParent, folder: Path) -> None:
        self.parent = parent
        self.folder = folder
        self._numbers = count(1)

    def copy_of(self, before: Before) -> tuple[Sandbox, Path]:
        """A copy of the world, ready to be run in."""
        return copied(before.sandbox), copied_home(before.home, self.folder / f"world-{next(self._numbers)}")

    def sync(self, sandbox: Sandbox, home: Path, watch: Watch, *, cold: bool = False) -> int:
        """One sync, its summary in `summary.json`; returns the exit code."""
        arguments = ["sync", "--json", str(home / "summary.json")]
        with serving(sandbox) as addresses:
            environment = variables(addresses, home)
            try:
                if cold:
                    return run_cold(arguments, environment, home, on_start=watch.started)
                return self.parent.run(arguments, environment, home, on_start=watch.started, batch_sizes=BATCH_SIZES)
            finally:
                watch.ended()

    def left_alone(self, sandbox: Sandbox, home: Path) -> Before:
        """The world, and the end of a sync of its copy that nothing disturbs."""
        before = Before(sandbox, home, CrmState({}, {}, set()), [])
        other, other_home = self.copy_of(before)
        watch = Watch()
        watch.over(other)
        assert self.sync(other, other_home, watch) == 0, output(other_home)
        before.after, before.trace = crm_state(other.sandbox), watch.trace
        return before


def output(home: Path) -> str:
    """What the commands run in this home have printed."""
    return (home / OUTPUT).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where worlds are run."""
    with warm_parent() as parent:
        yield Stage(parent, tmp_path_factory.mktemp("kills"))


@pytest.fixture(scope="module")
def first(stage: Stage) -> Before:
    """A portal that is set up and holds nothing of ours."""
    sandbox = build_sandbox(build_sample(requests=120, votes=800, companies=90), plan=None, slack_interval=0)
    home = stage.folder / "first"
    with serving(sandbox) as addresses:
        prepare(sandbox, addresses, home)
    before = stage.left_alone(sandbox, home)
    assert len(before.after.records) > 100
    assert sum(map(len, before.after.links.values())) > 500
    return before


@pytest.fixture(scope="module")
def later(stage: Stage, first: Before) -> Before:
    """A portal in use, after a day in which much has changed in the feedback system and a little in the CRM."""
    sandbox, home = stage.copy_of(first)
    assert stage.sync(sandbox, home, Watch()) == 0, output(home)
    a_day_passes(sandbox)
    before = stage.left_alone(sandbox, home)
    reasons = {values["retired_reason"] for values in before.after.records.values()}
    assert reasons == {None, "merged", "deleted"}
    assert len(before.after.archived) == 1
    assert sum(map(len, before.after.links.values())) != sum(map(len, first.after.links.values()))
    return before


def a_day_passes(sandbox: Sandbox) -> None:
    """Requests are reworded, moved on, merged and deleted, votes come and go, and a person archives a record."""
    workspace, portal = sandbox.sample.workspace, sandbox.sandbox.portal
    written = {str(one["properties"]["feature_request_key"]).partition(":")[2]: one for one in records(sandbox)}
    posts = [post for post in workspace.posts.values() if post.id in written and workspace.score(post.id)]
    voters = [user for user in workspace.users if workspace.votes_of_voter.get(user)]
    for post in posts[:12]:
        post.title += ", reworded"
    for post in posts[8:20]:
        workspace.change_status(post.id, voters[0], "complete")
    for place, voter in enumerate(voters[:60]):
        workspace.vote(posts[place % 30].id, voter)
    for place in range(3):
        _, vote_id = workspace.votes_of_post[posts[place].id].keys[0]
        workspace.delete_vote(vote_id)
    workspace.merge(posts[40].id, posts[41].id)
    workspace.delete_post(posts[42].id)
    portal.archive("feature_request", str(written[posts[43].id]["id"]))


def records(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Our records as the portal has them."""
    return sandbox.sandbox.portal.records("feature_request")


def assert_recovers(stage: Stage, before: Before, strikes: tuple[Strike, ...], *, cold: bool = False) -> None:
    """Killed at each strike in turn, then left alone, then run once more: the same end, and nothing left to write."""
    sandbox, home = stage.copy_of(before)
    watch = Watch()
    watch.over(sandbox)
    for number, strike in enumerate(strikes):
        watch.arm(strike, before.trace)
        code = stage.sync(sandbox, home, watch, cold=cold)
        # What is left to do after a first kill, or for a pause, may be over before the strike is due.
        assert code == -signal.SIGKILL or (code == 0 and (number > 0 or strike.pause)), output(home)
        assert_published_is_whole(home)
        assert not [seen for seen in watch.trace if is_write(seen) and seen.system == "hubspot_production"]
    watch.arm(None, [])
    assert stage.sync(sandbox, home, watch, cold=cold) == 0, output(home)
    assert crm_state(sandbox.sandbox) == before.after
    watch.arm(None, [])
    assert stage.sync(sandbox, home, watch) == 0, output(home)
    assert [seen for seen in watch.trace if is_write(seen)] == []
    assert crm_state(sandbox.sandbox) == before.after
    summary = msgspec.json.decode((home / "summary.json").read_bytes())
    assert summary["state"] == "SUCCEEDED"
    assert summary["api_calls"]["hubspot"]["writes"] == 0
    shutil.rmtree(home)


def assert_published_is_whole(home: Path) -> None:
    """Whatever the moment, analysts find no published database or a whole one."""
    for path in (home / "published").rglob("*.duckdb"):
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute("SELECT count(*), count(DISTINCT rank_by_arr) FROM ranked.feature_requests")
            total, places = rows.fetchall()[0]
        assert total == places > 0


@pytest.mark.parametrize("strikes", FIRST, ids=lambda strikes: ", ".join(map(str, strikes)))
def test_a_first_sync_killed_at_any_moment_and_run_again_ends_the_same(stage, first, strikes):
    """A portal that was empty holds every request once, whenever the process died."""
    assert_recovers(stage, first, strikes)


@pytest.mark.parametrize("strikes", LATER, ids=lambda strikes: ", ".join(map(str, strikes)))
def test_a_later_sync_killed_at_any_moment_and_run_again_ends_the_same(stage, later, strikes):
    """Updates, retirements, links and unlinks are neither lost nor done twice."""
    assert_recovers(stage, later, strikes)


def test_the_command_as_a_person_starts_it_survives_being_killed(stage, first):
    """A fresh interpreter and HubSpot's own batch sizes make no difference."""
    assert_recovers(stage, first, (Strike("record write", 0.0, "committed"),), cold=True)


@pytest.mark.skipif(not MORE, reason="set INTEGRATION_ASSETS_TEST_KILLS to the number of random moments")
@pytest.mark.timeout(300 + 120 * MORE)
def test_any_moment_drawn_at_random(stage, first, later, capsys):
    """No moment is special."""
    for number in range(MORE):
        strikes = drawn(number)
        with capsys.disabled():
            sys.stderr.write(f"\nINTEGRATION_ASSETS_TEST_SEED={SEED} {number}: {', '.join(map(str, strikes))}")
        assert_recovers(stage, (first, later)[number % 2], strikes)
