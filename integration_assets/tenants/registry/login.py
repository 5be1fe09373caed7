"""Logging in, and the sessions that come of it. How often somebody may try is the caller's to limit."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from integration_assets.tenants.registry import audit
from integration_assets.tenants.registry.audit import Actor, Subject
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.keyring import AUDIT
from integration_assets.tenants.registry.models import LoginSession, PasswordLink, Tenant, User
from integration_assets.tenants.registry.passwords import check_password, fits, hash_password, is_outdated
from integration_assets.tenants.registry.words import Role

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
SEEN_AGAIN = timedelta(minutes=1)
"""Age of `seen_at` from which it is written again: not every request writes."""
TOKEN_BYTES = 32
TOKEN_LENGTH = 43
"""Characters that base64 makes of them."""


class LoggedIn(msgspec.Struct, frozen=True):
    """User a session belongs to. `tenant_id` and `tenant` (its slug) are None for an operator."""

    user_id: str
    login: str
    role: Role
    tenant_id: str | None
    tenant: str | None
    csrf_token: str
    authenticated_at: datetime


class NewSession(msgspec.Struct, frozen=True):
    """A session just begun. `token` goes into the cookie and nowhere else."""

    token: str
    who: LoggedIn

    def __repr__(self) -> str:
        """Without the token: a repr ends up in logs."""
        return f"NewSession({self.who.login})"


def log_in(
    registry: Registry, login: str, password: str, *, request_id: str | None = None, now: datetime | None = None
) -> NewSession | None:
    """Begin a session; None when login and password do not belong together, whichever is wrong, after the same time.

    Checking takes a fifth of a second outside any transaction. The session, and a hash made anew with today's
    parameters, are therefore for the hash that was checked: a user who meanwhile got another password, was shut out
    or removed is refused.
    """
    now = now or datetime.now(UTC)
    with registry.session() as session:
        user = session.scalars(select(User).where(User.login == login.strip().lower())).first()
        found = (user.id, user.password_hash) if user is not None and user.enabled else None
    # Also without a user: the time must not tell whether there is one.
    good = fits(found[1] if found else None, password)
    renewed = hash_password(password) if good and found and is_outdated(found[1]) else None
    return registry.transact(
        lambda session: _begin(registry, session, found, good=good, renewed=renewed, request_id=request_id, now=now)
    )


def _begin(
    registry: Registry,
    session: Session,
    found: tuple[str, str] | None,
    *,
    good: bool,
    renewed: str | None,
    request_id: str | None,
    now: datetime,
) -> NewSession | None:
    """Begin a session of the user found before by id and hash, or note the refusal."""
    # Looked up again: checking took its time, and the password may be another one by now.
    user = _unchanged(session, *found) if found else None
    if not good or user is None:
        known = user or (session.get(User, found[0]) if found else None)
        _audit(registry, session, Actor("somebody", request_id), "login", known, "refused")
        return None
    user.last_login_at = now
    user.password_hash = renewed or user.password_hash
    # At each login: no job is needed, and the table stays as small as the sessions in use.
    _forget_old(session, now)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = LoginSession(
        digest=_digest(token),
        user_id=user.id,
        csrf_token=secrets.token_urlsafe(TOKEN_BYTES),
        created_at=now,
        seen_at=now,
        authenticated_at=now,
    )
    session.add(row)
    _audit(registry, session, Actor(user.login, request_id), "login", user, "ok")
    return NewSession(token, _logged_in(session, row, user))


def _unchanged(session: Session, user_id: str, password_hash: str) -> User | None:
    """The user, locked until the transaction ends, if they may log in and their password is still this one."""
    wanted = select(User).where(User.id == user_id, User.password_hash == password_hash, User.enabled.is_(True))
    # Locked: whoever sets a password waits for us, and then ends the session that we begin here.
    return session.scalars(wanted.with_for_update()).first()


def device_key(registry: Registry) -> bytes:
    """The key that signs cookies of known browsers, the same in every process that has the registry and its key."""
    key = registry.transact(lambda session: registry.keyring.active(session, AUDIT))
    # Of the trail's key, but not itself: what signs cookies must open nothing.
    return hmac.new(key.raw, b"integration_assets cookies of known browsers", hashlib.sha256).digest()


def find_session(registry: Registry, token: str, *, now: datetime | None = None) -> LoggedIn | None:
    """Find whose session this is; None when there is none, it was idle for 30 minutes, or began 12 hours ago."""
    if len(token) != TOKEN_LENGTH:
        return None  # not one of ours: the database is not asked for what anybody may send
    moment = now or datetime.now(UTC)

    def find(session: Session) -> LoggedIn | None:
        row = session.get(LoginSession, _digest(token))
        if row is None:
            return None
        user = session.get(User, row.user_id)
        # Deleted at the first look: a session that has ended does not come back when a clock is set.
        if user is None or not user.enabled or moment - row.seen_at > IDLE or moment - row.created_at > ABSOLUTE:
            session.delete(row)
            return None
        if moment - row.seen_at > SEEN_AGAIN:
            row.seen_at = moment
        return _logged_in(session, row, user)

    return registry.transact(find)


def confirm_password(registry: Registry, token: str, password: str, *, now: datetime | None = None) -> bool:
    """Ask for the password once more within a session, before something grave; note when it was right."""
    now = now or datetime.now(UTC)
    who = find_session(registry, token, now=now)
    if who is None:
        return False
    with registry.session() as session:
        user = session.get(User, who.user_id)
        password_hash = user.password_hash if user else None
    if password_hash is None or not fits(password_hash, password):
        return False

    def confirm(session: Session) -> bool:
        # Only while the password is the one that was checked: otherwise an old one would confirm.
        row = session.get(LoginSession, _digest(token)) if _unchanged(session, who.user_id, password_hash) else None
        if row is not None:
            row.authenticated_at = now
        return row is not None

    return registry.transact(confirm)


def log_out(registry: Registry, token: str) -> None:
    """End one session."""
    registry.transact(
        lambda session: session.execute(delete(LoginSession).where(LoginSession.digest == _digest(token)))
    )


def log_out_everywhere(registry: Registry, user_id: str) -> None:
    """End all sessions of a user."""
    registry.transact(lambda session: end_sessions(session, user_id))


LINK_VALID = timedelta(hours=24)
"""A link is handed over by mail or chat, and is to be read the next morning."""


def change_password(registry: Registry, user_id: str, before: str, new: str, *, request_id: str | None = None) -> bool:
    """Give a user who knows the password of before another one, and end all their sessions; False if they do not.

    Raises:
        FieldError: the new one cannot be a password.
    """
    with registry.session() as session:
        user = session.get(User, user_id)
        found = (user.password_hash, user.login) if user is not None else None
    # Checked outside any transaction: it takes a fifth of a second, and others wait for the registry meanwhile.
    if not fits(found[0] if found else None, before) or found is None:
        registry.transact(lambda session: _note_password(registry, session, user_id, request_id, "refused"))
        return False
    hashed = hash_password(check_password(new, login=found[1]))

    def work(session: Session) -> bool:
        # Whoever got another password meanwhile, or was shut out, has to know that one.
        user = _unchanged(session, user_id, found[0])
        if user is not None:
            set_password(session, user, hashed)
        _note_password(registry, session, user_id, request_id, "ok" if user is not None else "refused")
        return user is not None

    return registry.transact(work)


def open_password_link(registry: Registry, token: str, *, now: datetime | None = None) -> str | None:
    """The login of the user a link is for; None if it was used, has expired, was replaced, or never was."""
    with registry.session() as session:
        user = _linked(session, token, now or datetime.now(UTC))
        return user.login if user is not None else None


def use_password_link(
    registry: Registry, token: str, new: str, *, request_id: str | None = None, now: datetime | None = None
) -> bool:
    """Give the user of a link a password, end all their sessions, and the link; False if the link is none.

    Raises:
        FieldError: the new one cannot be a password; the link stays as it is.
    """
    now = now or datetime.now(UTC)
    # First without the hash: what is no link costs next to nothing, however often it is tried.
    login = open_password_link(registry, token, now=now)
    if login is None:
        return False
    hashed = hash_password(check_password(new, login=login))

    def work(session: Session) -> bool:
        user = _linked(session, token, now, lock=True)
        if user is None:  # of two who used it at once the other was first
            return False
        set_password(session, user, hashed)
        _note_password(registry, session, user.id, request_id, "ok", "link")
        return True

    return registry.transact(work)


def make_password_link(session: Session, user_id: str, *, now: datetime) -> str:
    """Make the link of a user in the caller's transaction, in the place of an earlier one; return its token."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    session.execute(delete(PasswordLink).where(PasswordLink.user_id == user_id))
    session.add(PasswordLink(user_id=user_id, digest=_digest(token), expires_at=now + LINK_VALID))
    return token


def _linked(session: Session, token: str, now: datetime, *, lock: bool = False) -> User | None:
    wanted = select(PasswordLink).where(PasswordLink.digest == _digest(token), PasswordLink.expires_at > now)
    link = session.scalars(wanted.with_for_update() if lock else wanted).first()
    user = session.get(User, link.user_id) if link is not None else None
    # A link lets nobody in who was shut out since.
    return user if user is not None and user.enabled else None


def set_password(session: Session, user: User, hashed: str) -> None:
    """Give a user another password, by its hash, and end their sessions and their link, in the caller's transaction."""
    user.password_hash = hashed
    session.flush()  # before sessions are ended: a login that waits for this row must find the new hash
    end_sessions(session, user.id)
    # Also after a change by the user: a link that is still on its way would open the account to whoever finds it.
    session.execute(delete(PasswordLink).where(PasswordLink.user_id == user.id))


def _note_password(
    registry: Registry, session: Session, user_id: str, request_id: str | None, result: str, by: str = "form"
) -> None:
    user = session.get(User, user_id)
    who = Actor(user.login if user is not None and by == "form" else "somebody with a password link", request_id)
    _audit(registry, session, who, "user.password", user, result)


def end_sessions(session: Session, user_id: str) -> None:
    """End all sessions of a user in the caller's transaction."""
    session.execute(delete(LoginSession).where(LoginSession.user_id == user_id))


def _logged_in(session: Session, row: LoginSession, user: User) -> LoggedIn:
    tenant = session.get(Tenant, user.tenant_id) if user.tenant_id else None
    return LoggedIn(
        user_id=user.id,
        login=user.login,
        role=Role(user.role),
        tenant_id=user.tenant_id,
        tenant=tenant.slug if tenant else None,
        csrf_token=row.csrf_token,
        authenticated_at=row.authenticated_at,
    )


def _forget_old(session: Session, now: datetime) -> None:
    session.execute(
        delete(LoginSession).where((LoginSession.created_at < now - ABSOLUTE) | (LoginSession.seen_at < now - IDLE))
    )


def _audit(registry: Registry, session: Session, actor: Actor, action: str, user: User | None, result: str) -> None:
    tenant = session.get(Tenant, user.tenant_id) if user is not None and user.tenant_id else None
    audit.append(
        session,
        registry.keyring.active(session, AUDIT),
        actor,
        action,
        tenant=Subject(tenant.id, tenant.slug) if tenant else None,
        table="users",
        record_id=user.id if user is not None else None,
        result=result,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
