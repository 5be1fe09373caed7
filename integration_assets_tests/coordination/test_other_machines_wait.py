"""Commands during which no machine may run the tenant: putting a backup back, and forgetting a person."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from integration_assets.config import Environment, Settings
from integration_assets.coordination.alert_record import AlertRecord, forget_records
from integration_assets.coordination.database import Database
from integration_assets.coordination.run_lock import SharedLocks
from integration_assets.errors import LockError
from integration_assets.housekeeping import forgetting, restore
from integration_assets.housekeeping.backup import back_up
from integration_assets.housekeeping.forgetting import Forgotten, forget_person
from integration_assets.staging.store import open_store, store_path
from integration_assets_tests.coordination.conftest import settings_of
from integration_assets_tests.support.postgresql import Postgresql

ADDRESS = "ada@example.org"
TENANT = "default"


def settings_at(home: Path, server: Postgresql) -> Settings:
    """Settings of a machine of its own."""
    return settings_of(server).model_copy(update={"home": home, "overrides_path": home / "overrides.csv"})


def held_by_another(locks: SharedLocks, *names: str) -> list[str]:
    """Those of the locks that another machine cannot take now, with who has them."""
    found: list[str] = []
    for name in names:
        try:
            with locks.held(name, "a run elsewhere"):
                pass
        except LockError as error:
            found.append(f"{name} {error.holder}")
    return found


def forget(settings: Settings, *, apply: bool) -> Forgotten:
    """Forget the person in both environments."""
    return forget_person(settings, TENANT, ADDRESS, environments=tuple(Environment), apply=apply)


def test_a_backup_is_put_back_while_no_machine_runs_its_tenants(
    server: Postgresql, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused while another machine runs one, whose store comes with the backup; and it is kept out meanwhile."""
    one, two = (settings_at(tmp_path / name, server) for name in ("one", "two"))
    with open_store(store_path(one.home, None, "sandbox", "acme")):
        pass
    back_up(one, tmp_path / "backup.tar.gz")
    with open_store(store_path(two.home, None, "production", "globex")):
        pass
    before = sorted(two.home.rglob("*.duckdb"))
    locks = SharedLocks(database)
    with locks.held("sandbox/acme", "run 1a2b"), pytest.raises(LockError, match=r"running sandbox/acme \(run 1a2b"):
        restore.restore(two, tmp_path / "backup.tar.gz", unencrypted=True)
    assert sorted(two.home.rglob("*.duckdb")) == before
    kept_out: list[str] = []
    move_in = restore._move_in

    def looked_at(settings: Settings, unpacked: Path) -> None:
        kept_out.extend(held_by_another(locks, "sandbox/acme", "production/globex", "sandbox/initech"))
        move_in(settings, unpacked)

    monkeypatch.setattr(restore, "_move_in", looked_at)
    restore.restore(two, tmp_path / "backup.tar.gz", unencrypted=True)
    assert kept_out == ["sandbox/acme restore", "production/globex restore"]
    assert store_path(two.home, None, "sandbox", "acme").exists()
    assert held_by_another(locks, "sandbox/acme", "production/globex") == []


def test_a_person_is_forgotten_while_no_machine_runs_the_tenant(
    server: Postgresql, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for the environment that has no store here; refused while another machine runs it."""
    settings, locks = settings_at(tmp_path, server), SharedLocks(database)
    with open_store(store_path(tmp_path, None, "sandbox", TENANT)):
        pass
    names = [f"{environment.value}/{TENANT}" for environment in Environment]
    for name in names:
        with locks.held(name, "run 1a2b"), pytest.raises(LockError, match=f"running {name}"):
            forget(settings, apply=True)
    kept_out: list[str] = []
    finish = forgetting._finish

    def looked_at(*arguments: Any) -> None:
        kept_out.extend(held_by_another(locks, *names))
        finish(*arguments)

    monkeypatch.setattr(forgetting, "_finish", looked_at)
    forget(settings, apply=True)
    assert kept_out == [f"{name} forget" for name in names]


def test_a_person_leaves_what_machines_share(server: Postgresql, database: Database, tmp_path: Path) -> None:
    """Alerts and unsent messages in PostgreSQL lose the address in every spelling; a second look finds none."""
    settings, record = settings_at(tmp_path, server), AlertRecord(database, f"sandbox/{TENANT}")
    with record.held() as held:
        held.keep('{"summaries": [], "open": {"runs": {"said": "Ada@Example.org could not be used"}}}')
    [dry] = forget(settings, apply=False).places
    assert dry.where == "alerts of sandbox/default, in PostgreSQL"
    assert "Ada@Example.org" in (record.read() or "")
    assert forget(settings, apply=True).places == (dry,)
    assert "forgotten could not be used" in (record.read() or "")
    assert forget(settings, apply=True).places == ()
    forget_records(database, record.name)
    assert record.read() is None


def test_many_locks_take_one_connection(database: Database) -> None:
    """More tenants than PostgreSQL has connections; one that is taken frees those that were taken before it."""
    locks, names = SharedLocks(database), [f"sandbox/many-{number:03}" for number in range(150)]
    with ExitStack() as stack:
        stack.enter_context(locks.held_together(names, "restore"))
        assert held_by_another(locks, names[0], names[-1]) == [f"{names[0]} restore", f"{names[-1]} restore"]
    with locks.held(names[-1], "run"), pytest.raises(LockError), locks.held_together(names, "restore"):
        pass
    with locks.held_together(names, "restore"):
        pass
