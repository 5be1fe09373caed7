"""What changed among companies, and contacts of many addresses: how it is asked for, what is made of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from integration_assets.connectors.crm.base import CompanyChanges, CompanyMapping, Crm
from integration_assets.errors import ContractError
from integration_assets.models import Contact
from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.connectors.crm.harness import Harness, hubspot_harness

pytestmark = pytest.mark.usefixtures("no_backoff")

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE, AFTER = "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z"


@pytest.fixture
def portal() -> Iterator[Harness]:
    """A portal whose index is always up to date."""
    with hubspot_harness(PortalOptions(search_lag=0)) as harness:
        yield harness


def changes_of(crm: Crm) -> CompanyChanges:
    assert crm.company_changes is not None
    return crm.company_changes


def modified(portal: Harness, most: int = 10_000) -> tuple[str, ...] | None:
    async def work(crm: Crm) -> tuple[str, ...] | None:
        return await changes_of(crm).modified(SINCE, most=most)

    return portal.talk(work)


def seed(portal: Harness, number: int, created: str) -> list[str]:
    rows = [{"name": f"{created} {place}", "createdate": created} for place in range(number)]
    return list(portal.portal.seed("companies", rows))


def test_modified_companies_are_found_page_by_page(portal: Harness) -> None:
    """All that were modified at the moment or after it are named once, in pages of 200, and no older one."""
    seed(portal, 3, BEFORE)
    new = seed(portal, 401, AFTER)
    assert modified(portal) == tuple(new)
    searches = [json.loads(request.body) for request in portal.lookalike.requests]
    assert len(searches) == 3
    assert not any("after" in search for search in searches)


def test_a_search_ends_when_it_finds_too_many(portal: Harness) -> None:
    """The first page tells that they are more than were asked for: no other one is read."""
    seed(portal, 401, AFTER)
    assert modified(portal, most=400) is None
    assert len(portal.lookalike.requests) == 1
    assert modified(portal, most=401) is not None


def test_a_search_out_of_order_is_a_broken_contract(portal: Harness) -> None:
    """Pages that do not go up by id could leave something out, so nothing is made of them."""
    body = {"total": 2, "results": [{"id": "20", "properties": {}}, {"id": "10", "properties": {}}]}
    portal.lookalike.faults.append(
        Fault(lambda request: request.path.endswith("/search"), status=200, body=json.dumps(body).encode())
    )
    with pytest.raises(ContractError, match="does not sort"):
        modified(portal)


def test_companies_are_read_by_id(portal: Harness) -> None:
    """Those that are there come with their mapped values; archived ones and strangers are left out."""
    here, gone = portal.seeds.company(name="Here", domain="here.com", arr="7"), portal.seeds.company(name="Gone")
    portal.seeds.archive("companies", gone)

    async def work(crm: Crm) -> list[tuple[str, str | None, str | None]]:
        page = await changes_of(crm).read(CompanyMapping(arr=portal.arr_property), [here, gone, "1"])
        assert not page.rejected
        return [(one.company_id, one.domain, one.arr) for one in page.records]

    assert portal.talk(work) == [(here, "here.com", "7")]


def test_archived_companies_and_parents_are_told_by_id(portal: Harness) -> None:
    """Archived ones are listed to the end, and a child names its parent."""
    gone = seed(portal, 101, BEFORE)
    for company_id in gone:
        portal.seeds.archive("companies", company_id)
    child, parent = portal.seeds.company(name="Child"), portal.seeds.company(name="Parent")
    portal.seeds.parent(child, parent)

    async def work(crm: Crm) -> tuple[list[str], dict[str, str]]:
        changes = changes_of(crm)
        archived = [company_id async for page in changes.archived() for company_id in page]
        return archived, dict(await changes.parents([child, parent]))

    assert portal.talk(work) == (gone, {child: parent})


def test_contacts_of_many_addresses_share_the_call_for_their_companies(portal: Harness) -> None:
    """250 addresses take three reads, and the primary companies of all who are found one."""
    company = portal.seeds.company(name="Acme", domain="acme.com")
    contacts = {portal.seeds.contact(f"p{number}@acme.com", company_id=company) for number in range(0, 250, 2)}

    async def work(crm: Crm) -> tuple[Contact, ...]:
        return (await crm.contacts([f"p{number}@acme.com" for number in range(250)])).records

    found = portal.talk(work)
    assert {one.contact_id for one in found} == contacts
    assert {one.primary_company_id for one in found} == {company}
    assert len(portal.lookalike.requests) == 3 + 1
