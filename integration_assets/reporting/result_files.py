"""The file every run leaves of its ending, also one that was held or failed before it published anything."""

from __future__ import annotations

from pathlib import Path

import msgspec

from integration_assets.config import Environment
from integration_assets.reporting.run_summary import RunSummary

KEPT = 200
"""Such files kept for a tenant and environment, as many as reports. Older runs are in the published database."""


class KeptEnding(msgspec.Struct, frozen=True):
    """Fields that are read of such a file. `error` is one line; `floor` has the fewest calls by system."""

    summary: RunSummary
    error: str | None = None
    floor: dict[str, int] = {}


def result_path(home: Path, environment: Environment, tenant: str, run_id: str) -> Path:
    """File that keeps the ending of a run: `<home>/runs/<environment>/<tenant>/<run id>.json`."""
    return home / "runs" / environment.value / tenant / f"{run_id}.json"


def kept_endings(home: Path, environment: Environment, tenant: str, beginning: str = "") -> list[str]:
    """Ids of the runs that left such a file, the newest first, as far as they begin so."""
    folder = result_path(home, environment, tenant, "").parent
    # Filtered first, so that only the files that are shown are asked for their time.
    files = [file for file in folder.glob("*.json") if file.name.startswith(beginning) and file.stem]
    return [file.stem for file in sorted(files, key=lambda one: one.stat().st_mtime, reverse=True)]


def endings_version(home: Path, environment: Environment, tenant: str) -> int:
    """A number that is another one after each run that ended, also after one that published nothing."""
    try:
        # Of the folder: each ending is moved into it as a whole.
        return result_path(home, environment, tenant, "").parent.stat().st_mtime_ns
    except OSError:
        return 0


def read_kept_ending(home: Path, environment: Environment, tenant: str, run_id: str) -> KeptEnding | None:
    """The ending of a run; None when its file is gone, or is not whole."""
    try:
        return msgspec.json.decode(result_path(home, environment, tenant, run_id).read_bytes(), type=KeptEnding)
    # A file that is not whole is as good as none: a page must not fail for it.
    except (OSError, msgspec.DecodeError):
        return None
