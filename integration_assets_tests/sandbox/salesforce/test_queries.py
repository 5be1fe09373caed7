"""Queries of the Salesforce look-alike, and what describe says."""

from __future__ import annotations

import pytest

from integration_assets_tests.sandbox.salesforce.conftest import DATA, Bench


def names(bench: Bench, condition: str) -> list[str]:
    return [row["Name"] for row in bench.query(f"SELECT Name FROM Account {condition}")["records"]]


def test_a_long_result_comes_in_pages(bench_of):
    """Pages may be smaller than what the client asked for; the last one says that it is done."""
    bench = bench_of(page_rows=300)
    bench.org.seed("Account", [{"Name": f"A{number}"} for number in range(650)])
    page = bench.query("SELECT Name FROM Account", **{"Sforce-Query-Options": "batchSize=2000"})
    sizes, found = [], []
    while True:
        sizes.append(len(page["records"]))
        found += [row["Name"] for row in page["records"]]
        if page["done"]:
            break
        assert page["nextRecordsUrl"].startswith(f"{DATA}/query/01g")
        page = bench.client.get(page["nextRecordsUrl"]).json()
    assert (sizes, found) == ([300, 300, 50], [f"A{number}" for number in range(650)])
    assert page["totalSize"] == 650


def test_the_eleventh_open_query_ends_the_first(bench_of):
    """Its locator is not known any more."""
    bench = bench_of(page_rows=1)
    bench.org.seed("Account", [{"Name": "A"}, {"Name": "B"}])
    pages = [bench.query("SELECT Id FROM Account") for _ in range(11)]
    refused = bench.client.get(pages[0]["nextRecordsUrl"])
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    assert bench.client.get(pages[-1]["nextRecordsUrl"]).status_code == 200


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("WHERE Name = 'acme'", ["Acme"]),
        ("WHERE Name != 'acme' ORDER BY Name DESC", ["O'Neil", "Beta"]),
        ("WHERE Name IN ('Acme', 'O\\'Neil') ORDER BY Name", ["Acme", "O'Neil"]),
        ("WHERE NOT Name IN ('Acme')", ["Beta", "O'Neil"]),
        ("WHERE Name LIKE '%e%' AND (AnnualRevenue > 5 OR AnnualRevenue = null)", ["Beta", "O'Neil"]),
        ("WHERE Parent.Name = 'Acme'", ["Beta"]),
        ("WHERE SystemModstamp >= 2020-01-01T00:00:00Z ORDER BY Name LIMIT 1 OFFSET 1", ["Beta"]),
        ("WHERE SystemModstamp < 2020-01-01T00:00:00+00:00", []),
        ("WHERE ParentId = null AND AnnualRevenue NOT IN (5, 6)", ["O'Neil"]),
    ],
)
def test_conditions_select(bench, condition, expected):
    """Text compares without case; null is a value to compare with."""
    acme = bench.org.seed("Account", [{"Name": "Acme", "AnnualRevenue": 5}])[0]
    bench.org.seed("Account", [{"Name": "Beta", "ParentId": acme}, {"Name": "O'Neil", "AnnualRevenue": 12}])
    assert names(bench, condition) == expected


def test_fields_of_parents_come_nested(bench):
    """A relationship is an object of its own, or null."""
    acme = bench.org.seed("Account", [{"Name": "Acme"}])[0]
    bench.org.seed("Contact", [{"LastName": "A", "AccountId": acme}, {"LastName": "B"}])
    rows = bench.query("SELECT Name, Account.Name, Account.Website FROM Contact ORDER BY Name")["records"]
    url = f"{DATA}/sobjects/Account/{acme}"
    assert [row["Account"] for row in rows] == [
        {"attributes": {"type": "Account", "url": url}, "Name": "Acme", "Website": None},
        None,
    ]


def test_a_count_has_no_records(bench):
    """`totalSize` is the count."""
    bench.org.seed("Account", [{"Name": "A"}, {"Name": "B"}])
    assert bench.query("SELECT COUNT() FROM Account") == {"totalSize": 2, "done": True, "records": []}
    counted = bench.call("GET", "/limits/recordCount", sObjects="Account,Contact")
    assert counted == {"sObjects": [{"count": 2, "name": "Account"}]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'a", "MALFORMED_QUERY"),
        ("SELECT Nothing__c FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing__c", "INVALID_TYPE"),
        ("SELECT Id FROM Account WHERE ParentId = '1'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Idea__c WHERE Notes__c = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_what_cannot_be_asked_is_refused(bench, text, code):
    """Each with the code that is documented for it."""
    assert bench.call("GET", "/query", status=400, q=text)[0]["errorCode"] == code


def test_long_addresses_are_refused_and_composite_takes_the_query(bench):
    """A query that is too long for an address goes in a body."""
    bench.upsert(*({"Idea_Key__c": f"k{number}"} for number in range(3)))
    listed = ",".join(f"'k{number}'" for number in range(2_000))
    text = f"SELECT Idea_Key__c FROM Idea__c WHERE Idea_Key__c IN ({listed})"
    refused = bench.client.get(f"{DATA}/query", params={"q": text})
    assert (refused.status_code, refused.content) == (431, b"")
    asked = {"method": "GET", "url": f"{DATA}/query?q={text}", "referenceId": "one"}
    broken = {"method": "GET", "url": f"{DATA}/query?q=x", "referenceId": "two"}
    answer = bench.call("POST", "/composite", {"compositeRequest": [asked, broken]})["compositeResponse"]
    assert [(one["referenceId"], one["httpStatusCode"]) for one in answer] == [("one", 200), ("two", 400)]
    assert answer[0]["body"]["totalSize"] == 3
    assert answer[1]["body"][0]["errorCode"] == "MALFORMED_QUERY"
    bench.call("POST", "/composite", {"compositeRequest": [asked] * 6}, status=400)


def test_describe_says_what_a_field_takes(bench):
    """The properties that the object reference names, of standard and of custom fields."""
    fields = {one["name"]: one for one in bench.call("GET", "/sobjects/Idea__c/describe")["fields"]}
    key, kind, company = fields["Idea_Key__c"], fields["Kind__c"], fields["Company__c"]
    assert (key["type"], key["length"], key["unique"], key["externalId"], key["caseSensitive"]) == (
        "string",
        255,
        True,
        True,
        True,
    )
    assert (kind["restrictedPicklist"], [one["value"] for one in kind["picklistValues"]]) == (True, ["open"])
    assert (company["type"], company["referenceTo"], company["relationshipName"]) == (
        "reference",
        ["Account"],
        "Company__r",
    )
    account = {one["name"]: one for one in bench.call("GET", "/sobjects/Account/describe")["fields"]}
    assert (account["Name"]["nillable"], account["Website"]["type"], account["Website"]["length"]) == (
        False,
        "url",
        255,
    )
    listed = {one["name"]: one["custom"] for one in bench.call("GET", "/sobjects/")["sobjects"]}
    assert (listed["Account"], listed["Idea__c"]) == (False, True)


def test_records_of_an_org_with_several_currencies_have_one_each(bench_of):
    """The field is there in such orgs only."""
    assert "CurrencyIsoCode" not in bench_of().org.objects["Account"].fields
    bench = bench_of(multi_currency=True)
    bench.org.seed("Account", [{"Name": "A", "CurrencyIsoCode": "EUR"}])
    assert bench.query("SELECT CurrencyIsoCode FROM Account")["records"][0]["CurrencyIsoCode"] == "EUR"
