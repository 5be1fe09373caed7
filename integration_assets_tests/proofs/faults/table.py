"""The faults by group, as a Markdown table: what the README shows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from integration_assets_tests.proofs.faults.bench import ALL_IDS, FAULTS

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
    """The table, line by line, and below it the faults that are not survived yet, each with its reason."""
    yield "| group | faults | survived | for example |"
    yield "|---|---|---|---|"
    for letter, (name, example) in GROUPS.items():
        ids = ids_of(letter)
        yield f"| {letter}. {name} | {len(ids)} | {sum(map(_survived, ids))} | {_example(example)} |"
    yield f"| all | {len(ALL_IDS)} | {sum(map(_survived, ALL_IDS))} | |"
    if lacking := [fault_id for fault_id in ALL_IDS if not _survived(fault_id)]:
        yield ""
        yield "Not survived yet:"
        yield ""
        yield from (f"- {fault_id}, {_reason(fault_id)}" for fault_id in lacking)


def ids_of(letter: str) -> list[str]:
    """The faults of a group."""
    return [fault_id for fault_id in ALL_IDS if fault_id[0] == letter]


def sample() -> list[str]:
    """Every third fault of each group: the small form of all."""
    return [fault_id for letter in GROUPS for fault_id in ids_of(letter)[::3]]


def _survived(fault_id: str) -> bool:
    return fault_id in FAULTS and FAULTS[fault_id].not_true is None


def _reason(fault_id: str) -> str:
    case = FAULTS.get(fault_id)
    return f"{case.title}: {case.not_true}" if case else "not tried"


def _example(fault_id: str) -> str:
    """The fault, and what holds then: the first sentence its function says of itself."""
    case = FAULTS[fault_id]
    holds = (inspect.getdoc(case.run) or "").splitlines()[0].partition(". ")[0].rstrip(".")
    return f"{case.title}: {holds[:1].lower()}{holds[1:]}"
