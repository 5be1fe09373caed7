"""One way to change the staging store: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

_in_transaction: set[int] = set()


class UncommittedError(duckdb.OperationalError):
    """The store did not take a transaction, for a reason that DuckDB has no class for; nothing of it was kept."""


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Everything inside, or nothing: commit at the end, roll back on any error.

    Not to be nested: an inner one raises `RuntimeError` and leaves the outer one to roll back. (DuckDB would abort the
    outer transaction silently, until the next statement.)

    Raises:
        UncommittedError: DuckDB failed while it committed.
    """
    if id(connection) in _in_transaction:
        raise RuntimeError("a transaction is already open on this connection; do not nest them")
    _in_transaction.add(id(connection))
    try:
        connection.execute("BEGIN TRANSACTION")
        try:
            yield
        # A signal as well: half a change must not be committed by whoever comes next.
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        try:
            connection.execute("COMMIT")
        # DuckDB raises it for errors without a class of their own, as DuckLake has when it commits. Callers know the
        # store's errors by `duckdb.Error`.
        except RuntimeError as error:
            raise UncommittedError(str(error)) from error
    finally:
        # In any case: the number of a connection that is gone may be given to the next one.
        _in_transaction.discard(id(connection))
