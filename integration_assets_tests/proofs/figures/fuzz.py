"""Damaged bodies that end a read or write in anything but records, rejections or one of our errors."""

from __future__ import annotations

import time
from collections.abc import Iterator

from integration_assets_tests.proofs.figures.base import Figure
from integration_assets_tests.proofs.fuzzing.fuzz import SUBJECTS, fuzz

BODIES = 100_000
SHOWN = 5


def measure(seed: int) -> Iterator[Figure]:
    """One figure per connector."""
    for connector in SUBJECTS:
        started = time.process_time()
        report = fuzz(connector, BODIES, seed)
        spent = time.process_time() - started
        used = report.endings["records"] + report.endings["rejected"]
        wrong = f"; {'; '.join(report.wrong[:SHOWN])}" if report.wrong else ""
        yield Figure(
            f"fuzzed bodies, {connector}: unhandled or silently short",
            f"{len(report.wrong)} of {report.endings.total():,} ({used:,} used, the rest refused by name; "
            f"{spent:.0f} s of processor time){wrong}",
            "0",
            not report.wrong and report.endings.total() == BODIES,
        )
