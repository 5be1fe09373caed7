"""The data keys in the registry: one active per owner, each sealed by a master key; and whether the master key fits."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from integration_assets.config import variable
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.tenants.registry.audit import START_DIGEST
from integration_assets.tenants.registry.master import MasterKeys
from integration_assets.tenants.registry.models import AuditHead, DataKey, VaultCheck, new_id
from integration_assets.tenants.registry.vault import Key, SecretContext, TamperedError, new_key, seal, unseal

AUDIT = "audit"
"""Owner of the key of the audit trail."""
KNOWN_TEXT = b"integration_assets vault check"


class Keyring:
    """Data keys by owner, opened with the master keys that were given. Opened keys are remembered in this process."""

    def __init__(self, master: MasterKeys) -> None:
        self.master = master
        self._opened: dict[str, Key] = {}

    def initialise(self, session: Session) -> None:
        """Give a new registry its check row, the key of its audit trail, and the trail's beginning."""
        # A second beginning of the trail would hide the first.
        if session.get(AuditHead, 1) is not None:
            return
        session.add(AuditHead(id=1, number=0, digest=START_DIGEST))
        self.active(session, AUDIT)

    def check(self, session: Session) -> None:
        """See that the given master keys open everything.

        Raises:
            ConfigurationError: they do not: another key is needed, or both during a rotation.
        """
        for row in session.scalars(select(VaultCheck)):
            # A key with the same name that opens nothing means a changed registry, not a wrong key.
            if (master := self.master.by_id(row.master_key_id)) is not None:
                _open_check(master, row)
        missing = {key_id: count for key_id, count in self.used(session).items() if self.master.by_id(key_id) is None}
        if not missing:
            return
        name = f"{variable('key')} or {variable('key_file')}"
        wanted = ", ".join(sorted(missing))
        # Some keys open: a rotation was left half done, which another message puts right.
        if len(missing) < len(self.used(session)):
            raise ConfigurationError(
                f"{sum(missing.values())} data keys are still sealed by master key {wanted}: give the new and the old "
                f"key in {name}, the new one first, and run `integration-assets keys rotate`"
            )
        raise ConfigurationError(
            f"{name} is not the key of this registry: it was sealed with master key {wanted}, given was "
            f"{self.master.current.id}"
        )

    def used(self, session: Session) -> Counter[str]:
        """Count the data keys that each master key seals, by its id."""
        return Counter(str(wrapped.get("key_id")) for wrapped in session.scalars(select(DataKey.wrapped)))

    def active(self, session: Session, owner: str) -> Key:
        """The key that seals for an owner, made when there is none.

        It is locked until the transaction ends, so that nobody retires it before what it seals is committed.
        """
        row = session.scalars(
            select(DataKey).where(DataKey.owner == owner, DataKey.state == "active").with_for_update(read=True)
        ).first()
        return self.open(row) if row is not None else self.add(session, owner)

    def add(self, session: Session, owner: str) -> Key:
        """A new active key for an owner that has none."""
        key = new_key(new_id())
        row = DataKey(id=key.id, owner=owner, state="active", created_at=datetime.now(UTC))
        row.wrapped = self.wrap(session, key, owner)
        session.add(row)
        session.flush()
        self._opened[key.id] = key
        return key

    def by_id(self, session: Session, key_id: str, owner: str) -> Key:
        """The key of this id, if it is this owner's.

        Raises:
            TamperedError: it is not there, or another's: the sealed value was put where it does not belong.
        """
        # By owner as well: a sealed value copied from another tenant's row must not find its key.
        row = session.scalars(select(DataKey).where(DataKey.id == key_id, DataKey.owner == owner)).first()
        if row is None:
            raise TamperedError(f"a sealed value of tenant {owner} names a data key that is not the tenant's")
        return self.open(row)

    def open(self, row: DataKey) -> Key:
        """The data key itself."""
        if row.id not in self._opened:
            master = self.master.by_id(str(row.wrapped.get("key_id")))
            if master is None:
                raise ConfigurationError(
                    f"data key {row.id} is sealed by master key {row.wrapped.get('key_id')}, which was not given"
                )
            self._opened[row.id] = Key(row.id, unseal(master, row.wrapped, _place(row.id, row.owner)))
        return self._opened[row.id]

    def wrap(self, session: Session, key: Key, owner: str) -> dict[str, object]:
        """Seal a data key by the current master key, which has a check row from then on."""
        master = self.master.current
        # Flushed before anything is sealed by it: a key is never in use without its check row.
        if session.get(VaultCheck, master.id) is None:
            sealed = seal(master, KNOWN_TEXT, _check_place(master.id))
            session.add(VaultCheck(master_key_id=master.id, sealed=sealed, created_at=datetime.now(UTC)))
            session.flush()
        return seal(master, key.raw, _place(key.id, owner))

    def forget(self, key_id: str) -> None:
        """Forget an opened key that is gone."""
        self._opened.pop(key_id, None)


def _place(key_id: str, owner: str) -> SecretContext:
    return SecretContext(owner, "data_keys", key_id, "key")


def _check_place(master_id: str) -> SecretContext:
    return SecretContext("-", "vault_checks", master_id, "known")


def _open_check(master: Key, row: VaultCheck) -> None:
    try:
        fits = unseal(master, row.sealed, _check_place(row.master_key_id)) == KNOWN_TEXT
    except TamperedError:
        fits = False
    if not fits:
        raise PermanentError(f"the check row of master key {master.id} was changed: restore the registry from a backup")
