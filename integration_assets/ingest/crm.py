"""Read the CRM: companies, deals, our records with their links, the schema of both environments, contacts of voters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from integration_assets.config import Environment
from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import CredentialError, IntegrationError
from integration_assets.ingest.call_floor import calls_for, schema_calls
from integration_assets.ingest.companies import read_companies
from integration_assets.ingest.context import IngestContext, chunks, size_of
from integration_assets.ingest.deals import read_deals
from integration_assets.ingest.gather import gather
from integration_assets.ingest.owners import read_owners
from integration_assets.mail_addresses import other_spellings, split_address
from integration_assets.models import LinkTarget, LiveSchema, Page, Portal
from integration_assets.reporting.progress import track
from integration_assets.staging.rows import PortalRead
from integration_assets.sync.company_rollups import read_schema
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.portal import check_portal, pinned_portal
from integration_assets.tenants.integrations import company_mapping, crm_for
from integration_assets.tenants.portal_claims import check_claims, claims_of

BATCHES_IN_FLIGHT = 2
"""Batches of addresses asked for at the same time; each is several calls."""


async def read_crm(crm: Crm, context: IngestContext) -> None:
    """Everything of the CRM but the contacts of voters met late: contacts depend on the feedback system's voters.

    Raises:
        ConfigurationError: the credential leads to another portal than this environment is tied to.
    """
    settings, target = context.inputs.settings, context.inputs.environment
    mapping = company_mapping(settings)
    # Another portal ends the run here, before anything of it is read into this environment's store.
    portal = await crm.portal()
    check_portal(
        target,
        portal,
        own=settings.crm(target),
        pinned_id=pinned_portal(context.connection, target),
        other_portal_id=settings.crm(target.other).portal_id,
    )
    if not context.inputs.read_only:
        # A read-only run changes nothing in the portal, so it may look at one that another tenant keeps.
        check_claims(settings, claims_of(settings, context.inputs.tenant, portal.portal_id))
    # Before the companies: whether they may be read by their changes depends on it.
    unmapped = await _read_schema(crm, context, portal)
    # A table, as addresses are compared where they lie: there may be a million.
    context.connection.execute("CREATE OR REPLACE TEMP TABLE asked_addresses (email VARCHAR)")
    await gather(
        # A mapped property that is missing ends a whole read, and would pass for empty in any other.
        read_companies(crm, mapping, portal.portal_id, context, full=context.inputs.full or unmapped),
        _read_records_as_needed(crm, context),
        read_deals(crm, context),
        read_owners(crm, context),
        # Only where all persons are read at once: otherwise nobody sets the event this one waits for.
        *([_read_contacts_ahead(crm, context)] if context.contacts_due and context.persons_due else []),
    )


async def _read_schema(crm: Crm, context: IngestContext, portal: Portal) -> bool:
    """Read the schema of this environment; whether a mapped company property is not known to exist."""
    names = company_mapping(context.inputs.settings).names()
    try:
        schema = await read_schema(crm, FEATURE_REQUEST, names, rollups=context.inputs.settings.company_rollups)
    except CredentialError as error:
        if not context.inputs.read_only:
            raise
        # A run that writes nothing needs no custom object: the gate warns of it, with the scope.
        read = PortalRead(
            context.inputs.environment.value, "target", None, unreadable_reason=error.message, portal=portal
        )
        context.load.append("raw.crm_portals", [read])
        # Taken for unmapped: what could not be looked at may be missing.
        return True
    context.load.append("raw.crm_portals", [PortalRead(context.inputs.environment.value, "target", schema)])
    context.load.note_read("crm_schema", as_of=context.started_at, rows_read=1)
    # Which properties companies have is asked in any case, be it for reading them.
    context.work.crm.schemas += schema_calls(crm.costs, schema, mapped=True)
    if schema.rollups is not None and crm.company_writes is not None:
        context.work.crm.schemas += crm.company_writes.schema_calls
    elif context.inputs.settings.company_rollups:
        context.inputs.notes.append(f"companies carry no roll-ups: {crm.name} has no place for them here")
    return not {*names} <= {item.name for item in schema.company_properties}


async def _read_records_as_needed(crm: Crm, context: IngestContext) -> None:
    """Read our records; a run that writes nothing does without those that its credential may not read."""
    try:
        await _read_records(crm, context)
    except CredentialError as error:
        if not context.inputs.read_only:
            raise
        # Yesterday's rows: empty tables would make every record of ours look deleted.
        for table in ("raw.crm_feature_requests", "raw.crm_links"):
            context.load.carry_over(table)
        context.inputs.notes.append(f"our records in the CRM were not read, the ranking needs none: {error.message}")


async def _read_records(crm: Crm, context: IngestContext) -> None:
    """Records of ours, live and archived, and the links of the live ones."""
    stage, live = "raw_crm_feature_requests", []
    served = {False: 0, True: 0}
    with track("CRM records") as advance:
        # The CRM lists archived records apart; only live ones have links to be read.
        for archived in (False, True):
            async for page in crm.feature_requests(FEATURE_REQUEST, archived=archived):
                context.take(stage, "raw.crm_feature_requests", page)
                served[archived] += size_of(page)
                if not archived:
                    live += [record.record_id for record in page.records]
                    context.live_keys.update(record.key for record in page.records if record.key)
                advance(len(page.records))
    context.work.crm.live_records, context.work.crm.archived_records = served[False], served[True]
    targets: tuple[LinkTarget, ...] = ("company", "contact")
    with track("CRM links") as advance:

        async def read_links(record_ids: list[str], target: LinkTarget) -> None:
            links = await crm.links(FEATURE_REQUEST, record_ids, target)
            context.take(stage, "raw.crm_links", Page(links))
            # A pair with several labels is one entry of a page.
            of_record = Counter(record_id for record_id, _ in {(link.record_id, link.target_id) for link in links})
            most = len(links) if crm.costs.links_together else max(of_record.values(), default=0)
            context.work.crm.link_pages += max(1, calls_for(most, crm.costs.links_per_page)) - 1
            advance(len(links))

        for record_ids in chunks(live, crm.records_per_link_read):
            # Both targets of one batch at a time: the pages of all batches at once would be in memory together.
            await gather(*(read_links(record_ids, target) for target in targets))
    context.load.note_read("crm_feature_requests", as_of=context.started_at)


async def read_other_schema(context: IngestContext) -> None:
    """The other environment's schema, for comparison only: that it cannot be read costs nothing but a warning."""
    other = context.inputs.environment.other
    schema: LiveSchema | None = None
    reason: str | None = None
    # Many have one portal only: that is a choice, and no error to tell of.
    if not context.inputs.settings.crm(other).configured:
        reason = "not configured"
    elif not context.inputs.reads_other_schema:
        reason = "not read by a read-only run"
    else:
        try:
            schema = await _schema_of(other, context)
        except IntegrationError as error:
            reason = error.message
    context.load.append("raw.crm_portals", [PortalRead(other.value, "other", schema, reason)])


async def _schema_of(environment: Environment, context: IngestContext) -> LiveSchema:
    names = company_mapping(context.inputs.settings).names()
    async with crm_for(context.inputs.settings, environment, context.inputs.calls) as crm:
        schema = await crm.schema(FEATURE_REQUEST, names)
        context.work.crm.schemas += schema_calls(crm.costs, schema, mapped=bool(names))
        return schema


async def read_contacts(crm: Crm, context: IngestContext) -> None:
    """Contacts of voters and authors by their addresses: all of them when that is due, else of addresses met first.

    Call once `read_crm` and the read of the feedback system have ended.
    """
    # Contacts of known addresses change slowly: for those of yesterday the daily whole read is enough.
    if not context.contacts_due:
        context.load.carry_over("raw.crm_contacts")
    await _ask_for_contacts(crm, context)
    context.load.note_read("contacts", as_of=context.started_at)


async def _read_contacts_ahead(crm: Crm, context: IngestContext) -> None:
    """Contacts of all persons while votes are still being read: the list of persons is the shorter one by far."""
    for system in context.systems:
        await system.persons_read.wait()
    await _ask_for_contacts(crm, context)


async def _ask_for_contacts(crm: Crm, context: IngestContext) -> None:
    """Contacts of the addresses that are there by now and were not asked for yet."""
    kept_since = context.started_at.replace(tzinfo=None) - timedelta(days=context.inputs.settings.keep_idle_days)
    rows = context.connection.execute(
        """
        INSERT INTO asked_addresses
        SELECT DISTINCT email FROM loading.voters WHERE email IS NOT NULL
        AND (? OR email NOT IN (SELECT email FROM raw.voters WHERE email IS NOT NULL))
        AND email NOT IN (SELECT email FROM asked_addresses)
        -- whose address is about to go; once all votes are read, whoever votes again is asked for
        AND (
            voter_id NOT IN (SELECT voter_id FROM raw.idle_persons WHERE idle_since < ?)
            OR voter_id IN (SELECT voter_id FROM loading.votes UNION SELECT author_id FROM loading.feature_requests)
        )
        RETURNING email
        """,
        [context.contacts_due, kept_since],
    ).fetchall()
    if not rows:
        return
    addresses = {"@".join(parts) for (email,) in rows if (parts := split_address(email))}
    spellings = {spelling for (email,) in rows for spelling in other_spellings(email)} - addresses
    with track("contacts", len(addresses) + len(spellings)) as advance:

        async def read(batch: Sequence[str], *, normalised: bool) -> None:
            found = await crm.contacts(batch)
            if not normalised:
                # A spelling the CRM refuses is one it cannot hold; the address itself was asked for as well.
                found = msgspec.structs.replace(found, rejected=())
            context.work.crm.contacts += len(found.records)
            context.take("raw_crm_contacts", "raw.crm_contacts", found)
            advance(len(batch))

        context.work.crm.addresses += len(addresses)
        context.work.crm.address_spellings += len(spellings)
        batches = [(batch, True) for batch in chunks(sorted(addresses), crm.addresses_per_read)]
        batches += [(batch, False) for batch in chunks(sorted(spellings), crm.addresses_per_read)]
        for in_flight in chunks(batches, BATCHES_IN_FLIGHT):
            await gather(*(read(batch, normalised=normalised) for batch, normalised in in_flight))
