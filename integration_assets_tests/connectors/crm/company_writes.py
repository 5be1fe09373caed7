"""The way of a CRM to write to companies, and a CRM whose companies carry our properties."""

from __future__ import annotations

from integration_assets.connectors.crm.base import CompanyWrites, Crm
from integration_assets.sync.company_rollups import ROLLUPS
from integration_assets_tests.connectors.crm.harness import Harness


def writes_of(crm: Crm) -> CompanyWrites:
    assert crm.company_writes is not None
    return crm.company_writes


def create_rollups(harness: Harness) -> None:
    """Create our properties on companies, which have none of them yet."""

    async def create(crm: Crm) -> None:
        assert await writes_of(crm).properties(ROLLUPS) == ()
        await writes_of(crm).create(ROLLUPS, ROLLUPS.properties)

    harness.talk(create)
