"""The schema of an org: the org itself, and what it has of ours."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from integration_assets.connectors.crm.record_pages import ID, page_base
from integration_assets.connectors.crm.salesforce import endpoints, names, soql
from integration_assets.connectors.crm.salesforce.field_types import TEXT_LIMITS, type_difference
from integration_assets.connectors.crm.salesforce.session import Session
from integration_assets.connectors.crm.salesforce.wire import (
    SYSTEM,
    FieldInfo,
    ObjectInfo,
    Organization,
    Version,
    decode,
)
from integration_assets.errors import ContractError, PermanentError
from integration_assets.examples import first_names
from integration_assets.models import (
    LiveLink,
    LiveProperty,
    LiveSchema,
    ObjectDefinition,
    Obstacle,
    Portal,
    PortalKind,
    PropertyDefinition,
    PropertyGroup,
    PropertyKind,
    RecordPages,
    SchemaWords,
    TypeDifference,
)

UNSEEN = "the user does not see"
ASSIGN = f"assign the permission set {names.PERMISSION_SET} to the user, or grant it in another"
ASSIGN_ACCOUNTS = f"assign the permission set {names.COMPANY_PERMISSION_SET} to the user, or grant it in another"
ADD_VALUES = "add them to the field {field} in Setup, Object Manager, with exactly these API names"
WORDS = SchemaWords(property="field", properties="fields", company="account", companies="accounts")
DEVELOPER_EDITION = "Developer Edition"
_ORGANIZATION_FIELDS = ("Id", "IsSandbox", "OrganizationType", "TrialExpirationDate", "TimeZoneSidKey")


async def check_version(session: Session) -> None:
    """Make sure that the org has the version of the API that is spoken here.

    Raises:
        PermanentError: it does not.
    """
    versions = {one.version for one in await session.read(endpoints.VERSIONS, list[Version])}
    if endpoints.VERSION not in versions:
        raise PermanentError(
            f"{SYSTEM}: the org does not have version {endpoints.VERSION} of the API: install a newer version of this "
            "program",
            system=SYSTEM,
            endpoint=endpoints.VERSIONS.template,
        )


async def portal(session: Session) -> Portal:
    """Identity of the org.

    Raises:
        ContractError: it does not say what it is, or the token is of another org than the one that answers.
    """
    rows = await session.query(soql.select("Organization", _ORGANIZATION_FIELDS))
    if len(rows) != 1:
        raise ContractError(f"{SYSTEM} names {len(rows)} orgs for one token", system=SYSTEM)
    org = decode(rows[0], Organization, endpoint="Organization")
    identity = await session.identity()
    # Fifteen of the eighteen characters tell orgs apart; the rest is made from them.
    if identity.org_id[:15] != org.id[:15]:
        raise ContractError(f"{SYSTEM}: the token is of another org than the one that answers", system=SYSTEM)
    return Portal(
        portal_id=org.id,
        kind=kind_of(org),
        time_zone=org.time_zone_sid_key or None,
        pages=pages_of(session.base_url),
    )


def pages_of(base_url: str) -> RecordPages:
    """Addresses of records at an org's own host, which leads from the id alone to the page of any record. Pure."""
    base = page_base(base_url)
    if base is None:
        return RecordPages(unknown="the base URL of the org is no address of pages")
    return RecordPages(company=f"{base}/{ID}", request=f"{base}/{ID}")


def kind_of(org: Organization) -> PortalKind:
    """The kind of an org. Pure.

    A scratch org says that it is a sandbox and has an end; a Developer Edition says that it is none.
    """
    if org.is_sandbox:
        return PortalKind.DEVELOPER_TEST if org.trial_expiration_date else PortalKind.SANDBOX
    if org.organization_type == DEVELOPER_EDITION:
        return PortalKind.DEVELOPER_TEST
    return PortalKind.STANDARD


async def existing_names(session: Session, object_name: str) -> frozenset[str]:
    """Names of the fields an object has, whoever sees them, and of the object itself; empty where it is not told.

    Describe leaves out what the user may not see, so that it looks as if it were missing: only the Tooling API tells.
    """
    condition = f"EntityDefinition.QualifiedApiName = {soql.text(object_name)}"
    rows = await session.tooling_query(soql.select("FieldDefinition", ["QualifiedApiName"], condition))
    found = {str(row.get("QualifiedApiName")) for row in rows or () if isinstance(row, dict)}
    return frozenset({object_name, *found}) if found else frozenset()


def live_schema(
    definition: ObjectDefinition,
    identity: Portal,
    ours: ObjectInfo | None,
    links: ObjectInfo | None,
    account: ObjectInfo | None,
    company_properties: Collection[str],
    hidden: Collection[str],
) -> LiveSchema:
    """Our part of an org's schema, by name, as the user sees it. Pure.

    `hidden` are names of objects of ours, and of fields of our object, that exist whether or not the user sees them.
    """
    mapped = tuple(
        _live(field, field.name) for field in (account.fields if account else ()) if field.name in company_properties
    )
    objects = (names.custom_name(definition.name), ours), (names.link_object(definition), links)
    obstacles = (
        *(Obstacle(f"{UNSEEN} the object {name}", ASSIGN) for name, info in objects if info is None and name in hidden),
        *_foreign_links(definition, links),
    )
    if ours is None:
        return LiveSchema(
            identity,
            False,
            False,
            (),
            (),
            mapped,
            text_limits=TEXT_LIMITS,
            obstacles=obstacles,
            grouped=False,
            words=WORDS,
        )
    by_field = {names.custom_name(item.name): item for item in definition.properties}
    others = [field for field in ours.fields if field.custom and field.name not in by_field]
    own = [_our_property(field, by_field[field.name]) for field in ours.fields if field.name in by_field]
    # Required fields of others as well: a record without a value would be refused.
    required = [_live(field, field.name) for field in others if field.required]
    return LiveSchema(
        portal=identity,
        object_present=True,
        object_archived=False,
        properties=(*own, *_unseen(definition, ours, hidden), *required),
        links=tuple(live_links(definition, links)),
        company_properties=mapped,
        other_properties=tuple(sorted(field.name for field in others)),
        text_limits=TEXT_LIMITS,
        obstacles=obstacles,
        grouped=False,
        words=WORDS,
    )


def _foreign_links(definition: ObjectDefinition, links: ObjectInfo | None) -> list[Obstacle]:
    """An object with the name of our links that is somebody else's: setup would add our fields to it."""
    ours = {names.LINK_KEY, names.LINK_KIND, names.request_lookup(definition), *names.LOOKUPS.values()}
    others = sorted(field.name for field in links.fields if field.custom and field.name not in ours) if links else []
    if links is None or not others or links.field(names.LINK_KEY):
        return []
    named = first_names(others)
    return [
        Obstacle(
            f"an object {links.name} exists that is not ours: it has {named} and no {names.LINK_KEY}",
            "delete that object in Setup, Object Manager, if nobody needs it, or use another org",
        )
    ]


def _unseen(definition: ObjectDefinition, ours: ObjectInfo, hidden: Collection[str]) -> list[LiveProperty]:
    return [
        _hidden(item, TypeDifference(f"{UNSEEN} the field {field}", remedy=ASSIGN))
        for item in definition.properties
        if (field := names.custom_name(item.name)) in hidden and ours.field(field) is None
    ]


def live_links(definition: ObjectDefinition, links: ObjectInfo | None) -> list[LiveLink]:
    """The labels that a link can have: those of the picklist whose lookup, and all else it takes, is there."""
    if links is None or not all(links.field(name) for name in (names.LINK_KEY, names.request_lookup(definition))):
        return []
    kind = links.field(names.LINK_KIND)
    values = {one.value: one.label for one in kind.picklist_values if one.active} if kind else {}
    return [
        LiveLink(link.target, link.name, values[link.name])
        for link in definition.links
        if link.name in values and links.field(names.LOOKUPS[link.target])
    ]


def _our_property(field: FieldInfo, item: PropertyDefinition) -> LiveProperty:
    may_write = field.filled_by_org or (field.createable and field.updateable)
    lacking = TypeDifference(f"the user may not change the field {field.name}", remedy=ASSIGN)
    options = tuple(one.value for one in field.picklist_values if one.active)
    amendable = _amendable(item, field)
    by_hand = not amendable and any(value not in options for value, _ in item.options)
    return LiveProperty(
        name=item.name,
        type=field.type,
        field_type="",
        unique=field.unique,
        writable=not field.filled_by_org,
        options=options,
        required=field.required,
        difference=_difference(item, field, None if may_write else lacking),
        amendable=amendable,
        adding_options=ADD_VALUES.format(field=field.name) if by_hand else "",
    )


def _amendable(item: PropertyDefinition, field: FieldInfo) -> bool:
    """Tell whether options can be added by deploying the field again, which replaces its definition.

    Not where that would lose what people set: a default value, a help text, that a value is required, or that others
    are taken as well.
    """
    changed = field.required or field.inline_help_text or any(one.default_value for one in field.picklist_values)
    return item.kind is PropertyKind.OPTION and type_difference(item.kind, field) is None and not changed


def _difference(
    item: PropertyDefinition, field: FieldInfo, without_right: TypeDifference | None
) -> TypeDifference | None:
    """A type that cannot hold our values comes first, then a right that the user lacks, then a harmless difference."""
    of_type = type_difference(item.kind, field)
    if of_type is not None and not of_type.harmless:
        return of_type
    return without_right or of_type


def company_properties(group: PropertyGroup, account: ObjectInfo, hidden: Collection[str]) -> tuple[LiveProperty, ...]:
    """Our properties on accounts as the user sees them; those that exist and are hidden say so. Pure."""
    found = []
    for item in group.properties:
        name = names.custom_name(item.name)
        field = account.field(name)
        if field is None and name in hidden:
            found.append(_hidden(item, TypeDifference(f"{UNSEEN} the field {name}", remedy=ASSIGN_ACCOUNTS)))
        elif field is not None:
            difference = _difference(item, field, _lacking_on_accounts(field, account))
            found.append(msgspec.structs.replace(_our_property(field, item), difference=difference))
    return tuple(found)


def _lacking_on_accounts(field: FieldInfo, account: ObjectInfo) -> TypeDifference | None:
    """The right that the user lacks to write this field of accounts. None is ever made, so that changing is enough."""
    if not field.updateable and not field.filled_by_org:
        return TypeDifference(f"the user may not change the field {field.name}", remedy=ASSIGN_ACCOUNTS)
    # Right as the field may be, nothing is written to an account that the user may only read.
    return None if account.updateable else TypeDifference("the user may not change accounts", remedy=ASSIGN_ACCOUNTS)


def _hidden(item: PropertyDefinition, difference: TypeDifference) -> LiveProperty:
    """A property that exists and that the user does not see: nothing is known of it but that it is there."""
    return LiveProperty(item.name, "hidden", "", item.unique, writable=True, options=None, difference=difference)


def _live(field: FieldInfo, name: str) -> LiveProperty:
    return LiveProperty(
        name=name,
        type=field.type,
        field_type="",
        unique=field.unique,
        writable=field.createable and field.updateable and not field.filled_by_org,
        options=tuple(one.value for one in field.picklist_values if one.active),
        required=field.required,
    )
