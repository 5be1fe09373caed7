"""Which tests a module's mutants must fail: those a reader would look into first, quick ones before slow ones."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "integration_assets"
TESTS = ROOT / "integration_assets_tests"

PACKAGES = ("resolution", "sync", "checks")

_WORLD = ("sync/test_diff.py", "sync/test_edits.py", "sync/test_apply.py", "sync/test_guard.py")
"""The tests that plan and apply against a fake CRM: most modules of `sync` are pieces of that one way."""

BY_MODULE: dict[str, tuple[str, ...]] = {
    "resolution/addresses": ("resolution/test_addresses.py", "resolution/test_resolve.py"),
    "resolution/domains": ("resolution/test_domains.py", "resolution/test_resolve.py", "resolution/test_addresses.py"),
    "resolution/merges": ("resolution/test_merges.py", "resolution/test_resolve.py"),
    "resolution/overrides": ("resolution/test_overrides.py", "resolution/test_resolve.py"),
    "resolution/rank": ("sql/test_ranked.py", "resolution/test_resolve.py"),
    "resolution/resolve": ("resolution/test_resolve.py", "resolution/test_overrides.py", "checks"),
    "resolution/revenue": ("resolution/test_revenue.py", "resolution/test_resolve.py", "checks/test_revenue.py"),
    "resolution/settings": ("resolution", "checks"),
    "resolution/tables": ("resolution/test_resolve.py", "sql/test_ranked.py"),
    "sync/application": ("sync/test_application.py", *_WORLD, "sync/test_numbers.py"),
    "sync/apply": ("sync/test_apply.py", "sync/test_numbers.py", "sync/test_guard.py"),
    "sync/apply_links": ("sync/test_associations.py", "sync/test_apply.py", "sync/test_estimate.py"),
    "sync/apply_records": ("sync/test_apply.py", "sync/test_edits.py", "sync/test_undo.py", "sync/test_estimate.py"),
    "sync/diff": ("sync/test_diff.py", "sync/test_edits.py", "sync/test_convergence.py"),
    "sync/drift": ("sync/test_drift.py", "sync/test_setup.py"),
    "sync/estimate": ("sync/test_estimate.py", "sync/test_guard.py", "sync/test_apply.py"),
    "sync/feature_request_object": ("sync/test_drift.py", "sync/test_setup.py", *_WORLD),
    "sync/guard": ("sync/test_guard.py", "sync/test_apply.py"),
    "sync/ledger": (*_WORLD, "sync/test_undo.py", "sync/test_associations.py"),
    "sync/operations": ("sync/test_operations.py", *_WORLD, "sync/test_plan_store.py", "sync/test_undo.py"),
    "sync/pair_reads": ("sync/test_associations.py", "sync/test_estimate.py", "sync/test_apply.py"),
    "sync/plan": (*_WORLD, "sync/test_convergence.py", "sync/test_tenant_marks.py", "sync/test_plan_store.py"),
    "sync/plan_file": ("sync/test_plan_store.py",),
    "sync/plan_store": ("sync/test_plan_store.py", "sync/test_guard.py", "sync/test_numbers.py", "sync/test_undo.py"),
    "sync/portal": ("sync/test_portal.py", "sync/test_guard.py"),
    "sync/apply_report": ("sync/test_numbers.py", *_WORLD),
    "sync/sending": ("sync/test_sending.py", "sync/test_apply.py", "sync/test_associations.py"),
    "sync/setup": ("sync/test_setup.py",),
    "sync/store": (*_WORLD,),
    "sync/undo": ("sync/test_undo.py", "sync/test_associations.py", "sync/test_undo_properties.py"),
    "sync/undo_records": ("sync/test_undo.py", "sync/test_edits.py", "sync/test_undo_properties.py"),
    "sync/verify": ("sync/test_apply.py", "sync/test_associations.py", "sync/test_edits.py", "sync/test_undo.py"),
    "checks/domains": ("checks/test_domains.py", "checks/test_gate.py"),
    "checks/revenue": ("checks/test_revenue.py", "checks/test_gate.py"),
}


def modules(package: str) -> list[Path]:
    """The modules of a package that hold code."""
    return sorted(path for path in (SOURCE / package).glob("*.py") if path.name != "__init__.py")


def tests_of(module: Path) -> list[str]:
    """The test files of a module, in the order in which they are run; all of its package when none are named."""
    named = BY_MODULE.get(f"{module.parent.name}/{module.stem}", (module.parent.name,))
    return [str(TESTS / name) for name in named]
