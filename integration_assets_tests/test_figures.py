"""The figures: each module is found, reads well, and the quick ones meet their goals."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import pytest

from integration_assets_tests.figures import deadline, memory
from integration_assets_tests.figures.base import Figure, known, line


def test_every_figure_is_found_by_its_name() -> None:
    """A module in the folder is a figure; helpers are not."""
    assert {"paging", "fuzz", "deadline", "memory"} <= known().keys()
    assert "base" not in known()


def test_a_figure_is_one_line_that_can_be_made_again() -> None:
    """Name, result, goal, whether it is met, seed and versions."""
    text = line(Figure("duplicates", "1 of 9", "0", met=False), 42)
    assert re.fullmatch(
        r"duplicates: 1 of 9 · goal 0 · NOT MET · seed 42 · Python 3\.\d+\.\d+, integration-assets .*, duckdb .*", text
    )


def test_a_name_that_is_no_figure_is_a_usage_error() -> None:
    """The command says which there are."""
    ran = subprocess.run(
        [sys.executable, "-m", "integration_assets_tests.figures", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 2
    assert "no figure is called nonsense; there are" in ran.stderr


@pytest.mark.parametrize("name", sorted(deadline.HOLDS))
def test_no_way_to_hold_a_call_outlasts_its_deadline(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a second may last three quarters."""
    monkeypatch.setattr(deadline, "DEADLINE", 0.25)
    assert 0.2 < asyncio.run(deadline.held(deadline.HOLDS[name])) < 0.25 + deadline.MOST_OVERRUN


@pytest.mark.parametrize("name", ["gzip of 210 MB", "30 MB of empty objects", "a body without end"])
def test_a_bomb_takes_little_memory(name: str) -> None:
    """Beyond what the process had before, including what the sender of the bomb holds."""
    assert memory.growth(name) <= memory.MOST_MEGABYTES
