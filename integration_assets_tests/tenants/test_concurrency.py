"""Many at work on one registry: nobody is broken off for another, and what the database asks for is done again."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from integration_assets.config import Settings
from integration_assets.errors import TransientError
from integration_assets.tenants.registry import database, login
from integration_assets.tenants.registry.database import RETRIES, Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.login import find_session, log_in
from integration_assets.tenants.registry.place import FILE
from integration_assets.tenants.registry.rotation import key_status
from integration_assets.tenants.settings import settings_for
from integration_assets_tests.support.filled_registry import filled, open_all
from integration_assets_tests.support.killed_rotations import reencrypted, rotated
from integration_assets_tests.support.registries import ACTOR, opened

pytestmark = pytest.mark.proof  # processes at one database: part of `make proofs`

ROTATIONS = 4
SLEEP = "integration_assets.tenants.registry.database.time.sleep"


def test_rotation_beside_runs_and_logins_breaks_nobody_off(
    registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are replaced while runs start, secrets are read in either order and somebody logs in, again and again."""
    monkeypatch.setattr(login, "fits", lambda hashed, _password: hashed is not None)  # its time is not looked at here
    secrets = filled(registry)
    with directory(registry, ACTOR) as users:
        users.add_user("ada@acme.example", "correct horse battery", tenant="acme")
    ended, rounds = threading.Event(), dict.fromkeys(("there", "back", "run", "login"), 0)

    def again(name: str, work: Callable[[], object]) -> None:
        while not ended.is_set() or rounds[name] == 0:
            work()
            rounds[name] += 1

    def entered() -> None:
        made = log_in(registry, "ada@acme.example", "correct horse battery")
        assert made is not None
        assert find_session(registry, made.token) is not None

    def opens(spots: list[Any]) -> None:
        assert open_all(registry, spots) == {spot: secrets[spot] for spot in spots}

    with ThreadPoolExecutor(4) as pool:
        work = [
            pool.submit(again, "there", lambda: opens(list(secrets))),
            pool.submit(again, "back", lambda: opens(list(reversed(secrets)))),
            pool.submit(again, "run", lambda: settings_for(settings, "acme", "run 1")),
            pool.submit(again, "login", entered),
        ]
        try:
            for _ in range(ROTATIONS):
                assert reencrypted(registry) == len(secrets)
                rotated(registry)
        finally:
            ended.set()
        for one in work:
            one.result()
    assert min(rounds.values()) > 0
    assert key_status(registry).retiring == 0
    with directory(registry, ACTOR) as tenants:
        assert tenants.verify_audit_trail() > 0


def broken_off(registry: Registry, times: int) -> tuple[Callable[[Session], str], list[int]]:
    """Work that the database breaks off so many times, and the tries it took."""
    tries: list[int] = []

    def work(session: Session) -> str:
        tries.append(len(tries) + 1)
        session.execute(text("UPDATE tenants SET name = 'Renamed' WHERE slug = 'acme'"))
        if len(tries) <= times:
            if registry.engine.dialect.name == "sqlite":
                busy = sqlite3.OperationalError("database is locked")
                busy.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT
                raise OperationalError("", {}, busy)
            state = ("40001", "40P01")[len(tries) % 2]
            session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"))
        return "done"

    return work, tries


def test_what_the_database_breaks_off_is_done_again(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as makes sense; then it is a passing trouble, and nothing of it is there."""
    waited: list[float] = []
    monkeypatch.setattr(SLEEP, waited.append)
    work, tries = broken_off(registry, RETRIES)
    assert registry.transact(work) == "done"
    assert (len(tries), len(waited)) == (RETRIES + 1, RETRIES)
    with directory(registry, ACTOR) as tenants:
        assert tenants.tenant("acme").name == "Renamed"
        tenants.change_tenant("acme", name="Acme")
    work, tries = broken_off(registry, RETRIES + 1)
    with pytest.raises(TransientError):
        registry.transact(work)
    assert len(tries) == RETRIES + 1
    with directory(registry, ACTOR) as tenants:
        assert tenants.tenant("acme").name == "Acme"


def test_other_trouble_is_not_tried_again(registry: Registry) -> None:
    """A statement that is wrong stays wrong."""
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(1)
        session.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(Exception, match="registry"):
        registry.transact(work)
    assert tries == [1]


def test_a_registry_that_is_busy_for_a_moment_is_waited_for(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process's transaction on the file is over before the next try; one that is not is a passing trouble."""
    opened(sqlite_settings).close()
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.0)
    registry = opened(sqlite_settings)
    other = sqlite3.connect(sqlite_settings.home / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SLEEP, lambda _seconds: None)
        with pytest.raises(TransientError, match="busy"):
            registry.transact(lambda session: session.execute(text("SELECT 1")).scalar())
        patch.setattr(SLEEP, lambda _seconds: other.execute("ROLLBACK"))
        assert registry.transact(lambda session: session.execute(text("SELECT 1")).scalar()) == 1
    other.close()
    registry.close()


def test_opening_the_registry_again_keeps_the_locks_of_this_process(sqlite_settings: Settings) -> None:
    """A process that has it open twice still holds its file: no other one may take the log away from under it."""
    with closing(opened(sqlite_settings)) as first, closing(opened(sqlite_settings)):
        path = sqlite_settings.home / FILE
        assert path.exists()
        with first.session() as session:
            session.execute(text("SELECT 1"))
        take_over = (
            "import sqlite3, sys\n"
            "connection = sqlite3.connect(sys.argv[1], timeout=0)\n"
            "try:\n    print(connection.execute('PRAGMA journal_mode = DELETE').fetchone()[0])\n"
            "except sqlite3.OperationalError as error:\n    print(error)\n"
        )
        ran = subprocess.run([sys.executable, "-c", take_over, str(path)], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "database is locked"
