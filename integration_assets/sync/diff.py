"""One record, three ways: what we wrote last, what the CRM holds, what should be there. Pure.

All values are normalised (`feature_request_object.normalise`); "" is unset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from integration_assets.sync.feature_request_object import (
    COMPARED_FIELDS,
    KEY,
    MANAGED_STATE,
    POLICIES,
    STATE_FIELDS,
    FieldKind,
    FieldPolicy,
    digest,
    managed_state,
    normalise,
    parse_managed_state,
    state_text,
    tenant_mark,
)

ConflictAction = Literal["kept", "overwritten", "restored", "moved", "changed", "archived"]
"""kept: the CRM's value stays, or an association that loses our label; overwritten: both sides changed, ours won;
restored: a computed field was edited; moved: the record changed between plan and apply and was left alone. Of an undo,
both left alone: changed since the run that is undone; archived: the record is no longer there, or another has its
key."""


class Conflict(msgspec.Struct, frozen=True):
    """A field of a record that somebody else changed, and what was done about it."""

    key: str
    field: str
    action: ConflictAction


class Base(msgspec.Struct, frozen=True):
    """Last values both sides had in common: verified or agreed values of the ledger, and digests of `managed_state`.

    Of the two the newer one counts, never both. `seen` has, by field, the digest the record carried when the ledger
    learnt its value, where that is not the value's own.
    """

    values: Mapping[str, str]
    digests: Mapping[str, str]
    seen: Mapping[str, str | None]

    def known(self, field: str) -> bool:
        """Tell whether anything is known of the field's last value."""
        return field in self.values or field in self.digests

    def matches(self, field: str, value: str) -> bool:
        """Tell whether `value` is what both sides had last."""
        if self._in_ledger(field):
            return self.values[field] == value
        return self.digests.get(field) == digest(value)

    def digest(self, field: str) -> str | None:
        """Digest of the last value, or None."""
        return digest(self.values[field]) if self._in_ledger(field) else self.digests.get(field)

    def _in_ledger(self, field: str) -> bool:
        """Tell whether the ledger has the newer value.

        A digest it did not see was written after it: by a run whose end this store never learnt, or by one elsewhere.
        """
        if field not in self.values:
            return False
        # a record without a digest cannot contradict the ledger: it may be damaged, or older than the field
        carried = self.digests.get(field)
        return carried is None or carried in {digest(self.values[field]), self.seen.get(field)}


class RecordDiff(msgspec.Struct, frozen=True):
    """Values to write on a live record. `before` has the live values of the fields in `after`, and the base's digests.

    `agreed` are fields that both sides changed alike: their value is the new base although nothing is written.
    """

    before: Mapping[str, str]
    after: Mapping[str, str]
    conflicts: tuple[Conflict, ...]
    agreed: Mapping[str, str]


def new_record(key: str, desired: Mapping[str, str], tenant: str | None = None) -> dict[str, str]:
    """Values to create a record with: everything that is set, the key, and the managed state."""
    values = {field: value for field, value in desired.items() if value}
    return {**values, KEY: key, MANAGED_STATE: managed_state(values, tenant)}


def compare_record(
    key: str,
    desired: Mapping[str, str],
    live: Mapping[str, str],
    base_values: Mapping[str, str],
    policies: Mapping[str, FieldPolicy] = POLICIES,
    *,
    seen_digests: Mapping[str, str | None] | None = None,
    tenant: str | None = None,
) -> RecordDiff:
    """Compare a wanted record with the live one. Both carry normalised values by field; missing is unset.

    `base_values` are the ledger's, `seen_digests` what `managed_state` said when the ledger learnt them (`Base.seen`).
    What is written carries the mark of `tenant`.
    """
    base = Base(base_values, parse_managed_state(live.get(MANAGED_STATE, "")), seen_digests or {})
    after: dict[str, str] = {}
    conflicts = []
    agreed = {}
    for field in COMPARED_FIELDS:
        if policies[field].kind is FieldKind.KEY:  # records are found by it, so it cannot differ
            continue
        # a missing field and an empty one mean the same on both sides
        wanted, theirs = desired.get(field, ""), live.get(field, "")
        write, action = _decide(policies[field], field, base, theirs, wanted)
        if write:
            after[field] = wanted
        if action is not None:
            conflicts.append(Conflict(key, field, action))
        # both sides changed alike: without a new base the next change of either would look like one of both
        if wanted == theirs and not base.matches(field, wanted):
            agreed[field] = wanted
    if after:
        after[MANAGED_STATE] = state_text(_next_state(base, live, desired, after), tenant)
    before = {field: live.get(field, "") for field in after}
    if after:
        # an undo puts these back: what both sides had in common then, which the record itself may not know
        digests = {field: last_digest for field in STATE_FIELDS if (last_digest := base.digest(field))}
        before[MANAGED_STATE] = state_text(digests, tenant_mark(live.get(MANAGED_STATE, "")))
    return RecordDiff(before, after, tuple(conflicts), agreed)


def _decide(
    policy: FieldPolicy, field: str, base: Base, theirs: str, wanted: str
) -> tuple[bool, ConflictAction | None]:
    """Decide whether to write the field, and what to report."""
    # an empty source value says nothing, unless the policy says that it clears the CRM's
    if wanted == theirs or (not wanted and not policy.clear_when_empty):
        return False, None
    edited = base.known(field) and not base.matches(field, theirs)
    # ours alone, and it changes in the ordinary course of things: nothing to report
    if policy.kind is FieldKind.LIFECYCLE:
        return True, None
    # ours alone as well, but an edit of it is lost by the write: that is reported
    if policy.kind is FieldKind.COMPUTED:
        return True, "restored" if edited else None
    if not base.known(field):  # nobody knows who wrote what is there
        edited = bool(theirs)
    # the CRM still has what we wrote last: only our side has changed
    if not edited:
        return True, None
    # only the CRM's side has changed: the edit stays until the source changes as well
    if base.matches(field, wanted) or policy.on_conflict == "theirs":
        return False, "kept"
    return True, "overwritten"


def _next_state(
    base: Base, live: Mapping[str, str], desired: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, str]:
    """Digests of `managed_state` after the write: new digests where both sides agree, the old base where they do not.

    Where they differ and nobody knows the base, there is no digest: a value of unknown origin is not taken for ours.
    """
    digests = {}
    for field in STATE_FIELDS:
        theirs = live.get(field, "")
        if field in after:
            digests[field] = digest(after[field])
        elif theirs == desired.get(field, ""):
            digests[field] = digest(theirs)
        # the old base is kept, so that the next plan still sees the edit as one
        elif (last_digest := base.digest(field)) is not None:
            digests[field] = last_digest
    return digests


def state_without(before: Mapping[str, str], after: Mapping[str, str], left_out: set[str]) -> str:
    """`after`'s managed state with the digests of `left_out` fields put back to what they were before."""
    old = parse_managed_state(before.get(MANAGED_STATE, ""))
    new = parse_managed_state(after[MANAGED_STATE])
    for field in left_out & new.keys():
        if field in old:
            new[field] = old[field]
        else:
            # there was no digest before: a new one would claim a value we did not write
            del new[field]
    return state_text(new, tenant_mark(after[MANAGED_STATE]))


def differing_fields(written: Mapping[str, str], read_back: Mapping[str, str]) -> list[str]:
    """Fields whose read-back value is not what was written."""
    # what was written is normalised already; the CRM may spell the same value differently
    return [field for field, value in written.items() if normalise(field, read_back.get(field)) != value]
