"""Associations: types per portal and pair, replacing, paging, limits."""

from typing import Any

import pytest


@pytest.fixture
def linked(bench):
    """A record of ours and three companies."""
    record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
    return record, bench.portal.seed("companies", [{"name": name} for name in "ABC"])


def pairs(record: str, companies: list[str], types: list[dict[str, Any]]) -> dict[str, Any]:
    return {"inputs": [{"from": {"id": record}, "to": {"id": one}, "types": types} for one in companies]}


def test_plain_link_of_a_custom_object_is_of_the_portals_own(bench):
    """The plain type has no label, category USER_DEFINED, and another number per direction; names are not told."""
    there = bench.call("GET", bench.pair("labels"))["results"]
    back = bench.call("GET", bench.pair("labels", "companies", bench.idea))["results"]
    assert [(one["category"], one["label"]) for one in there + back] == [("USER_DEFINED", None)] * 2
    assert there[0]["typeId"] != back[0]["typeId"]
    assert "name" not in there[0]


def test_two_portals_share_no_ids_and_279_collides(bench_of):
    """Every id differs between portals, and one of the portal's own types has HubSpot's number 279."""
    seen = []
    for portal_id in (111_222, 333_444):
        bench = bench_of(portal_id)
        bench.label("voted")
        bench.label("author", "contacts")
        types = bench.portal.types.touching("ticket_idea")
        own = {one.key for one in types}
        assert ("USER_DEFINED", 279) in own
        record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
        schema = bench.call("GET", f"/crm-object-schemas/2026-09/schemas/{bench.idea}")
        seen.append((bench.idea, record, schema["fullyQualifiedName"], tuple(sorted(own - {("USER_DEFINED", 279)}))))
    assert all(one != other for one, other in zip(*seen, strict=True))


def test_writing_labels_replaces_them(bench, linked):
    """A pair has the labels of the last write, and always the plain type beside them."""
    record, companies = linked
    voted, author = bench.label("voted"), bench.label("author")
    created = bench.call("POST", bench.pair("batch/create"), pairs(record, companies[:1], voted), status=201)
    assert created["results"][0]["labels"] == ["Voted"]
    assert created["results"][0]["toObjectId"] == int(companies[0])
    bench.call("POST", bench.pair("batch/create"), pairs(record, companies[:1], author), status=201)
    assert bench.portal.associations("ticket_idea", record, "companies") == {companies[0]: {None, "Author"}}
    assert bench.portal.associations("companies", companies[0], "ticket_idea") == {record: {None, "author by"}}


def test_ids_of_association_answers_are_numbers(bench, linked):
    """Ids are numbers here, and text everywhere else; types say category, number and label."""
    record, companies = linked
    bench.call("POST", bench.pair("batch/create"), pairs(record, companies[:1], bench.label("voted")), status=201)
    read = bench.call("POST", bench.pair("batch/read"), {"inputs": [{"id": record}]})["results"][0]
    assert read["from"] == {"id": record}
    assert read["to"][0]["toObjectId"] == int(companies[0])
    assert {(one["category"], one["label"]) for one in read["to"][0]["associationTypes"]} == {
        ("USER_DEFINED", None),
        ("USER_DEFINED", "Voted"),
    }


def test_every_record_pages_by_itself(bench_of):
    """A long list goes on at a cursor that comes encoded and goes back as it came."""
    bench = bench_of(association_page_size=2)
    first, second = (one["id"] for one in bench.upsert({"idea_key": "a"}, {"idea_key": "b"})["results"])
    companies = bench.portal.seed("companies", [{"name": str(number)} for number in range(5)])
    for record, some in ((first, companies), (second, companies[:2])):
        bench.call("POST", bench.pair("batch/create"), pairs(record, some, bench.plain()), status=201)
    body = bench.call("POST", bench.pair("batch/read"), {"inputs": [{"id": first}, {"id": second}]})
    by_id = {one["from"]["id"]: one for one in body["results"]}
    assert "paging" not in by_id[second]
    seen, page = [], by_id[first]
    while True:
        seen += [str(one["toObjectId"]) for one in page["to"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
        assert "%" in after or "=" not in after
        page = bench.call("POST", bench.pair("batch/read"), {"inputs": [{"id": first, "after": after}]})["results"][0]
    assert seen == companies
    bench.call("POST", bench.pair("batch/read"), {"inputs": [{"id": first, "after": "Mw=="}]}, status=400)
    one = bench.call("GET", bench.objects(bench.idea, f"/{first}/associations/companies"), limit=3)
    rest = bench.call(
        "GET", bench.objects(bench.idea, f"/{first}/associations/companies"), after=one["paging"]["next"]["after"]
    )
    assert [str(row["toObjectId"]) for row in one["results"] + rest["results"]] == companies


@pytest.mark.parametrize(
    ("answer", "status", "results", "errors"), [("error", 207, 0, 1), ("omitted", 200, 0, 0), ("empty", 200, 1, 0)]
)
def test_records_without_associations(bench_of, answer, status, results, errors):
    """A record without associations is an error entry, left out, or empty, as chosen."""
    bench = bench_of(unassociated_in_batch_read=answer)
    record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
    body = bench.call("POST", bench.pair("batch/read"), {"inputs": [{"id": record}]}, status=status)
    assert (len(body["results"]), body.get("numErrors", 0)) == (results, errors)


def test_batch_caps(bench, linked):
    """Two thousand to create, a thousand to read, a hundred to remove."""
    record, companies = linked
    many = pairs(record, [companies[0]] * 2001, bench.plain())
    bench.call("POST", bench.pair("batch/create"), many, status=400)
    bench.call("POST", bench.pair("batch/create"), {"inputs": many["inputs"][:2000]}, status=201)
    bench.call("POST", bench.pair("batch/read"), {"inputs": [{"id": record}] * 1001}, status=400)
    bench.call("POST", bench.pair("batch/labels/archive"), {"inputs": many["inputs"][:101]}, status=400)
    froms = [{"from": {"id": str(number)}, "to": [{"id": companies[0]}]} for number in range(101)]
    bench.call("POST", bench.pair("batch/archive"), {"inputs": froms}, status=400)
    assert companies[0] in bench.portal.associations("ticket_idea", record, "companies")
    bench.call("POST", bench.pair("batch/archive"), {"inputs": froms[:100]})


def test_removing_a_label_keeps_the_link_and_the_plain_type_ends_it(bench, linked):
    """Labels come off one by one; with the plain type everything goes. Both answer 200 with a body."""
    record, companies = linked
    voted = bench.label("voted")
    bench.call("POST", bench.pair("batch/create"), pairs(record, companies[:2], voted), status=201)
    body = bench.call("POST", bench.pair("batch/labels/archive"), pairs(record, companies[:1], voted))
    assert body["status"] == "COMPLETE"
    assert bench.portal.associations("ticket_idea", record, "companies")[companies[0]] == {None}
    bench.call("POST", bench.pair("batch/labels/archive"), pairs(record, companies[1:2], bench.plain()))
    assert set(bench.portal.associations("ticket_idea", record, "companies")) == {companies[0]}
    gone = {"inputs": [{"from": {"id": record}, "to": [{"id": companies[0]}]}]}
    assert bench.call("POST", bench.pair("batch/archive"), gone)["status"] == "COMPLETE"
    assert bench.portal.associations("ticket_idea", record, "companies") == {}


def test_unknown_types_and_records(bench, linked):
    """A type of another pair rejects the batch; a record that is gone is an entry of its own."""
    record, companies = linked
    wrong = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
    bench.call("POST", bench.pair("batch/create"), pairs(record, companies, wrong), status=400)
    bench.portal.archive("companies", companies[1])
    body = bench.call("POST", bench.pair("batch/create"), pairs(record, companies, bench.plain()), status=207)
    assert len(body["results"]) == 2
    assert body["errors"][0]["context"]["toObjectId"] == [companies[1]]


@pytest.mark.parametrize(("choice", "status", "left"), [("per_pair", 207, 2), ("whole_batch", 400, 2)])
def test_limit_per_record(bench_of, choice, status, left):
    """One record has no more than so many others; the limit can be read."""
    bench = bench_of(association_limits={("ticket_idea", "companies"): 2}, over_association_limit=choice)
    record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
    companies = bench.portal.seed("companies", [{"name": name} for name in "ABC"])
    body = bench.call("POST", bench.pair("batch/create"), pairs(record, companies, bench.plain()), status=status)
    assert "LIMIT_EXCEEDED" in str(body)
    assert len(bench.portal.associations("ticket_idea", record, "companies")) == left
    limits = bench.call("GET", f"/crm/limits/2026-09/associations/records/{bench.idea}/companies")
    assert (limits["limit"], limits["totalRecordsAtLimit"]) == (2, 1)


def test_default_association_of_a_custom_object_is_an_option(bench_of):
    """The default association works between standard objects; with a custom one only where chosen."""
    for choice, status in (("rejected", 400), ("accepted", 200)):
        bench = bench_of(default_on_custom_pair=choice)
        record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
        (company,) = bench.portal.seed("companies", [{"name": "A"}])
        (contact,) = bench.portal.seed("contacts", [{"email": "a@a.com"}])
        inputs = {"inputs": [{"from": {"id": record}, "to": {"id": company}}]}
        bench.call("POST", bench.pair("batch/associate/default"), inputs, status=status)
        bench.call("PUT", bench.objects("contacts", f"/{contact}/associations/default/companies/{company}"))
        assert bench.portal.associations("contacts", contact, "companies") == {company: {None, "Primary"}}


def test_contacts_have_one_primary_company(bench):
    """A new primary company takes the label off the old one; sending the plain type alone strips it."""
    companies = bench.portal.seed("companies", [{"name": "A"}, {"name": "B"}])
    (contact,) = bench.portal.seed("contacts", [{"email": "a@a.com"}])
    for company in companies:
        path = bench.objects("contacts", f"/{contact}/associations/companies/{company}")
        primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
        bench.call("PUT", path, primary, status=201)
    assert bench.portal.associations("contacts", contact, "companies") == {
        companies[0]: {None},
        companies[1]: {None, "Primary"},
    }
    record = bench.call("GET", bench.objects("contacts", f"/{contact}"), properties="associatedcompanyid")
    assert record["properties"]["associatedcompanyid"] == companies[1]
    plain = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
    bench.call("PUT", bench.objects("contacts", f"/{contact}/associations/companies/{companies[1]}"), plain, status=201)
    assert bench.portal.associations("contacts", contact, "companies")[companies[1]] == {None}


def test_parents_show_in_a_derived_property(bench_of):
    """A company's parent follows from the association, and the property is read-only, or missing where chosen."""
    bench = bench_of()
    parent, child = bench.portal.seed("companies", [{"name": "P"}, {"name": "C"}])
    bench.portal.associate("companies", child, "companies", parent, [("HUBSPOT_DEFINED", 14)])
    path = bench.objects("companies", f"/{child}")
    assert bench.call("GET", path, properties="hs_parent_company_id")["properties"]["hs_parent_company_id"] == parent
    assert bench.portal.associations("companies", parent, "companies") == {child: {None, "Child Company"}}
    bench.call("PATCH", path, {"properties": {"hs_parent_company_id": parent}}, status=400)
    without = bench_of(parent_property=False)
    (company,) = without.portal.seed("companies", [{"name": "P"}])
    read = without.call("GET", without.objects("companies", f"/{company}"), properties="hs_parent_company_id")
    assert "hs_parent_company_id" not in read["properties"]


def test_archiving_a_record_ends_its_links(bench, linked):
    """Nothing is associated with a record in the recycle bin."""
    record, companies = linked
    bench.call("POST", bench.pair("batch/create"), pairs(record, companies, bench.plain()), status=201)
    bench.portal.archive("ticket_idea", record)
    assert bench.portal.associations("companies", companies[0], "ticket_idea") == {}


def test_associating_needs_both_write_scopes(bench_of):
    """Which write scopes associating needs is not documented; by default those of both sides."""
    scopes = {"crm.objects.custom.write", "crm.objects.custom.read"}
    for choice, status in (("both", 403), ("from", 201)):
        bench = bench_of(scopes=scopes, associating_needs=choice)
        (record,) = bench.portal.seed("ticket_idea", [{"idea_key": "a"}])
        (company,) = bench.portal.seed("companies", [{"name": "A"}])
        bench.call("POST", bench.pair("batch/create"), pairs(record, [company], bench.plain()), status=status)


def test_labels_are_created_renamed_and_removed(bench, linked):
    """A label makes a type per direction; removing it takes it off the pairs that have it."""
    record, companies = linked
    body = {"name": "voted", "label": "Voted", "inverseLabel": "Voted by"}
    made = bench.call("POST", bench.pair("labels"), body)["results"]
    assert [one["label"] for one in made] == ["Voted", "Voted by"]
    bench.call("POST", bench.pair("labels"), body, status=409)
    bench.call("POST", bench.pair("labels"), {"name": "x", "label": None}, status=400)
    types = [{"associationCategory": "USER_DEFINED", "associationTypeId": made[0]["typeId"]}]
    bench.call("POST", bench.pair("batch/create"), pairs(record, companies[:1], types), status=201)
    renamed = {"associationTypeId": made[0]["typeId"], "label": "Wants"}
    bench.call("PUT", bench.pair("labels"), renamed, status=204)
    assert bench.portal.associations("companies", companies[0], "ticket_idea") == {record: {None, "Wants"}}
    bench.call("DELETE", bench.pair(f"labels/{made[0]['typeId']}"), status=204)
    assert bench.portal.associations("ticket_idea", record, "companies") == {companies[0]: {None}}


def test_too_many_labels_are_437(bench_of):
    """A pair has a cap on its types."""
    bench = bench_of(label_limit=2)
    bench.call("POST", bench.pair("labels"), {"name": "a", "label": "A"})
    bench.call("POST", bench.pair("labels"), {"name": "b", "label": "B"}, status=437)
