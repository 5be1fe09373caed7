"""The state of a Quackback workspace, and what merging, deleting and voting do to it.

Not thread-safe: change it between requests, or from a fault's `matches`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from integration_assets.sandbox.made_up import repeatable
from integration_assets.sandbox.quackback.records import (
    Board,
    Company,
    Kind,
    Post,
    Principal,
    Status,
    Tag,
    Vote,
    make_id,
)

STATUSES = (
    ("Open", "open", "active"),
    ("Under Review", "under_review", "active"),
    ("Planned", "planned", "active"),
    ("In Progress", "in_progress", "active"),
    ("Complete", "complete", "complete"),
    ("Closed", "closed", "closed"),
)
"""Statuses of a new workspace: name, slug, category."""
WINDOW_SECONDS = 60.0
IMPORT_FACTOR = 20
"""How many times as many calls a minute are allowed with the header for imports."""


class Window:
    """A fixed window: calls of one address, refused ones included. `calls` None: no limit."""

    def __init__(self, calls: int | None, now: Callable[[], float]) -> None:
        self.calls = calls
        self._now = now
        self._began = 0.0
        self._made = 0

    def refuse(self, *, importing: bool) -> int | None:
        """Count one call; the seconds to wait when it is over the limit, else None."""
        if self.calls is None:
            return None
        moment = self._now()
        if moment - self._began >= WINDOW_SECONDS:
            self._began, self._made = moment, 0
        self._made += 1
        if self._made <= self.calls * (IMPORT_FACTOR if importing else 1):
            return None
        return max(1, round(self._began + WINDOW_SECONDS - moment))


@dataclass
class Key:
    """An API key and its scopes; None: a key from before there were any, which may do everything."""

    secret: str
    scopes: frozenset[str] | None = frozenset({"read:feedback"})


class Workspace:
    """One Quackback server. `clock` gives seconds since 1970 for times of creation, `now` the limiter's seconds."""

    def __init__(
        self,
        api_key: str = "qb_0123456789abcdef0123456789abcdef0123456789abcdef",
        *,
        calls_per_minute: int | None = 100,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.key = Key(api_key)
        self.window = Window(calls_per_minute, now)
        self.clock = clock
        self._draw = repeatable(seed)
        self.boards: dict[str, Board] = {}
        self.statuses: dict[str, Status] = {}
        self.tags: dict[str, Tag] = {}
        self.principals: dict[str, Principal] = {}
        self.companies: dict[str, Company] = {}
        self.posts: dict[str, Post] = {}
        self.votes: dict[str, Vote] = {}
        self.votes_of_post: defaultdict[str, list[str]] = defaultdict(list)
        self.merged_into: defaultdict[str, list[str]] = defaultdict(list)
        for name, slug, category in STATUSES:
            self.add_status(name, slug, category)

    def new_id(self, prefix: str, created: int | None = None) -> str:
        """A fresh id."""
        return make_id(prefix, self.moment() if created is None else created, self._draw)

    def moment(self) -> int:
        """The workspace's present, in milliseconds since 1970."""
        return round(self.clock() * 1000)

    # -- adding

    def add_board(self, name: str, slug: str, *, created: int | None = None) -> Board:
        """Create a board."""
        made = self.moment() if created is None else created
        board = Board(self.new_id("board", made), name, slug, made)
        self.boards[board.id] = board
        return board

    def add_status(self, name: str, slug: str, category: str = "active") -> Status:
        """Create a status."""
        status = Status(self.new_id("post_status"), name, slug, category, len(self.statuses), self.moment())
        self.statuses[status.id] = status
        return status

    def status(self, slug: str) -> Status:
        """The status of a slug."""
        return next(one for one in self.statuses.values() if one.slug == slug)

    def add_tag(self, name: str) -> Tag:
        """Create a tag, or give back the one of that name."""
        for known in self.tags.values():
            if known.name == name:
                return known
        tag = Tag(self.new_id("post_tag"), name)
        self.tags[tag.id] = tag
        return tag

    def add_principal(
        self, kind: Kind, name: str | None = None, email: str | None = None, *, created: int | None = None
    ) -> Principal:
        """Add somebody who can vote; addresses are kept in lower case."""
        made = self.moment() if created is None else created
        address = email.lower() if email else None
        principal = Principal(self.new_id("principal", made), kind, made, name, address)
        self.principals[principal.id] = principal
        return principal

    def add_company(self, name: str, *, created: int | None = None, **fields: str | int | None) -> Company:
        """Add an account; `fields` are the others of `Company`."""
        made = self.moment() if created is None else created
        company = Company(self.new_id("company", made), name, made, **fields)  # type: ignore[arg-type] # by name
        self.companies[company.id] = company
        return company

    def add_post(self, board_id: str, title: str, *, created: int | None = None, slug: str = "open") -> Post:
        """Add a post in a status."""
        made = self.moment() if created is None else created
        post = Post(self.new_id("post", made), board_id, title, made, status_id=self.status(slug).id)
        self.posts[post.id] = post
        return post

    def vote(
        self, post_id: str, principal_id: str, *, created: int | None = None, added_by: str | None = None
    ) -> Vote | None:
        """Cast a vote; None for a person's second one on the same post."""
        if any(self.votes[one].principal_id == principal_id for one in self.votes_of_post[post_id]):
            return None
        return self.add_votes([(post_id, principal_id, created, added_by)])[0]

    def add_votes(self, votes: Iterable[tuple[str, str, int | None, str | None]]) -> list[Vote]:
        """Add votes of (post, principal, time, who added it) that are the only ones of the person on the post."""
        made = []
        for post_id, principal_id, created, added_by in votes:
            moment = self.moment() if created is None else created
            vote = Vote(self.new_id("post_vote", moment), post_id, principal_id, moment, added_by)
            self.votes[vote.id] = vote
            self.votes_of_post[post_id].append(vote.id)
            self.posts[post_id].vote_count += 1
            made.append(vote)
        return made

    # -- changing

    def take_back(self, post_id: str, principal_id: str) -> None:
        """Take a person's vote on a post back."""
        for vote_id in list(self.votes_of_post[post_id]):
            if self.votes[vote_id].principal_id == principal_id:
                self.votes_of_post[post_id].remove(vote_id)
                del self.votes[vote_id]
                self.posts[post_id].vote_count -= 1

    def merge(self, post_id: str, into_id: str) -> None:
        """Merge a post into another. No vote moves: the survivor's list and count take in those of both."""
        post = self.posts[post_id]
        post.canonical_id, post.merged_at = into_id, self.moment()
        self.merged_into[into_id].append(post_id)
        self.posts[into_id].vote_count = len(self.thread(into_id))

    def unmerge(self, post_id: str) -> None:
        """Take a merge back."""
        post = self.posts[post_id]
        survivor, post.canonical_id, post.merged_at = post.canonical_id or "", None, None
        self.merged_into[survivor].remove(post_id)
        self.posts[survivor].vote_count = len(self.thread(survivor))

    def delete_post(self, post_id: str) -> None:
        """Delete a post so that it could be restored: it leaves the list and can still be asked for."""
        self.posts[post_id].deleted_at = self.moment()

    def purge_post(self, post_id: str) -> None:
        """Remove a post as if it had never been there."""
        del self.posts[post_id]
        for vote_id in self.votes_of_post.pop(post_id, []):
            del self.votes[vote_id]

    # -- looking up

    def thread(self, post_id: str) -> list[Vote]:
        """Votes on a post and on those merged into it, newest first; of a person's several the newest."""
        ids = [one for post in (post_id, *self.merged_into[post_id]) for one in self.votes_of_post[post]]
        newest: dict[str, Vote] = {}
        for vote in sorted((self.votes[one] for one in ids), key=lambda one: (one.created, one.id), reverse=True):
            newest.setdefault(vote.principal_id, vote)
        return list(newest.values())
