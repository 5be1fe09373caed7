"""Salesforce in the sandbox: two orgs with the sample, and the variables that point the product at them."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.sandbox.salesforce.app import salesforce_lookalike
from integration_assets.sandbox.salesforce.org import CLIENT_ID, Org, OrgOptions
from integration_assets.sandbox.salesforce.seeding import (
    ACCOUNT_ID_FIELD,
    ARR_FIELD,
    CURRENCY_FIELD,
    DOMAINS_FIELD,
    seeded,
)
from integration_assets.sandbox.sample_data import SampleData
from integration_assets.sandbox.stand_in import CrmStandIn, Latency

SANDBOX_ORG, PRODUCTION_ORG = 4_711, 8_150
"""Numbers that the ids of the two orgs, and of all their records, are made from."""


def salesforce_stand_in(
    sample: SampleData, *, latency: Latency | None = None, options: OrgOptions | None = None
) -> CrmStandIn:
    """A sandbox org and a production org; each has an app with a secret, and an administrator who may deploy."""
    sandbox = seeded(Org(SANDBOX_ORG, options=options), sample)
    production = seeded(Org(PRODUCTION_ORG, is_sandbox=False, options=options), sample)

    def settings(sandbox_url: str, production_url: str) -> Mapping[str, str]:
        return {
            **_settings_of("SANDBOX", sandbox.org, sandbox_url),
            **_settings_of("PRODUCTION", production.org, production_url),
            "SALESFORCE_ARR_FIELD": ARR_FIELD,
            "SALESFORCE_CURRENCY_FIELD": CURRENCY_FIELD,
            "SALESFORCE_ACCOUNT_ID_FIELD": ACCOUNT_ID_FIELD,
            "SALESFORCE_DOMAINS_FIELD": DOMAINS_FIELD,
        }

    return CrmStandIn(
        sandbox=salesforce_lookalike(sandbox.org, latency=latency),
        production=salesforce_lookalike(production.org, latency=latency),
        company_ids={"sandbox": sandbox.company_ids, "production": production.company_ids},
        settings=settings,
    )


def _settings_of(environment: str, org: Org, url: str) -> Mapping[str, str]:
    return {
        f"SALESFORCE_{environment}_BASE_URL": url,
        f"SALESFORCE_{environment}_CLIENT_ID": CLIENT_ID,
        f"SALESFORCE_{environment}_SECRET": org.secret,
        f"SALESFORCE_{environment}_SETUP_TOKEN": org.admin_token,
        f"SALESFORCE_{environment}_ORG_ID": org.org_id,
    }
