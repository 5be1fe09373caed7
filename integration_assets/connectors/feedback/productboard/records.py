"""The shapes of Productboard's records, and their meaning to us.

Features and subfeatures are requests, the products and components above them boards. A note says who wants what: each
feature that it is linked to has a vote of its customer, who is a user, or a company when the user is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import msgspec

from integration_assets.connectors.feedback.plain_text import plain_text
from integration_assets.connectors.feedback.reading import Id, Reader, Time, UnusableError, read, utc
from integration_assets.connectors.feedback.statuses import status_of
from integration_assets.invisible import is_blank
from integration_assets.models import Account, Board, FeatureRequest, Status, Vote, Voter

REDACTED = "[redacted]"
"""Stands for every value that the token's scopes keep from us."""
KEPT_FROM_US = "redacted: the token lacks the scope that shows personal data"
"""Reason that is told of such a value."""
REQUEST_TYPES = ("feature", "subfeature")
BOARD_TYPES = ("product", "component")
STATUSES = {
    "new idea": Status.OPEN,
    "under consideration": Status.UNDER_REVIEW,
    "planned": Status.PLANNED,
    "in progress": Status.IN_PROGRESS,
    "released": Status.COMPLETE,
    "done": Status.COMPLETE,
}
"""Words that mean the same in every workspace. Each has statuses of its own."""
DOCUMENTED = frozenset({"id", "type", "fields", "links", "createdAt", "updatedAt", "relationships", "metadata"})
"""Fields of every entity and note. What stands in `fields` is a workspace's own."""

# --------------------------------------------------------------------------------------------- what Productboard sends


class _Links(msgspec.Struct, frozen=True):
    next: str | None = None
    html: str | None = None


class _Target(msgspec.Struct, frozen=True):
    id: Id
    type: str | None = None


class _Relationship(msgspec.Struct, frozen=True):
    type: str
    target: _Target


class _Relationships(msgspec.Struct, frozen=True):
    data: tuple[_Relationship, ...] = ()
    links: _Links | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str | None = None


class _Fields(msgspec.Struct, frozen=True):
    name: str | None = None
    description: str | None = None
    status: _Named | None = None
    tags: tuple[_Named | str, ...] | None = None
    archived: bool | None = None
    email: str | None = None
    domain: str | None = None


class _Entity(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    # A list of notes may give its relationships without the envelope that lists have.
    relationships: _Relationships | tuple[_Relationship, ...] | None = None
    fields: _Fields | None = None
    links: _Links | None = None
    created_at: Time | None = None


def related(relationships: _Relationships | tuple[_Relationship, ...] | None) -> tuple[_Relationship, ...]:
    """The relationships that came with a record."""
    if isinstance(relationships, _Relationships):
        return relationships.data
    return relationships or ()


# ------------------------------------------------------------------------------------------------ what it means to us


class Note(msgspec.Struct, frozen=True):
    """A note: who wants which requests. `more` is where the rest of its relationships is, None when they are here."""

    note_id: str
    relationships: tuple[_Relationship, ...]
    created_at: datetime | None
    more: str | None = None


def note(raw: Any, unreadable: dict[str, str]) -> Note:
    """A note with the relationships that came with it."""
    found = read(raw, _Entity, unreadable)
    # Its votes are all that is wanted of it: without them it would count as a note that nobody linked.
    if reason := unreadable.get("relationships"):
        raise UnusableError(reason)
    links = found.relationships.links if isinstance(found.relationships, _Relationships) else None
    created = utc(found.created_at, "createdAt", unreadable)
    return Note(found.id, related(found.relationships), created, links.next if links else None)


def relationship(raw: Any) -> _Relationship:
    """A relationship of a list of its own.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(raw, _Relationship)


def votes(note: Note) -> tuple[Vote, ...]:
    """The votes of a note's customer, one for each request it is linked to; links to components are none."""
    customer = next((one.target for one in note.relationships if one.type == "customer"), None)
    voter = None
    if customer is not None:
        # A company that is named without a person votes itself, and is its own account.
        voter = Voter(customer.id, None, (customer.id,) if customer.type == "company" else ())
    wanted = dict.fromkeys(
        one.target.id for one in note.relationships if one.type == "link" and one.target.type in REQUEST_TYPES
    )
    return tuple(Vote(f"{note.note_id}:{one}", one, voter, note.created_at) for one in wanted)


def parent(raw: Any) -> _Target | None:
    """Parent of an entity of any form."""
    try:
        found = msgspec.convert(raw, _Entity)
    except msgspec.ValidationError:
        return None
    return next((one.target for one in related(found.relationships) if one.type == "parent"), None)


def feature_request(raw: Any, board: Board | None, unreadable: dict[str, str]) -> FeatureRequest:
    """A feature or subfeature of `board`. One without a name is unusable."""
    found = read(raw, _Entity, unreadable)
    fields = found.fields or _Fields()
    if is_blank(fields.name or ""):
        raise UnusableError(unreadable.get("fields", "no name"))
    # It would be written over the title in the CRM.
    if fields.name == REDACTED:
        raise UnusableError(KEPT_FROM_US)
    word = fields.status.name if fields.status else None
    status = status_of(word, STATUSES)
    return FeatureRequest(
        request_id=found.id,
        title=fields.name or "",
        # Nobody works on what was archived, whatever its status was.
        status=Status.CLOSED if fields.archived else status,
        source_status=word,
        board_id=board.board_id if board else None,
        board=board.name if board else None,
        details=plain_text(fields.description) if fields.description else None,
        url=found.links.html if found.links else None,
        tags=tuple(name for tag in fields.tags or () if (name := tag if isinstance(tag, str) else tag.name)),
        created_at=utc(found.created_at, "createdAt", unreadable),
    )


def board(raw: Any, unreadable: dict[str, str]) -> Board:
    """A product or component; its id stands in for a missing name."""
    found = read(raw, _Entity, unreadable)
    return Board(found.id, (found.fields.name if found.fields else None) or found.id)


def voter(raw: Any, unreadable: dict[str, str]) -> Voter:
    """A user with the companies it is related to."""
    found = read(raw, _Entity, unreadable)
    email = _shown("email", found.fields.email if found.fields else None, unreadable)
    companies = dict.fromkeys(one.target.id for one in related(found.relationships) if one.target.type == "company")
    return Voter(found.id, email, tuple(companies))


def account(raw: Any, spend_field: str | None, unreadable: dict[str, str]) -> Account:
    """A company; `spend_field` is the id of the custom field with its spend, whose number is kept as it was written."""
    found = read(raw, _Entity, unreadable)
    fields = found.fields or _Fields()
    custom = raw.get("fields") if isinstance(raw, dict) else None
    spend = custom.get(spend_field) if isinstance(custom, dict) and spend_field else None
    if spend is not None and (isinstance(spend, bool) or not isinstance(spend, int | float | str)):
        unreadable[str(spend_field)], spend = f"expected a number, got {type(spend).__name__}", None
    # By none of them may a company be found, or shown.
    domain, name = (_shown(word, getattr(fields, word), unreadable) for word in ("domain", "name"))
    return Account(found.id, name, domain, None if spend is None else str(spend))


def _shown(field: str, value: str | None, unreadable: dict[str, str]) -> str | None:
    if value == REDACTED:
        unreadable[field] = KEPT_FROM_US
        return None
    return value or None


def reader(kind: str, convert: Callable[[Any, dict[str, str]], Any], listed_as: Collection[str]) -> Reader:
    """A reader of lists of some types, by our word for their records."""
    return Reader(kind, convert, f"productboard.{'_'.join(listed_as)}", DOCUMENTED)
