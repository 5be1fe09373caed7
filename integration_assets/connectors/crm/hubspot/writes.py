"""Writes into a portal: our records, and their links. Nothing else is ever written.

Answers are matched by what identifies an input (trace id, key, ids of both ends), never by position: HubSpot answers in
any order, and may leave an input out without a word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from integration_assets.connectors.crm.base import (
    PairsOutcome,
    PairWrite,
    RecordsOutcome,
    RecordWrite,
    WrittenRecord,
)
from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.error_answers import Problem, parse_problem
from integration_assets.connectors.crm.hubspot.ids import LinkTypes
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import BatchAnswer, Record, WrittenPair, decode_entry
from integration_assets.models import LinkTarget, ObjectDefinition, Rejected

# ----------------------------------------------------------------------------------------------------------- records


async def upsert(
    session: Session, object_type: str, definition: ObjectDefinition, writes: Sequence[RecordWrite]
) -> RecordsOutcome:
    """Create or update records by their key. Safe to repeat: the key makes it idempotent.

    Raises:
        BatchRejectedError: the whole batch is refused.
        UnknownOutcomeError: the answer was lost.
    """
    if not writes:
        return RecordsOutcome(())
    key_property = definition.key_property
    inputs = [
        {
            "id": write.key,
            "idProperty": key_property,
            # With a trace id on every input one bad record is refused alone; without, it takes the batch with it.
            "objectWriteTraceId": write.key,
            "properties": {**write.values, key_property: write.key},
        }
        for write in writes
    ]
    answer = await session.write_batch(endpoints.object_batch(object_type, "upsert"), {"inputs": inputs})
    return account_for_records([write.key for write in writes], answer, key_property)


def account_for_records(keys: Sequence[str], answer: BatchAnswer, key_property: str) -> RecordsOutcome:
    """Sort the keys of a batch into written, rejected and unaccounted. Pure."""
    asked = set(keys)
    written: dict[str, WrittenRecord] = {}
    for entry in answer.results:
        record = decode_entry(entry, Record)
        if not isinstance(record, Record):
            continue  # its key stays unaccounted, and is read back
        # By either of the two: an answer may leave the properties out, or the trace id.
        key = next((name for name in (record.object_write_trace_id, record.value(key_property)) if name in asked), None)
        # Without `new` it cannot be told whether it was created: its key stays unaccounted, and is read back.
        if key is not None and record.new is not None:
            written[key] = WrittenRecord(key, str(record.id), record.new)
    refused: dict[str, str] = {}
    for problem in map(parse_problem, answer.errors):
        named = [key for name in ("objectWriteTraceId", "ids") for key in problem.context.get(name, ()) if key in asked]
        # An error that names nobody can be about the only input alone.
        alone = list(asked) if len(asked) == 1 else []
        refused.update(dict.fromkeys(named or alone, problem.reason()))
    return RecordsOutcome(
        written=tuple(written[key] for key in keys if key in written),
        rejected=tuple(
            Rejected("feature_request", key, refused[key]) for key in keys if key in refused and key not in written
        ),
        unaccounted=tuple(key for key in keys if key not in written and key not in refused),
    )


# ------------------------------------------------------------------------------------------------------------- links


async def link(
    session: Session, object_type: str, target: LinkTarget, types: LinkTypes, pairs: Sequence[PairWrite]
) -> PairsOutcome:
    """Set the labels of pairs. Safe to repeat.

    Raises:
        BatchRejectedError: the whole batch is refused.
        UnknownOutcomeError: the answer was lost.
        HeldError: the portal does not define one of the labels.
    """
    if not pairs:
        return PairsOutcome(())
    endpoint = endpoints.association_batch(object_type, endpoints.TARGETS[target], "create")
    answer = await session.write_batch(endpoint, _pair_inputs(types, pairs), bucket=endpoints.ASSOCIATION_BUCKET)
    confirmed = _confirmed(answer.results)
    return account_for_pairs(pairs, confirmed, [parse_problem(entry) for entry in answer.errors])


async def unlink(
    session: Session, object_type: str, target: LinkTarget, types: LinkTypes, pairs: Sequence[PairWrite]
) -> PairsOutcome:
    """Take labels off pairs. Safe to repeat. The confirmation need not name the pairs: silence is success here.

    Raises: as `link`.
    """
    if not pairs:
        return PairsOutcome(())
    endpoint = endpoints.association_batch(object_type, endpoints.TARGETS[target], "labels/archive")
    answer = await session.write_batch(endpoint, _pair_inputs(types, pairs), bucket=endpoints.ASSOCIATION_BUCKET)
    return _removed(pairs, answer)


async def unlink_whole(
    session: Session, object_type: str, target: LinkTarget, pairs: Sequence[PairWrite]
) -> PairsOutcome:
    """End every association of pairs, one input for each record of ours. Safe to repeat; silence is success.

    Raises:
        BatchRejectedError: the whole batch is refused.
        UnknownOutcomeError: the answer was lost.
    """
    if not pairs:
        return PairsOutcome(())
    # One input for each record: the limit of the call is on those.
    ends: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        ends[pair.record_id].append(pair.target_id)
    inputs = [
        {"from": {"id": record_id}, "to": [{"id": target_id} for target_id in target_ids]}
        for record_id, target_ids in ends.items()
    ]
    endpoint = endpoints.association_batch(object_type, endpoints.TARGETS[target], "archive")
    answer = await session.write_batch(endpoint, {"inputs": inputs}, bucket=endpoints.ASSOCIATION_BUCKET)
    return _removed(pairs, answer)


def _removed(pairs: Sequence[PairWrite], answer: BatchAnswer) -> PairsOutcome:
    """Sort pairs by the answer to a removal, which need not name those it removed."""
    problems = [parse_problem(entry) for entry in answer.errors]
    confirmed = _confirmed(answer.results)
    # Silence is success only where every error can be placed: one that names nobody may be about any pair.
    if all(any(_is_about(problem, pair) or _touches(problem, pair) for pair in pairs) for problem in problems):
        confirmed |= {_ends(pair) for pair in pairs if not any(_touches(problem, pair) for problem in problems)}
    return account_for_pairs(pairs, confirmed, problems)


def account_for_pairs(
    pairs: Sequence[PairWrite], confirmed: Iterable[tuple[str, str]], problems: Sequence[Problem]
) -> PairsOutcome:
    """Sort the pairs of a batch into written, rejected and unaccounted. A refusal outweighs a confirmation. Pure."""
    done = set(confirmed)
    written: list[PairWrite] = []
    rejected: list[tuple[PairWrite, str]] = []
    unaccounted: list[PairWrite] = []
    for pair in pairs:
        # A refusal that names both ends outweighs a confirmation.
        problem = next((item for item in problems if len(pairs) == 1 or _is_about(item, pair)), None)
        # One that names a single end counts only where nothing confirms the pair.
        if problem is None and _ends(pair) not in done:
            problem = next((item for item in problems if _touches(item, pair)), None)
        if problem is not None:
            rejected.append((pair, problem.reason()))
        elif _ends(pair) in done:
            written.append(pair)
        else:
            unaccounted.append(pair)
    return PairsOutcome(tuple(written), tuple(rejected), tuple(unaccounted))


def _ends(pair: PairWrite) -> tuple[str, str]:
    return pair.record_id, pair.target_id


def _pair_inputs(types: LinkTypes, pairs: Sequence[PairWrite]) -> dict[str, Any]:
    return {
        "inputs": [
            {
                "from": {"id": pair.record_id},
                "to": {"id": pair.target_id},
                "types": [
                    {"associationCategory": category, "associationTypeId": number}
                    # Each type once, although two labels may be of one.
                    for category, number in dict.fromkeys(types.key(label) for label in pair.labels)
                ],
            }
            for pair in pairs
        ]
    }


def _confirmed(results: Iterable[Any]) -> set[tuple[str, str]]:
    entries = (decode_entry(entry, WrittenPair) for entry in results)
    return {ids for entry in entries if isinstance(entry, WrittenPair) and (ids := entry.ids()) is not None}


_FROM = ("fromObjectId", "fromObjectIds", "from", "fromId")
_TO = ("toObjectId", "toObjectIds", "to", "toId")
_EITHER = ("ids", "id", "objectId", "objectIds")
"""The reference does not say how an error names its pair: these were seen, or follow the names of the answers."""


def _is_about(problem: Problem, pair: PairWrite) -> bool:
    """True if a batch error names both ends of this pair, side by side when it lists several pairs."""
    starts, ends = _named(problem, _FROM), _named(problem, _TO)
    # Side by side: the first start belongs to the first end.
    if len(starts) == len(ends):
        return _ends(pair) in zip(starts, ends, strict=True)
    return pair.record_id in starts and pair.target_id in ends and 1 in (len(starts), len(ends))


def _touches(problem: Problem, pair: PairWrite) -> bool:
    """True if a batch error names one end of this pair and no other, as one about a record that is gone does."""
    starts, ends, either = _named(problem, _FROM), _named(problem, _TO), _named(problem, _EITHER)
    # It names a pair, and so is no error about a record alone.
    if starts and ends:
        return False
    return pair.record_id in (*starts, *either) or pair.target_id in (*ends, *either)


def _named(problem: Problem, names: Iterable[str]) -> tuple[str, ...]:
    return next((problem.context[name] for name in names if problem.context.get(name)), ())
