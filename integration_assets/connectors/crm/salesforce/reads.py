"""Reads of an org: accounts, contacts, and our records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from integration_assets.connectors.crm.base import CompanyMapping
from integration_assets.connectors.crm.salesforce import names, soql, translate
from integration_assets.connectors.crm.salesforce.session import Session
from integration_assets.connectors.crm.salesforce.wire import SYSTEM, ObjectInfo
from integration_assets.errors import ConfigurationError, ContractError, CredentialError
from integration_assets.models import Company, Contact, CrmFeatureRequest, ObjectDefinition, Page

# ----------------------------------------------------------------------------------------------------------- companies


async def account_info(session: Session) -> ObjectInfo:
    """Fields of accounts that the user sees.

    Raises:
        CredentialError: nothing.
    """
    info = await session.describe(names.ACCOUNT)
    if info is None:
        raise CredentialError(
            f"{SYSTEM}: the user does not see accounts: assign the permission set {names.PERMISSION_SET} to it",
            system=SYSTEM,
        )
    return info


def company_fields(info: ObjectInfo, mapping: CompanyMapping, domains_field: str | None) -> tuple[str, ...]:
    """Fields to read of accounts. Pure.

    Raises:
        ConfigurationError: a mapped field does not exist, or the user does not see it.
        CredentialError: the user does not see a standard field without which no vote finds its company.
    """
    seen = {one.name for one in info.fields}
    mapped = [*mapping.names(), *([domains_field] if domains_field else [])]
    if missing := [name for name in mapped if name not in seen]:
        raise ConfigurationError(
            f"{SYSTEM}: accounts have no field {', '.join(missing)}, or the user does not see it: correct the setting "
            "that names it, or grant the field to the user in a permission set",
            system=SYSTEM,
        )
    if hidden := [name for name in translate.COMPANY_FIELDS if name not in seen]:
        raise CredentialError(
            f"{SYSTEM}: the user does not see {', '.join(f'Account.{name}' for name in hidden)}: assign the permission "
            f"set {names.PERMISSION_SET} to it, or grant the field in another",
            system=SYSTEM,
        )
    # Ours may not be there yet: until then no account holds anything in them.
    ours = (names.custom_name(name) for name in mapping.rollups)
    optional = [name for name in (*translate.OPTIONAL_COMPANY_FIELDS, *ours) if name in seen]
    return tuple(dict.fromkeys((*translate.COMPANY_FIELDS, *optional, *mapped)))


async def companies(
    session: Session, info: ObjectInfo, mapping: CompanyMapping, domains_field: str | None
) -> AsyncIterator[Page[Company]]:
    """All live accounts.

    Raises:
        ConfigurationError, CredentialError: as `company_fields`.
    """
    fields = company_fields(info, mapping, domains_field)
    merged = await _merged(session) if info.field("MasterRecordId") else {}
    async for entries in session.pages(soql.select(names.ACCOUNT, fields)):
        yield translate.translate(
            entries, "company", lambda record: translate.company(record, mapping, domains_field, merged)
        )


async def _merged(session: Session) -> Mapping[str, Sequence[str]]:
    """Ids that accounts swallowed, by survivor: a merged account is a deleted one that names its survivor."""
    query = soql.select(names.ACCOUNT, ["Id", "MasterRecordId"], "IsDeleted = true AND MasterRecordId != null")
    swallowed: dict[str, str] = {}
    async for entries in session.pages(query, deleted_too=True):
        swallowed |= {str(entry["Id"]): str(entry["MasterRecordId"]) for entry in entries}
    found: dict[str, list[str]] = defaultdict(list)
    for record_id, survivor in swallowed.items():
        # The survivor may have been merged in its turn; at most once through each of them.
        for _ in swallowed:
            survivor = swallowed.get(survivor, survivor)  # noqa: PLW2901 - followed to its end
        found[survivor].append(record_id)
    return found


async def rollups(session: Session, properties: Sequence[str], ids: Sequence[str]) -> dict[str, Mapping[str, str]]:
    """Values these accounts, at most 200, hold in our properties, by id; those that are gone are absent."""
    wanted = soql.record_ids(ids)
    if not wanted:
        return {}
    fields = ["Id", *(names.custom_name(name) for name in properties)]
    found = await session.query(soql.select(names.ACCOUNT, fields, soql.any_of("Id", wanted)))
    return {str(record["Id"]): translate.rollups(record, properties) for record in found}


# ------------------------------------------------------------------------------------------------------------ contacts


async def contacts(session: Session, emails: Sequence[str]) -> Page[Contact]:
    """The contacts with these addresses, at most 200 of them. Several contacts may have one address."""
    wanted = [address for email in emails if (address := email.strip().lower())]
    if not wanted:
        return Page(())
    query = soql.select(names.CONTACT, translate.CONTACT_FIELDS, soql.any_of("Email", wanted))
    # Addresses of web calls are kept in logs of proxies and of the org; those of people do not belong there.
    found = await session.query(query, in_body=True)
    return translate.translate(found, "contact", translate.contact)


# --------------------------------------------------------------------------------------------------------- our records


def record_fields(definition: ObjectDefinition, info: ObjectInfo) -> tuple[str, ...]:
    """Fields to read of our records: those that the org has and the user sees. Pure."""
    ours = [names.custom_name(item.name) for item in definition.properties]
    return ("Id", "IsDeleted", *(name for name in ours if info.field(name)))


async def feature_requests(
    session: Session, definition: ObjectDefinition, info: ObjectInfo, *, archived: bool
) -> AsyncIterator[Page[CrmFeatureRequest]]:
    """All live, or all deleted, records of ours."""
    condition = "IsDeleted = true" if archived else ""
    query = soql.select(info.name, record_fields(definition, info), condition)
    async for entries in session.pages(query, deleted_too=archived):
        yield _ours(entries, definition)


async def feature_requests_by_key(
    session: Session, definition: ObjectDefinition, info: ObjectInfo, keys: Sequence[str]
) -> dict[str, CrmFeatureRequest]:
    """The live records with these keys, at most 200 of them.

    Raises:
        ContractError: a record of the answer cannot be read; taken for missing, it would be created again.
    """
    if not keys:
        return {}
    condition = soql.any_of(names.custom_name(definition.key_property), keys)
    entries: list[Any] = await session.query(soql.select(info.name, record_fields(definition, info), condition))
    page = _ours(entries, definition)
    if page.rejected:
        raise ContractError(f"{SYSTEM}: a record of ours came without its id", system=SYSTEM)
    # Exactly: where people changed the field, it may compare without regard to case.
    wanted = set(keys)
    return {record.key: record for record in page.records if record.key in wanted and record.key is not None}


def _ours(entries: Sequence[Any], definition: ObjectDefinition) -> Page[CrmFeatureRequest]:
    return translate.translate(entries, "feature_request", lambda record: translate.feature_request(record, definition))
