"""What a Canny workspace holds. Times are milliseconds since 1970, ids 24 hexadecimal digits unless said otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

DEFAULT_STATUSES = ("open", "under review", "planned", "in progress")
"""Statuses that posts/list returns when none are asked for; all others are left out."""


@dataclass(slots=True)
class Board:
    """A board. `url_name` is its slug."""

    id: str
    name: str
    created: int
    url_name: str
    is_private: bool = False
    private_comments: bool = False


@dataclass(slots=True)
class Category:
    """A category of one board."""

    id: str
    board_id: str
    name: str
    created: int
    parent_id: str | None = None


@dataclass(slots=True)
class Tag:
    """A tag of one board."""

    id: str
    board_id: str
    name: str
    created: int


@dataclass(slots=True)
class Company:
    """An account. Its id is the customer's own text; `monthly_spend` is in dollars."""

    id: str
    name: str
    created: int
    domain: str | None = None
    monthly_spend: float | None = None
    custom_fields: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class User:
    """A person. `user_id` is the customer's own id; `email` may be missing."""

    id: str
    name: str
    created: int
    email: str | None = None
    user_id: str | None = None
    is_admin: bool = False
    alias: str | None = None
    avatar_url: str | None = None
    last_activity: int | None = None
    custom_fields: dict[str, Any] = field(default_factory=dict)
    company_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class MergedPost:
    """What a surviving post remembers of one merged into it."""

    merged_at: int
    id: str
    created: int
    title: str
    details: str | None
    image_urls: list[str]


@dataclass(slots=True)
class Post:
    """A feature request. `author_id` is None once the account was deleted."""

    id: str
    board_id: str
    title: str
    created: int
    url_name: str
    author_id: str | None = None
    details: str | None = ""
    status: str = "open"
    status_changed_at: int | None = None
    by_id: str | None = None
    owner_id: str | None = None
    category_id: str | None = None
    tag_ids: list[str] = field(default_factory=list)
    eta: str | None = None
    image_urls: list[str] = field(default_factory=list)
    custom_fields: list[dict[str, Any]] = field(default_factory=list)
    merge_history: list[MergedPost] = field(default_factory=list)
    change_comment: str | None = None


@dataclass(slots=True)
class Vote:
    """One person's support of a post. `voter_id` is None when the person is gone."""

    id: str
    post_id: str
    voter_id: str | None
    created: int
    by_id: str | None = None
    priority: str | None = "No priority"
    zendesk_ticket: dict[str, Any] | None = None


@dataclass(slots=True)
class Comment:
    """A comment on a post."""

    id: str
    post_id: str
    author_id: str | None
    created: int
    value: str
    internal: bool = False
    private: bool = False
    image_urls: list[str] = field(default_factory=list)


@dataclass(slots=True)
class StatusChange:
    """One move of a post to another status. `comment` is the text that came with it."""

    id: str
    post_id: str
    changer_id: str | None
    created: int
    status: str
    comment: str | None = None


@dataclass(slots=True)
class Opportunity:
    """A sales opportunity linked to posts."""

    id: str
    name: str
    value: float
    closed: bool
    won: bool
    post_ids: list[str]
    salesforce_id: str


def iso(milliseconds: int) -> str:
    """A time as Canny writes it: `2026-04-16T01:07:22.189Z`."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def milliseconds(moment: datetime) -> int:
    """A time with zone as milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def slug(text: str) -> str:
    """The last part of a web address made from a title."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "post"
