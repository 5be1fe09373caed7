"""How large the proofs are: whole by `make proofs`, in a small form of every kind in CI.

`python -m integration_assets_tests.support.sizes` says what the small form leaves out. The environment
variable of `SIZE` chooses; a test of its own holds that no kind is left out altogether.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

SIZE = "INTEGRATION_ASSETS_TEST_SIZE"
"""`small`, or anything else for whole."""


class Size(NamedTuple):
    """How many of a kind there are, and how many the small form takes."""

    whole: int
    small: int
    what: str


SIZES = {
    "faults": Size(101, 36, "faults, every third of each group"),
    "kills": Size(60, 20, "kills of a run, with what the next one makes of it"),
    "histories": Size(6_000, 1_200, "random histories of people, source and CRM"),
}


def size(kind: str) -> int:
    """How many of a kind are to be tried."""
    chosen = SIZES[kind]
    return chosen.small if is_small() else chosen.whole


def is_small() -> bool:
    """Whether the small form was asked for."""
    return os.environ.get(SIZE) == "small"


def main() -> None:
    """Say what the small form leaves out."""
    for one in SIZES.values():
        sys.stdout.write(f"left out: {one.whole - one.small:,} of {one.whole:,} {one.what}\n")
    sys.stdout.write("left out: the day of the real Dagster daemon (e2e/test_automation.py), nine minutes long\n")
    sys.stdout.write("all of them: make proofs\n")


if __name__ == "__main__":
    main()
