"""Canonical records as rows of the raw tables: which table, which key, which values, in the order of its columns.

One record may make rows of several tables: a vote carries its voter, a voter their memberships. Pure functions; nothing
here touches a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import singledispatch
from typing import Literal, NamedTuple

import msgspec

from integration_assets.invisible import is_blank
from integration_assets.models import (
    Account,
    Board,
    Company,
    Contact,
    CrmFeatureRequest,
    Deal,
    FeatureRequest,
    InternalAccount,
    Link,
    LiveSchema,
    Owner,
    Portal,
    StatusChange,
    Vote,
    Voter,
)

TABLE_KEYS: Mapping[str, tuple[str, ...]] = {
    "raw.boards": ("board_id",),
    "raw.feature_requests": ("request_id",),
    "raw.merge_aliases": ("merged_request_id",),
    "raw.status_changes": ("change_id",),
    "raw.votes": ("vote_id",),
    "raw.voters": ("voter_id",),
    "raw.voter_accounts": ("voter_id", "account_id"),
    "raw.accounts": ("account_id",),
    "raw.crm_companies": ("company_id",),
    "raw.crm_contacts": ("contact_id",),
    "raw.crm_deals": ("deal_id",),
    "raw.crm_owners": ("owner_id",),
    "raw.crm_feature_requests": ("record_id",),
    "raw.crm_links": ("record_id", "target", "target_id", "label"),
    "raw.crm_portals": ("environment",),
    "raw.internal_accounts": ("account_row",),
}
"""The tables that can be replaced, each with the columns no two of its rows share."""

SATELLITES: Mapping[str, tuple[str, ...]] = {
    "raw.feature_requests": ("raw.merge_aliases",),
    "raw.votes": ("raw.voters", "raw.voter_accounts"),
    "raw.voters": ("raw.voter_accounts",),
}
"""Tables filled by the records of another; they are replaced together."""


class PortalRead(msgspec.Struct, frozen=True):
    """One portal's schema as read, or why it could not be. `role`: `target` of this run or `other`, read to compare.

    `portal` is whose schema it is, where that is known without it.
    """

    environment: str
    role: Literal["target", "other"]
    schema: LiveSchema | None
    unreadable_reason: str | None = None
    portal: Portal | None = None


class Row(NamedTuple):
    """A row of `table`. `own` is False when another record mentions the thing in passing: the thing's own record wins.

    `kind` and `key` name the record should the row have to be rejected; `blank` says which needed value is empty.
    """

    table: str
    kind: str
    key: str
    values: tuple[object, ...]
    own: bool = True
    blank: str | None = None


@singledispatch
def rows_of(record: object) -> Iterator[Row]:
    """The rows a canonical record makes, its own table's row first.

    Raises:
        TypeError: not a record of a raw table.
        OverflowError: one of its times lies outside what UTC can express.
    """
    raise TypeError(f"{type(record).__name__} is not a record of a raw table")


def utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC without zone, as the store keeps it; a naive time is taken to be UTC already."""
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def _row(table: str, kind: str, key: str, values: tuple[object, ...], *, own: bool = True) -> Row:
    return Row(table, kind, key, values, own, None if key.strip() else "no id")


@rows_of.register
def _(record: Board) -> Iterator[Row]:
    values = (record.board_id, record.name, record.request_count)
    yield _row("raw.boards", "board", record.board_id, values)


@rows_of.register
def _(record: FeatureRequest) -> Iterator[Row]:
    values = (
        record.request_id,
        record.title,
        record.status.value,
        record.source_status,
        record.board_id,
        record.board,
        record.category,
        record.details,
        record.url,
        list(record.tags),
        record.score,
        record.author_id,
        utc(record.created_at),
        utc(record.status_changed_at),
    )
    row = _row("raw.feature_requests", "feature_request", record.request_id, values)
    # A missing id is the worse of the two, and is the one that is named.
    yield row._replace(blank="no title") if not row.blank and is_blank(record.title) else row
    for merged_id in record.merged_ids:
        yield _row("raw.merge_aliases", "merge_alias", merged_id, (merged_id, record.request_id))


@rows_of.register
def _(record: StatusChange) -> Iterator[Row]:
    values = (record.change_id, record.request_id, record.source_status, utc(record.changed_at))
    yield _row("raw.status_changes", "status_change", record.change_id, values)


@rows_of.register
def _(record: Vote) -> Iterator[Row]:
    voter_id = record.voter.voter_id if record.voter else None
    values = (record.vote_id, record.request_id, voter_id, utc(record.created_at))
    yield _row("raw.votes", "vote", record.vote_id, values)
    if record.voter:
        # A vote's copy of the person may be older than the person's own record.
        yield from _voter_rows(record.voter, own=False)


@rows_of.register
def _(record: Voter) -> Iterator[Row]:
    yield from _voter_rows(record, own=True)


def _voter_rows(voter: Voter, *, own: bool) -> Iterator[Row]:
    yield _row("raw.voters", "voter", voter.voter_id, (voter.voter_id, voter.email), own=own)
    for account_id in voter.account_ids:
        yield _row("raw.voter_accounts", "membership", voter.voter_id, (voter.voter_id, account_id), own=own)


@rows_of.register
def _(record: Account) -> Iterator[Row]:
    values = (record.account_id, record.name, record.domain, record.monthly_spend)
    yield _row("raw.accounts", "account", record.account_id, values)


@rows_of.register
def _(record: Company) -> Iterator[Row]:
    values = (
        record.company_id,
        record.name,
        record.domain,
        list(record.additional_domains),
        record.arr,
        record.currency,
        record.lifecycle_stage,
        record.parent_id,
        list(record.merged_ids),
        record.account_id,
        utc(record.modified_at),
        list(record.rollups.items()),
        list(record.segments.items()),
        record.owner,
        record.renewal_date,
    )
    yield _row("raw.crm_companies", "company", record.company_id, values)


@rows_of.register
def _(record: Owner) -> Iterator[Row]:
    yield _row("raw.crm_owners", "owner", record.owner_id, (record.owner_id, record.name))


@rows_of.register
def _(record: Contact) -> Iterator[Row]:
    values = (record.contact_id, record.email, list(record.additional_emails), record.primary_company_id)
    yield _row("raw.crm_contacts", "contact", record.contact_id, values)


@rows_of.register
def _(record: Deal) -> Iterator[Row]:
    amount, home_amount = (None if one is None else str(one) for one in (record.amount, record.home_amount))
    values = (
        record.deal_id,
        record.name,
        list(record.company_ids),
        record.stage,
        amount,
        record.currency,
        home_amount,
        record.close_date,
    )
    yield _row("raw.crm_deals", "deal", record.deal_id, values)


@rows_of.register
def _(record: CrmFeatureRequest) -> Iterator[Row]:
    values = (record.record_id, record.key, list(record.values.items()), record.archived)
    yield _row("raw.crm_feature_requests", "crm_feature_request", record.record_id, values)


@rows_of.register
def _(record: Link) -> Iterator[Row]:
    key = f"{record.record_id}:{record.target}:{record.target_id}"
    yield _row("raw.crm_links", "link", key, (record.record_id, record.target, record.target_id, record.label))


@rows_of.register
def _(record: PortalRead) -> Iterator[Row]:
    schema = record.schema
    # Which portal it was is known even where its schema may not be read.
    portal = schema.portal if schema else record.portal
    values = (
        record.environment,
        record.role,
        schema is not None,
        record.unreadable_reason,
        portal.portal_id if portal else None,
        portal.kind.value if portal else None,
        portal.currency if portal else None,
        portal.time_zone if portal else None,
        msgspec.json.encode(schema).decode() if schema else None,
        portal.pages.company if portal else None,
        portal.pages.request if portal else None,
        portal.pages.unknown if portal else None,
    )
    yield _row("raw.crm_portals", "portal", record.environment, values)


@rows_of.register
def _(record: InternalAccount) -> Iterator[Row]:
    values = (record.row_id, record.company_id, record.domain, record.arr, record.currency)
    yield _row("raw.internal_accounts", "internal_account", record.row_id, values)
