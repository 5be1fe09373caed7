"""The `dagster.yaml` that the page on several machines shows, as somebody would make it from there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations" / "several-machines.md"
URL = "DAGSTER_POSTGRES_URL"
"""The variable that the page names."""


def sqlalchemy_url(url: str) -> str:
    """The URL of a server as the page says that it has to be written."""
    return re.sub("^postgresql:", "postgresql+psycopg2:", url)


def documented_instance(folder: Path, **changes: Any) -> None:
    """Write the documented instance into a folder, with the rest of the project's own, and with `changes`."""
    [shown] = re.findall(r"```yaml\n(storage:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    own = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    (folder / "dagster.yaml").write_text(yaml.safe_dump({**own, **yaml.safe_load(shown), **changes}), encoding="utf-8")
