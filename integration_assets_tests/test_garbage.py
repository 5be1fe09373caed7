from __future__ import annotations

import subprocess
import sys

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
