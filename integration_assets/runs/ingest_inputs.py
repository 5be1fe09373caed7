"""Inputs of a run to a read of all systems."""

from __future__ import annotations

from integration_assets.ingest.context import IngestInputs
from integration_assets.runs.state import Mode, RunState


def ingest_inputs(state: RunState) -> IngestInputs:
    """The inputs of `ingest` for a run in progress; its notes go on with those of the read."""
    return IngestInputs(
        settings=state.opened_settings(),
        tenant=state.tenant,
        environment=state.target(),
        run_id=state.run_id,
        connection=state.opened_store(),
        calls=state.calls,
        notes=state.notes,
        full=state.full_read,
        read_only=state.mode is Mode.READ_ONLY,
        reads_other_schema=state.reads_other_schema,
    )
