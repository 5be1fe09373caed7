"""The faults by group, as a Markdown table: what docs/development/faults.md shows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from integration_assets_tests.proofs.faults.bench import FaultCase
from integration_assets_tests.proofs.faults.case_runs import cases

GROUPS = {
    "A": ("Process death", "A6"),
    "B": ("Ambiguous writes", "B1"),
    "C": ("Transport, throttling, outages", "C10"),
    "D": ("Bad payloads", "D13"),
    "E": ("Paging, and a source that changes", "E4"),
    "F": ("Credentials and tenants", "F2"),
    "G": ("A CRM that changes under us", "G5"),
    "H": ("Local resources, clocks, several runs", "H7"),
    "I": ("Telling people", "I2f"),
}
"""Group → its name, and the fault that is its example."""


def markdown() -> Iterator[str]:
    """The table, line by line."""
    registered = cases()
    yield "| group | faults | for example |"
    yield "|---|---|---|"
    for letter, (name, example) in GROUPS.items():
        number = sum(fault_id[0] == letter for fault_id in registered)
        yield f"| {letter}. {name} | {number} | {_example(registered[example])} |"
    yield f"| all | {len(registered)} | |"


def _example(case: FaultCase) -> str:
    """The fault, and what holds then: the first sentence its function says of itself."""
    holds = (inspect.getdoc(case.disturb) or "").splitlines()[0].partition(". ")[0].rstrip(".")
    return f"{case.title}: {holds[:1].lower()}{holds[1:]}"
