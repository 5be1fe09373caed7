"""Writing a staging store anew, so that nothing of what was deleted is left in its file.

DuckDB keeps the blocks of deleted rows as they are until something else needs them, and a program that reads the file
byte by byte finds the rows there. A copy of the tables has only what the tables have.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from integration_assets.staging.quoting import identifier, literal
from integration_assets.staging.store import STORAGE_VERSION
from integration_assets.whole_files import flush_to_disk

_COPY = "rewritten_copy"
"""Name of the new file while it is attached: no tenant's name has an underscore, so that none is the same."""


def rewrite_store(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Put a fresh copy of an open store in its place. Call as the last thing inside `hold_store`.

    The connection goes on with the old file, which is gone from the folder: nothing may be written by it any more.

    Raises:
        OSError: the new file cannot be put in its place; the old one is still there.
    """
    new, log = path.with_name(f"{path.name}.rewriting"), path.with_name(f"{path.name}.wal")
    for leftover in (new, new.with_name(f"{new.name}.wal")):
        # Only the holder of the lock comes here: it is of one that was killed.
        leftover.unlink(missing_ok=True)
    [(current,)] = connection.execute("SELECT current_database()").fetchall()
    connection.execute("CHECKPOINT")
    connection.execute(f"ATTACH {literal(str(new))} AS {_COPY} (STORAGE_VERSION {literal(STORAGE_VERSION)})")
    try:
        new.chmod(0o600)
        connection.execute(f"COPY FROM DATABASE {identifier(current)} TO {_COPY}")
        connection.execute(f"CHECKPOINT {_COPY}")
    finally:
        connection.execute(f"DETACH {_COPY}")
    flush_to_disk(new)
    new.replace(path)
    # Its content is in the old file, and with that in the new one, which it must not be applied to.
    log.unlink(missing_ok=True)
    flush_to_disk(path.parent)
