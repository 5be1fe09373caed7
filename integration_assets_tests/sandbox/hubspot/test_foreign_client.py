"""HubSpot's own client and the look-alike understand each other."""

from typing import Any

import pytest
from hubspot.crm import companies, contacts, objects, properties  # type: ignore[import-untyped]  # the client has no types
from hubspot.crm.associations import v4  # type: ignore[import-untyped]  # the client has no types

from integration_assets_tests.support.foreign import (
    hubspot_client,
    hubspot_links,
    hubspot_records,
    portal_for_foreigners,
)


@pytest.fixture
def foreign(bench):
    """A portal, and HubSpot's client that talks to it."""
    with portal_for_foreigners(bench.portal) as address:
        yield bench, hubspot_client(address, "secret"), address


def test_v3_paths_are_served_to_foreigners_only(foreign):
    """The address the product is given keeps refusing older paths."""
    bench, client, _ = foreign
    bench.portal.seed("companies", [{"name": "Acme"}])
    assert [one.properties["name"] for one in client.crm.companies.get_all()] == ["Acme"]
    assert bench.client.get("/crm/v3/objects/companies").status_code == 404


def test_records_round_trip(foreign):
    """Create, read, change, upsert, search and archive through the official client."""
    bench, client, _ = foreign
    api = client.crm.companies
    made = api.basic_api.create(
        companies.SimplePublicObjectInputForCreate(properties={"name": "Acme"}, associations=[])
    )
    api.basic_api.update(made.id, companies.SimplePublicObjectInput(properties={"domain": "acme.com"}))
    read = api.basic_api.get_by_id(made.id, properties=["name", "domain"])
    assert (read.properties["name"], read.properties["domain"]) == ("Acme", "acme.com")
    bench.clock.advance(10)
    request = companies.PublicObjectSearchRequest(
        filter_groups=[{"filters": [{"propertyName": "domain", "operator": "EQ", "value": "acme.com"}]}], limit=10
    )
    assert api.search_api.do_search(request).total == 1
    api.basic_api.archive(made.id)
    assert api.get_all(archived=True)[0].id == made.id


def test_upserts_tell_new_from_old(foreign):
    """A batch upsert through the official client; a bad record comes back as an error of a 207."""
    bench, client, address = foreign
    rows = [
        {"idProperty": "idea_key", "id": key, "objectWriteTraceId": key, "properties": {"title": key, **more}}
        for key, more in (("a", {}), ("b", {}), ("c", {"nope": "x"}))
    ]
    batch = objects.BatchInputSimplePublicObjectBatchInputUpsert(inputs=rows)
    answer = client.crm.objects.batch_api.upsert(bench.idea, batch)
    assert {one.properties["idea_key"]: one.new for one in answer.results} == {"a": True, "b": True}
    assert (answer.num_errors, answer.errors[0].context) == (1, {"objectWriteTraceId": ["c"]})
    records = hubspot_records(address, "secret", "ticket_idea")
    assert {key: one["title"] for key, one in records.items()} == {"a": "a", "b": "b"}


def test_taken_addresses_are_conflicts(foreign):
    """The official client raises its own error for a 409."""
    _, client, _ = foreign
    new = contacts.SimplePublicObjectInputForCreate(properties={"email": "a@a.com"}, associations=[])
    client.crm.contacts.basic_api.create(new)
    with pytest.raises(contacts.exceptions.ApiException) as refused:
        client.crm.contacts.basic_api.create(new)
    assert refused.value.status == 409


def test_properties_round_trip(foreign):
    """A property made by the official client is there for it to read."""
    bench, client, _ = foreign
    new = properties.PropertyCreate(
        name="note", label="Note", type="string", field_type="textarea", group_name="ticket_idea_information"
    )
    client.crm.properties.core_api.create(bench.idea, new)
    assert client.crm.properties.core_api.get_by_name(bench.idea, "note").field_type == "textarea"


def test_associations_round_trip(foreign):
    """Labels written by the official client read back by the helper, long lists included."""
    bench, client, address = foreign
    record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
    others = bench.portal.seed("companies", [{"name": str(number)} for number in range(1_200)])
    types: list[dict[str, Any]] = bench.label("voted")
    inputs = [{"from": {"id": record}, "to": {"id": other}, "types": types} for other in others]
    api = client.crm.associations.v4.batch_api
    answer = api.create(bench.idea, "companies", v4.BatchInputPublicAssociationMultiPost(inputs=inputs))
    assert len(answer.results) == 1_200
    links = hubspot_links(address, "secret", "ticket_idea", "companies", [record])
    assert links == {record: {(other, label) for other in others for label in ("Voted", None)}}
    gone = v4.BatchInputPublicAssociationMultiPost(inputs=inputs[:100])
    assert api.archive_labels(bench.idea, "companies", gone) is None
    left = hubspot_links(address, "secret", "ticket_idea", "companies", [record])[record]
    assert sum(label == "Voted" for _, label in left) == 1_100
    assert hubspot_links(address, "secret", "companies", "ticket_idea", others[:1]) == {others[0]: {(record, None)}}


def test_wrong_tokens_are_refused(foreign):
    """The official client raises its own error for a 401."""
    _, _, address = foreign
    with pytest.raises(companies.exceptions.UnauthorizedException):
        hubspot_client(address, "other").crm.companies.basic_api.get_page()
