"""The changes of a plan for whoever has to agree to it: by action and field, the largest of ARR, one by one, as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import duckdb
import msgspec
from rich.console import Console
from rich.text import Text

from integration_assets.masking import mask_addresses
from integration_assets.models import PLAIN_LABEL
from integration_assets.reporting.exports import as_csv
from integration_assets.reporting.insights import (
    LARGEST_ARR,
    ArrChange,
    FieldCount,
    PlanChange,
    count_published_changes,
    read_plan,
    read_plan_arr,
    read_plan_changes,
    read_plan_fields,
)
from integration_assets.reporting.terminal import plain_or_boxed, print_wide
from integration_assets.reporting.text import amount, clean, clip, count, field_words, value_words

RECORD_ACTIONS = ("create", "update", "retire")
_PAGE = 20_000
"""Changes read at a time for a file: each page counts and sorts what is left, so that small ones cost more."""
_BOOKKEEPING = "managed_state"
_TITLE = 60


class FieldChange(msgspec.Struct, frozen=True):
    """One field of one change, as a row of the CSV. `field` of a link is what it leads to, `target_id` its id there.

    `url` leads to the request in the feedback system, the others to the record and to the company in the CRM.
    """

    action: str
    key: str
    title: str
    field: str
    before: str
    after: str
    company: str
    target_id: str
    url: str
    crm_url: str
    company_crm_url: str


class PlanDetails(msgspec.Struct, frozen=True):
    """The changes of a plan, for a page that shows the first of them.

    `changes` are the first ones, each with its fields; `published` counts those that can be read, `total` all.
    """

    fields: list[FieldCount]
    arr: list[ArrChange]
    changes: list[tuple[PlanChange, list[FieldChange]]]
    published: int
    total: int


def read_plan_details(connection: duckdb.DuckDBPyConnection, plan_hash: str, *, most: int) -> PlanDetails | None:
    """Read them of the plan of this hash, with its first `most` changes; None where it was not published."""
    plan = read_plan(connection, plan_hash)
    if plan is None:
        return None
    changes = read_plan_changes(connection, plan.plan_id, limit=most)
    return PlanDetails(
        fields=read_plan_fields(connection, plan.plan_id),
        arr=read_plan_arr(connection, plan.plan_id),
        changes=[(one, field_changes(one)) for one in changes],
        published=count_published_changes(connection, plan.plan_id),
        total=sum(plan.counts.values()),
    )


def field_changes(change: PlanChange) -> list[FieldChange]:
    """One row per field that changes; of a link one with its labels, of a change without a visible field an empty one.

    The bookkeeping of the sync is left out. Addresses are masked.
    """
    title, company = change.title or "", change.company_name or ""
    if change.target is not None:
        before, after = _labels(change)
        rows = [(change.target, before, after)]
    else:
        rows = [
            (field, change.before.get(field) or "", value or "")
            for field, value in change.after.items()
            if field != _BOOKKEEPING and (change.before.get(field) or "") != (value or "")
        ]
    return [
        FieldChange(
            change.action,
            change.key,
            mask_addresses(title),
            field,
            mask_addresses(before),
            mask_addresses(after),
            mask_addresses(company),
            change.target_id or "",
            change.url or "",
            change.crm_url or "",
            change.company_crm_url or "",
        )
        # A change of the bookkeeping alone is still written: it must not be missing in the list.
        for field, before, after in rows or [("", "", "")]
    ]


def _labels(change: PlanChange) -> tuple[str, str]:
    """Labels of a link before and after; those of an unlink are the ones it takes off."""
    if change.action == "unlink":
        # The plain label among these ends the whole association.
        left = [label for label in change.before_labels if label not in change.after_labels]
        taken = change.before_labels or change.after_labels
        return ", ".join(taken), "" if PLAIN_LABEL in change.after_labels else ", ".join(left)
    return ", ".join(change.before_labels), ", ".join(change.after_labels)


def plan_csv(
    connection: duckdb.DuckDBPyConnection, plan_id: str, *, actions: Sequence[str] = (), field: str = ""
) -> bytes:
    """Every change of a plan as CSV, field by field, no text a formula; narrowed down as `read_plan_changes` does."""
    rows = [
        msgspec.structs.astuple(row)
        for change in _every_change(connection, plan_id, actions, field)
        for row in field_changes(change)
        if not field or row.field == field
    ]
    return as_csv(FieldChange.__struct_fields__, rows)


def _every_change(
    connection: duckdb.DuckDBPyConnection, plan_id: str, actions: Sequence[str], field: str
) -> Iterator[PlanChange]:
    # Page by page: the values of a million changes at once would fill the memory.
    last = -1
    while page := read_plan_changes(connection, plan_id, limit=_PAGE, after=last, actions=actions, field=field):
        yield from page
        last = page[-1].seq


def show_plan_numbers(console: Console, connection: duckdb.DuckDBPyConnection, plan_id: str, currency: str) -> None:
    """Show how many changes a plan makes by action and field, and its largest changes of ARR."""
    show_fields(console, read_plan_fields(connection, plan_id))
    show_arr(console, read_plan_arr(connection, plan_id), currency)


def show_fields(console: Console, fields: Sequence[FieldCount]) -> None:
    """Counts of changes by action and field; nothing where nothing changes."""
    if not fields:
        return
    table = plain_or_boxed(
        console, "Changes by action and field", ("action", "left"), ("field", "left"), ("changes", "right")
    )
    for one in fields:
        table.add_row(one.action.replace("_", " "), field_words(one.field), f"{one.changes:,}")
    print_wide(console, table)


def show_arr(console: Console, changes: Sequence[ArrChange], currency: str) -> None:
    """The largest changes of ARR, up or down, in the base currency; nothing where none changes."""
    if not changes:
        return
    table = plain_or_boxed(
        console,
        f"Largest changes of ARR, {currency} (at most {LARGEST_ARR})",
        ("action", "left"),
        ("request", "left"),
        ("before", "right"),
        ("after", "right"),
        ("change", "right"),
    )
    for one in changes:
        difference = one.after - one.before
        table.add_row(
            one.action,
            Text(clip(clean(one.title or one.key), _TITLE)),
            amount(one.before),
            amount(one.after),
            f"{'+' if difference > 0 else '-'}{amount(abs(difference))}",
        )
    print_wide(console, table)


def show_records(console: Console, connection: duckdb.DuckDBPyConnection, plan_id: str, limit: int) -> None:
    """The first `limit` records that a plan changes, field by field, whole; on a terminal through the pager."""
    changes = read_plan_changes(connection, plan_id, limit=limit, actions=RECORD_ACTIONS)
    # A pipe or a file has no one to turn pages.
    with console.pager() if console.is_terminal else nullcontext():
        print_records(console, changes)


def print_records(console: Console, changes: Sequence[PlanChange]) -> None:
    """Records with the values of each field before and after, and how many more there are."""
    for change in changes:
        title = clean(change.title or change.key)
        print_wide(console, Text(f"{change.action} {change.key}: {title}"))
        # In the feedback system, then in the CRM.
        for url in filter(None, (change.url, change.crm_url)):
            print_wide(console, Text(f"  {clean(url)}"))
        for row in field_changes(change):
            before, after = (clean(value_words(value, row.field)) for value in (row.before, row.after))
            # A new value has no arrow from nowhere.
            values = f"{before} → {after or '(empty)'}" if row.before else after
            if row.field:
                print_wide(console, Text(f"  {field_words(row.field)}: {values}"))
    found = changes[0].found if changes else 0
    if found > len(changes):
        more = count(found - len(changes), "more record")
        print_wide(console, Text(f"and {more}: --show {found} lists all, --csv FILE writes them", style="dim"))
