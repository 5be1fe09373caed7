"""Search with its lag and caps; call limits, their headers and refusals; faults."""

import asyncio
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest

from integration_assets.sandbox import hubspot
from integration_assets.sandbox.hubspot import RateLimits, faults, hubspot_lookalike
from integration_assets_tests.sandbox.hubspot.conftest import Bench


def search(bench: Bench, *filters: dict[str, Any], kind: str = "companies", status: int = 200, **rest: Any) -> Any:
    groups = {"filterGroups": [{"filters": list(filters)}]} if filters else {}
    return bench.call("POST", bench.objects(kind, "/search"), {**groups, **rest}, status=status)


def where(name: str, operator: str, value: str | None = None, **more: Any) -> dict[str, Any]:
    return {"propertyName": name, "operator": operator, **({"value": value} if value is not None else {}), **more}


def names(body: Any) -> list[str]:
    return [one["properties"]["name"] for one in body["results"]]


UNLIMITED = RateLimits(search_secondly=None)
OF_THE_LOOKALIKE = str(Path(hubspot.__file__).parent)


@pytest.fixture
def companies(bench_of):
    """Four companies, and as many searches as one likes."""
    bench = bench_of(rates=UNLIMITED)
    rows = [
        {"name": "Acme", "domain": "acme.com", "annualrevenue": "5", "lifecyclestage": "customer"},
        {"name": "Beta Labs", "domain": "beta.io", "annualrevenue": "30"},
        {"name": "Gamma", "annualrevenue": "200", "lifecyclestage": "lead"},
        {"name": "Delta"},
    ]
    bench.portal.seed("companies", rows)
    return bench


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where("name", "EQ", "ACME"), ["Acme"]),
        (where("name", "IN", values=["ACME"]), []),
        (where("name", "IN", values=["acme", "delta"]), ["Acme", "Delta"]),
        (where("name", "CONTAINS_TOKEN", "lab*"), ["Beta Labs"]),
        (where("lifecyclestage", "EQ", "Customer"), []),
        (where("lifecyclestage", "EQ", "customer"), ["Acme"]),
        (where("annualrevenue", "GT", "9"), ["Beta Labs", "Gamma"]),
        (where("annualrevenue", "BETWEEN", "5", highValue="30"), ["Acme", "Beta Labs"]),
        (where("domain", "HAS_PROPERTY"), ["Acme", "Beta Labs"]),
        (where("annualrevenue", "NOT_HAS_PROPERTY"), ["Delta"]),
    ],
)
def test_operators(companies, condition, expected):
    """Text ignores case, except in lists of values; enumerations never do; numbers compare as numbers."""
    assert names(search(companies, condition)) == expected


def test_one_sort_rule(companies):
    """Results come oldest first, or by one rule."""
    by_revenue = [{"propertyName": "annualrevenue", "direction": "DESCENDING"}]
    assert names(search(companies, sorts=by_revenue)) == ["Gamma", "Beta Labs", "Acme", "Delta"]
    search(companies, sorts=by_revenue * 2, status=400)
    assert names(search(companies, query="bet")) == ["Beta Labs"]


def test_caps_of_a_query(companies):
    """Five groups, six filters each, eighteen in all, three thousand characters, two hundred results."""
    one = where("name", "HAS_PROPERTY")
    path = companies.objects("companies", "/search")
    for shape in ([1] * 6, [7], [6, 6, 6, 1]):
        groups = [{"filters": [one] * size} for size in shape]
        companies.call("POST", path, {"filterGroups": groups}, status=400)
    companies.call("POST", path, {"filterGroups": [{"filters": [one] * 6}] * 3})
    search(companies, where("name", "IN", values=["x" * 3000]), status=400)
    search(companies, limit=201, status=400)
    search(companies, where("nope", "EQ", "1"), status=400)
    search(companies, where("name", "LIKE", "1"), status=400)


def test_window_of_ten_thousand(bench_of):
    """Beyond ten thousand results a query does not go, though the total tells how many there are."""
    bench = bench_of(rates=UNLIMITED)
    bench.portal.seed("companies", [{"name": f"c{number}"} for number in range(10_050)])
    page = search(bench, limit=200, after="9800")
    assert (page["total"], page["paging"]["next"]["after"]) == (10_050, "10000")
    search(bench, limit=200, after="10000", status=400)
    last = search(bench, where("name", "EQ", "c10049"))
    assert "paging" not in last


def test_search_lags_behind_reads(bench):
    """Lists see a write at once; search shows the old state for some seconds."""
    made = bench.upsert({"idea_key": "a", "title": "One"})["results"][0]["id"]
    assert len(bench.call("GET", bench.objects(bench.idea))["results"]) == 1
    assert search(bench, kind=bench.idea)["total"] == 0
    bench.clock.advance(6)
    assert search(bench, kind=bench.idea)["total"] == 1
    bench.upsert({"idea_key": "a", "title": "Two"})
    old = search(bench, where("title", "EQ", "one"), kind=bench.idea)
    assert [one["id"] for one in old["results"]] == [made]
    bench.clock.advance(6)
    assert search(bench, where("title", "EQ", "one"), kind=bench.idea)["total"] == 0


def test_search_by_associations(bench):
    """Associations can be searched between standard objects, not with custom ones."""
    (company,) = bench.portal.seed("companies", [{"name": "A"}])
    contacts = bench.portal.seed("contacts", [{"email": "a@a.com"}, {"email": "b@b.com"}])
    bench.portal.associate("contacts", contacts[0], "companies", company)
    found = search(bench, where("associations.company", "EQ", company), kind="contacts")
    assert [one["id"] for one in found["results"]] == contacts[:1]
    search(bench, where("associations.ticket_idea", "EQ", "1"), kind="companies", status=400)


def test_ten_secondly_limit(bench_of):
    """Calls beyond the rolling limit are refused without Retry-After, and pass again later; headers count down."""
    bench = bench_of(rates=RateLimits(ten_secondly=3, daily=100))
    path = bench.objects("companies")
    remaining = [bench.client.get(path).headers["X-HubSpot-RateLimit-Remaining"] for _ in range(3)]
    assert remaining == ["2", "1", "0"]
    refused = bench.client.get(path)
    assert refused.status_code == 429
    assert "Retry-After" not in refused.headers
    body = refused.json()
    assert (body["policyName"], body["errorType"]) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert "category" not in body
    bench.clock.advance(10)
    answer = bench.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "96"
    assert answer.headers["X-HubSpot-RateLimit-Max"] == "3"
    assert answer.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"


def test_daily_limit_ends_at_midnight_of_the_portal(bench_of):
    """The daily limit is the account's, whoever spends it, and begins anew at the portal's midnight."""
    bench = bench_of(rates=RateLimits(daily=10))
    bench.call("GET", bench.objects("companies"))
    bench.portal.rates.daily.used = 10
    body = bench.call("GET", bench.objects("companies"), status=429)
    assert (body["policyName"], body["message"]) == ("DAILY", "You have reached your daily limit.")
    bench.clock.advance(20 * 3600)  # the clock starts at 03:00 in the portal's zone
    bench.call("GET", bench.objects("companies"), status=429)
    bench.clock.advance(2 * 3600)
    bench.call("GET", bench.objects("companies"))


def test_search_has_its_own_limit_and_no_headers(bench):
    """Five searches a second for the account, and no word about it in the headers."""
    path = bench.objects("companies", "/search")
    answers = [bench.client.post(path, json={}) for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert answers[5].json()["policyName"] == "SECONDLY"
    assert not [name for answer in answers for name in answer.headers if "ratelimit" in name]
    bench.clock.advance(1)
    bench.call("POST", path, {})


def test_associations_have_their_own_limit(bench_of):
    """Association calls leave the ordinary limit alone."""
    bench = bench_of(rates=RateLimits(ten_secondly=1, association_ten_secondly=2))
    for status in (200, 200, 429):
        bench.call("GET", bench.pair("labels"), status=status)
    bench.call("GET", bench.objects("companies"))
    bench.call("GET", bench.objects("companies"), status=429)


def test_faults_answer_in_documented_shapes(bench, hubspot_server):
    """A lock, a migration, a gateway, a limit, and an answer that is lost after the work was done."""
    lookalike = hubspot_server[1][0]
    upsert = faults.path_contains("/batch/upsert")
    lookalike.faults += [
        faults.locked(upsert),
        faults.migrating(upsert, 30),
        faults.bad_gateway(upsert),
        faults.rate_limit(upsert),
        faults.answer_lost(upsert),
    ]
    body = {"inputs": [{"idProperty": "idea_key", "id": "a", "properties": {"title": "One"}}]}
    answers = [bench.client.post(bench.objects(bench.idea, "/batch/upsert"), json=body) for _ in range(5)]
    assert [one.status_code for one in answers] == [423, 477, 502, 429, 524]
    assert answers[1].headers["Retry-After"] == "30"
    assert len(bench.portal.records("ticket_idea")) == 1
    assert lookalike.requests[-1].path.endswith("/batch/upsert")


Request = tuple[str, str, Any]
"""Method, path and body."""


def steps(bench: Bench, *requests: Request) -> int:
    """Lines of the look-alike that are executed to answer requests, loops counted as often as they turn."""
    executed = 0

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal executed
        if OF_THE_LOOKALIKE not in frame.f_code.co_filename:
            return None
        executed += 1
        return trace

    async def ask() -> None:
        transport = httpx.ASGITransport(hubspot_lookalike(bench.portal))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://portal", headers=bench.client.headers
        ) as http:
            sys.settrace(trace)
            try:
                answers = [await http.request(method, path, json=body) for method, path, body in requests]
            finally:
                sys.settrace(None)
        assert [one.status_code for one in answers if one.status_code not in (200, 201)] == []

    asyncio.run(ask())
    return executed


def test_work_does_not_grow_with_the_portal(bench_of):
    """In one ten times as large companies are listed, read and linked by the same work, and searched by ten times."""
    looking, searching = [], []
    for size in (400, 4_000):
        bench = bench_of(rates=UNLIMITED)
        ids = bench.portal.seed("companies", ({"name": f"c{n}", "domain": f"c{n}.com"} for n in range(size)))
        record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
        pairs = [{"from": {"id": record}, "to": {"id": one}, "types": bench.plain()} for one in ids[:200]]
        page = bench.objects("companies")
        requests: list[Request] = [
            ("GET", f"{page}?limit=100&after={ids[place]}", None) for place in (0, size // 2, size - 101)
        ]
        requests.append(("POST", f"{page}/batch/read", {"properties": [], "inputs": [{"id": ids[7]}]}))
        requests.append(("POST", bench.pair("batch/create"), {"inputs": pairs}))
        looking.append(steps(bench, *requests))
        wanted = {"filterGroups": [{"filters": [where("hs_lastmodifieddate", "GTE", "0")]}]}
        searching.append(steps(bench, ("POST", f"{page}/search", {**wanted, "limit": 200, "after": "200"})))
    assert 0 < looking[1] < 1.2 * looking[0]
    assert 0 < searching[1] < 15 * searching[0]


def test_work_of_linking_grows_with_the_links(bench_of):
    """Ten times as many links of one record take ten times the work, not a hundred times."""
    work = []
    for number in (100, 1_000):
        bench = bench_of(rates=UNLIMITED)
        ids = bench.portal.seed("companies", ({"name": f"c{n}"} for n in range(number)))
        record = bench.upsert({"idea_key": "a"})["results"][0]["id"]
        pairs = [{"from": {"id": record}, "to": {"id": one}, "types": bench.plain()} for one in ids]
        work.append(steps(bench, ("POST", bench.pair("batch/create"), {"inputs": pairs})))
    assert 0 < work[1] < 15 * work[0]
