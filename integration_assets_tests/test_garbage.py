from __future__ import annotations

import subprocess
import sys

import pytest

PROCESS = """
import atexit, gc

def at_the_end():
    print(gc.get_threshold()[0], gc.get_freeze_count() > 1000)

# Handlers run in reverse: this one is the last.
atexit.register(at_the_end)

from integration_assets.garbage import search_rarely

search_rarely()
search_rarely()
"""


def test_a_process_searches_rarely_and_leaves_everything_out_of_the_search_at_its_end() -> None:
    ended = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["50000", "True"]
    assert ended.stderr == ""


OF_A_RUN = """
import gc

{loaded}
from integration_assets.runs.session import search_rarely_in_own

before = gc.get_threshold()
search_rarely_in_own()
print(gc.get_threshold() == before)
"""


@pytest.mark.parametrize(
    ("loaded", "left_alone"),
    [
        ("from integration_assets.project import build_defs; build_defs()", True),
        ("import integration_assets.definitions", False),
    ],
)
def test_a_run_leaves_the_process_of_another_project_as_it_is(loaded: str, left_alone: bool) -> None:
    script = OF_A_RUN.format(loaded=loaded)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [str(left_alone)]
