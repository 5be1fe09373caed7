"""The schema of a portal: what it has of ours, and the making of what is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.error_answers import parse_problem
from integration_assets.connectors.crm.hubspot.ids import (
    PortalIds,
    association_types,
    custom_objects,
    find_object,
    named_object,
)
from integration_assets.connectors.crm.hubspot.property_types import (
    CALCULATED,
    PROPERTY_TYPES,
    TEXT_LIMITS,
    PropertyType,
    type_difference,
)
from integration_assets.connectors.crm.hubspot.session import Session, gather, receipt, unknown_outcome
from integration_assets.connectors.crm.hubspot.wire import (
    SYSTEM,
    AccountDetails,
    BatchAnswer,
    Limit,
    Listing,
    NamedProperty,
    Property,
    Schema,
    decode,
)
from integration_assets.connectors.crm.record_pages import ID, page_host
from integration_assets.connectors.http import Answer
from integration_assets.errors import (
    ConfigurationError,
    CredentialError,
    IntegrationError,
    PermanentError,
    TransientError,
)
from integration_assets.models import (
    LinkDefinition,
    LinkTarget,
    LiveLink,
    LiveProperty,
    LiveSchema,
    ObjectDefinition,
    Portal,
    PortalKind,
    PropertyDefinition,
    PropertyGroup,
    PropertyKind,
    RecordPages,
)

EXISTS = 409
"""Answer to creating something that exists."""
FORBIDDEN = frozenset({402, 403})
REFUSED = frozenset({400, EXISTS})
"""Refusals to create a custom object. The reference does not say which of them a portal without the subscription
gives."""


# ----------------------------------------------------------------------------------------------------------- reading


async def portal(session: Session) -> Portal:
    """Identity of the portal."""
    details = await session.read("GET", endpoints.account_details(), AccountDetails)
    # HubSpot may add kinds; one we do not know is no reason to stop.
    known = details.account_type in PortalKind.__members__
    portal_id = str(details.portal_id)
    return Portal(
        portal_id=portal_id,
        kind=PortalKind(details.account_type) if known else PortalKind.OTHER,
        currency=details.company_currency or None,
        time_zone=details.time_zone or None,
        pages=_pages(details.ui_domain, portal_id),
    )


def _pages(ui_domain: str | None, portal_id: str) -> RecordPages:
    """Addresses of records as far as the account alone tells them: not of ours, whose type only the schema tells."""
    host = page_host(ui_domain)
    if host is None:
        return RecordPages(unknown="HubSpot does not tell at which host the pages of this portal are (uiDomain)")
    return RecordPages(company=_page(host, portal_id, endpoints.COMPANIES))


def _page(host: str, portal_id: str, object_type_id: str) -> str:
    return f"https://{host}/contacts/{portal_id}/record/{object_type_id}/{ID}"


def with_request_page(identity: Portal, object_type_id: str) -> Portal:
    """The portal with the address of records of ours, which are of this type."""
    # Another type in the same pages: where the one of companies is not known, neither is this one.
    if identity.pages.company is None:
        return identity
    request = identity.pages.company.replace(f"/{endpoints.COMPANIES}/", f"/{object_type_id}/")
    return msgspec.structs.replace(identity, pages=msgspec.structs.replace(identity.pages, request=request))


CompanyProperties = frozenset[str]
"""Names of all company properties of a portal."""


async def live_schema(
    session: Session,
    ids: PortalIds,
    definition: ObjectDefinition,
    company_properties: Collection[str],
    *,
    identity: Portal | None = None,
) -> tuple[LiveSchema, CompanyProperties | None]:
    """Read what the portal has of ours now, and the names of all company properties (None: none was asked for).

    `ids` learn what is seen. `identity` is the portal's where it is known.
    """
    async with gather() as group:
        who = group.create_task(known_portal(identity) if identity else portal(session))
        found = group.create_task(custom_objects(session))
        of_companies = group.create_task(company_definitions(session, company_properties))
    schema, (mapped, names) = named_object(found.result(), definition.name), of_companies.result()
    if schema is None:
        # Setup has to say so: it does not create ours beside an archived one.
        archived = await find_object(session, definition.name, archived=True) if found.result() is not None else None
        absent = LiveSchema(who.result(), False, archived is not None, (), (), mapped, text_limits=TEXT_LIMITS)
        return absent, names
    ids.remember_object(definition, schema)
    # Several of our links may lead to one target, whose labels come in one list.
    targets = tuple(dict.fromkeys(link.target for link in definition.links))
    async with gather() as group:
        properties = group.create_task(_our_properties(session, schema, definition))
        links = [group.create_task(live_links(session, ids, schema, definition, target)) for target in targets]
    live = LiveSchema(
        portal=with_request_page(who.result(), schema.object_type_id),
        object_present=True,
        object_archived=False,
        properties=properties.result()[0],
        links=tuple(link for task in links for link in task.result()),
        company_properties=mapped,
        other_properties=properties.result()[1],
        text_limits=TEXT_LIMITS,
    )
    return live, names


async def known_portal(identity: Portal) -> Portal:
    """An identity that was read before."""
    return identity


async def archived_properties(session: Session, object_type: str, definition: ObjectDefinition) -> tuple[str, ...]:
    """Names of our properties that exist archived, in the order of the definition."""
    ours = {item.name for item in definition.properties}
    found = {item.name for item in await _properties(session, object_type, ours, archived=True)}
    return tuple(item.name for item in definition.properties if item.name in found)


async def live_properties(session: Session, object_type: str, group: PropertyGroup) -> tuple[LiveProperty, ...]:
    """Those properties of a group of ours that an object has, each held against its definition."""
    wanted = {item.name: item for item in group.properties}
    found = await _properties(session, object_type, wanted.keys())
    # Either sign will do: people move properties to other groups, and write help texts anew.
    return tuple(
        msgspec.structs.replace(
            live_property(item, kind=wanted[item.name].kind),
            made_by_us=item.group_name == group.name or item.description == wanted[item.name].description,
        )
        for item in found
    )


async def _our_properties(
    session: Session, schema: Schema, definition: ObjectDefinition
) -> tuple[tuple[LiveProperty, ...], tuple[str, ...]]:
    """Our properties, and whatever else the portal requires of every record: it would refuse ours without it.

    Beside them the names of all properties that neither HubSpot nor our definition brings along.
    """
    # Required ones of others as well: a record without them would be refused.
    required, kinds = frozenset(schema.required_properties), {item.name: item.kind for item in definition.properties}
    found, entries = await named_properties(session, schema.object_type_id, kinds.keys() | required)
    others = sorted(name for name, entry in entries.items() if name not in kinds and not entry.hubspot_defined)
    live = (
        live_property(item, required=item.name in required, kind=kinds.get(item.name), our_group=definition.group)
        for item in found
    )
    return tuple(live), tuple(others)


async def company_definitions(
    session: Session, names: Collection[str]
) -> tuple[tuple[LiveProperty, ...], CompanyProperties | None]:
    """The named ones that exist, and the names of all there are."""
    # Nothing is mapped: a call less.
    if not names:
        return (), None
    found, entries = await named_properties(session, endpoints.COMPANIES, frozenset(names))
    return tuple(live_property(item) for item in found), frozenset(entries)


async def _properties(
    session: Session, object_type: str, names: Collection[str], *, archived: bool = False
) -> list[Property]:
    """The named property definitions that exist. Others are not looked at: their form is none of our business."""
    return (await named_properties(session, object_type, names, archived=archived))[0]


async def named_properties(
    session: Session, object_type: str, names: Collection[str], *, archived: bool = False
) -> tuple[list[Property], Mapping[str, NamedProperty]]:
    """The named definitions that exist, and the names of all there are, with whose they are."""
    endpoint = endpoints.properties(object_type)
    listing = await session.read("GET", endpoint, Listing, params={"archived": str(archived).lower()})
    # First the names alone: a definition of somebody else may have any form.
    named = [(decode(entry, NamedProperty, endpoint=endpoint.template), entry) for entry in listing.results]
    wanted = {
        one.name: decode(entry, Property, endpoint=endpoint.template) for one, entry in named if one.name in names
    }
    return list(wanted.values()), {one.name: one for one, _ in named}


def live_property(
    item: Property, *, required: bool = False, kind: PropertyKind | None = None, our_group: str | None = None
) -> LiveProperty:
    """A definition as the rest of the product knows it, judged by the kind it is to hold, if any.

    In `our_group` it is one of ours, to which `setup` may add.
    """
    # By the group and not the name alone: an object of somebody else may have properties called as ours are.
    is_ours = kind is not None and item.group_name is not None and item.group_name == our_group
    type_ = PropertyType(item.type, item.field_type)
    return LiveProperty(
        name=item.name,
        type=item.type,
        field_type=item.field_type,
        unique=item.has_unique_value,
        writable=item.writable and item.field_type != CALCULATED,
        # Options kept elsewhere are not in the answer: none there does not mean that none is allowed.
        options=None if item.external_options else tuple(option.value for option in item.options or ()),
        group=item.group_name,
        required=required,
        difference=type_difference(kind, type_) if kind else None,
        # HubSpot leaves an empty text out.
        description=(item.description or "") if is_ours else None,
        amendable=is_ours and item.amendable,
    )


async def live_links(
    session: Session, ids: PortalIds, schema: Schema, definition: ObjectDefinition, target: LinkTarget
) -> list[LiveLink]:
    """Every way in which our records can be associated with a target; `ids` learn the types."""
    async with gather() as group:
        reading = group.create_task(association_types(session, schema.object_type_id, target))
        limit = group.create_task(_link_limit(session, schema.object_type_id, target))
    types = reading.result()
    ids.remember_links(definition, schema.object_type_id, target, types)
    # By what was just remembered: the list of labels tells texts only, and people change those.
    names = ids.names(definition, schema.object_type_id, target, types)
    others = ids.type_names(schema.object_type_id, target)
    return [
        LiveLink(
            target,
            names[(entry.category, entry.type_id)] or others.get(entry.type_id),
            entry.label or None,
            limit.result(),
        )
        for entry in types
    ]


async def _link_limit(session: Session, object_type: str, target: LinkTarget) -> int | None:
    endpoint = endpoints.association_limit(object_type, endpoints.TARGETS[target])
    answer = await session.read_where_told("GET", endpoint, Limit)
    return answer.limit if answer else None


# ---------------------------------------------------------------------------------------------------------- creating


async def create_object(session: Session, ids: PortalIds, definition: ObjectDefinition) -> None:
    """Create our object with its display property, linkable to companies and contacts.

    Raises:
        ConfigurationError: the subscription has no custom objects.
        PermanentError: an object of this name exists, or the request is refused.
        UnknownOutcomeError: the answer was lost or cannot be read: the object may have been created.
    """
    # An object is born with the properties it is shown and searched by, which have to exist for that; the others follow
    # once it can be found.
    display, born = definition.display_property, born_with(definition)
    body = {
        "name": definition.name,
        "labels": {"singular": definition.singular, "plural": definition.plural},
        "primaryDisplayProperty": display,
        "requiredProperties": [],
        "searchableProperties": [name for name in (display, definition.key_property) if name in born],
        "secondaryDisplayProperties": list(definition.summary_properties),
        "properties": [_definition_body(item) for item in definition.properties if item.name in born],
        "associatedObjects": ["COMPANY", "CONTACT"],
    }
    endpoint = endpoints.schemas()
    answer = await session.define("POST", endpoint, body, expect=FORBIDDEN | REFUSED)
    if answer.status in FORBIDDEN | REFUSED:
        # Forbidden says enough; a 400 may mean many things, and the limit tells.
        limit = Limit(limit=0) if answer.status in FORBIDDEN else await _custom_object_limit(session)
        raise _object_refused(answer, definition.name, endpoint.template, limit)
    ids.remember_object(definition, receipt(answer.body, Schema, endpoint=endpoint.template))


def born_with(definition: ObjectDefinition) -> frozenset[str]:
    """Names of the properties that the object is created with. Pure."""
    # The key beside what is shown, so that a record is found by the id a request has in the feedback system.
    key = {definition.key_property} if definition.summary_properties else set()
    return frozenset({definition.display_property, *definition.summary_properties} | key)


async def create_group(session: Session, object_type: str, definition: ObjectDefinition) -> None:
    """Create our property group; an existing one is left as it is."""
    await create_group_named(session, object_type, definition.group, definition.group_label)


async def create_group_named(session: Session, object_type: str, name: str, label: str) -> None:
    """Create a property group; an existing one is left as it is."""
    body = {"name": name, "label": label, "displayOrder": -1}
    # A setup that was interrupted meets its own group.
    await session.define("POST", endpoints.property_groups(object_type), body, expect=frozenset({EXISTS}))


async def create_properties(
    session: Session, object_type: str, definition: ObjectDefinition, properties: Sequence[PropertyDefinition]
) -> None:
    """Create properties in our group, and bring those that were born with the object into it.

    Raises:
        PermanentError: HubSpot refuses one of them; names it.
        UnknownOutcomeError: the answer was lost, cannot be read, or says nothing of some: they may have been created.
    """
    born = born_with(definition)
    there: list[Property] | None = None
    missing = properties
    # Whoever planned this did so before the object existed, and knew of nothing it would be born with but its name.
    if definition.summary_properties:
        there = await _properties(session, object_type, born)
        names = {item.name for item in there}
        missing = [item for item in properties if item.name not in names]
    await create_in_group(session, object_type, definition.group, missing)
    # They were made just now, in our group.
    if born <= {item.name for item in missing}:
        return
    there = await _properties(session, object_type, born) if there is None else there
    for item in there:
        # Only out of the group HubSpot puts them in: where somebody has moved one, it stays.
        if item.group_name == f"{definition.name}_information":
            endpoint = endpoints.property_definition(object_type, item.name)
            await session.define("PATCH", endpoint, {"groupName": definition.group})


async def create_in_group(
    session: Session, object_type: str, group: str, properties: Sequence[PropertyDefinition]
) -> None:
    """Create properties in a group. Raises as `create_properties`."""
    if not properties:
        return
    endpoint = endpoints.property_batch_create(object_type)
    body = {"inputs": [_definition_body(item, group=group) for item in properties]}
    answer = await session.define("POST", endpoint, body)
    _all_created(receipt(answer.body, BatchAnswer, endpoint=endpoint.template), properties, endpoint.template)


async def create_link(session: Session, object_type: str, link: LinkDefinition) -> None:
    """Create a link label with its inverse.

    Raises:
        TransientError: a label of this name or text exists, although reading the schema did not show it (yet).
    """
    body = {"name": link.name, "label": link.label, "inverseLabel": link.inverse_label}
    endpoint = endpoints.association_labels(object_type, endpoints.TARGETS[link.target])
    answer = await session.define("POST", endpoint, body, expect=frozenset({EXISTS}))
    # It may be ours, from a setup that was interrupted: labels show late in the schema.
    if answer.status == EXISTS:
        raise TransientError(
            f"the portal has a {link.target} label named {link.name!r} or with the text {link.label!r}, and its schema "
            "does not show it yet: run setup again in ten minutes",
            system=SYSTEM,
            endpoint=endpoint.template,
            status=EXISTS,
        )


def _definition_body(item: PropertyDefinition, *, group: str | None = None) -> dict[str, Any]:
    type_ = PROPERTY_TYPES[item.kind]
    body: dict[str, Any] = {
        "name": item.name,
        "label": item.label,
        "type": type_.type,
        "fieldType": type_.field_type,
        "description": item.description,
        "hasUniqueValue": item.unique,
    }
    # A new object has no group of ours yet: its first property comes without one.
    if group is not None:
        body["groupName"] = group
    if item.options:
        body["options"] = [
            {"value": value, "label": label, "displayOrder": order, "hidden": False}
            for order, (value, label) in enumerate(item.options)
        ]
    return body


async def has_custom_objects(session: Session) -> bool:
    """True if the subscription has custom objects, as far as the portal tells."""
    limit = await _custom_object_limit(session)
    # The list itself is asked where the limit is not told: a subscription without them does not open it.
    return limit.limit > 0 if limit.limit is not None else await custom_objects(session) is not None


async def _custom_object_limit(session: Session) -> Limit:
    """Read how many custom objects the subscription has room for and has; empty when it does not tell."""
    return await session.read_where_told("GET", endpoints.custom_object_limit(), Limit) or Limit()


def _object_refused(answer: Answer, name: str, endpoint: str, limit: Limit) -> IntegrationError:
    problem = parse_problem(answer.body)
    # Either number may be missing; a limit that is not told is no reason.
    full = limit.limit is not None and limit.usage is not None and limit.usage >= limit.limit
    # Before the subscription: a token without the scope is refused with the same status.
    if answer.status in FORBIDDEN and problem.lacks_scope:
        scopes = ", ".join(problem.scopes) or "crm.schemas.custom.write"
        kind: type[IntegrationError] = CredentialError
        text = f"hubspot refuses to create the custom object {name!r}: grant the token the scope {scopes}"
    elif limit.limit == 0:
        kind = ConfigurationError
        text = f"the portal refuses to create the custom object {name!r} ({problem.reason()}): it needs Enterprise"
    elif full:
        kind = PermanentError
        text = (
            f"hubspot refuses to create the custom object {name!r}: {limit.usage} of {limit.limit} custom objects are "
            "in use; delete one, or buy more"
        )
    else:
        kind = PermanentError
        advice = (
            "an object of this name exists, read the schema again" if answer.status == EXISTS else "nothing was made"
        )
        text = f"hubspot refuses to create the custom object {name!r}: {problem.reason()}; {advice}"
    return kind(text, system=SYSTEM, endpoint=endpoint, status=answer.status)


def _all_created(answer: BatchAnswer, properties: Iterable[PropertyDefinition], endpoint: str) -> None:
    """Raise when one of the properties was not created, or it cannot be told whether it was."""
    properties = tuple(properties)
    created = {receipt(entry, NamedProperty, endpoint=endpoint).name for entry in answer.results}
    missing = [item.name for item in properties if item.name not in created]
    if not missing:
        return
    which = f"{len(missing)} of {len(properties)} properties ({', '.join(missing)})"
    # Neither confirmed nor refused: the request was accepted, so they may be there.
    if not answer.errors:
        raise unknown_outcome(f"hubspot's answer says nothing of {which}", endpoint=endpoint)
    reasons = "; ".join(dict.fromkeys(parse_problem(entry).reason() for entry in answer.errors))
    raise PermanentError(
        f"hubspot did not create {which}: {reasons}",
        system=SYSTEM,
        endpoint=endpoint,
    )
