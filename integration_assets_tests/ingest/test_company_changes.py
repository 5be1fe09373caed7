"""Companies after the first read: only what changed, as long as that takes fewer calls, and nothing overlooked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from integration_assets.connectors.crm.base import ChangeCosts, CompanyMapping
from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.ingest.companies import change_calls, last_read, note_company_read, source_of
from integration_assets.ingest.context import CompanyRead
from integration_assets.ingest.raw_tables import ingest
from integration_assets.sandbox.hubspot import Portal
from integration_assets.sandbox.lookalike import Fault
from integration_assets.sandbox.server import build_sandbox, serving
from integration_assets.staging.store import open_store
from integration_assets_tests.conftest import Served
from integration_assets_tests.ingest.conftest import Reader
from integration_assets_tests.support.small_world import small_world

LONG_AGO = "2025-01-01T00:00:00.000Z"
COMPANIES = 900
LIST = "GET /crm/objects/2026-09/{object_type}"
SEARCH = "POST /crm/objects/2026-09/{object_type}/search"
PARENTS = "POST /crm/associations/2026-09/{from_type}/{to_type}/batch/read"
CHILD_TO_PARENT = ("HUBSPOT_DEFINED", 14)
LAG_SECONDS = 5
"""Of the look-alike's search index."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader of a sandbox with so many companies that reading changes pays, none of them changed lately."""
    sample = small_world().sample
    sample.companies.clear()
    sample.contacts.clear()
    sample.contact_company.clear()
    sandbox = build_sandbox(sample, plan=None, slack_interval=0)
    sandbox.sandbox.portal.seed(
        "companies",
        [
            {"name": f"Company {number}", "domain": f"c{number}.com", "createdate": LONG_AGO}
            for number in range(COMPANIES)
        ],
    )
    with serving(sandbox) as addresses:
        yield Reader(Served(sandbox, addresses), tmp_path)


def portal_of(reader: Reader) -> Portal:
    return reader.served.sandbox.sandbox.portal


def let_pass(reader: Reader, seconds: float) -> None:
    """Turn the portal's clock ahead, so that its index has caught up."""
    before = portal_of(reader).clock
    portal_of(reader).clock = lambda: before() + seconds


def company_searches(calls: dict[str, int]) -> int:
    """Searches for companies: one more of each read is for open deals, of which there are none."""
    return calls[SEARCH] - 1


def ids(reader: Reader) -> list[str]:
    return [record["id"] for record in portal_of(reader).records("companies")]


def rename(reader: Reader, company_id: str, name: str) -> None:
    portal = portal_of(reader)
    base = reader.served.addresses.environment()["HUBSPOT_SANDBOX_BASE_URL"]
    answer = httpx.patch(
        f"{base}/crm/objects/2026-09/companies/{company_id}",
        json={"properties": {"name": name}},
        headers={"authorization": f"Bearer {portal.token}"},
    )
    assert answer.status_code == 200


def stored(reader: Reader) -> dict[str, tuple[str, str | None]]:
    """Name and parent by company id."""
    rows = reader.rows("SELECT company_id, name, parent_id FROM raw.crm_companies")
    return {company_id: (name, parent_id) for company_id, name, parent_id in rows}


def true(reader: Reader) -> dict[str, tuple[str, str | None]]:
    """The same as the portal has it now."""
    return {
        record["id"]: (record["properties"]["name"], record["properties"].get("hs_parent_company_id"))
        for record in portal_of(reader).records("companies")
    }


def company_pages(calls: dict[str, int]) -> int:
    """Pages of the list of companies: two more are those of our own records, if our object is there."""
    return calls.get(LIST, 0)


def test_unchanged_companies_take_a_search_a_page_of_archived_ones_and_the_parents(reader: Reader) -> None:
    """After a whole read nine pages become three calls, and the store holds the same."""
    assert company_pages(reader.read()) == 9
    calls = reader.read()
    assert (company_pages(calls), company_searches(calls), calls[PARENTS]) == (1, 1, 1)
    assert stored(reader) == true(reader)
    assert reader.rows("SELECT rows_read FROM raw.reads WHERE input = 'companies'") == [(COMPANIES,)]


def test_every_kind_of_change_is_seen_by_the_next_read(reader: Reader) -> None:
    """Edited, created, archived, merged and adopted companies are in the store as the portal has them."""
    reader.read()
    portal, known = portal_of(reader), ids(reader)
    rename(reader, known[10], "Renamed")
    [created] = portal.seed("companies", [{"name": "New", "domain": "new.com"}])
    portal.archive("companies", known[20])
    merged = portal.merge("companies", known[30], known[31])
    portal.associate("companies", known[40], "companies", known[41], [CHILD_TO_PARENT])
    let_pass(reader, LAG_SECONDS + 1)
    calls = reader.read()
    assert company_pages(calls) == 1
    found = stored(reader)
    assert found == true(reader)
    assert found[known[10]] == ("Renamed", None)
    assert found[created] == ("New", None)
    assert found[known[40]] == (found[known[40]][0], known[41])
    assert merged in found
    assert not {known[20], known[30], known[31]} & set(found)


def test_a_parent_taken_away_is_gone(reader: Reader) -> None:
    """A company without parent any more loses it, although nothing of the company itself was modified."""
    portal, known = portal_of(reader), ids(reader)
    portal.associate("companies", known[0], "companies", known[1], [CHILD_TO_PARENT])
    reader.read()
    assert stored(reader)[known[0]][1] == known[1]
    portal.archive("companies", known[1])
    reader.read()
    assert stored(reader)[known[0]][1] is None


def test_a_change_within_the_lag_is_seen_by_the_read_after_it(reader: Reader) -> None:
    """What the index does not know yet is not lost: the overlap asks for it again."""
    reader.read()
    known = ids(reader)
    rename(reader, known[0], "Just now")
    reader.read()
    let_pass(reader, LAG_SECONDS + 1)
    reader.read()
    assert stored(reader)[known[0]][0] == "Just now"


def test_an_index_that_is_behind_does_not_bring_old_values_back(reader: Reader) -> None:
    """Records named by the index are read as they are, not as the index has them."""
    reader.read()
    known = ids(reader)
    rename(reader, known[0], "First")
    let_pass(reader, LAG_SECONDS + 1)
    rename(reader, known[0], "Second")
    reader.read()
    assert stored(reader)[known[0]][0] == "Second"


def test_a_company_archived_behind_the_index_is_not_kept(reader: Reader) -> None:
    """One that the index still names, and that is not there, leaves the store."""
    reader.read()
    known = ids(reader)
    rename(reader, known[0], "First")
    let_pass(reader, LAG_SECONDS + 1)
    portal_of(reader).archive("companies", known[0])
    reader.read()
    assert known[0] not in stored(reader)


def test_more_changes_than_a_search_serves_pages_are_all_found(reader: Reader) -> None:
    """Pages of a search follow each other by id, so that none of several hundred changes is left out."""
    reader.read()
    portal, rows = portal_of(reader), [{"name": f"New {number}", "domain": f"n{number}.com"} for number in range(301)]
    portal.seed("companies", rows)
    calls = reader.read()
    assert (company_pages(calls), company_searches(calls)) == (1, 2)
    assert stored(reader) == true(reader)


def test_companies_are_read_whole_when_too_many_changed(reader: Reader) -> None:
    """When the changes would take as many calls as everything, everything is read."""
    reader.read()
    portal_of(reader).seed(
        "companies", [{"name": f"New {number}", "domain": f"n{number}.com"} for number in range(700)]
    )
    calls = reader.read()
    assert (company_pages(calls), company_searches(calls)) == (16, 1)
    assert stored(reader) == true(reader)


def test_the_question_how_many_changed_belongs_to_the_work(reader: Reader) -> None:
    """Where everything is read because too many changed, the floor holds the search that told so, and the list."""
    reader.read()
    rows = [{"name": f"New {number}", "domain": f"n{number}.com"} for number in range(700)]
    portal_of(reader).seed("companies", rows)
    with reader.inputs() as inputs:
        work = asyncio.run(ingest(inputs)).work
    assert (work.crm.company_calls, work.crm.companies) == (1, len(true(reader)))


def test_companies_are_read_whole_when_the_search_is_refused(reader: Reader) -> None:
    """A search that makes no sense to the portal costs a call, not the companies."""
    reader.read()
    rename(reader, ids(reader)[0], "Renamed")
    reader.served.sandbox.hubspot_sandbox.faults.append(
        Fault(lambda request: request.path.endswith("/0-2/search"), status=400)
    )
    calls = reader.read()
    assert company_pages(calls) == 9
    assert stored(reader) == true(reader)


def note_read(reader: Reader, *, whole: timedelta = timedelta(0), changes: timedelta = timedelta(0)) -> None:
    """Move what is remembered of the last read by so much."""
    with reader.inputs() as inputs:
        last = last_read(inputs.connection)
        assert last is not None
        note_company_read(
            inputs.connection, CompanyRead(last.source, last.whole_at + whole, last.changes_from + changes)
        )


def test_a_clock_that_is_a_little_ahead_hides_no_change(reader: Reader) -> None:
    """The machine of the last read may run before this one: what changed until then is asked for all the same."""
    reader.read()
    note_read(reader, changes=timedelta(minutes=50))
    rename(reader, ids(reader)[7], "Renamed since")
    let_pass(reader, LAG_SECONDS)
    reader.read()
    assert stored(reader) == true(reader)


@pytest.mark.parametrize("how", ["week", "wrong clock", "full", "mapping"])
def test_companies_are_read_whole_now_and_then(reader: Reader, how: str) -> None:
    """Once a week, after a read of the future, when it is asked for, and when other properties are mapped."""
    reader.read()
    if how == "week":
        note_read(reader, whole=-timedelta(days=7))
        calls = reader.read()
    elif how == "wrong clock":
        note_read(reader, changes=timedelta(days=400))
        calls = reader.read()
    elif how == "full":
        calls = reader.read(full=True)
    else:
        calls = reader.read(hubspot_arr_property="annualrevenue")
    assert company_pages(calls) == 9


def test_many_archived_companies_make_a_whole_read_the_cheaper_one(reader: Reader) -> None:
    """Archived companies are counted, the reading of changes is given up, and the next read does not begin it."""
    portal = portal_of(reader)
    for company_id in ids(reader)[:600]:
        portal.archive("companies", company_id)
    portal.seed(
        "companies",
        [{"name": f"More {number}", "domain": f"m{number}.com", "createdate": LONG_AGO} for number in range(600)],
    )
    assert company_pages(reader.read()) == 9
    let_pass(reader, LAG_SECONDS + 1)
    assert company_pages(reader.read()) == 6 + 9
    calls = reader.read()
    assert (company_pages(calls), company_searches(calls)) == (9, 0)
    assert stored(reader) == true(reader)


def test_what_is_read_from_where_tells_sources_apart() -> None:
    """Another portal or another mapping is another source."""
    arr = CompanyMapping(arr="arr")
    known = {source_of("1", CompanyMapping()), source_of("2", CompanyMapping()), source_of("1", arr)}
    assert len({*known, source_of("1", CompanyMapping(currency="arr"))}) == 4


def test_the_last_read_is_remembered(tmp_path: Path) -> None:
    """What was noted last comes back with its zone, and replaces what was noted before."""
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with open_store(tmp_path / "store.duckdb") as connection:
        assert last_read(connection) is None
        note_company_read(connection, CompanyRead("a", now, now))
        note_company_read(connection, CompanyRead("b", now, now - timedelta(minutes=5), 7))
        assert last_read(connection) == CompanyRead("b", now, now - timedelta(minutes=5), 7)


@pytest.mark.parametrize(
    ("changed", "archived", "companies", "calls"),
    [(0, 0, 900, 1 + 0 + 1 + 1), (1, 0, 1_000, 4), (201, 101, 1_001, 2 + 3 + 2 + 2), (0, 0, 200_000, 202)],
)
def test_calls_of_reading_changes(changed: int, archived: int, companies: int, calls: int) -> None:
    """A search per 200 changes, a read per 100, a page per 100 archived ones, a call for the parents of 1,000."""
    costs = ChangeCosts(
        ids_per_page=endpoints.RECORDS_PER_SEARCH, records_per_read=100, archived_per_page=100, parents_per_call=1_000
    )
    assert change_calls(costs, changed=changed, archived=archived, companies=companies) == calls
