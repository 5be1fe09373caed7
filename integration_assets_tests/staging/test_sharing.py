"""Other accounts of the machine may open what is published if the operator says so, and nothing else of a home."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_assets.config import Environment
from integration_assets.errors import PermanentError
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.sharing import exposed, share_published
from integration_assets.staging.store import open_store, store_path


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """As on most machines: what is made without a mode may be read by all."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def home(tmp_path: Path, usual_umask: None) -> Path:
    """A home after a run of two tenants, with files that people and an older version put there."""
    made = tmp_path / "home"
    for tenant in ("default", "acme"):
        for environment in Environment:
            with open_store(store_path(made, None, environment, tenant)) as connection:
                publish(connection, published_path(made, environment, tenant))
    (made / "overrides.csv").write_text("match,company_id,note\nann@acme.example,1,\n", encoding="utf-8")
    (made / "dagster" / "storage").mkdir(parents=True)
    (made / "dagster" / "storage" / "events.db").write_text("events", encoding="utf-8")
    (made / "registry.sqlite").touch(0o600)
    return made


def others_open(home: Path) -> set[str]:
    """What another account can open of a home, by the modes of the file and of all folders on the way."""
    found = set()
    for path in home.rglob("*"):
        way = [home, *(folder for folder in path.parents if folder.is_relative_to(home) and folder != home)]
        passes = all(folder.stat().st_mode & stat.S_IXOTH for folder in way)
        if path.is_file() and passes and path.stat().st_mode & stat.S_IROTH:
            found.add(str(path.relative_to(home)))
    return found


def test_a_home_is_its_owners(home: Path) -> None:
    """Without the setting nobody else opens anything, also what lies there with a wide mode."""
    assert others_open(home) == set()
    assert exposed(home) == []


@pytest.mark.parametrize("before", [0o700, 0o755, 0o777])
def test_shared_is_what_is_published_and_nothing_else(home: Path, before: int) -> None:
    """Every tenant's database of both environments; also in a home that was open to all, and after the next run."""
    home.chmod(before)
    for _ in range(2):
        share_published(home)
        assert others_open(home) == {
            f"published/{environment}/{tenant}.duckdb" for environment in Environment for tenant in ("default", "acme")
        }
        assert exposed(home) == []
        assert stat.S_IMODE(home.stat().st_mode) == 0o711  # its names are not listed
        with open_store(store_path(home, None, Environment.SANDBOX, "acme")) as connection:
            publish(connection, published_path(home, Environment.SANDBOX, "acme"))


def test_what_others_may_open_is_named(home: Path) -> None:
    """An older version's home, open to all: the doctor names what lies open in it."""
    home.chmod(0o755)
    assert [path.name for path in exposed(home)] == ["dagster", "overrides.csv"]
    assert others_open(home) >= {"overrides.csv", "dagster/storage/events.db"}


def test_a_mode_that_cannot_be_changed_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is opened before all the rest is closed."""

    def refused(path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "chmod", refused)
        with pytest.raises(
            PermanentError, match=r"dagster: Operation not permitted.*INTEGRATION_ASSETS_SHARE_PUBLISHED"
        ):
            share_published(home)
    assert others_open(home) == set()
