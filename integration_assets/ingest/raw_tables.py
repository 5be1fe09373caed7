"""Read all systems at the same time into the raw tables, page by page. All raw tables change at once, at the end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime

import duckdb

from integration_assets.connectors.crm.base import Crm
from integration_assets.connectors.feedback.base import FeedbackSystem, OwnTables
from integration_assets.connectors.limiter import Quota
from integration_assets.errors import ConfigurationError
from integration_assets.ingest.call_floor import sizes_of
from integration_assets.ingest.companies import note_company_read
from integration_assets.ingest.context import TABLES, IngestContext, Ingested, IngestInputs
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
from integration_assets.tenants.integrations import crm_for, feedback_credential, feedback_for


async def ingest(inputs: IngestInputs) -> Ingested:
    """Make the raw tables say what the systems say now, with as few calls as that takes.

    Raises:
        IntegrationError: a system cannot be read; the raw tables are as they were.
    """
    settings, connection = inputs.settings, inputs.connection
    now, credential = datetime.now(UTC), feedback_credential(settings)
    free = settings.feedback.spec.reads_are_free
    async with AsyncExitStack() as stack:
        feedback = await stack.enter_async_context(feedback_for(settings, inputs.calls))
        due = due_reads(connection, credential, now, full=inputs.full, abilities=feedback.abilities)
        if free:
            due |= FEEDBACK_LISTS
            # Of a state of the source that is another one by now.
            forget_vote_pages(connection)
        crm = await _opened_crm(inputs, feedback, stack)
        with replacing(connection, TABLES) as load:
            context = IngestContext(inputs, load, now, due, credential=credential, keeps_pages=not free)
            if crm is None:
                # Deals of a CRM that was there before would pass for all there are, of which nothing is known.
                load.forget_read(DEALS)
            await gather(
                read_feedback(feedback, context),
                *([read_crm(crm, context), read_other_schema(context)] if crm else []),
                read_internal(context),
                read_companies_of_tables(feedback, context, in_place_of_crm=crm is None),
            )
            # Here, inside the block: an error leaves yesterday's tables as they were.
            _refuse_one_portal_for_both(connection)
            await gather(
                *([read_contacts(crm, context)] if crm else []),
                # Last, as only after all lists are read is anything known to be missing.
                read_missing(feedback, context),
            )
        # While the connector is open, and after its last call.
        quota, crm_sizes = (crm.quota, sizes_of(crm)) if crm else (Quota(), None)
        findings = feedback.findings if isinstance(feedback, OwnTables) else ()
    connection.execute("DELETE FROM raw.excluded_requests")
    connection.execute(
        """INSERT INTO raw.excluded_requests SELECT unnest(from_json(?, '["VARCHAR"]'))""",
        [text_list(sorted(context.excluded))],
    )
    if context.requests_unsettled:
        context.withheld.append(
            f"the list of requests was read {context.passes} times and was incomplete or another one each time: "
            "nothing is retired this run"
        )
    # In the store, as whoever plans from these tables may be another run.
    connection.execute("DELETE FROM raw.withheld_retirements")
    connection.execute(
        """INSERT INTO raw.withheld_retirements SELECT unnest(from_json(?, '["VARCHAR"]'))""",
        [text_list(context.withheld)],
    )
    # From here on after the swap: noted before it, a failed read would count as done until the next day.
    note_full_reads(connection, credential, now, context.due)
    inputs.notes.extend(context.withheld)
    # Where persons are no list, they come with their votes, and there are none without.
    drop_idle_persons(connection, now, settings.keep_idle_days, listed="persons" in context.due)
    forget_vote_pages(connection)
    if context.votes_kept:
        inputs.notes.append(f"went on from {context.votes_kept:,} votes that an earlier run had read before it died")
    if context.company_read is not None:
        note_company_read(connection, context.company_read)
    note_differences(connection, context.differences)
    note_looks(connection, now, context.looked_at)
    note_unknown_fields(connection, inputs.run_id, now, context.unknown_fields)
    note_unreadable_fields(connection, inputs.run_id, context.unreadable_fields)
    note_table_findings(connection, inputs.run_id, findings)
    for stage, rejected in context.rejected.items():
        quarantine(connection, inputs.run_id, stage, rejected)
    return Ingested(len(context.in_scope), context.work, crm_sizes, quota)


async def _opened_crm(inputs: IngestInputs, feedback: FeedbackSystem, stack: AsyncExitStack) -> Crm | None:
    """The CRM, open; None where the tables of the feedback system hold the companies, and nothing will be written.

    Raises:
        ConfigurationError: its credential is not set, and a run cannot do without it.
    """
    own = inputs.settings.crm(inputs.environment)
    if not own.configured and inputs.read_only and isinstance(feedback, OwnTables):
        if feedback.has_companies:
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
