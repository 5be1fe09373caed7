"""The run summary as Markdown, for the page of a CI job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from integration_assets.errors import ConfigurationError, EndState
from integration_assets.reporting.advice import TODO, release_command
from integration_assets.reporting.run_summary import (
    RunSummary,
    SystemCalls,
    arr_words,
    has_written,
    unapplied_changes,
)
from integration_assets.reporting.text import (
    arr_money,
    clean,
    clip,
    closed_words,
    duration,
    moment,
    percent,
    status_words,
)

LISTED = 20
"""Rejects that are named; the rest is counted."""
TITLE = 160
"""Most characters of a title. Nothing else is cut: reasons and details end with the remedy."""
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", **{sign: f"\\{sign}" for sign in "\\`*_{}[]()#+!|~="}}
"""Characters that Markdown, HTML or the host would take for more than a character."""


def read_summary(path: Path) -> RunSummary:
    """The summary a run wrote to a file.

    Raises:
        ConfigurationError: there is none, or it is no run summary.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunSummary)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    # Without the decoder's text, which may quote the file.
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{path} is no run summary: give what --json wrote") from error


def summary_markdown(summary: RunSummary) -> str:
    """State, reasons and what to do, numbers, coverage, top requests, failed checks, rejects and calls."""
    state = EndState(summary.state)
    title = f"{summary.tenant} → {summary.environment}: {state.value.replace('_', ' ').lower()}"
    facts = f"{moment(summary.started_at)}, took {duration(summary.duration_seconds)}, run `{clean(summary.run_id)}`"
    parts = [
        f"### {safe(title)}{' (dry run)' if summary.dry_run else ''}",
        facts,
        # Reasons quote titles of requests: as they are, they could bring markup and mentions into the page.
        "\n".join(f"- {safe(reason)}" for reason in summary.plan.reasons),
        _advice(summary, state),
        _numbers(summary),
        _coverage(summary),
        _top(summary),
        _checks(summary),
        _rejected(summary),
        _quarantine(summary),
        _table(["system", "calls", "writes", "repeated", "throttled"], _calls(summary)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _advice(summary: RunSummary, state: EndState) -> str:
    release = release_command(summary)
    hint = f" If the plan is meant, release it: `{release}`." if release else ""
    # A run that succeeded asks for nothing.
    return f"**What to do:** {TODO[state]}{hint}" if state in TODO else ""


def _numbers(summary: RunSummary) -> str:
    records, links = summary.feature_requests, summary.links
    # It ended before anything was compared: rows of zeros say less than nothing.
    if not (records.identified or links.desired or summary.plan.hash):
        return ""
    would = unapplied_changes(summary)
    planned = ""
    if would is not None:
        planned = f"{would.records_text}; {would.links_text}.\n\n".capitalize()
    heads = ["", "found", "created", "updated", "taken away", "unchanged", "rejected", "verified"]
    # What was not done is said in words above: a table of it would read as done.
    done = would is None or has_written(summary)
    record_cells = (records.created, records.updated, records.retired) if done else ("-", "-", "-")
    link_cells = (links.created, "-", links.removed) if done else ("-", "-", "-")
    rows: list[Sequence[object]] = [
        ("requests", records.identified, *record_cells, records.unchanged, records.rejected, records.verified),
        ("links", links.desired, *link_cells, links.unchanged, links.rejected, links.verified),
    ]
    plan = f"\n\nPlan `{summary.plan.hash}`{', held' if summary.plan.held else ''}." if summary.plan.hash else ""
    return planned + _table(heads, rows) + plan


def _coverage(summary: RunSummary) -> str:
    votes = summary.votes
    # An undo or an early end has no votes: a share of nothing would look like lost coverage.
    if not votes.total:
        return ""
    share = percent(votes.matched, votes.total)
    lost = ", ".join(f"{safe(name.replace('_', ' '))} {number:,}" for name, number in votes.unmatched.items())
    arr = arr_words(summary.arr, summary.currency)
    matched = f"{votes.matched:,} of {votes.total:,} votes matched to a company ({share}). Not: {lost or 'none'}."
    return f"{matched}\n\nARR: {safe(arr)}." if arr else matched


def _top(summary: RunSummary) -> str:
    rows = [
        (
            clip(clean(one.title), TITLE),
            # A summary of an earlier version has none.
            status_words(one.status) if one.status else "-",
            one.companies,
            arr_money(one.arr, summary.currency, one.companies_without_rate),
        )
        for one in summary.top.by_arr
    ]
    table = _table(["first by ARR", "status", "companies", "ARR"], rows)
    left_out = closed_words(summary.top.closed)
    return f"{table}\n\n{left_out} not shown: `rankings --all`" if table and left_out else table


def _checks(summary: RunSummary) -> str:
    # By name of the severity: errors stand before warnings in the alphabet too.
    failed = sorted((one for one in summary.checks if not one.passed), key=lambda one: one.severity)
    return _table(["", "check", "seen"], [(one.severity.lower(), one.name, one.detail) for one in failed])


def _rejected(summary: RunSummary) -> str:
    rows = [(one.kind, one.key, one.reason) for one in summary.rejected[:LISTED]]
    # The rest is counted: a page of a CI job is cut without a word where it is too long.
    left = len(summary.rejected) - LISTED
    more = f"\n\nand {left:,} more" if left > 0 else ""
    return _table(["rejected", "key", "why"], rows) + more


def _quarantine(summary: RunSummary) -> str:
    rows = [
        (one.records, one.kind.replace("_", " "), one.reason.replace("_", " "), ", ".join(one.examples), one.remedy)
        for one in summary.quarantine[:LISTED]
    ]
    left = len(summary.quarantine) - LISTED
    more = f"\n\nand {left:,} more reasons" if left > 0 else ""
    return _table(["quarantined", "what", "why", "for example", "what to do"], rows) + more


def _calls(summary: RunSummary) -> list[Sequence[object]]:
    return [(name, one.total, _writes(one), one.retried, one.throttled) for name, one in summary.api_calls.items()]


def _writes(calls: SystemCalls) -> object:
    # Unset for the feedback system, into which nothing is ever written.
    return calls.writes if isinstance(calls.writes, int) else "-"


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table whose numbers stand at the right; nothing without rows."""
    if not rows:
        return ""
    # By the first row: all rows of a column are of one type.
    right = ["--:" if isinstance(cell, int) else "---" for cell in rows[0]]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(right)} |"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else safe(str(value))


def safe(text: str) -> str:
    """Text from outside as text: no markup, no mention, no address, one line."""
    return "".join(_ESCAPES.get(letter, letter) for letter in clean(text))
