"""The log in which a limiter keeps when calls left: in this process, or in a file that several processes share.

Times here are those of the machine's monotonic clock, which all its processes have in common and which is never set
back. A file from before a restart of the machine holds times that mean nothing any more; they are forgotten or
harmless. What several machines share is kept elsewhere, by the same interface and a clock they have in common.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec


class Bucket(msgspec.Struct):
    """Calls of one bucket.

    `ended`: when each call that still counts was over, in order. `under_way`: number of a call that is not → when it
    left, and from when on it counts as over even if nobody says so.
    `windows`: pairs of calls and seconds that were learnt, in place of the configured ones; those of a smaller plan,
    which took over after call `stepped_at`, until `step_until`. `paused_until`: no call before. `next_number` is never
    used twice.
    """

    ended: list[float] = msgspec.field(default_factory=list)
    under_way: dict[int, tuple[float, float]] = msgspec.field(default_factory=dict)
    windows: tuple[tuple[int, int], ...] | None = None
    paused_until: float = 0.0
    next_number: int = 0
    stepped_at: int = 0
    step_until: float = 0.0


Buckets = dict[str, Bucket]


class CallLog(Protocol):
    """The buckets of one credential, for one holder at a time. `is_remote`: to ask it costs a way over the network."""

    is_remote: bool

    def clock(self) -> float:
        """The time by which calls are noted, in seconds; to be asked while the buckets are held."""
        ...

    def held(self) -> AbstractContextManager[Buckets]:
        """The buckets; what is changed in the block is kept."""
        ...


class CallLogs(Protocol):
    """A place where the logs of credentials are kept."""

    def log(self, name: str) -> CallLog:
        """The log of a credential, by a name that gives nothing of it away."""
        ...


class MemoryLog:
    """The buckets of a credential that only this process uses. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.is_remote = False
        self._buckets: Buckets = {}
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[Buckets]:
        """The buckets."""
        with self._lock:
            yield self._buckets


class SharedLog:
    """The buckets of a credential in a file (mode 0600), one holder at a time among all processes of the machine.

    A holder keeps it for microseconds. What a dead process left half written is forgotten: calls are then counted anew,
    and the system's own 429 is what remains.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.is_remote = False
        self._path = path
        self._thread = threading.Lock()  # a lock on a file is one process's, not one thread's

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:  # somebody moved the home away while we ran
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, flags, 0o600)

    @contextmanager
    def held(self) -> Iterator[Buckets]:
        """The buckets.

        Raises:
            OSError: the file cannot be opened, read or written.
        """
        with self._thread:
            # Opened anew each time: a file that was moved away meanwhile must not be written on unseen.
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                buckets = decoded(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
                yield buckets
                # Only when the block ended well: what an error left half changed is not kept.
                content = encoded(buckets)
                # In place, not by a new file: the lock is on this one, and others wait for it.
                os.pwrite(descriptor, content, 0)
                os.ftruncate(descriptor, len(content))
            finally:
                # Gives the lock back as well, as the end of the process would.
                os.close(descriptor)


@dataclass(frozen=True)
class FileLogs:
    """The logs of calls in files of a directory, for the processes of one machine."""

    directory: Path

    def log(self, name: str) -> CallLog:
        """The log of a credential, by a name that gives nothing of it away.

        Raises:
            OSError: the directory cannot be made.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SharedLog(self.directory / name)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Buckets)


def encoded(buckets: Buckets) -> bytes:
    """The buckets as they are kept."""
    return _ENCODER.encode(buckets)


def decoded(content: bytes) -> Buckets:
    """The buckets that were kept; none where nothing was, or what no version of ours has written."""
    try:
        return _DECODER.decode(content) if content else {}
    except msgspec.MsgspecError:
        return {}
