"""Counts of tries in PostgreSQL: two processes that serve the pages count as one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from integration_assets.config import Settings
from integration_assets.coordination.database import Database
from integration_assets.coordination.tries import PostgresTries
from integration_assets.web.attempt_limits import (
    LOGINS_PER_ACCOUNT,
    TESTS_PER_TENANT,
    AttemptLimit,
    LoginLimit,
    TooManyAttemptsError,
    connection_test_limit,
    login_limit,
)
from integration_assets.web.site import opened_site
from integration_assets_tests.support.postgresql import Postgresql, as_registry
from integration_assets_tests.support.processes import clean_environment
from integration_assets_tests.support.registries import opened
from integration_assets_tests.tenants.conftest import new_database


@pytest.fixture
def databases(server: Postgresql) -> Iterator[tuple[Database, Database]]:
    """As two processes would use the server."""
    with closing(Database(server.url)) as one, closing(Database(server.url)) as other:
        yield one, other


def tried(limit: AttemptLimit, tenant: str) -> bool:
    """Whether a try of a tenant is let through."""
    try:
        asyncio.run(limit.count({"tenant": tenant}))
    except TooManyAttemptsError:
        return False
    return True


def test_connection_tests_of_two_processes_are_counted_together(databases: tuple[Database, Database]) -> None:
    """Ten a minute for a tenant, wherever its requests arrive; another tenant's are its own."""
    limits = [connection_test_limit(PostgresTries(database)) for database in databases]
    assert [tried(limits[number % 2], "acme") for number in range(TESTS_PER_TENANT)] == [True] * TESTS_PER_TENANT
    assert [tried(limit, "acme") for limit in limits] == [False, False]
    assert tried(limits[1], "globex")


def test_logins_of_two_processes_are_counted_together(databases: tuple[Database, Database]) -> None:
    """Guesses are used up in both at once; the right password in one clears them in the other."""
    here, there = (_impatient(login_limit(PostgresTries(database))) for database in databases)
    guess = {"account": "ann@acme.example", "address": "192.0.2.7"}
    for _ in range(LOGINS_PER_ACCOUNT):
        asyncio.run(here.wait(**guess))
    with pytest.raises(TooManyAttemptsError) as caught:
        asyncio.run(there.wait(**guess))
    assert 50 <= caught.value.seconds <= 61
    there.succeeded(**guess)
    asyncio.run(here.wait(**guess))


def test_neither_logins_nor_addresses_are_kept(databases: tuple[Database, Database]) -> None:
    """The table holds digests; what is older than an hour goes with the next try."""
    database, _ = databases
    limit = _impatient(login_limit(PostgresTries(database)))
    asyncio.run(limit.wait(account="bob@acme.example", address="192.0.2.8"))
    database.execute("UPDATE tries SET at = at - interval '61 minutes'", {})
    asyncio.run(limit.wait(account="bob@acme.example", address="192.0.2.8"))
    row = database.execute("SELECT count(*), bool_and(name ~ '^[0-9a-f]{64}$') FROM tries", {})
    assert row == (4, True)


def test_a_browser_that_one_process_knows_is_known_to_the_other(server: Postgresql, tmp_path: Path) -> None:
    """The cookie's key comes from the registry; without PostgreSQL it is the process's own."""
    with mock.patch.dict(os.environ, as_registry(new_database(server.url)), INTEGRATION_ASSETS_HOME=str(tmp_path)):
        settings = Settings()
    with closing(opened(settings)) as registry:
        one, other = (opened_site(settings, registry, "https://assets.example") for _ in range(2))
    assert other.logins.known_device("ann", one.logins.new_device("ann")) is not None
    assert login_limit().known_device("ann", one.logins.new_device("ann")) is None


def _impatient(limit: LoginLimit) -> LoginLimit:
    limit.longest_delay = 0.0
    return limit


SHARED = """
import sys
from integration_assets.config import load_settings
from integration_assets.coordination.database import shared_database
database = shared_database(load_settings())
print(database.execute("SELECT 41 + %(one)s", {"one": 1})[0], flush=True)
"""


def test_a_process_closes_what_it_shared_when_it_ends(server: Postgresql) -> None:
    """No connection is left to the collector, which warns of each."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", SHARED],
        env=clean_environment(as_registry(server.url)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("42\n", "")
