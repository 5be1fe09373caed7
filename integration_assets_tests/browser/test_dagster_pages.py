"""The Dagster UI in a browser, as somebody sees it who opens it for the first time.

One UI on the sandbox, a sync that succeeds, and one that the gate stops: the pages of every asset, the runs, the failed
checks, the plan and the automation are opened and read as they are rendered. What a test that failed saw last is left
as a picture in pytest's temporary folder.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import playwright.sync_api as playwright
import pytest
from playwright.sync_api import Browser, Locator, Page

from integration_assets.assets.crm import PREVIEW_OPERATIONS
from integration_assets.assets.lineage import SOURCES
from integration_assets.assets.metadata import CELL_WIDTH, PREVIEW_ROWS, PREVIEWED
from integration_assets.assets.ranked import RANKED
from integration_assets.assets.raw import RAW
from integration_assets.checks.base import SAMPLE_ROWS
from integration_assets.checks.gate import CHECKS
from integration_assets.definitions import defs
from integration_assets.staging.descriptions import COLUMNS
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets_tests.browser.conftest import FAILED, shoot
from integration_assets_tests.support.crm_state import crm_state
from integration_assets_tests.support.dagster_ui import Stage, served_stage

pytestmark = pytest.mark.proof  # real processes: part of `make proofs`

PAGE_MILLISECONDS = 30_000
"""Longest wait for a page to show what it should; a second on an idle machine."""
GATE = "feature_requests_usable"
DRIFTED = "voter_domains"
UNTITLED = 14
SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
TABLES = {
    **{asset: table for asset, (table, *_) in RAW.items()},
    "domain_resolved_votes": "resolved.votes",
    **{asset: table for asset, (table, *_) in RANKED.items()},
}
OWN = ("data:", "blob:", "ws://127.0.0.1:")
ADDRESS = re.compile(r"[\w.+'-]+@[\w-]+\.[\w.-]+")
PICTURE = re.compile(r"data:image/svg\+xml;base64,([\w+/=]+)")


@dataclass
class Reader:
    """A page of the UI. Whatever it opens must ask nobody else, log no error, and hold no address or secret."""

    page: Page
    address: str
    secrets: frozenset[str]
    asked: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str, *until: str) -> str:
        """The text of a page, once all of these words are on it."""
        self.page.goto(f"{self.address}{path}", wait_until="commit")
        self.wait_for(*until)
        self.look(re.sub(r"\W+", "-", path).strip("-"))
        return self.page.inner_text("body")

    def wait_for(self, *until: str) -> None:
        """Return once all of these words are on the page; fails with those that are not."""
        try:
            self.page.wait_for_function(
                "words => words.every(word => document.body?.innerText.includes(word))",
                arg=list(until),
                timeout=PAGE_MILLISECONDS,
            )
        except playwright.TimeoutError as error:
            text = self.page.inner_text("body")
            missing = [word for word in until if word not in text]
            raise AssertionError(f"not on {self.page.url} in time: {missing}") from error

    def look(self, name: str) -> None:
        """Keep a picture, and see that nothing is on the page, or was asked for it, that must not be."""
        shoot(self.page, name)
        html = self.page.content()
        shown = [html, *(base64.b64decode(picture).decode() for picture in PICTURE.findall(html))]
        for text in shown:
            assert ADDRESS.findall(text) == [], name
            assert [secret for secret in self.secrets if secret in text] == [], name
        asked, errors = sorted(self.asked), list(self.errors)
        self.asked.clear()
        self.errors.clear()
        assert [url for url in asked if not url.startswith((self.address, *OWN))] == [], name
        assert errors == [], name

    def shown(self, label: str, role: Literal["row", "img"]) -> Locator:
        """What a metadata entry shows when it is clicked, once something of that role is in it.

        Dagster fetches what draws Markdown when the first is shown: the dialog is there before its content.
        """
        row = self.page.get_by_role("row").filter(has=self.page.get_by_text(label, exact=True))
        row.get_by_text("[Show Markdown]").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_text(label, exact=True).wait_for()
        dialog.get_by_role(role).first.wait_for()
        self.look(f"{self.page.url.rpartition('/')[2]}-{label}")
        return dialog


@dataclass(frozen=True)
class Ran:
    """A sync that succeeded, and one that the gate stops, which may still be under way.

    `untitled` are requests without title in the second; `ranking` is title and ARR of the first places of the first.
    """

    good: str
    bad: str
    untitled: frozenset[str]
    ranking: tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything of this module."""
    return tmp_path_factory.mktemp("dagster-pages")


@pytest.fixture(scope="module")
def stage(folder: Path) -> Iterator[Stage]:
    """A UI on a sandbox that is set up."""
    with served_stage(folder) as served:
        yield served


@pytest.fixture(scope="module")
def ran(stage: Stage) -> Ran:
    """A sync; then requests lose their titles, the portal a property, and the next sync begins."""
    good = stage.ui.run("sync")
    with duckdb.connect(str(stage.home / "published/sandbox/default.duckdb"), read_only=True) as published:
        ranking = published.execute(
            "SELECT title, arr FROM ranked.feature_requests ORDER BY rank_by_arr LIMIT ?", [PREVIEW_ROWS]
        ).fetchall()
    posts = list(stage.sandbox.sample.workspace.posts.values())[:UNTITLED]
    for post in posts:
        post.title = ""
    del stage.sandbox.sandbox.portal.object_type(FEATURE_REQUEST.name).properties[DRIFTED]
    words = tuple((title.partition(": ")[2], f"{arr:,}") for title, arr in ranking)
    return Ran(good, stage.ui.launch("sync"), frozenset(post.id for post in posts), words)


@pytest.fixture(scope="module")
def stopped(stage: Stage, ran: Ran) -> str:
    """The second run, once the gate has stopped it."""
    stage.ui.wait(ran.bad, ends="FAILURE")
    return ran.bad


@pytest.fixture(scope="module")
def reader(stage: Stage, ran: Ran, browser: Browser) -> Iterator[Reader]:
    """Somebody with a browser, after the first run."""
    workspace = stage.sandbox.sample.workspace
    secrets = {workspace.api_key, stage.sandbox.sandbox.portal.token, stage.sandbox.team.token}
    context = browser.new_context(viewport={"width": 1500, "height": 1400})
    page = context.new_page()
    reader = Reader(page, stage.ui.address, frozenset(secrets))
    page.on("request", lambda request: reader.asked.add(request.url))
    page.on("websocket", lambda socket: reader.asked.add(socket.url))
    page.on("console", lambda said: reader.errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: reader.errors.append(str(error)))
    yield reader
    context.close()


@pytest.fixture(autouse=True)
def picture(request: pytest.FixtureRequest, reader: Reader, folder: Path) -> Iterator[None]:
    """What a test that failed saw last."""
    yield
    if request.node.stash.get(FAILED, False):
        reader.page.screenshot(path=str(folder / f"{request.node.name}.png"), animations="disabled")


def test_the_catalog_lists_every_asset_with_what_it_is(reader):
    """By name, with the beginning of its description and its group."""
    text = reader.open("/assets", *SPECS)
    for key, spec in SPECS.items():
        assert (spec.description or "").partition("\n")[0] in text, key
    assert reader.page.get_by_role("link", name="integration_assets").count() >= len(SPECS)


def test_the_graph_shows_the_stages(reader):
    """Folded into groups, in the order data flows."""
    reader.open("/asset-groups", *{str(spec.group_name) for spec in SPECS.values()})


@pytest.mark.parametrize("key", sorted(SPECS))
def test_the_page_of_an_asset_explains_it(reader, key):
    """Description, group, owner, kinds, jobs; of a table its rows, and every column with meaning and sources."""
    spec, table = SPECS[key], TABLES.get(key, "")
    words = ["Owners", "Kinds", "Tags", "Jobs", "Schedules", *COLUMNS.get(table, {})]
    # The columns of the definition are drawn first, and once more when the last run's are there.
    words += [f"Storage\n{table}\n", "Row count"] if table else []
    words += [column.description for column in COLUMNS.get(table, {}).values()]
    words += [
        f"{asset}: {', '.join(names)}"
        for sources in SOURCES.get(table, {}).values()
        for asset, names in sources.items()
    ]
    description = [line.strip() for line in (spec.description or "").splitlines() if line.strip()]
    assert description
    text = reader.open(f"/assets/{key}", *words, *description)  # drawn as Markdown, and so after everything else
    beside = text[text.index("Definition\n") :]
    assert f"Group\n{spec.group_name}\n" in beside
    assert "Owners\nintegration-assets\n" in beside
    after = f"Storage\n{table}\n" if table else "Tags\n"  # the name of the table is there before the first run
    kinds = beside[beside.index("Kinds\n") : beside.index(after)].lower().split()
    assert set(kinds[1:]) == spec.kinds
    assert "\nsync\n" in beside[beside.index("Jobs\n") : beside.index("Schedules\n")]
    rows: dict[str, str] = {}
    for row in reader.page.get_by_role("row").all_inner_texts():
        rows.setdefault(next(iter(row.split()), ""), row)  # the columns come before the preview
    for column, (kind, meaning) in COLUMNS.get(table, {}).items():
        assert kind in rows[column]
        assert meaning in rows[column]
        for asset, names in SOURCES.get(table, {}).get(column, {}).items():
            assert f"{asset}: {', '.join(names)}" in rows[column]


def test_the_ranking_is_previewed_and_drawn(reader, ran):
    """Ten rows, dearest first, with title and ARR, people's addresses left out; a picture with words beside it."""
    reader.open("/assets/ranked_feature_requests", "chart_votes_against_arr")
    dialog = reader.shown("preview", "row")
    lines = dialog.get_by_role("row").all_inner_texts()
    assert lines[0].split() == list(PREVIEWED["ranked.feature_requests"])
    assert len(lines) == 1 + PREVIEW_ROWS == 1 + len(ran.ranking)
    for place, (line, (title, arr)) in enumerate(zip(lines[1:], ran.ranking, strict=True), start=1):
        cells = line.split("\t")
        assert (cells[0], cells[2]) == (f"{place}", arr)
        assert cells[1].removesuffix("…") == f"[address]: {title}"[: CELL_WIDTH - cells[1].endswith("…")]
    dialog.get_by_text("Close", exact=True).click()
    shown = reader.shown("chart_votes_against_arr", "img")
    image = shown.get_by_role("img", name="Place by votes against place by ARR")
    assert image.evaluate("image => image.decode().then(() => Math.min(image.naturalWidth, image.naturalHeight))") > 200
    assert re.search(r"\d+ by votes, \d+ by ARR", shown.inner_text())


def test_the_plan_is_a_table_of_changes(reader, stage):
    """How many of each sort, and the first of them: what is done to which record, and to which of its fields."""
    text = reader.open("/assets/crm_write_plan", "calls_estimated")
    records = crm_state(stage.sandbox.sandbox).records
    assert re.search(rf"create\s+[^\n]*\s+{len(records)}\s", text)
    lines = reader.shown("preview", "row").get_by_role("row").all_inner_texts()
    assert lines[0].split("\t") == ["action", "key", "title or target", "fields or labels"]
    rows = [line.split("\t") for line in lines[1:]]
    assert len(rows) == PREVIEW_OPERATIONS
    assert {action for action, *_ in rows} == {"create"}
    assert {key for _, key, *_ in rows} <= records.keys()
    assert all(fields.startswith("title, status") for *_, fields in rows)


def test_the_lineage_of_the_ranking_leads_to_the_crm(reader):
    """What it is made of, and what is made of it."""
    reader.open(
        "/assets/ranked_feature_requests?view=lineage", "domain_resolved_votes", "crm_write_plan", "run_summary"
    )


@pytest.mark.usefixtures("stopped")
def test_a_failed_check_says_what_failed_and_which_rows(reader, ran):
    """That it blocks, how many were too many, and the first requests that have no title."""
    checks = {check.name for check in CHECKS if check.asset == "raw_feature_requests"}
    [check] = [check for check in CHECKS if check.name == GATE]
    text = reader.open(
        f"/assets/raw_feature_requests?view=checks&checkDetail={GATE}",
        *("quarantined_records", "Plots", "Evaluation result", "This is a blocking asset check.", *checks),
        *(check.description, f"{UNTITLED} of 60 requests quarantined, limit 10", "no title", f"{GATE}\nFailed"),
    )
    rows = re.findall(r"feature_request\s+(\w+)\s+no title", text)
    assert len(rows) == SAMPLE_ROWS
    assert set(rows) <= ran.untitled


@pytest.mark.usefixtures("stopped")
def test_a_schema_that_drifted_is_named(reader):
    """The property that is gone, and what is the matter with it."""
    text = reader.open(
        "/assets/raw_crm_schema?view=checks&checkDetail=crm_schema_as_expected",
        *("Latest execution", DRIFTED, "severity", "crm_schema_as_expected\nFailed"),
    )
    assert re.search(rf"feature_request\.{DRIFTED}\s+ERROR\s+the property is missing", text)


def test_the_page_of_a_run_says_how_it_went(reader, ran, stopped):
    """The good one; and the stopped one, with the checks that stopped it and what was therefore not done."""
    text = reader.open(f"/runs/{ran.good}", "Success", "RUN_SUCCESS", "View full message")
    assert f"{len(SPECS)} assets" in text
    assert f"{len(CHECKS)} checks" in text
    assert "partition: default" in text
    text = reader.open(f"/runs/{stopped}", "Failure", "RUN_FAILURE", "Errored (2)")
    assert "raw_feature_requests_blocking_checks" in text
    assert "raw_crm_schema_blocking_checks" in text
    assert "crm_feature_requests" in text[text.index("Not executed") :]
    assert "blocking asset check failed with ERROR severity" in text


def test_the_runs_are_listed(reader, ran, stopped):
    """With their job, tenant and end."""
    text = reader.open("/runs", ran.good[:8], stopped[:8])
    assert "partition: default" in text
    assert {"Success", "Failure"} <= set(text.split())


def test_the_automation_is_listed(reader):
    """Every schedule and sensor, to be switched on and off."""
    repository = defs.get_repository_def()
    schedules = [schedule.name for schedule in repository.schedule_defs]
    assert schedules
    reader.open("/automation", *schedules, *(sensor.name for sensor in repository.sensor_defs))
    reader.page.get_by_text("Scheduled").nth(len(schedules) - 1).wait_for()
    reader.look("automation")


def test_every_job_is_listed(reader):
    """With the mode it runs in by its name."""
    jobs = [job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    assert {"sync", "dry_run", "read_only", "undo_plan", "undo"} <= set(jobs)
    reader.open("/jobs", *jobs)
