"""Our properties on companies of a portal: created once, written by id, read back, and nothing else touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_assets.connectors.crm.base import CompanyMapping, CompanyWrites, Crm, RecordWrite
from integration_assets.connectors.crm.hubspot.company_writes import account_for_companies
from integration_assets.connectors.crm.hubspot.wire import BatchAnswer
from integration_assets.models import Rejected
from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sync.company_rollups import NAMES, OPEN, ROLLUPS, TOP
from integration_assets_tests.connectors.crm.harness import Harness, hubspot_harness

pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture
def portal() -> Iterator[Harness]:
    """A portal whose companies carry our properties."""
    with hubspot_harness(PortalOptions(search_lag=0, property_lag=0)) as harness:

        async def create(crm: Crm) -> None:
            await writes_of(crm).create(ROLLUPS, ROLLUPS.properties)

        harness.talk(create)
        yield harness


def writes_of(crm: Crm) -> CompanyWrites:
    assert crm.company_writes is not None
    return crm.company_writes


def test_they_are_created_in_our_group_and_read_as_declared(portal: Harness) -> None:
    """With nothing that differs; a second time the group is there already."""

    async def work(crm: Crm) -> None:
        companies = writes_of(crm)
        live = await companies.properties(ROLLUPS)
        assert {(one.name, one.type, one.group) for one in live} == {
            (OPEN, "number", ROLLUPS.name),
            (TOP, "string", ROLLUPS.name),
        }
        assert all(one.writable and one.difference is None for one in live)
        await companies.create(ROLLUPS, ())

    portal.talk(work)


def test_values_are_written_and_read_by_id(portal: Harness) -> None:
    """Those that are there; an empty text clears; names and all else of the company stay."""
    acme, bolt = portal.seeds.company(name="Acme", domain="acme.com"), portal.seeds.company(name="Bolt")

    async def work(crm: Crm) -> None:
        companies = writes_of(crm)
        outcome = await companies.write(
            [RecordWrite(acme, {OPEN: "2", TOP: "Export\nImport"}), RecordWrite(bolt, {OPEN: "1"})]
        )
        assert {one.key for one in outcome.written} == {acme, bolt}
        assert (outcome.rejected, outcome.unaccounted) == ((), ())
        assert await companies.read(NAMES, [acme, bolt]) == {
            acme: {OPEN: "2", TOP: "Export\nImport"},
            bolt: {OPEN: "1"},
        }
        await companies.write([RecordWrite(acme, {OPEN: "", TOP: ""})])
        assert await companies.read(NAMES, [acme, bolt, "999"]) == {acme: {}, bolt: {OPEN: "1"}}

    portal.talk(work)
    (kept,) = [one for one in portal.portal.records("companies") if one["id"] == acme]
    assert (kept["properties"]["name"], kept["properties"]["domain"]) == ("Acme", "acme.com")


def test_a_refused_value_and_a_company_that_is_gone_are_told_alone(portal: Harness) -> None:
    """The others of the batch are written."""
    acme, gone = portal.seeds.company(name="Acme"), portal.seeds.company(name="Gone")
    bad = portal.seeds.company(name="Bad")
    portal.seeds.archive("companies", gone)

    async def work(crm: Crm) -> None:
        outcome = await writes_of(crm).write(
            [RecordWrite(acme, {OPEN: "2"}), RecordWrite(gone, {OPEN: "1"}), RecordWrite(bad, {OPEN: "many"})]
        )
        assert [one.key for one in outcome.written] == [acme]
        assert {one.key for one in outcome.rejected} == {gone, bad}
        assert all(one.kind == "company" for one in outcome.rejected)

    portal.talk(work)


def test_a_merged_company_is_neither_written_nor_read_under_its_old_id(portal: Harness) -> None:
    """Its survivor answers for it in places, and was not asked for."""
    first, second = portal.seeds.company(name="One"), portal.seeds.company(name="Two")
    portal.portal.merge("companies", first, second)

    async def work(crm: Crm) -> None:
        outcome = await writes_of(crm).write([RecordWrite(second, {OPEN: "2"})])
        assert outcome.written == ()
        assert await writes_of(crm).read(NAMES, [second]) == {}

    portal.talk(work)


def test_companies_are_listed_with_what_they_hold(portal: Harness) -> None:
    """The list of companies brings the values along, at no further call; without the option it does not."""
    acme = portal.seeds.company(name="Acme")

    async def work(crm: Crm) -> None:
        await writes_of(crm).write([RecordWrite(acme, {OPEN: "2"})])
        (page,) = [page async for page in crm.companies(CompanyMapping(rollups=NAMES))]
        assert [dict(company.rollups) for company in page.records] == [{OPEN: "2"}]
        (page,) = [page async for page in crm.companies(CompanyMapping())]
        assert [dict(company.rollups) for company in page.records] == [{}]

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
