"""A plan as a file, for places that keep no staging store between runs.

The first line is the header, every other one operation, all JSON. The hash in the header covers the operations, so
that an edited or half-written file is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.staging.transactions import transaction
from integration_assets.sync.operations import Operation, insert_operations, plan_hash, read_operations
from integration_assets.sync.plan_store import SHORTEST_PREFIX, Plan, hash_header, insert_header
from integration_assets.whole_files import READABLE, replacing_file

FORMAT = 1
_CHUNK = 5_000


class _Header(msgspec.Struct):
    format: int
    plan: Plan


def export_plan(connection: duckdb.DuckDBPyConnection, plan: Plan, path: Path) -> None:
    """Write a saved plan to `path`, which appears whole or not at all.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    encoder = msgspec.json.Encoder(order="deterministic")
    try:
        with replacing_file(path, mode=READABLE) as file:
            file.write(encoder.encode(_Header(FORMAT, plan)) + b"\n")
            # those that moved as well: the hash covers them
            for operation in read_operations(connection, plan.plan_id, with_moved=True):
                file.write(encoder.encode(operation) + b"\n")
    except OSError as error:
        raise ConfigurationError(f"the plan cannot be written to {path}: {error.strerror}") from error


def import_plan(connection: duckdb.DuckDBPyConnection, path: Path, approved_hash: str | None) -> Plan:
    """Read a plan from `path` into the store and return it. `approved_hash` is its hash, or the beginning of it.

    Raises:
        ConfigurationError: the file cannot be read, was changed, is not the plan that was approved, or has the id of
            another plan.
    """
    header = _header(path)
    plan = header.plan
    # before the operations are read: a plan that nobody approved is not worth the time
    if approved_hash is None or len(approved_hash) < SHORTEST_PREFIX or not plan.hash.startswith(approved_hash.lower()):
        raise ConfigurationError(f"the plan in {path} has the hash {plan.hash[:12]}: approve that with --approve")
    # the file is read twice rather than held in memory: a plan may have a million operations
    if plan_hash(hash_header(plan), _operations(path)) != plan.hash:
        raise ConfigurationError(f"the plan in {path} does not have the hash it claims: make a new one")
    stored = connection.execute("SELECT hash FROM sync.plans WHERE plan_id = $id", {"id": plan.plan_id}).fetchall()
    # what was approved is this file, not what the store has under the same id
    if stored and stored[0][0] != plan.hash:
        raise ConfigurationError(f"the store has another plan with the id of the one in {path}: make a new one")
    operations = connection.execute(
        "SELECT count(*) FROM sync.plan_operations WHERE plan_id = $id", {"id": plan.plan_id}
    ).fetchall()
    # header and operations at once: half an import would be taken for a known plan the next time
    with transaction(connection):
        if not stored:
            insert_header(connection, plan)
        # a second import must not add them again; of an old plan the store has the header alone
        if operations[0][0] == 0:
            _insert(connection, plan, _operations(path))
    return plan


def _header(path: Path) -> _Header:
    try:
        with path.open("rb") as file:
            header = msgspec.json.decode(file.readline(), type=_Header)
    except OSError as error:
        raise ConfigurationError(f"the plan file {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not a plan file: make a new one with `plan --out`") from error
    if header.format != FORMAT:
        raise ConfigurationError(f"{path} has format {header.format}, this version reads {FORMAT}: make a new plan")
    return header


def _operations(path: Path) -> Iterator[Operation]:
    decoder = msgspec.json.Decoder(Operation)
    try:
        with path.open("rb") as file:
            file.readline()
            for line in file:
                yield decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the plan in {path} is damaged: make a new one") from error


def _insert(connection: duckdb.DuckDBPyConnection, plan: Plan, operations: Iterator[Operation]) -> None:
    chunk: list[Operation] = []
    for operation in operations:
        chunk.append(operation)
        if len(chunk) == _CHUNK:
            insert_operations(connection, plan.plan_id, chunk)
            chunk = []
    insert_operations(connection, plan.plan_id, chunk)
