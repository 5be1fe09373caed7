"""The shapes of Canny's records, and their meaning to us.

Only an id is required, a post's title and the post of a vote or status change; keys we do not use are ignored, and so
is everything a record may leave out or set to null. A value of another type than documented costs the record that
field; that of a required one rejects the record, by the path of the field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from integration_assets.connectors.feedback.reading import Id, Reader, Time, UnusableError, read, utc
from integration_assets.connectors.feedback.statuses import status_of
from integration_assets.invisible import is_blank
from integration_assets.models import (
    REQUEST_WITHOUT_ID,
    Account,
    Board,
    FeatureRequest,
    Rejected,
    RejectedRequest,
    Status,
    StatusChange,
    Vote,
    Voter,
)

STATUSES = {
    "open": Status.OPEN,
    "under review": Status.UNDER_REVIEW,
    "planned": Status.PLANNED,
    "in progress": Status.IN_PROGRESS,
    "complete": Status.COMPLETE,
    "closed": Status.CLOSED,
}
"""Canny's built-in statuses. All others are a workspace's own."""

_FIELDS = {
    ("board", "boards"): "id created isPrivate name postCount privateComments token url",
    ("feature_request", "posts"): """
        id author board by category changeComment clickup commentCount created customFields details eta imageURLs jira
        linear mergeHistory owner roadmaps score status statusChangedAt tags title totalMRR url
    """,
    ("vote", "votes"): "id board by created post voter votePriority zendeskTicket",
    ("voter", "users"): "id alias avatarURL companies created customFields email isAdmin lastActivity name url userID",
    ("account", "companies"): "id created customFields domain memberCount monthlySpend name",
    ("status_change", "status_changes"): "id changeComment changer created post status",
}
DOCUMENTED = {kind: (f"canny.{name}", frozenset(fields.split())) for (kind, name), fields in _FIELDS.items()}
"""Per kind of record: Canny's list of it, and the fields it may hold, used or not. Source: Canny API reference; `token`
and `totalMRR` are in real answers all the same."""

# ------------------------------------------------------------------------------------------------- what Canny sends


class _Named(msgspec.Struct, frozen=True):
    id: str | None = None
    name: str | None = None


class _Reference(msgspec.Struct, frozen=True):
    id: Id


class _Merge(msgspec.Struct, frozen=True):
    post: _Reference | None = None


class _Board(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    name: str | None = None
    post_count: int | None = None


class _Post(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    title: str | None = None
    details: str | None = None
    status: str | None = None
    status_changed_at: Time | None = None
    board: _Named | None = None
    category: _Named | None = None
    tags: tuple[_Named, ...] | None = None
    score: int | None = None
    author: _Reference | None = None
    created: Time | None = None
    merge_history: tuple[_Merge, ...] | None = None
    url: str | None = None


class _VotedPost(msgspec.Struct, frozen=True):
    id: str | None = None
    status: str | None = None


class _User(msgspec.Struct, frozen=True):
    id: Id
    email: str | None = None
    companies: tuple[_Reference, ...] | None = None


class _Vote(msgspec.Struct, frozen=True):
    id: Id
    post: _VotedPost
    voter: _User | None = None
    created: Time | None = None


class _Company(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    name: str | None = None
    domain: str | None = None
    monthly_spend: int | float | None = None


class _StatusChange(msgspec.Struct, frozen=True):
    id: Id
    post: _Reference
    status: str
    created: Time | None = None


# ------------------------------------------------------------------------------------------------ what it means to us


def feature_request(raw: Any, unreadable: dict[str, str]) -> FeatureRequest:
    """A post. One without a title is unusable."""
    post = read(raw, _Post, unreadable)
    # Blank to the eye is no title either; where the title could not be read, that is the reason.
    if is_blank(post.title or ""):
        raise UnusableError(unreadable.get("title", "no title"))
    return FeatureRequest(
        request_id=post.id,
        title=post.title or "",
        # Most of a workspace's own statuses mean nothing we could know; the word is kept beside it.
        status=status_of(post.status, STATUSES),
        source_status=post.status,
        board_id=post.board.id if post.board else None,
        board=post.board.name if post.board else None,
        category=post.category.name if post.category else None,
        details=post.details,
        url=post.url,
        tags=tuple(tag.name for tag in post.tags or () if tag.name),
        score=post.score,
        author_id=post.author.id if post.author else None,
        created_at=utc(post.created, "created", unreadable),
        status_changed_at=utc(post.status_changed_at, "statusChangedAt", unreadable),
        merged_ids=tuple(dict.fromkeys(merge.post.id for merge in post.merge_history or () if merge.post)),
    )


def board(raw: Any, unreadable: dict[str, str]) -> Board:
    """A board; its id stands in for a missing name."""
    board = read(raw, _Board, unreadable)
    return Board(board.id, board.name or board.id, board.post_count)


def _voter_of(user: _User) -> Voter:
    return Voter(user.id, user.email, tuple(dict.fromkeys(company.id for company in user.companies or ())))


def voter(raw: Any, unreadable: dict[str, str]) -> Voter:
    """A user with the ids of the companies it belongs to."""
    return _voter_of(read(raw, _User, unreadable))


def vote(raw: Any, unreadable: dict[str, str]) -> Vote:
    """A vote. Its voter knows no companies, and is None when the person is gone."""
    vote = read(raw, _Vote, unreadable)
    # A vote for nothing cannot be counted, and is told.
    if not vote.post.id:
        raise UnusableError(REQUEST_WITHOUT_ID)
    # The vote stands, although the person who gave it is gone.
    voter = _voter_of(vote.voter) if vote.voter else None
    return Vote(vote.id, vote.post.id, voter, utc(vote.created, "created", unreadable), vote.post.status)


def account(raw: Any, unreadable: dict[str, str]) -> Account:
    """A company. Its spend is kept as the number was written."""
    company = read(raw, _Company, unreadable)
    spend = None if company.monthly_spend is None else str(company.monthly_spend)
    return Account(company.id, company.name or None, company.domain or None, spend)


def status_change(raw: Any, unreadable: dict[str, str]) -> StatusChange:
    """A move of a post to another status."""
    change = read(raw, _StatusChange, unreadable)
    return StatusChange(change.id, change.post.id, change.status, utc(change.created, "created", unreadable))


def reader(kind: str, convert: Callable[[Any, dict[str, str]], Any]) -> Reader:
    """A reader of one of Canny's lists, by our word for its records."""
    return Reader(kind, convert, *DOCUMENTED[kind], rejected=_rejected if kind == "feature_request" else None)


def _rejected(key: str, reason: str, post: Any) -> Rejected:
    # With what is known of it: its board decides whether anybody asked for it, and what was merged into it is not
    # gone.
    return RejectedRequest(
        "feature_request",
        key,
        reason,
        url=_text(post.get("url")),
        board_id=_id_of(post.get("board")),
        merged_ids=_merged_ids(post.get("mergeHistory")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _id_of(reference: Any) -> str | None:
    return _text(reference.get("id")) if isinstance(reference, dict) else None


def _merged_ids(history: Any) -> tuple[str, ...]:
    """Ids in a merge history that may be of any form: the record that holds it could not be read."""
    merges = history if isinstance(history, list) else []
    ids = (_id_of(merge.get("post")) for merge in merges if isinstance(merge, dict))
    return tuple(dict.fromkeys(merged for merged in ids if merged))
