"""Published files stay open between pages, and never longer than they are the newest."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import duckdb
import pytest

from integration_assets.config import Settings, load_settings
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.published import open_published
from integration_assets.staging.publishing import publish, published_path
from integration_assets.web.one_time_link import OneTimeLink
from integration_assets.web.open_files import MOST_OPEN, OpenFiles
from integration_assets_tests.support.web_site import Client, served

Publish = Callable[[int, str], None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


@pytest.fixture
def published(settings: Settings) -> Publish:
    """Publishes a number for a tenant."""

    def one(number: int, tenant: str = "default") -> None:
        with duckdb.connect(":memory:") as store:
            store.execute("CREATE SCHEMA ranked")
            store.execute("CREATE SCHEMA ops")
            store.execute(f"CREATE TABLE ops.runs AS SELECT {number} AS number")
            publish(store, published_path(settings.home, settings.environment, tenant))

    return one


def read(connection: duckdb.DuckDBPyConnection) -> int:
    [(number,)] = connection.execute("SELECT number FROM ops.runs").fetchall()
    return int(number)


def test_a_file_is_opened_once_for_all_pages(settings: Settings, published: Publish) -> None:
    """By whoever reads first; each reads through a connection of their own."""
    published(1, "default")
    files = OpenFiles()
    with mock.patch("integration_assets.web.open_files.open_published", wraps=open_published) as opening:
        with files.reading(settings, "default") as one, files.reading(settings, "default") as two:
            assert one is not two
            assert read(one) == read(two) == 1
        with files.reading(settings, "default") as later:
            assert read(later) == 1
    assert opening.call_count == 1


def test_a_run_that_publishes_is_seen_at_once_and_disturbs_nobody(settings: Settings, published: Publish) -> None:
    """Whoever reads already reads on from what was there."""
    published(1, "default")
    files = OpenFiles()
    with files.reading(settings, "default") as before:
        published(2, "default")
        with files.reading(settings, "default") as after:
            assert (read(before), read(after)) == (1, 2)
        assert read(before) == 1


def test_what_is_gone_is_kept_by_nobody(settings: Settings, published: Publish) -> None:
    """A tenant that was removed and made again does not read what was there before."""
    published(1, "default")
    files = OpenFiles()
    with files.reading(settings, "default") as reader:
        assert read(reader) == 1
    path = published_path(settings.home, settings.environment, "default")
    path.unlink()
    files.forget(path)
    with pytest.raises(ConfigurationError, match="nothing has been published"), files.reading(settings, "default"):
        pass
    published(3, "default")
    with files.reading(settings, "default") as reader:
        assert read(reader) == 3


def is_open(path: Path) -> bool:
    """True if this process has the file open, also one that is gone by its name."""
    return any(
        link.is_symlink() and str(link.readlink()).startswith(str(path)) for link in Path("/proc/self/fd").iterdir()
    )


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux lists what a process has open")
def test_a_removed_tenants_file_is_closed_with_the_next_request(settings: Settings, published: Publish) -> None:
    """Whoever asks, for whatever: the process keeps nothing of it. Who reads it goes on to the end."""
    files, tenants = OpenFiles(), ("acme", "globex", "initech")
    for number, tenant in enumerate(tenants):
        published(number, tenant)
        with files.reading(settings, tenant):
            pass
    paths = {tenant: published_path(settings.home, settings.environment, tenant) for tenant in tenants}
    assert {tenant for tenant, path in paths.items() if is_open(path)} == set(tenants)
    with files.reading(settings, "globex") as reader:
        for tenant in ("acme", "globex"):
            paths[tenant].unlink()
        files.close_gone()
        assert [is_open(paths[tenant]) for tenant in tenants] == [False, True, True]
        assert read(reader) == 1
    assert [is_open(paths[tenant]) for tenant in tenants] == [False, False, True]
    with served(settings, OneTimeLink(datetime.now(UTC))) as site, Client(site.origin) as stranger:
        files.forget(paths["initech"])
        with site.published.reading(settings, "initech"):
            pass
        paths["initech"].unlink()
        assert is_open(paths["initech"])
        assert stranger.get("/health").status_code == 200
        assert not is_open(paths["initech"])


def test_only_so_many_stay_open(settings: Settings, published: Publish) -> None:
    """Of more tenants those that were read last; who reads the others goes on."""
    files, tenants = OpenFiles(), [f"tenant-{number}" for number in range(MOST_OPEN + 1)]
    with ExitStack() as pages:
        readers = []
        for number, tenant in enumerate(tenants):
            published(number, tenant)
            readers.append(pages.enter_context(files.reading(settings, tenant)))
        assert [read(reader) for reader in readers] == list(range(MOST_OPEN + 1))
        with mock.patch("integration_assets.web.open_files.open_published", wraps=open_published) as opening:
            for tenant in (tenants[-1], tenants[0]):
                with files.reading(settings, tenant) as reader:
                    assert read(reader) == tenants.index(tenant)
        assert [call.args[1] for call in opening.call_args_list] == [tenants[0]]
