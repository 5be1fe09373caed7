"""What many tenants need, on paper: the arithmetic, and that the page has what the command prints."""

from __future__ import annotations

from integration_assets_tests.proofs.registry import root
from integration_assets_tests.proofs.scale.__main__ import MANY
from integration_assets_tests.proofs.scale.paper import (
    FIGURES,
    Figures,
    Run,
    limits,
    measured_lines,
    needs,
    shown,
    table,
)

RUN = Run(feedback=20, crm=20, writes=2, processor=6.0, memory=400_000_000, transactions=900)
EASY = Figures(
    size=(1, 1, 1),
    first=RUN,
    unchanged=RUN,
    changed=RUN,
    connections=2,
    store=10_000_000,
    published=0,
    report=3_000,
    ending=2_000,
    dagster=1_000_000,
    database=5_000,
)


def test_needs_follow_from_the_figures() -> None:
    """A tenant has six runs a day: 14,400 of them one a second."""
    found = {one.name: one.of[0] for one in needs(EASY, [14_400])}
    assert found["runs"] == "1 a second"
    assert (found["calls of feedback systems"], found["calls of CRMs"]) == ("20 a second", "20 a second")
    assert found["processors for runs"] == "10"
    assert found["runs at once"] == "15"
    assert found["memory of runs"] == "6.1 GB"
    assert (found["PostgreSQL, transactions"], found["PostgreSQL, connections"]) == ("900 a second", "31")
    assert (found["staging stores"], found["Dagster's records"]) == ("140 GB", "2.6 TB")


def test_the_first_end_is_that_of_what_each_tenant_takes_most_of() -> None:
    """At twice the need it comes with half as many tenants."""
    assert limits(EASY)["two processors"] == 2_880
    # Eight runs a day are removed of each tenant: two of them only try its credentials.
    assert limits(EASY)["the daily removal of old runs from Dagster's records"] == 1_250
    assert limits(EASY)["a disk of 1 TB with Dagster's records in SQLite"] == round(1e12 / 191_000_000)


def test_numbers_have_two_digits() -> None:
    """And bytes the unit that fits."""
    assert [shown(one, "") for one in (0.0694, 1.62, 16.2, 162.4, 8_340)] == ["0.069", "1.6", "16", "160", "8,300"]
    assert [shown(one, "B") for one in (900, 3.3e7, 2.9e13)] == ["0.9 kB", "33 MB", "29 TB"]


def test_the_page_has_the_tables_of_the_command() -> None:
    """Made by `python -m integration_assets_tests.proofs.scale --paper`."""
    page = (root() / "docs" / "operations" / "scale.md").read_text(encoding="utf-8")
    assert "\n".join(measured_lines(FIGURES)) in page
    assert "\n".join(table(FIGURES, [int(one) for one in MANY.split(",")])) in page
