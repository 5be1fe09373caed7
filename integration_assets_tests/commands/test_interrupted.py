"""A command that a signal ends while DuckDB works: told as an interruption; a bug keeps its stack trace."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMAND = """
import sys
from integration_assets import cli

@cli.app.command("work")
def work():
    {work}

sys.argv = ["integration-assets", "work"]
cli.main()
"""


@pytest.mark.parametrize(
    ("work", "code", "last"),
    [
        # As DuckDB raises it: what it makes of a signal is an `Exception`, with the interruption as its cause.
        (
            "raise RuntimeError('Query interrupted') from KeyboardInterrupt()",
            75,
            "integration-assets: interrupted;",
        ),
        ("raise RuntimeError('a bug')", 1, "RuntimeError: a bug"),
    ],
)
def test_a_signal_while_the_store_works_is_no_bug(work: str, code: int, last: str) -> None:
    """Exit code 75, as when it comes at any other time."""
    command = [sys.executable, "-c", COMMAND.format(work=work)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr.splitlines()[-1].startswith(last)) == (code, True), ended.stderr
    assert ("Traceback" in ended.stderr) == (code == 1)
