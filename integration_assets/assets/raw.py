"""Raw data: every system as it is now, read at the same time."""

from __future__ import annotations

import dagster as dg

from integration_assets.assets.metadata import definition_metadata, table_metadata
from integration_assets.assets.placing import OWNERS, key_under, running_prefix, step_name
from integration_assets.ingest.raw_tables import ingest
from integration_assets.runs.ingest_inputs import ingest_inputs
from integration_assets.runs.interrupts import interruptible
from integration_assets.runs.launch import READ_STAGE, STAGE_TAG
from integration_assets.runs.partitions import TENANTS
from integration_assets.runs.session import RunSession
from integration_assets.staging.threads import fit_threads

RAW = {
    "raw_feature_requests": (
        "raw.feature_requests",
        "created_at",
        "Requests, boards, categories, tags, status history and merge aliases, as the feedback system has them.",
        "feedback",
    ),
    "raw_votes": (
        "raw.votes",
        "created_at DESC, vote_id",
        "Votes, voters, accounts and memberships, as the feedback system has them.",
        "feedback",
    ),
    "raw_crm_companies": (
        "raw.crm_companies",
        "company_id",
        "Companies with all their domains, ARR, lifecycle stage, parent and merged ids.",
        "crm",
    ),
    "raw_crm_contacts": (
        "raw.crm_contacts",
        "contact_id",
        "Only the contacts that are voters or authors, with their primary company.",
        "crm",
    ),
    "raw_crm_deals": (
        "raw.crm_deals",
        "deal_id",
        "Open deals, with their companies, stage, amount and close date; empty where they may not be read.",
        "crm",
    ),
    "raw_crm_feature_requests": (
        "raw.crm_feature_requests",
        "key",
        "What the CRM holds now: our records, archived ones included, their managed values and their links.",
        "crm",
    ),
    "raw_crm_schema": (
        "raw.crm_portals",
        "role DESC",
        "The live schema of this environment and, read-only, of the other one.",
        "crm",
    ),
    "raw_internal_accounts": (
        "raw.internal_accounts",
        "account_row",
        "Revenue rows of the tenant's internal systems; empty when none is configured.",
        "python",
    ),
}
_DEPS = {"raw_crm_contacts": ["raw_votes", "raw_feature_requests"]}


@dg.multi_asset(
    name=step_name(READ_STAGE),
    specs=[
        dg.AssetSpec(
            key,
            deps=_DEPS.get(key, []),
            description=description,
            group_name="raw",
            owners=OWNERS,
            kinds={kind, "duckdb"},
            metadata=definition_metadata(table),
        )
        for key, (table, _, description, kind) in RAW.items()
    ],
    partitions_def=TENANTS,
    op_tags={STAGE_TAG: READ_STAGE},
    # All systems are read at the same time: a company read a day after its votes would be matched by other domains.
    can_subset=False,
)
async def raw(integration_assets_session: RunSession):  # type: ignore[no-untyped-def]  # noqa: ANN201 - Dagster takes it for the outputs' type
    """Read the feedback system, the CRM and internal systems at the same time, page by page, into the staging store."""
    prefix = running_prefix()
    with integration_assets_session.stage("raw") as state:
        # Reading is cancelled at once: it changes nothing outside, and the next run goes on from the last checkpoint.
        async with interruptible():
            ingested = await ingest(ingest_inputs(state))
        # A first read makes a large store of an empty one.
        fit_threads(integration_assets_session.connection)
        # After the whole read: an early end must not count half of the requests as all there are.
        state.identified, state.quota = ingested.identified, ingested.quota
        state.work, state.crm_sizes = ingested.work, ingested.crm_sizes
        for key, (table, order_by, _, _) in RAW.items():
            metadata = table_metadata(integration_assets_session.connection, table, order_by=order_by)
            yield dg.MaterializeResult(key_under(prefix, key), metadata=metadata)
