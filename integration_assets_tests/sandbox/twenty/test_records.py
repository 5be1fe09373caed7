"""The record API: what was measured on running servers, of every version."""

from __future__ import annotations

from typing import Any

import pytest

from integration_assets.sandbox.twenty import TwentyOptions
from integration_assets_tests.sandbox.twenty.conftest import Bench, Open


def keys(rows: list[dict[str, Any]]) -> list[str]:
    return [row["externalId"] for row in rows]


def first_generation(bench: Bench) -> bool:
    return bench.workspace.options.first_generation


def test_an_upsert_answers_updates_first_and_keeps_ids(bench: Bench):
    """The order of the answer is not that of the request."""
    made = {row["externalId"]: row["id"] for row in bench.upsert({"externalId": "1"}, {"externalId": "2"})}
    again = bench.upsert(*({"externalId": key} for key in ("2", "new9", "1", "new8")))
    assert keys(again) == ["2", "1", "new9", "new8"]
    assert {row["externalId"]: row["id"] for row in again[:2]} == made


def test_a_field_that_is_left_out_is_kept_and_the_time_moves(bench: Bench):
    """Also an upsert that changes nothing is a change to whoever watches `updatedAt`."""
    (first,) = bench.upsert({"externalId": "1", "name": "One", "votes": 3})
    bench.clock.now += 5
    (again,) = bench.upsert({"externalId": "1", "votes": 3})
    assert (again["name"], again["votes"], again["createdAt"]) == ("One", 3, first["createdAt"])
    assert again["updatedAt"] > first["updatedAt"]


def test_the_same_key_twice_in_a_batch(bench: Bench):
    """One row with the last value for a key that exists; for a new one the whole batch is refused."""
    bench.upsert({"externalId": "1"})
    rows = bench.upsert({"externalId": "1", "name": "first"}, {"externalId": "1", "name": "last"})
    assert [(row["externalId"], row["name"]) for row in rows] == [("1", "last")]
    message = bench.upsert({"externalId": "2"}, {"externalId": "3"}, {"externalId": "3"}, status=400)
    expected = (
        "Duplicate External id with value 3. Please set a unique one."
        if first_generation(bench)
        else "A duplicate entry was detected"
    )
    assert message == expected
    assert keys(bench.ideas()) == ["1"]


def test_an_empty_key_is_no_key(bench: Bench):
    """Each row without one is a new record."""
    bench.upsert({"externalId": ""}, {"name": "no key"})
    bench.upsert({"externalId": ""})
    assert len(bench.ideas()) == 3


def test_a_row_that_hits_two_records_is_refused(bench: Bench):
    first, second = bench.upsert({"externalId": "1"}, {"externalId": "2"})
    assert "Multiple records found" in bench.upsert({"id": first["id"], "externalId": "2"}, status=400)
    assert second["id"] != first["id"]


def test_one_bad_row_refuses_its_batch(bench: Bench):
    """Nothing of it is written, and the answer names no row."""
    message = bench.upsert({"externalId": "1"}, {"externalId": "2", "stage": "NOPE"}, status=400)
    assert "NOPE" in message
    assert ("Valid values are: NEW, PLANNED" in message) is not first_generation(bench)
    assert bench.upsert({"externalId": "1", "votes": "many"}, status=400)
    assert bench.upsert({"externalId": "1", "unheardOf": 1}, status=400)
    assert bench.ideas() == []


def test_a_batch_has_a_maximum(bench: Bench):
    rows = [{"externalId": str(number)} for number in range(201)]
    assert bench.upsert(*rows, status=400) == "Maximum number of records to upsert is 200."
    assert len(bench.upsert(*rows[:200])) == 200


def test_null_clears_all_but_money(bench: Bench):
    """An amount is cleared by null in its parts."""
    values = {"name": "One", "votes": 3, "revenue": {"amountMicros": 5, "currencyCode": "USD"}}
    bench.upsert({"externalId": "1", **values})
    (row,) = bench.upsert({"externalId": "1", "name": None, "votes": None, "revenue": None})
    assert (row["name"], row["votes"]) == ("", None)
    assert row["revenue"] == {"amountMicros": 5, "currencyCode": "USD"}
    (row,) = bench.upsert({"externalId": "1", "revenue": {"amountMicros": None, "currencyCode": None}})
    assert row["revenue"] == {"amountMicros": None, "currencyCode": None}


def test_values_come_back_in_their_own_spelling(bench: Bench):
    (row,) = bench.upsert(
        {
            "externalId": "1",
            "name": " not trimmed ",
            "url": {"primaryLinkUrl": "HTTPS://Acme.Canny.io/p/1/"},
            "askedAt": "2026-11-29T10:00:00+02:00",
            "revenue": {"amountMicros": "1500000", "currencyCode": "abc"},
        }
    )
    assert row["name"] == " not trimmed "
    assert row["url"]["primaryLinkUrl"] == "https://acme.canny.io/p/1"
    assert row["askedAt"] == "2026-11-29T08:00:00.000Z"
    assert row["revenue"] == {"amountMicros": 1_500_000, "currencyCode": "abc"}


def test_domains_are_unique_by_their_text(bench: Bench):
    """Three spellings of one domain are three companies."""
    urls = ("acme.example", "http://www.acme.example", "https://acme.example", "https://ACME.example/")
    rows = [{"name": "Acme", "domainName": {"primaryLinkUrl": url}} for url in urls]
    assert len(bench.call("POST", "/batch/companies", rows[:3], status=201)["data"]["createCompanies"]) == 3
    bench.call("POST", "/companies", rows[3], status=400)


def test_a_deleted_record_holds_its_key_and_an_upsert_brings_it_back(bench: Bench):
    (row,) = bench.upsert({"externalId": "1", "name": "One"})
    bench.call("DELETE", f"/ideas/{row['id']}", soft_delete="true")
    assert bench.ideas() == []
    assert keys(bench.ideas(filter="deletedAt[is]:NOT_NULL")) == ["1"]
    bench.call("POST", "/ideas", {"externalId": "1"}, status=400)
    (back,) = bench.upsert({"externalId": "1"})
    assert (back["id"], back["name"], back["deletedAt"]) == (row["id"], "One", None)


def test_a_delete_destroys_unless_told_otherwise(bench: Bench):
    """And relations to what is gone become null."""
    company = bench.workspace.seed("companies", [{"name": "Acme"}])[0]
    (row,) = bench.upsert({"externalId": "1", "companyId": company})
    bench.call("DELETE", f"/companies/{company}")
    assert bench.call("GET", f"/ideas/{row['id']}")["data"]["idea"]["companyId"] is None
    deleted = bench.call("DELETE", "/ideas", filter="externalId[in]:[1,2]")
    assert deleted["data"]["deleteIdeas"] == [{"id": row["id"]}]
    assert bench.ideas(filter="deletedAt[is]:NOT_NULL") == []
    bench.call("DELETE", "/ideas", status=400)


def test_deleted_records_are_restored_by_filter(bench: Bench):
    (row,) = bench.upsert({"externalId": "1"})
    bench.call("DELETE", f"/ideas/{row['id']}", soft_delete="true")
    bench.call("PATCH", "/restore/ideas", filter=f"id[eq]:{row['id']}")
    assert keys(bench.ideas()) == ["1"]


def test_a_relation_to_nothing(bench: Bench):
    """Refused by the second generation, taken by the first."""
    nothing = "00000000-0000-4000-8000-000000000000"
    if first_generation(bench):
        assert bench.upsert({"externalId": "1", "companyId": nothing})[0]["companyId"] == nothing
    else:
        assert "foreign key" in bench.upsert({"externalId": "1", "companyId": nothing}, status=400)


def test_pages_follow_a_cursor(bench: Bench):
    """A page is 60 records unless asked otherwise, and silently never more than 200."""
    bench.workspace.seed("companies", [{"name": f"C{number}"} for number in range(250)])
    assert len(bench.call("GET", "/companies")["data"]["companies"]) == 60
    found, cursor, sizes = set(), None, []
    while True:
        params: dict[str, Any] = {"limit": 1000, "order_by": "id"} | ({"starting_after": cursor} if cursor else {})
        page = bench.call("GET", "/companies", **params)
        found |= {row["id"] for row in page["data"]["companies"]}
        sizes.append(len(page["data"]["companies"]))
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert (sizes, len(found), page["totalCount"]) == ([200, 50], 250, 250)
    empty = bench.call("GET", "/companies", limit=0)
    assert (empty["data"]["companies"], empty["totalCount"]) == ([], 250)
    assert bench.call("GET", "/companies", status=400, starting_after="nonsense")["messages"] == ["Invalid cursor"]
    bench.call("GET", "/companies", status=400, depth=2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("externalId[in]:[a,b c]", ["a", "b c"]),
        ('externalId[in]:["d,e",a]', ["a"]),
        ('externalId[eq]:"d,e"', ["d,e"]),
        ("externalId[in]:[A]", []),
        ("votes[is]:NOT_NULL,externalId[in]:[a,b c]", ["a"]),
        ('or(externalId[eq]:a,externalId[eq]:"f\'g")', ["a", "f'g"]),
        ("not(externalId[in]:[a,b c])", ["d,e", "f'g"]),
    ],
)
def test_filters(bench: Bench, text: str, found: list[str]):
    """Keys are told apart by case, and a comma breaks a list even in quotes."""
    bench.upsert({"externalId": "a", "votes": 1}, *({"externalId": key} for key in ("b c", "d,e", "f'g")))
    assert sorted(keys(bench.ideas(filter=text))) == found


def test_a_filter_of_an_unknown_field_is_refused(bench: Bench):
    bench.call("GET", "/ideas", status=400, filter="nothing[eq]:1")
    bench.call("GET", "/ideas", status=400, filter="nonsense")


def test_a_long_address_is_refused_without_a_word(bench: Bench):
    ids = ",".join(str(number) * 36 for number in range(420))
    assert bench.call("GET", "/ideas", status=431, filter=f"id[in]:[{ids}]") is None


def test_unknown_objects_keys_and_paths(bench: Bench):
    assert bench.call("GET", "/nothings", status=400)["messages"] == ["object 'nothings' not found. eg: companies"]
    bench.call("GET", "/ideas/00000000-0000-4000-8000-000000000000", status=404)
    bench.client.headers["authorization"] = "Bearer somebody"
    refusal = bench.call("GET", "/companies", status=401)
    expected = "No payload" if first_generation(bench) else "Token invalid."
    assert (refusal["error"], refusal["messages"]) == ("UNAUTHENTICATED", [expected])


def test_the_bucket_of_a_workspace_has_a_hundred_calls_a_minute(open_bench: Open):
    """One more is refused, without a word on how long to wait; a minute later there is room again."""
    with open_bench(TwentyOptions()) as bench:
        for _ in range(100):
            bench.call("GET", "/companies", limit=0)
        refusal = bench.call("GET", "/companies", limit=0, status=429)
        assert refusal["messages"] == ["Limit reached (100 tokens per 60000 ms)"]
        bench.clock.now += 60.1
        bench.call("GET", "/companies", limit=0)
