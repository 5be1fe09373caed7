"""Neither a parameter of DuckDB nor a call of httpcore takes longer for a module that is not installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

SEARCHES = """
import sys
from pathlib import Path
import duckdb
from integration_assets.absent_modules import remember_what_is_absent
from integration_assets.staging.store import open_store

remember_what_is_absent()
searched = []

class Watching:
    def find_spec(self, name, path=None, target=None):
        searched.append(name)

with open_store(Path(sys.argv[1]) / "store.duckdb") as connection:
    sys.meta_path.insert(0, Watching())
    assert connection.execute("SELECT len(?), ?", [["a"] * 100, 7]).fetchall() == [(100, 7)]
print(searched.count("pandas"))
try:
    import pandas
except ModuleNotFoundError:
    print("absent")
"""


@pytest.mark.skipif(find_spec("pandas") is not None, reason="pandas is installed: DuckDB finds it at once")
def test_parameters_of_a_store_search_for_no_pandas(tmp_path: object) -> None:
    command = [sys.executable, "-c", SEARCHES, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["0", "absent"]


CALLS = """
import sys
from httpcore._synchronization import current_async_library
from integration_assets.absent_modules import remember_what_is_absent

remember_what_is_absent()
searched = []

class Watching:
    def find_spec(self, name, path=None, target=None):
        searched.append(name)

sys.meta_path.insert(0, Watching())
print(current_async_library(), searched.count("sniffio"))
"""


@pytest.mark.skipif(find_spec("sniffio") is not None, reason="sniffio is installed: httpcore finds it at once")
def test_calls_search_for_no_sniffio() -> None:
    ended = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["asyncio", "0"]
