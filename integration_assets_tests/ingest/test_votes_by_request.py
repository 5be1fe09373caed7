"""Reading Quackback into the raw tables: votes by post, and merges that no list tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from integration_assets.sandbox.quackback import Workspace, quackback_lookalike, seeded_workspace
from integration_assets.sandbox.quackback.records import Kind
from integration_assets.sandbox.serving import listening
from integration_assets_tests.conftest import Served
from integration_assets_tests.ingest.conftest import Reader

VOTERS, POST = "GET /api/v1/posts/{id}/voters", "GET /api/v1/posts/{id}"
LOOKED_AT = 20


@pytest.fixture
def workspace(small_sandbox: Served) -> Workspace:
    """The small sandbox's sample on a Quackback server."""
    return seeded_workspace(small_sandbox.sandbox.sample, calls_per_minute=None)


@pytest.fixture
def quackback(small_sandbox: Served, workspace: Workspace, tmp_path: Path) -> Iterator[Reader]:
    """A reader of that server beside the small sandbox's CRM."""
    with listening([quackback_lookalike(workspace)]) as [url]:
        addresses = small_sandbox.addresses
        kept = tuple((name, value) for name, value in addresses.settings if not name.startswith("CANNY_"))
        own = {"QUACKBACK_BASE_URL": url, "QUACKBACK_API_KEY": workspace.key.secret, "QUACKBACK_PACE": "import"}
        yield Reader(Served(small_sandbox.sandbox, replace(addresses, settings=(*kept, *own.items()))), tmp_path)


def listed(workspace: Workspace) -> list[str]:
    """Posts that a run can use, those with most votes first."""
    posts = (post for post in workspace.posts.values() if post.canonical_id is None and post.title.strip())
    return [post.id for post in sorted(posts, key=lambda post: post.vote_count, reverse=True)]


def stored(reader: Reader, post_id: str) -> set[str]:
    """Principals whose votes on a post are in the store."""
    return {row[0] for row in reader.rows(f"SELECT voter_id FROM raw.votes WHERE request_id = '{post_id}'")}


def aliases(reader: Reader) -> list[tuple[str, str]]:
    """Merged posts and the ones they live on in, as stored."""
    return [(str(one), str(other)) for one, other in reader.rows("SELECT * FROM raw.merge_aliases ORDER BY ALL")]


def test_votes_are_asked_for_where_their_count_moved(quackback: Reader, workspace: Workspace) -> None:
    """First all posts that have votes, unusable ones too; then those with another count, and some in turn."""
    posts = listed(workspace)
    unusable = [post.id for post in workspace.posts.values() if not post.title.strip()]
    pages = sum(-(-len(workspace.thread(one)) // 100) for one in (*posts, *unusable))
    first = quackback.read()
    assert first[VOTERS] == pages
    assert all(stored(quackback, one) == {vote.principal_id for vote in workspace.thread(one)} for one in posts)
    # No list of persons is read: who voted stands with the votes.
    assert not [name for name in first if "/users" in name or "/principals" in name]
    voted = {vote.principal_id for one in (*posts, *unusable) for vote in workspace.thread(one)}
    addresses = {person_id: workspace.principals[person_id].email for person_id in voted}
    assert dict(quackback.rows("SELECT voter_id, email FROM raw.voters")) == addresses
    voter = next(iter(stored(quackback, posts[0])))
    workspace.take_back(posts[0], voter)
    second = quackback.read()
    assert second[VOTERS] == 1 + LOOKED_AT
    assert stored(quackback, posts[0]) == {vote.principal_id for vote in workspace.thread(posts[0])}
    assert voter not in stored(quackback, posts[0])


def test_new_voters_take_no_call_of_their_own(quackback: Reader, workspace: Workspace) -> None:
    """As many calls as for a vote of somebody known; whoever voted before stays, although their votes are not read."""
    quackback.read()
    before = quackback.rows("SELECT * FROM raw.voters ORDER BY voter_id")
    post_id = listed(workspace)[0]
    for number in range(60):
        kind, email = (Kind.USER, f"new{number}@acme.example") if number % 2 else (Kind.ANONYMOUS, None)
        workspace.vote(post_id, workspace.add_principal(kind, f"N {number}", email).id)
    pages = -(-len(workspace.thread(post_id)) // 100)
    calls = {name: number for name, number in quackback.read().items() if name.startswith("GET /api/v1/")}
    assert calls == {
        "GET /api/v1/boards": 2,
        "GET /api/v1/posts": 1,
        "GET /api/v1/statuses": 1,
        VOTERS: pages + LOOKED_AT,
    }
    after = quackback.rows("SELECT * FROM raw.voters ORDER BY voter_id")
    assert set(before) <= set(after)
    assert len(after) == len(before) + 60


def test_a_merge_is_learnt_once_and_kept_until_it_is_taken_back(quackback: Reader, workspace: Workspace) -> None:
    """The merged post is looked up in the run that misses it, and in no later one; its votes are the survivor's."""
    quackback.read()
    survivor, merged = listed(workspace)[:2]
    workspace.merge(merged, survivor)
    # Twice: the merged post, which names the survivor, and that.
    assert quackback.read()[POST] == 2
    assert aliases(quackback) == [(merged, survivor)]
    assert stored(quackback, survivor) == {vote.principal_id for vote in workspace.thread(survivor)}
    assert stored(quackback, merged) == set()
    for full in (False, True):
        assert POST not in quackback.read(full=full)
        assert aliases(quackback) == [(merged, survivor)]
    workspace.unmerge(merged)
    assert POST not in quackback.read()
    assert aliases(quackback) == []
    assert stored(quackback, merged) == {vote.principal_id for vote in workspace.thread(merged)}


def test_what_was_merged_into_a_deleted_post_is_gone_with_it(quackback: Reader, workspace: Workspace) -> None:
    """No list and no answer knows either of them."""
    quackback.read()
    survivor, merged = listed(workspace)[:2]
    workspace.merge(merged, survivor)
    quackback.read()
    workspace.delete_post(survivor)
    quackback.read()
    assert aliases(quackback) == []
    assert stored(quackback, survivor) == set()
    gone = quackback.rows(f"SELECT 1 FROM raw.feature_requests WHERE request_id IN ('{survivor}', '{merged}')")
    assert gone == []
