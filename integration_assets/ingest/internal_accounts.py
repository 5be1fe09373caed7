"""Read a tenant's internal systems: revenue rows, each under the name of its system."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from integration_assets.config import ArrSource, TenantSettings
from integration_assets.errors import IntegrationError
from integration_assets.ingest.context import IngestContext
from integration_assets.models import InternalAccount, Page, Rejected
from integration_assets.reporting.progress import track
from integration_assets.tenants.integrations import internal_for
from integration_assets.tenants.registry.views import OpenedInternal
from integration_assets.tenants.settings import note_internal_outcome, open_internal_systems

STAGE, TABLE = "raw_internal_accounts", "raw.internal_accounts"


async def read_internal(context: IngestContext) -> None:
    """All rows of the tenant's enabled internal systems; nothing for who works on the environment's settings.

    A tenant that wants no ARR of them (`arr_sources`) has them left alone.

    Raises:
        IntegrationError: one of them cannot be read; names it. Figures of half of the systems would move the ranking.
    """
    settings = context.inputs.settings
    # Only tenants of the registry have internal systems.
    if not isinstance(settings, TenantSettings) or ArrSource.INTERNAL not in settings.arr_sources:
        return
    used_by = f"run {context.inputs.run_id}"
    # In a thread: the registry blocks while it works, and all other reads share this loop.
    systems = await asyncio.to_thread(open_internal_systems, settings, context.inputs.tenant, used_by)
    for opened in systems:
        try:
            await _read(opened, context)
        except IntegrationError as error:
            # Noted before it is raised: whoever looks at the integration finds the reason there.
            _note(context, opened.view.id, error.message, used_by)
            raise error.reworded(f"internal system {opened.view.name}: {error.message}") from error
        _note(context, opened.view.id, None, used_by)
    # Without a system there is no input whose age could be told.
    if systems:
        context.load.note_read("internal_accounts", as_of=context.started_at)


async def _read(opened: OpenedInternal, context: IngestContext) -> None:
    name = opened.view.name
    with track(name) as advance:
        async with internal_for(context.inputs.settings, context.inputs.tenant, opened, context.inputs.calls) as system:
            async for page in system.accounts():
                context.take(
                    STAGE, TABLE, Page(tuple(_records_of(name, page.records)), tuple(_rejected_of(name, page.rejected)))
                )
                advance(len(page.records))


def _records_of(name: str, records: Iterable[InternalAccount]) -> Iterable[InternalAccount]:
    """Rows under the name of their system: two systems may give one id to two things."""
    return (msgspec.structs.replace(record, row_id=f"{name}:{record.row_id}") for record in records)


def _rejected_of(name: str, rejected: Iterable[Rejected]) -> Iterable[Rejected]:
    return (msgspec.structs.replace(record, key=f"{name}:{record.key}") for record in rejected)


def _note(context: IngestContext, record_id: str, problem: str | None, used_by: str) -> None:
    """Note beside the integration how it went. That it cannot be noted is no failure of the run."""
    try:
        note_internal_outcome(context.inputs.settings, context.inputs.tenant, record_id, problem, used_by)
    except IntegrationError as error:
        context.inputs.notes.append(f"how an internal system worked could not be noted: {error.message}")
