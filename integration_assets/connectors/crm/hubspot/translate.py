"""HubSpot's records as canonical records. Pure; what cannot be used comes back as `Rejected`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from integration_assets.connectors.crm.base import CompanyMapping
from integration_assets.connectors.crm.hubspot.wire import RECORD_FIELDS, SYSTEM, Record, decode_entry, entry_id
from integration_assets.connectors.fields import unknown_fields
from integration_assets.models import Company, Contact, CrmFeatureRequest, ObjectDefinition, Page, Rejected

T = TypeVar("T")

PARENT_PROPERTY = "hs_parent_company_id"
LIFECYCLE = "lifecyclestage"
COMPANY_PROPERTIES = ("name", "domain", "hs_additional_domains", LIFECYCLE, "hs_merged_object_ids")
"""Properties read of every company, beside the parent and the mapped ones."""
CONTACT_PROPERTIES = ("email", "hs_additional_emails")


def translate(entries: Sequence[Any], kind: str, meaning: Callable[[Record], T]) -> Page[T]:
    """Decode list entries one by one, so that a bad one is rejected alone.

    Args:
        entries: records as they came.
        kind: what a rejected one is called ("company").
        meaning: turns a decoded record into the canonical one.
    """
    records: list[T] = []
    rejected: list[Rejected] = []
    for entry in entries:
        record = decode_entry(entry, Record)
        # One entry of another form costs itself only, not its page.
        if isinstance(record, Record):
            records.append(meaning(record))
        else:
            rejected.append(Rejected(kind, entry_id(entry) or "without id", record))
    unknown = unknown_fields(f"{SYSTEM}.records", RECORD_FIELDS, entries)
    return Page(tuple(records), tuple(rejected), unknown_fields=unknown)


def company(record: Record, mapping: CompanyMapping) -> Company:
    """A company. Mapped values stay the raw text HubSpot holds."""
    return Company(
        company_id=str(record.id),
        name=record.value("name"),
        domain=record.value("domain"),
        additional_domains=split(record.value("hs_additional_domains")),
        arr=record.value(mapping.arr),
        currency=record.value(mapping.currency),
        lifecycle_stage=record.value(mapping.lifecycle or LIFECYCLE),
        parent_id=record.value(PARENT_PROPERTY),
        # Ids this company swallowed: whoever still has one of them is led here.
        merged_ids=split(record.value("hs_merged_object_ids")),
        account_id=record.value(mapping.account_id),
        modified_at=record.updated_at,
        segments={name: value for name in mapping.segments if (value := record.value(name)) is not None},
        owner=record.value(mapping.owner),
        renewal_date=record.value(mapping.renewal),
        rollups={name: value for name in mapping.rollups if (value := record.value(name)) is not None},
    )


def contact(record: Record, primary_companies: Mapping[str, str]) -> Contact:
    """A contact with its primary company, by contact id."""
    email = record.value("email")
    return Contact(
        contact_id=str(record.id),
        # In lower case, as addresses are asked for.
        email=email.strip().lower() if email else None,
        additional_emails=tuple(address.lower() for address in split(record.value("hs_additional_emails"))),
        primary_company_id=primary_companies.get(str(record.id)),
    )


def feature_request(record: Record, definition: ObjectDefinition) -> CrmFeatureRequest:
    """A record of ours: the managed values that are set."""
    values = {item.name: value for item in definition.properties if (value := record.value(item.name)) is not None}
    return CrmFeatureRequest(
        record_id=str(record.id), key=values.get(definition.key_property), values=values, archived=record.archived
    )


def split(value: str | None) -> tuple[str, ...]:
    """Parts of a `;`-separated value; HubSpot writes it with and without spaces."""
    return tuple(part.strip() for part in (value or "").split(";") if part.strip())
