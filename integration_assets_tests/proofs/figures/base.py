"""What a figure is, where figures are found, and how one reads."""

from __future__ import annotations

import importlib
import pkgutil
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version

from integration_assets_tests.proofs import figures

SEED = 7
VERSIONS_OF = ("integration-assets", "httpx", "duckdb", "msgspec", "dagster")

Measure = Callable[[int], "Iterable[Figure]"]


@dataclass(frozen=True)
class Figure:
    """One number that was measured, in words, beside what it shall be.

    `met`: whether it is; None when it could not be measured, which is neither.
    """

    name: str
    result: str
    goal: str
    met: bool | None


def known() -> dict[str, Measure]:
    """All figures by the name of their module."""
    found = {
        module.name: f"{figures.__name__}.{module.name}"
        for module in pkgutil.iter_modules(figures.__path__)
        if module.name[0].isalpha() and module.name != "base" and not module.name.startswith("test_")
    }
    root = figures.__name__.rpartition(".")[0]
    found |= {name: f"{root}.histories.{name}" for name in ("lost_answers", "ownership", "schedules", "undo")}
    found["kills"] = f"{root}.kills.kills"
    return {name: importlib.import_module(found[name]).measure for name in sorted(found)}


def line(figure: Figure, seed: int) -> str:
    """A figure on one line."""
    verdict = {True: "met", False: "NOT MET", None: "NOT MEASURED"}[figure.met]
    return f"{figure.name}: {figure.result} · goal {figure.goal} · {verdict} · seed {seed} · {versions()}"


def versions() -> str:
    """What the figures depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in VERSIONS_OF)
    return f"Python {platform.python_version()}, {packages}"
