"""Lakes as staging stores: URLs, the lock, what stays in them, and what a person reads when one does not open."""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from integration_assets.config import Settings
from integration_assets.connectors.redaction import redact
from integration_assets.errors import ConfigurationError, LockError, PermanentError, TransientError
from integration_assets.staging import extensions
from integration_assets.staging.extensions import load_extension
from integration_assets.staging.lake import Lake, drop_catalogue, maintain, parse_lake, readers_lake
from integration_assets.staging.object_storage import remove_folder
from integration_assets.staging.place import StorePlace, store_place
from integration_assets.staging.readers_lake import check_reader, publish_to_readers
from integration_assets.staging.store import hold_store, open_store
from integration_assets_tests.support.object_storage import BUCKET, KEY_ID, SECRET, object_storage

PASSWORD = "p%40ss%2Fword-of-the-lake"
SERVER = f"ducklake:postgresql://ann:{PASSWORD}@db.example:5433/lakes?sslmode=require&data=/srv/lake"


def place_of(url: str, home: Path, tenant: str = "default") -> StorePlace:
    return store_place(settings_of(url, home), "sandbox", tenant)


def settings_of(url: str, home: Path) -> Settings:
    return Settings.model_validate({"INTEGRATION_ASSETS_HOME": home, "INTEGRATION_ASSETS_STORE_URL": url})


def test_each_tenant_and_environment_has_a_catalogue_of_its_own(tmp_path: Path) -> None:
    """A schema in PostgreSQL, a file elsewhere; the data lies apart as well."""
    lake = parse_lake(SERVER, "production", "acme-2")
    assert (lake.kind, lake.schema, lake.data) == ("postgres", "production_acme_2", Path("/srv/lake/production/acme-2"))
    assert lake.server["sslmode"] == "require"
    assert lake.password is not None
    assert lake.password.get_secret_value() == "p@ss/word-of-the-lake"
    longest = [parse_lake(SERVER, "production", f"{'a' * 60}-{end}").schema for end in "bc"]
    assert len(set(longest)) == 2
    assert {len(name) for name in longest} == {63}
    place = place_of(f"ducklake:sqlite:{tmp_path}/lakes?data={tmp_path}/data", tmp_path)
    assert place.lake is not None
    assert place.path == tmp_path / "lakes" / "sandbox" / "default.sqlite"
    assert place.lake.data == tmp_path / "data" / "sandbox" / "default"


def test_the_lake_of_readers_lies_apart() -> None:
    """Neither its schema nor its data can be those of a store, and both are known by the tenant's name."""
    lake = parse_lake(SERVER, "production", "acme-2")
    readers = readers_lake(lake)
    assert (readers.schema, readers.folder) == (
        "published_production_acme_2",
        Path("/srv/lake/published/production/acme-2"),
    )
    assert (readers.server, readers.password) == (lake.server, lake.password)
    in_bucket = readers_lake(parse_lake(SERVER.replace("/srv/lake", "s3://bucket/lakes"), "sandbox", "acme"))
    assert (in_bucket.bucket, in_bucket.folder) == ("s3://bucket/lakes/published/sandbox/acme", None)
    at_the_top = readers_lake(parse_lake(SERVER.replace("/srv/lake", "s3://bucket"), "sandbox", "acme"))
    assert at_the_top.bucket == "s3://bucket/published/sandbox/acme"
    check_reader(lake)
    for other in (None, parse_lake("ducklake:/srv/lakes", "sandbox", "acme")):
        with pytest.raises(
            ConfigurationError, match="INTEGRATION_ASSETS_LAKE_READER needs a lake whose catalogue is in"
        ):
            check_reader(other)


def test_the_password_is_shown_nowhere(tmp_path: Path) -> None:
    """Neither by the settings, nor by the place, nor in a text that quotes the URL."""
    settings = settings_of(SERVER, tmp_path)
    place = store_place(settings, "sandbox", "default")
    for text in (repr(settings), str(place), repr(place), redact(SERVER), redact("p@ss/word-of-the-lake")):
        assert "word-of-the-lake" not in text
    assert str(place) == "ducklake:postgresql://db.example/lakes, schema sandbox_default"


@pytest.mark.parametrize(
    "url",
    [
        "ducklake:postgresql://u:secret@db/x",
        "ducklake:postgresql://u:secret@db?data=/x",
        "ducklake:postgresql://u:secret@db/x?data=/x&nonsense=1",
        "ducklake:postgresql://u:secret@db/x?data=s3://key:secret@bucket/lake",
        "ducklake:postgresql://u:secret@db/x?data=gs://secret/lake",
        "ducklake:/x?data=s3://secret/lake",
        "ducklake:mysql://u:secret@db/x?data=/x",
        "ducklake:",
        "ducklake:/x?date=secret",
    ],
)
def test_other_urls_are_refused_without_echo(url: str) -> None:
    """The error names the variable and never shows the URL."""
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_STORE_URL") as caught:
        parse_lake(url, "sandbox", "default")
    assert "secret" not in caught.value.message


def test_a_missing_extension_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no package brings it and DuckDB finds none to install, both ways out are named."""
    monkeypatch.setattr(extensions, "find_spec", lambda _name: None)
    with duckdb.connect() as connection:
        connection.execute(f"SET extension_directory = '{tmp_path}'")
        connection.execute(f"SET custom_extension_repository = '{tmp_path}/nothing'")
        with pytest.raises(ConfigurationError, match=r"integration-assets\[ducklake\]"):
            load_extension(connection, "ducklake")


@pytest.fixture(params=["duckdb", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """A lake of each kind, not made yet."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        tenant = f"t{abs(hash(tmp_path)):x}"
        return place_of(f"ducklake:{server}&data={tmp_path}/data", tmp_path, tenant)
    return place_of(f"ducklake:{'sqlite:' if request.param == 'sqlite' else ''}{tmp_path}/lakes", tmp_path)


@pytest.mark.proof
def test_what_is_committed_stays_and_two_never_hold_it(place: StorePlace) -> None:
    """A small write is a row of the catalogue, and stays; whoever comes meanwhile is told who holds the lake."""
    assert not place.exists()
    with hold_store(place, "run one") as store:
        assert store.connection.execute("SELECT count(*) FROM raw.votes").fetchall() == [(0,)]
        store.connection.execute("INSERT INTO sync.ledger (ledger_id, run_id) SELECT i, 'one' FROM range(500) AS t (i)")
        files = "SELECT count(*) FROM ducklake_list_files('lake', 'ledger', schema => 'sync')"
        assert store.connection.execute(files).fetchall() == [(0,)]
        assert store.lock.passed_on() is None
        with pytest.raises(LockError, match="run one") as caught, open_store(place, "run two"):
            pass
        assert caught.value.holder == "run one"
    assert place.exists()
    with open_store(place, "run two") as connection:
        assert connection.execute("SELECT count(*) FROM sync.ledger").fetchall() == [(500,)]
        maintain(connection, 30)
        assert connection.execute(files).fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM sync.ledger").fetchall() == [(500,)]
        # A migration of a later version finds rows that are still in the catalogue.
        connection.execute("INSERT INTO sync.ledger (ledger_id, run_id) VALUES (500, 'two')")
        connection.execute("ALTER TABLE sync.ledger ADD COLUMN later VARCHAR")
        assert connection.execute("SELECT count(*), count(later) FROM sync.ledger").fetchall() == [(501, 0)]


@pytest.mark.proof
def test_the_data_may_lie_in_a_bucket(postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables, deleted rows and the daily maintenance; a key that is refused and a server that is away are told so.

    The keys of the bucket are in no message and nowhere in the catalogue. A removed tenant's objects are gone.
    """
    place = place_of(f"ducklake:{postgresql}&data=s3://{BUCKET}/lakes", tmp_path, "in-a-bucket")
    assert place.lake is not None
    assert place.lake.bucket == f"s3://{BUCKET}/lakes/sandbox/in-a-bucket"
    many = "SELECT i, 'one' FROM range({}, {}) AS t (i)"
    with object_storage() as storage:
        for name, value in storage.variables.items():
            monkeypatch.setenv(name, value)
        with open_store(place) as connection:
            connection.execute(f"INSERT INTO sync.ledger (ledger_id, run_id) {many.format(0, 5_000)}")
            connection.execute("DELETE FROM sync.ledger WHERE ledger_id % 2 = 0")
        with open_store(place) as connection:
            assert connection.execute("SELECT count(*) FROM sync.ledger").fetchall() == [(2_500,)]
            maintain(connection, 30)
            assert connection.execute("SELECT count(*) FROM sync.ledger").fetchall() == [(2_500,)]
            shown = connection.execute("SELECT secret_string FROM duckdb_secrets()").fetchall()
        assert {name.rsplit(".", 1)[1] for name in storage.objects} == {"parquet"}
        assert all(name.startswith("lakes/sandbox/in-a-bucket/") for name in storage.objects)
        assert SECRET not in str(shown)
        assert SECRET not in catalogue_text(postgresql, place.lake.schema)

        told = []
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
        with pytest.raises(ConfigurationError, match=r"object storage refuses it \(403\)") as refused:
            read_ledger(place)
        told.append(refused.value.message)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        storage.status = 503
        with pytest.raises(TransientError, match=r"object storage does not answer as it should \(503\)") as broken:
            read_ledger(place)
        told.append(broken.value.message)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(ConfigurationError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") as keyless:
            read_ledger(place)
        told.append(keyless.value.message)
        assert [word for word in (KEY_ID, SECRET, "another-secret") if word in "".join(told)] == []

        storage.status = 200
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        assert read_ledger(place) == 2_500
        storage.objects["lakes/sandbox/in-a-bucket-too/kept.parquet"] = b""
        remove_folder(place.lake.bucket)
        drop_catalogue(place.lake)
        assert set(storage.objects) == {"lakes/sandbox/in-a-bucket-too/kept.parquet"}


def read_ledger(place: StorePlace) -> int:
    with open_store(place) as connection:
        # As a text: counts alone are known to the catalogue, and no file is read for them.
        [(rows,)] = connection.execute("SELECT count(*) FROM sync.ledger WHERE length(run_id::VARCHAR) = 3").fetchall()
    return int(rows)


def catalogue_text(url: str, schema: str) -> str:
    """Every row of a catalogue in PostgreSQL."""
    with psycopg.connect(url) as server:
        tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
        return "".join(
            str(server.execute(SQL("SELECT * FROM {}").format(Identifier(schema, table))).fetchall())
            for (table,) in tables
        )


@pytest.mark.proof
def test_another_machine_is_kept_out_by_postgresql(postgresql: str, tmp_path: Path) -> None:
    """A run whose local files are elsewhere is refused; one that lost its connection knows that the lock passed on."""
    url = f"ducklake:{postgresql}&data={tmp_path}/data"
    here, there = (place_of(url, tmp_path / machine, "apart") for machine in ("here", "there"))
    assert here.path != there.path
    with hold_store(here, "run one") as store:
        with pytest.raises(LockError, match="run one") as caught, open_store(there, "run two"):
            pass
        assert caught.value.holder == "run one"
        with psycopg.connect(postgresql, autocommit=True) as server:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        assert "connection to its catalogue ended" in str(store.lock.passed_on())
    assert here.lake is not None
    drop_catalogue(here.lake)
    assert not there.exists()


def test_a_server_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    """Nobody listens: exit code 75, with the place and without the password."""
    place = place_of("ducklake:postgresql://ann:word-of-the-lake@127.0.0.1:9/lakes?data=/nowhere", tmp_path)
    for attempt in (place.exists, lambda: open_store(place).__enter__()):
        with pytest.raises(TransientError, match="schema sandbox_default") as caught:
            attempt()
        assert "word-of-the-lake" not in caught.value.message


def test_a_readers_lake_that_may_not_be_made_is_told(tmp_path: Path) -> None:
    """As what is wrong with it, not as a broken run: the folder beside the store's may be somebody else's."""
    (tmp_path / "published").write_text("no folder")
    lake = Lake("sqlite", tmp_path / "sandbox" / "default", tmp_path / "readers.sqlite", place="sandbox/default")
    with pytest.raises(PermanentError, match=rf"cannot be written: {tmp_path}/published.*: .*; see who owns it"):
        publish_to_readers(lake, "nobody", tmp_path / "default.duckdb", 30)
