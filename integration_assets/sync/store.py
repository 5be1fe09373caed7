"""Access of this room to the staging store: variables of its statements, columnar batches, times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa


def naive_utc(moment: datetime) -> datetime:
    """The form times have in the store: UTC without zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


# whole statements by name: the name of a variable cannot be bound as a parameter
_SET = {
    name: "SET VARIABLE " + name + " = $value"
    for name in (
        "approvable_since",
        "base_plan_id",
        "followed_plan_id",
        "kept_plans",
        "key_prefix",
        "key_prefixes",
        "keys",
        "labels",
        "last_seq",
        "link_contacts",
        "plan_id",
        "portal_id",
        "released_plan_id",
        "run_id",
        "target",
        "top_requests",
        "undone_run",
        "unlabelled",
    )
}


def set_variables(connection: duckdb.DuckDBPyConnection, **values: Any) -> None:
    """Set what the statements of this room read with `getvariable`; they hold until set again."""
    for name, value in values.items():
        connection.execute(_SET[name], {"value": value})


def columns(**types: pa.DataType) -> pa.Schema:
    """A schema of named columns."""
    return pa.schema(list(types.items()))


@contextmanager
def incoming(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """Make `rows` readable as `incoming_rows` for the statements inside."""
    connection.register("incoming_rows", rows)
    try:
        yield
    finally:
        connection.unregister("incoming_rows")
