"""The shapes of Quackback's records, and their meaning to us.

Only an id is required, and a post's title; fields we do not use are ignored, and so is everything a record may leave
out or set to null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from integration_assets.connectors.feedback.reading import Id, Reader, Time, UnusableError, read, utc
from integration_assets.connectors.feedback.statuses import status_of
from integration_assets.invisible import is_blank
from integration_assets.models import (
    Account,
    Board,
    FeatureRequest,
    Rejected,
    RejectedRequest,
    Status,
    Vote,
    Voter,
)

STATUSES = {
    "open": Status.OPEN,
    "under_review": Status.UNDER_REVIEW,
    "planned": Status.PLANNED,
    "in_progress": Status.IN_PROGRESS,
    "complete": Status.COMPLETE,
    "closed": Status.CLOSED,
}
"""Slugs of the statuses a new workspace has: names may be changed, slugs stay."""
CATEGORIES = {"complete": Status.COMPLETE, "closed": Status.CLOSED}
"""What the category tells of a workspace's own statuses; of an active one it tells nothing, but perhaps its name."""

_FIELDS = {
    ("board", "boards"): "id name slug description audience postCount createdAt updatedAt",
    ("feature_request", "posts"): """
        id title content contentJson voteCount commentCount boardId boardSlug boardName statusId authorName authorEmail
        ownerId ownerPrincipalId tags pinnedComment summaryJson summaryUpdatedAt canonicalPostId mergedAt mergedPosts
        isCommentsLocked eta createdAt updatedAt deletedAt
    """,
    ("vote", "voters"): """
        principalId displayName email avatarUrl isAnonymous sourceType sourceExternalUrl addedByName createdAt
    """,
    ("account", "companies"): """
        id name domain externalId plan mrrCents size website industry source customAttributes memberCount createdAt
        updatedAt
    """,
    ("status", "statuses"): "id name slug color category position showOnRoadmap isDefault createdAt",
}
DOCUMENTED = {kind: (f"quackback.{name}", frozenset(fields.split())) for (kind, name), fields in _FIELDS.items()}
"""Per kind of record: Quackback's list of it, and the fields it may hold, used or not."""

# --------------------------------------------------------------------------------------------- what Quackback sends


class _Tag(msgspec.Struct, frozen=True):
    name: str | None = None


class _Merged(msgspec.Struct, frozen=True):
    id: Id


class _Board(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    name: str | None = None
    post_count: int | None = None


class _Post(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    title: str | None = None
    content: str | None = None
    vote_count: int | None = None
    board_id: str | None = None
    board_slug: str | None = None
    board_name: str | None = None
    status_id: str | None = None
    tags: tuple[_Tag, ...] | None = None
    merged_posts: tuple[_Merged, ...] | None = None
    created_at: Time | None = None


class _Voter(msgspec.Struct, frozen=True, rename="camel"):
    principal_id: Id
    email: str | None = None
    created_at: Time | None = None


class _Company(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    name: str | None = None
    domain: str | None = None
    external_id: str | None = None
    mrr_cents: int | None = None


class PostStatus(msgspec.Struct, frozen=True):
    """A status as the workspace defines it."""

    id: Id
    name: str | None = None
    slug: str | None = None
    category: str | None = None


# ------------------------------------------------------------------------------------------------ what it means to us


def status(raw: Any, unreadable: dict[str, str]) -> PostStatus:
    """A status."""
    return read(raw, PostStatus, unreadable)


def board(raw: Any, unreadable: dict[str, str]) -> Board:
    """A board; its id stands in for a missing name. Its count takes in posts that were merged into others."""
    board = read(raw, _Board, unreadable)
    return Board(board.id, board.name or board.id, board.post_count)


def feature_request(
    raw: Any, unreadable: dict[str, str], *, statuses: Mapping[str, PostStatus], portal: str
) -> FeatureRequest:
    """A post, by the workspace's `statuses`, its page under the address `portal`. One without a title is unusable.

    Its author has a name only, in every answer: nobody to be found by it.
    """
    post = read(raw, _Post, unreadable)
    # Blank to the eye is no title either; where the title could not be read, that is the reason.
    if is_blank(post.title or ""):
        raise UnusableError(unreadable.get("title", "no title"))
    found = statuses.get(post.status_id or "", PostStatus(""))
    return FeatureRequest(
        request_id=post.id,
        title=post.title or "",
        status=STATUSES.get(found.slug or "") or CATEGORIES.get(found.category or "") or status_of(found.name, {}),
        source_status=found.name,
        board_id=post.board_id,
        board=post.board_name,
        details=post.content,
        url=_page_of(post.id, post.board_slug, portal),
        tags=tuple(tag.name for tag in post.tags or () if tag.name),
        score=post.vote_count,
        created_at=utc(post.created_at, "createdAt", unreadable),
        merged_ids=tuple(dict.fromkeys(merged.id for merged in post.merged_posts or ())),
    )


def vote(raw: Any, unreadable: dict[str, str], *, request_id: str) -> Vote:
    """A vote on a post. Votes have no ids: the post's and the person's together are one."""
    voter = read(raw, _Voter, unreadable)
    person = Voter(voter.principal_id, voter.email)
    vote_id = f"{request_id}:{voter.principal_id}"
    return Vote(vote_id, request_id, person, utc(voter.created_at, "createdAt", unreadable))


def account(raw: Any, unreadable: dict[str, str]) -> Account:
    """A company, by the customer's own id where it has one. Its spend is in whole units of its currency."""
    company = read(raw, _Company, unreadable)
    spend = None if company.mrr_cents is None else str(Decimal(company.mrr_cents).scaleb(-2))
    return Account(company.external_id or company.id, company.name or None, company.domain or None, spend)


def request_reader(statuses: Mapping[str, PostStatus], portal: str) -> Reader:
    """A reader of posts."""
    convert = partial(feature_request, statuses=statuses, portal=portal)
    return _reader("feature_request", convert, rejected=partial(_rejected, portal=portal))


def vote_reader(request_id: str) -> Reader:
    """A reader of the voters of one post."""
    return _reader("vote", partial(vote, request_id=request_id), id_field="principalId")


def reader(kind: str) -> Reader:
    """A reader of one of the other lists, by our word for its records."""
    converters: Mapping[str, Callable[[Any, dict[str, str]], Any]] = {
        "board": board,
        "account": account,
        "status": status,
    }
    return _reader(kind, converters[kind])


def _reader(
    kind: str,
    convert: Callable[[Any, dict[str, str]], Any],
    *,
    rejected: Callable[[str, str, Any], Rejected] | None = None,
    id_field: str = "id",
) -> Reader:
    return Reader(kind, convert, *DOCUMENTED[kind], rejected=rejected, id_field=id_field)


def _rejected(key: str, reason: str, post: Any, *, portal: str) -> Rejected:
    # Its board decides whether anybody asked for it.
    return RejectedRequest(
        "feature_request",
        key,
        reason,
        url=_page_of(key, _text(post.get("boardSlug")), portal),
        board_id=_text(post.get("boardId")),
        merged_ids=_merged_ids(post.get("mergedPosts")),
    )


def _page_of(post_id: str, board_slug: str | None, portal: str) -> str | None:
    return f"{portal}/b/{board_slug}/posts/{post_id}" if board_slug else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _merged_ids(merged: Any) -> tuple[str, ...]:
    """Ids in a list of merged posts that may be of any form: the record that holds it could not be read."""
    ids = (_text(one.get("id")) for one in merged if isinstance(one, dict)) if isinstance(merged, list) else ()
    return tuple(dict.fromkeys(one for one in ids if one))
