"""What a figure is, where figures are found, and how one reads."""

from __future__ import annotations

import importlib
import pkgutil
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version

from integration_assets_tests import figures

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
    names = (module.name for module in pkgutil.iter_modules(figures.__path__))
    return {
        name: importlib.import_module(f"{figures.__name__}.{name}").measure
        for name in sorted(names)
        if name[0].isalpha() and name != "base"
    }


def line(figure: Figure, seed: int) -> str:
    """A figure on one line."""
    verdict = {True: "met", False: "NOT MET", None: "NOT MEASURED"}[figure.met]
    return f"{figure.name}: {figure.result} · goal {figure.goal} · {verdict} · seed {seed} · {versions()}"


def versions() -> str:
    """What the figures depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in VERSIONS_OF)
    return f"Python {platform.python_version()}, {packages}"
