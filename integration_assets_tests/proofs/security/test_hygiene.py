"""Hygiene: what could not be looked up is no clean result, and a suppression needs a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from integration_assets_tests.proofs.security import hygiene


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
        assert hygiene.of_tool("pip-audit", found).held is None
    assert hygiene.of_tool("pip-audit", hygiene.Found(0)).held
    assert hygiene.of_tool("pip-audit", hygiene.Found(1)).held is False


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
    assert not hygiene.of_suppressions(list(found.values()), 0).held
    assert hygiene.of_suppressions([found["some.py:1"]], 0).held


def test_what_tools_find_here_is_nothing() -> None:
    """The quick ones of them; the rest is in `make lint` and `make proofs NAMES=hygiene`."""
    assert (hygiene.zizmor().findings, hygiene.ruff().findings, hygiene.bandit().findings) == (0, 0, 0)
