"""Records: reading, writing, batches, unique values, merges."""

import pytest


def test_only_present_paths_exist(bench):
    """Paths of older versions are unknown."""
    assert bench.client.get("/crm/v3/objects/companies").status_code == 404
    bench.call("GET", bench.objects("companies"))


def test_missing_or_wrong_token_is_401(bench):
    """Without the token nothing is answered."""
    answer = bench.client.get(bench.objects("companies"), headers={"Authorization": "Bearer other"})
    assert answer.status_code == 401
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"


def test_missing_scope_is_403_and_named(bench_of):
    """A refusal for lack of a scope names the scope."""
    bench = bench_of(scopes={"crm.objects.companies.write"})
    body = bench.call("GET", bench.objects("companies"), status=403)
    assert body["category"] == "MISSING_SCOPES"
    assert body["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.companies.read"]


def test_default_and_asked_properties(bench):
    """Unset properties are null, undefined ones absent, and all values are text."""
    bench.portal.seed("companies", [{"name": "Acme", "annualrevenue": "12"}])
    default = bench.call("GET", bench.objects("companies"))["results"][0]
    assert set(default["properties"]) == {"name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"}
    assert default["properties"]["domain"] is None
    asked = bench.call("GET", bench.objects("companies"), properties="annualrevenue,phone,nonsense")["results"][0]
    assert asked["properties"]["annualrevenue"] == "12"
    assert asked["properties"]["phone"] is None
    assert "nonsense" not in asked["properties"]
    assert asked["properties"]["hs_object_id"] == asked["id"]


def test_listing_pages_by_id(bench):
    """Pages follow each other by record id; the last one has no paging, and links point elsewhere."""
    ids = bench.portal.seed("companies", [{"name": f"c{number}"} for number in range(250)])
    seen, after = [], None
    while True:
        page = bench.call("GET", bench.objects("companies"), limit=100, **({"after": after} if after else {}))
        seen += [one["id"] for one in page["results"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
        assert page["paging"]["next"]["link"].startswith("https://api.hubapi.com/")
    assert seen == ids
    bench.call("GET", bench.objects("companies"), limit=101, status=400)
    bench.call("GET", bench.objects("companies"), limit=51, propertiesWithHistory="name", status=400)


def test_upsert_creates_then_updates(bench):
    """The key decides; the answer says what was new and carries the trace id."""
    first = bench.upsert({"idea_key": "a", "title": "One"}, {"idea_key": "b", "title": "Two"})
    assert [one["new"] for one in first["results"]] == [True, True]
    assert {one["objectWriteTraceId"] for one in first["results"]} == {"t0", "t1"}
    second = bench.upsert({"idea_key": "a", "title": "Uno"})
    assert second["results"][0]["new"] is False
    titles = {one["properties"]["title"] for one in bench.portal.records("ticket_idea")}
    assert titles == {"Uno", "Two"}


def test_upsert_sets_the_key_from_the_id(bench):
    """A created record gets its key although the properties leave it out."""
    item = {"idProperty": "idea_key", "id": "a", "properties": {"title": "One"}}
    bench.call("POST", bench.objects(bench.idea, "/batch/upsert"), {"inputs": [item]})
    assert bench.portal.records("ticket_idea")[0]["properties"]["idea_key"] == "a"


def test_upsert_needs_a_unique_property(bench):
    """Domains do not identify companies."""
    item = {"idProperty": "domain", "id": "a.com", "properties": {"name": "A"}}
    body = bench.call("POST", bench.objects("companies", "/batch/upsert"), {"inputs": [item]}, status=400)
    assert "non-unique 0-2 property domain in portal ID 111222" in body["message"]


def test_traced_batch_is_answered_one_by_one(bench):
    """With trace ids the good records are written and the bad one is listed."""
    body = bench.upsert({"idea_key": "a", "title": "One"}, {"idea_key": "b", "nope": "x"}, status=207)
    assert [one["properties"]["idea_key"] for one in body["results"]] == ["a"]
    assert body["numErrors"] == 1
    entry = body["errors"][0]
    assert entry["context"]["objectWriteTraceId"] == ["t1"]
    assert "PROPERTY_DOESNT_EXIST" in entry["message"]


def test_untraced_batch_is_all_or_nothing(bench):
    """Without trace ids one bad record rejects the whole request."""
    body = bench.upsert({"idea_key": "a"}, {"idea_key": "b", "nope": "x"}, trace=False, status=400)
    assert body["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"
    assert bench.portal.records("ticket_idea") == []


def test_duplicate_ids_reject_the_batch(bench):
    """The same key twice is a 400 for all."""
    body = bench.upsert({"idea_key": "a"}, {"idea_key": "b"}, {"idea_key": "A"}, status=400)
    assert body["context"]["ids"] == ["A"]
    assert bench.portal.records("ticket_idea") == []


def test_batches_end_at_a_hundred(bench):
    """The hundred and first input is one too many."""
    rows = [{"idea_key": f"k{number}"} for number in range(101)]
    bench.upsert(*rows, status=400)
    bench.upsert(*rows[:100])
    for tail in ("create", "read", "update", "archive"):
        inputs = [{"id": "1", "properties": {}} for _ in range(101)]
        bench.call("POST", bench.objects(bench.idea, f"/batch/{tail}"), {"inputs": inputs}, status=400)


def test_results_do_not_keep_the_order_of_inputs(bench):
    """A client that matches by position is wrong."""
    rows = [{"idea_key": f"k{number}"} for number in range(20)]
    body = bench.upsert(*rows)
    assert [one["properties"]["idea_key"] for one in body["results"]] != [row["idea_key"] for row in rows]


def test_unique_conflict_rejects_the_whole_batch(bench):
    """A value another record holds costs the batch, trace ids or not."""
    bench.portal.define_property("ticket_idea", {"name": "other_key", "hasUniqueValue": True})
    bench.upsert({"idea_key": "a", "other_key": "x"})
    body = bench.upsert({"idea_key": "b", "other_key": "x"}, {"idea_key": "c"}, status=409)
    assert body["category"] == "CONFLICT"
    assert len(bench.portal.records("ticket_idea")) == 1


def test_unique_conflict_record_by_record_when_chosen(bench_of):
    """The unknown answer to a conflict with trace ids is an option."""
    bench = bench_of(conflict_with_trace_ids="per_record", conflict_status=400)
    bench.portal.define_property("ticket_idea", {"name": "other_key", "hasUniqueValue": True})
    bench.upsert({"idea_key": "a", "other_key": "x"})
    body = bench.upsert({"idea_key": "b", "other_key": "X"}, {"idea_key": "c"}, status=207)
    assert "CONFLICTING_UNIQUE_VALUE" in body["errors"][0]["message"]
    assert len(body["results"]) == 1


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("votes", "1,000", "INVALID_INTEGER"),
        ("votes", "1e3", "INVALID_INTEGER"),
        ("status", "Open", "INVALID_OPTION"),
        ("tags", "a;c", "INVALID_OPTION"),
        ("due", "1800000000001", "INVALID_DATE"),
        ("asked_at", "yesterday", "INVALID_DATE"),
        ("title", "x" * 65_537, "PROPERTY_VALUE_TOO_LONG"),
        ("title", "\N{GRINNING FACE}" * 40_000, "PROPERTY_VALUE_TOO_LONG"),
        ("hs_object_id", "7", "READ_ONLY_VALUE"),
        ("nope", "x", "PROPERTY_DOESNT_EXIST"),
        ("title", None, "INVALID_VALUE"),
    ],
)
def test_bad_values_are_refused(bench, name, value, code):
    """Each kind of bad value has its code."""
    body = bench.call("POST", bench.objects(bench.idea), {"properties": {name: value}}, status=400)
    assert body["category"] == "VALIDATION_ERROR"
    assert (body["errors"][0]["code"], body["errors"][0]["context"]["propertyName"]) == (code, [name])


def test_values_are_kept_in_one_form(bench):
    """Moments come back in UTC with milliseconds, days as days, appended options after the old ones."""
    created = bench.call(
        "POST",
        bench.objects(bench.idea),
        {"properties": {"asked_at": "1800000000000", "due": "1799971200000", "tags": "a", "votes": 3}},
        status=201,
    )
    assert created["properties"]["asked_at"] == "2027-01-15T08:00:00.000Z"
    assert created["properties"]["due"] == "2027-01-15"
    assert created["properties"]["votes"] == "3"
    path = bench.objects(bench.idea, f"/{created['id']}")
    assert bench.call("PATCH", path, {"properties": {"tags": ";b"}})["properties"]["tags"] == "a;b"
    assert bench.call("PATCH", path, {"properties": {"tags": ""}})["properties"]["tags"] is None


def test_companies_and_contacts_need_a_name(bench):
    """A company needs name or domain, a contact a name or an address."""
    for kind in ("companies", "contacts"):
        body = bench.call("POST", bench.objects(kind), {"properties": {"phone": "1"}}, status=400)
        assert body["errors"][0]["code"] == "MISSING_REQUIRED_PROPERTY"


def test_mandatory_fields_of_an_administrator_are_enforced(bench):
    """Rules set in the portal hold for the API as well."""
    bench.portal.require("ticket_idea", "title")
    bench.portal.require("ticket_idea", "due", when=("status", "closed"))
    body = bench.upsert({"idea_key": "a"}, {"idea_key": "b", "title": "B", "status": "closed"}, status=207)
    assert "MISSING_REQUIRED_PROPERTY" in body["errors"][0]["message"]
    assert "MISSING_CONDITIONAL_REQUIRED_PROPERTY" in body["errors"][1]["message"]


def test_addresses_are_lower_case_and_unique(bench):
    """An address is kept in lower case, found by any of a contact's addresses, and taken once."""
    made = bench.call("POST", bench.objects("contacts"), {"properties": {"email": "Ann@Acme.COM"}}, status=201)
    assert made["properties"]["email"] == "ann@acme.com"
    body = bench.call("POST", bench.objects("contacts"), {"properties": {"email": "ANN@acme.com"}}, status=409)
    assert body["message"] == f"Contact already exists. Existing ID: {made['id']}"
    bench.portal.seed("contacts", [{"email": "bob@acme.com", "hs_additional_emails": "bob@old.com;b@old.com"}])
    read = {"idProperty": "email", "properties": ["email"], "propertiesWithHistory": []}
    asked = {**read, "inputs": [{"id": "B@old.com"}, {"id": "nobody@acme.com"}]}
    found = bench.call("POST", bench.objects("contacts", "/batch/read"), asked, status=207)
    assert [one["properties"]["email"] for one in found["results"]] == ["bob@acme.com"]
    bench.call("POST", bench.objects("contacts"), {"properties": {"email": "no address"}}, status=400)


def test_one_error_stands_for_all_missing_ids(bench):
    """A batch read lists every missing id in a single entry."""
    (known,) = bench.portal.seed("companies", [{"name": "Acme"}])
    asked = {"properties": ["name"], "inputs": [{"id": known}, {"id": "1"}, {"id": "2"}]}
    body = bench.call("POST", bench.objects("companies", "/batch/read"), asked, status=207)
    assert (len(body["results"]), body["numErrors"]) == (1, 1)
    assert body["errors"][0]["context"]["ids"] == ["1", "2"]
    assert body["errors"][0]["category"] == "OBJECT_NOT_FOUND"


def test_merge_makes_a_third_id(bench):
    """The survivor has a new id and the old ones in a property; an update by an old id is silently left out."""
    first, second = bench.portal.seed(
        "companies", [{"name": "Acme", "domain": "acme.com"}, {"name": "Acme Inc", "domain": "acme.io", "phone": "1"}]
    )
    merged = bench.call(
        "POST", bench.objects("companies", "/merge"), {"primaryObjectId": first, "objectIdToMerge": second}
    )
    assert merged["id"] not in {first, second}
    properties = bench.portal.records("companies")[0]["properties"]
    assert properties["hs_merged_object_ids"] == f"{first};{second}"
    assert (properties["domain"], properties["hs_additional_domains"]) == ("acme.com", "acme.io")
    assert (properties["name"], properties["phone"]) == ("Acme", "1")
    read = bench.call("GET", bench.objects("companies", f"/{first}"))
    assert read["id"] == merged["id"]
    update = {"inputs": [{"id": first, "properties": {"name": "X"}, "objectWriteTraceId": "t"}]}
    body = bench.call("POST", bench.objects("companies", "/batch/update"), update)
    assert body["results"] == []
    assert "errors" not in body


def test_merge_keeps_associations(bench):
    """Contacts of both companies belong to the survivor."""
    companies = bench.portal.seed("companies", [{"name": "A"}, {"name": "B"}])
    contacts = bench.portal.seed("contacts", [{"email": "a@a.com"}, {"email": "b@b.com"}])
    for contact, company in zip(contacts, companies, strict=True):
        bench.portal.associate("contacts", contact, "companies", company, [("HUBSPOT_DEFINED", 1)])
    survivor = bench.portal.merge("companies", *companies)
    assert set(bench.portal.associations("companies", survivor, "contacts")) == set(contacts)
    for contact in contacts:
        assert bench.portal.associations("contacts", contact, "companies") == {survivor: {"Primary", None}}


def test_archived_records_are_listed_apart(bench):
    """An archived record is gone from reads, listed with its date, and its key is free again."""
    made = bench.upsert({"idea_key": "a"})["results"][0]
    bench.call("DELETE", bench.objects(bench.idea, f"/{made['id']}"), status=204)
    bench.call("DELETE", bench.objects(bench.idea, f"/{made['id']}"), status=204)
    bench.call("GET", bench.objects(bench.idea, f"/{made['id']}"), status=404)
    assert bench.call("GET", bench.objects(bench.idea))["results"] == []
    archived = bench.call("GET", bench.objects(bench.idea), archived="true", properties="idea_key")["results"]
    assert [one["properties"]["idea_key"] for one in archived] == ["a"]
    assert archived[0]["archivedAt"]
    assert bench.upsert({"idea_key": "a"})["results"][0]["new"] is True


def test_archived_records_may_keep_their_key(bench_of):
    """Where archived records keep their unique values, writing the key again is a conflict."""
    bench = bench_of(archived_values_stay_taken=True)
    made = bench.upsert({"idea_key": "a"})["results"][0]
    bench.call("POST", bench.objects(bench.idea, "/batch/archive"), {"inputs": [{"id": made["id"]}]}, status=204)
    bench.upsert({"idea_key": "a"}, status=409)


def test_history_lists_values_newest_first(bench):
    """Every change of a property is remembered."""
    bench.upsert({"idea_key": "a", "title": "One"})
    bench.clock.advance(60)
    bench.upsert({"idea_key": "a", "title": "Two"})
    record = bench.call("GET", bench.objects(bench.idea), propertiesWithHistory="title")["results"][0]
    assert [one["value"] for one in record["propertiesWithHistory"]["title"]] == ["Two", "One"]


@pytest.mark.parametrize(("moves", "expected"), [(True, True), (False, False)])
def test_writing_the_same_again(bench_of, moves, expected):
    """Whether a write that changes nothing moves the modification date is an option."""
    bench = bench_of(noop_moves_modified=moves)
    before = bench.upsert({"idea_key": "a", "title": "One"})["results"][0]["updatedAt"]
    bench.clock.advance(60)
    after = bench.upsert({"idea_key": "a", "title": "One"})["results"][0]["updatedAt"]
    assert (after > before) is expected


def test_lists_may_carry_associations(bench):
    """Associations come inline with the names of their types, unknown object types are ignored."""
    (company,) = bench.portal.seed("companies", [{"name": "A"}])
    (contact,) = bench.portal.seed("contacts", [{"email": "a@a.com"}])
    bench.portal.associate("contacts", contact, "companies", company, [("HUBSPOT_DEFINED", 1)])
    record = bench.call("GET", bench.objects("contacts"), associations="companies,nonsense")["results"][0]
    assert {row["type"] for row in record["associations"]["companies"]["results"]} == {
        "contact_to_company",
        "contact_to_company_unlabeled",
    }


def test_answers_carry_fields_of_tomorrow(bench_of):
    """A client must read past fields it does not know."""
    bench = bench_of(unknown_field_rate=1.0)
    bench.portal.seed("companies", [{"name": "A"}])
    body = bench.call("GET", bench.objects("companies"))
    assert "fieldOfTomorrow" in body
    assert "fieldOfTomorrow" in body["results"][0]


def test_bodies_must_be_json(bench):
    """Anything else is refused before it is looked at."""
    path = bench.objects("companies", "/search")
    assert bench.client.post(path, content=b"{}").status_code == 415
    assert bench.client.post(path, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_long_urls_are_refused(bench_of):
    """A long list of properties belongs into a body."""
    bench = bench_of(max_url_length=500)
    bench.call("GET", bench.objects("companies"), properties="x" * 500, status=414)
