"""Schemas, properties and groups, and how late they show."""

from integration_assets_tests.sandbox.hubspot.conftest import TICKET, Bench

SCHEMAS = "/crm-object-schemas/2026-09/schemas"
NEW = {
    "name": "owner_note",
    "label": "Note",
    "type": "string",
    "fieldType": "text",
    "groupName": "ticket_idea_information",
}


def properties(bench: Bench, tail: str = "") -> str:
    return f"/crm/properties/2026-09/{bench.idea}{tail}"


def test_new_objects_come_with_everything(bench):
    """A schema lists its own properties, those HubSpot adds, and the ways to associate."""
    schema = bench.call("GET", f"{SCHEMAS}/{bench.idea}")
    names = {one["name"] for one in schema["properties"]}
    assert {"idea_key", "hs_object_id", "hs_createdate"} <= names
    assert len([one for one in schema["properties"] if one["hubspotDefined"]]) == 32
    assert {(one["fromObjectTypeId"], one["toObjectTypeId"]) for one in schema["associations"]} == {
        (bench.idea, "0-2"),
        ("0-2", bench.idea),
        (bench.idea, "0-1"),
        ("0-1", bench.idea),
    }
    assert schema["objectTypeId"] == f"2-{schema['id']}"


def test_a_schema_must_hold_together(bench):
    """Name taken: 409. No display property, or one that does not exist: 400."""
    bench.call("POST", SCHEMAS, {**TICKET, "name": "Ticket_Idea"}, status=409)
    other = {**TICKET, "name": "other"}
    body = bench.call("POST", SCHEMAS, {**other, "primaryDisplayProperty": None}, status=400)
    assert body["subCategory"] == "PRIMARY_DISPLAY_PROPERTY_REQUIRED"
    bench.call("POST", SCHEMAS, {**other, "primaryDisplayProperty": "nope"}, status=400)
    bench.call("POST", SCHEMAS, {**other, "name": "1st"}, status=400)
    bench.call("POST", SCHEMAS, other, status=201)


def test_no_enterprise_no_custom_objects(bench_of):
    """A portal without the subscription lists none and refuses to make one."""
    for status in (403, 400):
        bench = bench_of(custom_objects=False, no_custom_objects_status=status)
        assert bench.call("GET", SCHEMAS)["results"] == []
        bench.call("POST", SCHEMAS, TICKET, status=status)


def test_lists_show_new_objects_late(bench_of):
    """A new object is missing from the list at first, and the read of a changed one flips for a while."""
    bench = bench_of(schema_lag=2.0, schema_flip=60.0)
    other = bench.call("POST", SCHEMAS, {**TICKET, "name": "other"}, status=201)
    assert [one["name"] for one in bench.call("GET", SCHEMAS)["results"]] == ["ticket_idea"]
    bench.clock.advance(3)
    assert [one["name"] for one in bench.call("GET", SCHEMAS)["results"]] == ["ticket_idea", "other"]
    bench.clock.advance(60)
    path = f"{SCHEMAS}/{other['objectTypeId']}"
    bench.call("PATCH", path, {"description": "new"})
    assert {bench.call("GET", path)["description"] for _ in range(30)} == {"", "new"}
    bench.clock.advance(61)
    assert {bench.call("GET", path)["description"] for _ in range(30)} == {"new"}


def test_objects_with_records_are_not_deleted(bench):
    """Records hold their object; without them it can be archived, and then purged."""
    record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
    body = bench.call("DELETE", f"{SCHEMAS}/{bench.idea}", status=400)
    assert body["subCategory"] == "EXISTING_OBJECT_RECORDS"
    bench.portal.archive("ticket_idea", record)
    bench.call("DELETE", f"{SCHEMAS}/{bench.idea}", status=204)
    assert [one["name"] for one in bench.call("GET", SCHEMAS, archived="true")["results"]] == ["ticket_idea"]
    bench.call("GET", bench.objects(bench.idea), status=400)
    bench.call("DELETE", f"{SCHEMAS}/{bench.idea}", archived="true", status=204)
    assert bench.call("GET", SCHEMAS, archived="true")["results"] == []


def test_association_definitions_of_a_schema(bench):
    """A plain association may be defined and removed by the schema."""
    other = bench.call("POST", SCHEMAS, {**TICKET, "name": "other", "associatedObjects": []}, status=201)[
        "objectTypeId"
    ]
    assert bench.call("GET", bench.pair("labels", other))["results"] == []
    body = {"fromObjectTypeId": other, "toObjectTypeId": "0-2", "name": "other_to_company"}
    made = bench.call("POST", f"{SCHEMAS}/{other}/associations", body, status=201)
    assert [str(one["typeId"]) for one in bench.call("GET", bench.pair("labels", other))["results"]] == [made["id"]]
    bench.call("DELETE", f"{SCHEMAS}/{other}/associations/{made['id']}", status=204)
    assert bench.call("GET", bench.pair("labels", other))["results"] == []


def test_bare_names_work_for_records_but_not_for_properties(bench):
    """The properties API takes the id or the full name of a custom object only."""
    bench.call("GET", bench.objects("ticket_idea"))
    bench.call("GET", "/crm/properties/2026-09/p111222_ticket_idea")
    body = bench.call("GET", "/crm/properties/2026-09/ticket_idea", status=400)
    assert body["message"].startswith("Unable to infer object type")


def test_properties_show_late(bench_of):
    """A new property is not in the definitions at once."""
    bench = bench_of(property_lag=0.5)
    bench.call("POST", properties(bench), NEW, status=201)
    bench.call("GET", properties(bench, "/owner_note"), status=404)
    bench.clock.advance(0.6)
    definition = bench.call("GET", properties(bench, "/owner_note"))
    assert definition["modificationMetadata"]["readOnlyValue"] is False
    assert definition["hubspotDefined"] is False


def test_property_rules(bench):
    """Type and field type must fit, groups must exist, names are taken once."""
    bench.call("POST", properties(bench), {**NEW, "fieldType": "number"}, status=400)
    bench.call("POST", properties(bench), {**NEW, "groupName": "nowhere"}, status=400)
    bench.call("POST", properties(bench), {**NEW, "name": "Owner Note"}, status=400)
    bench.call("POST", properties(bench), {**NEW, "type": "bool", "fieldType": "booleancheckbox"}, status=400)
    bench.call("POST", properties(bench), NEW, status=201)
    body = bench.call("POST", properties(bench), NEW, status=409)
    assert (body["category"], body["subCategory"]) == ("OBJECT_ALREADY_EXISTS", "Properties.PROPERTY_WITH_NAME_EXISTS")


def test_unique_properties_are_few_and_for_ever(bench):
    """Ten per object, chosen at creation; a later change is ignored."""
    for number in range(9):
        bench.call("POST", properties(bench), {**NEW, "name": f"key_{number}", "hasUniqueValue": True}, status=201)
    bench.call("POST", properties(bench), {**NEW, "name": "key_9", "hasUniqueValue": True}, status=400)
    bench.call("POST", properties(bench), NEW, status=201)
    changed = bench.call("PATCH", properties(bench, "/owner_note"), {"hasUniqueValue": True, "label": "N"})
    assert (changed["hasUniqueValue"], changed["label"]) == (False, "N")


def test_options_are_replaced(bench):
    """A change that gives options gives them all."""
    path = properties(bench, "/status")
    bench.call("PATCH", path, {"options": [{"label": "Planned", "value": "planned"}]})
    assert [one["value"] for one in bench.call("GET", path)["options"]] == ["planned"]
    bench.call("PATCH", path, {"label": "State"})
    assert [one["value"] for one in bench.call("GET", path)["options"]] == ["planned"]


def test_archived_properties_take_their_values_along(bench):
    """An archived property is undefined; creating its name again brings the values back."""
    bench.upsert({"idea_key": "a", "votes": "7"})
    bench.call("DELETE", properties(bench, "/votes"), status=204)
    assert [one["name"] for one in bench.call("GET", properties(bench), archived="true")["results"]] == ["votes"]
    assert "votes" not in bench.call("GET", bench.objects(bench.idea), properties="votes")["results"][0]["properties"]
    bench.upsert({"idea_key": "a", "votes": "8"}, status=207)
    again = {**NEW, "name": "votes", "type": "number", "fieldType": "number"}
    bench.call("POST", properties(bench), again, status=201)
    record = bench.call("GET", bench.objects(bench.idea), properties="votes")["results"][0]
    assert record["properties"]["votes"] == "7"


def test_standard_properties_are_not_for_changing(bench):
    """HubSpot's own definitions cannot be changed or archived; additional domains have options elsewhere."""
    bench.call("PATCH", "/crm/properties/2026-09/companies/domain", {"label": "D"}, status=400)
    bench.call("DELETE", "/crm/properties/2026-09/companies/domain", status=400)
    domain = bench.call("GET", "/crm/properties/2026-09/companies/domain")
    assert domain["hasUniqueValue"] is False
    assert bench.call("GET", "/crm/properties/2026-09/companies/hs_additional_domains")["externalOptions"] is True


def test_property_batches(bench):
    """Created one by one, read with the missing named, archived whatever the state."""
    made = bench.call(
        "POST", properties(bench, "/batch/create"), {"inputs": [NEW, {**NEW, "name": "title"}]}, status=207
    )
    assert [one["name"] for one in made["results"]] == ["owner_note"]
    asked = {"archived": False, "dataSensitivity": "non_sensitive", "inputs": [{"name": "owner_note"}, {"name": "zz"}]}
    read = bench.call("POST", properties(bench, "/batch/read"), asked, status=207)
    assert (read["results"][0]["name"], read["errors"][0]["context"]["name"]) == ("owner_note", ["zz"])
    inputs = {"inputs": [{"name": "owner_note"}, {"name": "zz"}]}
    bench.call("POST", properties(bench, "/batch/archive"), inputs, status=204)
    bench.call("GET", properties(bench, "/owner_note"), status=404)


def test_groups(bench):
    """Groups are created, renamed, and removed when empty."""
    path = properties(bench, "/groups")
    bench.call("POST", path, {"name": "mine", "label": "Mine"}, status=201)
    bench.call("POST", path, {"name": "mine", "label": "Mine"}, status=409)
    assert bench.call("PATCH", f"{path}/mine", {"label": "Ours"})["label"] == "Ours"
    assert {one["name"] for one in bench.call("GET", path)["results"]} == {"mine", "ticket_idea_information"}
    bench.call("DELETE", f"{path}/ticket_idea_information", status=400)
    bench.call("DELETE", f"{path}/mine", status=204)


def test_account_and_token(bench):
    """The portal says who it is; the token says what it may do."""
    details = bench.call("GET", "/account-info/2026-09/details")
    assert (details["portalId"], details["accountType"], details["utcOffset"]) == (111_222, "DEVELOPER_TEST", "-05:00")
    info = bench.call("POST", "/oauth/v2/private-apps/get/access-token-info", {"tokenKey": "secret"})
    assert info["hubId"] == 111_222
    assert {"oauth", "crm.objects.custom.write"} <= set(info["scopes"])
    bench.call("POST", "/oauth/v2/private-apps/get/access-token-info", {"tokenKey": "other"}, status=404)
    usage = bench.call("GET", "/account-info/2026-09/api-usage/daily/private-apps")
    assert usage["results"][0]["currentUsage"] == 0
    assert bench.call("GET", "/crm/limits/2026-09/custom-object-types")["usage"] == 1
