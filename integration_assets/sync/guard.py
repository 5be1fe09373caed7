"""The guard: what holds a plan, so that nothing is written before somebody looked at it.

`guard` is pure: a plan, what it does, what it is compared with, and the circumstances. `guard_inputs` reads these from
the staging store. Every threshold is a named constant with its unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import duckdb
import msgspec

from integration_assets.sql import read_sql
from integration_assets.sync.feature_request_object import same_mapping
from integration_assets.sync.plan_store import Plan, PlanNumbers, interrupted_plan, set_status
from integration_assets.sync.store import set_variables


class Threshold(msgspec.Struct, frozen=True):
    """A limit of the shape max(`count`, `percent` % of a whole): small wholes may change more, large ones less."""

    count: int
    percent: int

    def of(self, whole: int) -> Fraction:
        """The most that passes."""
        # exact: what is right at the limit must not depend on rounding
        return max(Fraction(self.count), Fraction(whole * self.percent, 100))


SHRINK = Threshold(10, 20)
"""Requests, votes or companies fewer than in the last good run."""
RETIREMENTS = Threshold(10, 5)
"""Records retired, of our live records; merges whose survivor is known do not count."""
UNLINKS = Threshold(10, 5)
"""Labels taken off, of our labels in the CRM."""
CREATES = Threshold(50, 25)
"""Records created, of our live records; not at the first apply."""
ROLLUPS_CLEARED = Threshold(50, 20)
"""Companies whose roll-ups are cleared, of those that hold some."""
FIELD_CHANGES = Threshold(50, 20)
"""Records that change one of `WATCHED_FIELDS`, of our live records."""
WATCHED_FIELDS = ("title", "status", "board", "category", "url", "details")
ARR_MOVE_PERCENT = 30
"""Move of the ARR of all distinct companies that voted, either way, in percent of the last good run's."""
ARR_MOVE_COMPANIES = 10
"""Companies whose ARR changed, from which on a move counts."""
UNMATCHED_POINTS = 10
"""Rise of the unmatched share of votes, in percentage points."""
UNMATCHED_VOTES = 100
"""Votes from which on the share means something."""
QUOTA_SHARE = Fraction(1, 2)
"""Of the calls the portal has left today, what one run may take by default."""


class RollupEffects(msgspec.Struct, frozen=True):
    """Effects on companies: how many get other roll-ups and how many lose theirs, of how many that hold some.

    `before`: some company of this portal was rolled up before.
    """

    changed: int = 0
    cleared: int = 0
    held: int = 0
    before: bool = False


class PlanEffects(msgspec.Struct, frozen=True):
    """Effects of a plan beyond the rest of an interrupted plan that was released. `unlinks` are labels."""

    creates: int
    retirements: int
    unlinks: int
    changed_fields: Mapping[str, int]
    rollups: RollupEffects = RollupEffects()


class Baseline(msgspec.Struct, frozen=True):
    """The last good run. `changed_companies`: companies whose ARR differs from then."""

    numbers: PlanNumbers
    changed_companies: int


class Circumstances(msgspec.Struct, frozen=True):
    """Other things the guard looks at.

    `budget` is the configured most calls of a run, `calls_left_today` what the CRM's header says, None without one.
    `going_on`: the plan is the rest of one that was released or never held. `changed_settings` names what changed since
    a plan was approved that would have been applied instead of this one.
    """

    production: bool
    first_apply: bool
    mapping_changed: bool = False
    after_undo: bool = False
    going_on: bool = False
    changed_settings: str | None = None
    budget: int | None = None
    calls_left_today: int | None = None


class Verdict(msgspec.Struct, frozen=True):
    """`reasons` hold the plan, one line each, the first word a stable name; `warnings` do not."""

    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Tell whether nothing may be written."""
        return bool(self.reasons)


def guard(plan: Plan, effects: PlanEffects, base: Baseline | None, circumstances: Circumstances) -> Verdict:
    """Judge whether the plan may be applied. A plan without operations is judged too: its numbers become a base."""
    reasons: list[str] = [f"problem: {problem}" for problem in plan.problems]
    warnings: list[str] = list(plan.warnings)
    _inputs(plan, base, reasons, warnings)
    _effects(plan, effects, circumstances, reasons)
    _rollups(effects.rollups, reasons)
    # where nothing is written, neither the occasion nor the number of calls matters
    if plan.operations:
        _occasions(circumstances, reasons)
        _budget(plan, circumstances, reasons, warnings)
    return Verdict(tuple(reasons), tuple(warnings))


def _inputs(plan: Plan, base: Baseline | None, reasons: list[str], warnings: list[str]) -> None:
    # an undo has none: it reads no inputs
    now = plan.numbers
    if now is None:
        return
    if base is None:
        # our own live records are the only memory left
        _shrink("requests", now.requests, plan.counts.active, reasons)
        if plan.records_held:
            warnings.append("no base: no earlier run to compare votes, companies, ARR and unmatched votes with")
        return
    _shrink("requests", now.requests, base.numbers.requests, reasons)
    _shrink("votes", now.votes, base.numbers.votes, reasons)
    _shrink("companies", now.companies, base.numbers.companies, reasons)
    _arr(now.voted_arr, base, reasons)
    _unmatched(now, base.numbers, reasons)


def _shrink(what: str, now: int, base: int, reasons: list[str]) -> None:
    # on its own: a small portal that reads as empty would stay within the tolerance
    if base > 0 and now == 0:
        reasons.append(f"{what}_empty: none read, {base:,} before")
    elif base - now > SHRINK.of(base):
        reasons.append(f"{what}_shrank: {now:,} read, {base:,} before")


def _arr(now: Decimal, base: Baseline, reasons: list[str]) -> None:
    before = base.numbers.voted_arr
    moved = abs(Fraction(now) - Fraction(before))
    # both: a single large customer may move the sum without anything being wrong
    if moved > Fraction(before) * ARR_MOVE_PERCENT / 100 and base.changed_companies >= ARR_MOVE_COMPANIES:
        reasons.append(
            f"arr_moved: ARR of voting companies is {now:,.2f}, {before:,.2f} before, "
            f"{base.changed_companies:,} companies changed"
        )


def _unmatched(now: PlanNumbers, base: PlanNumbers, reasons: list[str]) -> None:
    # with few votes the share jumps with every one of them
    if now.votes < UNMATCHED_VOTES or base.votes == 0:
        return
    share, before = Fraction(now.unmatched_votes, now.votes), Fraction(base.unmatched_votes, base.votes)
    if share - before > Fraction(UNMATCHED_POINTS, 100):
        reasons.append(f"unmatched_rose: {float(share):.1%} of the votes have no company, {float(before):.1%} before")


def _effects(plan: Plan, effects: PlanEffects, circumstances: Circumstances, reasons: list[str]) -> None:
    live = plan.counts.live
    for name, count, threshold, whole in (
        ("retirements", effects.retirements, RETIREMENTS, live),
        ("unlinks", effects.unlinks, UNLINKS, plan.counts.live_links),
        *((f"{field}_changes", effects.changed_fields.get(field, 0), FIELD_CHANGES, live) for field in WATCHED_FIELDS),
    ):
        if count > threshold.of(whole):
            reasons.append(f"{name}: {count:,} of {whole:,}, at most {int(threshold.of(whole)):,} pass")
    # a first apply creates everything there is
    if not circumstances.first_apply and effects.creates > CREATES.of(live):
        reasons.append(f"creates: {effects.creates:,} beside {live:,}, at most {int(CREATES.of(live)):,} pass")


def _rollups(effects: RollupEffects, reasons: list[str]) -> None:
    # companies are everybody's: nobody writes on them before a person has seen what
    if effects.changed and not effects.before:
        reasons.append(f"first_rollups: {effects.changed:,} companies get roll-ups, none of this portal had any before")
    if effects.cleared > ROLLUPS_CLEARED.of(effects.held):
        reasons.append(f"rollups_cleared: {effects.cleared:,} of {effects.held:,} companies would lose their roll-ups")


def _occasions(circumstances: Circumstances, reasons: list[str]) -> None:
    # before the return below: a release is for the settings it was given under
    if circumstances.changed_settings:
        reasons.append(f"settings_changed: {circumstances.changed_settings} changed since a plan was approved")
    # the plan that this is the rest of passed these questions, or was released in spite of them
    if circumstances.going_on:
        return
    if circumstances.first_apply and circumstances.production:
        reasons.append("first_apply: this production portal holds no record of ours yet")
    if circumstances.mapping_changed:
        reasons.append("mapping_changed: the field mapping differs from the one applied last")
    if circumstances.after_undo:
        reasons.append("after_undo: the last change to this portal was an undo")


def _budget(plan: Plan, circumstances: Circumstances, reasons: list[str], warnings: list[str]) -> None:
    budget = circumstances.budget
    # nothing to compare with: said, but no reason to hold every plan of such a portal
    if budget is None and circumstances.calls_left_today is None:
        warnings.append("no budget: the CRM does not say how many calls are left today")
        return
    if budget is None:
        budget = int((circumstances.calls_left_today or 0) * QUOTA_SHARE)
    if plan.calls > budget:
        reasons.append(f"budget: the plan takes about {plan.calls:,} calls, the budget is {budget:,}")


def judge(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    *,
    production: bool,
    budget: int | None,
    calls_left_today: int | None,
    now: datetime,
    changed_settings: str | None = None,
) -> Verdict:
    """Ask the guard about a plan just made, and note in the store when it is held."""
    effects, base, circumstances = guard_inputs(
        connection, plan, production=production, budget=budget, calls_left_today=calls_left_today
    )
    circumstances = msgspec.structs.replace(circumstances, changed_settings=changed_settings)
    verdict = guard(plan, effects, base, circumstances)
    if verdict.held:
        set_status(connection, plan.plan_id, "held", now=now, reasons=verdict.reasons)
    return verdict


def is_first_apply(connection: duckdb.DuckDBPyConnection, plan: Plan) -> bool:
    """Tell whether to begin with a canary: the portal holds no record of ours, or its first apply has yet to finish."""
    set_variables(connection, portal_id=plan.portal_id)
    applied, unfinished, *_ = connection.execute(read_sql("sync/portal_history")).fetchall()[0]
    return plan.records_held == 0 or (applied == 0 and unfinished > 0)


def guard_inputs(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    *,
    production: bool,
    budget: int | None,
    calls_left_today: int | None,
) -> tuple[PlanEffects, Baseline | None, Circumstances]:
    """Read from the staging store what `guard` needs to know about a plan just made.

    The base is the last good run; for the rest of an interrupted plan it is that plan, because its numbers passed.
    """
    released = interrupted_plan(connection, plan)
    set_variables(
        connection,
        plan_id=plan.plan_id,
        portal_id=plan.portal_id,
        released_plan_id=released.plan_id if released else "",
    )
    creates, retirements, unlinks = connection.execute(read_sql("sync/guard_counts")).fetchall()[0]
    changed = dict(connection.execute(read_sql("sync/guard_changed_fields")).fetchall())
    *_, mapping, last_sync, last_undo = connection.execute(read_sql("sync/portal_history")).fetchall()[0]
    circumstances = Circumstances(
        production=production,
        first_apply=is_first_apply(connection, plan),
        # without an apply before, there is no mapping that it could differ from
        mapping_changed=mapping is not None and not same_mapping(mapping, plan.mapping_version),
        # a sync would write again what somebody has just taken back
        after_undo=last_undo is not None and (last_sync is None or last_undo > last_sync),
        going_on=released is not None,
        budget=budget,
        calls_left_today=calls_left_today,
    )
    rollups = RollupEffects(*connection.execute(read_sql("sync/guard_rollups")).fetchall()[0])
    return (
        PlanEffects(creates, retirements, unlinks, changed, rollups),
        _baseline(connection, plan, released),
        circumstances,
    )


def _baseline(connection: duckdb.DuckDBPyConnection, plan: Plan, released: Plan | None) -> Baseline | None:
    if released is not None and released.numbers is not None:
        base_id, numbers = released.plan_id, released.numbers
    else:
        rows = connection.execute(read_sql("sync/last_good_run")).fetchall()
        if not rows:
            return None
        base_id, numbers = rows[0][0], PlanNumbers(*rows[0][1:])
    set_variables(connection, plan_id=plan.plan_id, base_plan_id=base_id)
    changed = connection.execute(read_sql("sync/changed_companies")).fetchall()[0][0]
    return Baseline(numbers, changed)
