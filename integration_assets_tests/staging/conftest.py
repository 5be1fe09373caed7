"""A migrated staging store of its own for every test, and object storage for those that ask for it."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from integration_assets_tests.support.object_storage import ObjectStorage, storage_in_environment
from integration_assets_tests.support.stores import open_tested_store


@pytest.fixture
def store_file(tmp_path: Path) -> Path:
    return tmp_path / "staging" / "sandbox" / "default.duckdb"


@pytest.fixture
def store(store_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_tested_store(store_file) as connection:
        yield connection


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStorage]:
    with storage_in_environment(monkeypatch) as server:
        yield server
