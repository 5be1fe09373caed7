"""The place of a tenant's alerts: in PostgreSQL for all machines where the registry is in one, else in a small file.

While PostgreSQL is away each machine goes on with a file of its own, so that an outage is told once by each, and not by
every run; what is in such a file moves into PostgreSQL with the next holder on that machine.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from integration_assets.config import Settings
from integration_assets.coordination.alert_record import AlertRecord, HeldRecord
from integration_assets.coordination.database import shared_database
from integration_assets.errors import CoordinationError, PermanentError
from integration_assets.reporting.alerts import KNOWN_ENDS, Alerts, HeldAlerts, Notice
from integration_assets.staging.store import make_private_directory
from integration_assets.whole_files import read_or_empty, write_whole

log = logging.getLogger(__name__)


class AlertPlace(Protocol):
    """The place of a tenant's alerts."""

    def read(self) -> Alerts:
        """The alerts as they are.

        Raises:
            PermanentError: they cannot be read.
            ConfigurationError: the database is of an older version.
        """
        ...

    def held(self) -> AbstractContextManager[HeldAlerts]:
        """The alerts, for one holder at a time; what is changed in the block is kept, whole or not.

        Raises:
            PermanentError: they cannot be read or written.
            LockError: another process, perhaps on another machine, holds them for too long.
            CoordinationError: PostgreSQL went away while they were held.
            ConfigurationError: the database is of an older version.
        """
        ...


def alerts_path(home: Path, environment: str, tenant: str) -> Path:
    """File of the alerts of a tenant: `<home>/alerts/<environment>/<tenant>.json`."""
    return home / "alerts" / environment / f"{tenant}.json"


def alerts_of(settings: Settings, environment: str, tenant: str) -> AlertPlace:
    """The place of a tenant's alerts in this installation."""
    file = FileAlerts(alerts_path(settings.home, environment, tenant))
    database = shared_database(settings)
    return file if database is None else SharedAlerts(AlertRecord(database, f"{environment}/{tenant}"), file)


def read_alerts(path: Path) -> Alerts:
    """The alerts in a file; none when there is no file, or one that no version of ours has written.

    Raises:
        PermanentError: there is a file and it cannot be read.
    """
    # A file that cannot be understood counts as none: an alert that is told twice is better than a run that cannot end.
    try:
        return read_or_empty(path, Alerts)
    except OSError as error:
        raise _unwritable(path, error) from error


@dataclass(frozen=True)
class FileAlerts:
    """Alerts in a file, for one holder at a time among the processes of a machine."""

    path: Path

    def read(self) -> Alerts:
        """As `AlertPlace.read`."""
        return read_alerts(self.path)

    @contextmanager
    def held(self) -> Iterator[HeldAlerts]:
        """As `AlertPlace.held`."""
        path = self.path
        try:
            make_private_directory(path.parent)
            # A file of its own: the alerts are replaced as a whole, and a lock on a replaced file protects nobody.
            lock = path.with_suffix(".lock").open("a")
        except OSError as error:
            raise _unwritable(path, error) from error
        with lock:
            # Waiting, unlike the run lock: holders need moments, and an alert must not be lost for one of them.
            fcntl.flock(lock, fcntl.LOCK_EX)
            alerts = read_alerts(path)

            def keep() -> None:
                try:
                    write_whole(path, msgspec.json.encode(alerts))
                except OSError as error:
                    raise _unwritable(path, error) from error

            yield HeldAlerts(alerts, keep)
            keep()


@dataclass(frozen=True)
class SharedAlerts:
    """Alerts in PostgreSQL, for one holder at a time among all machines; `file` is this machine's own."""

    record: AlertRecord
    file: FileAlerts

    def read(self) -> Alerts:
        """As `AlertPlace.read`."""
        own = self.file.read()
        try:
            return with_own(_decoded(self.record.read()), own)
        except CoordinationError as error:
            log.warning("the alerts of this machine alone are looked at: %s", error.message)
            return own

    @contextmanager
    def held(self) -> Iterator[HeldAlerts]:
        """As `AlertPlace.held`; while PostgreSQL is away, the alerts of this machine alone."""
        with ExitStack() as stack:
            record = self._record(stack)
            if record is None:
                yield stack.enter_context(self.file.held())
                return
            alerts = _decoded(record.content)

            def keep() -> None:
                record.keep(msgspec.json.encode(alerts).decode())

            held = HeldAlerts(alerts, keep, is_shared=True)
            self._take_over(held)
            yield held
            keep()

    def _record(self, stack: ExitStack) -> HeldRecord | None:
        try:
            return stack.enter_context(self.record.held())
        except CoordinationError as error:
            log.warning("the alerts are kept on this machine alone: %s", error.message)
            return None

    def _take_over(self, held: HeldAlerts) -> None:
        """Move what this machine has kept alone."""
        if self.file.read() == Alerts():
            return
        with self.file.held() as own:
            moved = with_own(held.alerts, own.alerts)
            held.alerts.open, held.alerts.notices, held.alerts.ended = moved.open, moved.notices, moved.ended
            # There before it is gone here: killed in between, it is moved once more, and says that it may be a repeat.
            held.keep()
            own.alerts.open, own.alerts.notices, own.alerts.ended = {}, [], []


def with_own(shared: Alerts, own: Alerts) -> Alerts:
    """The alerts of all machines with those that one has kept alone: what all know of a subject counts.

    Messages of its own may have been moved before by a holder that died, so each is posted as a possible repeat.
    """
    unsure: list[Notice] = [msgspec.structs.replace(one, state="uncertain") for one in own.notices]
    there = {(one.subject, one.at) for one in shared.notices}
    notices = [*shared.notices, *(one for one in unsure if (one.subject, one.at) not in there)]
    # Runs that told their end here meanwhile: the sensor of another machine would tell it again.
    ended = [*shared.ended, *(one for one in own.ended if one not in shared.ended)][-KNOWN_ENDS:]
    return Alerts(own.open | shared.open, notices, shared.summaries, ended)


def _decoded(content: str | None) -> Alerts:
    # A text that no version of ours has written counts as none, as a file does.
    try:
        return msgspec.json.decode(content or "{}", type=Alerts)
    except msgspec.MsgspecError:
        return Alerts()


def _unwritable(path: Path, error: OSError) -> PermanentError:
    return PermanentError(f"{path} cannot be read or written: {error.strerror}; check the disk and its permissions")
