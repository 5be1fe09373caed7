"""The ranking of some companies alone: by lifecycle, segment, owner and renewal."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.insights import (
    RANKINGS,
    Filter,
    Ranking,
    chosen_words,
    read_chosen,
    read_filters,
    read_requests,
)
from integration_assets.reporting.published import check_chosen, parse_filter, renewal_end, request_files
from integration_assets.reporting.segments import left_out_words, read_segments
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store
from integration_assets_tests.resolution.worlds import AS_OF, World, company, load, request, vote

ALL = Filter()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two requests of four companies; that of most companies is not that of most ARR in software."""
    asked = {"r": "abcd", "s": "ad"}
    world: World = {
        "feature_requests": [request("r"), request("s")],
        "voters": [{"voter_id": one, "email": f"x@{one}.com"} for one in "abcde"]
        + [{"voter_id": "a2", "email": "y@a.com"}, {"voter_id": "gone", "email": "z@nobody.org"}],
        "votes": [
            *(vote(f"{name}{one}", name, one) for name, companies in asked.items() for one in companies),
            vote("sa2", "s", "a2"),
            vote("slost", "s", "gone"),
        ],
        "crm_companies": [
            company("a", "a.com", arr="100", lifecycle_stage="customer", owner="1", renewal_date="2026-07-01",
                    segments={"industry": "SOFTWARE", "plan": "Pro;Beta"}),
            company("b", "b.com", arr="1000", lifecycle_stage="customer", owner="2",
                    renewal_date="2027-01-01T00:00:00Z", segments={"industry": "RETAIL", "plan": "Pro"}),
            company("c", "c.com", arr="10", lifecycle_stage="lead", owner="Cy of Sales", renewal_date="2026-05-01",
                    segments={"industry": "software"}),
            company("d", "d.com", arr="7", renewal_date="soon"),
        ],
        "crm_owners": [{"owner_id": "1", "name": "Ann Lee"}],
        "crm_deals": [
            {"deal_id": "big", "company_ids": ["b"], "amount": "500"},
            {"deal_id": "both", "company_ids": ["a", "b"], "amount": "30"},
        ],
        "reads": [{"input": "deals", "as_of": AS_OF}],
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("segments")
    with open_store(folder / "store.duckdb") as connection:
        load(connection, world)
        resolve_votes(connection, ResolutionSettings())
        rank(connection, AS_OF)
        publish(connection, published_path(folder, "sandbox", "default"))
    return folder


@pytest.fixture(scope="module")
def published(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published database."""
    with duckdb.connect(str(published_path(home, "sandbox", "default")), read_only=True) as connection:
        yield connection


def ranked(connection: duckdb.DuckDBPyConnection, wanted: Filter) -> list[tuple[Any, ...]]:
    names = ("request_id", "companies", "customers", "votes", "arr", "open_pipeline", "rank_by_arr")
    return [
        tuple(getattr(one, name) for name in names) for one in read_requests(connection, wanted, limit=None).requests
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ALL, [("r", 4, 4, 4, Decimal(1117), Decimal(530), 1), ("s", 2, 2, 4, Decimal(107), Decimal(30), 2)]),
        (
            Filter(segments=("industry=software",)),
            [("r", 2, 2, 2, Decimal(110), Decimal(30), 1), ("s", 1, 1, 2, Decimal(100), Decimal(30), 2)],
        ),
        (
            Filter(segments=("industry=Software", "plan=beta", "industry=RETAIL"), by="votes"),
            [("s", 1, 1, 2, Decimal(100), Decimal(30), 1), ("r", 1, 1, 1, Decimal(100), Decimal(30), 2)],
        ),
        (Filter(lifecycle="prospect"), [("r", 1, 1, 1, Decimal(10), Decimal(0), 1)]),
        (Filter(lifecycle="customer", renews_by=date(2027, 1, 1), owner="owner 2"),
         [("r", 1, 1, 1, Decimal(1000), Decimal(530), 1)]),
        (
            Filter(owner="ann lee"),
            [("s", 1, 1, 2, Decimal(100), Decimal(30), 1), ("r", 1, 1, 1, Decimal(100), Decimal(30), 2)],
        ),
        # what was to be renewed before the ranking is no renewal to come
        (Filter(renews_by=date(2026, 6, 30)), []),
        (Filter(segments=("industry=software", "plan=enterprise")), []),
    ],
)  # fmt: skip
def test_only_the_companies_that_fit_are_counted(
    published: duckdb.DuckDBPyConnection, wanted: Filter, expected: list[tuple[Any, ...]]
) -> None:
    """Companies, ARR, votes, deals and places are theirs alone; the same in a file and in the macro."""
    assert ranked(published, wanted) == expected
    if wanted.chooses_companies and expected:
        files, _ = request_files(published, wanted, None, ["csv"])
        rows = list(csv.DictReader(StringIO(files["csv"].decode())))
        assert [(row["request_id"], row["companies"], row["rank_by_arr"]) for row in rows] == [
            (one[0], str(one[1]), str(one[-1])) for one in expected
        ]
        assert {(row["votes_30d"], row["unresolved_votes"]) for row in rows} == {("", "0")}
        assert not {"found", "closed", "is_shown", "place"} & rows[0].keys()
    macro = """
        SELECT request_id, arr FROM ranked.requests_where(
            lifecycle_is := $1, segments_are := $2, owner_is := $3, renews_by := $4, everything := true
        ) ORDER BY ALL
    """
    values = [wanted.lifecycle or None, list(wanted.segments) or None, wanted.owner or None, wanted.renews_by]
    assert published.execute(macro, values).fetchall() == sorted((one[0], one[4]) for one in expected)
    # an empty list of segments is any, as on the pages
    values[1] = list(wanted.segments)
    assert published.execute(macro, values).fetchall() == sorted((one[0], one[4]) for one in expected)


def test_each_segment_has_its_own_ranking(published: duckdb.DuckDBPyConnection) -> None:
    """Numbers and places are those of a ranking of its companies alone; spellings of one value are one segment."""
    properties = read_segments(published, everything=True)
    assert [(one.name, one.found, one.companies_without) for one in properties] == [("industry", 2, 1), ("plan", 2, 2)]
    assert [(one.value, one.companies, one.arr) for one in properties[0].segments] == [
        ("RETAIL", 1, Decimal(1000)), ("SOFTWARE", 2, Decimal(110)),
    ]  # fmt: skip
    orders: tuple[Ranking, ...] = RANKINGS
    for by in orders:
        for one in read_segments(published, by=by, everything=True):
            for segment in one.segments:
                wanted = Filter(segments=(f"{one.name}={segment.value}",), by=by, everything=True)
                assert [(row.place, row.request_id, row.companies, row.arr, row.votes) for row in segment.requests] == [
                    (getattr(row, f"rank_by_{by}"), row.request_id, row.companies, row.arr, row.votes)
                    for row in read_requests(published, wanted, limit=3).requests
                ]
                assert segment.found == len(segment.requests)


def test_a_terminal_shows_each_segment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its first requests, and what is left out; it goes with no filter."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(home))
    shown = CliRunner().invoke(app, ["rankings", "--by-segment", "--limit", "1"]).stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["RETAIL", "1", "1,000", "1", "Request", "r", "open", "1,000", "1", "1"] in lines
    assert ["SOFTWARE", "2", "110", "1", "Request", "r", "open", "110", "2", "2"] in lines
    assert "Not shown: 1 company that voted without a value" in shown
    refused = CliRunner().invoke(app, ["rankings", "--by-segment", "--owner", "Ann Lee"])
    assert "--by-segment shows each segment of all companies" in str(refused.exception)


def test_a_file_of_an_earlier_version_is_called_that(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a lack of mapped properties: there are some, and the next run shows them."""
    earlier = published_path(tmp_path, "sandbox", "default")
    earlier.parent.mkdir(parents=True)
    earlier.write_bytes(published_path(home, "sandbox", "default").read_bytes())
    with duckdb.connect(str(earlier)) as connection:
        connection.execute("DROP MACRO TABLE ranked.segment_requests")
        assert read_segments(connection) == []
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    refused = CliRunner().invoke(app, ["rankings", "--by-segment"])
    assert "an earlier version published this" in str(refused.exception)


def test_what_a_view_of_segments_leaves_out_is_told(published: duckdb.DuckDBPyConnection) -> None:
    """Segments beyond those with most ARR, requests beyond the first, companies without a value."""
    [industry] = read_segments(published, only="INDUSTRY", most_segments=1, most_requests=1)
    assert [(one.value, len(one.requests), one.found) for one in industry.segments] == [("RETAIL", 1, 1)]
    assert left_out_words(industry) == ("Not shown: 1 more segment with less ARR, 1 company that voted without a value")


def test_a_file_has_as_many_requests_as_are_asked_for(published: duckdb.DuckDBPyConnection) -> None:
    """With the number of the others; a file of none has the names of its columns."""
    files, said = request_files(published, Filter(owner="Ann Lee"), 1, ["csv"])
    assert [row["request_id"] for row in csv.DictReader(StringIO(files["csv"].decode()))] == ["s"]
    assert said[-1] == "and 1 more: without --limit they are in it"
    files, said = request_files(published, Filter(words="nothing is called so"), None, ["csv"])
    [names] = csv.reader(StringIO(files["csv"].decode()))
    assert names[:2] == ["request_id", "title"]
    assert said == ["0 requests"]


def test_a_segment_is_as_if_there_were_no_other_company(published: duckdb.DuckDBPyConnection) -> None:
    """All companies chosen one way or another are those of the whole ranking, number by number."""
    everybody = """
        SELECT {columns} FROM ranked.requests_where(segments_are := ['industry=software', 'industry=retail'])
        WHERE request_id = 'r'
    """
    counted = (
        "companies, arr + 7 AS arr, votes + 1 AS votes, arr_customers, arr_prospects, open_pipeline, first_vote_at"
    )
    plain = "companies - 1, arr, votes, arr_customers, arr_prospects, open_pipeline, first_vote_at"
    assert (
        published.execute(everybody.format(columns=counted)).fetchall()
        == published.execute(f"SELECT {plain} FROM ranked.feature_requests WHERE request_id = 'r'").fetchall()
    )


def test_no_segment_means_any(published: duckdb.DuckDBPyConnection) -> None:
    """In each macro: a list that a script left empty chooses as none does, and not nobody."""
    for macro, key in (
        ("requests_where", "request_id"),
        ("companies_where", "company_id"),
        ("requests_of", "request_id"),
    ):
        of_empty, of_none = (
            published.execute(f"SELECT {key} FROM ranked.{macro}(segments_are := {given}) ORDER BY {key}").fetchall()
            for given in ("[]", "NULL")
        )
        assert of_none != []
        assert of_empty == of_none


def test_which_companies_are_counted_is_said(published: duckdb.DuckDBPyConnection) -> None:
    """With how many there are, and how many are left out because nothing is known of them."""
    wanted = Filter(lifecycle="customer", segments=("plan=Pro",), renews_by=date(2027, 1, 1))
    assert chosen_words(wanted, read_chosen(published, wanted)) == (
        "Only customers with plan=Pro that renew by 2027-01-01 are counted: 2 of 4 companies that voted; left out are "
        "1 without a known stage, 2 without a value of plan, 1 without a renewal date"
    )
    assert check_chosen(published, ALL) is None
    choices = read_filters(published)
    assert choices["segment"] == [
        "industry=RETAIL", "industry=SOFTWARE", "industry=software", "plan=Beta", "plan=Pro",
    ]  # fmt: skip
    assert choices["owner"] == ["Ann Lee", "Cy of Sales", "owner 2"]
    assert choices["renewal"] == ["known"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Filter(segments=("plan=gold",)), "segments there are: industry=RETAIL, industry=SOFTWARE, .* and 2 more"),
        (Filter(segments=("plan=pro", "plan=gold")), "no company that voted has plan=gold; segments there are: "),
        (Filter(segments=("plan=pro", "tier=one")), "no company that voted has tier=one; segments there are: "),
        (Filter(owner="Eve"), "owners there are: Ann Lee, Cy of Sales, owner 2"),
        (Filter(renews_by=date(2026, 6, 2)), "no renewal lies within that time"),
    ],
)
def test_a_filter_that_no_company_fits_is_told(published: duckdb.DuckDBPyConnection, wanted: Filter, told: str) -> None:
    """With what there is: a word that is misspelt would show an empty ranking."""
    with pytest.raises(ConfigurationError, match=told):
        check_chosen(published, wanted)


def test_filters_from_texts() -> None:
    """As the command line and assistants give them; what is none is refused with what would be one."""
    asked: dict[str, Any] = {
        "by": "arr", "status": "", "board": "", "category": "", "tag": "", "words": "", "created_since": "",
        "voted_since": "", "everything": False,
    }  # fmt: skip
    wanted = parse_filter(
        **asked, lifecycle="customer", segments=["plan=a=b"], owner="Ann", renewing_within="2027-03-31"
    )
    assert msgspec.structs.astuple(wanted)[-4:] == ("customer", ("plan=a=b",), "Ann", date(2027, 3, 31))
    then = parse_filter(**asked, renewing_within="90d", renewing_from=datetime(2026, 1, 1, tzinfo=UTC))
    assert then.renews_by == date(2026, 4, 1)
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert [renewal_end(text, now) for text in ("90d", "2w")] == [date(2027, 2, 28), date(2026, 12, 14)]
    for wrong, told in (
        ({"lifecycle": "lead"}, "customer, prospect, unknown"),
        ({"segments": ["plan"]}, "plan is no segment"),
        ({"renewing_within": "soon"}, "soon is no time ahead: give 90d"),
        ({"renewing_within": "99999d"}, "no time ahead"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            parse_filter(**asked, **wrong)
