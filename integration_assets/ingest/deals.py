"""Read the open deals behind the votes. A ranking without them is still one: where they cannot be read, that is told.

Which companies voted is known from the last resolution, as this one comes after the read. It matters only where the
connector finds it cheaper to ask for the deals of those companies: then a company whose people vote for the first time
brings its deals one run later. The first read, and every whole one, asks for the deals of all.
"""

from __future__ import annotations

import duckdb

from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import PermanentError
from integration_assets.ingest.context import IngestContext, size_of
from integration_assets.reporting.progress import track

STAGE, TABLE, READ = "raw_crm_deals", "raw.crm_deals", "deals"


async def read_deals(crm: Crm, context: IngestContext) -> None:
    """Load the open deals of companies that voted; a note says why where there are none to be had."""
    if crm.deals is None:
        _go_without(context, f"{crm.name} has no deals that can be read")
        return
    companies = None if context.inputs.full else companies_that_voted(context.connection)
    calls = 0
    try:
        with track("open deals") as advance:
            async for block in crm.deals.of(companies):
                context.take(STAGE, TABLE, block.page)
                calls += block.calls
                advance(size_of(block.page))
    except PermanentError as error:
        # A missing scope as a rule. What passes by itself ends the run as it does in any other read.
        _go_without(context, error.message)
        return
    context.work.crm.deal_calls = calls
    context.load.note_read(READ, as_of=context.started_at)


def _go_without(context: IngestContext, reason: str) -> None:
    # None of them: a part would pass for the whole pipeline.
    context.connection.execute("DELETE FROM loading.crm_deals")
    context.load.forget_read(READ)
    context.inputs.notes.append(f"open pipeline not read: {reason}")


def companies_that_voted(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """Ids of the companies that voted as of the last ranking; None before the first one."""
    made = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'ranked' AND table_name = 'companies'"
    ).fetchall()
    if not made:
        return None
    return [company_id for (company_id,) in connection.execute("SELECT company_id FROM ranked.companies").fetchall()]
