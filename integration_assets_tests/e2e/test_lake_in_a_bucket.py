"""A sync with the staging store in a lake whose catalogue is in PostgreSQL and whose data lies in a bucket."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.harness import world_of
from integration_assets_tests.support.object_storage import BUCKET, KEY_ID, SECRET, ObjectStorage, object_storage
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT

ANN = "ann@acme.com"

pytestmark = [pytest.mark.proof, pytest.mark.long]  # statements on a lake cost a multiple of those on a file


def test_a_second_sync_writes_nothing_and_a_person_is_forgotten(home: Path, postgresql: str, tmp_path: Path) -> None:
    """As with a directory: the same ranking, no local file of the store, and no object that names ann afterwards.

    While the bucket is away a run ends with 75 and can be run again.
    """
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    with object_storage() as storage, world_of(sandbox, home) as world:
        world.extra |= storage.variables
        world.extra["INTEGRATION_ASSETS_STORE_URL"] = f"ducklake:{postgresql}&data=s3://{BUCKET}/lakes"
        world.set_up()
        world.sync()
        before = len(world.writes())
        world.edit_request("dark mode", details=f"Ask {ANN}.")
        again = world.sync()
        assert again.summary["feature_requests"]["unchanged"] == 4
        assert len(world.writes()) > before
        with duckdb.connect(home / "published" / "sandbox" / "default.duckdb", read_only=True) as published:
            assert published.execute("SELECT count(*) FROM ranked.feature_requests").fetchall() == [(5,)]
        assert all(name.startswith("lakes/sandbox/default/") for name in storage.objects)
        assert not list(home.rglob("*.parquet"))

        storage.status = 503
        away = world.run("sync", json_file=True)
        assert away.code == 75, away.err
        assert "object storage does not answer as it should (503)" in away.err
        assert [word for word in (KEY_ID, SECRET) if word in away.out + away.err] == []
        storage.status = 200

        done = world.run("forget", "--yes", stdin=f"{ANN}\n")
        assert done.code == 0, done.err
        assert "a bucket that keeps versions" in done.err
        assert named_in(storage, {ANN, world.person("ann"), world.contact("ann")}, tmp_path) == []
        assert world.sync().summary["state"] == "SUCCEEDED"


def named_in(storage: ObjectStorage, names: set[str], folder: Path) -> list[str]:
    """Objects in whose values one of these texts is."""
    found = []
    with duckdb.connect() as connection:
        for name, content in storage.objects.items():
            file = folder / "one.parquet"
            file.write_bytes(content)
            rows = connection.execute(f"SELECT to_json(columns(*))::VARCHAR FROM read_parquet('{file}')").fetchall()
            found += [name] if any(one in str(rows) for one in names) else []
    return found
