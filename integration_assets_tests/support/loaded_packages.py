"""The packages that a command loads: what makes it slow to start is what it imports, whatever the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

_LOADED = """
import contextlib, json, sys
from integration_assets.cli import main
code = 0
try:
    main()
except SystemExit as ending:
    code = ending.code
# None marks a module that is known to be absent: nothing of it was loaded.
print(json.dumps([code, sorted({name.partition(".")[0] for name, one in sys.modules.items() if one is not None})]))
"""
NEVER_TO_SHOW = frozenset(
    {"alembic", "dagster", "httpx", "jinja2", "numpy", "opentelemetry", "pandas", "pyarrow", "sqlalchemy", "xlsxwriter"}
)
"""What takes long to import, and nobody needs who only wants to be shown something."""


def packages_loaded_by(*words: str, environment: Mapping[str, str]) -> set[str]:
    """Run a command, which must succeed, in a process of its own; the packages it has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *words], env=dict(environment), capture_output=True, text=True, check=True
    )
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert not code, done.stdout + done.stderr
    return set(loaded)
