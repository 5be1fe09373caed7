"""What a person sees on a terminal, and what a pipe receives."""

import re
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from integration_assets.reporting import slack
from integration_assets.reporting.rankings import read_rankings, read_unresolved
from integration_assets.reporting.run_summary import CheckLine, LinkNumbers, PlanLine, PlannedChanges, RecordNumbers
from integration_assets.reporting.slack_preview import EMOJI
from integration_assets.reporting.terminal import (
    show_calls,
    show_checks,
    show_plan,
    show_rankings,
    show_summary,
    show_unresolved,
)
from integration_assets.sync.operations import Operation
from integration_assets_tests.reporting.conftest import CALLS
from integration_assets_tests.support.pictures.slack import SIGNS

OPERATIONS = [
    Operation(1, "create", "canny:r1", after={"title": "[red]SSO[/red]", "votes": "12", "managed_state": "a1b2"}),
    Operation(2, "update", "canny:r2", "77", before={"votes": "8", "board": "Web"}, after={"votes": "9", "board": ""}),
    Operation(3, "link", "canny:r1", target="company", target_id="9001", after_labels=("voted",)),
    Operation(4, "unlink", "canny:r2", "77", target="contact", target_id="5", after_labels=("voter",)),
]


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def console(request) -> Console:
    return Console(file=StringIO(), width=100, force_terminal=request.param, color_system=None)


def shown(console: Console) -> str:
    file: Any = console.file
    return str(file.getvalue())


def flat(text: str) -> str:
    """The words of a text on one line."""
    return " ".join(text.split())


def lines(console: Console) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in shown(console).splitlines()]


def test_summary(console, summary):
    """The summary has the end state, all numbers with separators, both rankings and the failed checks."""
    show_summary(console, summary, notes=("portal learnt",))
    text = shown(console)
    for part in (
        "succeeded with rejects",
        "default → production",
        "500 identified, 20 created, 133 updated, 1 retired",
        "17,950 of 20,000 matched to a company (89.8%)",
        "host 17,000, contact 950",
        "4,120,346 USD",
        "crm_schema_as_expected",
        "note: portal learnt",
    ):
        assert part in text
    assert "votes_usable" not in text
    assert max(map(len, text.splitlines())) <= (100 if console.is_terminal else 160)


def test_held_and_failed_summaries_say_why(console, summary):
    """Reasons of a held plan and the line of a failure are shown."""
    held = msgspec.structs.replace(
        summary, state="HELD", plan=PlanLine("abc", held=True, reasons=("too many creates",))
    )
    show_summary(console, held, error="quota spent")
    assert "held: too many creates" in shown(console)
    assert "quota spent" in shown(console)


def test_a_run_that_ended_early_shows_no_rows_of_zeros(console, summary):
    """Numbers of requests and links are shown once they were compared, and not before."""
    early = msgspec.structs.replace(
        summary, state="FAILED", feature_requests=RecordNumbers(), links=LinkNumbers(), plan=PlanLine()
    )
    show_summary(console, early, error="Canny rejected CANNY_API_KEY")
    text = shown(console)
    assert "Canny rejected CANNY_API_KEY" in text
    assert "identified" not in text
    assert "wanted" not in text


def test_failed_checks_are_left_to_whoever_lists_all(console, summary):
    """A report that shows every check has the failed ones once."""
    show_summary(console, summary, with_checks=False)
    show_checks(console, summary.checks)
    assert shown(console).count("crm_schema_as_expected") == 1


def test_rankings(console, store):
    """Both rankings are in their order, with the other places and the gap; closed ones only when asked."""
    by_arr = read_rankings(store, by="arr", limit=3)
    by_companies = read_rankings(store, by="companies", limit=3)
    assert read_rankings(store, by="companies", limit=1, everything=True)[0].request_id == "r7"
    assert [one.request_id for one in by_arr] == ["r1", "r2", "r3"]
    assert [one.request_id for one in by_companies] == ["r6", "r5", "r4"]
    show_rankings(console, by_arr, by="arr", currency="EUR")
    show_rankings(console, by_companies, by="companies", currency="EUR", closed=12)
    assert ["1", "Title", "1", "open", "7,004", "1", "10", "7", "7", "+6"] in lines(console)
    assert ["2", "Title", "6", "open", "2,001", "6", "60", "6", "2", "-4"] in lines(console)
    assert "ARR EUR" in shown(console)
    assert shown(console).count("12 shipped or closed requests are not shown: --all") == 1


@pytest.mark.parametrize("width", [54, 80])
def test_a_narrow_terminal_keeps_titles_and_says_what_it_leaves_out(store, width):
    """Of a ranking the figures beside it go first; before, the titles did."""
    narrow = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    requests = [msgspec.structs.replace(one, arr_prospects=Decimal(5)) for one in read_rankings(store, by="companies")]
    show_rankings(narrow, requests, by="companies", currency="EUR")
    text = shown(narrow)
    # In pieces, where a word of it does not fit beside the others.
    first = [line[:20].split()[0] for line in text.splitlines() if "Title" in line[:20]]
    assert first == [f"{one.rank_by_companies}" for one in requests]
    assert f"left out, this terminal has {width} columns: # ARR, # votes" in flat(text)
    assert max(map(len, text.splitlines())) <= width


def test_no_figure_is_cut_in_a_pipe(store):
    """However long a title is: what reads the lines has no window to make wider. Titles have their own length."""
    titled = [
        msgspec.structs.replace(
            one,
            title="Title " * 30,
            arr=Decimal("123456789012.50"),
            companies_without_rate=1234,
            open_pipeline=Decimal(7),
        )
        for one in read_rankings(store, by="arr")
    ]
    piped = Console(file=StringIO(), width=40, force_terminal=False)
    show_rankings(piped, titled, by="arr", currency="EUR")
    assert shown(piped).count("…") == len(titled)
    assert shown(piped).count("123,456,789,012 + 1,234 without rate") == len(titled)


def test_every_emoji_of_slack_has_a_sign_on_a_terminal_and_in_pictures():
    """Otherwise its name stands there between colons."""
    sent = set(re.findall(r":[a-z_]+:", Path(slack.__file__).read_text(encoding="utf-8")))
    assert len(sent) > 5
    assert sent <= EMOJI.keys()
    assert sent <= SIGNS.keys()


def test_unresolved(console, store):
    """Domains that somebody can map come first, with what to choose between; personal mail and no address last."""
    domains = read_unresolved(store, limit=2)
    assert [(one.email_domain, one.votes) for one in domains] == [("acme.com", 2), ("gmail.com", 3)]
    show_unresolved(console, read_unresolved(store))
    # By name where there is one, and always with the id, which a mapping takes.
    assert "1, Acme (2), acme.com (3), 4 and 2 more" in shown(console)
    assert "(no address)" in shown(console)


def test_plan(console):
    """A plan shows its counts, why it is held, and its first changes with the values before and after."""
    show_plan(
        console,
        {"create": 1, "update": 1, "link": 1200, "unlink": 1},
        OPERATIONS,
        plan_hash="ab12cd",
        reasons=("first apply",),
        limit=3,
    )
    text = shown(console)
    assert "plan ab12cd  1,203 changes: 1 create, 1 update, 1,200 link, 1 unlink" in text
    assert "held: first apply" in text
    assert "8 → 9" in text
    assert "Web → (empty)" in text
    assert "9001 + voted" in text
    assert "unlink " not in text.split("held", 1)[1]
    assert "and 1,200 more changes" in text
    assert "managed_state" not in text
    assert "[red]SSO[/red]" in text


def test_unlink_and_empty_plan(console):
    """A label to be taken off has a minus; a plan without changes is one line."""
    show_plan(console, {"unlink": 1}, OPERATIONS[3:], plan_hash="ab")
    assert "5 - voter" in shown(console)
    empty = Console(file=StringIO(), width=100, force_terminal=True, color_system=None)
    show_plan(empty, {"create": 0}, [], plan_hash="cd")
    assert shown(empty).strip() == "plan cd  0 changes: 0 create"


def test_checks_come_worst_first(console, summary):
    """Errors are listed before warnings, and those before what passed."""
    show_checks(console, summary.checks)
    text = shown(console)
    assert text.index("crm_schema_as_expected") < text.index("company_domains_unique") < text.index("votes_usable")


def test_calls(console):
    """Calls are by endpoint, most first, with the sum of each system and its floor."""
    show_calls(console, CALLS, floor={"canny": 190})
    assert ["canny", "POST", "/v1/votes/list", "200", "0", "2", "1"] in lines(console)
    assert ["canny", "all,", "floor", "190", "205", "0", "2", "1"] in lines(console)
    assert ["hubspot", "all", "33", "12", "0", "0"] in lines(console)


def test_pipe_has_no_box_and_no_wrapping(summary):
    """Without a terminal a row is one line, without drawing characters."""
    console = Console(file=StringIO(), width=40, force_terminal=False)
    show_checks(console, summary.checks)
    assert not set(shown(console)) & set("─│╭╰\x1b")
    assert len(shown(console).splitlines()) == 5


def test_a_plain_check_is_one_line_with_its_remedy(summary):
    """However long a detail is, the remedy at its end is there, on the same line as the check's name."""
    detail = f"3 companies: {', '.join(f'company-{number}' for number in range(60))}; add a rate for XAU"
    check = CheckLine("currency_rates_complete", "domain_resolved_votes", "WARN", passed=False, detail=detail)
    console = Console(file=StringIO(), width=40, force_terminal=False)
    show_checks(console, [check])
    assert f"currency_rates_complete  domain_resolved_votes  {detail}" in shown(console).splitlines()[-1]


def test_a_held_run_says_what_it_would_do(console, summary):
    """The plan's numbers in the words of a dry run, and no zeros that read as done."""
    planned = PlannedChanges(create=1_234, update=5, retire=2, link=4_000, unlink=3)
    held = msgspec.structs.replace(
        summary,
        state="HELD",
        plan=PlanLine("abc", held=True, reasons=("first_apply",), changes=planned),
        feature_requests=RecordNumbers(identified=1_300),
        links=LinkNumbers(desired=4_100),
    )
    show_summary(console, held)
    text = " ".join(shown(console).split())
    assert "1,300 identified, would create 1,234, update 5, retire 2" in text
    assert "4,100 wanted, would link 4,000, unlink 3" in text
    assert "0 created" not in text
