"""`serve` without a registry as a process of its own, on a terminal."""

from __future__ import annotations

import codecs
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from integration_assets_tests.support.processes import clean_environment
from integration_assets_tests.support.waiting import PATIENCE_SECONDS, until


@contextmanager
def serving_locally(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str, list[str]]]:
    """Its origin, the path of its link, and what the terminal shows, which grows until the block has ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "integration_assets.cli", "serve", "--port", str(port)],
        env=clean_environment({"COLUMNS": "200", **environment}),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    said: list[str] = []

    def link() -> re.Match[str] | None:
        assert process.poll() is None, said
        return re.search(r"open (http://127\.0\.0\.1:\d+)(/open#\S+)", "".join(said))

    def is_up() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    # All the time: a process whose terminal nobody reads stands still once a few lines of its log fill it.
    reading = threading.Thread(target=_read, args=(ours, said), daemon=True)
    reading.start()
    try:
        until(lambda: link() is not None, "the link")
        until(is_up, "the pages")
        found = link()
        assert found is not None
        yield found[1], found[2], said
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        reading.join(PATIENCE_SECONDS)
        os.close(ours)


def _read(terminal: int, said: list[str]) -> None:
    """Add what is shown, until nobody has the other end open any more."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    # Linux says so by an error.
    with suppress(OSError):
        while shown := os.read(terminal, 65_536):
            said.append(decoder.decode(shown))
