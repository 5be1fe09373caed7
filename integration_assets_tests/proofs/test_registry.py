"""The registry and its command: names choose, what fails shows, what is left out is said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from integration_assets_tests.proofs import __main__ as command
from integration_assets_tests.proofs import running
from integration_assets_tests.proofs.faults.case_runs import cases
from integration_assets_tests.proofs.faults.table import GROUPS, markdown
from integration_assets_tests.proofs.mutations import table
from integration_assets_tests.proofs.registry import (
    BY_NAME_ONLY,
    KINDS,
    PROOFS,
    Proof,
    Row,
    Scale,
    choose,
    counted,
    left_out,
    load,
    register,
    root,
)
from integration_assets_tests.proofs.running import BrokenError, Job, run_all, run_one


@pytest.fixture(scope="module", autouse=True)
def everything() -> None:
    load()


def names(*asked: str, small: bool = False) -> list[str]:
    return [one.name for one in choose(asked, (), small=small)]


def test_every_kind_has_proofs_and_each_says_what_it_proves() -> None:
    """A module is registered by being there; none reports without a sentence."""
    assert {one.kind for one in PROOFS.values()} == set(KINDS)
    assert [one.name for one in PROOFS.values() if len(one.proves.split()) < 2] == []


def test_names_kinds_and_patterns_choose() -> None:
    """Faults come in the order of their numbers; without a name, all but what takes hours."""
    assert names("F1", "vault") == ["F1", "vault"]
    assert names("B*")[:3] == ["B1", "B2", "B3"]
    assert names("A10", "A2") == ["A2", "A10"]
    assert set(names("security")) == {one.name for one in PROOFS.values() if one.kind == "security"}
    assert {one.kind for one in choose((), ())} == set(KINDS) - BY_NAME_ONLY
    assert {one.kind for one in choose((), ("mutations",))} == {"mutations"}
    with pytest.raises(LookupError, match="no proof is called nonsense: --list shows what there is"):
        names("vault", "nonsense")


def test_the_small_form_has_every_kind_and_every_group_of_faults() -> None:
    """It is smaller than the whole, and every row of what it leaves out is said."""
    small, whole = choose((), (), small=True), choose((), ())
    assert {one.kind for one in small} == set(KINDS) - BY_NAME_ONLY
    assert {one.name[0] for one in small if one.name in cases()} == GROUPS.keys()
    assert all(one.small <= one.whole for one in whole)
    said = "\n".join(left_out(whole))
    assert "left out: 40 of 60 kills (kills)" in said
    for one in whole:
        if one.kind != "faults" and not one.small:
            assert one.name in said


def test_the_documentation_has_the_table_of_faults() -> None:
    """Groups, numbers and examples are those of the registry, and every fault is in a group."""
    assert "\n".join(markdown()) in (root() / "docs" / "development" / "faults.md").read_text(encoding="utf-8")
    assert {fault_id[0] for fault_id in cases()} == GROUPS.keys()


def test_what_the_documentation_tells_people_to_run_is_there() -> None:
    """Every name behind `NAMES=` chooses a proof or a benchmark, and every target of `make` is in the Makefile."""
    pages = [root() / "README.md", root() / "CONTRIBUTING.md", *(root() / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    targets = set(re.findall(r"^([a-z]+):", (root() / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
    # A cell that names the command once goes on with `NAMES=` alone, which is then one of the proofs.
    named: dict[str, set[str]] = {"make bench ": set(), "": set()}
    for of, words in re.findall(r'(make bench )?NAMES=("[^"]+"|[^\s`]+)', text):
        named[of].update(words.strip('"').split())
    assert "faults" in named[""]
    assert choose(sorted(named[""] - {"--list"}), ())
    assert named["make bench "]
    assert named["make bench "] <= set(benchmarks.NAMES)


def test_a_name_is_given_once() -> None:
    """Neither a second proof nor a kind can be meant by it."""
    for name in ("vault", "faults"):
        with pytest.raises(ValueError, match=f"the name {name} is taken"):
            register(Proof(name, "security", "It is taken.", lambda _scale: [], __name__))


def test_a_proof_that_raises_or_reports_nothing_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its row says why, and what it reported before stays."""
    monkeypatch.setattr(running, "PROOFS", made := {})

    def broken(_scale: Scale) -> Iterator[Row]:
        yield Row("first", "1", "1", held=True)
        raise BrokenError("the second is not there")

    def wrong(_scale: Scale) -> Iterator[Row]:
        yield counted("never", 1 // 0, 1)

    for name, run in (("broken", broken), ("wrong", wrong), ("silent", lambda _scale: ())):
        made[name] = Proof(name, "figures", f"{name} is shown.", run, __name__)
    found = {name: run_one(Job(name, __name__, Scale(1))) for name in made}
    assert [(row.measured, row.held) for row in found["broken"]] == [("1", True), ("the second is not there", False)]
    assert [(row.measured.partition(" at ")[0], row.held) for row in found["wrong"]] == [("ZeroDivisionError", False)]
    assert [(row.measured, row.held) for row in found["silent"]] == [("it reported nothing", False)]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_process_that_dies_leaves_a_row_that_does_not_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is neither left out nor taken for proven, and what runs in other processes goes on."""
    (tmp_path / "dying_proof.py").write_text("import os\nos._exit(9)\n")
    monkeypatch.syspath_prepend(tmp_path)
    dying = Proof("dying", "figures", "It is shown.", lambda _scale: [], "dying_proof")
    alone = replace(PROOFS["logins"], alone=True)
    found = [(one.name, rows[0].held) for one, rows in run_all([dying, alone], [Scale(1), Scale(1)], jobs=1)]
    assert found == [("dying", False), ("logins", True)]


def test_nothing_tried_proves_nothing() -> None:
    """None of none is no success."""
    assert [counted("a", good, of).held for good, of in ((2, 2), (1, 2), (0, 0))] == [True, False, False]


@pytest.mark.parametrize(("held", "code", "word"), [(True, 0, "held"), (False, 1, "MISSED"), (None, 1, "NOT MEASURED")])
def test_the_command_ends_with_1_where_a_goal_is_not_met(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    held: bool | None,
    code: int,
    word: str,
) -> None:
    """A row, the totals of its kind and the JSON file say the same."""

    def measured(
        proofs: list[Proof], scales: list[Scale], _jobs: int, *, small: bool
    ) -> Iterator[tuple[Proof, list[Row]]]:
        assert ([one.count for one in scales], small) == ([PROOFS["vault"].whole], False)
        yield proofs[0], [Row("swaps noticed", "6/9", "9/9", held, seconds=1.25)]

    monkeypatch.setattr(command, "run_all", measured)
    assert command.main(["vault", "--json", str(tmp_path / "rows.json")]) == code
    printed = capsys.readouterr().out
    assert f"{word:<12} vault" in printed
    assert "swaps noticed: 6/9 · goal 9/9 · 1.2 s" in printed
    assert f"security: {int(held is True)}/1 held" in printed
    [row] = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert (row["proof"], row["kind"], row["held"]) == ("vault", "security", held)


def test_the_list_says_what_would_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Every proof that is chosen, how many are tried, and nothing is run."""
    assert command.main(["--list", "histories", "E2"]) == 0
    listed = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert listed.keys() == {*names("histories"), "E2"}
    assert "5,000 histories in which nothing breaks, small form: 250" in listed["calm"]


@pytest.mark.parametrize(
    ("arguments", "said"), [(["nonsense"], "no proof is called nonsense"), (["--small", "delay"], "no small form")]
)
def test_what_cannot_be_run_is_a_usage_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that runs nothing is no success."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_what_is_tried_in_numbers_has_a_unit() -> None:
    """So that what the small form leaves out can be said."""
    assert [one.name for one in PROOFS.values() if one.whole > 1 and not one.unit] == []


def test_the_tests_of_every_module_that_is_mutated_are_there() -> None:
    """A module that was moved takes its tests with it: a mutant that no test is run over would live in silence."""
    by_module = {path: table.tests_of(path) for package in table.PACKAGES for path in table.modules(package)}
    assert by_module
    assert [name for tests in by_module.values() for name in tests if not Path(name).exists()] == []
    assert [name for name in table.BY_MODULE if not (table.SOURCE / f"{name}.py").exists()] == []
