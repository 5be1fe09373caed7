"""A sync with the staging store in a lake whose catalogue is in PostgreSQL and whose data lies in a bucket."""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from integration_assets.config import Settings
from integration_assets.sandbox.server import build_sandbox
from integration_assets.staging.extensions import load_extension
from integration_assets.staging.lake import maintain
from integration_assets.staging.place import store_place
from integration_assets.staging.store import open_store
from integration_assets_tests.support.harness import world_of
from integration_assets_tests.support.object_storage import (
    BUCKET,
    KEY_ID,
    REGION,
    SECRET,
    Key,
    ObjectStorage,
    object_storage,
)
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT

ANN = "ann@acme.com"
ROLE = "analyst_of_a_bucket"

pytestmark = [pytest.mark.proof, pytest.mark.long]  # statements on a lake cost a multiple of those on a file


def test_a_lake_in_a_bucket_is_synced_read_and_rid_of_a_person(
    home: Path, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a directory: the same ranking, no local file of the store, and no object that names ann afterwards.

    Analysts read what is published with a role and a key that open nothing else. While the bucket is away a run ends
    with 75 and can be run again.
    """
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    with object_storage() as storage, world_of(sandbox, home) as world:
        for name, value in storage.variables.items():
            monkeypatch.setenv(name, value)
        world.extra |= storage.variables
        world.extra["INTEGRATION_ASSETS_STORE_URL"] = f"ducklake:{postgresql}&data=s3://{BUCKET}/lakes"
        world.extra["INTEGRATION_ASSETS_LAKE_READER"] = ROLE
        with psycopg.connect(postgresql, autocommit=True) as server:
            server.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(ROLE)))
        world.set_up()
        world.sync()
        before = len(world.writes())
        world.edit_request("dark mode", details=f"Ask {ANN}.")
        again = world.sync()
        assert again.summary["feature_requests"]["unchanged"] == 4
        assert len(world.writes()) > before
        with duckdb.connect(home / "published" / "sandbox" / "default.duckdb", read_only=True) as published:
            assert published.execute("SELECT count(*) FROM ranked.feature_requests").fetchall() == [(5,)]
        url = world.extra["INTEGRATION_ASSETS_STORE_URL"]
        settings = Settings.model_validate({"INTEGRATION_ASSETS_HOME": home, "INTEGRATION_ASSETS_STORE_URL": url})
        with open_store(store_place(settings, "sandbox", "default")) as connection:
            maintain(connection, 30)  # rows of the catalogue into objects
        names = {ANN, world.person("ann"), world.contact("ann")}
        assert any(name.startswith("lakes/sandbox/default/raw/voters/") for name in named_in(storage, names, tmp_path))
        assert {name.rsplit("/", 3)[0] for name in storage.objects} == {
            "lakes/sandbox/default",
            "lakes/published/sandbox/default",
        }
        read_as_analyst(storage, postgresql, again.summary["feature_requests"]["unchanged"] + 1)
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
        read_as_analyst(storage, postgresql, 5, snapshots=2)  # that of an empty lake, and what was published anew
        assert named_in(storage, names, tmp_path) == []
        assert world.sync().summary["state"] == "SUCCEEDED"


def read_as_analyst(storage: ObjectStorage, url: str, requests: int, snapshots: int | None = None) -> None:
    """An analyst with a role and a key that open what is published, and nothing of the store."""
    storage.keys["AKIDOFTHEANALYST"] = Key("secret-of-the-analyst", reads=("lakes/published/",), may_write=False)
    server = conninfo_to_dict(url)
    named = f"ducklake:postgres:dbname={server['dbname']} host={server['host']} user={ROLE}"
    with duckdb.connect() as connection:
        for extension in ("httpfs", "postgres_scanner", "ducklake"):
            load_extension(connection, extension)
        connection.execute(
            "CREATE SECRET (TYPE s3, KEY_ID 'AKIDOFTHEANALYST', SECRET 'secret-of-the-analyst', URL_STYLE 'path', "
            f"REGION '{REGION}', ENDPOINT '127.0.0.1:{storage.server_port}', USE_SSL false)"
        )
        connection.execute(f"ATTACH '{named}' AS lake (METADATA_SCHEMA 'published_sandbox_default', READ_ONLY)")
        titles = connection.execute("SELECT title FROM lake.ranked.feature_requests").fetchall()
        assert len({title for (title,) in titles}) == requests
        if snapshots is not None:
            counted = connection.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchall()
            assert counted == [(snapshots,)]
        with pytest.raises(duckdb.Error, match="permission denied for schema sandbox_default"):
            connection.execute(f"ATTACH '{named}' AS store (METADATA_SCHEMA 'sandbox_default', READ_ONLY)")
        private = next(name for name in storage.objects if name.startswith("lakes/sandbox/default/raw/"))
        with pytest.raises(duckdb.HTTPException, match="403"):
            connection.execute(f"FROM 's3://{BUCKET}/{private}'")


def named_in(storage: ObjectStorage, names: set[str], folder: Path) -> list[str]:
    """Objects in whose values one of these texts is."""
    found = []
    with duckdb.connect() as connection:
        for name, content in storage.objects.items():
            file = folder / Path(name).name  # a name of its own: DuckDB keeps blocks of files it has read
            file.write_bytes(content)
            rows = connection.execute(f"SELECT to_json(columns(*))::VARCHAR FROM read_parquet('{file}')").fetchall()
            found += [name] if any(one in str(rows) for one in names) else []
    return found
