"""Published files that stay open between pages: opening one takes twenty milliseconds, and reading from it two.

With each file are kept the pages that were made of it, since a reader's next page is often somebody's last one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import duckdb

from integration_assets.config import Settings
from integration_assets.reporting.published import another_reader, open_published
from integration_assets.staging.publishing import published_path

MOST_OPEN = 8
"""Files that stay open at most, the latest read: each is a database of its own, with threads and memory."""
MOST_PAGES_BYTES = 8_000_000
"""Of the pages kept with one file, the latest read: some two hundred rankings of fifty requests."""
T = TypeVar("T")
Version = tuple[int, int, int]
"""Inode, time of the last change and size: a run puts a new file in the place of the last one."""


@dataclass
class _OpenFile:
    version: Version | None
    connection: duckdb.DuckDBPyConnection
    closing: ExitStack
    readers: int = 0
    is_left: bool = False
    """True if nobody else is to read from it."""
    kept: dict[str, object] = field(default_factory=dict)
    """What was found out from it and holds as long as it: it is never written to."""
    pages: OrderedDict[Hashable, bytes] = field(default_factory=OrderedDict)
    pages_bytes: int = 0

    def keep_page(self, key: Hashable, content: bytes) -> None:
        self.pages_bytes += len(content) - len(self.pages.pop(key, b""))
        self.pages[key] = content
        while self.pages_bytes > MOST_PAGES_BYTES:
            _, oldest = self.pages.popitem(last=False)
            self.pages_bytes -= len(oldest)


class OpenFiles:
    """The published files of one application, each in the version that lies there now. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[Path, _OpenFile] = OrderedDict()
        self._by_reader: dict[int, _OpenFile] = {}

    @contextmanager
    def reading(self, settings: Settings, tenant: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of one's own to what is published for a tenant now.

        Raises:
            As `open_published`.
        """
        path = published_path(settings.home, settings.environment, tenant)
        # Only while it is opened: whoever waits here would otherwise open the same file once more.
        with self._lock:
            file = self._opened(path, settings, tenant)
            file.readers += 1
        try:
            with another_reader(file.connection) as reader:
                self._by_reader[id(reader)] = file
                try:
                    yield reader
                finally:
                    del self._by_reader[id(reader)]
        finally:
            with self._lock:
                file.readers -= 1
                self._close_if_done(file)

    def kept(
        self,
        reader: duckdb.DuckDBPyConnection,
        name: str,
        make: Callable[[], T],
        *,
        holds: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """Give what was made of the file before under this name, else what `make` makes of it now.

        It is kept for later readers of the same version where it `holds`. `reader` is the connection that `reading`
        gave.
        """
        file = self._by_reader[id(reader)]
        if name in file.kept:
            return cast("T", file.kept[name])
        found = make()
        if holds(found):
            file.kept[name] = found
        return found

    def kept_page(self, path: Path, key: Hashable) -> tuple[Version | None, bytes | None]:
        """The version of a file that lies there now, and the page of this key that was kept with it."""
        version = _version(path)
        with self._lock:
            file = self._files.get(path)
            if file is None or file.version != version or key not in file.pages:
                return version, None
            self._files.move_to_end(path)
            file.pages.move_to_end(key)
            return version, file.pages[key]

    def keep_page(self, path: Path, version: Version | None, key: Hashable, content: bytes) -> None:
        """Keep a page that was made of this version of a file, for as long as the file stays open."""
        with self._lock:
            file = self._files.get(path)
            # Another one has taken its place meanwhile, and a page half of each would be shown as one of it.
            if file is not None and file.version == version == _version(path):
                file.keep_page(key, content)

    def forget(self, path: Path) -> None:
        """Close a file that is gone, so that nothing of it is kept; pages under way end with what they have."""
        with self._lock:
            self._leave(path)

    def close_gone(self) -> None:
        """Close files that are gone, as a tenant that was removed takes its own along: asked with every request."""
        # Never waited for, since it is asked in the event loop: the next request asks again.
        if not self._lock.acquire(blocking=False):
            return
        try:
            for path in [path for path in self._files if _version(path) is None]:
                self._leave(path)
        finally:
            self._lock.release()

    def _opened(self, path: Path, settings: Settings, tenant: str) -> _OpenFile:
        # Before it is opened: a file that takes its place meanwhile counts as newer at the next page.
        version = _version(path)
        found = self._files.get(path)
        if found is None or found.version != version:
            self._leave(path)
            with ExitStack() as opening:
                connection = opening.enter_context(open_published(settings, tenant))
                self._files[path] = found = _OpenFile(version, connection, opening.pop_all())
        self._files.move_to_end(path)
        while len(self._files) > MOST_OPEN:
            self._leave(next(iter(self._files)))
        return found

    def _leave(self, path: Path) -> None:
        if file := self._files.pop(path, None):
            file.is_left = True
            self._close_if_done(file)

    def _close_if_done(self, file: _OpenFile) -> None:
        # With the first connection DuckDB closes all that were made of it.
        if file.is_left and not file.readers:
            file.closing.close()


def _version(path: Path) -> Version | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
