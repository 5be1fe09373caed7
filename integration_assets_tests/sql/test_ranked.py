"""The ranked tables, rows in and rows out."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from integration_assets.reporting.rankings import gaps_words, read_lifecycle_gaps
from integration_assets.resolution.rank import Lifecycles, rank, snapshot_history
from integration_assets.resolution.same_requests import SameRequest
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.sql import read_sql
from integration_assets_tests.resolution.worlds import (
    AS_OF,
    Row,
    World,
    company,
    connect,
    contact,
    request,
    resolved,
    rows,
    vote,
)


def ranking(settings: ResolutionSettings | None = None, **tables: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """`ranked.feature_requests` by request."""
    return {row["request_id"]: row for row in rows(resolved(tables, settings), "FROM ranked.feature_requests")}


def people(**emails: str | None) -> list[Row]:
    """Voters by id."""
    return [{"voter_id": voter_id, "email": email} for voter_id, email in emails.items()]


COLUMNS = {
    "feature_requests": {
        "request_id": "VARCHAR", "title": "VARCHAR", "status": "VARCHAR", "is_open": "BOOLEAN", "board": "VARCHAR",
        "category": "VARCHAR", "tags": "VARCHAR[]", "url": "VARCHAR", "crm_url": "VARCHAR", "created_at": "TIMESTAMP",
        "status_changed_at": "TIMESTAMP", "votes": "BIGINT", "voters": "BIGINT",
        "companies": "BIGINT", "customers": "BIGINT", "arr": "DECIMAL(38,2)", "arr_customers": "DECIMAL(38,2)",
        "arr_prospects": "DECIMAL(38,2)", "companies_without_lifecycle": "BIGINT", "companies_without_arr": "BIGINT",
        "companies_without_rate": "BIGINT",
        "open_pipeline": "DECIMAL(38,2)", "votes_30d": "BIGINT", "companies_30d": "BIGINT",
        "first_vote_at": "TIMESTAMP", "last_vote_at": "TIMESTAMP", "unresolved_votes": "BIGINT",
        "voter_domains": "VARCHAR[]", "merged_requests": "VARCHAR[]", "merged_details": "VARCHAR[]",
        "rank_by_companies": "BIGINT", "rank_by_arr": "BIGINT", "rank_by_votes": "BIGINT",
        "rank_gap": "BIGINT", "arr_share": "DOUBLE", "as_of": "TIMESTAMP",
    },
    "merged_requests": {
        "request_id": "VARCHAR", "source": "VARCHAR", "title": "VARCHAR", "url": "VARCHAR", "votes": "BIGINT",
        "merged_into": "VARCHAR", "merged_by": "VARCHAR",
    },
    "company_requests": {
        "company_id": "VARCHAR", "company_name": "VARCHAR", "domain": "VARCHAR", "arr": "DECIMAL(38,2)",
        "arr_status": "VARCHAR",
        "request_id": "VARCHAR", "title": "VARCHAR", "status": "VARCHAR", "votes": "BIGINT",
        "first_vote_at": "TIMESTAMP", "last_vote_at": "TIMESTAMP", "match_methods": "VARCHAR[]",
    },
    "companies": {
        "company_id": "VARCHAR", "company_name": "VARCHAR", "domain": "VARCHAR", "arr": "DECIMAL(38,2)",
        "arr_status": "VARCHAR", "lifecycle": "VARCHAR", "lifecycle_stage": "VARCHAR",
        "is_customer": "BOOLEAN", "owner": "VARCHAR", "renewal_date": "DATE",
        "requests": "BIGINT", "open_requests": "BIGINT", "shipped_requests": "BIGINT", "last_vote_at": "TIMESTAMP",
        "crm_url": "VARCHAR",
    },
    "crm_companies": {
        "company_id": "VARCHAR", "company_name": "VARCHAR", "domain": "VARCHAR", "arr": "DECIMAL(38,2)",
    },
    "company_segments": {"company_id": "VARCHAR", "property": "VARCHAR", "value": "VARCHAR"},
    "deals_at_stake": {
        "request_id": "VARCHAR", "title": "VARCHAR", "status": "VARCHAR", "deal_id": "VARCHAR",
        "deal_name": "VARCHAR", "company_ids": "VARCHAR[]", "company_names": "VARCHAR[]", "stage": "VARCHAR",
        "close_date": "DATE", "amount": "DECIMAL(38,2)", "amount_status": "VARCHAR", "own_amount": "DECIMAL(38,2)",
        "currency": "VARCHAR",
    },
    "unresolved_votes": {
        "email_domain": "VARCHAR", "reason": "VARCHAR", "votes": "BIGINT", "requests": "BIGINT",
        "candidate_company_ids": "VARCHAR[]", "last_vote_at": "TIMESTAMP",
    },
    "rank_history": {
        "as_of": "TIMESTAMP", "request_id": "VARCHAR", "rank_by_arr": "BIGINT", "rank_by_companies": "BIGINT",
        "companies": "BIGINT", "arr": "DECIMAL(38,2)", "companies_without_rate": "BIGINT",
    },
    "why": {
        "request_id": "VARCHAR", "company_id": "VARCHAR", "company_name": "VARCHAR", "arr": "DECIMAL(38,2)",
        "arr_status": "VARCHAR", "match_methods": "VARCHAR[]", "voters": "BIGINT",
    },
}  # fmt: skip


@pytest.mark.parametrize("table", COLUMNS)
def test_columns_are_an_interface(table):
    """Names, order and types stay, of empty tables too. A new column may stand anywhere."""
    described = resolved({}).execute(f"DESCRIBE ranked.{table}").fetchall()
    assert [(name, kind) for name, kind, *_ in described if name in COLUMNS[table]] == list(COLUMNS[table].items())


def test_a_company_counts_once_per_request_and_its_arr_too():
    """However many of its people voted; parent and child are two companies."""
    found = ranking(
        feature_requests=[request("r")],
        voters=people(u="u@a.com", w="w@a.com", x="x@b.com"),
        votes=[vote("1", "r", "u"), vote("2", "r", "w"), vote("3", "r", "x")],
        crm_companies=[company("1", "a.com", arr="100"), company("2", "b.com", arr="10.50", parent_id="1")],
    )["r"]
    assert (found["votes"], found["voters"], found["companies"], found["arr"]) == (3, 3, 2, Decimal("110.50"))
    assert found["arr_share"] == 1.0


def of_companies(column: str, companies: list[Row], **tables: Iterable[Row]) -> dict[str, Any]:
    """One column of `ranked.companies` by company, each of which has one vote."""
    ids = [one["company_id"] for one in companies]
    world = {
        "feature_requests": [request("r")],
        "voters": people(**{one: f"u@{one}.example" for one in ids}),
        "votes": [vote(one, "r", one) for one in ids],
        "crm_companies": companies,
        **tables,
    }
    found = rows(resolved(world), f"SELECT company_id, {column} AS held FROM ranked.companies")
    return {row["company_id"]: row["held"] for row in found}


def test_an_owner_whose_name_is_an_address_has_a_label_without_it():
    """By the CRM's id, else a code that tells owners apart; what has a sign and is no address stays."""
    given = {"a": "1", "b": "2", "c": " Ann@Acme.com ", "d": "ann@acme.com", "e": "bea@acme.com", "f": "Sales @ EMEA"}
    found = of_companies(
        "owner",
        [company(one, f"{one}.example", owner=owner) for one, owner in given.items()],
        crm_owners=[{"owner_id": "1", "name": "cy@acme.com"}, {"owner_id": "2", "name": "Dan"}],
    )
    assert (found["a"], found["b"], found["f"]) == ("owner 1", "Dan", "Sales @ EMEA")
    assert found["c"] == found["d"] != found["e"]
    assert all(re.fullmatch("owner [0-9a-f]{8}", found[one]) for one in "cde")


def test_renewal_dates_are_read_in_common_forms():
    """Days, times with the day as it is written, seconds and milliseconds; what could be two days is none."""
    given = [
        "2027-01-31", " 2027-01-31T00:00:00Z", "2027-01-31T00:00:00.000+0000", "2027-01-31 09:30",
        "2027-01-31T00:00:00+02:00", "2027-01-31t23:59:59,5z", "1801353600000", "1801353600", "20270131", "2027/01/31",
        "2027-1-31", "2027/1/31 9:30",
    ]  # fmt: skip
    wrong = [
        "01/02/2027",
        "31.01.2027",
        "2027-02-30",
        "2027-01-31th",
        "2027",
        "20271331",
        "202701310900",
        "soon",
        "-1801353600000",
        " ",
    ]
    companies = [
        company(f"c{number}", f"c{number}.example", renewal_date=text) for number, text in enumerate(given + wrong)
    ]
    found = of_companies("renewal_date", companies)
    assert [found[f"c{number}"] for number in range(len(found))] == [date(2027, 1, 31)] * len(given) + [None] * len(
        wrong
    )


def test_customers_and_companies_without_arr():
    """Customer by lifecycle or by ARR above zero; a company without a rate is a customer without ARR."""
    hosts = "abcde"
    settings = ResolutionSettings(base_currency="USD")
    found = ranking(
        settings,
        feature_requests=[request("r"), request("s")],
        voters=people(**{host: f"x@{host}.com" for host in hosts}),
        votes=[vote(host, "r", host) for host in hosts],
        crm_companies=[
            company("a", "a.com", lifecycle_stage="customer"),
            company("b", "b.com", lifecycle_stage="lead"),
            company("c", "c.com", arr="0"),
            company("d", "d.com", arr="5"),
            company("e", "e.com", arr="9", currency="JPY"),
        ],
    )
    names = ("companies", "customers", "companies_without_arr", "companies_without_rate", "arr")
    assert [found["r"][name] for name in names] == [5, 3, 3, 1, 5]
    assert [found["s"][name] for name in names] == [0, 0, 0, 0, 0]
    assert found["r"]["open_pipeline"] is None


def test_arr_of_customers_and_of_prospects_is_told_apart():
    """By what the CRM calls them, whatever they pay; a stage that is neither, and none, is in neither sum."""
    stages = {
        "a": "Customer - Direct", "b": " CUSTOMER ", "c": "lead", "d": "Customer - Trial", "e": "customerless",
        "f": None, "g": "",
    }  # fmt: skip
    world = {
        "feature_requests": [request("r")],
        "voters": people(**{host: f"x@{host}.com" for host in stages}),
        "votes": [vote(host, "r", host) for host in stages],
        "crm_companies": [
            company(host, f"{host}.com", arr=str(10**place), lifecycle_stage=stage)
            for place, (host, stage) in enumerate(stages.items())
        ],
    }
    lifecycles = Lifecycles(prospect_stages=("lead", "customer - trial"))
    connection = resolved(world, lifecycles=lifecycles)
    [found] = rows(connection, "FROM ranked.feature_requests")
    assert (found["arr"], found["arr_customers"], found["arr_prospects"]) == (1_111_111, 11, 1_100)
    assert found["companies_without_lifecycle"] == 3
    assert connection.execute(
        "SELECT company_id, lifecycle, lifecycle_stage FROM ranked.companies ORDER BY company_id"
    ).fetchall() == [
        ("a", "customer", "Customer - Direct"), ("b", "customer", "CUSTOMER"), ("c", "prospect", "lead"),
        ("d", "prospect", "Customer - Trial"), ("e", "unknown", "customerless"), ("f", "unknown", None),
        ("g", "unknown", None),
    ]  # fmt: skip
    gaps = read_lifecycle_gaps(connection)
    assert gaps is not None
    assert gaps_words(gaps) == (
        "3 of 7 companies that voted are neither customer nor prospect (customerless 1, without a stage 2; such as "
        "Company g, Company f, Company e)"
    )


def test_no_figure_is_told_from_no_rate_beside_every_arr():
    """Each company says why it has no ARR: in its own row, per request, in why, and in the history."""
    connection = resolved(
        {
            "feature_requests": [request("r")],
            "voters": people(a="x@a.com", b="x@b.com", c="x@c.com", d="x@gmail.com"),
            "votes": [vote(one, "r", one) for one in "abcd"],
            "crm_companies": [
                company("a", "a.com", arr="5"),
                company("b", "b.com"),
                company("c", "c.com", arr="9", currency="JPY"),
            ],
        }
    )
    snapshot_history(connection, AS_OF)
    statuses = {"a": "known", "b": "no_figure", "c": "no_rate"}
    for table in ("companies", "company_requests"):
        assert dict(connection.execute(f"SELECT company_id, arr_status FROM ranked.{table}").fetchall()) == statuses
    why = connection.execute("SELECT company_id, arr_status FROM ranked.why").fetchall()
    assert dict(why) == statuses | {None: None}
    assert connection.execute("SELECT arr, companies_without_rate FROM ranked.rank_history").fetchall() == [(5, 1)]


def test_a_history_of_an_earlier_version_goes_on():
    """Its rows stay, and do not know how many companies lacked a rate."""
    connection = connect()
    connection.execute(
        "CREATE TABLE ranked.rank_history (as_of TIMESTAMP, request_id VARCHAR, rank_by_arr BIGINT, "
        "rank_by_companies BIGINT, companies BIGINT, arr DECIMAL(38, 2))"
    )
    connection.execute("INSERT INTO ranked.rank_history VALUES ('2026-01-01', 'r', 1, 1, 2, 3)")
    snapshot_history(resolved({"feature_requests": [request("r")]}, connection=connection), AS_OF)
    history = "SELECT companies_without_rate FROM ranked.rank_history ORDER BY as_of"
    assert connection.execute(history).fetchall() == [(None,), (0,)]


def test_arr_share_is_of_all_companies_that_voted_for_anything():
    """A company that voted for two requests is once in the denominator; without any ARR the share is zero."""
    tables: dict[str, Any] = {
        "feature_requests": [request("r"), request("s", status="closed")],
        "voters": people(u="u@a.com", w="w@b.com"),
        "votes": [vote("1", "r", "u"), vote("2", "s", "u"), vote("3", "s", "w")],
    }
    silent = company("3", "c.com", arr="1000")
    found = ranking(**tables, crm_companies=[company("1", "a.com", arr="30"), company("2", "b.com", arr="70"), silent])
    assert (found["r"]["arr_share"], found["s"]["arr_share"]) == (0.3, 1.0)
    found = ranking(**tables, crm_companies=[company("1", "a.com"), company("2", "b.com"), silent])
    assert (found["r"]["arr_share"], found["r"]["arr"]) == (0.0, Decimal("0.00"))


def test_thirty_days_before_the_read():
    """The window ends at the start of the read and has thirty days, both ends included; times unknown are outside."""
    ages = {"a": 0, "b": 30, "c": 30.001, "d": -0.001, "e": None, "f": 12}
    found = ranking(
        feature_requests=[request("r")],
        voters=people(a="x@a.com", b="y@a.com", c="x@c.com", d="x@d.com", e="x@e.com"),
        votes=[vote(voter, "r", voter, age) for voter, age in ages.items()],
        crm_companies=[company(name, f"{name}.com") for name in "acde"],
    )["r"]
    assert (found["votes"], found["votes_30d"], found["companies_30d"]) == (6, 3, 1)
    assert found["first_vote_at"] == AS_OF - timedelta(days=30.001)
    assert found["last_vote_at"] == AS_OF + timedelta(days=0.001)


def test_all_requests_are_ranked_but_those_merged_away():
    """Whatever their status, votes or not."""
    still_open = ["open", "under_review", "planned", "in_progress", "on_hold", "unknown"]
    statuses = [*still_open, "complete", "closed", "duplicate"]
    found = ranking(
        feature_requests=[request(status, status=status) for status in statuses] + [request("merged")],
        merge_aliases=[{"merged_request_id": "merged", "request_id": "open"}],
        votes=[vote("1", "merged", "u")],
    )
    assert set(found) == set(statuses)
    assert [status for status in statuses if found[status]["is_open"]] == still_open
    assert found["open"]["votes"] == 1


def test_requests_that_were_merged_away_say_into_which_and_what_they_brought():
    """Over chains; a vote that the voter has on the other already is not brought twice; a merge of the system itself
    is told where it went and is in no list."""
    settings = ResolutionSettings(
        same_requests=(SameRequest("ideas:b", "ideas:a"), SameRequest("calls:c", "ideas:old")),
    )
    world: World = {
        "feature_requests": [
            request("ideas:a"), request("ideas:b", url="https://x/b"),
            request("calls:c", title="C"), request("ideas:d"),
        ],
        "merge_aliases": [{"merged_request_id": "ideas:old", "request_id": "ideas:a"}],
        "voters": people(u="u@a.com", w="w@a.com"),
        "votes": [
            vote("1", "ideas:a", "u", 9), vote("2", "ideas:b", "u", 8), vote("3", "calls:c", "w"),
            vote("4", "ideas:b", None), vote("5", "ideas:b", None),
        ],
    }  # fmt: skip
    connection = resolved(world, settings)
    assert connection.execute("FROM ranked.merged_requests ORDER BY request_id").fetchall() == [
        ("calls:c", "calls", "C", None, 1, "ideas:a", "same_requests"),
        ("ideas:b", "ideas", "Request ideas:b", "https://x/b", 2, "ideas:a", "same_requests"),
        ("ideas:old", "ideas", None, None, 0, "ideas:a", "feedback_system"),
    ]
    found = {row["request_id"]: row for row in rows(connection, "FROM ranked.feature_requests")}
    assert found["ideas:a"]["votes"] == 4
    assert found["ideas:a"]["merged_requests"] == ["ideas:b", "calls:c"]
    assert found["ideas:a"]["merged_details"] == [
        "Request ideas:b (ideas, 2 votes, https://x/b)",
        "C (calls, 1 vote)",
    ]
    assert (found["ideas:d"]["merged_requests"], found["ideas:d"]["merged_details"]) == ([], [])


def test_with_one_system_merged_requests_have_its_name():
    """Their ids have none, even where one has a colon in it."""
    settings = ResolutionSettings(same_requests=(SameRequest("canny:x:1", "canny:a"),), key_prefix="canny:")
    connection = resolved({"feature_requests": [request("a"), request("x:1")]}, settings)
    rank(connection, AS_OF, source_name="canny")
    assert connection.execute("SELECT request_id, source FROM ranked.merged_requests").fetchall() == [("x:1", "canny")]


def test_voter_domains():
    """Registrable domains of business addresses, matched or not, once each, sorted; no personal or own ones."""
    found = ranking(
        ResolutionSettings(own_domains=("ourselves.com",)),
        feature_requests=[request("r"), request("s")],
        voters=people(
            a="x@eu.b.com", b="y@b.com", c="x@a.co.uk", d="x@gmail.com", e="x@ourselves.com", f="x", g=None, h="x@b.com"
        ),
        votes=[*(vote(voter, "r", voter) for voter in "abcdefg"), vote("z", "r", None)],
        crm_companies=[company("1", "b.com")],
    )
    assert found["r"]["voter_domains"] == ["a.co.uk", "b.com"]
    assert found["s"]["voter_domains"] == []
    assert (found["r"]["votes"], found["r"]["voters"], found["r"]["unresolved_votes"]) == (8, 7, 6)


def old(request_id: str, days: int | None) -> Row:
    """A request of this age."""
    return request(request_id, created_at=None if days is None else AS_OF - timedelta(days=days))


def test_ties_end_at_age_and_id():
    """Without votes: the oldest first, unknown age last, then the id as text."""
    found = ranking(feature_requests=[old("9", 5), old("10", 5), old("a", None), old("B", None), old("c", 7)])
    for name in ("rank_by_arr", "rank_by_companies", "rank_by_votes"):
        assert sorted(found, key=lambda key, name=name: found[key][name]) == ["c", "10", "9", "B", "a"]  # type: ignore[misc]  # mypy takes the default for a second argument


@pytest.mark.parametrize(
    ("name", "order"),
    [
        # companies, ARR, votes: rich 1, 50, 1; wide 2, 20, 2; wider 2, 20, 3; loud 1, 20, 3; quiet 1, 20, 1
        ("rank_by_arr", ["rich", "wider", "wide", "loud", "quiet"]),
        ("rank_by_companies", ["wider", "wide", "rich", "loud", "quiet"]),
        ("rank_by_votes", ["wider", "loud", "wide", "rich", "quiet"]),
    ],
)
def test_order_of_each_rank(name, order):
    """By ARR, then companies, then votes; by companies, then ARR, then votes; by votes, then companies, then ARR."""
    found = ranking(
        feature_requests=[request(one) for one in ("quiet", "loud", "wide", "wider", "rich")],
        voters=people(a="x@a.com", b="x@b.com", c="x@c.com", n=None, m=None),
        votes=[
            vote("1", "rich", "a"), vote("2", "wide", "b"), vote("3", "wide", "c"), vote("4", "wider", "b"),
            vote("5", "wider", "c"), vote("6", "wider", "n"), vote("7", "loud", "b"), vote("8", "loud", "n"),
            vote("9", "loud", "m"), vote("10", "quiet", "b"),
        ],
        crm_companies=[company(host, f"{host}.com", arr=arr) for host, arr in {"a": "50", "b": "20", "c": "0"}.items()],
    )  # fmt: skip
    assert sorted(found, key=lambda key: found[key][name]) == order
    assert found["rich"]["rank_gap"] == 3
    assert found["loud"]["rank_gap"] == -2


def test_votes_of_a_company_by_request():
    """Per company and request: votes, since when, and by which evidence."""
    connection = resolved(
        {
            "feature_requests": [request("r", status="planned"), request("s", status="complete")],
            "voters": people(u="u@a.com", w="w@eu.a.com", g="g@gmail.com"),
            "votes": [vote("1", "r", "u", 9), vote("2", "r", "w", 3), vote("3", "r", "g", 5), vote("4", "s", "w", 4)],
            "crm_companies": [company("1", "https://www.A.com", arr="7")],
            "crm_contacts": [contact("k", "g@gmail.com", "1")],
        }
    )
    common = {
        "company_id": "1",
        "company_name": "Company 1",
        "domain": "a.com",
        "arr": Decimal(7),
        "arr_status": "known",
    }
    assert rows(connection, "FROM ranked.company_requests ORDER BY request_id") == [
        {
            **common, "request_id": "r", "title": "Request r", "status": "planned", "votes": 3,
            "first_vote_at": AS_OF - timedelta(days=9), "last_vote_at": AS_OF - timedelta(days=3),
            "match_methods": ["contact", "host", "registrable_domain"],
        },
        {
            **common, "request_id": "s", "title": "Request s", "status": "complete", "votes": 1,
            "first_vote_at": AS_OF - timedelta(days=4), "last_vote_at": AS_OF - timedelta(days=4),
            "match_methods": ["registrable_domain"],
        },
    ]  # fmt: skip
    assert rows(connection, "FROM ranked.companies") == [
        {
            **common, "lifecycle": "unknown", "lifecycle_stage": None, "is_customer": True, "owner": None,
            "renewal_date": None,
            "requests": 2, "open_requests": 1, "shipped_requests": 1,
            "last_vote_at": AS_OF - timedelta(days=3), "crm_url": None,
        }
    ]  # fmt: skip


def test_the_domain_shown_is_a_host_and_never_an_address():
    """A field that holds an address on personal mail, or junk, is not published."""
    connection = resolved(
        {
            "feature_requests": [request("r")],
            "voters": people(u="u@gmail.com"),
            "votes": [vote("1", "r", "u")],
            "crm_companies": [company("1", "ann@gmail.com")],
            "crm_contacts": [contact("k", "u@gmail.com", "1")],
        }
    )
    assert connection.execute("SELECT domain, arr FROM ranked.company_requests").fetchall() == [(None, None)]


AMBIGUOUS = {
    "feature_requests": [request("r"), request("s")],
    "voters": people(a="x@a.com", b="y@eu.a.com", c=None, d="x@new.com", e="z@a.com"),
    "votes": [
        vote("1", "r", "a", 8), vote("2", "s", "b", 2), vote("3", "r", "c"), vote("4", "r", None),
        vote("5", "s", "d"), vote("6", "r", "e", 1),
    ],
    "crm_companies": [
        company("2", "a.com"), company("10", "a.com"), company("3", "eu.a.com"), company("4", "eu.a.com"),
        company("5", "z.com", arr="5"),
    ],
}  # fmt: skip


def test_unresolved_votes_by_domain():
    """One row per domain and reason, most votes first, with the candidates of all its votes; null without address."""
    found = rows(resolved(AMBIGUOUS), "FROM ranked.unresolved_votes")
    assert [
        (row["email_domain"], row["reason"], row["votes"], row["requests"], row["candidate_company_ids"])
        for row in found
    ] == [
        ("a.com", "ambiguous_domain", 3, 2, ["10", "2", "3", "4"]),
        (None, "no_email", 2, 1, []),
        ("new.com", "unknown_domain", 1, 1, []),
    ]
    assert found[0]["last_vote_at"] == AS_OF - timedelta(days=1)


def test_why_a_request_has_its_place():
    """One row per company, and one per reason for the votes without a company, gone voters included."""
    more = {
        **AMBIGUOUS,
        "voters": [*AMBIGUOUS["voters"], *people(z="z@z.com", y="y@z.com")],
        "votes": [*AMBIGUOUS["votes"], vote("7", "r", "z"), vote("8", "r", "y")],
    }
    found = rows(resolved(more), "FROM ranked.why WHERE request_id = 'r' ORDER BY company_id NULLS LAST, match_methods")
    assert [tuple(row.values())[1:] for row in found] == [
        ("5", "Company 5", Decimal(5), "known", ["host"], 2),
        (None, None, None, None, ["ambiguous_domain"], 2),
        (None, None, None, None, ["no_email"], 2),
    ]


def test_history_has_one_snapshot_per_day():
    """A later run of the same UTC day replaces the snapshot; another day adds one; ranking alone keeps them all."""
    connection = resolved({"feature_requests": [request("r"), request("s")]})
    assert rows(connection, "FROM ranked.rank_history") == []
    snapshot_history(connection, AS_OF)
    connection.execute("DELETE FROM raw.feature_requests WHERE request_id = 's'")
    later = AS_OF + timedelta(hours=6)
    rank(connection, later)
    snapshot_history(connection, later)
    assert rows(connection, "FROM ranked.rank_history") == [
        {
            "as_of": later,
            "request_id": "r",
            "rank_by_arr": 1,
            "rank_by_companies": 1,
            "companies": 0,
            "arr": 0,
            "companies_without_rate": 0,
        }
    ]
    snapshot_history(connection, AS_OF + timedelta(days=1))
    assert connection.execute("SELECT count(DISTINCT as_of) FROM ranked.rank_history").fetchall() == [(2,)]


def test_times_with_a_zone_become_utc():
    """`as_of` is kept in UTC whatever zone it comes in, and the day of a snapshot is the UTC one."""
    connection = resolved({"feature_requests": [request("r")]})
    noon = datetime(2026, 6, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    rank(connection, noon)
    snapshot_history(connection, noon)
    utc = datetime(2026, 6, 1, 23, 30, tzinfo=UTC).replace(tzinfo=None)
    assert connection.execute("SELECT as_of FROM ranked.feature_requests").fetchall() == [(utc,)]
    snapshot_history(connection, AS_OF)
    assert connection.execute("SELECT as_of FROM ranked.rank_history").fetchall() == [(AS_OF,)]


def test_open_statuses_can_be_chosen():
    """`is_open` follows the statuses the caller names."""
    connection = resolved({"feature_requests": [request("r", status="planned"), request("s")]})
    rank(connection, AS_OF, open_statuses=["planned"])
    found = connection.execute("SELECT request_id, is_open FROM ranked.feature_requests ORDER BY 1").fetchall()
    assert found == [("r", True), ("s", False)]


def test_no_address_in_the_ranked_tables():
    """Nothing of schema `ranked` holds an e-mail address."""
    connection = resolved(AMBIGUOUS)
    for table in COLUMNS:
        assert not any("@" in str(row) for row in rows(connection, f"FROM ranked.{table}"))


def test_a_missing_sql_file_is_an_error():
    """The loader reads the files of the package only by their exact name."""
    assert read_sql("ranked/rank_history").startswith("-- ranked.rank_history")
    with pytest.raises(FileNotFoundError):
        read_sql("no_such_query")
