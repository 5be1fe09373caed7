"""The shapes of UserVoice's records, and their meaning to us.

Suggestions are requests, forums boards, supporters votes. A record links others by their ids; what a call `includes`
comes beside the records in lists of its own, and is looked up there. Only an id is required, and a suggestion's title
and a supporter's suggestion. Ids are numbers, and texts to us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from integration_assets.connectors.feedback.plain_text import plain_text
from integration_assets.connectors.feedback.reading import Id, Reader, Time, UnusableError, read, utc
from integration_assets.connectors.feedback.statuses import status_of
from integration_assets.invisible import is_blank
from integration_assets.models import Account, Board, FeatureRequest, Rejected, RejectedRequest, Status, Vote, Voter

MERGED = "merged"
"""State of a suggestion that was merged into another. Into which one no answer is known to say."""
STATUSES = {
    "under review": Status.UNDER_REVIEW,
    "planned": Status.PLANNED,
    "started": Status.IN_PROGRESS,
    "in progress": Status.IN_PROGRESS,
    "complete": Status.COMPLETE,
    "completed": Status.COMPLETE,
    "declined": Status.CLOSED,
}
"""Words that mean the same in every account. Each has statuses of its own, of which only a closed one and
one on hold tell more."""

_FIELDS = {
    ("board", "forums"): """
        id name welcome_message welcome_message_mime_type prompt example portal_url open_suggestions_count
        suggestions_count category_required is_public is_private classic_voting created_at updated_at links
    """,
    ("feature_request", "suggestions"): """
        id title body body_mime_type state admin_url portal_url average_engagement engagement_trend recent_engagement
        channel comments_count notes_count requests_count votes_count supporters_count supporting_accounts_count
        supporter_mrr supporter_revenue supporter_satisfaction_score satisfaction_detractor_count
        satisfaction_neutral_count satisfaction_promoter_count inappropriate_flags_count is_blocker creator_browser
        creator_browser_version creator_mobile creator_os creator_referrer creator_user_agent approved_at closed_at
        first_support_at created_at updated_at links
    """,
    ("vote", "supporters"): "id channel how is_subscribed comments_count requests_count created_at updated_at links",
    ("voter", "users"): """
        id guid name email_address email_confirmed job_title avatar_url last_ip last_login country region city state
        allowed_state satisfaction_score supported_suggestions_count is_admin is_owner is_subscribed
        status_notifications comment_notifications created_at updated_at links
    """,
    ("account", "external_accounts"): """
        id external_id name plan mrr mrr_cents ltv ltv_cents nps is_blocker users_count requests_count
        supported_ideas_count external_created_at last_active_at created_at updated_at links
    """,
}
DOCUMENTED = {kind: (f"uservoice.{name}", frozenset(fields.split())) for (kind, name), fields in _FIELDS.items()}
"""Per kind of record: UserVoice's list of it, and the fields it may hold, used or not."""

# --------------------------------------------------------------------------------------------- what UserVoice sends


class _SuggestionLinks(msgspec.Struct, frozen=True):
    forum: int | None = None
    category: int | None = None
    status: int | None = None
    created_by: int | None = None
    labels: tuple[int, ...] | None = None


class _Suggestion(msgspec.Struct, frozen=True):
    id: Id
    title: str | None = None
    body: str | None = None
    body_mime_type: str | None = None
    state: str | None = None
    supporters_count: int | None = None
    portal_url: str | None = None
    created_at: Time | None = None
    closed_at: str | None = None
    links: _SuggestionLinks | None = None


class _SupporterLinks(msgspec.Struct, frozen=True):
    suggestion: int
    user: int | None = None


class _Supporter(msgspec.Struct, frozen=True):
    id: Id
    links: _SupporterLinks
    created_at: Time | None = None


class _UserLinks(msgspec.Struct, frozen=True):
    external_users: tuple[int, ...] | None = None


class _User(msgspec.Struct, frozen=True):
    id: Id
    email_address: str | None = None
    links: _UserLinks | None = None


class _Forum(msgspec.Struct, frozen=True):
    id: Id
    name: str | None = None


class _ExternalAccount(msgspec.Struct, frozen=True):
    id: Id
    external_id: str | None = None
    name: str | None = None
    mrr_cents: int | None = None


class SideLoaded:
    """Records that came beside those of the page that is read now, by type and id."""

    def __init__(self) -> None:
        self._by_type: Mapping[str, Mapping[int, Mapping[str, Any]]] = {}

    def take(self, body: Mapping[str, Any]) -> None:
        """Forget those of the page before, and keep those of this answer."""
        lists = {name: items for name, items in body.items() if isinstance(items, list)}
        self._by_type = {
            name: {one["id"]: one for one in items if isinstance(one, dict) and type(one.get("id")) is int}
            for name, items in lists.items()
        }

    def find(self, kind: str, record_id: int, unreadable: dict[str, str]) -> Mapping[str, Any]:
        """The record that a link names; empty, and told under `links`, where it did not come along."""
        found = self._by_type.get(kind, {}).get(record_id)
        if found is None:
            unreadable.setdefault("links", f"a record of {kind} that is linked did not come with the page")
        return found or {}

    def text(self, kind: str, record_id: int | None, field: str, unreadable: dict[str, str]) -> str | None:
        """A field of the record that a link names; None where there is no link, or the field holds no text."""
        value = None if record_id is None else self.find(kind, record_id, unreadable).get(field)
        return value if isinstance(value, str) and value else None

    def email(self, user_id: int) -> str | None:
        """The address of a user that came along, exactly as it was written."""
        value = self._by_type.get("users", {}).get(user_id, {}).get("email_address")
        return value if isinstance(value, str) else None


# ------------------------------------------------------------------------------------------------ what it means to us


def with_text_id(item: Any) -> Any:
    """A record as it came, its id as text; what is no record, or has no number for an id, stays as it is."""
    return {**item, "id": str(item["id"])} if isinstance(item, dict) and type(item.get("id")) is int else item


def board(raw: Any, unreadable: dict[str, str]) -> Board:
    """A forum; its id stands in for a missing name. Which suggestions its count takes in is not documented."""
    forum = read(raw, _Forum, unreadable)
    return Board(forum.id, forum.name or forum.id)


def feature_request(raw: Any, unreadable: dict[str, str], *, beside: SideLoaded) -> FeatureRequest:
    """A suggestion with the names of what it links. One without a title is unusable."""
    suggestion = read(raw, _Suggestion, unreadable)
    if is_blank(suggestion.title or ""):
        raise UnusableError(unreadable.get("title", "no title"))
    links = suggestion.links or _SuggestionLinks()
    status, word = _status(suggestion, links.status, beside, unreadable)
    body = suggestion.body or None
    return FeatureRequest(
        request_id=suggestion.id,
        title=suggestion.title or "",
        status=status,
        source_status=word,
        board_id=_text_of(links.forum),
        board=beside.text("forums", links.forum, "name", unreadable) or _text_of(links.forum),
        category=beside.text("categories", links.category, "name", unreadable),
        details=plain_text(body) if body and suggestion.body_mime_type == "text/html" else body,
        url=suggestion.portal_url or None,
        tags=tuple(name for one in links.labels or () if (name := beside.text("labels", one, "name", unreadable))),
        # A person may have several votes on one suggestion; a supporter is one person.
        score=suggestion.supporters_count,
        author_id=_text_of(links.created_by),
        created_at=utc(suggestion.created_at, "created_at", unreadable),
    )


def _status(
    suggestion: _Suggestion, status_id: int | None, beside: SideLoaded, unreadable: dict[str, str]
) -> tuple[Status, str | None]:
    """The meaning of a suggestion's state and status, and the account's own word for it."""
    found = {} if status_id is None else beside.find("statuses", status_id, unreadable)
    name = found.get("name")
    word = name if isinstance(name, str) and name else None
    if suggestion.state == MERGED:
        return Status.DUPLICATE, word
    if status_id is None:
        # Nobody has set a status yet.
        return (Status.CLOSED if suggestion.closed_at else Status.OPEN), None
    status = status_of(word, STATUSES)
    # One of the account's own that is not open is closed, whatever its name says.
    is_own = status not in STATUSES.values()
    return (Status.CLOSED if is_own and found.get("is_open") is False else status), word


def vote(raw: Any, unreadable: dict[str, str], *, beside: SideLoaded) -> Vote:
    """A supporter of a suggestion. Without a user the person is gone."""
    supporter = read(raw, _Supporter, unreadable)
    user_id = supporter.links.user
    person = None if user_id is None else Voter(str(user_id), beside.email(user_id))
    created = utc(supporter.created_at, "created_at", unreadable)
    return Vote(supporter.id, str(supporter.links.suggestion), person, created)


def suggestion_of(raw: Any) -> int | None:
    """The suggestion that a supporter of any form names."""
    links = raw.get("links") if isinstance(raw, dict) else None
    suggestion = links.get("suggestion") if isinstance(links, dict) else None
    return suggestion if type(suggestion) is int else None


def voter(raw: Any, unreadable: dict[str, str], *, beside: SideLoaded, account_ids: Mapping[int, str]) -> Voter:
    """A user, with the accounts of the external users that are the same person. `account_ids` are ours by theirs."""
    user = read(raw, _User, unreadable)
    theirs = _accounts_of(user, beside, unreadable)
    return Voter(user.id, user.email_address, tuple(dict.fromkeys(account_ids.get(one, str(one)) for one in theirs)))


def accounts_of(raw: Any, beside: SideLoaded) -> tuple[int, ...]:
    """The ids of the accounts of a user of any form."""
    try:
        return _accounts_of(read(raw, _User, {}), beside, {})
    except msgspec.ValidationError:
        return ()


def _accounts_of(user: _User, beside: SideLoaded, unreadable: dict[str, str]) -> tuple[int, ...]:
    found = []
    for external_id in (user.links.external_users if user.links else None) or ():
        links = beside.find("external_users", external_id, unreadable).get("links")
        account = links.get("external_account") if isinstance(links, dict) else None
        found += [account] if type(account) is int else []
    return tuple(found)


def account(raw: Any, unreadable: dict[str, str]) -> Account:
    """An account, by the customer's own id where it has one. Its spend is in whole units of its currency."""
    found = read(raw, _ExternalAccount, unreadable)
    spend = None if found.mrr_cents is None else str(Decimal(found.mrr_cents).scaleb(-2))
    return Account(found.external_id or found.id, found.name or None, None, spend)


def account_ids(items: Iterable[Any]) -> dict[int, str]:
    """Our ids of accounts of any form, by theirs."""
    known = {}
    for item in items:
        if isinstance(item, dict) and type(item.get("id")) is int:
            external_id = item.get("external_id")
            known[item["id"]] = external_id if isinstance(external_id, str) and external_id else str(item["id"])
    return known


def reader(kind: str, **given: Any) -> Reader:
    """A reader of one list, by our word for its records; `given` is what its converter takes beside a record."""
    converters: Mapping[str, Callable[..., Any]] = {
        "board": board,
        "feature_request": feature_request,
        "vote": vote,
        "voter": voter,
        "account": account,
    }
    rejected = _rejected if kind == "feature_request" else None
    return Reader(kind, partial(converters[kind], **given), *DOCUMENTED[kind], rejected=rejected)


def _rejected(key: str, reason: str, suggestion: Any) -> Rejected:
    links, url = suggestion.get("links"), suggestion.get("portal_url")
    forum = links.get("forum") if isinstance(links, dict) else None
    # Its forum decides whether anybody asked for it.
    return RejectedRequest(
        "feature_request",
        key,
        reason,
        url=url if isinstance(url, str) and url else None,
        board_id=str(forum) if type(forum) is int else None,
    )


def _text_of(record_id: int | None) -> str | None:
    return None if record_id is None else str(record_id)
