"""Read all systems at the same time into the raw tables, page by page. All raw tables change at once, at the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import duckdb

from integration_assets.config import ProviderSettings
from integration_assets.connectors.crm.base import Crm
from integration_assets.connectors.feedback.base import FeedbackSystem, OwnTables
from integration_assets.connectors.feedback.prefixed import PrefixedFeedback
from integration_assets.connectors.limiter import Quota
from integration_assets.errors import ConfigurationError
from integration_assets.ingest.call_floor import sizes_of
from integration_assets.ingest.companies import note_company_read
from integration_assets.ingest.context import TABLES, FeedbackContext, IngestContext, Ingested, IngestInputs
from integration_assets.ingest.crm import read_contacts, read_crm, read_other_schema
from integration_assets.ingest.deals import READ as DEALS
from integration_assets.ingest.feature_requests import read_missing
from integration_assets.ingest.feedback import read_feedback
from integration_assets.ingest.gather import gather
from integration_assets.ingest.idle_persons import drop_idle_persons
from integration_assets.ingest.internal_accounts import read_internal
from integration_assets.ingest.own_tables import read_companies_of_tables
from integration_assets.ingest.vote_checkpoint import forget_vote_pages
from integration_assets.ingest.watermarks import (
    FEEDBACK_LISTS,
    due_reads,
    note_differences,
    note_full_reads,
    note_looks,
    note_table_findings,
    note_unknown_fields,
    note_unreadable_fields,
)
from integration_assets.staging.loading import quarantine, replacing
from integration_assets.staging.texts import text_list
from integration_assets.tenants.integrations import crm_for, feedback_credential, feedback_for, id_prefix


async def ingest(inputs: IngestInputs) -> Ingested:
    """Make the raw tables say what the systems say now, with as few calls as that takes.

    Raises:
        IntegrationError: a system cannot be read; the raw tables are as they were.
    """
    settings, connection, now = inputs.settings, inputs.connection, datetime.now(UTC)
    async with AsyncExitStack() as stack:
        opened = [
            (own, await stack.enter_async_context(feedback_for(settings, own, inputs.calls)))
            for own in settings.feedbacks
        ]
        tables = [feedback for _, feedback in opened if isinstance(feedback, OwnTables)]
        crm = await _opened_crm(inputs, tables, stack)
        with replacing(connection, TABLES) as load:
            context = IngestContext(inputs, load, now)
            systems = [_system(context, own, feedback) for own, feedback in opened]
            if crm is None:
                # Deals of a CRM that was there before would pass for all there are, of which nothing is known.
                load.forget_read(DEALS)
            await gather(
                *(read_feedback(feedback, system) for feedback, system in systems),
                *([read_crm(crm, context), read_other_schema(context)] if crm else []),
                read_internal(context),
                *(read_companies_of_tables(one, context, in_place_of_crm=crm is None) for one in tables),
            )
            # Here, inside the block: an error leaves yesterday's tables as they were.
            _refuse_one_portal_for_both(connection)
            await gather(
                *([read_contacts(crm, context)] if crm else []),
                # Last, as only after all lists are read is anything known to be missing.
                *(read_missing(feedback, system) for feedback, system in systems),
            )
        # While the connector is open, and after its last call.
        quota, crm_sizes = (crm.quota, sizes_of(crm)) if crm else (Quota(), None)
        findings = [finding for one in tables for finding in one.findings]
    connection.execute("DELETE FROM raw.excluded_requests")
    connection.execute(
        """INSERT INTO raw.excluded_requests SELECT unnest(from_json(?, '["VARCHAR"]'))""",
        [text_list(sorted(one for system in context.systems for one in system.excluded))],
    )
    for system in context.systems:
        if system.requests_unsettled:
            context.withheld.append(
                f"the list of requests of {system.own.spec.label} was read {system.passes} times and was incomplete or "
                "another one each time: nothing is retired this run"
            )
    # In the store, as whoever plans from these tables may be another run.
    connection.execute("DELETE FROM raw.withheld_retirements")
    connection.execute(
        """INSERT INTO raw.withheld_retirements SELECT unnest(from_json(?, '["VARCHAR"]'))""",
        [text_list(context.withheld)],
    )
    # From here on after the swap: noted before it, a failed read would count as done until the next day.
    for system in context.systems:
        # Contacts of all voters were read if one system's were due.
        due = system.due | ({"contacts"} if context.contacts_due else set())
        note_full_reads(connection, system.credential, now, due, system.prefix)
    inputs.notes.extend(context.withheld)
    # Where persons are no list, they come with their votes, and there are none without.
    drop_idle_persons(connection, now, settings.keep_idle_days, listed=context.persons_due)
    forget_vote_pages(connection)
    if kept := sum(system.votes_kept for system in context.systems):
        inputs.notes.append(f"went on from {kept:,} votes that an earlier run had read before it died")
    if context.company_read is not None:
        note_company_read(connection, context.company_read)
    note_differences(connection, {one: pair for system in context.systems for one, pair in system.differences.items()})
    note_looks(connection, now, [one for system in context.systems for one in system.looked_at])
    note_unknown_fields(connection, inputs.run_id, now, context.unknown_fields)
    note_unreadable_fields(connection, inputs.run_id, context.unreadable_fields)
    note_table_findings(connection, inputs.run_id, findings)
    for stage, rejected in context.rejected.items():
        quarantine(connection, inputs.run_id, stage, rejected)
    identified = sum(len(system.in_scope) for system in context.systems)
    return Ingested(identified, context.work, crm_sizes, quota)


def _system(
    context: IngestContext, own: ProviderSettings, feedback: FeedbackSystem
) -> tuple[FeedbackSystem, FeedbackContext]:
    """The read of one feedback system, and the system as it is read: beside others its ids begin with its name."""
    inputs, free = context.inputs, own.spec.reads_are_free
    prefix, credential = id_prefix(inputs.settings, own), feedback_credential(inputs.settings, own)
    due = due_reads(
        context.connection,
        credential,
        context.started_at,
        full=inputs.full,
        abilities=feedback.abilities,
        prefix=prefix,
    )
    if free:
        due |= FEEDBACK_LISTS
        # Of a state of the source that is another one by now.
        forget_vote_pages(context.connection, credential)
    system = FeedbackContext(context, own, due, prefix, credential, keeps_pages=not free)
    context.systems.append(system)
    return (PrefixedFeedback(feedback, prefix) if prefix else feedback), system


async def _opened_crm(inputs: IngestInputs, tables: Sequence[OwnTables], stack: AsyncExitStack) -> Crm | None:
    """The CRM, open; None where tables among the feedback systems hold the companies, and nothing will be written.

    Raises:
        ConfigurationError: its credential is not set, and a run cannot do without it.
    """
    own = inputs.settings.crm(inputs.environment)
    if not own.configured and inputs.read_only and tables:
        if any(one.has_companies for one in tables):
            return None
        raise ConfigurationError(
            f"{' and '.join(own.missing)} must be set, or the mapping of the tables must have [companies]: without "
            "companies there is nothing to rank by"
        )
    return await stack.enter_async_context(crm_for(inputs.settings, inputs.environment, inputs.calls))


def _refuse_one_portal_for_both(connection: duckdb.DuckDBPyConnection) -> None:
    """Sandbox and production that lead to one portal are a mix-up of tokens, whatever the ids configured say."""
    portals = connection.execute(
        "SELECT portal_id FROM loading.crm_portals WHERE portal_id IS NOT NULL GROUP BY portal_id HAVING count(*) > 1"
    ).fetchall()
    if portals:
        raise ConfigurationError(
            f"sandbox and production both lead to portal {portals[0][0]}: give each environment its own token"
        )
