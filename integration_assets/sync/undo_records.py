"""Effect of one run on one record, and the change that puts it back. Pure.

The ledger says what a run meant to write and, if the answer was read, what came of it. Where the answer is missing,
later runs bear witness: one that found the old value there before it wrote shows that this run's write never arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from integration_assets.models import CrmFeatureRequest
from integration_assets.sync.diff import Conflict
from integration_assets.sync.feature_request_object import (
    KEY,
    MANAGED_STATE,
    RETIRED_AT,
    RETIRED_REASON,
    STATE_FIELDS,
    RetiredReason,
    normalise,
    parse_managed_state,
    state_text,
    tenant_mark,
)
from integration_assets.sync.operations import Action, Operation

RETIREMENT = frozenset({RETIRED_AT, RETIRED_REASON})
"""Fields that mean something only together: both are put back, or neither."""


class Entry(msgspec.Struct, frozen=True):
    """One record write of the ledger. `own`: of the run to undo; all others are of later runs."""

    own: bool
    action: Action
    before: Mapping[str, str]
    after: Mapping[str, str]
    outcome: str | None


class WrittenField(msgspec.Struct):
    """Values a run wrote into one field.

    `state` is the record's `managed_state` from before the write, None when that write left it alone. `verified` says
    that it was written for certain, `refused` that the CRM refused every attempt.
    """

    before: str
    state: str | None
    written: set[str] = msgspec.field(default_factory=set)
    verified: bool = False
    refused: bool = True
    witnessed: bool = False


class Written(msgspec.Struct):
    """Effect of a run on one record. `created`: it made it; then its fields do not matter, the record is retired."""

    created: bool = False
    fields: dict[str, WrittenField] = msgspec.field(default_factory=dict)


def written_by_run(entries: Iterable[Entry]) -> Written:
    """The entries of one record, in the order of the ledger, as what the run did in all."""
    written = Written()
    unsure = witnessed = False
    for entry in entries:
        if not entry.own:
            if written.created and unsure and not witnessed:
                written.created = entry.action != "create"  # it could be made again: it was not there
                witnessed = True
            _bear_witness(written.fields, entry)
        elif entry.action == "create":
            written.created = True
            unsure = entry.outcome != "verified"
        else:
            _add(written.fields, entry)
    return written


def _add(fields: dict[str, WrittenField], entry: Entry) -> None:
    for field, value in entry.after.items():
        if field in {KEY, MANAGED_STATE}:
            continue
        # the run's first write knows what was there before the run; a repeat only adds what was written
        written_field = fields.setdefault(
            field, WrittenField(entry.before.get(field, ""), entry.before.get(MANAGED_STATE))
        )
        written_field.written.add(value)
        written_field.verified |= entry.outcome == "verified"
        written_field.refused &= entry.outcome == "rejected"


def _bear_witness(fields: dict[str, WrittenField], later: Entry) -> None:
    """The first later write of a field says what it found there: only that settles an answer that was never read."""
    for field in later.after.keys() & fields.keys():
        written_field = fields[field]
        if written_field.verified or written_field.witnessed:
            continue
        written_field.witnessed = True
        # a later run that found ours shows that it arrived; had it not, there is nothing to put back
        if later.before.get(field, "") in written_field.written:
            written_field.verified = True
        else:
            del fields[field]


def undo_record(
    key: str, written: Written, record: CrmFeatureRequest, *, now: datetime
) -> tuple[Operation | None, list[Conflict]]:
    """The change that puts a live record back, if one is left to make, and what is left alone because it was changed.

    A record the run made is retired; a field goes back to its previous value, where empty clears.
    """
    live = {field: normalise(field, record.values.get(field)) for field in (*STATE_FIELDS, MANAGED_STATE)}
    if written.created:
        return _undo_create(key, record.record_id, live, now)
    restored: dict[str, str] = {}
    conflicts: list[Conflict] = []
    for field, written_field in written.fields.items():
        if field not in live:  # not managed any more
            conflicts.append(Conflict(key, field, "kept"))
        elif live[field] == written_field.before:
            continue
        elif live[field] in written_field.written:
            restored[field] = written_field.before
        # refused every time, the field was never ours: what is there is no change of our value
        elif not written_field.refused:
            conflicts.append(Conflict(key, field, "changed"))
    # a date without its reason, or the other way round, would be half a retirement
    if any(conflict.field in RETIREMENT for conflict in conflicts):
        restored = {field: value for field, value in restored.items() if field not in RETIREMENT}
    if not restored:
        return None, conflicts
    state = _previous_state(written, restored, live[MANAGED_STATE])
    if state != live[MANAGED_STATE]:
        restored[MANAGED_STATE] = state
    # an undo of a revival retires again, and is counted as that
    retires = restored.get(RETIRED_AT) and restored.keys() <= RETIREMENT | {MANAGED_STATE}
    before = {field: live[field] for field in restored}
    action: Action = "retire" if retires else "update"
    return Operation(0, action, key, record.record_id, before=before, after=restored), conflicts


def _undo_create(
    key: str, record_id: str, live: Mapping[str, str], now: datetime
) -> tuple[Operation | None, list[Conflict]]:
    before = {RETIRED_AT: live[RETIRED_AT], RETIRED_REASON: live[RETIRED_REASON]}
    if all(before.values()):
        # by an earlier attempt of the same undo: nothing is left to do, and nothing to report
        undone = before[RETIRED_REASON] == RetiredReason.UNDONE
        return None, [] if undone else [Conflict(key, RETIRED_REASON, "changed")]
    # To the second, which every CRM keeps: the limits of this one are known to a plan only.
    at = normalise(RETIRED_AT, now.replace(microsecond=0))
    after = {RETIRED_AT: at, RETIRED_REASON: RetiredReason.UNDONE.value}
    return Operation(0, "retire", key, record_id, before=before, after=after), []


def _previous_state(written: Written, restored: Iterable[str], live_state: str) -> str:
    """The `managed_state` of now, with the digests of restored fields as they were before the run."""
    digests = parse_managed_state(live_state)
    for field in restored:
        state = written.fields[field].state
        # the write left the state alone, so that its digest is still the one from before
        if state is None:
            continue
        previous = parse_managed_state(state).get(field)
        if previous is None:
            digests.pop(field, None)
        else:
            digests[field] = previous
    return state_text(digests, tenant_mark(live_state))
