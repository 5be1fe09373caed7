"""Damaged bodies that end a read or write in anything but records, rejections or one of our errors."""

from __future__ import annotations

import time
from collections.abc import Iterator

from integration_assets_tests.proofs.fuzzing.fuzz import SUBJECTS, fuzz
from integration_assets_tests.proofs.registry import Row, Scale, proof

SHOWN = 5


@proof(
    "fuzz",
    "fuzzing",
    "A damaged answer ends in records, in rejections or in an error of ours, and never short in silence.",
    whole=100_000,
    small=2_000,
    unit="damaged bodies of each connector",
)
def measure(scale: Scale) -> Iterator[Row]:
    """One figure per connector."""
    for connector in SUBJECTS:
        started = time.process_time()
        report = fuzz(connector, scale.count, scale.seed)
        spent = time.process_time() - started
        used = report.endings["records"] + report.endings["rejected"]
        wrong = f"; {'; '.join(report.wrong[:SHOWN])}" if report.wrong else ""
        yield Row(
            f"fuzzed bodies, {connector}: unhandled or silently short",
            f"{len(report.wrong)} of {report.endings.total():,} ({used:,} used, the rest refused by name; "
            f"{spent:.0f} s of processor time){wrong}",
            "0",
            not report.wrong and report.endings.total() == scale.count,
        )
