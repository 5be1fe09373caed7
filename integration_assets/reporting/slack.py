"""The Slack message of a run: what happened, in numbers, and what to do when something has to be done.

Slack refuses a message with more than 50 blocks or with a section over 3,000 characters, and one of about 13,000
characters in all ("Block Kit: blocks" and the error `msg_blocks_too_long`, docs.slack.dev). Every part has its share of
that, measured after escaping; what does not fit is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from integration_assets.errors import EndState
from integration_assets.reporting.advice import TODO, release_command
from integration_assets.reporting.alerts import AlertTransition
from integration_assets.reporting.quarantine import QuarantineLine
from integration_assets.reporting.run_summary import (
    CheckLine,
    RunSummary,
    TopRequest,
    arr_words,
    conflict_words,
    has_written,
    iso_utc,
    unapplied_changes,
)
from integration_assets.reporting.text import (
    arr_money,
    clean,
    clip,
    clip_middle,
    closed_words,
    count,
    duration,
    moment,
    percent,
    stage_words,
    status_words,
)

HEADER_LIMIT = 150
PART_LIMIT = 750
REMEDIES_LIMIT = 2_200
"""Longest part of the message; of one whose lines end with a remedy. Three of these, five of the others, three
rankings, a recovery, the header and the small print stay below 13,000."""
MARGIN = 30
"""Characters of a part that are left for the line which counts what does not fit."""
SHORTEST_TITLE = 25
LINE_LIMIT = 210
TITLE_LIMIT = 60
TOP_LIMIT = 600
"""Longest title, and longest part of one ranking: all three together take what two and a half parts may.
Of a ranking that is longer the titles are shortened: one line less would save as much as saying so."""
REASON_LIMIT = 420
"""Longest line that ends with a remedy: three examples with their links, and what to do. More, where there is room."""
_WITH_REMEDIES = frozenset({"*What happened*", "*What to do*", "*Checks*", "*Quarantined*"})
"""Openings of the parts whose lines end with a remedy."""
SHIPPED_LISTED = 15
"""Requests that one message to an owner names; the rest is counted."""
LISTED = 5
"""Checks, reasons and rejects named; the rest is counted."""

_TITLES = {
    EndState.SUCCEEDED: (":white_check_mark:", "succeeded"),
    EndState.SUCCEEDED_WITH_REJECTS: (":warning:", "succeeded with rejects"),
    EndState.HELD: (":raised_hand:", "held, nothing written"),
    EndState.RETRY_LATER: (":hourglass:", "not finished"),
    EndState.FAILED: (":x:", "failed"),
}
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"}


class SummaryExtras(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the message beside the summary.

    `error` is the line that ended the run, `advice` what to do about it (default: by end state), `run_url` the run in
    the Dagster UI, `held_changes` how many changes a held plan has, `notes` and `movers` one line each, `floor` the
    fewest calls by system that the work done needs, `quota` the share of the CRM's daily quota used, from 0 to 1.
    `title` is what the message begins with, `standing` how the end compares with the one people know, `once`: as long
    as it stays like this, they hear of it once. `is_cancelled`: a person ended it; `is_retried`: it is tried again by
    itself.
    """

    title: str = "Feature requests"
    error: str | None = None
    advice: str | None = None
    run_url: str | None = None
    held_changes: int = 0
    notes: tuple[str, ...] = ()
    movers: tuple[str, ...] = ()
    floor: dict[str, int] = {}
    quota: float | None = None
    transition: AlertTransition | None = None
    once: bool = False
    is_cancelled: bool = False
    is_retried: bool = False


def slack_blocks(summary: RunSummary, extra: SummaryExtras) -> tuple[str, list[Block]]:
    """The message of a run: the text of notifications, and the blocks. Within Slack's limits whatever the input."""
    emoji, words = _TITLES[EndState(summary.state)]
    # Before the retry: what a person stopped is not tried again.
    if extra.is_cancelled:
        emoji, words = ":octagonal_sign:", "cancelled"
    elif extra.is_retried:
        words += ", will be tried again"
    # In the title: people who wait for the end of an outage see it in the notification alone.
    if extra.transition is not None and extra.transition.change == "recovered":
        emoji, words = ":large_green_circle:", f"recovered, {words}"
    dry = " (dry run)" if summary.dry_run else ""
    title = f"{extra.title} → {summary.environment}{dry}: {words}"
    parts = (
        _recovered(extra),
        _ending(summary, extra),
        _records(summary, extra),
        _coverage(summary),
        _top("Top by ARR", summary.top.by_arr, summary),
        _top("Top by companies", summary.top.by_companies, summary),
        _top("Top by votes", summary.top.by_votes, summary),
        _listed("Movers", extra.movers),
        _with_remedies("Checks", _failed_checks(summary)),
        _with_remedies("Quarantined", [line.text for line in summary.quarantine]),
        _listed("Rejected", [f"{one.kind} {one.key}: {one.reason}" for one in summary.rejected]),
        _listed("Notes", extra.notes),
    )
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=clip(f"{emoji} {title}", HEADER_LIMIT), emoji=True)),
        _small(_identity(summary, extra)),
        *(SectionBlock(text=_markdown(part)) for part in parts if part),
        DividerBlock(),
        _small(_calls(summary, extra)),
        _small(_freshness(summary)),
    ]
    # The notification has no emoji: outside Slack they would be names between colons.
    return clip(title, HEADER_LIMIT), blocks


def late(
    text: str, blocks: list[dict[str, Any]], *, run_id: str, ended_at: datetime, problem: str | None, maybe: bool
) -> tuple[str, list[dict[str, Any]]]:
    """A message that is posted by a later run: it says so, and of which run it is.

    `problem` is why it was not posted then; `maybe`: it may have been posted all the same.
    """
    # Said first: people must not take it for a second success.
    what = "This may be a repeat" if maybe else "Posted late"
    why = f": {_safe(problem, LINE_LIMIT)}" if problem else ""
    note = _small(f"*{what}*  summary of run {_safe(run_id, 60)}, which ended {moment(iso_utc(ended_at))}{why}")
    return clip(f"{what}, run {run_id}: {text}", HEADER_LIMIT), [note.to_dict(), *blocks]


def alert_blocks(
    title: str, *, recovered: bool, happened: str, advice: str | None, tenant: str, environment: str, at: datetime
) -> tuple[str, list[dict[str, Any]]]:
    """A message about something that is no run: what happened, what to do (with our own code marks), to whom. UTC."""
    emoji = ":large_green_circle:" if recovered else ":rotating_light:"
    lines = [f"*What happened*\n{_with_end(happened, 2 * REASON_LIMIT)}", f"*What to do*\n{advice}" if advice else ""]
    small = f"tenant {_safe(tenant, 70)} · {environment} · {moment(iso_utc(at))}"
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=clip(f"{emoji} {title}", HEADER_LIMIT), emoji=True)),
        *(SectionBlock(text=_markdown(line)) for line in lines if line),
        _small(small),
    ]
    return clip(title, HEADER_LIMIT), [block.to_dict() for block in blocks]


class ShippedLine(msgspec.Struct, frozen=True):
    """A request that shipped, the companies of one owner that asked, and how many of their people did."""

    title: str
    company_names: tuple[str, ...]
    voters: int


def shipped_blocks(owner: str, lines: Sequence[ShippedLine]) -> tuple[str, list[dict[str, Any]]]:
    """The message to an owner of companies about what shipped; "" is the owner of companies without one."""
    title = _shipped_title(clip(clean(owner), TITLE_LIMIT))
    shown = []
    for one in lines[:SHIPPED_LISTED]:
        names = ", ".join(_safe(name, 40) for name in one.company_names[:LISTED])
        more = len(one.company_names) - LISTED
        others = f" and {more:,} more" if more > 0 else ""
        shown.append(f"• *{_safe(one.title, TITLE_LIMIT)}*: {names}{others} ({count(one.voters, 'voter')})")
    if len(lines) > SHIPPED_LISTED:
        shown.append(
            f"• and {count(len(lines) - SHIPPED_LISTED, 'more request')}: `integration-assets shipped` lists them"
        )
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=clip(f":package: {title}", HEADER_LIMIT), emoji=True)),
        # A section for each: all of them in one could be longer than Slack takes.
        *(SectionBlock(text=MarkdownTextObject(text=line, verbatim=True)) for line in shown),
        _small("`integration-assets shipped --voters FILE` writes the addresses of who asked into a file"),
    ]
    # Unlike the header, the text of a notification is markup.
    return _shipped_title(_safe(owner, TITLE_LIMIT)), [block.to_dict() for block in blocks]


def _shipped_title(owner: str) -> str:
    return f"Shipped, and {f'companies of {owner}' if owner else 'companies without an owner'} asked for it"


def repeated(text: str, blocks: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """A message of which nobody knows whether it arrived, sent once more."""
    return clip(f"This may be a repeat: {text}", HEADER_LIMIT), [_small("*This may be a repeat*").to_dict(), *blocks]


# ------------------------------------------------------------------------------------------------------------- parts


def _identity(summary: RunSummary, extra: SummaryExtras) -> str:
    run = f"run {_safe(summary.run_id, 60)}"
    # A link breaks the markup with these characters; without it the run's id still finds the run.
    if extra.run_url and len(extra.run_url) <= 500 and not set(extra.run_url) & set("<>| \n"):
        run = f"<{extra.run_url}|{run}>"
    words = [
        f"tenant {_safe(summary.tenant, 70)}",
        summary.environment,
        f"took {duration(summary.duration_seconds)}",
        f"started {moment(summary.started_at)}",
        run,
    ]
    return " · ".join(words)


def _recovered(extra: SummaryExtras) -> str:
    """Say what is over; empty when nothing was wrong before."""
    before = (
        extra.transition.before if extra.transition is not None and extra.transition.change == "recovered" else None
    )
    # Nothing was announced as broken: a recovery from nothing would only raise questions.
    if before is None:
        return ""
    how_often = f"{count(before.times, 'run')} since {moment(iso_utc(before.since))}"
    return f"*Recovered*\n{how_often} did not get through: {_safe(before.said, LINE_LIMIT)}"


def _ending(summary: RunSummary, extra: SummaryExtras) -> str:
    """Say what happened and what to do; empty when all went well."""
    state = EndState(summary.state)
    if state is EndState.SUCCEEDED:
        return ""
    reasons = summary.plan.reasons
    # The error of a held run repeats its reasons: they are listed once.
    is_repeated = bool(reasons) and all(reason in (extra.error or "") for reason in reasons)
    happened = [extra.error] if extra.error and not is_repeated else []
    # our own advice has code marks in it, which escaping would take away
    advice = _with_end(extra.advice, REASON_LIMIT) if extra.advice else TODO[state]
    # Runs by schedule tell a change only: people have to know that silence is not success.
    if extra.once and state is not EndState.SUCCEEDED_WITH_REJECTS:
        advice += " The next message comes when this changes."
    todo = f"*What to do*\n{advice}{_release(summary)}"
    what = _with_remedies("What happened", (*happened, *reasons), room=REMEDIES_LIMIT - len(todo))
    return "\n".join(part for part in (what, todo) if part)


def _release(summary: RunSummary) -> str:
    """Say how to release a plan the guard holds."""
    command = release_command(summary)
    return f" If the plan is meant, release it: `{command}`." if command else ""


def _records(summary: RunSummary, extra: SummaryExtras) -> str:
    records, links = summary.feature_requests, summary.links
    if not (records.identified or links.desired or summary.quarantined or summary.plan.hash):
        return ""  # it ended before anything was compared: rows of zeros say less than nothing
    would = unapplied_changes(summary)
    # A run may have written one plan and hold the next: then both are said, what was done first.
    changed, linked = ([would.records_text], [would.links_text]) if would else ([], [])
    if would is None or has_written(summary):
        changed.insert(0, f"{records.created:,} created, {records.updated:,} updated, {records.retired:,} retired")
        linked.insert(0, f"{links.created:,} linked, {links.removed:,} unlinked")
    changed.append(f"{records.unchanged:,} unchanged, {records.rejected:,} rejected")
    linked.append(f"{links.unchanged:,} unchanged, {links.rejected:,} rejected")
    lines = [
        f"*Requests*  {records.identified:,} identified: {'; '.join(changed)}",
        f"*Links*  {links.desired:,} wanted: {'; '.join(linked)}",
    ]
    # Zeros of a run that wrote nothing would read like a failed verification.
    if has_written(summary) or not (summary.dry_run or summary.plan.held):
        lines.append(f"*Verified by reading back*  {records.verified:,} requests, {links.verified:,} links")
    if summary.plan.held:
        # Where an approved plan was applied before the hold, "nothing" would be wrong.
        nothing = "nothing more was written" if has_written(summary) else "nothing was written"
        held = f"{count(extra.held_changes, 'change')}, " if extra.held_changes else ""
        lines.append(f"*Held*  {held}{count(len(summary.plan.reasons), 'reason')}; {nothing}")
    if summary.conflicts:
        lines.append(f"*Conflicts*  {conflict_words(summary.conflicts)}")
    if summary.quarantined:
        stages = ", ".join(
            f"{number:,} {_safe(stage_words(stage), 60)}" for stage, number in summary.quarantined.items()
        )
        lines.append(f"*Quarantined*  {clip(stages, 300)}")
    return "\n".join(lines)


def _coverage(summary: RunSummary) -> str:
    votes = summary.votes
    # An undo reads no votes: a share of nothing would look like lost coverage.
    if not votes.total:
        return ""
    matched = (
        f"*Votes*  {votes.matched:,} of {votes.total:,} matched to a company ({percent(votes.matched, votes.total)})"
    )
    by_method = ", ".join(f"{_word(name)} {number:,}" for name, number in votes.by_method.items())
    unmatched = ", ".join(f"{_word(name)} {number:,}" for name, number in votes.unmatched.items())
    lines = [
        matched,
        f"by {clip(by_method, 200)}" if by_method else "",
        f"not: {clip(unmatched, 200)}" if unmatched else "",
        f"*ARR*  {_safe(arr, LINE_LIMIT)}" if (arr := arr_words(summary.arr, summary.currency)) else "",
    ]
    return "\n".join(line for line in lines if line)


def _word(name: str) -> str:
    return _safe(name.replace("_", " "), 60)


def _top(heading: str, requests: Sequence[TopRequest], summary: RunSummary) -> str:
    closed = f" ({closed_words(summary.top.closed)} not shown)" if summary.top.closed else ""
    if not requests:
        return ""
    text, width = "", TITLE_LIMIT
    while not text or (len(text) > TOP_LIMIT - MARGIN and width >= SHORTEST_TITLE):
        lines = [_top_line(number, request, summary.currency, width) for number, request in enumerate(requests, 1)]
        text, width = "\n".join([f"*{heading}*{closed}", *lines]), width - 1
    return text


def _top_line(number: int, request: TopRequest, currency: str, width: int) -> str:
    arr = arr_money(request.arr, currency, request.companies_without_rate)
    numbers = f"{arr}, {count(request.companies, 'company', 'companies')}"
    title = _safe(request.title, width)
    # A summary of an earlier version has neither place nor status nor votes.
    if not request.place:
        return f"{number}. {title}: {numbers}"
    # By its place among all, as everywhere else.
    status = status_words(request.status)
    return f"{request.place:,}. {title} ({status}): {numbers}, {count(request.votes, 'vote')}"


def _failed_checks(summary: RunSummary) -> list[str]:
    # Warnings about quarantined records say what the part below says of each reason.
    failed = sorted(
        (one for one in summary.checks if not (one.passed or _repeats(one, summary.quarantine))),
        key=lambda check: check.severity,
    )
    return [f"{check.severity.lower()}: {check.name}: {check.detail}" for check in failed]


def _repeats(check: CheckLine, lines: Sequence[QuarantineLine]) -> bool:
    # By what it says: other checks of the same asset, and errors, have more to say.
    return check.severity == "WARN" and any(
        line.stage == check.asset and clean(line.text) in clean(check.detail) for line in lines
    )


def _with_remedies(heading: str, lines: Sequence[str], *, room: int = REMEDIES_LIMIT) -> str:
    """Lines that end with what to do: examples are shortened before it, and what is left out is counted."""
    room -= len(heading) + 30  # marks, and the line that counts the rest
    # Fewer lines where there is little room: half a remedy helps less than one whole.
    named = lines[: min(LISTED, max(1, room // (REASON_LIMIT // 2)))]
    each = room // max(1, len(named)) - 3  # the bullet
    shown = [f"• {_with_end(line, each)}" for line in named]
    if len(lines) > len(named):
        shown.append(f"• and {len(lines) - len(named):,} more")
    return "\n".join([f"*{heading}*", *shown]) if shown else ""


def _listed(heading: str, lines: Sequence[str]) -> str:
    shown = [f"• {_with_end(line, LINE_LIMIT)}" for line in lines[:LISTED]]
    if len(lines) > LISTED:
        shown.append(f"• and {len(lines) - LISTED:,} more")
    return "\n".join([f"*{heading}*", *shown]) if shown else ""


def _calls(summary: RunSummary, extra: SummaryExtras) -> str:
    words = []
    for system, calls in summary.api_calls.items():
        writes = f", {calls.writes:,} writes" if isinstance(calls.writes, int) else ""
        floor = f", floor {extra.floor[system]:,}" if system in extra.floor else ""
        repeats = f"{calls.retried:,} retried, {calls.throttled:,} throttled"
        words.append(f"{_safe(system, 40)} {calls.total:,} ({repeats}{writes}{floor})")
    quota = f" · {extra.quota:.1%} of the CRM's daily quota" if extra.quota is not None else ""
    return f"Calls: {clip(' · '.join(words), 600)}{quota}"


def _freshness(summary: RunSummary) -> str:
    fresh = summary.freshness
    return f"Votes as of {moment(fresh.votes_as_of)} · companies as of {moment(fresh.companies_as_of)}"


# -------------------------------------------------------------------------------------------------------- formatting


def _safe(text: str, limit: int) -> str:
    """Text from outside, harmless in Slack's markup, in at most `limit` characters after escaping."""
    escaped = [_ESCAPES.get(character, character) for character in clean(text)]
    if sum(map(len, escaped)) <= limit:
        return "".join(escaped)
    # By pieces: a cut inside an escape such as `&amp;` would show its half.
    kept, room = [], limit - 1
    for piece in escaped:
        if len(piece) > room:
            break
        kept.append(piece)
        room -= len(piece)
    return "".join(kept).rstrip() + "…"


def _with_end(text: str, limit: int) -> str:
    """Text from outside as `_safe` makes it, shortened in its middle: the end of a line says what to do."""
    text, room = clean(text), limit
    # Escaping lengthens the text: so much less of it is kept.
    while len(shown := _safe(clip_middle(text, room), 10 * limit)) > limit and room > 20:
        # By a fifth of what is over: an escape is at most five characters for one.
        room -= max(1, (len(shown) - limit) // 5)
    return _safe(shown, limit) if len(shown) > limit else shown


def _markdown(text: str) -> MarkdownTextObject:
    # verbatim: Slack makes no link of what merely looks like one
    return MarkdownTextObject(text=_whole_lines(text), verbatim=True)


def _whole_lines(text: str) -> str:
    """The text, or as many of its lines as fit in one part, and how many did not."""
    lines = text.split("\n")
    most = REMEDIES_LIMIT if lines[0] in _WITH_REMEDIES else PART_LIMIT
    if lines[0].startswith("*Top by "):
        most = TOP_LIMIT
    while len("\n".join(lines)) > most - MARGIN:
        # Whole lines: a cut in the middle of one could break its markup.
        lines.pop()
    left = text.count("\n") + 1 - len(lines)
    return "\n".join(lines) + (f"\n… {count(left, 'line')} more" if left else "")


def _small(text: str) -> ContextBlock:
    return ContextBlock(elements=[MarkdownTextObject(text=text, verbatim=True)])
