"""The CRMs that the sandbox can stand in for instead of HubSpot: one row each."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.sandbox.salesforce.stand_in import salesforce_stand_in
from integration_assets.sandbox.stand_in import MakeStandIn
from integration_assets.sandbox.twenty.stand_in import twenty_stand_in

OTHER_CRMS: Mapping[str, MakeStandIn] = {"salesforce": salesforce_stand_in, "twenty": twenty_stand_in}
"""Provider name → how its look-alikes are made."""
