"""Changing keys: the master key (`rotate`) and the data keys with everything they seal (`reencrypt`).

Both go forward in small transactions, each of which leaves every secret readable with the keys that are given. Killed
anywhere, they are run again and go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from integration_assets.tenants.registry import audit
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.keyring import AUDIT
from integration_assets.tenants.registry.models import DataKey, Tenant, VaultCheck
from integration_assets.tenants.registry.secrets import WITH_SECRETS, Record, place_of
from integration_assets.tenants.registry.vault import seal, unseal

BATCH = 500
"""Rows per transaction: what a kill costs, and how long a writer waits."""


class KeyStatus(msgspec.Struct, frozen=True):
    """The keys of a registry. Keys are named by 16 hex digits that say nothing of them.

    `master_keys`: each that was given or is needed, with the number of data keys it seals. `retiring`: data keys that
    are being replaced. `oldest_data_key_at`: when the oldest of them was made.
    """

    current: str
    given: tuple[str, ...]
    master_keys: dict[str, int]
    data_keys: int
    retiring: int
    secrets: int
    oldest_data_key_at: datetime | None

    @property
    def removable(self) -> tuple[str, ...]:
        """Given master keys that nothing needs any more."""
        return tuple(key for key in self.given if key != self.current and not self.master_keys.get(key))


def key_status(registry: Registry) -> KeyStatus:
    """Count what is sealed by which key."""
    master = registry.keyring.master
    with registry.session() as session:
        used = registry.keyring.used(session)
        return KeyStatus(
            current=master.current.id,
            given=tuple(key.id for key in master.keys),
            master_keys={key.id: used[key.id] for key in master.keys},
            data_keys=_count(session, select(func.count()).select_from(DataKey)),
            retiring=_count(session, select(func.count()).select_from(DataKey).where(DataKey.state == "retiring")),
            secrets=sum(
                _count(session, select(func.count()).select_from(table).where(table.secret.is_not(None)))
                for table in WITH_SECRETS
            ),
            oldest_data_key_at=session.scalar(select(func.min(DataKey.created_at))),
        )


def rotate(registry: Registry, actor: Actor) -> int:
    """Seal every data key by the current master key; return how many were sealed by another one."""
    done = 0
    while changed := _rotate_batch(registry):
        done += changed
    with registry.session() as session:
        # Read after the last batch: a check row is removed only when nothing is sealed by its key any more.
        needed = set(registry.keyring.used(session))
        stale = delete(VaultCheck).where(VaultCheck.master_key_id.not_in(needed))
        # A rotation that found nothing to do leaves no entry.
        if session.connection().execute(stale).rowcount or done:
            audit.append(session, registry.keyring.active(session, AUDIT), actor, "keys.rotate", table="data_keys")
    return done


def _rotate_batch(registry: Registry) -> int:
    keyring = registry.keyring

    def rewrap(session: Session) -> int:
        rows = session.scalars(
            select(DataKey)
            .where(DataKey.wrapped["key_id"].as_string() != keyring.master.current.id)
            .order_by(DataKey.id)
            .limit(BATCH)
            .with_for_update()
        ).all()
        for row in rows:
            row.wrapped = keyring.wrap(session, keyring.open(row), row.owner)
        return len(rows)

    return registry.transact(rewrap)


def reencrypt(registry: Registry, actor: Actor) -> int:
    """Give every tenant a new data key, seal every secret by it, and remove the old keys; return the secrets done.

    A reencryption that was killed goes on with the tenants it had not ended; the others get a new key once more.
    """
    with registry.session() as session:
        owners = session.scalars(select(Tenant.id).order_by(Tenant.id)).all()
    done = sum(_reencrypt(registry, owner) for owner in owners)
    with registry.session() as session:
        audit.append(session, registry.keyring.active(session, AUDIT), actor, "keys.reencrypt", table="data_keys")
    return done


def _reencrypt(registry: Registry, owner: str) -> int:
    _replace_key(registry, owner)
    done = 0
    for table in WITH_SECRETS:
        while changed := _reencrypt_batch(registry, owner, table):
            done += changed
    _remove_retired(registry, owner)
    return done


def _replace_key(registry: Registry, owner: str) -> None:
    """Retire the active key for a new one; unless one is retiring already, which is then ended first."""

    def replace(session: Session) -> None:
        rows = session.scalars(select(DataKey).where(DataKey.owner == owner).with_for_update()).all()
        # Left by a reencryption that was killed: what it had begun is ended before another key is made.
        if not rows or any(row.state == "retiring" for row in rows):
            return
        for row in rows:
            row.state = "retiring"
        session.flush()
        registry.keyring.add(session, owner)

    registry.transact(replace)


def _reencrypt_batch(registry: Registry, owner: str, table: type[Record]) -> int:
    keyring = registry.keyring

    def seal_anew(session: Session) -> int:
        key = keyring.active(session, owner)
        wanted = (
            select(table)
            .where(table.tenant_id == owner, table.secret.is_not(None), _key_id(table) != key.id)
            .order_by(table.id)
            .limit(BATCH)
            .with_for_update()
        )
        rows = cast("Sequence[Record]", session.scalars(wanted).all())
        for row in rows:
            before: Any = row.secret
            # Opened and sealed in one transaction, bound to the same place: no secret is ever stored open.
            text = unseal(keyring.by_id(session, str(before.get("key_id")), owner), before, place_of(row))
            row.secret = seal(key, text, place_of(row))
        return len(rows)

    return registry.transact(seal_anew)


def _remove_retired(registry: Registry, owner: str) -> None:
    """Remove retiring keys; nothing is sealed by them, or it would be said here."""

    def remove(session: Session) -> list[str]:
        removed = []
        retired = session.scalars(
            select(DataKey).where(DataKey.owner == owner, DataKey.state == "retiring").with_for_update()
        ).all()
        for row in retired:
            uses = (_count(session, _uses(table, owner, row.id)) for table in WITH_SECRETS)
            if any(uses):
                continue  # sealed between the last batch and now: the next reencryption takes it along
            session.delete(row)
            removed.append(row.id)
        return removed

    for key_id in registry.transact(remove):
        registry.keyring.forget(key_id)


def _uses(table: type[Record], owner: str, key_id: str) -> Any:
    return select(func.count()).select_from(table).where(table.tenant_id == owner, _key_id(table) == key_id)


def _key_id(table: type[Record]) -> Any:
    return table.secret["key_id"].as_string()


def _count(session: Session, query: Any) -> int:
    return int(session.scalar(query) or 0)
