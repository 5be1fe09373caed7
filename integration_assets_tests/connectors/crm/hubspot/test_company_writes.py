"""Answers to writes on companies of a portal: merged ones, and entries that name nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_assets.connectors.crm.base import Crm, RecordWrite
from integration_assets.connectors.crm.hubspot.company_writes import account_for_companies
from integration_assets.connectors.crm.hubspot.wire import BatchAnswer
from integration_assets.models import Rejected
from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sync.company_rollups import NAMES, OPEN, ROLLUPS
from integration_assets_tests.connectors.crm.company_writes import create_rollups, writes_of
from integration_assets_tests.connectors.crm.harness import Harness, hubspot_harness

pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture
def portal() -> Iterator[Harness]:
    """A portal whose companies carry our properties."""
    with hubspot_harness(PortalOptions(search_lag=0, property_lag=0)) as harness:
        create_rollups(harness)
        yield harness


def test_a_merged_company_is_neither_written_nor_read_under_its_old_id(portal: Harness) -> None:
    """Its survivor answers for it in places, and was not asked for."""
    first, second = portal.seeds.company(name="One"), portal.seeds.company(name="Two")
    portal.portal.merge("companies", first, second)

    async def work(crm: Crm) -> None:
        outcome = await writes_of(crm).write(ROLLUPS, [RecordWrite(second, {OPEN: "2"})])
        assert outcome.written == ()
        assert await writes_of(crm).read(NAMES, [second]) == {}

    portal.talk(work)


def test_accounting_is_by_id() -> None:
    """An input in neither list is unaccounted; an error that names nobody is about the only one."""
    entry = {"id": "7", "properties": {}}
    outcome = account_for_companies(["7", "8"], BatchAnswer([entry, {"broken": True}], [{"message": "no"}]))
    assert ([one.key for one in outcome.written], outcome.rejected, outcome.unaccounted) == (["7"], (), ("8",))
    outcome = account_for_companies(["8"], BatchAnswer([], [{"message": "no", "category": "VALIDATION_ERROR"}]))
    (refused,) = outcome.rejected
    assert isinstance(refused, Rejected)
    assert refused.key == "8"
