"""Read all systems at the same time into the raw tables, page by page. All raw tables change at once, at the end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime

import duckdb

from integration_assets.assets.call_floor import sizes_of
from integration_assets.assets.checkpoint import forget_vote_pages
from integration_assets.assets.known import (
    due_reads,
    note_differences,
    note_full_reads,
    note_looks,
    note_unknown_fields,
    note_unreadable_fields,
)
from integration_assets.assets.reading_companies import note_company_read
from integration_assets.assets.reading_crm import read_contacts, read_crm, read_other_schema
from integration_assets.assets.reading_feedback import read_feedback
from integration_assets.assets.reading_internal import read_internal
from integration_assets.assets.reading_pages import TABLES, Reading
from integration_assets.assets.reading_requests import read_missing
from integration_assets.assets.run_session import RunSession
from integration_assets.assets.together import together
from integration_assets.errors import ConfigurationError
from integration_assets.staging.loading import quarantine, replacing
from integration_assets.staging.texts import text_list
from integration_assets.tenants.integrations import crm_for, feedback_credential, feedback_for


async def read_both(session: RunSession) -> None:
    """Make the raw tables say what the systems say now, with as few calls as that takes."""
    state, settings, connection = session.state, session.settings, session.connection
    now, credential = datetime.now(UTC), feedback_credential(settings)
    due = due_reads(connection, credential, now, full=state.full_read)
    async with AsyncExitStack() as stack:
        feedback = await stack.enter_async_context(feedback_for(settings, state.calls))
        crm = await stack.enter_async_context(crm_for(settings, session.target, state.calls))
        with replacing(connection, TABLES) as load:
            reading = Reading(connection, load, now, due, credential=credential)
            await together(
                read_feedback(feedback, settings, reading),
                read_crm(crm, session, reading),
                read_other_schema(session, reading),
                read_internal(session, reading),
            )
            _refuse_one_portal_for_both(connection)
            await together(
                read_contacts(crm, reading),
                read_missing(feedback, session, reading),
            )
        state.quota = crm.quota
        state.work, state.crm_sizes = reading.work, sizes_of(crm)
    connection.execute("DELETE FROM raw.excluded_requests")
    connection.execute(
        """INSERT INTO raw.excluded_requests SELECT unnest(from_json(?, '["VARCHAR"]'))""",
        [text_list(sorted(reading.excluded))],
    )
    if reading.requests_unsettled:
        reading.withheld.append(
            f"the list of requests was read {reading.passes} times and was another one each time: nothing is retired "
            "this run"
        )
    # In the store, as whoever plans from these tables may be another run.
    connection.execute("DELETE FROM raw.withheld_retirements")
    connection.execute(
        """INSERT INTO raw.withheld_retirements SELECT unnest(from_json(?, '["VARCHAR"]'))""",
        [text_list(reading.withheld)],
    )
    note_full_reads(connection, credential, now, reading.due)
    state.notes += [*reading.notes, *reading.withheld]
    forget_vote_pages(connection)
    if reading.votes_kept:
        state.notes.append(f"went on from {reading.votes_kept:,} votes that an earlier run had read before it died")
    if reading.company_read is not None:
        note_company_read(connection, reading.company_read)
    note_differences(connection, reading.differences)
    note_looks(connection, now, reading.looked_at)
    note_unknown_fields(connection, state.run_id, now, reading.unknown_fields)
    note_unreadable_fields(connection, state.run_id, reading.unreadable_fields)
    state.identified = len(reading.in_scope)
    for stage, rejected in reading.rejected.items():
        quarantine(connection, state.run_id, stage, rejected)


def _refuse_one_portal_for_both(connection: duckdb.DuckDBPyConnection) -> None:
    """Sandbox and production that lead to one portal are a mix-up of tokens, whatever the ids configured say."""
    portals = connection.execute(
        "SELECT portal_id FROM loading.crm_portals WHERE portal_id IS NOT NULL GROUP BY portal_id HAVING count(*) > 1"
    ).fetchall()
    if portals:
        raise ConfigurationError(
            f"sandbox and production both lead to portal {portals[0][0]}: give each environment its own token"
        )
