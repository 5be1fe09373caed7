"""Settings of the gate's rules for a run, from its settings and its staging store."""

from __future__ import annotations

from datetime import UTC, datetime

from integration_assets.checks.base import GateSettings
from integration_assets.runs.resolution_settings import base_currency
from integration_assets.runs.state import Mode, RunState
from integration_assets.tenants.integrations import company_mapping


def gate_settings(state: RunState) -> GateSettings:
    """Read what the gate needs to know of the run in progress."""
    settings = state.opened_settings()
    mapping = company_mapping(settings)
    return GateSettings(
        run_id=state.run_id,
        environment=state.target(),
        now=datetime.now(UTC),
        coverage_floor=settings.coverage_floor,
        arr_coverage_floor=settings.arr_coverage_floor,
        base_currency=base_currency(settings, state.opened_store()),
        rates_setting=settings.named("currency_rates"),
        business_domains_setting=settings.named("business_domains"),
        personal_domains_setting=settings.named("personal_domains"),
        link_contacts=settings.link_contacts,
        company_rollups=settings.company_rollups,
        company_properties=mapping.names(),
        arr_property=mapping.arr,
        renewal_property=mapping.renewal,
        read_only=state.mode is Mode.READ_ONLY,
    )
