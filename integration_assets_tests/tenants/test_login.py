"""Who gets in, for how long, and what is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import text

from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry import login
from integration_assets.tenants.registry.changes import FieldError, NotFoundError, TakenError
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import Directory, directory
from integration_assets.tenants.registry.login import (
    NewSession,
    confirm_password,
    find_session,
    log_in,
    log_out,
    log_out_everywhere,
)
from integration_assets.tenants.registry.passwords import fits, hash_password
from integration_assets.tenants.registry.words import Role
from integration_assets_tests.support.registries import ACTOR

PASSWORD = "correct horse battery"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def ada(registry: Registry) -> Registry:
    """A registry where Ada is admin of acme."""
    with directory(registry, ACTOR) as users:
        users.add_user("Ada@Acme.example", PASSWORD, tenant="acme")
    return registry


def session_of(registry: Registry, now: datetime = NOW) -> NewSession:
    made = log_in(registry, "ada@acme.example", PASSWORD, now=now)
    assert made is not None
    return made


def test_login_and_password_must_belong_together(ada: Registry) -> None:
    """A wrong one of either, or a user who is shut out, gets the same nothing; each attempt is in the trail."""
    assert log_in(ada, "ada@acme.example", "correct horse batterz") is None
    assert log_in(ada, "bob@acme.example", PASSWORD) is None
    with directory(ada, ACTOR) as users:
        users.enable_user("ada@acme.example", enabled=False)
    assert log_in(ada, "ada@acme.example", PASSWORD) is None
    with directory(ada, ACTOR) as users:
        users.enable_user("ada@acme.example", enabled=True)
        refused = [entry for entry in users.audit_trail() if entry.action == "login"]
        assert [(entry.result, entry.record_id) for entry in refused] == [("refused", None), ("refused", None)]
        of_ada = [entry for entry in users.audit_trail("acme") if entry.action == "login"]
        assert [entry.result for entry in of_ada] == ["refused"]
    who = session_of(ada).who
    assert (who.login, who.role, who.tenant) == ("ada@acme.example", Role.TENANT_ADMIN, "acme")


def test_a_session_ends_when_idle_and_at_the_latest_after_twelve_hours(ada: Registry) -> None:
    """Half an hour without a request ends it, and half a day with any number of them."""
    token = session_of(ada).token
    assert find_session(ada, token, now=NOW + timedelta(minutes=29)) is not None
    assert find_session(ada, token, now=NOW + timedelta(minutes=58)) is not None
    assert find_session(ada, token, now=NOW + timedelta(minutes=89)) is None
    token, moment = session_of(ada).token, NOW
    while moment < NOW + timedelta(hours=12):
        assert find_session(ada, token, now=moment) is not None
        moment += timedelta(minutes=25)
    assert find_session(ada, token, now=NOW + timedelta(hours=12, minutes=1)) is None


def test_the_id_of_a_session_is_kept_hashed(ada: Registry) -> None:
    """Neither it nor the password can be read from the database, nor from a repr."""
    made = session_of(ada)
    assert len(made.token) >= 43
    assert made.token not in repr(made)
    with ada.session() as session:
        rows = str([session.execute(text(f"SELECT * FROM {table}")).all() for table in ("sessions", "users")])
    assert made.token not in rows
    assert PASSWORD not in rows
    assert hashlib.sha256(made.token.encode()).hexdigest() in rows


def test_every_login_is_another_session(ada: Registry) -> None:
    """Logging out ends one; logging out everywhere, another password and shutting out end all."""
    first, second = session_of(ada), session_of(ada)
    assert (first.token, first.who.csrf_token) != (second.token, second.who.csrf_token)
    log_out(ada, first.token)
    assert find_session(ada, first.token, now=NOW) is None
    assert find_session(ada, second.token, now=NOW) is not None
    log_out_everywhere(ada, second.who.user_id)
    assert find_session(ada, second.token, now=NOW) is None
    third = session_of(ada)
    with directory(ada, ACTOR) as users:
        users.set_password("ada@acme.example", "another horse battery")
    assert find_session(ada, third.token, now=NOW) is None
    assert log_in(ada, "ada@acme.example", PASSWORD) is None


def test_the_password_can_be_asked_for_again(ada: Registry) -> None:
    """Within a session the right one is noted with its time; the wrong one is not."""
    token = session_of(ada).token
    later = NOW + timedelta(minutes=5)
    assert not confirm_password(ada, token, "wrong horse battery", now=later)
    assert confirm_password(ada, token, PASSWORD, now=later)
    who = find_session(ada, token, now=later)
    assert who is not None
    assert who.authenticated_at == later
    assert not confirm_password(ada, "no such session", PASSWORD, now=later)


Change = Callable[[Directory], object]


def made_again(users: Directory) -> None:
    users.remove_user("ada@acme.example")
    users.add_user("ada@acme.example", "another horse battery", tenant="globex")


MEANWHILE: dict[str, Change] = {
    "another password": lambda users: users.set_password("ada@acme.example", "another horse battery"),
    "shut out": lambda users: users.enable_user("ada@acme.example", enabled=False),
    "removed": lambda users: users.remove_user("ada@acme.example"),
    "removed with the tenant": lambda users: users.remove_tenant("acme"),
    "removed and made again": made_again,
}


def checked_slowly(registry: Registry, change: Change) -> Callable[[str | None, str], bool]:
    """A check of a password during which somebody else changes something."""

    def slow(password_hash: str | None, password: str) -> bool:
        good = fits(password_hash, password)
        with directory(registry, ACTOR) as users:
            change(users)
        return good

    return slow


@pytest.mark.parametrize("outdated", [False, True])
@pytest.mark.parametrize("meanwhile", list(MEANWHILE))
def test_a_login_does_not_survive_what_happens_while_its_password_is_checked(
    ada: Registry, meanwhile: str, outdated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is for the hash that was checked; a hash made anew never takes the place of a newer one."""
    monkeypatch.setattr(login, "is_outdated", lambda _hash: outdated)
    monkeypatch.setattr(login, "fits", checked_slowly(ada, MEANWHILE[meanwhile]))
    assert log_in(ada, "ada@acme.example", PASSWORD, now=NOW) is None
    with ada.session() as session:
        assert session.execute(text("SELECT count(*) FROM sessions")).scalar() == 0
        hashes = session.execute(text("SELECT password_hash FROM users")).scalars().all()
    assert not (meanwhile == "another password" and fits(hashes[0], PASSWORD))
    with directory(ada, ACTOR) as users:
        assert users.verify_audit_trail() > 0


def test_passwords_are_hashed_at_the_cost_that_is_recommended(earnest_hasher: PasswordHasher) -> None:
    """Argon2id with 64 MiB, three passes and four lanes; what costs less, as in these tests, is outdated."""
    assert extract_parameters(earnest_hasher.hash(PASSWORD)) == RFC_9106_LOW_MEMORY
    assert earnest_hasher.check_needs_rehash(hash_password(PASSWORD))


def test_a_hash_of_weaker_parameters_is_made_anew(ada: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a login that succeeds, once, and the password stays."""
    with ada.session() as session:
        before = session.execute(text("SELECT password_hash FROM users")).scalar()
    monkeypatch.setattr(login, "is_outdated", lambda _hash: True)
    assert session_of(ada) is not None
    with ada.session() as session:
        after = session.execute(text("SELECT password_hash FROM users")).scalar()
    assert before != after
    assert fits(after, PASSWORD)


def test_a_password_is_not_confirmed_that_was_changed_meanwhile(ada: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking once more within a session is for the password of the moment it is noted."""
    token = session_of(ada).token

    def changed(password_hash: str | None, password: str) -> bool:
        good = fits(password_hash, password)
        with ada.session() as session:  # by hand: `set_password` would end the session as well
            session.execute(text("UPDATE users SET password_hash = 'another'"))
        return good

    monkeypatch.setattr(login, "fits", changed)
    assert not confirm_password(ada, token, PASSWORD, now=NOW)


@pytest.mark.parametrize("password", ["short", "x" * 129, "aaaaaaaaaaaaaa", "ada@acme.example1"])
def test_a_password_must_be_worth_the_name(sqlite_registry: Registry, password: str) -> None:
    """Length, variety, and not the login."""
    with directory(sqlite_registry, ACTOR) as users, pytest.raises(FieldError) as refused:
        users.add_user("ada@acme.example", password, tenant="acme")
    assert refused.value.field == "password"
    assert password not in refused.value.message


def test_logins_and_slugs_are_unique_and_well_formed(sqlite_registry: Registry) -> None:
    """Each exists once, whatever its capitals; names of schemas are no tenants."""
    with directory(sqlite_registry, ACTOR) as users:
        users.add_user("ada@acme.example", PASSWORD, tenant="acme")
        operator = users.add_user("root-of-all", PASSWORD, tenant=None)
        assert (operator.role, operator.tenant_id) == (Role.OPERATOR, None)
        with pytest.raises(TakenError):
            users.add_user("ADA@acme.example", PASSWORD, tenant="globex")
        with pytest.raises(FieldError, match="login"):
            users.add_user("a b", PASSWORD, tenant="acme")
        with pytest.raises(NotFoundError):
            users.add_user("eve@acme.example", PASSWORD, tenant="nobody")
        with pytest.raises(TakenError):
            users.add_tenant("acme")
        for slug in ("ranked", "raw", "Acme", "-acme", "a" * 64, "a_b", "", "../x", "a'--"):
            with pytest.raises(ConfigurationError, match="tenant name"):
                users.add_tenant(slug)
        assert [user.login for user in users.users("acme")] == ["ada@acme.example"]
        assert users.users("globex") == []
