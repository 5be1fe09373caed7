"""Salesforce's records as canonical records. Pure; what cannot be used comes back as `Rejected`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from integration_assets.connectors.crm.base import CompanyMapping
from integration_assets.connectors.crm.salesforce import names
from integration_assets.models import (
    Company,
    Contact,
    CrmFeatureRequest,
    Deal,
    ObjectDefinition,
    Page,
    PropertyKind,
    Rejected,
)

T = TypeVar("T")
Record = Mapping[str, Any]

CURRENCY = "CurrencyIsoCode"
"""Currency of a record; only orgs with several currencies have the field."""
COMPANY_FIELDS = ("Id", "Name", "Website", "ParentId", "SystemModstamp")
TYPE = "Type"
OPTIONAL_COMPANY_FIELDS = (TYPE, CURRENCY)
CONTACT_FIELDS = ("Id", "Email", "AccountId")
DEAL_FIELDS = ("Id", "Name", "AccountId", "StageName", "Amount", "CloseDate")
_SEPARATORS = re.compile(r"[;,\s]+")


def translate(entries: Sequence[Any], kind: str, meaning: Callable[[Record], T]) -> Page[T]:
    """Turn records into canonical ones, each by itself, so that a bad one is rejected alone.

    Args:
        entries: records as they came.
        kind: what a rejected one is called ("company").
        meaning: turns a record into the canonical one.
    """
    records: list[T] = []
    rejected: list[Rejected] = []
    for entry in entries:
        record_id = entry.get("Id") if isinstance(entry, dict) else None
        if isinstance(record_id, str) and record_id:
            records.append(meaning(entry))
        else:
            rejected.append(Rejected(kind, "without id", "unexpected form: a record without its id"))
    return Page(tuple(records), tuple(rejected))


def text(value: Any) -> str | None:
    """A value as text, None for no value. Numbers are written out, without decimal places that are zero."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        plain = format(Decimal(str(value)), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return value if isinstance(value, str) else None


def moment(value: Any) -> datetime | None:
    """A time; Salesforce writes the zone without a colon."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def company(
    record: Record, mapping: CompanyMapping, domains_field: str | None, merged: Mapping[str, Sequence[str]]
) -> Company:
    """A company. Mapped values stay the raw text of the org; `merged` are the ids that each company swallowed."""
    others = text(record.get(domains_field)) if domains_field else None
    currency = record.get(mapping.currency) if mapping.currency else None
    record_id = str(record["Id"])
    return Company(
        company_id=record_id,
        name=text(record.get("Name")),
        domain=text(record.get("Website")),
        additional_domains=tuple(part for part in _SEPARATORS.split(others or "") if part),
        arr=text(record.get(mapping.arr)) if mapping.arr else None,
        # By the record where no field is mapped: an amount is in the record's own currency.
        currency=text(currency) or text(record.get(CURRENCY)),
        lifecycle_stage=text(record.get(mapping.lifecycle or TYPE)),
        parent_id=text(record.get("ParentId")),
        merged_ids=tuple(merged.get(record_id, ())),
        account_id=text(record.get(mapping.account_id)) if mapping.account_id else None,
        modified_at=moment(record.get("SystemModstamp")),
        segments={name: value for name in mapping.segments if (value := text(record.get(name))) is not None},
        owner=text(record.get(mapping.owner)) if mapping.owner else None,
        renewal_date=text(record.get(mapping.renewal)) if mapping.renewal else None,
        rollups=rollups(record, mapping.rollups),
    )


def rollups(record: Record, properties: Sequence[str]) -> Mapping[str, str]:
    """Values an account holds in our properties, by their names; those that are not set are left out."""
    found = {name: text(record.get(names.custom_name(name))) for name in properties}
    return {name: _lines(value) for name, value in found.items() if value is not None}


def _lines(value: str) -> str:
    # Long text comes back with the line ends of Windows.
    return value.replace("\r\n", "\n")


def contact(record: Record) -> Contact:
    """A contact with its account."""
    email = text(record.get("Email"))
    return Contact(
        contact_id=str(record["Id"]),
        # In lower case, as addresses are asked for.
        email=email.strip().lower() if email else None,
        primary_company_id=text(record.get("AccountId")),
    )


def deal(record: Record) -> Deal:
    """An open opportunity with its account."""
    account, closes, amount = text(record.get("AccountId")), text(record.get("CloseDate")), record.get("Amount")
    return Deal(
        deal_id=str(record["Id"]),
        name=text(record.get("Name")),
        company_ids=(account,) if account else (),
        stage=text(record.get("StageName")),
        amount=Decimal(str(amount)) if isinstance(amount, int | float) and not isinstance(amount, bool) else None,
        currency=text(record.get(CURRENCY)),
        close_date=_day(closes),
    )


def _day(value: str | None) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        return None


def feature_request(record: Record, definition: ObjectDefinition) -> CrmFeatureRequest:
    """A record of ours: the managed values that are set."""
    values: dict[str, str] = {}
    for item in definition.properties:
        value = text(record.get(names.custom_name(item.name)))
        if value is None:
            continue
        if item.kind is PropertyKind.DATE_TIME:
            value = value.replace("+0000", "Z")
        values[item.name] = _lines(value)
    return CrmFeatureRequest(
        record_id=str(record["Id"]),
        key=values.get(definition.key_property),
        values=values,
        archived=record.get("IsDeleted") is True,
    )
