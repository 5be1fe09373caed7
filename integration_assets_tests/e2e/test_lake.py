"""A sync with the staging store in a lake: from setup to a second run that writes nothing, killed in the middle."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from integration_assets.config import Settings
from integration_assets.sandbox.server import build_sandbox
from integration_assets.staging.lake import Lake
from integration_assets.staging.place import store_place
from integration_assets.staging.store import open_store
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.killing import Strike, Watch
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

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
