"""Links: records of an object between ours and accounts or contacts, one for each label of a pair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from integration_assets.connectors.crm.base import PairLinks, PairsOutcome, PairWrite
from integration_assets.connectors.crm.salesforce import endpoints, names, soql
from integration_assets.connectors.crm.salesforce.session import Fate, Row, Session, gather, problem_of
from integration_assets.connectors.crm.salesforce.wire import SYSTEM
from integration_assets.errors import ContractError
from integration_assets.models import Link, LinkTarget, ObjectDefinition

OTHER = "other"


class _LinkRow(msgspec.Struct, frozen=True):
    """A link as it was read."""

    id: str
    record_id: str
    target_id: str
    kind: str | None


async def links(
    session: Session, definition: ObjectDefinition, record_ids: Sequence[str], target: LinkTarget
) -> tuple[Link, ...]:
    """All labels between these records, at most 200 of them, and records of `target`."""
    rows = await _rows(session, definition, target, record_ids, None)
    return tuple(Link(row.record_id, target, row.target_id, _label(definition, target, row.kind)) for row in rows)


async def links_of_pairs(
    session: Session, definition: ObjectDefinition, target: LinkTarget, pairs: Sequence[PairWrite]
) -> PairLinks:
    """All labels of these pairs."""
    found = await _rows_of_pairs(session, definition, target, pairs)
    return PairLinks(
        tuple(Link(row.record_id, target, row.target_id, _label(definition, target, row.kind)) for row in found)
    )


async def link(
    session: Session, definition: ObjectDefinition, target: LinkTarget, pairs: Sequence[PairWrite]
) -> PairsOutcome:
    """Make the links of pairs that are not there. Labels that the pair has besides stay: `unlink` takes them off.

    Raises:
        BatchRejectedError: the whole call is refused.
        PermanentError: nothing can be written until somebody acts.
        UnknownOutcomeError: the answer was lost.
    """
    ours = {one.name for one in definition.links if one.target == target}
    # Those of others were read a moment ago: they are there, and are not ours to make.
    wanted = [(pair, label) for pair in pairs for label in dict.fromkeys(pair.labels) if label in ours]
    # By record, so that two calls at a time do not save links below the same one.
    wanted.sort(key=lambda one: (one[0].record_id, one[0].target_id))
    rows = [
        {
            names.LINK_KEY: names.link_key(pair.record_id, pair.target_id, label),
            names.request_lookup(definition): pair.record_id,
            names.LOOKUPS[target]: pair.target_id,
            names.LINK_KIND: label,
        }
        for pair, label in wanted
    ]
    fates = await _upserted(session, names.link_object(definition), rows)
    return _accounted(pairs, [pair for pair, _ in wanted], fates)


async def _upserted(session: Session, object_name: str, rows: Sequence[Row]) -> list[Fate]:
    # One call for as many pairs as usual; a pair with several labels may make it two.
    fates: list[Fate] = []
    for start in range(0, len(rows), endpoints.ROWS_PER_CALL):
        fates += await session.upsert(object_name, names.LINK_KEY, rows[start : start + endpoints.ROWS_PER_CALL])
    return fates


async def unlink(
    session: Session,
    definition: ObjectDefinition,
    target: LinkTarget,
    pairs: Sequence[PairWrite],
    *,
    whole: bool = False,
) -> PairsOutcome:
    """Delete the links of pairs that carry one of the given labels, or, with `whole`, all of them.

    A link that is not there is taken off already.

    Raises: as `link`.
    """
    labels = {_ends(pair): set(pair.labels) for pair in pairs}
    by_ends = {_ends(pair): pair for pair in pairs}
    rows = [
        row
        for row in await _rows_of_pairs(session, definition, target, pairs)
        if whole or _label(definition, target, row.kind) in labels[row.record_id, row.target_id]
    ]
    fates: list[Fate] = []
    for start in range(0, len(rows), endpoints.ROWS_PER_CALL):
        fates += await session.delete([row.id for row in rows[start : start + endpoints.ROWS_PER_CALL]])
    return _accounted(pairs, [by_ends[row.record_id, row.target_id] for row in rows], fates)


def _accounted(pairs: Sequence[PairWrite], of_rows: Sequence[PairWrite], fates: Sequence[Fate]) -> PairsOutcome:
    """Sort pairs by the fates of their rows: one that is refused refuses the pair. Pure."""
    refused: dict[tuple[str, str], str] = {}
    unsaid: set[tuple[str, str]] = set()
    for pair, fate in zip(of_rows, fates, strict=True):
        if fate is None:
            unsaid.add(_ends(pair))
        elif not fate.success:
            refused.setdefault(_ends(pair), problem_of(fate).reason())
    return PairsOutcome(
        tuple(pair for pair in pairs if _ends(pair) not in refused and _ends(pair) not in unsaid),
        tuple((pair, refused[_ends(pair)]) for pair in pairs if _ends(pair) in refused),
        tuple(pair for pair in pairs if _ends(pair) in unsaid and _ends(pair) not in refused),
    )


def _ends(pair: PairWrite) -> tuple[str, str]:
    return pair.record_id, pair.target_id


def _label(definition: ObjectDefinition, target: LinkTarget, kind: str | None) -> str:
    ours = {one.name for one in definition.links if one.target == target}
    return kind if kind in ours and kind is not None else f"{OTHER}:{kind or 'none'}"


async def _rows_of_pairs(
    session: Session, definition: ObjectDefinition, target: LinkTarget, pairs: Sequence[PairWrite]
) -> list[_LinkRow]:
    wanted = {_ends(pair) for pair in pairs}
    rows = await _rows(
        session, definition, target, [pair.record_id for pair in pairs], [pair.target_id for pair in pairs]
    )
    return [row for row in rows if (row.record_id, row.target_id) in wanted]


async def _rows(
    session: Session,
    definition: ObjectDefinition,
    target: LinkTarget,
    record_ids: Iterable[str],
    target_ids: Iterable[str] | None,
) -> list[_LinkRow]:
    """Links of these records, to these targets or to any."""
    request, lookup = names.request_lookup(definition), names.LOOKUPS[target]
    records = soql.record_ids(record_ids)
    targets = None if target_ids is None else soql.record_ids(target_ids)
    # Ids of another form are of no record: there is nothing to ask.
    if not records or targets == []:
        return []
    fields = ["Id", request, lookup, names.LINK_KIND]
    size = endpoints.VALUES_PER_QUERY
    queries = []
    for first in _parts(records, size):
        for second in _parts(targets, size) if targets else [None]:
            to = f"{lookup} != null" if second is None else soql.any_of(lookup, second)
            condition = f"{soql.any_of(request, first)} AND {to}"
            queries.append(soql.select(names.link_object(definition), fields, condition))
    async with gather() as group:
        reading = [group.create_task(session.query(query)) for query in queries]
    return [_link_row(entry, request, lookup) for task in reading for entry in task.result()]


def _parts(values: Sequence[str], size: int) -> list[Collection[str]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _link_row(entry: Any, request: str, lookup: str) -> _LinkRow:
    try:
        ids = str(entry["Id"]), str(entry[request]), str(entry[lookup])
        kind = entry[names.LINK_KIND]
    except (KeyError, TypeError):
        raise ContractError(f"{SYSTEM}: a link came without one of its fields", system=SYSTEM) from None
    return _LinkRow(*ids, kind if isinstance(kind, str) else None)
