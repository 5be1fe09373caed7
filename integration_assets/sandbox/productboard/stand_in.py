"""Productboard in the sandbox: a workspace with the sample, and the variables that point the product at it."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.sandbox.productboard.app import productboard_lookalike
from integration_assets.sandbox.productboard.seeding import SPEND_FIELD, filled_like
from integration_assets.sandbox.sample_data import SampleData
from integration_assets.sandbox.stand_in import FeedbackStandIn


def productboard_stand_in(sample: SampleData) -> FeedbackStandIn:
    """A workspace with the limit of calls that every token has."""
    workspace = filled_like(sample.workspace)

    def settings(url: str) -> Mapping[str, str]:
        return {
            "PRODUCTBOARD_BASE_URL": url,
            "PRODUCTBOARD_TOKEN": workspace.token,
            "PRODUCTBOARD_SPEND_FIELD": SPEND_FIELD,
        }

    return FeedbackStandIn(productboard_lookalike(workspace), settings)
