"""Operations of a plan: their type, their rows in the store, and the hash over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import duckdb
import msgspec
import pyarrow as pa

from integration_assets.errors import ConfigurationError
from integration_assets.models import PLAIN_LABEL, LinkTarget
from integration_assets.sync.store import columns, incoming

Action = Literal["create", "update", "retire", "link", "unlink", "roll_up"]
RECORD_ACTIONS: tuple[Action, ...] = ("create", "update", "retire")
PAIR_ACTIONS: tuple[Action, ...] = ("link", "unlink")
COMPANY_ACTIONS: tuple[Action, ...] = ("roll_up",)

PAGE = 5_000
"""Operations read from the store at a time."""

_VALUES = pa.map_(pa.string(), pa.string())
_LABELS = pa.list_(pa.string())
OPERATION_COLUMNS = columns(
    seq=pa.int64(),
    action=pa.string(),
    key=pa.string(),
    record_id=pa.string(),
    target=pa.string(),
    target_id=pa.string(),
    before_values=_VALUES,
    after_values=_VALUES,
    before_labels=_LABELS,
    after_labels=_LABELS,
)


class Operation(msgspec.Struct, frozen=True):
    """One change. Record actions carry values by field, pair actions labels, company actions values of a company.

    `before` of an update has every field of `after`. `after_labels` of a link are all labels the pair shall carry, of
    an unlink those to take off; the plain one among these means the whole pair. `record_id` is None while the record is
    to be created; of a company action it is the company's.
    """

    seq: int
    action: Action
    key: str
    record_id: str | None = None
    target: LinkTarget | None = None
    target_id: str | None = None
    before: Mapping[str, str] = {}
    after: Mapping[str, str] = {}
    before_labels: tuple[str, ...] = ()
    after_labels: tuple[str, ...] = ()

    @property
    def pair(self) -> str:
        """Name of the pair in reports: no address, no name."""
        return f"{self.key}:{self.target}:{self.target_id}"

    @property
    def whole(self) -> bool:
        """Tell whether an unlink ends every association of the pair."""
        return self.action == "unlink" and PLAIN_LABEL in self.after_labels

    @property
    def added_labels(self) -> tuple[str, ...]:
        """Labels a link adds, the plain one included."""
        return tuple(label for label in self.after_labels if label not in self.before_labels)

    @property
    def changed_labels(self) -> tuple[str, ...]:
        """Labels that count: those a link adds, or an unlink takes off."""
        return counted_labels(self.after_labels if self.action == "unlink" else self.added_labels)


def counted_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of one change that figures count: the plain one comes and goes with others, alone it counts as one."""
    return tuple(label for label in labels if label != PLAIN_LABEL) or tuple(labels)


def operation_rows(operations: Iterable[Operation]) -> pa.Table:
    """Columnar form of operations, as `OPERATION_COLUMNS`."""
    rows = [
        {
            "seq": operation.seq,
            "action": operation.action,
            "key": operation.key,
            "record_id": operation.record_id,
            "target": operation.target,
            "target_id": operation.target_id,
            "before_values": list(operation.before.items()),
            "after_values": list(operation.after.items()),
            "before_labels": list(operation.before_labels),
            "after_labels": list(operation.after_labels),
        }
        for operation in operations
    ]
    return pa.Table.from_pylist(rows, schema=OPERATION_COLUMNS)


def insert_operations(connection: duckdb.DuckDBPyConnection, plan_id: str, operations: Iterable[Operation]) -> None:
    """Append operations to a plan."""
    with incoming(connection, operation_rows(operations)):
        connection.execute(
            "INSERT INTO sync.plan_operations SELECT $plan_id, *, FALSE FROM incoming_rows", {"plan_id": plan_id}
        )


def read_operations(
    connection: duckdb.DuckDBPyConnection,
    plan_id: str,
    actions: Sequence[str] = (*RECORD_ACTIONS, *PAIR_ACTIONS, *COMPANY_ACTIONS),
    *,
    with_moved: bool = False,
) -> Iterator[Operation]:
    """Operations of a plan in order, a page at a time; those that moved are left out unless asked for."""
    # page by page, not from one open cursor: the same connection writes the ledger in between
    last = -1
    while True:
        rows = connection.execute(
            """
            SELECT
                seq, action, key, record_id, target, target_id,
                before_values, after_values, before_labels, after_labels
            FROM sync.plan_operations
            WHERE
                plan_id = $plan_id AND seq > $last AND list_contains($actions, action)
                AND (NOT moved OR $with_moved)
            ORDER BY seq
            LIMIT $page
            """,
            {
                "plan_id": plan_id,
                "last": last,
                "actions": list(actions),
                "with_moved": with_moved,
                "page": PAGE,
            },
        ).fetchall()
        yield from map(_operation, rows)
        if len(rows) < PAGE:
            return
        # on by number, not by offset: numbers stay, whatever is marked as moved meanwhile
        last = rows[-1][0]


def _operation(row: tuple[Any, ...]) -> Operation:
    seq, action, key, record_id, target, target_id, before, after, before_labels, after_labels = row
    return Operation(
        seq,
        action,
        key,
        record_id,
        target,
        target_id,
        # the store has NULL where an action has no values, or no labels
        before or {},
        after or {},
        tuple(before_labels or ()),
        tuple(after_labels or ()),
    )


def plan_hash(header: Mapping[str, str], operations: Iterable[Operation]) -> str:
    """SHA-256 over what the plan is for (`header`) and every operation with its before-values, in order."""
    digest = hashlib.sha256(msgspec.json.encode(header, order="deterministic"))
    # keys sorted: the hash must not depend on the order in which a map was filled
    encoder = msgspec.json.Encoder(order="deterministic")
    for operation in operations:
        # a line each, as in a plan file
        digest.update(b"\n")
        digest.update(encoder.encode(operation))
    return digest.hexdigest()


def one_per_place(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Drop repeats within a batch: the CRM refuses one that names a record twice.

    Raises:
        ConfigurationError: two operations on one record or pair that do not say the same.
    """
    seen: dict[tuple[str, str | None, str | None], Operation] = {}
    for operation in operations:
        identity = (operation.key, operation.target, operation.target_id)
        first = seen.setdefault(identity, operation)
        if first is operation:
            yield operation
        # their numbers always differ; apart from these, repeats must say the same
        elif msgspec.structs.replace(first, seq=0) != msgspec.structs.replace(operation, seq=0):
            raise ConfigurationError(f"the plan changes {operation.key} twice and differently: make a new plan")
