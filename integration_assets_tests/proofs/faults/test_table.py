"""The README says of the faults what the bench says."""

from __future__ import annotations

from pathlib import Path

from integration_assets_tests.proofs.faults.bench import ALL_IDS, FAULTS
from integration_assets_tests.proofs.faults.carrying_out import load
from integration_assets_tests.proofs.faults.table import GROUPS, ids_of, markdown, sample
from integration_assets_tests.support.sizes import SIZES

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def test_every_fault_is_registered_and_in_a_group() -> None:
    """Each one there has to be is carried out, or says why it is not survived yet."""
    load()
    assert FAULTS.keys() == set(ALL_IDS)
    assert sorted(fault_id for letter in GROUPS for fault_id in ids_of(letter)) == sorted(ALL_IDS)


def test_the_small_form_has_every_kind() -> None:
    """Faults of each group; and what is said to be left out is left out."""
    assert {fault_id[0] for fault_id in sample()} == GROUPS.keys()
    assert SIZES["faults"] == (len(ALL_IDS), len(sample()), SIZES["faults"].what)
    assert all(0 < one.small < one.whole for one in SIZES.values())


def test_the_readme_has_the_table_of_the_bench() -> None:
    """Numbers and reasons are those of the registry: `python -m integration_assets_tests.proofs.faults --table`."""
    load()
    assert "\n".join(markdown()) in README
