"""Records of the Salesforce look-alike: what it takes, what it refuses, and how it answers for each."""

from __future__ import annotations

from typing import Any

import pytest


def codes(results: list[dict[str, Any]]) -> list[str]:
    return [one["errors"][0]["statusCode"] if one["errors"] else "ok" for one in results]


def test_a_collection_upsert_says_for_each_record_whether_it_is_new(bench):
    """Entries come in the order of the request, with `created`."""
    first = bench.upsert({"Idea_Key__c": "a", "Title__c": "A"}, {"Idea_Key__c": "b"})
    again = bench.upsert({"Idea_Key__c": "b", "Title__c": "B"}, {"Idea_Key__c": "c"})
    assert [one["created"] for one in (*first, *again)] == [True, True, False, True]
    assert first[1]["id"] == again[0]["id"]
    assert set(first[0]) == {"id", "success", "created", "errors"}
    assert {row["Idea_Key__c"]: row["Title__c"] for row in bench.org.records("Idea__c")} == {
        "a": "A",
        "b": "B",
        "c": None,
    }


def test_a_collection_create_does_not_say_created(bench):
    """Only upserts tell new records from old ones."""
    body = {"records": [{"attributes": {"type": "Account"}, "Name": "Acme"}, {"attributes": {"type": "Account"}}]}
    good, bad = bench.call("POST", "/composite/sobjects", body)
    assert set(good) == {"id", "success", "errors"}
    assert bad["errors"] == [
        {
            "statusCode": "REQUIRED_FIELD_MISSING",
            "message": "Required fields are missing: ['Name']",
            "fields": ["Name"],
        }
    ]


def test_every_bad_row_has_its_own_code_within_a_success(bench):
    """HTTP 200 although most rows failed."""
    account = bench.org.seed("Account", [{"Name": "Acme"}])[0]
    bench.org.delete("Account", account)
    rows = [
        {"Idea_Key__c": "1", "Kind__c": "surprising"},
        {"Idea_Key__c": "2", "Title__c": "x" * 21},
        {"Idea_Key__c": "3", "Votes__c": 10**18},
        {"Idea_Key__c": "4", "Company__c": "1"},
        {"Idea_Key__c": "5", "Company__c": "001000000000001AAA"},
        {"Idea_Key__c": "6", "Company__c": account},
        {"Idea_Key__c": "7", "Nothing__c": "x"},
        {"Idea_Key__c": "8", "CreatedDate": "2026-01-01T00:00:00Z"},
        {"Idea_Key__c": "9", "Kind__c": "open"},
    ]
    assert codes(bench.upsert(*rows)) == [
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "STRING_TOO_LONG",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "MALFORMED_ID",
        "INVALID_CROSS_REFERENCE_KEY",
        "ENTITY_IS_DELETED",
        "INVALID_FIELD",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "ok",
    ]


def test_a_key_that_comes_twice_fails_both_rows(bench):
    """The rows that share it fail, the others do not."""
    results = bench.upsert({"Idea_Key__c": "a"}, {"Idea_Key__c": "b"}, {"Idea_Key__c": "a"})
    assert codes(results) == ["DUPLICATE_VALUE", "ok", "DUPLICATE_VALUE"]
    assert results[0]["errors"][0]["message"] == "Duplicate external id specified: a"


def test_a_case_sensitive_key_tells_upper_from_lower_case(bench):
    """Two records, as the field is unique by case."""
    assert [one["created"] for one in bench.upsert({"Idea_Key__c": "a"}, {"Idea_Key__c": "A"})] == [True, True]


def test_all_or_none_rolls_back_the_good_rows(bench):
    """The good ones say that they were rolled back."""
    results = bench.upsert({"Idea_Key__c": "a"}, {"Idea_Key__c": "b", "Kind__c": "x"}, all_or_none=True)
    assert codes(results) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"]
    assert bench.org.records("Idea__c") == []


def test_text_in_the_place_of_a_number_spoils_the_request(bench):
    """The body is parsed before any record is looked at: nothing of it is written."""
    answer = bench.upsert({"Idea_Key__c": "a"}, {"Idea_Key__c": "b", "Votes__c": "many"}, status=400)
    assert answer[0]["errorCode"] == "JSON_PARSER_ERROR"
    assert bench.org.records("Idea__c") == []


def test_more_than_200_records_are_refused_whole(bench):
    """The documented maximum."""
    answer = bench.upsert(*({"Idea_Key__c": str(number)} for number in range(201)), status=400)
    assert answer[0]["errorCode"] == "LIMIT_EXCEEDED"


def test_values_are_kept_in_a_form_of_their_own(bench):
    """Blanks go, numbers are rounded, times lose what is below a second, lines end in CR LF; null empties."""
    row = {"Idea_Key__c": "a", "Title__c": " T ", "Votes__c": 2.6, "Notes__c": "one\ntwo"}
    bench.upsert({**row, "Asked__c": "2026-11-29T10:00:00.123+02:00"})
    found = bench.query("SELECT Title__c, Votes__c, Asked__c, Notes__c FROM Idea__c")["records"][0]
    del found["attributes"]
    assert found == {
        "Title__c": "T",
        "Votes__c": 3.0,
        "Asked__c": "2026-11-29T08:00:00.000+0000",
        "Notes__c": "one\r\ntwo",
    }
    bench.upsert({"Idea_Key__c": "a", "Title__c": None, "Notes__c": ""})
    found = bench.query("SELECT Title__c, Votes__c, Notes__c FROM Idea__c")["records"][0]
    assert (found["Title__c"], found["Votes__c"], found["Notes__c"]) == (None, 3.0, None)


def test_a_reference_may_be_named_by_an_external_id(bench):
    """No id has to be looked up for it."""
    bench.org.objects["Account"].fields["Website"].external_id = True
    account = bench.org.seed("Account", [{"Name": "Acme", "Website": "acme.com"}])[0]
    results = bench.upsert(
        {"Idea_Key__c": "a", "Company__r": {"Website": "acme.com"}},
        {"Idea_Key__c": "b", "Company__r": {"Website": "other.com"}},
    )
    assert codes(results) == ["ok", "INVALID_FIELD"]
    assert bench.org.records("Idea__c")[0]["Company__c"] == account


def test_upserts_go_by_id_and_by_lookup_fields_too(bench):
    """`Id` and `Email` are keys although they are no external ids; a plain field is none."""

    def upsert(object_name: str, key: str, *rows: dict[str, Any], status: int = 200) -> Any:
        records = [{"attributes": {"type": object_name}, **row} for row in rows]
        return bench.call("PATCH", f"/composite/sobjects/{object_name}/{key}", {"records": records}, status=status)

    made = upsert("Account", "Id", {"Id": None, "Name": "Acme"})
    again = upsert("Account", "Id", {"Id": made[0]["id"], "Name": "Acme 2"})
    assert [made[0]["created"], again[0]["created"]] == [True, False]
    contact = upsert("Contact", "Email", {"Email": "A@acme.com", "LastName": "A"})
    assert upsert("Contact", "Email", {"Email": "a@ACME.com", "LastName": "B"})[0]["id"] == contact[0]["id"]
    assert upsert("Account", "Name", {"Name": "x"}, status=400)[0]["errorCode"] == "INVALID_FIELD"
    bench.org.seed("Contact", [{"Email": "a@acme.com", "LastName": "C"}])
    assert codes(upsert("Contact", "Email", {"Email": "a@acme.com"})) == ["DUPLICATE_EXTERNAL_ID"]


def test_one_record_is_upserted_read_changed_and_deleted(bench):
    """The single forms, with 300 where several records have the value."""
    path = "/sobjects/Idea__c/Idea_Key__c/a"
    bench.call("PATCH", path, {"Title__c": "A"}, status=404, updateOnly="true")
    made = bench.call("PATCH", path, {"Title__c": "A"}, status=201)
    assert (made["created"], bench.call("PATCH", path, {"Title__c": "B"})["created"]) == (True, False)
    record = f"/sobjects/Idea__c/{made['id']}"
    bench.call("PATCH", record, {"Votes__c": 3}, status=204)
    assert bench.call("GET", record, fields="Title__c,Votes__c")["Votes__c"] == 3.0
    bench.call("DELETE", record, status=204)
    assert bench.call("GET", record, status=404)[0]["errorCode"] == "ENTITY_IS_DELETED"
    bench.org.seed("Contact", [{"Email": "a@b.co", "LastName": "A"}, {"Email": "a@b.co", "LastName": "B"}])
    assert len(bench.call("PATCH", "/sobjects/Contact/Email/a@b.co", {"LastName": "C"}, status=300)) == 2


def test_deleted_records_show_in_query_all_only(bench):
    """A deleted record frees its key."""
    first = bench.upsert({"Idea_Key__c": "a"})[0]["id"]
    deleted = bench.call("DELETE", "/composite/sobjects", ids=f"{first},{first[:15]}")
    assert codes(deleted) == ["ok", "INVALID_CROSS_REFERENCE_KEY"]
    assert bench.query("SELECT Id FROM Idea__c")["totalSize"] == 0
    assert bench.query("SELECT Id FROM Idea__c WHERE IsDeleted = true", "/queryAll")["records"][0]["Id"] == first
    assert bench.upsert({"Idea_Key__c": "a"})[0]["created"] is True


def test_a_locked_row_can_be_written_later(bench):
    """The lock is on the record that the new one points at."""
    account = bench.org.seed("Account", [{"Name": "Acme"}])[0]
    bench.org.lock_row(account)
    row = {"Idea_Key__c": "a", "Company__c": account}
    assert codes([*bench.upsert(row), *bench.upsert(row)]) == ["UNABLE_TO_LOCK_ROW", "ok"]


def test_full_storage_refuses_new_records_only(bench):
    """Two kilobytes a record."""
    bench.upsert({"Idea_Key__c": "a"})
    bench.org.options.storage_kilobytes = 0
    results = bench.upsert({"Idea_Key__c": "a", "Title__c": "A"}, {"Idea_Key__c": "b"})
    assert codes(results) == ["ok", "STORAGE_LIMIT_EXCEEDED"]


@pytest.mark.parametrize(("path", "code"), [("/sobjects/Nothing__c/describe", "NOT_FOUND"), ("/nothing", "NOT_FOUND")])
def test_what_does_not_exist_is_not_found(bench, path, code):
    """Errors of the data API come as a list."""
    assert bench.call("GET", path, status=404)[0]["errorCode"] == code
