"""Our properties on companies, for every CRM: created once, written by id, read back, and nothing else touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import msgspec
import pytest

from integration_assets.connectors.crm.base import CompanyMapping, Crm, RecordWrite
from integration_assets.errors import HeldError
from integration_assets.models import Company, PropertyGroup
from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sync.company_rollups import NAMES, OPEN, ROLLUPS, TOP
from integration_assets.sync.drift import target_problems
from integration_assets.sync.setup import plan_setup
from integration_assets_tests.connectors.crm.company_writes import create_rollups, writes_of
from integration_assets_tests.connectors.crm.harness import HARNESSES, Harness, hubspot_harness
from integration_assets_tests.connectors.crm.sample import REQUEST

pytestmark = pytest.mark.usefixtures("no_backoff")


# How late a portal shows its schema is of no matter here, nor where it keeps our records.
CRMS: dict[str, Callable[[], AbstractContextManager[Harness]]] = {
    **HARNESSES,
    "hubspot": partial(hubspot_harness, PortalOptions(search_lag=0, property_lag=0)),
}
del CRMS["hubspot services"]


@pytest.fixture(params=CRMS)
def crm_in(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """A CRM whose companies carry our properties."""
    with CRMS[request.param]() as harness:
        create_rollups(harness)
        yield harness


async def listed(crm: Crm, mapping: CompanyMapping) -> dict[str, Company]:
    return {one.company_id: one async for page in crm.companies(mapping) for one in page.records}


def test_they_are_created_once_and_read_as_declared(crm_in: Harness) -> None:
    """With nothing that differs; the call that asks for them is the one that is told."""

    async def work(crm: Crm) -> None:
        companies = writes_of(crm)
        before = sum(one.total for one in crm_in.calls.snapshot())
        live = await companies.properties(ROLLUPS)
        # A token is one more, once.
        assert sum(one.total for one in crm_in.calls.snapshot()) - before in {companies.schema_calls, 2}
        assert {one.name for one in live} == {OPEN, TOP}
        assert all(one.writable and one.difference is None and not one.archived for one in live)
        assert all(one.made_by_us is not False for one in live)
        await companies.create(ROLLUPS, ())
        assert await companies.properties(ROLLUPS) == live

    crm_in.talk(work)


def test_values_are_written_listed_and_read_by_id(crm_in: Harness) -> None:
    """Those that are there; an empty text clears; names and all else of the company stay."""
    acme, bolt = (crm_in.seeds.company(name=name, domain=f"{name}.com") for name in ("acme", "bolt"))

    async def work(crm: Crm) -> None:
        companies = writes_of(crm)
        before = await listed(crm, CompanyMapping())
        outcome = await companies.write(
            ROLLUPS, [RecordWrite(acme, {OPEN: "2", TOP: "Export\nImport"}), RecordWrite(bolt, {OPEN: "1"})]
        )
        assert {one.key for one in outcome.written} == {acme, bolt}
        assert (outcome.rejected, outcome.unaccounted) == ((), ())
        wanted = {acme: {OPEN: "2", TOP: "Export\nImport"}, bolt: {OPEN: "1"}}
        assert await companies.read(NAMES, [acme, bolt]) == wanted
        after = await listed(crm, CompanyMapping(rollups=NAMES))
        assert {key: dict(after[key].rollups) for key in wanted} == wanted
        # Without the option they are not asked for, and nothing else of the company is another.
        without = await listed(crm, CompanyMapping())
        assert not any(one.rollups for one in without.values())
        assert {key: (one.name, one.domain) for key, one in without.items()} == {
            key: (one.name, one.domain) for key, one in before.items()
        }
        await companies.write(ROLLUPS, [RecordWrite(acme, {OPEN: "", TOP: ""})])
        assert await companies.read(NAMES, [acme, bolt, "999"]) == {acme: {}, bolt: {OPEN: "1"}}

    crm_in.talk(work)


def test_a_refused_value_and_a_company_that_is_gone_are_told_alone(crm_in: Harness) -> None:
    """The others of the batch are written; what is gone neither comes back nor is made anew."""
    acme, bad, deleted = (crm_in.seeds.company(name=name) for name in ("Acme", "Bad", "Gone"))
    crm_in.seeds.delete_company(deleted)

    async def work(crm: Crm) -> None:
        before = set(await listed(crm, CompanyMapping()))
        writes = [RecordWrite(acme, {OPEN: "2"}), RecordWrite(deleted, {OPEN: "1"}), RecordWrite(bad, {OPEN: "many"})]
        outcome = await writes_of(crm).write(ROLLUPS, writes)
        assert [one.key for one in outcome.written] == [acme]
        assert {one.key for one in outcome.rejected} == {deleted, bad}
        assert all(one.kind == "company" and one.reason for one in outcome.rejected)
        assert await writes_of(crm).read(NAMES, [acme, deleted]) == {acme: {OPEN: "2"}}
        assert set(await listed(crm, CompanyMapping())) == before

    crm_in.talk(work)


@pytest.mark.parametrize("crm", ["hubspot", "twenty 2.31"])
def test_a_property_that_somebody_else_made_is_not_written(crm: str) -> None:
    """Of our name and type, but with another group, label and help text: `setup` refuses, and the gate is closed."""
    others = (msgspec.structs.replace(one, label=f"{one.name} 2", description="By hand.") for one in ROLLUPS.properties)
    theirs = PropertyGroup("survey", "Survey", tuple(others))

    async def work(crm: Crm) -> tuple[list[str], list[bool | None]]:
        await writes_of(crm).create(theirs, theirs.properties)
        live = msgspec.structs.replace(await crm.schema(REQUEST, ()), rollups=await writes_of(crm).properties(ROLLUPS))
        with pytest.raises(HeldError, match="exists that `setup` did not make"):
            plan_setup(REQUEST, live, (), ROLLUPS)
        problems = target_problems(REQUEST, live, link_contacts=True, rollups=ROLLUPS)
        foreign = [one.name for one in problems if "did not make" in one.detail]
        return foreign, [one.made_by_us for one in live.rollups or ()]

    with CRMS[crm]() as harness:
        assert harness.talk(work) == ([f"company.{name}" for name in NAMES], [False, False])
