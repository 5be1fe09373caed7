"""What must be in the CRM, told from the world alone: written a second time, without SQL, to be compared with."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.models import PLAIN_LABEL
from integration_assets.sync.feature_request_object import (
    COMPARED_FIELDS,
    KEY,
    POLICIES,
    RETIRED_AT,
    RETIRED_REASON,
    STATE_FIELDS,
    FieldKind,
    RetiredReason,
    normalise,
)
from integration_assets_tests.proofs.histories.history_events import Past
from integration_assets_tests.sync.fake_crm import FakeCrm, StoredRecord
from integration_assets_tests.sync.world import LAST_VOTE, Request, World

Fields = dict[str, str]
Labels = set[tuple[str, str, str]]


def is_ours(record: StoredRecord) -> bool:
    """Whether the record carries a key of our source."""
    return (record.key or "").startswith("canny:")


def live_records(crm: FakeCrm) -> dict[str, StoredRecord]:
    """Our live records by key; no key twice."""
    live = [record for record in crm.records.values() if is_ours(record) and not record.archived]
    by_key = {str(record.key): record for record in live}
    assert len(by_key) == len(live), "a key is there twice"
    return by_key


def fields(record: StoredRecord) -> Fields:
    """The managed values of a record, normalised."""
    return {name: normalise(name, record.values.get(name)) for name in STATE_FIELDS}


def wanted(world: World) -> dict[str, Fields]:
    """What each request's record shall say, by key; empty fields included."""
    return {f"canny:{i}".lower(): _wanted_fields(request) for i, request in world.requests.items()}


def _wanted_fields(request: Request) -> Fields:
    companies = sorted({company for _, company in request.votes if company})
    values: dict[str, object] = {
        "title": request.title, "status": request.status, "source_status": request.status, "url": request.url,
        "board": request.board, "category": request.category, "details": request.details, "votes": len(request.votes),
        "companies": len(companies), "arr": request.arr,
        "voter_domains": "\n".join(f"{company}.example" for company in companies),
        "requested_at": "2026-01-01T00:00:00.000Z", "last_vote_at": LAST_VOTE if request.votes else None,
        "source": "canny",
    }  # fmt: skip
    return {name: normalise(name, values.get(name)) for name in STATE_FIELDS}


def wanted_labels(world: World, request: Request) -> Labels:
    """Labels of ours a request's record shall carry: target, its id, label."""
    labels: Labels = {("company", company, "voted") for _, company in request.votes if company}
    labels |= {("contact", world.contacts[voter], "voter") for voter, _ in request.votes if voter in world.contacts}
    if request.author in world.contacts:
        labels.add(("contact", world.contacts[str(request.author)], "author"))
    return labels


def labels_of(crm: FakeCrm, record: StoredRecord) -> Labels:
    """Labels a record carries, foreign ones left out."""
    ids = {record_id for record_id, held in crm.records.items() if held is record}
    return {
        (target, target_id, label)
        for (record_id, target, target_id), labels in crm.pairs.items()
        if record_id in ids
        for label in labels
        if label != PLAIN_LABEL and not label.startswith("other:")
    }


def check_associations(past: Past, key: str, *, calm: bool) -> None:
    """Every association of a live record has a reason: a label of ours or of others, or a person who made it.

    `calm`: no write took effect late, so that what people associated is there in any case.
    """
    record_id = past.crm.live_ids({key})[key]
    found = {pair: labels for pair, labels in past.crm.pairs.items() if pair[0] == record_id and labels}
    for pair, labels in found.items():
        if labels == {PLAIN_LABEL}:
            assert pair in past.associated | past.uncertain, f"{pair} is associated, and nobody wants it"
    if calm:
        theirs = {pair for pair in past.associated if pair[0] == record_id}
        assert theirs <= found.keys(), f"{theirs - found.keys()} were associated by people"


def check_end(past: Past, *, calm: bool) -> None:
    """After a calm sync every record says what the source says, but for what people typed and may keep."""
    live, archived = live_records(past.crm), {r.key for r in past.crm.records.values() if r.archived}
    by_key = {f"canny:{i}".lower(): request for i, request in past.world.requests.items()}
    for key, desired in wanted(past.world).items():
        if key not in live:
            assert key in archived | past.gone, f"{key} is missing"
            continue
        for name, value in fields(live[key]).items():
            assert value == desired[name] or value in _may_stay(past, key, name, desired[name]), (key, name, value)
        assert labels_of(past.crm, live[key]) == wanted_labels(past.world, by_key[key]), key
        check_associations(past, key, calm=calm)
    for key in live.keys() - by_key.keys():
        said = fields(live[key])
        assert said[RETIRED_AT], f"{key} is not retired"
        assert said[RETIRED_REASON] in {reason.value for reason in RetiredReason}, key


def _may_stay(past: Past, key: str, name: str, desired: str) -> set[str]:
    """Other values than the source's: what people typed into a field they may edit, and what is not overwritten by
    nothing."""
    nothing = not desired and not POLICIES[name].clear_when_empty
    typed = past.typed[key, name] if nothing or POLICIES[name].kind is FieldKind.EDITABLE else set()
    return typed | past.typed_by_source[key, name] if nothing else typed


class Bases:
    """The three-way rule, told again: what a sync makes of a record it made itself, when nothing goes wrong."""

    def __init__(self) -> None:
        self.known: dict[str, Fields] = {}

    def expected(self, key: str, live: Mapping[str, str], desired: Mapping[str, str]) -> Fields:
        """Values of a live record after a sync; the base moves with them."""
        base = self.known[key]
        after = dict(live)
        for name in COMPARED_FIELDS:
            if name == KEY:
                continue
            theirs, ours, policy = live[name], desired[name], POLICIES[name]
            absent = not ours and not policy.clear_when_empty
            only_theirs = policy.kind is FieldKind.EDITABLE and theirs != base[name] and ours == base[name]
            if not absent and not only_theirs:
                after[name] = base[name] = ours
            elif absent and theirs == ours:
                base[name] = ours
        return after
