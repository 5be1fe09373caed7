"""What a person reads of a plan before agreeing to it: counts by field, changes of ARR, records, the CSV."""

import csv
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from rich.console import Console

from integration_assets.reporting.html_report import ReportFacts, read_open_plan, render_report
from integration_assets.reporting.insights import PlanChange, read_plan_arr, read_plan_changes, read_plan_fields
from integration_assets.reporting.plan_details import field_changes, plan_csv, show_plan_numbers, show_records
from integration_assets.reporting.run_summary import LinkNumbers, PlanLine, RecordNumbers, RunSummary
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish
from integration_assets.staging.store import open_store
from integration_assets.sync.operations import Operation, insert_operations
from integration_assets_tests.resolution.worlds import AS_OF, load, request

OPERATIONS = [
    Operation(1, "create", "canny:r1", after={"title": "=SSO", "arr": "500", "board": "", "managed_state": "a1"}),
    Operation(2, "update", "canny:r2", "77", before={"arr": "9000", "votes": "8"}, after={"arr": "100", "votes": "9"}),
    Operation(3, "link", "canny:r1", target="company", target_id="9001", after_labels=("plain", "voted")),
    Operation(4, "unlink", "canny:r2", "77", "contact", "5", before_labels=("voter",), after_labels=("voter",)),
    Operation(5, "update", "canny:r3", "78", before={"details": "by a@b.example"}, after={"details": ""}),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A store with two plans: `new`, and `old` with more changes than are published of an old one."""
    with open_store(tmp_path_factory.mktemp("plan") / "store.duckdb") as connection:
        load(connection, {"feature_requests": [request("R2", title="Dark mode", url="https://x.example/r2")]})
        resolve_votes(connection, ResolutionSettings())
        rank(connection, AS_OF)
        for plan_id, day in (("old", "2026-01-01"), ("new", "2026-01-02")):
            connection.execute(
                "INSERT INTO sync.plans BY NAME SELECT $id AS plan_id, $id AS run_id, $id AS hash, 'sync' AS kind, "
                "'1' AS portal_id, 'm' AS mapping_version, $day::TIMESTAMP AS created_at, 'planned' AS status, "
                "[] AS held_reasons, '{}' AS header",
                {"id": plan_id, "day": day},
            )
        connection.execute(
            "INSERT INTO raw.crm_portals BY NAME SELECT 'target' AS role, '1' AS portal_id, "
            "'https://crm.example/company/{id}' AS company_page, 'https://crm.example/wish/{id}' AS request_page"
        )
        insert_operations(connection, "new", OPERATIONS)
        links = [Operation(n, "link", "canny:r1", target="contact", target_id=str(n)) for n in range(1, 301)]
        insert_operations(connection, "old", links)
        insert_operations(connection, "new", [Operation(n + 10, *rest(one)) for n, one in enumerate(links)])
        yield connection


def rest(one: Operation) -> tuple[Any, ...]:
    """All of an operation but its number."""
    return (one.action, one.key, one.record_id, one.target, one.target_id)


def test_changes_are_counted_by_action_and_field(store):
    """Only what differs counts, the bookkeeping does not; the newest plan is whole, an older one a sample."""
    counts = {(one.action, one.field): one.changes for one in read_plan_fields(store, "new")}
    assert counts == {
        ("create", "title"): 1,
        ("create", "arr"): 1,
        ("update", "arr"): 1,
        ("update", "votes"): 1,
        ("update", "details"): 1,
        ("link", "company"): 1,
        ("link", "contact"): 300,
        ("unlink", "contact"): 1,
    }
    assert [one.changes for one in read_plan_fields(store, "old")] == [200]


def test_the_largest_changes_of_arr_come_first(store):
    """Up or down alike; a request is named by its title, whatever the case of its id."""
    found = [(one.title, int(one.before), int(one.after)) for one in read_plan_arr(store, "new")]
    assert found == [("Dark mode", 9000, 100), ("=SSO", 0, 500)]


def test_changes_are_paged_and_narrowed_down(store):
    """By action and by field, with the number of all that fit."""
    page = read_plan_changes(store, "new", limit=50, skipped=250, actions=("link",), field="contact")
    assert (len(page), page[0].found, page[-1].target_id) == (50, 300, "300")
    assert [one.seq for one in read_plan_changes(store, "new", limit=None, field="votes")] == [2]


def test_the_csv_has_every_change_and_no_formula(store):
    """Field by field, with the labels of links; addresses are masked."""
    rows = list(csv.DictReader(StringIO(plan_csv(store, "new").decode(), newline="")))
    assert len(rows) == 2 + 2 + 1 + 1 + 1 + 300
    assert rows[0] == {
        "action": "create",
        "key": "canny:r1",
        "title": "'=SSO",
        "field": "title",
        "before": "",
        "after": "'=SSO",
        "company": "",
        "target_id": "",
        "url": "",
        "crm_url": "",
        "company_crm_url": "",
    }
    assert [(row["url"], row["crm_url"], row["company_crm_url"]) for row in (rows[2], rows[4])] == [
        ("https://x.example/r2", "https://crm.example/wish/77", ""),
        # The record is still to be created.
        ("", "", "https://crm.example/company/9001"),
    ]
    assert [(row["field"], row["before"], row["after"], row["target_id"]) for row in rows[4:6]] == [
        ("company", "", "plain, voted", "9001"),
        ("contact", "voter", "", "5"),
    ]
    assert "a@b.example" not in plan_csv(store, "new").decode()
    votes = plan_csv(store, "new", field="votes").decode().splitlines()
    assert votes[1:] == ["update,canny:r2,Dark mode,votes,8,9,,,https://x.example/r2,https://crm.example/wish/77,"]


def test_a_change_of_the_bookkeeping_alone_keeps_its_row():
    """A row without a field: the list has as many changes as the plan."""
    change = PlanChange(
        1, "update", "k", None, None, None, None, None, {}, {"managed_state": "b"}, [], [], None, None, 1
    )
    assert [(one.action, one.field, one.after) for one in field_changes(change)] == [("update", "", "")]


def test_records_are_shown_whole_and_the_rest_is_counted(store):
    """Each field before and after, with the address of the request where it is known, and how many are left."""
    file = StringIO()
    console = Console(file=file, width=100)
    show_plan_numbers(console, store, "new", "EUR")
    show_records(console, store, "new", 2)
    text = file.getvalue()
    assert ["link", "contact", "300"] in [line.split() for line in text.splitlines()]
    assert ["update", "Dark", "mode", "9,000", "100", "-8,900"] in [line.split() for line in text.splitlines()]
    assert "  ARR: 9,000 → 100\n" in text
    assert "https://x.example/r2" in text
    assert "and 1 more record: --show 3 lists all" in text
    assert "managed state" not in text


@pytest.mark.parametrize(
    ("dry_run", "held", "shown"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_the_report_of_a_plan_that_waits_shows_what_it_changes(
    store: duckdb.DuckDBPyConnection, summary: RunSummary, tmp_path: Path, *, dry_run: bool, held: bool, shown: bool
) -> None:
    """By action and field, the largest of ARR, the first changes with before and after; not of a run that wrote."""
    store.execute('UPDATE sync.plans SET header = \'{"counts": {"create": 1, "link": 999}}\'')
    plan_line = PlanLine("new", held=held, reasons=())
    run = msgspec.structs.replace(
        summary, dry_run=dry_run, plan=plan_line, links=LinkNumbers(), feature_requests=RecordNumbers()
    )
    publish(store, tmp_path / "published.duckdb")
    with duckdb.connect(str(tmp_path / "published.duckdb"), read_only=True) as connection:
        plan = read_open_plan(connection, run)
    html = render_report(ReportFacts(summary=run, mode="dry_run", plan=plan), None)
    assert ("What the plan changes" in html) == shown
    if not shown:
        return
    words = " ".join(re.sub("<[^>]*>", " ", html).split())
    assert "link contact 300" in words
    assert "update Dark mode 9,000 100 -8,900" in words
    assert "ARR 9,000 100" in words
    assert 'href="https://crm.example/wish/77"' in html
    assert "@" not in words.split("What the plan changes")[1].split("Checks")[0]
    assert "The first 25 of 305" in words
    assert "of 1,000 changes" in words
