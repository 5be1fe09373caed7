"""A lake with its catalogue in a file is backed up while it is written, and restored at another place."""

from __future__ import annotations

import resource
import shutil
import tarfile
from pathlib import Path

import pytest

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError, LockError
from integration_assets.housekeeping import restore as restoring
from integration_assets.housekeeping.backup import back_up
from integration_assets.housekeeping.restore import restore
from integration_assets.staging.lake import maintain
from integration_assets.staging.lock import run_lock
from integration_assets.staging.store import open_store, store_place

NUMBERS = "SELECT count(*), sum(i) FROM raw.numbers"


def settings_of(home: Path, url: str | None) -> Settings:
    return Settings.model_validate({"INTEGRATION_ASSETS_HOME": home, "INTEGRATION_ASSETS_STORE_URL": url})


@pytest.mark.proof  # statements on a lake cost a multiple of those on a file
@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_lake_comes_back_at_another_place(kind: str, tmp_path: Path) -> None:
    """What was committed when the copy was made, with earlier snapshots, and no rows of later."""
    scheme = f"ducklake:{'sqlite:' if kind == 'sqlite' else ''}"
    here = settings_of(tmp_path / "here", f"{scheme}{tmp_path}/here/lakes?data={tmp_path}/here/data")
    archive = tmp_path / "backup.tar.gz"
    with open_store(store_place(here, "sandbox", "default"), "a run") as connection:
        connection.execute("CREATE TABLE raw.numbers AS SELECT i FROM range(5000) AS t (i)")
        connection.execute("DELETE FROM raw.numbers WHERE i = 1")
        connection.execute("INSERT INTO raw.numbers FROM range(10)")
        [(snapshot,)] = connection.execute("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").fetchall()
    with open_store(store_place(here, "sandbox", "acme"), "a run") as connection:
        maintain(connection, 30)
    made = back_up(here, archive)
    assert not [note for note in made.notes if "stores" in note]
    with tarfile.open(archive) as opened:
        names = [name for name in opened.getnames() if name != "manifest.json"]
    assert len(names) == len(set(names)) == len(made.manifest.files)
    assert {name.split("/", 1)[0] for name in names} == {"staging"}
    there = settings_of(tmp_path / "there", f"{scheme}{tmp_path}/lakes-there")
    with open_store(store_place(there, "sandbox", "default"), "a run") as connection:
        connection.execute("CREATE TABLE raw.numbers AS SELECT 7 AS i")
        connection.execute("INSERT INTO raw.numbers FROM range(3000)")
    old = store_place(there, "sandbox", "default")
    with run_lock(old.path.absolute(), "a run"), pytest.raises(LockError):
        restore(there, archive)
    with pytest.raises(ConfigurationError, match=f"to none of that kind: set it to {scheme}/directory"):
        restore(settings_of(tmp_path / "plain", None), archive)
    shutil.rmtree(here.home)
    done = restore(there, archive)
    with open_store(store_place(there, "sandbox", "default"), "a run") as connection:
        assert connection.execute(NUMBERS).fetchall() == [(5_009, 12_497_500 - 1 + 45)]
        connection.execute("INSERT INTO raw.numbers SELECT 1 FROM range(5000)")
        assert connection.execute(NUMBERS).fetchall() == [(10_009, 12_497_500 - 1 + 45 + 5_000)]
        earlier = f"SELECT count(*) FROM raw.numbers AT (VERSION => {snapshot - 2})"
        assert connection.execute(earlier).fetchall() == [(5_000,)]
    assert store_place(there, "sandbox", "acme").exists()
    assert done.put_away is not None
    assert sorted(one.name for one in (done.put_away / "staging" / "sandbox").iterdir() if one.suffix != ".wal") == [
        "default.data",
        old.path.name,
    ]


@pytest.mark.proof  # statements on a lake cost a multiple of those on a file
@pytest.mark.parametrize("data", ["", "data"])
def test_a_lake_comes_back_where_its_catalogue_was_lost(data: str, tmp_path: Path) -> None:
    """What is left of its files is put away: the files of the backup would go into their folder, and not be found."""
    url = f"ducklake:{tmp_path}/lakes" + (f"?data={tmp_path}/{data}" if data else "")
    settings = settings_of(tmp_path / "home", url)
    settings.home.mkdir()
    place = store_place(settings, "sandbox", "default")
    with open_store(place, "a run") as connection:
        connection.execute("CREATE TABLE raw.numbers AS SELECT i FROM range(5000) AS t (i)")
    back_up(settings, tmp_path / "backup.tar.gz")
    place.path.unlink()
    assert place.lake is not None
    lost = list(place.lake.data.rglob("*.parquet"))
    for file in lost:
        file.unlink()
    assert lost
    assert restore(settings, tmp_path / "backup.tar.gz").put_away is not None
    with open_store(place, "a run") as connection:
        assert connection.execute(NUMBERS).fetchall() == [(5_000, 12_497_500)]


def test_a_store_that_comes_with_a_backup_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first run that begins meanwhile would make a store, and lose it to the one of the backup."""
    here, there = settings_of(tmp_path / "here", None), settings_of(tmp_path / "there", None)
    with open_store(store_place(here, "sandbox", "default"), "a run"):
        pass
    back_up(here, tmp_path / "backup.tar.gz")
    move_in = restoring._move_in
    refused: list[str] = []

    def look(settings: Settings, unpacked: Path) -> None:
        with pytest.raises(LockError) as error, open_store(store_place(there, "sandbox", "default"), "a run"):
            pass
        refused.append(error.value.holder)
        move_in(settings, unpacked)

    monkeypatch.setattr(restoring, "_move_in", look)
    assert restore(there, tmp_path / "backup.tar.gz").put_away is None
    assert refused == ["restore"]
    with open_store(store_place(there, "sandbox", "default"), "a run") as connection:
        assert connection.execute("SELECT count(*) FROM sync.ledger").fetchall() == [(0,)]


def test_locks_of_many_stores_fit_into_the_open_files() -> None:
    """A process may have 1,024 as a rule, and a restore holds a lock of each tenant and environment."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        restoring._allow_open_files(40)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)
        restoring._allow_open_files(200)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (456, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
