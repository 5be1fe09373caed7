"""One way to change the staging store: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

_in_transaction: set[int] = set()


class UncommittedError(duckdb.OperationalError):
    """The store did not say that it took a transaction, for a reason that DuckDB has no class for."""


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
            _commit(connection)
        # A signal as well, also one just before the commit: half a change must not be committed by whoever comes next.
        except BaseException:
            # A commit that failed has left none to roll back.
            with suppress(duckdb.TransactionException):
                connection.execute("ROLLBACK")
            raise
    finally:
        # In any case: the number of a connection that is gone may be given to the next one.
        _in_transaction.discard(id(connection))


def _commit(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("COMMIT")
    # DuckDB raises it for errors without a class of their own, as DuckLake has when it commits. Callers know the
    # store's errors by `duckdb.Error`.
    except RuntimeError as error:
        # It makes one of a signal too, which is no error of the store: most often all of it is committed then.
        if error.__cause__ is not None and not isinstance(error.__cause__, Exception):
            raise
        raise UncommittedError(str(error)) from error
