"""The way of each person end to end, as the pages of the documentation tell it: docs/people.

The tenant admin's is `test_story.py`: from the first key to the first sync; that of whoever maps a table is
`test_table_columns.py`.
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree
from zipfile import ZipFile

import duckdb
import pytest
from mcp import Client, StdioServerParameters
from playwright.sync_api import Browser, Page, expect

from integration_assets.config import Environment
from integration_assets.staging.publishing import published_path
from integration_assets_tests.browser.conftest import log_in, shoot
from integration_assets_tests.support.begun_runs import begin_what_is_asked_for
from integration_assets_tests.support.harness import started
from integration_assets_tests.support.local_pages import serving_locally
from integration_assets_tests.support.pictures.seen import ADMIN, Seen
from integration_assets_tests.support.processes import clean_environment

pytestmark = pytest.mark.proof  # a browser, whole runs and processes: part of `make proofs`

ROOT = Path(__file__).parents[2]


T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """Do something in a thread: the browser's own event loop is in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def test_the_product_manager(seen: Seen, browser: Browser) -> None:
    """Narrows the ranking down, keeps the view as an address, asks why, looks at a company, takes a file along."""
    context = browser.new_context()
    page = log_in(context, seen.site, ADMIN)
    # A choice shows its result at once.
    page.get_by_label("Status", exact=True).select_option("planned")
    expect(page).to_have_url(re.compile("status=planned"))
    page.get_by_label("Companies", exact=True).select_option("customer")
    expect(page).to_have_url(re.compile("lifecycle=customer"))
    rows = page.locator("table.ranking tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Export to CSV")
    expect(page.get_by_text("places are theirs alone")).to_be_visible()

    # The view is its address: another tab, another day, another person with a login.
    other = context.new_page()
    other.goto(page.url)
    expect(other.locator("table.ranking tbody tr")).to_have_count(1)
    expect(other.get_by_label("Status", exact=True)).to_have_value("planned")
    other.close()

    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    [line] = csv.DictReader(download.value.path().read_text(encoding="utf-8").splitlines())
    assert (line["title"], line["status"], line["arr"]) == ("Export to CSV", "planned", "1000.00")

    page.get_by_role("link", name="Count all companies").click()
    rows.first.get_by_role("link", name="Export to CSV", exact=True).click()
    expect(page.get_by_role("heading", name="Why it ranks there")).to_be_visible()
    expect(page.get_by_role("link", name="in the CRM", exact=True)).to_have_attribute(
        "href", re.compile("^https://app.hubspot.example/")
    )
    page.get_by_role("link", name="Acme", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")
    statuses = page.locator("td[data-label=Status]")
    expect(statuses).to_have_text(["open", "planned", "complete"])  # what shipped comes last
    context.close()


def test_the_analyst(seen: Seen, tmp_path: Path) -> None:
    """Three kinds of files, the macro of the published database and an assistant: everywhere the same figures."""
    files = {kind: tmp_path / f"ranking.{kind}" for kind in ("csv", "parquet", "xlsx")}
    environment = clean_environment({"INTEGRATION_ASSETS_HOME": str(seen.local_home)})
    for kind, file in files.items():
        process = started(["rankings", "--status", "open", f"--{kind}", str(file)], environment)
        said, complaint = process.communicate(timeout=120)
        assert process.returncode == 0, said + complaint

    with files["csv"].open(encoding="utf-8", newline="") as lines:
        by_csv = [(row["title"], Decimal(row["arr"])) for row in csv.DictReader(lines)]
    assert by_csv
    with duckdb.connect() as connection:
        by_parquet = connection.execute("SELECT title, arr FROM read_parquet(?)", [str(files["parquet"])]).fetchall()
    assert by_parquet == by_csv
    with ZipFile(io.BytesIO(files["xlsx"].read_bytes())) as book:
        texts = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        assert {title for title, _ in by_csv} <= {"".join(one.itertext()) for one in texts}
        assert book.read("xl/worksheets/sheet1.xml").count(b"<row ") == len(by_csv) + 1

    published = published_path(seen.local_home, Environment.SANDBOX, "default")
    with duckdb.connect(str(published), read_only=True) as connection:
        macro = "SELECT title, arr FROM ranked.requests_where(status_is := 'open')"
        assert connection.execute(macro).fetchall() == by_csv

    answer = apart(lambda: asyncio.run(_asked(seen.local_home, "rankings", {"status": "open"})))
    assert [(one["title"], Decimal(one["arr"])) for one in answer["requests"]] == by_csv


async def _asked(home: Path, tool: str, values: dict[str, Any]) -> dict[str, Any]:
    """What an assistant is answered, by the protocol's own client."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "integration_assets.cli", "mcp"],
        env={"INTEGRATION_ASSETS_HOME": str(home), "PYTHONPATH": str(ROOT)},
    )
    async with Client(server) as client:
        answer: dict[str, Any] = (await client.call_tool(tool, values)).structured_content
        return answer


def test_the_crm_manager(seen: Seen, browser: Browser) -> None:
    """Reads a plan before and after, approves the first one for production, syncs, and takes it back."""
    page = log_in(browser.new_context(), seen.site, ADMIN)
    page.goto(f"{seen.site.origin}/runs/{seen.runs['plan']}")
    expect(page.get_by_role("heading", name="What it would do")).to_be_visible()
    page.get_by_text(re.compile("changes, one by one$")).click()
    change = page.locator("#changes tbody tr", has_text="Export to CSV").first
    expect(change.locator("del").first).to_have_text("2")
    expect(change.locator("ins").first).to_have_text("3")
    expect(change.get_by_role("link", name="CRM")).to_have_attribute(
        "href", re.compile("^https://app.hubspot.example/")
    )

    page.get_by_role("button", name="production").click()
    page.goto(f"{seen.site.origin}/runs/{seen.runs['held']}")
    expect(page.get_by_text("this production portal holds no record of ours yet")).to_have_count(1)
    page.get_by_role("button", name="Approve this plan").click()
    expect(page.get_by_text(re.compile(f"Approved by {ADMIN}"))).to_be_visible()
    world = seen.made.worlds["acme"]
    assert apart(lambda: world.in_crm("production").records) == {}

    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("button", name="Sync now").click()
    assert _begun(seen, page) == ["sync"]
    records = apart(lambda: world.in_crm("production").records)
    assert {one["title"] for one in records.values()} >= {"Export to CSV", "Crash on start", "Single sign-on"}
    shoot(page, "people-synced")

    page.locator("#start").get_by_role("link", name="succeeded").first.click()
    expect(page.get_by_role("heading", name="What it did")).to_be_visible()
    page.get_by_role("button", name="Show what an undo would do").click()
    assert _begun(seen, page) == ["undo_plan"]
    page.locator("#start").get_by_role("link", name="succeeded").first.click()
    page.get_by_label(re.compile("Undo these .* changes in the CRM")).check()
    page.get_by_role("button", name="Undo", exact=True).click()
    assert _begun(seen, page) == ["undo"]
    # A record that a run created is retired, not deleted: somebody may have written a note on it.
    after = apart(lambda: world.in_crm("production"))
    assert {one["retired_reason"] for one in after.records.values()} == {"undone"}
    assert not any(after.companies.values())


def _begun(seen: Seen, page: Page) -> list[str]:
    """What the daemon begins now; the page afterwards."""
    # Away from the page, which looks again by itself while something is open.
    address = page.url
    page.goto("about:blank")
    names = apart(lambda: begin_what_is_asked_for(seen.site, seen.site.registry, seen.made.environment()))
    page.goto(address)
    return names


def test_the_team_with_one_tenant(seen: Seen, browser: Browser, tmp_path: Path) -> None:
    """After the demo `serve` prints a link that opens the pages once; the terminal shows the same ranking."""
    demo, *_ = next(iter(seen.sessions.values()))
    assert "The second sync made 0 write calls." in demo.printed
    environment = {"INTEGRATION_ASSETS_HOME": str(seen.local_home)}
    with serving_locally(tmp_path, environment) as (origin, link, _):
        page = browser.new_context().new_page()
        page.goto(f"{origin}{link}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Which requests matter most")
        titles = page.locator("table.ranking td.title > a").all_inner_texts()
        page.locator("table.ranking td.title a").first.click()
        expect(page.get_by_role("heading", name="Why it ranks there")).to_be_visible()
        page.get_by_role("link", name="Runs", exact=True).click()
        expect(page.locator("table tbody tr").first).to_contain_text("succeeded")
        page.get_by_role("link", name="Settings", exact=True).click()
        expect(page.locator("main")).to_contain_text("integration-assets tenants add")

        stranger = browser.new_context().new_page()
        stranger.goto(f"{origin}{link}")
        expect(stranger.get_by_role("heading", level=1)).to_have_text("Open the link from the terminal")
    process = started(["rankings"], clean_environment(environment))
    said, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    assert titles
    assert all(title in said for title in titles)
