"""The report of a run is one page that holds everything, harms nobody, and names no address."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import msgspec
import pytest

from integration_assets.connectors.calls import CallCount
from integration_assets.errors import PermanentError
from integration_assets.models import Rejected
from integration_assets.reporting import html_report
from integration_assets.reporting.html_report import (
    Ranking,
    ReportFacts,
    copy_report,
    keep_report,
    read_ranking,
    render_report,
    report_path,
)
from integration_assets.reporting.run_summary import (
    ConflictLine,
    Freshness,
    LinkNumbers,
    PlanLine,
    RecordNumbers,
    RunSummary,
    Top,
    VoteNumbers,
)

HOSTILE = '<script>alert(1)</script> <img src=x onerror=y> =HYPERLINK("http://evil.example") bob@acme.example'


class Page(HTMLParser):
    """The elements, attributes and words of a page; it fails when elements do not close."""

    VOID = frozenset({"meta", "br", "img", "input", "link", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in {"src", "href", "action", "data", "xlink:href"}
        ]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


@pytest.fixture
def ranking(store: duckdb.DuckDBPyConnection) -> Ranking:
    """Seven requests, one with a hostile title, and two days of history."""
    store.execute("ALTER TABLE ranked.feature_requests ADD COLUMN as_of TIMESTAMP DEFAULT '2026-03-01 11:30:00'")
    store.execute("UPDATE ranked.feature_requests SET title = ? WHERE request_id = 'r2'", [HOSTILE])
    store.execute("""
        CREATE TABLE ranked.rank_history AS
        SELECT moment AS as_of, request_id, if(day(moment) = 1, rank_by_arr, 8 - rank_by_arr) AS rank_by_arr,
            rank_by_companies, companies, arr
        FROM ranked.feature_requests, (VALUES ('2026-02-27'::TIMESTAMP), ('2026-03-01'::TIMESTAMP)) AS t (moment)
    """)
    found = read_ranking(store, "USD")
    assert found is not None
    return found


def page(summary: RunSummary, ranking: Ranking | None, **more: object) -> Page:
    return Page(render_report(ReportFacts(summary=summary, mode="sync", **more), ranking))  # type: ignore[arg-type]


def test_it_holds_the_run_and_the_ranking(summary, ranking):
    """State, numbers, charts, tables, checks and calls, with the fewest calls beside those made."""
    calls = [CallCount("hubspot", "POST /crm/v3/objects/{objectType}/batch/upsert", 12, writes=12)]
    found = page(summary, ranking, calls=calls, floor={"canny": 400})
    for words in (
        "default → production",
        "succeeded with rejects",
        "3 min 23 s",
        "153 requests, 409 links",
        "ARR by request",
        "Votes by request",
        "Open requests; places are among all, shipped and closed ones included.",
        "Votes matched to a company",
        "title is too long",
        "company domains unique",
        "Look at the rejects",
        "POST /crm/v3/objects/{objectType}/batch/upsert",
        "400",
        "Data of 2026-03-01 11:30 UTC",
        "Movers by ARR since 2026-02-27",
        "1 field edited by people in the CRM",
    ):
        assert words in found.text, words
    assert found.tags.count("svg") == 6


def test_hostile_titles_are_words(summary, ranking):
    """No element or address comes of a title, it is shown as it was written, and its mail address is not there.

    Links lead to the requests and their records, and to nothing that is no address of a page.
    """
    ranking.requests[2] = msgspec.structs.replace(
        ranking.requests[2], url="javascript:alert(1)", crm_url='https://"onx'
    )
    html = render_report(ReportFacts(summary=summary, mode="sync"), ranking)
    found = Page(html)
    assert {"script", "img", "iframe", "link", "object"}.isdisjoint(found.tags)
    # Of the ranking, and the highest five of the company that voted for all.
    places = [1, 2, 3, 4, 5, 6]
    known = {f"https://feedback.example/r{place}" for place in places}
    known |= {f"https://crm.example/record/{place}" for place in places} | {"https://crm.example/company/1"}
    assert set(found.addresses) == known | {'https://"onx'}
    assert '<script>alert(1)</script> <img src=x onerror=y> =HYPERLINK("http://evil.example")' in found.text
    assert "acme.example" not in html


def test_every_text_from_outside_is_harmless(summary):
    """Reasons, keys, details, errors and notes are cleaned and escaped like titles."""
    said = msgspec.structs.replace(
        summary,
        tenant="acme",
        state="HELD",
        rejected=(Rejected(HOSTILE, HOSTILE, HOSTILE),),
        conflicts=(ConflictLine(HOSTILE, HOSTILE, HOSTILE),),
        quarantined={HOSTILE: 3},
        plan=PlanLine(HOSTILE, held=True, reasons=(HOSTILE,)),
        checks=tuple(msgspec.structs.replace(one, detail=HOSTILE, name=HOSTILE) for one in summary.checks),
        votes=VoteNumbers(2, 1, {HOSTILE: 1}, {HOSTILE: 1}),
    )
    html = render_report(
        ReportFacts(summary=said, mode=HOSTILE, error=HOSTILE, notes=[HOSTILE], calls=[CallCount("x", HOSTILE, 1)]),
        None,
    )
    assert {"script", "img"}.isdisjoint(Page(html).tags)
    assert "acme.example" not in html


def test_it_asks_no_network_and_runs_no_script(summary, ranking):
    """Its own policy forbids both, whatever a later version forgets."""
    html = render_report(ReportFacts(summary=summary, mode="sync"), ranking)
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in html
    assert "url(" not in html
    assert "@import" not in html


def test_a_held_plan_says_how_to_release_it(summary):
    """With its reasons once, and the command to type."""
    held = msgspec.structs.replace(
        summary, state="HELD", plan=PlanLine("ab12cd34ef5678", held=True, reasons=("first_apply: look at it",))
    )
    found = page(held, None, error="plan ab12cd34ef56 is held: first_apply: look at it")
    assert found.text.count("first_apply: look at it") == 1
    assert "integration-assets approve ab12cd34ef56 --environment production" in found.text
    assert "Nothing was written." in found.text


def test_a_run_that_failed_early_says_so_and_shows_no_zeros(summary):
    """What happened and what to do; no table of what it did not do."""
    failed = RunSummary(
        version=1, run_id="r", tenant="default", environment="sandbox", state="FAILED", dry_run=False,
        started_at="2026-03-01T11:30:00Z", duration_seconds=1.0, api_calls={}, feature_requests=RecordNumbers(),
        links=LinkNumbers(), votes=VoteNumbers(), checks=(), rejected=(), conflicts=(), quarantined={},
        currency="USD", plan=PlanLine(), top=Top(), freshness=Freshness(),
    )  # fmt: skip
    found = page(failed, None, error="canny: the key was rejected")
    assert "canny: the key was rejected" in found.text
    assert "integration-assets doctor" in found.text
    assert "requests in the source" not in found.text
    assert "svg" not in found.tags


def test_another_runs_ranking_is_called_that(summary, ranking):
    """Nobody takes yesterday's numbers for today's."""
    stale = page(summary, ranking, stale=True).text
    assert "ranking of another run" in stale
    # Each part that can be read alone says so again: the table, the companies, the movers, and the lost votes.
    assert stale.count("As of 2026-03-01 11:30 UTC, of another run.") == 4
    assert "another run" not in page(summary, ranking).text


def test_what_is_too_much_is_counted(summary):
    """A thousand rejects do not make a page nobody can open."""
    many = msgspec.structs.replace(summary, rejected=(Rejected("link", "canny:r1", "limit"),) * 1_201)
    found = page(many, None)
    assert "And 1,001 more." in found.text


def test_an_empty_ranking_is_none(store):
    """Nothing ranked, nothing shown."""
    store.execute("ALTER TABLE ranked.feature_requests ADD COLUMN as_of TIMESTAMP")
    assert read_ranking(store, "USD") is None


def test_reports_are_kept_by_run_and_the_oldest_go(tmp_path: Path, monkeypatch):
    """Each run has a file of its own that only its owner can read."""
    monkeypatch.setattr(html_report, "KEPT", 2)
    paths = [report_path(tmp_path, "sandbox", "default", f"run{number}") for number in range(3)]
    for number, path in enumerate(paths):
        keep_report(path, f"report {number}")
        os.utime(path, (number, number))
    keep_report(paths[2], "report 2")
    assert sorted(one.name for one in paths[0].parent.iterdir()) == ["run1.html", "run2.html"]
    assert paths[2].stat().st_mode & 0o077 == 0
    copy_report(paths[2], tmp_path / "elsewhere.html")
    assert (tmp_path / "elsewhere.html").read_text() == "report 2"


def test_a_report_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path):
    """With the file and the reason."""
    (tmp_path / "reports").touch()
    with pytest.raises(PermanentError, match="could not be made"):
        keep_report(report_path(tmp_path, "sandbox", "default", "run"), "report")
