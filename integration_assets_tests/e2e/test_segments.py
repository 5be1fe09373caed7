"""What a tenant maps of its companies through a whole run: segments, owners by name, renewals, and customers."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from integration_assets_tests.support.harness import World
from integration_assets_tests.support.schema_changes import with_property_back, without_property

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

MAPPED: dict[str, Any] = {
    "HUBSPOT_SEGMENT_PROPERTIES": "industry,country",
    "HUBSPOT_OWNER_PROPERTY": "hubspot_owner_id",
    "HUBSPOT_RENEWAL_PROPERTY": "description",
    "INTEGRATION_ASSETS_POST_SHIPPED": "true",
}
COMPANIES = {
    "Acme": {"industry": "SOFTWARE", "country": "FR", "hubspot_owner_id": "11", "description": "2099-01-01"},
    "Beta": {"industry": "SOFTWARE", "hubspot_owner_id": "12"},
    "Delta": {"industry": "RETAIL", "hubspot_owner_id": "13"},
}
OWNERS = [
    {"id": "11", "email": "ann@us.example", "firstName": "Ann", "lastName": "Lee", "archived": False},
    {"id": "12", "email": "bo@us.example", "firstName": "", "lastName": "Bo", "archived": True},
]


def published(world: World, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(world.home / "published" / "sandbox" / "default.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_what_is_mapped_of_companies_narrows_rankings(ready: World) -> None:
    """Read, published without an address, and counted alone; a property that is not there is bad configuration."""
    ready.portal.owners.extend(OWNERS)
    store = ready.portal.objects["companies"].store
    for name, values in COMPANIES.items():
        store.records[int(ready.company(name))].properties.update(values)
    wrong = ready.run("sync", **{**MAPPED, "HUBSPOT_SEGMENT_PROPERTIES": "industry,no_such"})
    assert wrong.code == 2
    assert "no company property no_such" in wrong.err
    examined = ready.run("doctor", **{**MAPPED, "HUBSPOT_SEGMENT_PROPERTIES": "industry,no_such"})
    assert "correct HUBSPOT_SEGMENT_PROPERTIES, or create the property" in " ".join(examined.out.split())
    ready.sync(**MAPPED)
    found = published(ready, "SELECT company_name, lifecycle, owner, renewal_date::VARCHAR FROM ranked.companies")
    assert sorted(found) == [
        ("Acme", "customer", "Ann Lee", "2099-01-01"),
        ("Beta", "customer", "Bo", None),
        ("Delta", "customer", "owner 13", None),
        ("Gamma", "prospect", None, None),
    ]
    assert published(ready, "SELECT count(*) FROM ranked.company_segments") == [(4,)]
    shown = ready.run("rankings", "--all", "--segment", "industry=software", "--lifecycle", "customer")
    assert "Only customers with industry=software are counted: 2 of 4 companies that voted" in shown.out
    assert "Crash on start" not in shown.out
    rows = ready.run("rankings", "--owner", "Ann Lee", "--renewing-within", "30000d", "--csv", "-")
    assert rows.code == 2
    assert "no time ahead" in rows.err
    file = ready.home / "ann.csv"
    rows = ready.run("rankings", "--owner", "Ann Lee", "--renewing-within", "2100-01-01", "--csv", str(file))
    assert "Only companies of Ann Lee that renew by 2100-01-01 are counted: 1 of 4 companies that voted" in rows.err
    assert file.read_text().splitlines()[1].count("1000.00") == 2
    # whose credential may not read owners still has a ranking, with the ids of owners
    ready.portal.scopes.discard("crm.objects.owners.read")
    examined = ready.run("doctor", **MAPPED)
    assert "names of owners not read: missing crm.objects.owners.read" in " ".join(examined.out.split())
    ready.edit_request("dark mode", status="complete")
    messages = ready.sandbox.team.messages
    # a run that is held has published it, and tells nobody; the next one that ends well does
    without_property(ready)
    assert ready.run("sync", **MAPPED).code == 3
    assert published(ready, "SELECT status FROM ranked.feature_requests WHERE title = 'Dark mode'") == [("complete",)]
    assert not any(message["text"].startswith("Shipped") for message in messages)
    with_property_back(ready)
    before = len(messages)
    ran = ready.sync(**MAPPED)
    assert "names of owners not read" in ran.out
    assert "crm.objects.owners.read" in ran.out
    assert published(ready, "SELECT DISTINCT owner FROM ranked.companies WHERE owner IS NOT NULL ORDER BY 1") == [
        ("owner 11",),
        ("owner 12",),
        ("owner 13",),
    ]
    # the owners' messages come after that of the run; what had shipped before is told to nobody
    told = [message["text"] for message in messages[before + 1 :]]
    assert told == [f"Shipped, and companies of owner {number} asked for it" for number in (11, 12)]
    assert "Dark mode" in str(messages[-1])
    assert "Single sign-on" not in str(messages[before + 1 :])
    kept = json.dumps(published(ready, "SELECT summary::VARCHAR FROM ops.runs"))
    assert "us.example" not in kept
