"""The figures: each module is found, reads well, and the quick ones meet their goals."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from integration_assets_tests.proofs.figures import deadline, delay, hygiene, memory
from integration_assets_tests.proofs.figures.base import Figure, known, line
from integration_assets_tests.support.waiting import PATIENCE_SECONDS


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


def test_what_could_not_be_measured_is_neither_met_nor_missed() -> None:
    """It says so, in words of its own."""
    assert " · NOT MEASURED · " in line(Figure("duplicates", "not available", "0", met=None), 42)


def test_a_name_that_is_no_figure_is_a_usage_error() -> None:
    """The command says which there are."""
    ran = subprocess.run(
        [sys.executable, "-m", "integration_assets_tests.proofs.figures", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert ran.returncode == 2
    assert "no figure is called nonsense; there are" in ran.stderr


def test_no_way_to_hold_a_call_outlasts_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each goes on for ever, and the deadline ends each; by how much it is outlasted is a figure."""
    monkeypatch.setattr(deadline, "DEADLINE", 1.5)

    async def all_at_once() -> dict[str, str]:
        ended = await asyncio.gather(*(deadline.held(behaviour) for behaviour in deadline.HOLDS.values()))
        return {name: message for name, (_, message) in zip(deadline.HOLDS, ended, strict=True)}

    said = asyncio.run(all_at_once())
    assert [
        name for name, message in said.items() if not message.endswith("gave no complete answer within 1.5 s")
    ] == []


@pytest.mark.parametrize("name", ["gzip of 210 MB", "30 MB of empty objects", "a body without end"])
def test_a_bomb_takes_little_memory(name: str) -> None:
    """Beyond what the process had before, including what the sender of the bomb holds."""
    assert memory.growth(name) <= memory.MOST_MEGABYTES


def took(seconds: float, queued: float = 0.0) -> delay.Took:
    return delay.Took(seconds, queued)


def test_a_delay_is_the_median_of_the_rounds_without_the_wait_for_a_processor() -> None:
    """One slow round is no delay, nor is a busy machine; a run that waits for another tenant's is."""
    calm = dict.fromkeys(delay.TROUBLES, took(10.4))
    noisy = dict.fromkeys(delay.TROUBLES, took(30.0, queued=19.6))
    slow = dict.fromkeys(delay.TROUBLES, took(90.0))
    alone = {delay.ALONE: took(10.0)}
    assert delay.figure([calm | alone, noisy | alone, slow | alone]).met
    hindered = dict.fromkeys(delay.TROUBLES, took(11.5))
    found = delay.figure([hindered | alone, hindered | alone, calm | alone])
    assert not found.met
    assert found.result.startswith("+15.0% at the most")


def report(*packages: Mapping[str, object]) -> str:
    return json.dumps({"dependencies": packages})


def test_an_audit_that_could_look_up_nothing_is_no_clean_one() -> None:
    """Neither no answer, nor a package that the service does not know; a vulnerability counts even so."""
    sound = {"name": "a", "version": "1", "vulns": []}
    unknown = {"name": "b", "skip_reason": "not found"}
    weak = {"name": "c", "version": "1", "vulns": [{"id": "PYSEC-1"}]}
    assert hygiene.vulnerabilities(report(sound)).findings == 0
    assert hygiene.vulnerabilities(report(sound, weak)).findings == 1
    assert hygiene.vulnerabilities(report(unknown, weak)).findings == 1
    for nothing in (report(sound, unknown), ""):
        found = hygiene.vulnerabilities(nothing)
        assert found.findings is None
        assert found.words.startswith("not available: ")
        assert hygiene.of_tool("pip-audit", found).met is None
    assert hygiene.of_tool("pip-audit", hygiene.Found(0)).met
    assert hygiene.of_tool("pip-audit", hygiene.Found(1)).met is False


def test_suppressions_are_counted_by_place_and_need_a_reason(tmp_path: Path) -> None:
    """A text that only looks like a comment is none, nor is one for a rule that has nothing to do with security."""
    file = tmp_path / "some.py"
    file.write_text(
        "a = 1  # noqa: S311  # nosec B311  # repeatable, not secret\n"
        "b = 2  # type: ignore[assignment]\n"
        "c = 3  # noqa: E501 - long\n"
        "d = '# noqa: S105'\n"
        "e = 4  # noqa: PLC0415, S603\n"
    )
    found = {one.where: one for one in hygiene.suppressions([file])}
    assert {where: one.reasoned for where, one in found.items()} == {
        "some.py:1": True, "some.py:2": False, "some.py:5": False,
    }  # fmt: skip
    assert found["some.py:1"].tools == {"ruff S", "bandit"}
    assert not hygiene.of_suppressions(list(found.values()), 0).met
    assert hygiene.of_suppressions([found["some.py:1"]], 0).met


def test_what_tools_find_here_is_nothing() -> None:
    """The quick ones of them; the rest is in `make lint` and `make figures`."""
    assert (hygiene.zizmor().findings, hygiene.ruff().findings, hygiene.bandit().findings) == (0, 0, 0)
