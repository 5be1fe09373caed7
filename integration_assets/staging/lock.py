"""The run lock of one staging store: who may write now, and whether that is still us.

A run holds an exclusive `flock` on `<store>.lock` from beginning to end; the kernel releases it when the process dies,
so a lock is never stale. Inside the file stands who holds it, for the one who is refused.

A process can be paused (SIGSTOP, a suspended machine) while somebody moves its files away and starts another run. So
every holder also gets a number, one above the last, from `<store>.fence`, and asks before each write to the outside
whether lock file, store and number are still its own. The lock reaches as far as the file system does; among machines
with stores of their own it is held in PostgreSQL as well (`coordination.run_lock`), where the registry is.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from integration_assets.coordination.run_lock import SharedHold, SharedLocks
from integration_assets.errors import LockError
from integration_assets.whole_files import write_whole

IDENTITY_WAIT_SECONDS = 0.02
IDENTITY_LOOKS = 10
"""Pause and number of looks of a refused run at who holds the lock: a holder signs just after it has taken it."""


class Holder(msgspec.Struct, frozen=True):
    """Holder of a lock. `what` is a run or a command, `number` the fencing number, `since` is UTC."""

    what: str
    pid: int
    host: str
    since: datetime
    number: int

    def __str__(self) -> str:
        """As a person reads it."""
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"{self.what}, process {self.pid}{where}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    def alive(self) -> bool:
        """Tell whether its process exists, as far as this machine can tell."""
        # Process numbers of another machine say nothing here: it is taken for alive.
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        # There is such a process, of another account.
        except PermissionError:
            return True
        return True


FileIdentity = tuple[int, int]
"""Device and inode: what stays the same when a file is renamed, and differs when it is replaced."""


class RunLock:
    """A lock that is held. `number` is higher than that of every earlier holder of this store.

    `shared` is the hold among machines, where there is one.
    """

    def __init__(self, store: Path, identity: FileIdentity, number: int, shared: SharedHold | None = None) -> None:
        self.store = store
        self.number = number
        self._shared = shared
        self._files = {lock_path(store): identity}
        self._others: list[Callable[[], str | None]] = []

    def guard_by(self, lost: Callable[[], str | None]) -> None:
        """From now on this has to be held as well: `lost` tells why it no longer is, or None."""
        self._others.append(lost)

    def guard_store(self) -> None:
        """From now on the store file itself has to stay the same as well. To be called once it is open."""
        # Not at locking: the store may have to be created first.
        status = self.store.stat()
        self._files[self.store] = (status.st_dev, status.st_ino)

    def passed_on(self) -> str | None:
        """Tell why the store is no longer ours; None while it is. Other machines have stores of their own."""
        for path, identity in self._files.items():
            try:
                status = path.stat()
            except OSError as error:
                return f"{path.name} is gone ({error.strerror})"
            # Somebody moved the file away and put another in its place: the lock on ours keeps nobody out of that one.
            if (status.st_dev, status.st_ino) != identity:
                return f"{path.name} was replaced"
        # Files moved away and back again look untouched; the number still tells that another held the lock meanwhile.
        number = _read_number(fence_path(self.store))
        if number != self.number:
            return f"it went from holder {self.number} to {number}"
        return next((reason for lost in self._others if (reason := lost())), None)

    def check(self) -> None:
        """Return while the lock is ours, on this machine and among machines: to be called before each write outside.

        Raises:
            LockError: it is not, or cannot be shown to be: nothing more may be written outside.
        """
        if reason := self.passed_on():
            raise LockError(
                f"the run lock of {self.store.stem} passed on while this run was held up ({reason}): "
                "nothing more was written; run it again"
            )
        if self._shared is not None:
            self._shared.check()


def lock_path(store: Path) -> Path:
    """File that is locked. It stays when the lock is released: removing it would let two in."""
    return store.with_name(f"{store.name}.lock")


def fence_path(store: Path) -> Path:
    """File that keeps the number of the last holder."""
    return store.with_name(f"{store.name}.fence")


@contextmanager
def run_lock(store: Path, what: str, shared: SharedLocks | None = None) -> Iterator[RunLock]:
    """Hold the lock of a store; its directory must exist. `what` tells others who holds it ("run 1a2b…").

    With `shared` it is held among machines as well, under the store's environment and tenant.

    Raises:
        LockError: another process, another run of this one or another machine holds it; the message says which.
        CoordinationError: the machines' lock cannot be asked for.
        OSError: the files beside the store cannot be written.
    """
    descriptor, identity = _take(store)
    try:
        number = _next_number(store)
        _sign(descriptor, Holder(what, os.getpid(), socket.gethostname(), datetime.now(UTC), number))
        with _among_machines(store, what, shared) as hold:
            yield RunLock(store, identity, number, hold)
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _among_machines(store: Path, what: str, shared: SharedLocks | None) -> AbstractContextManager[SharedHold | None]:
    # After this machine's own: a second run here is refused without asking PostgreSQL.
    return nullcontext() if shared is None else shared.held(f"{store.parent.name}/{store.stem}", what)


def _take(store: Path) -> tuple[int, FileIdentity]:
    path = lock_path(store)
    while True:
        # Not inherited: a child that outlives the run would keep the lock.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # By identity: the file may have been replaced before we locked it, and a lock on the old one is worthless.
            held = os.fstat(descriptor)
            with suppress(FileNotFoundError):
                at_path = path.stat()
                if (at_path.st_dev, at_path.st_ino) == (held.st_dev, held.st_ino):
                    return descriptor, (held.st_dev, held.st_ino)
        except BlockingIOError:
            os.close(descriptor)
            raise _refusal(store) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the file was moved or replaced between opening and locking it: once more


def _refusal(store: Path) -> LockError:
    holder = _holder(lock_path(store))
    who = f" ({holder})" if holder else ""
    return LockError(
        f"another run of {store.stem} is using {store}{who}; wait until it has finished, then run again",
        holder=holder.what if holder else "",
    )


def _holder(path: Path) -> Holder | None:
    """Read who holds the lock now; None when nobody has signed."""
    for _ in range(IDENTITY_LOOKS):
        with suppress(OSError, msgspec.DecodeError):
            holder = msgspec.json.decode(path.read_bytes(), type=Holder)
            # A signature may be left over from a holder that was killed, until the new one signs.
            if holder.alive():
                return holder
        time.sleep(IDENTITY_WAIT_SECONDS)
    return None


def _sign(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, msgspec.json.encode(holder), 0)


def _next_number(store: Path) -> int:
    """One above the last number; safe because only the holder of the lock comes here."""
    path = fence_path(store)
    number = (_read_number(path) or 0) + 1
    # Whole: after half a number the next holders would get numbers that were given before.
    write_whole(path, f"{number}\n".encode("ascii"))
    return number


def _read_number(path: Path) -> int | None:
    """The number in a fence file; None when there is none or it is unreadable."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    # A damaged file counts as none, however long it is: it must not end in an error of its own.
    return int(text) if text.isdecimal() and len(text) <= 18 else None
