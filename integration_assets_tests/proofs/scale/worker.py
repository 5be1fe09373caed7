"""One worker: it syncs tenants, each by a process of the command line, until all of them are done.

`python -m integration_assets_tests.proofs.scale.worker NUMBER FOLDER SEED TENANT...`. Each worker walks the list in an
order of its own and knows nothing of the others but which tenants are done, from empty files in FOLDER: that two of
them begin the same tenant is left to the run lock to refuse.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

DONE = ".done"
PAUSE_SECONDS = 1.0
"""Rest after a run that did not end with 0."""


class Try(msgspec.Struct, frozen=True):
    """One run of one tenant: by whom, how it ended, when by the clock of the machine, and its memory in bytes at most.

    `code` None: the worker ended before the run did.
    """

    worker: int
    tenant: str
    began: float
    ended: float = 0.0
    code: int | None = None
    memory: int = 0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


def tries_of(folder: Path) -> list[Try]:
    """What all workers have noted, in the order in which they began."""
    lines = [line for file in folder.glob("worker-*.jsonl") for line in file.read_bytes().splitlines()]
    found: dict[tuple[int, float], Try] = {}
    for line in lines:
        one = msgspec.json.decode(line, type=Try)
        found[one.worker, one.began] = one
    return sorted(found.values(), key=lambda one: one.began)


def work(number: int, folder: Path, seed: int, tenants: Sequence[str]) -> None:
    """Walk the list until every tenant is done, or nobody waits for it any more."""
    parent = os.getppid()
    order = random.Random(f"{seed}/{number}").sample(tenants, len(tenants))
    while left := [tenant for tenant in order if not _done(folder, tenant)]:
        for tenant in left:
            # Alone in a session, a worker would outlive an interrupted load test.
            if os.getppid() != parent:
                return
            if not _done(folder, tenant) and _run(number, folder, tenant) != 0:
                time.sleep(PAUSE_SECONDS)


def _done(folder: Path, tenant: str) -> bool:
    return (folder / f"{tenant}{DONE}").exists()


def _run(number: int, folder: Path, tenant: str) -> int:
    began = time.monotonic()
    _note(folder, Try(number, tenant, began))
    with (folder / f"worker-{number}.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "integration_assets.cli", "sync", "--tenant", tenant],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        (folder / f"{tenant}{DONE}").touch()
    _note(folder, Try(number, tenant, began, time.monotonic(), code, used.ru_maxrss * 1024))
    return code


def _note(folder: Path, one: Try) -> None:
    with (folder / f"worker-{one.worker}.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(one) + b"\n")


if __name__ == "__main__":
    work(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
