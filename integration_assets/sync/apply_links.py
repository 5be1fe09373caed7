"""Phase two: link and unlink, a batch at a time, each pair read back before it counts.

Writing replaces the labels of a pair, so the labels of pairs that may have some are read just before, and foreign ones
are written along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from integration_assets.connectors.crm.base import PairWrite
from integration_assets.models import LinkTarget, Rejected
from integration_assets.staging.texts import text_list
from integration_assets.sync.application import Application
from integration_assets.sync.ledger import Outcome, Settled
from integration_assets.sync.operations import Operation
from integration_assets.sync.sending import Sent, pair_id, pair_writer, send
from integration_assets.sync.verify import (
    LOST_READ_PAUSES_SECONDS,
    Labels,
    as_links,
    link_problem,
    read_labels,
)

KIND = "link"


class _Item(msgspec.Struct, frozen=True):
    """An operation as it is about to be sent. `labels` are those that count: added, or taken off."""

    operation: Operation
    pair: PairWrite
    labels: tuple[str, ...]


async def apply_links(application: Application, operations: Sequence[Operation]) -> None:
    """Write one batch of pairs of one action and one target, and verify it."""
    target = operations[0].target
    if target is not None:
        items = await _items(application, operations, target)
        if items:
            await _write_and_verify(application, items, target)
    application.on_progress("links", len(operations))


async def _items(application: Application, operations: Sequence[Operation], target: LinkTarget) -> list[_Item]:
    record_ids = _record_ids(application, [operation.key for operation in operations])
    orphans = [operation for operation in operations if operation.key not in record_ids]
    _reject_orphans(application, orphans)
    old = {record_ids[o.key] for o in operations if o.record_id is not None and o.key in record_ids}
    present = await read_labels(application.crm, application.definition, old, target)
    items = []
    for operation in operations:
        if operation.key not in record_ids:
            continue
        item = _item(operation, record_ids[operation.key], target, present)
        if item.labels:
            items.append(item)
        elif operation.action == "link":
            application.report.links.unchanged += len(operation.changed_labels)
    return items


def _item(operation: Operation, record_id: str, target: LinkTarget, present: Labels) -> _Item:
    target_id = operation.target_id or ""
    now = present.get((record_id, target_id), ())
    if operation.action == "unlink":
        changed = tuple(label for label in operation.after_labels if label in now)
        written = changed
    else:
        changed = tuple(label for label in operation.changed_labels if label not in now)
        written = tuple(sorted({*now, *operation.changed_labels}))
    sent = msgspec.structs.replace(operation, record_id=record_id, before_labels=now, after_labels=written)
    return _Item(sent, PairWrite(record_id, target, target_id, written), changed)


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
    application.ledger.settle_links([], now=application.now(), pairs=[], links=[], rejected=rejected)


def _rejections(application: Application, operation: Operation, labels: Sequence[str], reason: str) -> list[Rejected]:
    application.report.links.rejected += len(labels)
    return [application.reject(KIND, f"{operation.pair}:{label}", reason) for label in labels]


async def _write_and_verify(application: Application, items: Sequence[_Item], target: LinkTarget) -> None:
    unlink = items[0].operation.action == "unlink"
    ids = application.ledger.intend([item.operation for item in items], now=application.now())
    by_pair = {pair_id(item.pair): (item, ledger_id) for item, ledger_id in zip(items, ids, strict=True)}
    sent = await _send(application, [item.pair for item in items], unlink=unlink)
    labels = await _read_back(application, sent, target, unlink=unlink)
    settled: list[Settled] = []
    rejected: list[Rejected] = []
    fates = _fates(sent, labels, unlink=unlink)
    for identity, (item, ledger_id) in by_pair.items():
        outcome, reason = fates[identity]
        settled.append(Settled(ledger_id, outcome, reason))
        if outcome == "verified":
            _count(application, item, unlink=unlink)
        elif outcome == "rejected":
            rejected += _rejections(application, item.operation, item.labels, reason or "")
        else:
            application.report.unknown += 1
    touched = [pair for pair in (*sent.accepted, *sent.unaccounted, *sent.lost) if pair_id(pair) in by_pair]
    application.ledger.settle_links(
        settled,
        now=application.now(),
        pairs=[(pair.record_id, target, pair.target_id) for pair in touched],
        links=as_links(target, touched, labels),
        rejected=rejected,
    )


async def _send(application: Application, pairs: Sequence[PairWrite], *, unlink: bool) -> Sent[PairWrite]:
    return await send(pairs, pair_writer(application.crm, application.definition, unlink=unlink), application.pause)


async def _read_back(application: Application, sent: Sent[PairWrite], target: LinkTarget, *, unlink: bool) -> Labels:
    """Labels now of everything that may have been written. May move items of `sent` to another fate."""

    async def read(pairs: Sequence[PairWrite]) -> Labels:
        return await read_labels(application.crm, application.definition, {p.record_id for p in pairs}, target)

    labels = dict(await read([*sent.accepted, *sent.unaccounted, *sent.lost]))
    undone = [pair for pair in sent.accepted if link_problem(pair, labels, unlink=unlink)]
    if undone:  # said to be written, but not there: once more
        again = {pair_id(pair) for pair in undone}
        sent.accepted = [pair for pair in sent.accepted if pair_id(pair) not in again]
        sent.add(await _send(application, undone, unlink=unlink))
        labels |= _fresh(await read(undone), undone)
    for seconds in LOST_READ_PAUSES_SECONDS:
        missing = [pair for pair in sent.lost if link_problem(pair, labels, unlink=unlink)]
        if not missing:
            break
        await application.pause(seconds)
        labels |= _fresh(await read(missing), missing)
    return labels


def _fresh(labels: Labels, pairs: Sequence[PairWrite]) -> Labels:
    """Labels of these pairs only, those without any included, so that an old reading does not survive."""
    return {pair_id(pair): labels.get(pair_id(pair), ()) for pair in pairs}


def _fates(sent: Sent[PairWrite], labels: Labels, *, unlink: bool) -> dict[tuple[str, str], tuple[Outcome, str | None]]:
    fates: dict[tuple[str, str], tuple[Outcome, str | None]] = {}
    unless_there: tuple[tuple[list[PairWrite], Outcome], ...] = (
        (sent.accepted, "rejected"),
        (sent.unaccounted, "rejected"),
        (sent.lost, "unknown"),
    )
    for pairs, outcome in unless_there:
        for pair in pairs:
            problem = link_problem(pair, labels, unlink=unlink)
            fates[pair_id(pair)] = (outcome, problem) if problem else ("verified", None)
    fates.update({pair_id(pair): ("rejected", reason) for pair, reason in sent.rejected})
    return fates


def _count(application: Application, item: _Item, *, unlink: bool) -> None:
    links = application.report.links
    links.verified += len(item.labels)
    if unlink:
        links.removed += len(item.labels)
    else:
        links.created += len(item.labels)
