"""Reads of a portal: companies, contacts, our records, and their links."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from integration_assets.connectors.crm.base import BatchRejectedError, CompanyMapping, PairLinks, PairWrite
from integration_assets.connectors.crm.hubspot import endpoints, translate
from integration_assets.connectors.crm.hubspot.endpoints import Endpoint
from integration_assets.connectors.crm.hubspot.error_answers import parse_problem
from integration_assets.connectors.crm.hubspot.ids import LinkTypes
from integration_assets.connectors.crm.hubspot.session import Session, gather
from integration_assets.connectors.crm.hubspot.spec import HUBSPOT, PROPERTY_FORM
from integration_assets.connectors.crm.hubspot.wire import (
    SYSTEM,
    Associations,
    BatchRead,
    Listing,
    NamedProperty,
    decode,
)
from integration_assets.connectors.http import LargeAnswerError
from integration_assets.errors import ConfigurationError, ContractError
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

HUBSPOT_DEFINED = "HUBSPOT_DEFINED"
PRIMARY_COMPANY = (HUBSPOT_DEFINED, 1)
"""Contact to company: at most one per contact."""
PARENT_COMPANY = (HUBSPOT_DEFINED, 14)
"""Child company to parent company."""

NOT_FOUND = "OBJECT_NOT_FOUND"
"""Category of batch errors that say: there is no such record, or it has no associations."""
NO_ASSOCIATIONS = "NO_ASSOCIATIONS_FOUND"
"""End of the sub-category that some portals answer for an object without associations."""

MAPPING_VARIABLES = tuple(one.variable.name for one in HUBSPOT.settings if one.form == PROPERTY_FORM)
"""Variables that name properties of companies."""
PARENT_PAGES = endpoints.IDS_PER_ASSOCIATION_READ // endpoints.RECORDS_PER_CALL
"""List pages whose parents one association read can ask for."""


# --------------------------------------------------------------------------------------------------------- companies


async def companies(
    session: Session, mapping: CompanyMapping, known: frozenset[str] | None = None
) -> AsyncIterator[Page[Company]]:
    """All live companies. `known` are the names of all company properties, where they were read already.

    Raises:
        ConfigurationError: a mapped property does not exist (HubSpot would silently leave it out).
    """
    # Asked for where it is not defined, a property is silently left out: no company would have a parent.
    has_parent = translate.PARENT_PROPERTY in await known_company_properties(session, mapping.names(), known)
    parent = (translate.PARENT_PROPERTY,) if has_parent else ()
    names = tuple(dict.fromkeys((*translate.COMPANY_PROPERTIES, *parent, *mapping.names(), *mapping.rollups)))
    translated = (
        translate.translate(entries, "company", lambda record: translate.company(record, mapping))
        async for entries in record_pages(session, endpoints.COMPANIES, names)
    )
    # From the property where there is one: it costs no further call.
    async for page in translated if has_parent else _with_parents(session, translated):
        yield page


async def known_company_properties(
    session: Session, mapped: Iterable[str], known: frozenset[str] | None = None
) -> frozenset[str]:
    """Names of all company properties of the portal, the mapped ones being among them; read unless they are given."""
    endpoint = endpoints.properties(endpoints.COMPANIES)
    if known is None:
        listing = await session.read("GET", endpoint, Listing, params={"archived": "false"})
        known = frozenset(decode(entry, NamedProperty, endpoint=endpoint.template).name for entry in listing.results)
    # HubSpot would leave it out without a word, and every company would be without a figure.
    if missing := [name for name in mapped if name not in known]:
        raise ConfigurationError(
            f"the portal has no company property {', '.join(missing)}; correct the setting that names it, or create "
            f"the property ({', '.join(MAPPING_VARIABLES)})",
            system=SYSTEM,
            endpoint=endpoint.template,
        )
    return known


async def _with_parents(session: Session, pages: AsyncIterator[Page[Company]]) -> AsyncIterator[Page[Company]]:
    """Parents from associations, for portals without the parent property: one call for ten pages."""
    waiting: list[Page[Company]] = []
    async for page in pages:
        waiting.append(page)
        # As many pages as one read of associations takes.
        if len(waiting) == PARENT_PAGES:
            for ready in await _add_parents(session, waiting):
                yield ready
            waiting.clear()
    for ready in await _add_parents(session, waiting):
        yield ready


async def _add_parents(session: Session, pages: Sequence[Page[Company]]) -> list[Page[Company]]:
    ids = [company.company_id for page in pages for company in page.records]
    parents = await parents_of(session, ids)
    return [
        msgspec.structs.replace(
            page,
            records=tuple(
                msgspec.structs.replace(item, parent_id=parents.get(item.company_id)) for item in page.records
            ),
        )
        for page in pages
    ]


async def parents_of(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """The parent of each of these companies that has one, at most 1,000 companies; from associations."""
    return await _associated(session, endpoints.COMPANIES, endpoints.COMPANIES, ids, PARENT_COMPANY)


# ---------------------------------------------------------------------------------------------------------- contacts


async def contacts(session: Session, emails: Sequence[str]) -> Page[Contact]:
    """The contacts with these addresses, at most 1,000 of them. An address HubSpot refuses is rejected by its digest.

    The addresses are asked for 100 at a time, all at once; the primary companies of whoever is found in one call.
    """
    # Each once: HubSpot refuses a batch that names one twice.
    wanted = tuple(dict.fromkeys(email.strip().lower() for email in emails))
    size = endpoints.RECORDS_PER_CALL
    async with gather() as group:
        reading = [
            group.create_task(_contacts_by_email(session, wanted[start : start + size]))
            for start in range(0, len(wanted), size)
        ]
    entries = [entry for task in reading for entry in task.result()[0]]
    rejected = [refused for task in reading for refused in task.result()[1]]
    # Without their companies, which are asked for below, for all contacts in one call.
    found = translate.translate(entries, "contact", lambda record: translate.contact(record, {}))
    ids = list(dict.fromkeys(contact.contact_id for contact in found.records))
    companies_of = await _associated(session, endpoints.CONTACTS, endpoints.COMPANIES, ids, PRIMARY_COMPANY)
    # A contact is found once for each of its addresses that was asked for.
    unique = {contact.contact_id: contact for contact in found.records}
    return msgspec.structs.replace(
        found,
        records=tuple(
            msgspec.structs.replace(contact, primary_company_id=companies_of.get(contact.contact_id))
            for contact in unique.values()
        ),
        rejected=(*found.rejected, *rejected),
    )


log = logging.getLogger(__name__)


async def _contacts_by_email(session: Session, emails: Sequence[str]) -> tuple[list[Any], list[Rejected]]:
    """Records found, and addresses refused.

    A batch that HubSpot refuses whole, or in part without naming an address, is halved until the bad one is alone.
    """
    if not emails:
        return [], []
    try:
        answer = await _batch_read(session, endpoints.CONTACTS, translate.CONTACT_PROPERTIES, "email", emails)
    except BatchRejectedError as error:
        if len(emails) == 1:
            return [], [Rejected("contact", address_key(emails[0]), error.reason)]
        return await _halved(session, emails)
    problems = [one for one in map(parse_problem, answer.errors) if one.category != NOT_FOUND]
    # Passed over, such an error would make an address that could not be read look like one that nobody has.
    if len(emails) > 1 and not all(problem.context.get("ids") for problem in problems):
        return await _halved(session, emails)
    rejected = [
        Rejected("contact", address_key(address), problem.reason())
        for problem in problems
        for address in problem.context.get("ids") or emails
    ]
    return answer.results, rejected


async def _halved(session: Session, emails: Sequence[str]) -> tuple[list[Any], list[Rejected]]:
    """The same for both halves of these addresses."""
    middle = len(emails) // 2
    log.info("a batch of %d addresses is halved to find what is refused", len(emails), extra={"reads": len(emails)})
    async with gather() as group:
        halves = [group.create_task(_contacts_by_email(session, half)) for half in (emails[:middle], emails[middle:])]
    (entries, rejected), (more_entries, more_rejected) = (half.result() for half in halves)
    return [*entries, *more_entries], [*rejected, *more_rejected]


def address_key(email: str) -> str:
    """A stable name for an address that does not give it away."""
    return f"address:{hashlib.sha256(email.encode()).hexdigest()[:12]}"


# -------------------------------------------------------------------------------------------------------- our records


async def feature_requests(
    session: Session,
    object_type: str,
    definition: ObjectDefinition,
    *,
    archived: bool,
    is_ours: Callable[[Any], bool] = lambda _entry: True,
) -> AsyncIterator[Page[CrmFeatureRequest]]:
    """All live, or all archived, records of ours; `is_ours` tells them from the rows of others in the same object."""
    names = tuple(item.name for item in definition.properties)
    async for entries in record_pages(session, object_type, names, archived=archived):
        yield translate.translate(
            [entry for entry in entries if is_ours(entry)],
            "feature_request",
            lambda record: translate.feature_request(record, definition),
        )


async def feature_requests_by_key(
    session: Session,
    object_type: str,
    definition: ObjectDefinition,
    keys: Sequence[str],
    *,
    is_ours: Callable[[Any], bool] = lambda _entry: True,
) -> dict[str, CrmFeatureRequest]:
    """The live records with these keys, at most 100 of them, as far as they are ours.

    Raises:
        ContractError: a record of the answer cannot be read; taken for missing, it would be created again.
    """
    wanted = tuple(dict.fromkeys(keys))
    if not wanted:
        return {}
    names = tuple(item.name for item in definition.properties)
    # By the key and never by search, whose index lags behind what was just written.
    answer = await _batch_read(session, object_type, names, definition.key_property, wanted)
    endpoint = endpoints.object_batch(object_type, "read").template
    _only_missing(answer.errors, endpoint)
    page = translate.translate(
        [entry for entry in answer.results if is_ours(entry)],
        "feature_request",
        lambda record: translate.feature_request(record, definition),
    )
    # A record that is there and cannot be read is not missing: it would be created a second time.
    if page.rejected:
        first = page.rejected[0]
        raise ContractError(f"hubspot record {first.key}: {first.reason}", system=SYSTEM, endpoint=endpoint)
    return {record.key: record for record in page.records if record.key is not None}


async def record_pages(
    session: Session, object_type: str, names: Sequence[str], *, archived: bool = False
) -> AsyncIterator[list[Any]]:
    """Pages of the records of a type with the named properties, in the order of their ids."""
    params = {"properties": ",".join(names), "archived": str(archived).lower()}
    async for entries in pages(session, endpoints.objects(object_type), params):
        yield entries


async def pages(session: Session, endpoint: Endpoint, params: Mapping[str, str]) -> AsyncIterator[list[Any]]:
    """Pages of a list, to its end."""
    asked = {"limit": str(endpoints.RECORDS_PER_CALL), **params}
    after: str | None = None
    followed: set[str] = set()
    while True:
        page = await session.read("GET", endpoint, Listing, params=asked | ({"after": after} if after else {}))
        yield page.results
        after = page.after()
        if after is None:
            return
        # A cursor that comes back would be followed for ever.
        if after in followed:
            raise ContractError(
                "hubspot repeats a page cursor; the list has no end", system=SYSTEM, endpoint=endpoint.template
            )
        followed.add(after)


async def records_by_id(session: Session, object_type: str, names: Sequence[str], ids: Sequence[str]) -> BatchRead:
    """The live records with these record ids, at most 100; those that are not there are left out.

    Raises:
        ContractError: a part of the answer says anything else than that a record is not there.
    """
    answer = await _batch_read(session, object_type, names, None, ids)
    _only_missing(answer.errors, endpoints.object_batch(object_type, "read").template)
    return answer


async def _batch_read(
    session: Session, object_type: str, names: Sequence[str], id_property: str | None, values: Sequence[str]
) -> BatchRead:
    body: dict[str, Any] = {
        "properties": list(names),
        "propertiesWithHistory": [],
        "inputs": [{"id": value} for value in values],
    }
    # Without it HubSpot takes the values for record ids.
    if id_property is not None:
        body["idProperty"] = id_property
    endpoint = endpoints.object_batch(object_type, "read")
    return await session.read_batch(endpoint, body, params={"archived": "false"})


# -------------------------------------------------------------------------------------------------------------- links


async def links(
    session: Session, object_type: str, target: LinkTarget, types: LinkTypes, record_ids: Sequence[str]
) -> tuple[Link, ...]:
    """All labels between these records, at most 1,000 of them, and records of `target`."""
    found = await _associations(session, object_type, endpoints.TARGETS[target], record_ids)
    return tuple(
        Link(record_id, target, target_id, label)
        for record_id, pairs in found.items()
        for target_id, keys in pairs.items()
        # Each once: several types of a pair may be plain.
        for label in dict.fromkeys(types.label(key) for key in keys)
    )


async def links_of_pairs(
    session: Session, object_type: str, target: LinkTarget, types: LinkTypes, pairs: Sequence[PairWrite]
) -> PairLinks:
    """All labels of these pairs, read from the side of `target`, at most 1,000 records of it.

    From there a type has another number. Where the schema does not tell which, the pair is handed back unread.
    """
    target_ids = [pair.target_id for pair in pairs]
    found = await _associations(session, endpoints.TARGETS[target], object_type, target_ids)
    links: list[Link] = []
    unreadable: list[PairWrite] = []
    for pair in pairs:
        keys = [types.inverse.get(key) for key in found.get(pair.target_id, {}).get(pair.record_id, ())]
        labels = [types.label(key) for key in keys if key is not None]
        # One type unknown makes the whole pair unreadable: written back without it, somebody's label would be gone.
        if len(labels) < len(keys):
            unreadable.append(pair)
        else:
            links += [Link(pair.record_id, target, pair.target_id, label) for label in dict.fromkeys(labels)]
    return PairLinks(tuple(links), tuple(unreadable))


async def associated_ids(
    session: Session, from_type: str, to_type: str, ids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Ids of the objects that each of these, at most 1,000, is associated with in whatever way."""
    found = await _associations(session, from_type, to_type, ids)
    return {start: tuple(pairs) for start, pairs in found.items()}


async def _associated(
    session: Session, from_type: str, to_type: str, ids: Sequence[str], key: tuple[str, int]
) -> dict[str, str]:
    """The one object each id is associated with by this type; the smallest id should there be several."""
    found = await _associations(session, from_type, to_type, ids)
    ends = {
        # The same one in every run, whatever order the answer has.
        start: min((end for end, keys in pairs.items() if key in keys), key=_numeric, default=None)
        for start, pairs in found.items()
    }
    return {start: end for start, end in ends.items() if end is not None}


def _numeric(text: str) -> tuple[int, str]:
    # Ids are numbers as text: the longer one is the larger.
    return len(text), text


Pairs = dict[str, dict[str, dict[tuple[str, int], None]]]
"""From id → to id → association types of the pair, in the order they came."""


async def _associations(session: Session, from_type: str, to_type: str, ids: Sequence[str]) -> Pairs:
    """Associations of these objects, read to the end of each one's own pages. Objects without any are left out."""
    endpoint = endpoints.association_batch(from_type, to_type, "read")
    found: Pairs = defaultdict(lambda: defaultdict(dict))
    # Each object pages for itself: the next round asks only for those that have more.
    inputs: list[dict[str, str]] = [{"id": item} for item in dict.fromkeys(ids)]
    followed: set[tuple[str, str]] = set()
    while inputs:
        results = await _association_pages(session, endpoint, inputs)
        inputs = []
        for entry in results:
            page = decode(entry, Associations, endpoint=endpoint.template)
            start, after = str(page.source.id), page.after()
            for item in page.to:
                for kind in item.association_types:
                    found[start][str(item.to_object_id)][(kind.category, kind.type_id)] = None
            # As with lists: a cursor that comes back has no end.
            if after is not None and (start, after) in followed:
                raise ContractError(
                    "hubspot repeats an association cursor; the list has no end",
                    system=SYSTEM,
                    endpoint=endpoint.template,
                )
            if after is not None:
                followed.add((start, after))
                inputs.append({"id": start, "after": after})
    return found


async def _association_pages(session: Session, endpoint: Endpoint, inputs: Sequence[dict[str, str]]) -> list[Any]:
    """The next page of each object; asked for in halves where all of them together are too large for one answer."""
    try:
        answer = await session.read(
            "POST", endpoint, BatchRead, json={"inputs": inputs}, bucket=endpoints.ASSOCIATION_BUCKET
        )
    except LargeAnswerError:
        # One object alone is too large: there is nothing left to halve.
        if len(inputs) == 1:
            raise
        # Halves, until each answer fits: how much an object brings is known afterwards only.
        middle = len(inputs) // 2
        log.info("a batch of %d records is halved: the answer is too large", len(inputs), extra={"reads": len(inputs)})
        halves = [await _association_pages(session, endpoint, half) for half in (inputs[:middle], inputs[middle:])]
        return [entry for half in halves for entry in half]
    _only_missing(answer.errors, endpoint.template)
    return answer.results


def _only_missing(errors: Iterable[Any], endpoint: str) -> None:
    """Let errors pass that say a record or its associations are not there; anything else would pass for absence."""
    for problem in map(parse_problem, errors):
        if problem.category != NOT_FOUND and not (problem.sub_category or "").endswith(NO_ASSOCIATIONS):
            raise ContractError(
                f"hubspot answered a part of a batch read with {problem.reason()}; run again",
                system=SYSTEM,
                endpoint=endpoint,
            )
