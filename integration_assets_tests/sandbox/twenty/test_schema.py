"""The metadata API: envelopes and refusals by version, and what becomes of a defined object."""

from __future__ import annotations

from typing import Any

from integration_assets.sandbox.twenty import TwentyOptions
from integration_assets_tests.sandbox.twenty.conftest import Bench, Open

WISH = {"nameSingular": "wish", "namePlural": "wishes", "labelSingular": "Wish", "labelPlural": "Wishes"}


def version(bench: Bench) -> str:
    return bench.workspace.options.version


def objects(bench: Bench) -> dict[str, Any]:
    answer = bench.call("GET", "/metadata/objects")["data"]
    return {one["nameSingular"]: one for one in (answer if version(bench) == "2.31" else answer["objects"])}


def created(bench: Bench, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = bench.call("POST", f"/metadata/{kind}s", body, status=201)
    shown: dict[str, Any] = answer if version(bench) == "2.31" else answer["data"][f"createOne{kind.title()}"]
    return shown


def test_an_object_is_defined_with_fields_and_a_relation(bench: Bench):
    """Its records are there at once, under the plural name, with the join column of the relation."""
    wish = created(bench, "object", WISH)
    field = {"objectMetadataId": wish["id"], "type": "TEXT", "name": "key", "label": "Key", "isUnique": True}
    created(bench, "field", field)
    relation = {
        "objectMetadataId": wish["id"],
        "type": "RELATION",
        "name": "company",
        "label": "Company",
        "relationCreationPayload": {
            "type": "MANY_TO_ONE",
            "targetObjectMetadataId": objects(bench)["company"]["id"],
            "targetFieldLabel": "Wishes of it",
            "targetFieldIcon": "IconStar",
        },
    }
    created(bench, "field", relation)
    (row,) = bench.call("POST", "/batch/wishes", [{"key": "1", "name": "One"}], status=201)["data"]["createWishes"]
    assert (row["key"], row["name"], row["companyId"]) == ("1", "One", None)
    assert "wishesOfIt" in {one["name"] for one in objects(bench)["company"]["fields"]}
    refused = bench.call("POST", "/metadata/fields", field, status=400)
    assert ("errors" in refused) is (version(bench) != "1.10")


def test_an_object_that_exists_is_refused(bench: Bench):
    """Only the first generation says why; the other has a message that misleads."""
    created(bench, "object", WISH)
    refused = bench.call("POST", "/metadata/objects", WISH, status=400)
    if version(bench) == "1.10":
        assert refused["messages"] == ["Object already exists"]
    else:
        assert refused["error"] == "METADATA_VALIDATION_ERROR"
        assert "exists" not in str(refused)


def test_names_and_options_have_their_form(bench: Bench):
    for name in ("Wish", "feature_request", "type"):
        bench.call("POST", "/metadata/objects", {**WISH, "nameSingular": name}, status=400)
    wish = created(bench, "object", WISH)
    select = {"objectMetadataId": wish["id"], "type": "SELECT", "name": "stage", "label": "Stage"}
    options = [{"label": "New", "value": "new", "color": "blue", "position": 0}]
    bench.call("POST", "/metadata/fields", {**select, "options": options}, status=400)
    options[0]["value"] = "NEW"
    assert created(bench, "field", {**select, "options": options})["options"][0]["value"] == "NEW"


def test_the_list_of_objects_by_version(bench: Bench):
    """The first generation knows no limit and shows no uniqueness, but what is custom."""
    field = next(one for one in objects(bench)["idea"]["fields"] if one["name"] == "externalId")
    if version(bench) == "1.10":
        bench.call("GET", "/metadata/objects", status=400, limit=10)
        assert ("isUnique" in field, field["isCustom"], field["isNullable"]) == (False, True, False)
    else:
        bench.call("GET", "/metadata/objects", limit=1000)
        assert ("isCustom" in field, field["isUnique"], field["isNullable"]) == (False, True, True)


def test_indexes_tell_uniqueness_where_fields_do_not(bench: Bench):
    indexes = "indexMetadataList { isUnique indexFieldMetadataList { fieldMetadataId } }"
    query = f"{{ objects {{ edges {{ node {{ id {indexes} }} }} }} }}"
    answer = bench.client.post("/metadata", json={"query": query}).json()["data"]["objects"]["edges"]
    fields = {one["name"]: one["id"] for one in objects(bench)["idea"]["fields"]}
    (found,) = [edge["node"]["indexMetadataList"] for edge in answer if edge["node"]["nameSingular"] == "idea"]
    assert found == [{"isUnique": True, "indexFieldMetadataList": [{"fieldMetadataId": fields["externalId"]}]}]


def test_the_second_generation_pages_its_objects(open_bench: Open):
    with open_bench(TwentyOptions(version="2.31")) as bench:
        first = bench.call("GET", "/metadata/objects", limit=2)
        rest = bench.call("GET", "/metadata/objects", limit=2, starting_after=first["pageInfo"]["endCursor"])
        assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
        names = [one["nameSingular"] for one in (*first["data"], *rest["data"])]
        assert names == ["company", "person", "opportunity"]
