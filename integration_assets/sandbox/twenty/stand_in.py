"""Twenty in the sandbox: two workspaces with the sample, and the variables that point the product at them."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.sandbox.sample_data import SampleData
from integration_assets.sandbox.stand_in import CrmStandIn, Latency
from integration_assets.sandbox.twenty.app import twenty_lookalike
from integration_assets.sandbox.twenty.options import TwentyOptions
from integration_assets.sandbox.twenty.seeding import ACCOUNT_ID_FIELD, seeded_workspace
from integration_assets.sandbox.twenty.workspace import LOST, WON

SANDBOX_WORKSPACE_ID = "5a1d7b0e-6a0f-4c58-9a52-1c7a1d2f3b01"
PRODUCTION_WORKSPACE_ID = "9c3e2f44-0d1b-4e6a-8f27-7be0c5a4d602"
CALLS_PER_MINUTE = 100_000
"""A server of one's own whose limit was raised: the usual one would keep a demo waiting for minutes."""


def twenty_stand_in(
    sample: SampleData, *, latency: Latency | None = None, options: TwentyOptions | None = None
) -> CrmStandIn:
    """Two workspaces, by default of the newest version and without a limit."""
    options = options or TwentyOptions(calls_per_minute=None)
    sandbox = seeded_workspace(sample, SANDBOX_WORKSPACE_ID, options)
    production = seeded_workspace(sample, PRODUCTION_WORKSPACE_ID, options)

    def settings(sandbox_url: str, production_url: str) -> Mapping[str, str]:
        return {
            "TWENTY_SANDBOX_BASE_URL": sandbox_url,
            "TWENTY_SANDBOX_API_KEY": sandbox.workspace.key,
            "TWENTY_SANDBOX_WORKSPACE_ID": SANDBOX_WORKSPACE_ID,
            "TWENTY_PRODUCTION_BASE_URL": production_url,
            "TWENTY_PRODUCTION_API_KEY": production.workspace.key,
            "TWENTY_PRODUCTION_WORKSPACE_ID": PRODUCTION_WORKSPACE_ID,
            # Where people see records; unset it would be the base URL, at which a look-alike has no pages.
            "TWENTY_SANDBOX_WEB_URL": "https://sandbox.twenty.invalid",
            "TWENTY_PRODUCTION_WEB_URL": "https://production.twenty.invalid",
            "TWENTY_ARR_FIELD": options.revenue_field,
            "TWENTY_ACCOUNT_ID_FIELD": ACCOUNT_ID_FIELD,
            "TWENTY_CLOSED_STAGES": f"{WON},{LOST}",
            "TWENTY_CALLS_PER_MINUTE": str(options.calls_per_minute or CALLS_PER_MINUTE),
        }

    return CrmStandIn(
        sandbox=twenty_lookalike(sandbox.workspace, latency=latency),
        production=twenty_lookalike(production.workspace, latency=latency),
        company_ids={"sandbox": sandbox.company_ids, "production": production.company_ids},
        settings=settings,
    )
