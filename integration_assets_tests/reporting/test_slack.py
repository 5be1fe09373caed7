"""The Slack message says what happened, fits Slack's limits whatever the input, and never changes a run's result."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from slack_sdk import WebClient
from slack_sdk.models.blocks import Block

from integration_assets.config import load_settings
from integration_assets.errors import EndState
from integration_assets.models import Rejected
from integration_assets.reporting.alerts import AlertTransition
from integration_assets.reporting.quarantine import QuarantineLine
from integration_assets.reporting.run_summary import (
    CheckLine,
    ConflictLine,
    Freshness,
    LinkNumbers,
    PlanLine,
    PlannedChanges,
    RecordNumbers,
    RunSummary,
    SystemCalls,
    Top,
    TopRequest,
    VoteNumbers,
)
from integration_assets.reporting.slack import SummaryExtras, alert_blocks, late, slack_blocks
from integration_assets.reporting.slack_posting import DeliveryStatus, check_slack, post_message
from integration_assets.reporting.slack_preview import show_slack
from integration_assets.sandbox.slack.blocks import check_blocks
from integration_assets_tests.reporting.conftest import STARTED
from integration_assets_tests.support.waiting import PATIENCE_SECONDS


def texts(blocks: list[Block]) -> list[str]:
    """All text of a message, block by block."""
    found = []
    for block in (one.to_dict() for one in blocks):
        found += [part["text"] for part in [block.get("text"), *block.get("elements", ())] if part]
    return found


def message(summary: RunSummary, **extra: Any) -> str:
    return "\n".join(texts(slack_blocks(summary, SummaryExtras(**extra))[1]))


def test_message_of_a_run(summary):
    """Environment, end state, duration, numbers, coverage, both rankings, calls and freshness are in the message."""
    text, blocks = slack_blocks(summary, SummaryExtras(floor={"canny": 400}, quota=0.031, movers=("SSO up 3",)))
    shown = "\n".join(texts(blocks))
    assert text == "Feature requests → production: succeeded with rejects"
    for part in (
        "tenant default · production · took 3 min 23 s",
        "500 identified: 20 created, 133 updated, 1 retired; 345 unchanged, 1 rejected",
        "18,000 wanted: 400 linked, 12 unlinked; 17,500 unchanged, 3 rejected",
        "153 requests, 409 links",
        "17,950 of 20,000 matched to a company (89.8%)",
        "by host 17,000, contact 950",
        "not: personal email 2,050",
        "*Top by ARR*\n1. Single sign-on: 4,120,346 USD, 1,204 companies",
        "*Top by companies*\n1. Export &lt;b&gt;now&lt;/b&gt; &amp; 'rm -rf': 999.99 USD, 312 companies",
        "*Movers*\n• SSO up 3",
        "• error: crm_schema_as_expected: arr: type is string\n• warn: company_domains_unique",
        "• feature_request canny:r9: title is too long",
        "canny 412 (3 retried, 1 throttled, floor 400) · hubspot 1,033 (4 retried, 2 throttled, 312 writes)",
        "3.1% of the CRM's daily quota",
        "Votes as of 2026-03-01 11:30 UTC",
    ):
        assert part in shown


def test_good_run_asks_for_nothing(summary):
    """When all went well there is no advice."""
    assert "What to do" not in message(msgspec.structs.replace(summary, state="SUCCEEDED"))


def test_dry_run_says_would(summary):
    """A dry run says so in the heading, speaks of what would be, and claims nothing as verified."""
    shown = message(msgspec.structs.replace(summary, state="SUCCEEDED", dry_run=True))
    assert "production (dry run): succeeded" in shown
    assert "would create 20" in shown
    assert "Verified" not in shown


def test_held_run_says_why_and_how_to_release(summary):
    """A held run names its reasons, how many changes wait, the plan and the command that releases it."""
    plan = PlanLine("ab12cd34ef5678", held=True, reasons=("first apply to a production portal",))
    shown = message(msgspec.structs.replace(summary, state="HELD", plan=plan), held_changes=1234)
    assert "• first apply to a production portal" in shown
    assert "`integration-assets approve ab12cd34ef56 --environment production`" in shown
    assert "1,234 changes, 1 reason; nothing was written" in shown


def test_held_run_says_what_it_would_do(summary):
    """The plan's numbers, in the words of a dry run."""
    plan = PlanLine("ab12", held=True, reasons=("first_apply",), changes=PlannedChanges(7, 6, 5, 4, 3))
    held = msgspec.structs.replace(
        summary, state="HELD", plan=plan, feature_requests=RecordNumbers(identified=20), links=LinkNumbers(desired=9)
    )
    shown = message(held)
    assert "20 identified: would create 7, update 6, retire 5; 0 unchanged" in shown
    assert "9 wanted: would link 4, unlink 3; 0 unchanged" in shown
    assert "0 created" not in shown


def test_long_lines_lose_examples_and_never_the_remedy(summary):
    """Five checks that are each longer than their share: every one still ends with what to do."""
    remedies = [f"set INTEGRATION_ASSETS_SETTING_{number} to what is meant, or map it by hand" for number in range(5)]
    checks = tuple(
        CheckLine(f"check_{number}", "raw", "WARN", passed=False, detail=f"seen: {'example & more, ' * 80}x; {remedy}")
        for number, remedy in enumerate(remedies)
    )
    reasons = tuple(f"check_{number}: {'example, ' * 80}x; {remedy}" for number, remedy in enumerate(remedies))
    shown = message(
        msgspec.structs.replace(summary, state="HELD", checks=checks, plan=PlanLine(None, held=True, reasons=reasons))
    )
    for remedy in remedies:
        assert shown.count(f" … {remedy}") == 2, remedy
    assert "*What to do*" in shown


def test_failed_run_says_what_and_what_to_do(summary):
    """A failure shows its line and advice, and no rows of zeros."""
    failed = msgspec.structs.replace(
        summary,
        state="FAILED",
        feature_requests=RecordNumbers(),
        links=LinkNumbers(),
        votes=VoteNumbers(),
        quarantined={},
        plan=PlanLine(),
    )
    shown = message(failed, error="HubSpot token rejected (401)", advice="Replace HUBSPOT_PRODUCTION_TOKEN")
    assert "*What happened*\n• HubSpot token rejected (401)" in shown
    assert "*What to do*\nReplace HUBSPOT_PRODUCTION_TOKEN" in shown
    assert "identified" not in shown


def test_run_link(summary):
    """The run is linked; an address that would break out of the link is not."""
    assert "<http://127.0.0.1:3000/runs/1|run 3f2c9a1e>" in message(summary, run_url="http://127.0.0.1:3000/runs/1")
    assert "|" not in message(summary, run_url="http://x/|y> <!channel")


def test_a_ranking_is_whole_with_shorter_titles(summary):
    """Five lines of five, whatever their titles: one line less would save as much as saying so."""
    long = tuple(
        TopRequest(f"r{place}", "Title " * 20, 545, "36127616.00", 4, "under_review", place, 869)
        for place in range(1, 6)
    )
    _, blocks = slack_blocks(msgspec.structs.replace(summary, top=Top(long, long, long, 85)), SummaryExtras())
    tops = [text for text in texts(blocks) if text.startswith("*Top by")]
    assert [len(text.splitlines()) for text in tops] == [6, 6, 6]
    assert not any("more" in text for text in tops)
    assert all("Title Title Title" in line for text in tops for line in text.splitlines()[1:])


@pytest.mark.parametrize("title", ["<!channel> hi", "a\u202eb\u200bc", "mail me a@b.com", "<http://evil|ok>"])
def test_titles_are_harmless(summary, title):
    """A title mentions nobody, links nowhere, reorders nothing and shows no address."""
    top = Top((TopRequest("r", title, 1, "1"),), ())
    shown = message(msgspec.structs.replace(summary, top=top))
    line = next(line for line in shown.split("\n") if line.startswith("1. "))
    assert not set(line) & {"<", ">", "\u202e", "\u200b", "@"}


def test_rankings_show_open_requests_with_status_and_what_is_left_out(summary):
    """Each of the three rankings has places among all requests, and counts what is shipped or closed."""
    sso = TopRequest("r1", "Single sign-on", 3, "99000.00", status="in_progress", place=6, votes=40)
    shown = message(msgspec.structs.replace(summary, top=Top((sso,), (sso,), (sso,), closed=5)))
    for heading in ("ARR", "companies", "votes"):
        assert f"*Top by {heading}* (5 shipped or closed requests not shown)" in shown
    assert shown.count("6. Single sign-on (in progress): 99,000 USD, 3 companies, 40 votes") == 3


nasty = st.text(st.sampled_from("a&<>` \n\u202e@.é*"), max_size=400) | st.just("&" * 5000)
nasty_list = st.lists(nasty, max_size=12)
numbers = st.dictionaries(nasty, st.integers(0, 10**12), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    state=st.sampled_from(list(EndState)),
    strings=st.tuples(nasty, nasty, nasty, nasty),
    lists=st.tuples(nasty_list, nasty_list, nasty_list, nasty_list),
    tallies=st.tuples(numbers, numbers, numbers),
)
def test_message_fits_whatever_comes(state, strings, lists, tallies):
    """At most 50 blocks, 3,000 characters a section and 13,000 in all, and every block is one Slack accepts."""
    reasons, notes, movers, titles = lists
    run_id, tenant, error, system = strings
    top = tuple(
        TopRequest(title[:10], title, 10**9, "9" * 11, 10**6, "under_review", 10**6, 10**9) for title in titles[:5]
    )
    big = 10**12
    summary = RunSummary(
        version=1,
        run_id=run_id,
        tenant=tenant,
        environment="production",
        state=state.value,
        dry_run=False,
        started_at="2026-03-01T11:30:00Z",
        duration_seconds=1e6,
        api_calls={"canny": SystemCalls(big), "hubspot": SystemCalls(big, big, big, big), system: SystemCalls()},
        feature_requests=RecordNumbers(big, big, big, big, big, big, big),
        links=LinkNumbers(big, big, big, big, big, big),
        votes=VoteNumbers(big, 1, tallies[0], tallies[1]),
        checks=tuple(CheckLine(text, text, "ERROR", passed=False, detail=text) for text in titles),
        rejected=tuple(Rejected(text, text, text) for text in titles),
        conflicts=(),
        quarantined=tallies[2],
        currency="USD",
        plan=PlanLine("f" * 64, held=True, reasons=tuple(reasons)),
        top=Top(top, top, top, 10**6),
        freshness=Freshness(),
    )
    extra = SummaryExtras(error=error, run_url="http://x/" + "y" * 480, notes=tuple(notes), movers=tuple(movers))
    _, blocks = slack_blocks(summary, extra)
    assert len(blocks) <= 50
    for block in blocks:
        block.validate_json()
    assert max(map(len, texts(blocks))) <= 3000
    assert sum(map(len, texts(blocks))) < 13_000
    plain = [block.to_dict() for block in blocks]
    _, late_blocks = late("t", plain, run_id=run_id, ended_at=STARTED, problem=error, maybe=True)
    check_blocks(late_blocks)
    assert len(late_blocks) == len(blocks) + 1
    assert sum(map(len, texts(Block.parse_all(late_blocks)))) < 13_000


def test_late_message_says_so(summary):
    """A message posted by a later run says that it is late or a repeat, of which run it is, and why."""
    text, blocks = slack_blocks(summary, SummaryExtras())
    plain = [block.to_dict() for block in blocks]
    late_text, shown = late(text, plain, run_id="run1", ended_at=STARTED, problem="Slack <was> down", maybe=False)
    assert late_text == f"Posted late, run run1: {text}"
    note = shown[0]["elements"][0]["text"]
    assert note == "*Posted late*  summary of run run1, which ended 2026-03-01 11:30 UTC: Slack &lt;was&gt; down"
    assert shown[1:] == plain
    repeat_text, repeat = late(text, plain, run_id="run1", ended_at=STARTED, problem=None, maybe=True)
    assert repeat_text.startswith("This may be a repeat, run run1: ")
    assert repeat[0]["elements"][0]["text"].startswith("*This may be a repeat*")


def test_what_does_not_fit_is_counted(summary):
    """Of many rejects five are named, and the others counted."""
    many = tuple(Rejected("link", f"canny:r{number}", "gone") for number in range(1200))
    shown = message(msgspec.structs.replace(summary, rejected=many))
    assert shown.count("• link canny:r") == 5
    assert "• and 1,195 more" in shown


# ------------------------------------------------------------------------------------------------------------ sending


class _Slack(BaseHTTPRequestHandler):
    answer: tuple[int, bytes] = (200, b"")
    received: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(json.loads(body) if body else None)
        self.send_response(self.answer[0])
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(self.answer[1])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@contextmanager
def slack_answering(status: int, body: bytes) -> Iterator[tuple[WebClient, list[Any]]]:
    received: list[Any] = []
    handler = type("Handler", (_Slack,), {"answer": (status, body), "received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield (
            WebClient("xoxb-1", base_url=f"http://127.0.0.1:{server.server_port}/api/", timeout=int(PATIENCE_SECONDS)),
            received,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_summary_is_posted(summary):
    """Channel, fallback text and blocks arrive, and links are not unfolded."""
    text, blocks = slack_blocks(summary, SummaryExtras())
    with slack_answering(200, b'{"ok": true}') as (client, received):
        posting = post_message(client, "C1", text, [block.to_dict() for block in blocks], run_id="run1")
    assert (posting.delivery_status, posting.line) == (DeliveryStatus.POSTED, None)
    [sent] = received
    assert sent["metadata"] == {"event_type": "integration_assets_run", "event_payload": {"run_id": "run1"}}
    assert (sent["channel"], sent["text"], sent["unfurl_links"]) == ("C1", text, False)
    assert sent["blocks"] == [block.to_dict() for block in blocks]


@pytest.mark.parametrize(
    ("status", "body", "delivery_status", "line"),
    [
        (200, b'{"ok": false, "error": "not_in_channel"}', DeliveryStatus.NOT_POSTED, "not_in_channel; invite the app"),
        (
            200,
            b'{"ok": false, "error": "invalid_auth"}',
            DeliveryStatus.NOT_POSTED,
            "invalid_auth; replace SLACK_BOT_TOKEN",
        ),
        (200, b'{"ok": false, "error": "odd"}', DeliveryStatus.NOT_POSTED, "Slack refused the message: odd"),
        (200, b'{"ok": false, "error": "invalid_blocks"}', DeliveryStatus.UNPOSTABLE, "invalid_blocks"),
        (200, b'{"ok": false, "error": "fatal_error"}', DeliveryStatus.UNCERTAIN, "fatal_error"),
        (404, b"no_team", DeliveryStatus.NOT_POSTED, "status 404"),
        (500, b"<html>", DeliveryStatus.UNCERTAIN, "Slack"),
        (504, b'{"ok": false, "error": "timeout"}', DeliveryStatus.UNCERTAIN, "timeout"),
        (200, b"<html>", DeliveryStatus.UNCERTAIN, "Slack"),
    ],
)
def test_refusal_is_one_line(summary, status, body, delivery_status, line):
    """Whatever Slack answers, sending returns what became of the message and one line, and raises nothing."""
    with slack_answering(status, body) as (client, _):
        text, blocks = slack_blocks(summary, SummaryExtras())
        posting = post_message(client, "C1", text, [block.to_dict() for block in blocks], run_id="run1")
    assert posting.delivery_status is delivery_status
    error = posting.line
    assert error is not None
    assert line in error
    assert "\n" not in error
    assert "xoxb" not in error


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"ok": true}', None),
        (b'{"ok": false, "error": "token_revoked"}', "Slack refused the token: token_revoked; replace SLACK_BOT_TOKEN"),
    ],
)
def test_token_is_checked_without_posting(body, line):
    """A valid token is no problem; a refused one is one line with the remedy."""
    with slack_answering(200, body) as (client, _):
        settings = load_settings(slack_bot_token="xoxb-1", slack_base_url=client.base_url.rstrip("/"))
        assert check_slack(settings) == line


def test_unreachable_slack_is_one_line(summary):
    """Nobody listening is a line, too."""
    client = WebClient("xoxb-1", base_url="http://127.0.0.1:9/api/", timeout=int(PATIENCE_SECONDS))
    client.retry_handlers.clear()
    text, blocks = slack_blocks(summary, SummaryExtras())
    posting = post_message(client, "C1", text, [block.to_dict() for block in blocks], run_id="run1")
    said = "Slack could not be reached ([Errno 111] Connection refused)"
    assert (posting.delivery_status, posting.line) == (DeliveryStatus.NOT_POSTED, said)


@pytest.mark.parametrize("terminal", [True, False])
def test_preview_shows_the_message_as_read(summary, terminal):
    """On a terminal and in a pipe the message reads as in Slack: no markup, entities or emoji names."""
    out = StringIO()
    show_slack(
        Console(file=out, width=100, force_terminal=terminal, color_system=None),
        *slack_blocks(summary, SummaryExtras()),
    )
    shown = out.getvalue()
    assert "Export <b>now</b> & 'rm -rf'" in shown
    assert "Top by ARR" in shown
    assert "*Top" not in shown
    assert ":warning:" not in shown


def test_preview_knows_every_emoji_of_the_messages(summary):
    """Whatever a message begins with: its name between colons is never shown."""
    recovered = AlertTransition(change="recovered")
    headers = [
        slack_blocks(msgspec.structs.replace(summary, state=state.value), extra)[1][0]
        for state in EndState
        for extra in (SummaryExtras(), SummaryExtras(is_cancelled=True), SummaryExtras(transition=recovered))
    ]
    for over in (True, False):
        _, blocks = alert_blocks(
            "Title", recovered=over, happened="", advice=None, tenant="t", environment="e", at=STARTED
        )
        headers += Block.parse_all(blocks[:1])
    for header in headers:
        out = StringIO()
        show_slack(Console(file=out, width=100, color_system=None), "", [header])
        assert not re.search(r":[a-z_]+:", out.getvalue()), out.getvalue()


def test_the_remedy_of_what_is_quarantined_is_never_cut_off(summary):
    """Three long links leave room for what to do."""
    examples = tuple(f"{'5f' * 12} (https://feedback.example/admin/board/ideas/p/{'w' * 40}-{n})" for n in range(3))
    line = QuarantineLine("raw_feature_requests", "feature_request", "no title", 3, 0, examples, "give it a title")
    _, blocks = slack_blocks(msgspec.structs.replace(summary, quarantine=(line,)), SummaryExtras())
    [part] = [text for text in texts(blocks) if text.startswith("*Quarantined*\n")]
    assert part.endswith("give it a title")


def test_only_a_check_that_says_what_is_quarantined_is_left_out(summary):
    """A warning of the same asset about something else is told beside the quarantined figures."""
    line = QuarantineLine("domain_resolved_votes", "arr", "negative", 1, 0, ("crm:1",), "correct the figure")
    domains = "'shop.example' of 7, ARR 88,888 USD; add it to INTEGRATION_ASSETS_BUSINESS_DOMAINS"
    checks = (
        CheckLine("resolution_usable", "domain_resolved_votes", "WARN", False, line.text),
        CheckLine("company_domains_usable", "domain_resolved_votes", "WARN", False, domains),
    )
    shown = message(msgspec.structs.replace(summary, quarantine=(line,), checks=checks))
    assert f"company_domains_usable: {domains}" in shown
    assert shown.count(line.text) == 1


def test_an_association_that_stays_is_no_edited_field(summary):
    """Fields that people edited and associations without our label are counted apart."""
    pairs = tuple(ConflictLine("canny:r3", f"company:{number}", "kept") for number in (1, 2))
    shown = message(msgspec.structs.replace(summary, conflicts=(*summary.conflicts, *pairs)))
    assert "*Conflicts*  1 field edited by people in the CRM, 2 associations kept without our label" in shown
    assert "1 field" not in message(msgspec.structs.replace(summary, conflicts=pairs))
