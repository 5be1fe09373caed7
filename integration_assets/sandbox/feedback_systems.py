"""The feedback systems that the sandbox can stand in for instead of Canny: one row each."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.sandbox.productboard.stand_in import productboard_stand_in
from integration_assets.sandbox.quackback.stand_in import quackback_stand_in
from integration_assets.sandbox.stand_in import MakeFeedbackStandIn
from integration_assets.sandbox.uservoice.stand_in import uservoice_stand_in

OTHER_FEEDBACK_SYSTEMS: Mapping[str, MakeFeedbackStandIn] = {
    "productboard": productboard_stand_in,
    "quackback": quackback_stand_in,
    "uservoice": uservoice_stand_in,
}
"""Provider name → how its look-alike is made."""
