"""A sync with the staging store in a lake: from setup to a second run that writes nothing, killed in the middle."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from integration_assets.config import Settings
from integration_assets.sandbox.server import build_sandbox
from integration_assets.staging.lake import Lake, maintain
from integration_assets.staging.place import store_place
from integration_assets.staging.store import open_store
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.killing import Strike, Watch
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

ANN = "ann@acme.com"

pytestmark = pytest.mark.proof  # statements on a lake cost a multiple of those on a file


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.long)])
def world(request: pytest.FixtureRequest, home: Path) -> Iterator[World]:
    """The small world, its stores in lakes."""
    if request.param == "postgresql":
        url = f"ducklake:{request.getfixturevalue('postgresql')}&data={home}/data"
    else:
        url = f"ducklake:{home}/lakes?data={home}/data"
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    with world_of(sandbox, home, INTEGRATION_ASSETS_STORE_URL=url) as made:
        yield made


def lake_of(world: World) -> tuple[Settings, Lake]:
    settings = Settings.model_validate(
        {
            "INTEGRATION_ASSETS_HOME": world.home,
            "INTEGRATION_ASSETS_STORE_URL": world.extra["INTEGRATION_ASSETS_STORE_URL"],
        }
    )
    lake = store_place(settings, "sandbox", "default").lake
    assert lake is not None
    return settings, lake


def test_a_killed_sync_goes_on_and_the_next_one_writes_nothing(world: World) -> None:
    """Killed with a batch of links under way, the next run ends as an undisturbed one would; then nothing is written.

    The intent of the batch outlives the process: it is in the catalogue before the batch is sent.
    """
    world.set_up()
    watch = Watch()
    watch.over(world.sandbox)
    watch.arm_at(("link write", 1, Strike("link write", 0, "committed")))
    process = world.start("sync")
    watch.started(process.pid)
    process.communicate(timeout=5 * PATIENCE_SECONDS)
    watch.ended()
    watch.settle()
    assert (watch.killed, process.returncode) == (True, -9)

    settings, lake = lake_of(world)
    with open_store(store_place(settings, "sandbox", "default")) as connection:
        open_writes = "SELECT count(*) FROM sync.ledger WHERE outcome IS NULL AND target IS NOT NULL"
        assert connection.execute(open_writes).fetchall()[0][0] > 0

    assert world.sync().summary["state"] == "SUCCEEDED"
    before = len(world.writes())
    again = world.sync()
    assert again.summary["feature_requests"]["unchanged"] == 5
    assert len(world.writes()) == before
    with duckdb.connect(world.home / "published" / "sandbox" / "default.duckdb", read_only=True) as published:
        assert published.execute("SELECT count(*) FROM ranked.feature_requests").fetchall() == [(5,)]
    assert not (world.home / "staging" / "sandbox" / "default.duckdb").exists()
    assert list(lake.data.rglob("*.parquet"))
    assert subprocess.run(["grep", "-rq", "@acme.com", str(world.home / "published")], check=False).returncode == 1


def test_a_person_is_forgotten(world: World) -> None:
    """After two syncs no file of the home and no row of the lake names ann; her votes count on, for no company."""
    world.set_up()
    world.sync()
    world.edit_request("dark mode", details=f"Ask {ANN}.")
    world.sync()
    names = {ANN, world.person("ann"), world.contact("ann")}
    settings, lake = lake_of(world)
    place = store_place(settings, "sandbox", "default")
    with open_store(place) as connection:
        maintain(connection, 30)  # rows of the catalogue into files
    assert {"voters", "crm_contacts", "plan_operations"} <= named_in_lake(lake.data, names)
    asked = world.run("forget", stdin=f"{ANN}\n")
    assert (asked.code, "nothing was changed; to do it" in asked.out) == (0, True), asked.err
    done = world.run("forget", "--yes", stdin=f"{ANN}\n")
    assert done.code == 0, done.err
    assert "only the newest snapshot of the lake is left" in done.err
    assert ("write-ahead log" in done.err) == (lake.file is None)
    assert ANN not in (asked.out + asked.err + done.out + done.err).lower()
    assert named_in_lake(lake.data, names) == set()
    places = [] if lake.file is None else [lake.file]
    texts = b"".join(file.read_bytes() for file in [*places, *world.home.rglob("*.json"), *world.home.rglob("*.html")])
    assert [name for name in names if name.encode() in texts] == []
    with open_store(place) as connection:
        assert connection.execute("SELECT count(*) FROM raw.votes WHERE voter_id IS NULL").fetchall() == [(2,)]
        [(snapshots,)] = connection.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchall()
    assert snapshots == 1
    again = world.run("forget", "--yes", stdin=f"{ANN}\n")
    assert (again.code, "the person was not found" in again.out) == (0, True), again.err
    assert world.sync().summary["state"] == "SUCCEEDED"


def named_in_lake(data: Path, names: set[str]) -> set[str]:
    """Parquet files in whose values one of these texts is."""
    found = set()
    with duckdb.connect() as connection:
        for file in data.rglob("*.parquet"):
            texts = "SELECT to_json(columns(*))::VARCHAR FROM read_parquet(?)"
            rows = str(connection.execute(texts, [str(file)]).fetchall())
            found |= {file.parent.name} if any(name in rows for name in names) else set()
    return found
