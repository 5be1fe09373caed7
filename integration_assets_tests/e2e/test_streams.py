"""Printing never changes how a run ended: any encoding, a closed pipe, closed or full outputs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from integration_assets_tests.support.harness import World

FULL = "/dev/full"
pytestmark = [
    pytest.mark.skipif(not Path(FULL).exists(), reason="needs /dev/full"),
    pytest.mark.proof,  # real processes
]


def shell(world: World, line: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which `$RUN` is our command."""
    environment = world.environment(RUN=f"{sys.executable} -m integration_assets.cli", **variables)
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", line], env=environment, capture_output=True, timeout=240, check=False
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_sync_ends_as_it_did_whatever_the_output_can_show(ready: World, encoding: str):
    """What an encoding lacks is spelled otherwise; JSON stays UTF-8."""
    ready.canny.posts[ready.request_id("themes")].title = "Größe → 你好"
    target = ready.home / "summary.json"
    ran = shell(ready, f"$RUN sync --json {target}", PYTHONIOENCODING=encoding, LC_ALL="C", PYTHONUTF8="0")
    assert ran.returncode == 0, ran.stderr
    assert b"Traceback" not in ran.stderr
    assert json.loads(target.read_bytes())["state"] == "SUCCEEDED"
    ranked = shell(ready, "$RUN rankings", PYTHONIOENCODING=encoding)
    assert ranked.returncode == 0
    assert "Größe ".encode(encoding.partition(":")[0], "replace") + b"-> ??" in ranked.stdout


@pytest.mark.parametrize(
    "line",
    [
        "$RUN sync | true",
        "$RUN sync >&- 2>&- <&-",
        *(pytest.param(line, marks=pytest.mark.long) for line in ("$RUN sync >&-", f"$RUN sync >{FULL}")),
        f"$RUN sync >{FULL} 2>{FULL}",
    ],
)
def test_a_sync_writes_all_and_ends_well_with_nowhere_to_print(ready: World, line: str):
    """A reader that has left, closed outputs, a full disk behind them: the run goes on, its exit code is its own."""
    ran = shell(ready, line)
    assert ran.returncode == 0, ran.stderr
    assert len(ready.in_crm().records) == 5
    said = [one for one in ran.stderr.splitlines() if b"could not be written" in one]
    assert len(said) == (1 if line.endswith(f">{FULL}") and "2>" not in line else 0)


def test_a_summary_that_cannot_be_written_is_said(ready: World):
    """Seen before the run where it can be, and else the run ends as it did."""
    nowhere = ready.run("sync", "--json", str(ready.home / "missing" / "x.json"))
    assert (nowhere.code, nowhere.error_lines) == (
        2,
        [f"integration-assets: {ready.home}/missing/x.json cannot be written: there is no folder {ready.home}/missing"],
    )
    assert not ready.in_crm().records
    full = ready.run("sync", "--json", FULL)
    assert full.code == 0
    assert full.error_lines == [
        f"integration-assets: {FULL} could not be written: No space left on device; check the folder and the disk"
    ]
    assert len(ready.in_crm().records) == 5


def test_a_key_that_was_not_kept_is_no_success(ready: World):
    """Here what is printed is the work."""
    assert shell(ready, f"$RUN keys generate >{FULL}").returncode == 1
    assert shell(ready, "$RUN keys generate").stdout.strip()
