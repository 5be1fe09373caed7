"""Phase two: link and unlink, a batch at a time, each pair read back before it counts.

Writing replaces the labels of a pair, so the labels of pairs that may have some are read just before, and foreign ones
are written along. A pair is removed whole only as long as it carries nothing else than was planned to go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from integration_assets.connectors.crm.base import PairWrite
from integration_assets.models import PLAIN_LABEL, LinkTarget, Rejected
from integration_assets.sql import read_sql
from integration_assets.staging.texts import text_list
from integration_assets.sync.application import Application
from integration_assets.sync.ledger import IntentOutcome, Outcome
from integration_assets.sync.operations import Operation, counted_labels
from integration_assets.sync.sending import PairKind, Sent, pair_id, pair_writer, send
from integration_assets.sync.store import incoming, set_variables
from integration_assets.sync.verify import (
    LOST_READ_PAUSES_SECONDS,
    Labels,
    as_links,
    chunks,
    link_problem,
    read_labels,
)

KIND = "link"


class _Item(msgspec.Struct, frozen=True):
    """An operation as it is about to be sent. `labels` are those that count: added, or taken off."""

    operation: Operation
    pair: PairWrite
    labels: tuple[str, ...]

    @property
    def kind(self) -> PairKind:
        if self.operation.action == "link":
            return "link"
        return "unlink whole" if self.operation.whole else "unlink"


class _Ends(msgspec.Struct, frozen=True):
    """Numbers of links of the records, and of the companies or contacts, of a batch, its own pairs included."""

    records: Mapping[str, int]
    targets: Mapping[str, int]


async def apply_links(application: Application, operations: Sequence[Operation]) -> None:
    """Write one batch of pairs of one action and one target, and verify it."""
    target = operations[0].target
    if target is not None:
        # ids as of now: records made a moment ago had none when the plan was saved
        record_ids = _record_ids(application, [operation.key for operation in operations])
        # their record was refused, or is no longer there: what cannot be linked is reported, not dropped
        _reject_orphans(application, [operation for operation in operations if operation.key not in record_ids])
        present = [operation for operation in operations if operation.key in record_ids]
        pairs = [PairWrite(record_ids[operation.key], target, operation.target_id or "", ()) for operation in present]
        ends = _ends(application, present, pairs, target)
        items = await _items(application, present, pairs, ends)
        # what is not removed whole after all fits as many pairs into a call as other labels do
        most = application.crm.pairs_per_removal
        for batch in (
            [item for item in items if item.kind == "link"],
            [item for item in items if item.kind == "unlink whole"],
            *chunks([item for item in items if item.kind == "unlink"], most),
        ):
            if batch:
                await _write_and_verify(application, batch, target, ends)
    application.on_progress("links", len(operations))


def _ends(
    application: Application, operations: Sequence[Operation], pairs: Sequence[PairWrite], target: LinkTarget
) -> _Ends:
    # the pairs of this batch count as well: they are in the lists that are read back afterwards
    new = [pair for operation, pair in zip(operations, pairs, strict=True) if not operation.before_labels]
    records, targets = Counter(pair.record_id for pair in new), Counter(pair.target_id for pair in new)
    rows = {
        "record_id": pa.array([pair.record_id for pair in pairs], pa.string()),
        "target_id": pa.array([pair.target_id for pair in pairs], pa.string()),
    }
    set_variables(application.connection, target=target)
    with incoming(application.connection, pa.table(rows)):
        for is_record, end_id, links in application.connection.execute(read_sql("sync/ends_of_pairs")).fetchall():
            (records if is_record else targets)[end_id] += links
    return _Ends(records, targets)


async def _items(
    application: Application, operations: Sequence[Operation], pairs: Sequence[PairWrite], ends: _Ends
) -> list[_Item]:
    made = _made_by_this_run(application, [one.key for one in operations if one.record_id is None])
    # records of this very run are not read: nobody else can have linked them yet, and most of a first run are such
    old = [pair for operation, pair in zip(operations, pairs, strict=True) if operation.key not in made]
    now = await _read(application, old, ends)
    items = []
    for operation, pair in zip(operations, pairs, strict=True):
        item = _item(operation, pair, now.get(pair_id(pair), ()))
        if item.labels:
            items.append(item)
        # somebody has set the labels since the plan: they are there, as wanted
        elif operation.action == "link":
            application.report.links.unchanged += len(operation.changed_labels)
    return items


def _item(operation: Operation, pair: PairWrite, now: tuple[str, ...]) -> _Item:
    if operation.action == "link":
        changed = tuple(label for label in operation.added_labels if label not in now)
        # with the labels others have added since the plan: the call replaces the whole set
        written = tuple(sorted({*now, *operation.added_labels}))
        # the plain label counts only where it comes alone
        counted = tuple(label for label in changed if label in operation.changed_labels)
    else:
        written = _taken_off(operation, now)
        counted = counted_labels(written)
    # the ledger gets what is there now, not what the plan saw: an undo goes by it
    sent = msgspec.structs.replace(operation, record_id=pair.record_id, before_labels=now, after_labels=written)
    return _Item(sent, msgspec.structs.replace(pair, labels=written), counted)


def _taken_off(operation: Operation, now: tuple[str, ...]) -> tuple[str, ...]:
    """Labels to take off a pair; the plain one among them ends it.

    It goes with the last of ours only: a label that somebody added since the plan keeps the pair, and where ours is
    gone already, whoever took it off left the association on purpose.
    """
    ours = tuple(label for label in operation.after_labels if label in now and label != PLAIN_LABEL)
    alone = operation.after_labels == (PLAIN_LABEL,)
    if operation.whole and PLAIN_LABEL in now and (ours or alone) and {*now} <= {*operation.after_labels}:
        return now
    return ours


def _made_by_this_run(application: Application, keys: Sequence[str]) -> set[str]:
    """Records made a moment ago: nobody can have linked them. Others may have got links since the plan."""
    rows = application.connection.execute(
        """
        SELECT DISTINCT key FROM sync.ledger
        WHERE run_id = $run_id AND action = 'create' AND key IN (SELECT unnest(from_json($keys, '["VARCHAR"]')))
        """,
        {"run_id": application.ledger.run_id, "keys": text_list(sorted(set(keys)))},
    ).fetchall()
    return {key for (key,) in rows}


async def _read(application: Application, pairs: Sequence[PairWrite], ends: _Ends) -> Labels:
    if not pairs:
        return {}
    return await read_labels(application.crm, application.definition, pairs, ends.records, ends.targets)


def _record_ids(application: Application, keys: Sequence[str]) -> Mapping[str, str]:
    rows = application.connection.execute(
        """
        SELECT lower(key), record_id FROM raw.crm_feature_requests
        WHERE NOT archived AND lower(key) IN (SELECT unnest(from_json($keys, '["VARCHAR"]')))
        """,
        {"keys": text_list(sorted(set(keys)))},
    ).fetchall()
    return dict(rows)


def _reject_orphans(application: Application, orphans: Sequence[Operation]) -> None:
    if not orphans:
        return
    reason = "its feature request is not in the CRM"
    rejected = []
    for operation in orphans:
        rejected += _rejections(application, operation, operation.changed_labels, reason)
    application.ledger.record_link_outcomes([], now=application.now(), pairs=[], links=[], rejected=rejected)


def _rejections(application: Application, operation: Operation, labels: Sequence[str], reason: str) -> list[Rejected]:
    application.report.links.rejected += len(labels)
    return [application.reject(KIND, f"{operation.pair}:{label}", reason) for label in labels]


async def _write_and_verify(application: Application, items: Sequence[_Item], target: LinkTarget, ends: _Ends) -> None:
    """Send pairs of one kind, read them back and commit what came of it."""
    # on record before it is sent: after a crash nothing is in the CRM that the ledger does not know of
    ids = application.ledger.record_intent([item.operation for item in items], now=application.now())
    batch = _Batch(application, {pair_id(item.pair): item for item in items}, items[0].kind, ends)
    sent = await batch.send([item.pair for item in items])
    labels = await _read_back(batch, sent)
    outcomes: list[IntentOutcome] = []
    rejected: list[Rejected] = []
    fates = _fates(batch, sent, labels)
    for ledger_id, (identity, item) in zip(ids, batch.items.items(), strict=True):
        # an error ended the batch before it: its intent stays open, and the next run reads what is there
        if identity not in fates:
            continue
        outcome, reason = fates[identity]
        outcomes.append(IntentOutcome(ledger_id, outcome, reason))
        if outcome == "verified":
            _count(application, item)
        elif outcome == "rejected":
            rejected += _rejections(application, item.operation, item.labels, reason or "")
        else:
            application.report.unknown += 1
    # refused pairs are not among them: they were not read back, and are as they were before
    touched = [pair for pair in (*sent.accepted, *sent.unaccounted, *sent.lost) if pair_id(pair) in batch.items]
    application.ledger.record_link_outcomes(
        outcomes,
        now=application.now(),
        pairs=[(pair.record_id, target, pair.target_id) for pair in touched],
        links=as_links(target, touched, labels),
        rejected=rejected,
    )
    sent.raise_what_ended_it()


class _Batch(msgspec.Struct, frozen=True):
    """Pairs of one kind on their way, by identity."""

    application: Application
    items: Mapping[tuple[str, str], _Item]
    kind: PairKind
    ends: _Ends

    async def send(self, pairs: Sequence[PairWrite]) -> Sent[PairWrite]:
        application = self.application
        return await send(pairs, pair_writer(application.crm, application.definition, self.kind), application.pause)

    async def read(self, pairs: Sequence[PairWrite]) -> Labels:
        """Labels of these pairs, those without any included, so that an old reading does not survive."""
        labels = await _read(self.application, pairs, self.ends)
        return {pair_id(pair): labels.get(pair_id(pair), ()) for pair in pairs}

    def problem(self, pair: PairWrite, labels: Labels) -> str | None:
        before = self.items[pair_id(pair)].operation.before_labels
        return link_problem(pair, before, labels.get(pair_id(pair), ()), self.kind)


async def _read_back(batch: _Batch, sent: Sent[PairWrite]) -> Labels:
    """Labels now of everything that may have been written. May move items of `sent` to another fate."""
    labels = dict(await batch.read([*sent.accepted, *sent.unaccounted, *sent.lost]))
    undone = [pair for pair in sent.accepted if batch.problem(pair, labels)]
    if undone:  # said to be written, but not there: once more
        again = {pair_id(pair) for pair in undone}
        # the fate of the second attempt replaces that of the first
        sent.accepted = [pair for pair in sent.accepted if pair_id(pair) not in again]
        sent.add(await batch.send(undone))
        labels |= await batch.read(undone)
    # a write without an answer may still arrive: not there yet does not mean refused
    for seconds in LOST_READ_PAUSES_SECONDS:
        missing = [pair for pair in sent.lost if batch.problem(pair, labels)]
        if not missing:
            break
        await batch.application.pause(seconds)
        labels |= await batch.read(missing)
    return labels


def _fates(batch: _Batch, sent: Sent[PairWrite], labels: Labels) -> dict[tuple[str, str], tuple[Outcome, str | None]]:
    fates: dict[tuple[str, str], tuple[Outcome, str | None]] = {}
    # after an answer, a pair that is not as written stays so; without one it may still change
    unless_there: tuple[tuple[list[PairWrite], Outcome], ...] = (
        (sent.accepted, "rejected"),
        (sent.unaccounted, "rejected"),
        (sent.lost, "unknown"),
    )
    for pairs, outcome in unless_there:
        for pair in pairs:
            problem = batch.problem(pair, labels)
            fates[pair_id(pair)] = (outcome, problem) if problem else ("verified", None)
    fates.update({pair_id(pair): ("rejected", reason) for pair, reason in sent.rejected})
    return fates


def _count(application: Application, item: _Item) -> None:
    links = application.report.links
    links.verified += len(item.labels)
    if item.kind == "link":
        links.created += len(item.labels)
    else:
        links.removed += len(item.labels)
