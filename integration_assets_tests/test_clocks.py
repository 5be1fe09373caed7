"""No test is about how fast a machine is: speed stands in `make bench` and `make proofs`, deadlines wait patiently."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CLOCKS = frozenset({"monotonic", "perf_counter", "process_time", "thread_time", "time"})
"""Functions of the module `time`, each also with the ending `_ns`."""
MEASURED = (
    "proofs/figures",
    "proofs/fuzzing/fuzz.py",
    "proofs/fuzzing/tables.py",
    "proofs/kills/kills.py",
    "proofs/security/login_times.py",
)
"""What is measured, printed beside its goal, and part of no test."""
READ = {
    "ingest/conftest.py": "the product wants to know when a run began",
    "support/fault_points.py": "how long a place takes, so that a death can be put into the middle of it",
    "proofs/kills/kill_scenarios.py": "shown by a figure",
    "proofs/faults/local_resources.py": "a server's own clock, which is wrong",
    "proofs/faults/proxy.py": "the order of requests",
    "proofs/faults/transport.py": "a date in a header",
    "proofs/__main__.py": "printed",
    "proofs/mutations/survivors.py": "a mutant that hangs is given up",
    "proofs/running.py": "printed",
    "proofs/scale/celery_load.py": "the same on Celery, and Dagster's times on the clock of the others",
    "proofs/scale/cluster.py": "a Redis that does not come up is given up",
    "proofs/scale/fleet.py": "what a load takes is printed; workers that hang are given up",
    "proofs/scale/worker.py": "when its runs began and ended, for others to read",
    "proofs/soak/soak.py": "processor seconds, which are printed",
    "support/waiting.py": "the one place that waits for a condition",
}
"""Files that may look at a clock, and why; their assertions may not either."""


def imported_clocks(tree: ast.AST) -> frozenset[str]:
    """Names under which functions of the module `time` that read a clock are imported by themselves."""
    return frozenset(
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
        if alias.name.removesuffix("_ns") in CLOCKS
    )


def clock_reads(tree: ast.AST, imported: frozenset[str]) -> set[int]:
    """Lines that read a clock of the module `time`."""
    return {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in imported)
            or (
                isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "time"
                and node.func.attr.removesuffix("_ns") in CLOCKS
            )
        )
    }


def timed_assertions(tree: ast.AST) -> set[int]:
    """Lines of assertions on a clock, or on what was calculated from one in the same function."""
    found: set[int] = set()
    imported = imported_clocks(tree)

    def is_timed(node: ast.AST | None) -> bool:
        if node is None:
            return False
        read = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
        return bool(clock_reads(node, imported) or read & timed)

    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        timed: set[str] = set()
        for _ in range(2):  # a name may be made of one that is made further down, in a loop
            for node in ast.walk(scope):
                if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr) and is_timed(
                    node.value
                ):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    timed |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        found |= {
            node.lineno
            for node in ast.walk(scope)
            if (isinstance(node, ast.Assert) and is_timed(node.test))
            or (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "require"
                and is_timed(node.args[0])
            )
        }
    return found


@cache
def _trees() -> dict[str, ast.Module]:
    texts = {str(path.relative_to(TESTS)): path.read_text() for path in sorted(TESTS.rglob("*.py"))}
    return {
        name: ast.parse(text)
        for name, text in texts.items()
        if not name.startswith(MEASURED) and ("import time" in text or "from time" in text)
    }


def test_no_test_reads_a_clock() -> None:
    """But for the files that say why: `waiting.until` waits, and what has a deadline is given a clock."""
    readers = {name for name, tree in _trees().items() if clock_reads(tree, imported_clocks(tree))}
    assert readers == set(READ)


def test_no_assertion_is_about_a_clock() -> None:
    """Count calls, rows or statements instead; a figure with a goal belongs to `make bench`."""
    trees = _trees()
    assert {name: lines for name in READ if (lines := timed_assertions(trees[name]))} == {}


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    began = time.monotonic()\n    work()\n    assert time.monotonic() - began < 2",
        "def f():\n    began = time.perf_counter_ns()\n    spent = 1 - began\n    assert spent < 2",
        "async def f():\n    end = time.time() + 3\n    require(now() < end, 'late')",
        "from time import process_time as used\nassert used() < 5",
        "def f():\n    took, other = time.thread_time() - 1, 2\n    most = took * 2\n    assert most < other",
    ],
)
def test_the_guard_sees_what_it_is_for(code: str) -> None:
    """A clock in an assertion, through names and other spellings."""
    tree = ast.parse(code)
    assert clock_reads(tree, imported_clocks(tree))
    assert timed_assertions(tree) == {len(code.splitlines())}


def test_the_guard_lets_pass_what_it_is_not_for() -> None:
    """Sleeping, a clock that is only printed, and seconds that the product calculates."""
    code = "def f():\n    began = time.monotonic()\n    time.sleep(0)\n    print(began)\n    assert run().seconds == 61"
    assert timed_assertions(ast.parse(code)) == set()
