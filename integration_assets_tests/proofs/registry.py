"""Register proofs, and choose among them: one registry of all that is tried beyond the quick tests.

    @proof("vault", "security", "Nobody changes a stored secret unnoticed.", small=1)
    def vault(_scale: Scale) -> Iterator[Row]:
        yield counted("ciphertext swaps noticed", noticed, tried)

A module anywhere in this tree is found by being there: `load` imports them all.
"""

from __future__ import annotations

import importlib
import pkgutil
import platform
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["faults", "kills", "histories", "figures", "security", "fuzzing", "mutations"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which they are run."""
BY_NAME_ONLY: frozenset[Kind] = frozenset({"mutations"})
"""Kinds that take hours, and are run only where they are asked for."""
SEED = 7
VERSIONS_OF = ("integration-assets", "httpx", "duckdb", "msgspec", "dagster")


@dataclass(frozen=True)
class Row:
    """One thing that a proof reports: what was measured, beside the goal.

    `held`: whether the goal is met; None when it could not be measured, which is neither.
    """

    name: str
    measured: str
    goal: str
    held: bool | None
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Scale:
    """How much of a proof is done: how many of its `unit`, drawn with which seed, and how many of them at a time."""

    count: int
    seed: int = SEED
    jobs: int = 1


Runner = Callable[[Scale], Iterable[Row]]


@dataclass(frozen=True)
class Proof:
    """One proof.

    `module` is where it is registered. `whole` and `small` are how many of `unit` are tried by `make proofs` and by CI;
    0: CI leaves it out. `alone`: it measures time, or keeps all processors busy, and runs beside nothing else.
    """

    name: str
    kind: Kind
    proves: str
    run: Runner
    module: str
    whole: int = 1
    small: int = 0
    unit: str = ""
    alone: bool = False


PROOFS: dict[str, Proof] = {}


def register(made: Proof) -> None:
    """Add a proof.

    Raises:
        ValueError: the name is taken, or is that of another kind.
    """
    if made.name in PROOFS or made.name in set(KINDS) - {made.kind}:
        raise ValueError(f"the name {made.name} is taken: choose another one")
    PROOFS[made.name] = made


def proof(
    name: str, kind: Kind, proves: str, *, whole: int = 1, small: int = 0, unit: str = "", alone: bool = False
) -> Callable[[Runner], Runner]:
    """Register the function below as a proof."""

    def registered(run: Runner) -> Runner:
        register(Proof(name, kind, proves, run, _module_of(run), whole, small, unit, alone))
        return run

    return registered


def load() -> None:
    """Import every module of this tree, so that its proofs are registered."""
    package = importlib.import_module(__name__.rpartition(".")[0])
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        name = module.name.rpartition(".")[2]
        # Tests are pytest's to import, and the command and what prepares its processes are what calls this.
        if not name.startswith("test_") and name not in ("__main__", "preloaded"):
            importlib.import_module(module.name)


def choose(names: Sequence[str], kinds: Sequence[str], *, small: bool = False) -> list[Proof]:
    """Proofs that are named by their name, kind or a pattern such as `B*`, in the order of the registry; none: all.

    Raises:
        LookupError: a name fits nothing.
    """
    in_order = sorted(PROOFS.values(), key=lambda one: (KINDS.index(one.kind), _natural(one.name)))
    if unknown := [name for name in names if not any(_fits(one, name) for one in in_order)]:
        raise LookupError(f"no proof is called {', '.join(unknown)}: --list shows what there is")
    chosen = [one for one in in_order if (not kinds or one.kind in kinds)]
    if names:
        chosen = [one for one in chosen if any(_fits(one, name) for name in names)]
    elif not kinds:
        chosen = [one for one in chosen if one.kind not in BY_NAME_ONLY]
    return [one for one in chosen if one.small] if small else chosen


def left_out(proofs: Iterable[Proof]) -> list[str]:
    """What the small form of these proofs leaves out, with how many, a line each."""
    lines: list[str] = []
    by_kind: dict[str, list[Proof]] = {}
    for one in proofs:
        by_kind.setdefault(one.kind, []).append(one)
    for kind, of_kind in by_kind.items():
        whole = [one for one in of_kind if not one.small]
        if whole:
            # Names say more than a number, but a hundred faults are a number.
            named = f": {', '.join(one.name for one in whole)}" if kind != "faults" else ", two of three in each group"
            lines.append(f"left out: {len(whole)} of {len(of_kind)} {kind}{named}")
        lines += [
            f"left out: {one.whole - one.small:,} of {one.whole:,} {one.unit} ({one.name})"
            for one in of_kind
            if 0 < one.small < one.whole
        ]
    return lines


def counted(name: str, good: int, of: int) -> Row:
    """A row about how many of a number of attempts went as they must. Nothing tried proves nothing."""
    return Row(name, f"{good}/{of}", f"{of}/{of}", good == of > 0)


def versions() -> str:
    """Versions of what the results depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in VERSIONS_OF)
    return f"Python {platform.python_version()}, {packages}"


def root() -> Path:
    """The folder of the repository."""
    return Path(__file__).parents[2]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which B2 comes before B10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _module_of(run: Runner) -> str:
    return str((run.func if isinstance(run, partial) else run).__module__)


def _fits(one: Proof, name: str) -> bool:
    return name == one.kind or fnmatchcase(one.name, name)
