"""Try a sample of mutants of the core, and show which the tests let live.

A mutant is tried in a process of its own, forked from this one once the libraries are loaded: the mutated module is
imported in place of the file's text, so that no file changes and nothing else on the machine notices.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest

from integration_assets_tests.proofs.mutations.mutants import Mutant, sample
from integration_assets_tests.proofs.mutations.table import PACKAGES, ROOT, tests_of
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.proofs.running import BrokenError

GOAL = 0.9
TOOL = Path(sys.prefix) / "mutation-tool"
"""Where cosmic-ray is installed, apart from the locked packages."""
PATIENCE_SECONDS = 900.0
"""A mutant that loops for ever is killed after this; no unmutated module needs a tenth of it."""

LIBRARIES = ("duckdb", "pyarrow", "pytz", "httpx", "tldextract", "pydantic_settings", "msgspec", "starlette")

Outcome = Literal["killed", "survived", "timeout"]


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text that is not its file's."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.name = ".".join(mutant.module.relative_to(ROOT).with_suffix("").parts)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.mutant.module, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.code, str(self.mutant.module), "exec"), module.__dict__)


def _run_tests(mutant: Mutant | None, tests: list[str], output: int) -> int:
    """Pytest's exit code, in this process."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    if mutant is not None:
        sys.meta_path.insert(0, _Mutated(mutant))
    options = ["-n", "0", "-x", "--no-header", "-p", "no:cacheprovider", "-m", "not proof"]
    # Some of the libraries are plugins of pytest as well, and their assertions no business of ours.
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*options, *quiet, *tests]))


def try_mutant(mutant: Mutant | None, tests: list[str]) -> tuple[Outcome, str]:
    """Fork, run the tests over a mutant (none: the code as it is), and tell how it ended and the end of the output."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = _run_tests(mutant, tests, output.fileno())
            except BaseException:  # noqa: BLE001 - the process ends here whatever it was
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)  # nothing of the parent is closed twice
        give_up = time.monotonic() + PATIENCE_SECONDS
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > give_up:
                os.kill(child, 9)
                os.waitpid(child, 0)
                return "timeout", ""
            time.sleep(0.05)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return ("survived" if ended[1] == 0 else "killed"), text[-2000:]


def _diff(mutant: Mutant) -> str:
    name = str(mutant.module.relative_to(ROOT))
    before, after = mutant.module.read_text().splitlines(), mutant.code.splitlines()
    return "\n".join(difflib.unified_diff(before, after, name, name, lineterm="", n=2))


def _tried(mutants: list[Mutant], jobs: int) -> Iterator[tuple[Mutant, Outcome]]:
    with ThreadPoolExecutor(jobs) as pool:
        for mutant, (outcome, _) in zip(
            mutants, pool.map(lambda one: try_mutant(one, tests_of(one.module)), mutants), strict=True
        ):
            sys.stderr.write(f"{outcome:9} {mutant.name}\n")
            yield mutant, outcome


def measure(package: str, scale: Scale) -> Iterator[Row]:
    """Try mutants at places of a package that the seed draws.

    Raises:
        BrokenError: the tool is not installed, or the tests fail over the code as it is: whatever fails them would
            count as killed.
    """
    if not TOOL.is_dir():
        raise BrokenError(f"cosmic-ray is not in {TOOL}: `make proofs NAMES=mutations` installs it there")
    sys.path.append(str(TOOL))  # last: of what both have, the project's own is taken
    mutants, places = sample(package, scale.count, scale.seed)
    for library in LIBRARIES:
        importlib.import_module(library)
    tests = sorted({test for mutant in mutants for test in tests_of(mutant.module)})
    outcome, output = try_mutant(None, tests)
    if outcome != "survived":
        raise BrokenError(f"the tests of {package} do not pass without a mutation: {output}")
    outcomes = dict(_tried(mutants, scale.jobs))
    for mutant, outcome in outcomes.items():
        if outcome == "survived":
            sys.stderr.write(f"{_diff(mutant)}\n")
    count = Counter(outcomes.values())
    killed = count["killed"] + count["timeout"]
    yield Row(
        f"mutants of {package} that its tests notice",
        f"{killed / len(mutants):.1%}",
        f"at least {GOAL:.0%}",
        killed >= GOAL * len(mutants),
        f"({killed} of {len(mutants)} killed, {count['timeout']} by the deadline, {count['survived']} survived; "
        f"{places} places)",
    )


for _package in PACKAGES:
    proof(
        f"mutations-{_package}",
        "mutations",
        f"The tests of `{_package}` notice small changes of its code.",
        whole=60,
        unit="places",
        alone=True,
    )(partial(measure, _package))
