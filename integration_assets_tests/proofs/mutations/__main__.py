"""Try a sample of mutants of the core, and print which the tests let live; exit 1 below the goal.

A mutant is tried in a process of its own, forked from this one once the libraries are loaded: the mutated module is
imported in place of the file's text, so that no file changes and nothing else on the machine notices.
"""

from __future__ import annotations

import argparse
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
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest

from integration_assets_tests.proofs.mutations.mutants import Mutant, sample
from integration_assets_tests.proofs.mutations.table import PACKAGES, ROOT, tests_of

GOAL = 0.9
SEED = 11
SAMPLE = 60
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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _tried(mutants: list[Mutant], jobs: int) -> Iterator[tuple[Mutant, Outcome]]:
    with ThreadPoolExecutor(jobs) as pool:
        for mutant, (outcome, _) in zip(
            mutants, pool.map(lambda one: try_mutant(one, tests_of(one.module)), mutants), strict=True
        ):
            _say(f"{outcome:9} {mutant.name}")
            yield mutant, outcome


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m integration_assets_tests.proofs.mutations", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="package", help=f"of {', '.join(PACKAGES)}; none: all")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--sample", type=int, default=SAMPLE, help="places of each package that are mutated")
    parser.add_argument("--jobs", type=int, default=2, help="mutants tried at the same time")
    parser.add_argument("--tool", type=Path, required=True, help="the folder where cosmic-ray is installed")
    wanted = parser.parse_args()
    if unknown := [name for name in wanted.packages if name not in PACKAGES]:
        parser.error(f"no package is called {', '.join(unknown)}; there are {', '.join(PACKAGES)}")
    sys.path.append(str(wanted.tool))  # last: of what both have, the project's own is taken
    drawn = {package: sample(package, wanted.sample, wanted.seed) for package in wanted.packages or PACKAGES}
    for library in LIBRARIES:
        importlib.import_module(library)
    lines, all_met = [], True
    for package, (mutants, places) in drawn.items():
        # Over code as it is the tests must pass, or whatever fails them would count as killed.
        tests = sorted({test for mutant in mutants for test in tests_of(mutant.module)})
        outcome, output = try_mutant(None, tests)
        if outcome != "survived":
            _say(f"{package}: its tests do not pass without a mutation\n{output}")
            return 2
        outcomes = dict(_tried(mutants, wanted.jobs))
        for mutant, outcome in outcomes.items():
            if outcome == "survived":
                _say(_diff(mutant))
        count = Counter(outcomes.values())
        killed = count["killed"] + count["timeout"]
        all_met = all_met and killed >= GOAL * len(mutants)
        lines.append(
            f"{package}: {len(mutants)} mutants tried at {places} places (seed {wanted.seed}), {killed} killed "
            f"({count['timeout']} by the deadline), {count['survived']} survived: {killed / len(mutants):.1%}"
        )
    _say("\n".join(lines))
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
