"""Quackback in the sandbox: a server with the sample, and the variables that point the product at it."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.sandbox.quackback.app import quackback_lookalike
from integration_assets.sandbox.quackback.seeding import seeded_workspace
from integration_assets.sandbox.sample_data import SampleData
from integration_assets.sandbox.stand_in import FeedbackStandIn


def quackback_stand_in(sample: SampleData) -> FeedbackStandIn:
    """A server with the usual limit, called as those do who import: a demo would wait for minutes otherwise."""
    workspace = seeded_workspace(sample)

    def settings(url: str) -> Mapping[str, str]:
        return {
            "QUACKBACK_BASE_URL": url,
            "QUACKBACK_API_KEY": workspace.key.secret,
            "QUACKBACK_PORTAL_URL": "https://feedback.acme.invalid",
            "QUACKBACK_PACE": "import",
        }

    return FeedbackStandIn(quackback_lookalike(workspace), settings)
