"""UserVoice in the sandbox: an account with the sample, and the variables that point the product at it."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.sandbox.sample_data import SampleData
from integration_assets.sandbox.stand_in import FeedbackStandIn
from integration_assets.sandbox.uservoice.app import uservoice_lookalike
from integration_assets.sandbox.uservoice.seeding import seeded_account

UNITS_PER_MINUTE = 1_000
"""No plan's figure is known: more than a demo takes, so that its answers tell a limit and none is in the way."""


def uservoice_stand_in(sample: SampleData) -> FeedbackStandIn:
    """An account that gets tokens by its API key and secret."""
    account = seeded_account(sample, units_per_minute=UNITS_PER_MINUTE)

    def settings(url: str) -> Mapping[str, str]:
        return {
            "USERVOICE_BASE_URL": url,
            "USERVOICE_CLIENT_ID": account.client_id,
            "USERVOICE_SECRET": account.client_secret,
        }

    return FeedbackStandIn(uservoice_lookalike(account), settings)
