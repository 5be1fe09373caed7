"""Every CRM that the sandbox can stand in for has faults."""

from __future__ import annotations

from integration_assets.sandbox.crms import OTHER_CRMS
from integration_assets_tests.proofs.systems.faults import ASKED


def test_the_requests_of_every_crm_are_told_apart() -> None:
    """A CRM that is added needs a row, so that the faults are injected into its calls as well."""
    assert ASKED.keys() >= OTHER_CRMS.keys()
