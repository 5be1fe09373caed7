"""A whole read of votes that dies on the way is gone on with by the next run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integration_assets.errors import CredentialError
from integration_assets.ingest import vote_checkpoint
from integration_assets.ingest.vote_checkpoint import VoteCheckpoint, forget_vote_pages
from integration_assets.models import Page, Rejected, Vote, Voter
from integration_assets.sandbox.canny.workspace import Workspace
from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets.staging.store import open_store
from integration_assets_tests.ingest.conftest import Reader

VOTES = "/v2/votes/list"
PAGES = 5
"""Of the small sandbox's votes."""
READ = 2
"""Pages read before the run dies."""
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def each_page_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vote_checkpoint, "PAGES_PER_PART", 1)


def workspace_of(reader: Reader) -> Workspace:
    return reader.served.sandbox.sample.workspace


def die_while_reading(reader: Reader) -> None:
    """A read whose key is refused once two pages of votes have come."""
    canny, seen = reader.served.sandbox.canny, []

    def third_page(request: LoggedRequest) -> bool:
        seen.append(request.path.endswith(VOTES))
        return seen[-1] and sum(seen) > READ

    canny.faults.append(Fault(third_page, status=401))
    with pytest.raises(CredentialError):
        reader.read()
    canny.faults.clear()


def again(reader: Reader) -> int:
    """Pages of votes that the list of all took, those of single requests left out."""
    canny = reader.served.sandbox.canny
    canny.requests.clear()
    reader.read()
    return sum(request.path.endswith(VOTES) and b"postID" not in request.body for request in canny.requests)


def stored(reader: Reader) -> set[str]:
    return {vote_id for (vote_id,) in reader.rows("SELECT vote_id FROM raw.votes")}


def test_the_next_run_reads_what_the_dead_one_did_not(reader: Reader) -> None:
    """The pages that were read are not asked for again, one more looks for what has come since, and no vote is lost."""
    die_while_reading(reader)
    assert reader.rows("SELECT count(*) FROM raw.vote_pages") == [(READ,)]
    assert again(reader) == PAGES - READ + 1
    assert stored(reader) == set(workspace_of(reader).votes)
    assert reader.rows("SELECT count(*) FROM raw.vote_pages") == [(0,)]
    assert again(reader) == 1


def test_what_changed_in_between_is_seen(reader: Reader) -> None:
    """A vote that has come since is found at the head of the list, one taken back by its request's score."""
    die_while_reading(reader)
    workspace = workspace_of(reader)
    post = max(workspace.posts, key=workspace.score)
    voted = {workspace.votes[vote_id].voter_id for _, vote_id in workspace.votes_of_post[post].newest_first()}
    workspace.vote(post, next(user for user in workspace.users if user not in voted))
    other = sorted(workspace.posts, key=workspace.score)[-2]
    _, newest = next(iter(workspace.votes_of_post[other].newest_first()))
    workspace.delete_vote(newest)
    again(reader)
    assert stored(reader) == set(workspace.votes)


def test_a_cursor_that_is_refused_costs_a_call(reader: Reader) -> None:
    """Where the source does not know the place any more, the list is read from its beginning."""
    die_while_reading(reader)
    with reader.inputs() as inputs:
        inputs.connection.execute("UPDATE raw.vote_pages SET cursor = 'nonsense'")
    assert again(reader) == 1 + PAGES + 1
    assert stored(reader) == set(workspace_of(reader).votes)


@pytest.mark.parametrize("change", ["read_at = read_at - INTERVAL 2 HOUR", "credential = 'another'"])
def test_old_pages_and_those_of_others_are_not_believed(reader: Reader, change: str) -> None:
    """After an hour, or with another key, everything is read again."""
    die_while_reading(reader)
    with reader.inputs() as inputs:
        inputs.connection.execute(f"UPDATE raw.vote_pages SET {change}")
    assert again(reader) == PAGES
    assert stored(reader) == set(workspace_of(reader).votes)


def test_pages_come_back_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records, refusals and unknown fields of kept pages are the same in the next run; a part has to be full for it."""
    monkeypatch.setattr(vote_checkpoint, "PAGES_PER_PART", 2)
    vote = Vote("v1", "r1", Voter("p1", "ann@acme.com", ("a1",)), NOW, "open")
    pages = [
        Page((vote,), (Rejected("vote", "v2", "no time"),), unknown_fields={"canny.votes.mood": 1}, cursor="one"),
        Page((Vote("v3", "r1", None, None),), cursor="two"),
        Page((Vote("v4", "r1", None, None),), cursor="three"),
    ]
    with open_store(tmp_path / "store.duckdb") as connection:
        first = VoteCheckpoint(connection, "key", NOW)
        assert (first.kept, first.cursor, list(first.pages())) == (0, None, [])
        for page in pages:
            first.keep(page, NOW)
        second = VoteCheckpoint(connection, "key", NOW + timedelta(minutes=59))
        assert (second.cursor, list(second.pages())) == ("two", pages[:2])
        forget_vote_pages(connection)
        assert VoteCheckpoint(connection, "key", NOW).cursor is None
