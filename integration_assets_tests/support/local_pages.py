"""`serve` without a registry as a process of its own, on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
        _read(ours, said)
        return re.search(r"open (http://127\.0\.0\.1:\d+)(/open\?token=\S+)", "".join(said))

    def is_up() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(lambda: link() is not None, "the link")
        until(is_up, "the pages")
        found = link()
        assert found is not None
        yield found[1], found[2], said
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
        while _read(ours, said):
            pass
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal: int, said: list[str]) -> bool:
    """Add what has been shown since; False if there is nothing."""
    if not select.select([terminal], [], [], 0)[0]:
        return False
    try:
        text = os.read(terminal, 65_536).decode()
    except OSError:  # Linux says so when nobody has the other end open any more
        return False
    said.append(text)
    return bool(text)
