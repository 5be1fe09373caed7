"""Content of a Quackback workspace. Times are milliseconds since 1970; ids are a prefix and 26 characters."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_SUFFIX = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")


class Kind(StrEnum):
    """Kind of principal: who signed in, who did not, and who works here."""

    USER = "user"
    ANONYMOUS = "anonymous"
    TEAM = "team"


@dataclass(slots=True)
class Board:
    """A board."""

    id: str
    name: str
    slug: str
    created: int


@dataclass(slots=True)
class Status:
    """A status. `category` is active, complete or closed."""

    id: str
    name: str
    slug: str
    category: str
    position: int
    created: int


@dataclass(slots=True)
class Tag:
    """A tag, of all boards."""

    id: str
    name: str


@dataclass(slots=True)
class Principal:
    """Somebody who can vote. Anonymous ones have neither name nor address."""

    id: str
    kind: Kind
    created: int
    name: str | None = None
    email: str | None = None


@dataclass(slots=True)
class Company:
    """An account. `external_id` is the customer's own id of it."""

    id: str
    name: str
    created: int
    domain: str | None = None
    external_id: str | None = None
    plan: str | None = None
    mrr_cents: int | None = None
    member_count: int = 0


@dataclass(slots=True)
class Post:
    """A feature request. `canonical_id` is the post it was merged into; `vote_count` is kept beside the votes."""

    id: str
    board_id: str
    title: str
    created: int
    content: str = ""
    status_id: str | None = None
    author_id: str | None = None
    tag_ids: list[str] = field(default_factory=list)
    vote_count: int = 0
    canonical_id: str | None = None
    merged_at: int | None = None
    deleted_at: int | None = None


@dataclass(slots=True)
class Vote:
    """One person's vote on a post. `added_by` is the team member who cast it for them."""

    id: str
    post_id: str
    principal_id: str
    created: int
    added_by: str | None = None


def make_id(prefix: str, created: int, draw: random.Random) -> str:
    """An id that sorts by time of creation: a UUID of version 7 in 26 base-32 digits."""
    number = created << 80 | 7 << 76 | draw.getrandbits(12) << 64 | 2 << 62 | draw.getrandbits(62)
    return f"{prefix}_{''.join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))}"


def is_id(text: str, prefix: str) -> bool:
    """True if a text has the form of an id of this kind."""
    return text.startswith(f"{prefix}_") and _SUFFIX.fullmatch(text.removeprefix(f"{prefix}_")) is not None


def iso(milliseconds: int) -> str:
    """A time as the API writes it: `2026-04-16T01:07:22.189Z`."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
