"""Results on a terminal: tables and panels by rich; plain aligned lines when the output is not a terminal.

Every function prints to the console it is given (stdout). Text from outside is shown as it is, never as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from integration_assets.connectors.calls import CallCount
from integration_assets.errors import EndState
from integration_assets.reporting.insights import Request
from integration_assets.reporting.merged import MergedRequest, merged_lines
from integration_assets.reporting.quarantine import QuarantineLine
from integration_assets.reporting.rankings import Order, RankedRequest, UnresolvedDomain, has_pipeline, has_prospects
from integration_assets.reporting.run_summary import (
    CheckLine,
    RunSummary,
    SystemCalls,
    arr_words,
    conflict_words,
    has_written,
    unapplied_changes,
)
from integration_assets.reporting.text import (
    amount,
    arr_money,
    clean,
    clip,
    closed_words,
    count,
    duration,
    field_words,
    lacking_rate,
    moment,
    percent,
    stage_words,
    status_words,
    value_words,
)

PLAIN_WIDTH = 160
WIDEST = 10_000
"""Columns of plain output, and of the widest table of it: a pipe has no edge to fit into, and wrapped lines cannot be
searched."""
VALUE_WIDTH = 40
"""Most characters shown of a value before and after a change."""
ROOM_OF_WORDS = 24
"""Characters that a ranking leaves to each title at least, where its columns fill a terminal."""
LEAST_OF_WORDS = 9
"""The same where a terminal is narrower than all that has to stay."""
REASONS = 12
"""Reasons for quarantined records that are shown, the commonest first."""

STATE_STYLES = {
    EndState.SUCCEEDED: "green",
    EndState.SUCCEEDED_WITH_REJECTS: "yellow",
    EndState.HELD: "yellow",
    EndState.RETRY_LATER: "yellow",
    EndState.FAILED: "red",
}

Justify = Literal["left", "right"]


class OperationLike(Protocol):
    """The fields of a planned change that are shown; `sync.operations.Operation` fits."""

    @property
    def action(self) -> str:
        """One of create, update, retire, link and unlink."""

    @property
    def key(self) -> str:
        """Key of the record."""

    @property
    def target(self) -> str | None:
        """Company or contact, for links."""

    @property
    def target_id(self) -> str | None:
        """Id of the company or contact."""

    @property
    def before(self) -> Mapping[str, str]:
        """Values there now."""

    @property
    def after(self) -> Mapping[str, str]:
        """Values to be written."""

    @property
    def changed_labels(self) -> tuple[str, ...]:
        """Labels a link adds, or an unlink takes off."""


# --------------------------------------------------------------------------------------------------------- run summary


def console() -> Console:
    """The console of results: stdout."""
    return Console(highlight=False)


def show_summary(
    console: Console,
    summary: RunSummary,
    *,
    error: str | None = None,
    notes: Sequence[str] = (),
    published: str | None = None,
    with_checks: bool = True,
    floor: Mapping[str, int] | None = None,
) -> None:
    """Show how a run ended and what it did.

    `published` is the file analysts open, `with_checks` lists the failed checks, `floor` has the fewest calls.
    """
    state = EndState(summary.state)
    heading = Text.assemble(
        (state.value.replace("_", " ").lower(), f"bold {STATE_STYLES[state]}"),
        f"  {summary.tenant} → {summary.environment}",
        "  dry run" if summary.dry_run else "",
        f"  {duration(summary.duration_seconds)}",
    )
    lines = [heading]
    lines += [Text(clean(error), style="red")] if error else []
    # The error of a held run names its reasons already.
    lines += [Text(f"held: {reason}", style="yellow") for reason in summary.plan.reasons if reason not in (error or "")]
    facts = Table.grid(padding=(0, 2))
    # Names whole: the words beside them take what width is left.
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, words in (*_summary_facts(summary, floor or {}), *([("published", published)] if published else [])):
        facts.add_row(name, Text(words))
    note_lines = [Text(f"note: {clean(note)}", style="dim") for note in notes]
    if console.is_terminal:
        print_wide(
            console, Panel(Group(*lines, Text(), facts, *note_lines), border_style=STATE_STYLES[state], expand=False)
        )
    else:
        # Each on one line of its own, whole: a wrapped line cannot be searched.
        for line in (*lines, Text()):
            print_wide(console, line)
        print_wide(console, facts)
        for line in note_lines:
            print_wide(console, line)
    _show_top(console, summary)
    show_quarantine(console, summary.quarantine)
    failed = [check for check in summary.checks if not check.passed]
    if failed and with_checks:
        show_checks(console, failed)


def _summary_facts(summary: RunSummary, floor: Mapping[str, int]) -> list[tuple[str, str]]:
    records, links, votes, fresh = summary.feature_requests, summary.links, summary.votes, summary.freshness
    would = unapplied_changes(summary)
    record_changes, link_changes = (would.records_text, would.links_text) if would else ("", "")
    # What was done and what would be done may both be there: an approved plan, and the next one held.
    if would is None or has_written(summary):
        record_changes = _joined(_numbers(records, "created updated retired"), record_changes)
        link_changes = _joined(_numbers(links, "created removed"), link_changes)
    matched = f"{votes.matched:,} of {votes.total:,} matched to a company ({percent(votes.matched, votes.total)})"
    compared = [
        ("requests", f"{records.identified:,} identified, {record_changes}"),
        ("", _numbers(records, "unchanged rejected verified")),
        ("links", f"{links.desired:,} wanted, {link_changes}"),
        ("", _numbers(links, "unchanged rejected verified")),
    ]
    facts = [
        ("run", summary.run_id),
        # A run that ended before anything was compared has no such numbers: rows of zeros say less than nothing.
        *(compared if records.identified or links.desired or summary.plan.hash else ()),
        ("votes", matched if votes.total else ""),  # an undo reads none
        ("  matched by", _tally(votes.by_method)),
        ("  unmatched", _tally(votes.unmatched)),
        ("ARR", arr_words(summary.arr, summary.currency)),
        (
            "quarantined",
            ", ".join(f"{number:,} {stage_words(clean(stage))}" for stage, number in summary.quarantined.items()),
        ),
        ("conflicts", conflict_words(summary.conflicts)),
        ("plan", f"{summary.plan.hash[:12]}{' (held)' if summary.plan.held else ''}" if summary.plan.hash else ""),
        ("calls", "; ".join(_calls_line(name, calls, floor.get(name)) for name, calls in summary.api_calls.items())),
        ("data as of", f"votes {moment(fresh.votes_as_of)}, companies {moment(fresh.companies_as_of)}"),
    ]
    # Lines without words say nothing: a run has only those that fit what it was.
    return [(name, words) for name, words in facts if words]


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _numbers(numbers: object, names: str) -> str:
    return ", ".join(f"{getattr(numbers, name):,} {name}" for name in names.split())


def _tally(tally: Mapping[str, int]) -> str:
    return ", ".join(f"{clean(name).replace('_', ' ')} {number:,}" for name, number in tally.items())


def _calls_line(system: str, calls: SystemCalls, floor: int | None) -> str:
    names = "writes retried throttled" if isinstance(calls.writes, int) else "retried throttled"
    least = "" if floor is None else f", floor {floor:,}"
    return f"{system} {calls.total:,} ({_numbers(calls, names)}{least})"


def _show_top(console: Console, summary: RunSummary) -> None:
    top = summary.top
    rankings = (("Top by ARR", top.by_arr), ("Top by companies", top.by_companies), ("Top by votes", top.by_votes))
    for heading, requests in rankings:
        if requests:
            table = plain_or_boxed(
                console,
                heading,
                ("#", "right"),
                ("request", "left"),
                ("status", "left"),
                ("companies", "right"),
                ("votes", "right"),
                ("ARR", "right"),
            )
            for number, request in enumerate(requests, start=1):
                table.add_row(
                    # A summary of an earlier version knows neither place nor status nor votes.
                    f"{request.place or number:,}",
                    Text(clip(clean(request.title), 60)),
                    status_words(request.status) if request.status else "-",
                    f"{request.companies:,}",
                    f"{request.votes:,}" if request.place else "-",
                    arr_money(request.arr, summary.currency, request.companies_without_rate),
                )
            print_wide(console, table)
    if top.closed:
        print_wide(console, Text(not_shown(top.closed, "`rankings --all`"), style="dim"))


def not_shown(closed: int, how: str) -> str:
    """Say how many shipped and closed requests a list leaves out, and how to see them."""
    return f"{closed_words(closed)} {'is' if closed == 1 else 'are'} not shown: {how}"


def show_quarantine(console: Console, lines: Sequence[QuarantineLine]) -> None:
    """Show why records could not be used or written: three ids and the remedy of each reason, nothing cut."""
    if not lines:
        return
    print_wide(console, Text("Quarantined", style="bold" if console.is_terminal else ""))
    for line in lines[:REASONS]:
        print_wide(console, Text(f"- {line.text}"))
    # Counted, with the way to the rest: a list that merely ends would look whole.
    if len(lines) > REASONS:
        print_wide(console, Text(f"and {count(len(lines) - REASONS, 'more reason')}: `--json` names them", style="dim"))


# ------------------------------------------------------------------------------------------------- rankings, unresolved


_ORDERS: Mapping[Order, str] = {"arr": "ARR", "companies": "companies", "votes": "votes"}


def show_rankings(
    console: Console,
    requests: Sequence[RankedRequest | Request],
    *,
    by: Order,
    currency: str,
    closed: int = 0,
    merged: Mapping[str, Sequence[MergedRequest]] | None = None,
) -> None:
    """A ranking, with each request's place by the other measures.

    `closed` is how many requests are left out because they are shipped or closed; places count them. The gap is the
    place by votes minus the place by ARR: above zero, counting votes undersells the request. `merged`: requests that
    the file of same requests merges into these, by their ids.
    """
    ranks = {order: [f"{getattr(one, f'rank_by_{order}'):,}" for one in requests] for order in _ORDERS}
    columns = [
        Column("#", ranks[by]),
        Column("request", [Text(clip(clean(one.title), 60)) for one in requests], "left", wraps=True),
        Column("status", [status_words(one.status) for one in requests], "left", wraps=True),
        Column(
            f"ARR {currency}",
            [f"{amount(one.arr)}{lacking_rate(one.companies_without_rate)}" for one in requests],
            wraps=any(one.companies_without_rate for one in requests),
        ),
    ]
    # Told apart only where there is anything to tell apart.
    if has_prospects(requests):
        columns += [
            Column("of customers", [amount(one.arr_customers) for one in requests], may_go=3),
            Column("of prospects", [amount(one.arr_prospects) for one in requests], may_go=3),
        ]
    if has_pipeline(requests):
        columns.append(Column("open pipeline", [amount(one.open_pipeline or 0) for one in requests], may_go=2))
    columns += [
        Column("companies", [f"{one.companies:,}" for one in requests]),
        Column("votes", [f"{one.votes:,}" for one in requests]),
        # The order asked for is the first column already.
        *(
            Column(f"# {'comp.' if other == 'companies' else name}", ranks[other], may_go=1)
            for other, name in _ORDERS.items()
            if other != by
        ),
        Column("gap", [_gap(one.rank_gap) for one in requests], may_go=4),
    ]
    show_columns(console, f"Requests by {_ORDERS[by]}", columns)
    for line in merged_lines(merged or {}):
        console.print(Text(line, style="dim"), soft_wrap=True)
    if closed:
        print_wide(console, Text(not_shown(closed, "--all"), style="dim"))


class Column(NamedTuple):
    """A column of a table. Those with the lowest `may_go` go first where a terminal is narrow; 0 stays."""

    name: str
    cells: Sequence[str | Text]
    justify: Justify = "right"
    may_go: int = 0
    wraps: bool = False


def show_columns(console: Console, title: str, columns: Sequence[Column]) -> None:
    """A table. On a terminal that is too narrow for all of it, columns are left out, and named below."""
    shown, left_out = _fitting(console, columns)
    table = plain_or_boxed(console, title, *((one.name, one.justify) for one in shown))
    for column, one in zip(table.columns, shown, strict=True):
        column.no_wrap = not (console.is_terminal and one.wraps)
        # Without it the column that wraps best, the title, would be left with nothing.
        column.min_width = min(_longest(one), LEAST_OF_WORDS) if one.wraps else None
    for cells in zip(*(one.cells for one in shown), strict=True):
        table.add_row(*cells)
    print_wide(console, table)
    if left_out:
        words = f"left out, this terminal has {console.width} columns: {', '.join(one.name for one in left_out)}"
        console.print(Text(words, style="dim"))


def _fitting(console: Console, columns: Sequence[Column]) -> tuple[list[Column], list[Column]]:
    """The columns that leave titles room on a terminal, and those that do not fit; elsewhere all fit."""
    shown: list[Column] = list(columns)
    left_out: list[Column] = []
    while console.is_terminal and sum(map(_width, shown)) > console.width:
        goes = min((one.may_go for one in shown if one.may_go), default=None)
        # Whatever else the reader has to scroll for: what is left is the ranking itself.
        if goes is None:
            break
        left_out += [one for one in shown if one.may_go == goes]
        shown = [one for one in shown if one.may_go != goes]
    return shown, left_out


def _width(column: Column) -> int:
    """Characters that a column takes with what is between columns. Long words wrap, figures do not."""
    longest = _longest(column)
    return max(len(column.name), min(longest, ROOM_OF_WORDS) if column.wraps else longest) + 2


def _longest(column: Column) -> int:
    return max((len(str(cell)) for cell in column.cells), default=0)


def _gap(gap: int) -> Text:
    style = "green" if gap > 0 else "red" if gap < 0 else "dim"
    return Text(f"{gap:+,}" if gap else "0", style=style)


def show_unresolved(console: Console, domains: Sequence[UnresolvedDomain]) -> None:
    """The votes that count for no company, by domain, with what to choose between."""
    table = plain_or_boxed(
        console,
        "Votes without a company",
        ("domain", "left"),
        ("reason", "left"),
        ("votes", "right"),
        ("requests", "right"),
        ("candidates", "left"),
    )
    for domain in domains:
        # Four are enough to see what nothing decided between; the pages show all.
        candidates = ", ".join(domain.candidates[:4])
        more = f" and {len(domain.candidates) - 4} more" if len(domain.candidates) > 4 else ""
        table.add_row(
            Text(clean(domain.email_domain or "(no address)")),
            domain.reason.replace("_", " "),
            f"{domain.votes:,}",
            f"{domain.requests:,}",
            Text(clean(candidates + more)),
        )
    print_wide(console, table)


# ---------------------------------------------------------------------------------------------------------------- plan


def show_plan(
    console: Console,
    counts: Mapping[str, int],
    operations: Iterable[OperationLike],
    *,
    plan_hash: str,
    reasons: Sequence[str] = (),
    limit: int = 20,
) -> None:
    """A plan: what it would do in numbers, then its first changes with the values before and after.

    `counts` are shown in their order (`{"create": 3, ...}`); of `operations` at most `limit` are taken.
    """
    total = sum(counts.values())
    numbers = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items())
    line = Text.assemble(("plan ", "bold"), (plan_hash, "bold cyan"), f"  {count(total, 'change')}: {numbers}")
    print_wide(console, line)
    for reason in reasons:
        print_wide(console, Text(f"held: {clean(reason)}", style="yellow"))
    shown = 0
    table = plain_or_boxed(console, None, ("action", "left"), ("record", "left"), ("field", "left"), ("change", "left"))
    # Operations come from the store one by one: a large plan is not read to its end for twenty lines.
    for operation, _ in zip(operations, range(limit), strict=False):
        _add_operation(table, operation)
        shown += 1
    if shown:
        print_wide(console, table)
    # Where none was asked for, nothing is missing.
    if total > shown and limit:
        print_wide(console, Text(f"and {count(total - shown, 'more change', 'more changes')}", style="dim"))


_ACTION_STYLES = {"create": "green", "update": "yellow", "retire": "magenta", "link": "green", "unlink": "red"}


def _add_operation(table: Table, operation: OperationLike) -> None:
    action = Text(operation.action, style=_ACTION_STYLES.get(operation.action, ""))
    # A retirement may change no field that is shown: it still has its line.
    rows = _changes(operation) or [("", Text())]
    for number, (field, change) in enumerate(rows):
        first = number == 0
        table.add_row(action if first else "", Text(clean(operation.key)) if first else "", field, change)


def _changes(operation: OperationLike) -> list[tuple[str, Text]]:
    if operation.target is not None:
        # A sign beside the colour: not everybody sees red and green, and a file has neither.
        sign, style = ("-", "red") if operation.action == "unlink" else ("+", "green")
        labels = ", ".join(operation.changed_labels)
        return [(operation.target, Text.assemble(f"{operation.target_id} ", (f"{sign} {labels}", style)))]
    return [
        (
            field_words(field),
            _before_after(value_words(operation.before.get(field, ""), field), value_words(value, field)),
        )
        for field, value in operation.after.items()
        if field != "managed_state"  # bookkeeping: says nothing to a person
    ]


def _before_after(before: str, after: str) -> Text:
    old, new = (clip(clean(value), VALUE_WIDTH) for value in (before, after))
    # Nothing before: an arrow from nowhere says less than the value.
    if not old:
        return Text(new, style="green")
    return Text.assemble((old, "red"), " → ", (new or "(empty)", "green"))


# ------------------------------------------------------------------------------------------------------- checks, calls


def show_checks(console: Console, checks: Sequence[CheckLine]) -> None:
    """Checks, failed ones first: errors, then warnings."""
    order = {"ERROR": 0, "WARN": 1}
    # What failed stands first, and keeps its order otherwise: that of the gate.
    ordered = sorted(checks, key=lambda one: (one.passed, order.get(one.severity, 2)))
    # In a file each check is a line of its own, so that a search finds it with its remedy.
    if not console.is_terminal:
        _print_plain_checks(console, ordered)
        return
    table = plain_or_boxed(console, "Checks", ("", "left"), ("check", "left"), ("asset", "left"), ("seen", "left"))
    for check in ordered:
        word = _outcome(check)
        table.add_row(Text(word, style=_OUTCOME_STYLES[word]), check.name, check.asset, Text(clean(check.detail)))
    print_wide(console, table)


_OUTCOME_STYLES = {"ok": "green", "error": "red", "warn": "yellow"}


def _outcome(check: CheckLine) -> str:
    return "ok" if check.passed else "error" if check.severity == "ERROR" else "warn"


def _print_plain_checks(console: Console, checks: Sequence[CheckLine]) -> None:
    """Print one line per check, whole: the columns of a table would cut off the remedy a detail ends with."""
    rows = [("", "check", "asset", "seen")] if checks else []
    rows += [(_outcome(one), one.name, one.asset, clean(one.detail)) for one in checks]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    print_wide(console, Text("Checks"))
    for row in rows:
        names = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print_wide(console, Text(f"{names}  {row[-1]}"))


def show_calls(console: Console, calls: Sequence[CallCount], *, floor: Mapping[str, int] | None = None) -> None:
    """Calls by system and endpoint, with the sum of each system and, where known, the fewest it could have been."""
    table = plain_or_boxed(
        console,
        "Calls",
        ("system", "left"),
        ("endpoint", "left"),
        ("calls", "right"),
        ("writes", "right"),
        ("retried", "right"),
        ("throttled", "right"),
    )
    for system in dict.fromkeys(call.system for call in calls):
        # The endpoints that cost most first: they are what somebody would save at.
        rows = sorted((call for call in calls if call.system == system), key=lambda call: -call.total)
        for call in rows:
            table.add_row(system, Text(call.endpoint), *_call_numbers([call]))
        least = f"all, floor {floor[system]:,}" if floor and system in floor else "all"
        table.add_row(system, least, *_call_numbers(rows), style="bold", end_section=True)
    print_wide(console, table)


def _call_numbers(calls: Sequence[CallCount]) -> list[str]:
    names = ("total", "writes", "retried", "throttled")
    return [f"{sum(getattr(call, name) for call in calls):,}" for name in names]


# -------------------------------------------------------------------------------------------------------------- common


def plain_or_boxed(console: Console, title: str | None, *columns: tuple[str, Justify]) -> Table:
    """A table for `print_wide`: with rules on a terminal, plain columns elsewhere."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        # Rules are for the eye; in a file they are noise to every search.
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        padding=(0, 1, 0, 0) if console.is_terminal else (0, 1),
        pad_edge=False,
        header_style="bold" if console.is_terminal else "",
    )
    for name, justify in columns:
        table.add_column(name, justify=justify, no_wrap=justify == "right" or not console.is_terminal)
    return table


def print_wide(console: Console, renderable: RenderableType) -> None:
    """Print on the console; without a terminal, on plain lines as wide as it takes to cut nothing."""
    if console.is_terminal:
        console.print(renderable)
        return
    # A console of its own: rich would wrap at 80 columns where nobody has a width.
    plain = Console(file=console.file, width=PLAIN_WIDTH, color_system=None, force_terminal=False, highlight=False)
    # Figures and titles of a table do not wrap: what is too narrow for them would cut them without a word.
    plain.width = max(PLAIN_WIDTH, plain.measure(renderable, options=plain.options.update(width=WIDEST)).maximum)
    # Texts have no columns to align: they may be as long as they are.
    plain.print(renderable, soft_wrap=isinstance(renderable, Text))
