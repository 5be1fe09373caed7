"""Reads of a workspace: companies, people, our records, and the votes that link them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from integration_assets.connectors.crm.base import CompanyMapping
from integration_assets.connectors.crm.twenty import endpoints
from integration_assets.connectors.crm.twenty.names import (
    KEY_FIELD,
    LABEL_FIELD,
    TARGETS,
    camel_case,
    field_name,
    our_option,
    request_relation,
    vote_key,
    vote_object,
)
from integration_assets.connectors.crm.twenty.session import Session
from integration_assets.connectors.crm.twenty.values import currency_of, field_text, from_field
from integration_assets.connectors.crm.twenty.wire import SYSTEM, Record, Row, decode_entry, entry_id
from integration_assets.errors import ContractError
from integration_assets.models import (
    Company,
    Contact,
    CrmFeatureRequest,
    Link,
    LinkTarget,
    ObjectDefinition,
    Page,
    Rejected,
)

T = TypeVar("T")

COMPANIES = "companies"
PEOPLE = "people"
OTHER = "other"
"""Prefix of labels that are not ours: `other:<id of the vote>`."""
DELETED = "deletedAt[is]:NOT_NULL"
"""Filter for what is in the bin; a filter that names this field is the only way to see it."""
UNFINDABLE = '"\\[]()'
"""Characters of a key that a filter cannot be written with; a comma is one only in a list."""


def translate(entries: Sequence[Any], kind: str, meaning: Callable[[Record, Row], T]) -> Page[T]:
    """Decode list entries one by one, so that a bad one is rejected alone. Pure."""
    records: list[T] = []
    rejected: list[Rejected] = []
    for entry in entries:
        record = decode_entry(entry, Record)
        if isinstance(record, Record):
            records.append(meaning(record, entry))
        else:
            rejected.append(Rejected(kind, entry_id(entry), record))
    return Page(tuple(records), tuple(rejected))


# --------------------------------------------------------------------------------------------------------- companies


async def companies(session: Session, mapping: CompanyMapping) -> AsyncIterator[Page[Company]]:
    """All live companies. Twenty knows neither parents nor which companies were merged into one."""
    async for rows in session.pages(COMPANIES):
        yield translate(rows, "company", lambda record, row: company(record, row, mapping))


def company(record: Record, row: Row, mapping: CompanyMapping) -> Company:
    """A company. The currency of its revenue is that of the amount, unless a field of its own is mapped. Pure."""
    domain = row.get("domainName")
    domain = domain if isinstance(domain, dict) else {}
    arr = row.get(mapping.arr) if mapping.arr else None
    currency = field_text(row.get(mapping.currency)) if mapping.currency else currency_of(arr)
    return Company(
        company_id=record.id,
        name=field_text(row.get("name")),
        domain=field_text(domain.get("primaryLinkUrl")),
        additional_domains=tuple(
            url
            for link in domain.get("secondaryLinks") or ()
            if isinstance(link, dict) and isinstance(url := link.get("url"), str) and url
        ),
        arr=field_text(arr),
        currency=currency,
        lifecycle_stage=field_text(row.get(mapping.lifecycle)) if mapping.lifecycle else None,
        account_id=field_text(row.get(mapping.account_id)) if mapping.account_id else None,
        modified_at=record.updated_at,
        segments={name: value for name in mapping.segments if (value := _several(row.get(name))) is not None},
        owner=field_text(row.get(mapping.owner)) if mapping.owner else None,
        renewal_date=field_text(row.get(mapping.renewal)) if mapping.renewal else None,
        rollups=_rollups(row, mapping.rollups),
    )


async def rollups(session: Session, properties: Sequence[str], ids: Sequence[str]) -> dict[str, Mapping[str, str]]:
    """Read what these companies hold in our properties, by id; those that are deleted are absent."""
    found: dict[str, Mapping[str, str]] = {}
    for part in endpoints.cut(with_id_form(ids), endpoints.RECORDS_PER_PAGE):
        async for rows in session.pages(COMPANIES, endpoints.among("id", part)):
            page = translate(rows, "company", lambda record, row: (record.id, _rollups(row, properties)))
            found |= dict(page.records)
    return found


def _rollups(row: Row, properties: Sequence[str]) -> Mapping[str, str]:
    """Values a company holds in our properties, by their names; those that are not set are left out."""
    texts = {name: field_text(row.get(camel_case(name))) for name in properties}
    return {name: text for name, text in texts.items() if text is not None}


def _several(value: Any) -> str | None:
    """The text of a field, and of one with several values all of them."""
    if not isinstance(value, list):
        return field_text(value)
    return ";".join(text for one in value if (text := field_text(one)) is not None) or None


# ------------------------------------------------------------------------------------------------------------ people


class People:
    """The people of a workspace by address, listed once, when they are first asked for.

    They are not looked up by address: a filter stands in the URL, where an address must not, and additional addresses
    cannot be filtered by. What it costs is a call for each 200 people.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = asyncio.Lock()
        self._contacts: Page[Contact] | None = None
        self._by_address: dict[str, list[Contact]] = {}

    async def with_addresses(self, emails: Sequence[str]) -> Page[Contact]:
        """The people who have one of these addresses, each once."""
        if not emails:
            return Page(())
        # Several batches of addresses are asked for at the same time: one of them reads.
        async with self._lock:
            if self._contacts is None:
                self._contacts = await self._read()
        wanted = {email.strip().lower() for email in emails}
        found = {one.contact_id: one for address in wanted for one in self._by_address.get(address, ())}
        return Page(tuple(found.values()), self._contacts.rejected)

    async def _read(self) -> Page[Contact]:
        records: list[Contact] = []
        rejected: list[Rejected] = []
        async for rows in self._session.pages(PEOPLE):
            page = translate(rows, "contact", contact)
            records += page.records
            rejected += page.rejected
        for one in records:
            for address in filter(None, (one.email, *one.additional_emails)):
                self._by_address.setdefault(address, []).append(one)
        return Page(tuple(records), tuple(rejected))


def contact(record: Record, row: Row) -> Contact:
    """A person with their company, of which Twenty has one at most. Pure."""
    emails = row.get("emails")
    emails = emails if isinstance(emails, dict) else {}
    primary = field_text(emails.get("primaryEmail"))
    return Contact(
        contact_id=record.id,
        email=primary.strip().lower() if primary else None,
        additional_emails=tuple(
            one.strip().lower() for one in emails.get("additionalEmails") or () if isinstance(one, str) and one.strip()
        ),
        primary_company_id=field_text(row.get("companyId")),
    )


# -------------------------------------------------------------------------------------------------------- our records


async def feature_requests(
    session: Session, plural: str, definition: ObjectDefinition, *, archived: bool
) -> AsyncIterator[Page[CrmFeatureRequest]]:
    """All live records of ours, or all that are in the bin: those keep their key, and an upsert would restore them."""
    async for rows in session.pages(plural, DELETED if archived else None):
        yield translate(rows, "feature_request", lambda record, row: feature_request(record, row, definition))


async def feature_requests_by_key(
    session: Session, plural: str, definition: ObjectDefinition, keys: Sequence[str]
) -> dict[str, CrmFeatureRequest]:
    """The live records with these keys.

    Raises:
        ContractError: a record of the answer cannot be read; taken for missing, it would be created again.
    """
    found: dict[str, CrmFeatureRequest] = {}
    for filter_text in key_filters(keys):
        async for rows in session.pages(plural, filter_text):
            page = translate(rows, "feature_request", lambda record, row: feature_request(record, row, definition))
            if page.rejected:
                first = page.rejected[0]
                raise ContractError(
                    f"twenty record {first.key}: {first.reason}", system=SYSTEM, endpoint=f"GET /rest/{plural}"
                )
            found.update({record.key: record for record in page.records if record.key is not None})
    return found


def key_filters(keys: Iterable[str]) -> list[str]:
    """Filters that together find these keys; one that cannot be filtered by is in none, nor in the workspace. Pure."""
    usable = [key for key in dict.fromkeys(keys) if findable(key)]
    plain = [key for key in usable if "," not in key]
    # A comma ends a value of a list, in quotes as well: such a key is asked for alone.
    alone = [f'{KEY_FIELD}[eq]:"{key}"' for key in usable if "," in key]
    return [endpoints.among(KEY_FIELD, part) for part in endpoints.cut(plain, endpoints.KEYS_PER_FILTER)] + alone


def findable(key: str) -> bool:
    """True for a key that records can be found by. Pure."""
    return bool(key.strip()) and key.isprintable() and not any(one in key for one in UNFINDABLE)


def feature_request(record: Record, row: Row, definition: ObjectDefinition) -> CrmFeatureRequest:
    """A record of ours: the managed values that are set. Pure."""
    values = {
        item.name: value
        for item in definition.properties
        if (value := from_field(item.kind, row.get(field_name(definition, item.name)))) is not None
    }
    return CrmFeatureRequest(
        record_id=record.id,
        key=values.get(definition.key_property),
        values=values,
        archived=record.deleted_at is not None,
    )


# -------------------------------------------------------------------------------------------------------------- links


async def links(
    session: Session,
    definition: ObjectDefinition,
    target: LinkTarget,
    record_ids: Sequence[str],
    target_ids: Sequence[str] | None = None,
) -> tuple[Link, ...]:
    """All labels between these records and records of `target`, or only those with these ids."""
    request, end = f"{request_relation(definition)}Id", f"{TARGETS[target]}Id"
    found: list[Link] = []
    for part in endpoints.cut(dict.fromkeys(record_ids), endpoints.KEYS_PER_FILTER):
        ends = (
            [f"{end}[is]:NOT_NULL"]
            if target_ids is None
            else [
                endpoints.among(end, some)
                for some in endpoints.cut(dict.fromkeys(target_ids), endpoints.KEYS_PER_FILTER)
            ]
        )
        for end_filter in ends:
            filter_text = f"{endpoints.among(request, part)},{end_filter}"
            async for rows in session.pages(vote_object(definition).plural, filter_text):
                page = translate(rows, "link", lambda record, row: vote(record, row, definition, target))
                if page.rejected:
                    raise ContractError(f"twenty vote {page.rejected[0].key}: {page.rejected[0].reason}", system=SYSTEM)
                found += page.records
    return tuple(found)


def vote(record: Record, row: Row, definition: ObjectDefinition, target: LinkTarget) -> Link:
    """The label a vote stands for. Pure.

    It is ours only where its key says the same as its fields: one that somebody made, or led elsewhere, is neither
    taken for ours nor taken off.
    """
    record_id, target_id = str(row.get(f"{request_relation(definition)}Id")), str(row.get(f"{TARGETS[target]}Id"))
    option = row.get(LABEL_FIELD)
    label = our_option(option) if isinstance(option, str) else ""
    ours = label in {link.name for link in definition.links if link.target == target}
    if ours and row.get(KEY_FIELD) == vote_key(record_id, target, target_id, label):
        return Link(record_id, target, target_id, label)
    return Link(record_id, target, target_id, f"{OTHER}:{record.id}")


def has_id_form(text: str) -> bool:
    """True for what may be the id of a record: a UUID. Anything else in a filter is an error of the database. Pure."""
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and all(
        one in "0123456789abcdefABCDEF" for one in "".join(parts)
    )


def with_id_form(ids: Iterable[str]) -> list[str]:
    """Those that may be ids of records. Pure."""
    return [one for one in ids if has_id_form(one)]
