"""Chance that repeats itself, and credentials that open nothing but a look-alike on loopback."""

from __future__ import annotations

import random


def repeatable(seed: int | str) -> random.Random:
    """A source of chance that gives the same for the same seed: for sample data, never for secrets."""
    return random.Random(seed)  # noqa: S311  # nosec B311  # sample data has to be the same every time


def credential(name: str) -> str:
    """A credential of a look-alike, long enough to pass for one."""
    return f"{name}-0123456789"
