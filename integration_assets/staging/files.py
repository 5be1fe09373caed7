"""Private files that are replaced in one step."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file (mode 0600), whole or not at all. For one writer at a time: what a killed one left is overwritten.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.writing")
    unfinished.write_bytes(content)
    unfinished.chmod(0o600)
    unfinished.replace(path)
