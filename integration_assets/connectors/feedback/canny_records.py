"""What Canny's records look like, and what they mean to us.

Only an id is required; keys we do not use are ignored, and so is everything a record may leave out or set to null. A
value of another type than documented rejects the record, by the path of the field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from integration_assets.connectors.fields import unknown_fields
from integration_assets.models import (
    REQUEST_WITHOUT_ID,
    WITHOUT_ID,
    Account,
    Board,
    FeatureRequest,
    Page,
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
"""Canny's built-in statuses. All others are a workspace's own and mean nothing we could know."""

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

Id = Annotated[str, msgspec.Meta(min_length=1)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]

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


class UnusableError(ValueError):
    """A record of the right shape that means nothing usable."""


def feature_request(raw: Any) -> FeatureRequest:
    """A post. One without a title is unusable."""
    post = msgspec.convert(raw, _Post)
    if not (post.title or "").strip():
        raise UnusableError("no title")
    return FeatureRequest(
        request_id=post.id,
        title=post.title or "",
        status=STATUSES.get((post.status or "").strip().lower(), Status.UNKNOWN),
        source_status=post.status,
        board_id=post.board.id if post.board else None,
        board=post.board.name if post.board else None,
        category=post.category.name if post.category else None,
        details=post.details,
        url=post.url,
        tags=tuple(tag.name for tag in post.tags or () if tag.name),
        score=post.score,
        author_id=post.author.id if post.author else None,
        created_at=_utc(post.created),
        status_changed_at=_utc(post.status_changed_at),
        merged_ids=tuple(dict.fromkeys(merge.post.id for merge in post.merge_history or () if merge.post)),
    )


def board(raw: Any) -> Board:
    """A board; its id stands in for a missing name."""
    board = msgspec.convert(raw, _Board)
    return Board(board.id, board.name or board.id, board.post_count)


def _voter_of(user: _User) -> Voter:
    return Voter(user.id, user.email, tuple(dict.fromkeys(company.id for company in user.companies or ())))


def voter(raw: Any) -> Voter:
    """A user with the ids of the companies it belongs to."""
    return _voter_of(msgspec.convert(raw, _User))


def vote(raw: Any) -> Vote:
    """A vote. Its voter knows no companies, and is None when the person is gone."""
    vote = msgspec.convert(raw, _Vote)
    if not vote.post.id:
        raise UnusableError(REQUEST_WITHOUT_ID)
    voter = _voter_of(vote.voter) if vote.voter else None
    return Vote(vote.id, vote.post.id, voter, _utc(vote.created), vote.post.status)


def account(raw: Any) -> Account:
    """A company. Its spend is kept as the number was written."""
    company = msgspec.convert(raw, _Company)
    spend = None if company.monthly_spend is None else str(company.monthly_spend)
    return Account(company.id, company.name or None, company.domain or None, spend)


def status_change(raw: Any) -> StatusChange:
    """A move of a post to another status."""
    change = msgspec.convert(raw, _StatusChange)
    return StatusChange(change.id, change.post.id, change.status, _utc(change.created))


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise UnusableError("a time beyond the calendar") from None


class Reader:
    """Turns the raw pages of one list into pages of records, once per id, whatever is served twice."""

    def __init__(self, kind: str, convert: Callable[[Any], Any]) -> None:
        self._kind = kind
        self._convert = convert
        self._seen: set[str] = set()
        self._position = 0

    def page(self, items: Iterable[Any]) -> Page[Any]:
        """The items of one raw page that were not served before, in their order."""
        records, rejected, new = [], [], []
        for item in items:
            self._position += 1
            given = item.get("id") if isinstance(item, dict) else None
            key = given if isinstance(given, str) and given else f"item {self._position} {WITHOUT_ID}"
            if key in self._seen:
                continue
            self._seen.add(key)
            new.append(item)
            try:
                records.append(self._convert(item))
            except (msgspec.ValidationError, UnusableError) as error:
                rejected.append(self._rejected(key, str(error), item))
        return Page(tuple(records), tuple(rejected), unknown_fields=unknown_fields(*DOCUMENTED[self._kind], new))

    def _rejected(self, key: str, reason: str, item: Any) -> Rejected:
        if self._kind != "feature_request" or not isinstance(item, dict):
            return Rejected(self._kind, key, reason)
        return RejectedRequest(
            self._kind,
            key,
            reason,
            url=_text(item.get("url")),
            board_id=_id_of(item.get("board")),
            merged_ids=_merged_ids(item.get("mergeHistory")),
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
