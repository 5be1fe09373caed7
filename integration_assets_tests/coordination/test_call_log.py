"""The log of calls in PostgreSQL."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from integration_assets.connectors.call_log import Bucket
from integration_assets.connectors.limiter import Lease, Limiter, Window, limiter_for
from integration_assets.coordination.call_log import PostgresLog, PostgresLogs
from integration_assets.coordination.database import Database, shared_database
from integration_assets.errors import ConfigurationError, CoordinationError, QuotaError
from integration_assets_tests.coordination.conftest import settings_of
from integration_assets_tests.support.postgresql import Postgresql
from integration_assets_tests.tenants.conftest import new_database

SPENDER = """
import asyncio, sys
from integration_assets.connectors.limiter import Limiter, Window
from integration_assets.coordination.call_log import PostgresLog
from integration_assets.coordination.database import Database
from integration_assets.errors import QuotaError

async def spend(limiter):
    for _ in range(25):
        limiter.over(await limiter.acquire(patience=0.0))

database = Database(sys.argv[1])
try:
    asyncio.run(spend(Limiter({"default": (Window(30, 3600),)}, log=PostgresLog(database, "crowd"))))
except QuotaError:
    print("refused")
database.close()
"""
HOLDER = """
import sys
from integration_assets.coordination.call_log import PostgresLog
from integration_assets.coordination.database import Database
with PostgresLog(Database(sys.argv[1]), "dies").held():
    print("held", flush=True)
    sys.stdin.read()
"""


async def _taken(limiter: Limiter, calls: int) -> int:
    taken = 0
    for _ in range(calls):
        try:
            limiter.over(await limiter.acquire(patience=0.0))
        except QuotaError:
            break
        taken += 1
    return taken


def test_processes_together_take_what_the_limit_has_and_no_more(server: Postgresql, database: Database) -> None:
    """Two processes that want 25 places each of 30: all 30 are taken, and the 31st is refused."""
    command = [sys.executable, "-c", SPENDER, server.url]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert "refused" in "".join(said)
    with PostgresLog(database, "crowd").held() as buckets:
        assert len(buckets["default"].ended) == 30
        assert buckets["default"].under_way == {}


def test_places_are_counted_by_the_clock_of_the_server(database: Database) -> None:
    """A machine whose own clock runs wildly off neither gets places sooner nor takes those of others."""
    off = iter(range(0, 10**9, 10**6))
    here, there = (
        Limiter({"default": (Window(2, 3600),)}, log=PostgresLog(database, "clocks"), monotonic=clock)
        for clock in (lambda: 0.0, lambda: float(next(off)))
    )
    assert asyncio.run(_taken(here, 5)) == 2
    assert asyncio.run(_taken(there, 5)) == 0


def test_a_holder_that_dies_lets_go_and_leaves_nothing_half_done(server: Postgresql, database: Database) -> None:
    """Killed while it holds the row: the next one has it at once, as it was before."""
    log = PostgresLog(database, "dies")
    with log.held() as buckets:
        buckets.clear()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, server.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with log.held() as buckets:
        assert buckets == {}


def test_an_error_in_the_block_keeps_nothing(database: Database) -> None:
    """What was changed before an error is not kept, and the next holder does not wait."""
    limiter = Limiter({"default": (Window(1, 3600),)}, log=PostgresLog(database, "error"))
    with pytest.raises(ZeroDivisionError):
        _fail_while_held(PostgresLog(database, "error"))
    assert isinstance(asyncio.run(limiter.acquire()), Lease)


def test_a_clock_that_is_set_back_a_little_stands_still(database: Database) -> None:
    """Ten seconds back: calls noted before still count. An hour: the time is that of the server again."""
    log = PostgresLog(database, "set-back")
    with log.held():
        now = log.clock()
    for ahead, stays in ((10.0, True), (3600.0, False)):
        database.execute("UPDATE call_logs SET clock = %(at)s WHERE name = 'set-back'", {"at": now + ahead})
        with log.held():
            assert (log.clock() == now + ahead) is stays
            assert log.clock() >= now


def test_an_idle_process_goes_on_after_a_restart_of_the_server(server: Postgresql, database: Database) -> None:
    """Away, it refuses with what to do, and no address; back again, the calls of before still count."""
    limiter = Limiter({"default": (Window(2, 3600),)}, log=PostgresLog(database, "restart"))
    limiter.over(asyncio.run(limiter.acquire()))
    server.stop()
    try:
        with pytest.raises(CoordinationError) as caught:
            asyncio.run(limiter.acquire())
    finally:
        server.start()
    assert "INTEGRATION_ASSETS_REGISTRY_URL" in caught.value.message
    assert "cannot be used now (no connection); run it again" in caught.value.message
    assert server.url not in caught.value.message
    assert asyncio.run(_taken(limiter, 5)) == 1


def test_an_older_database_says_what_to_do(server: Postgresql) -> None:
    """Without our tables it names the command that makes them."""
    with (
        closing(Database(new_database(server.url))) as old,
        pytest.raises(ConfigurationError, match="integration-assets tenants list"),
        PostgresLog(old, "old").held(),
    ):
        pass


def test_one_process_has_one_limiter_per_credential_and_one_connection(server: Postgresql) -> None:
    """However often settings are read, all limiters of a process share what there is to share."""
    first, second = (shared_database(settings_of(server)) for _ in range(2))
    assert first is not None
    assert first is second
    one, other = (limiter_for("test-shared", "digest", {}, logs=PostgresLogs(first)) for _ in range(2))
    assert one is other
    with closing(first):
        one.windows()
        before = first.execute("SELECT pg_backend_pid()", {})
        one.windows("another")
        assert first.execute("SELECT pg_backend_pid()", {}) == before


def _fail_while_held(log: PostgresLog) -> None:
    with log.held() as buckets:
        buckets["default"] = Bucket(paused_until=1e12)
        raise ZeroDivisionError
