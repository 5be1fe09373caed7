"""A migrated staging store of its own for every test, and object storage for those that ask for it."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from integration_assets_tests.support.object_storage import ObjectStorage, object_storage
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
    """Object storage that the environment leads to, without a proxy or authorities of the machine's own."""
    with object_storage() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        yield server
