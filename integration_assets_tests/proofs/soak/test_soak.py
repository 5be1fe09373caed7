"""The judge of the soak: what it must not overlook in a CRM, in a channel and in what is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from integration_assets.staging.migrations import known_migrations, pending_migrations
from integration_assets.staging.store import open_store
from integration_assets_tests.proofs.soak.installation import MIGRATIONS_BEHIND, Weight, as_before
from integration_assets_tests.proofs.soak.soak import Story, rows
from integration_assets_tests.proofs.soak.truth import NOTE, Request, Truth
from integration_assets_tests.support.harness import InCrm

COMPANIES, CONTACTS = {"1": "Acme", "2": "Beta"}, {"7": "ann"}


def truth() -> Truth:
    """One request of ann's, for which she and cid vote, after a sync."""
    made = Truth({"x": Request("Dark mode", "in progress", "ann", {"ann", "cid"})})
    made.well()
    return made


def as_it_should_be() -> InCrm:
    values = {
        "title": "Dark mode", "status": "in_progress", "source_status": "in progress", "votes": "2", "companies": "2",
        "arr": "1500.5", "retired_reason": None, NOTE: None,
    }  # fmt: skip
    return InCrm(
        {"canny:x": values}, {}, {"canny:x": {"1": {"Voted"}, "2": {"Voted"}}}, {"canny:x": {"7": {"Voter", "Author"}}}
    )


def _lose(found: InCrm) -> None:
    del found.records["canny:x"]


def _double(found: InCrm) -> None:
    found.records["canny:y"] = found.records["canny:x"]


WRONG: dict[str, Callable[[InCrm], object]] = {
    "canny:x is lost": _lose,
    "canny:y should not be there": _double,
    "arr is 1500, not 1500.50": lambda found: found.records["canny:x"].update(arr="1500"),
    "title is dark, not Dark mode": lambda found: found.records["canny:x"].update(title="dark"),
    "owner_note is lost, not None": lambda found: found.records["canny:x"].update({NOTE: "lost"}),
    "companies {'Acme': {'Voted'}}": lambda found: found.companies["canny:x"].pop("2"),
    "contacts {'ann': {'Voter'}}": lambda found: found.contacts["canny:x"]["7"].discard("Author"),
    "canny:x is archived, or not": lambda found: found.archived.update({"canny:x": {}}),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_not_the_truth_is_found(said: str) -> None:
    """Each on its own; what is as it should be passes."""
    found = as_it_should_be()
    assert list(truth().differences(found, COMPANIES, CONTACTS)) == []
    WRONG[said](found)
    [line] = truth().differences(found, COMPANIES, CONTACTS)
    assert said in line


def test_a_title_of_the_people_stays_until_the_source_has_another() -> None:
    """The three-way rule, as the product documents it."""
    made = truth()
    request = made.requests["x"]
    request.shown = "Ours"
    made.well()
    assert request.shown == "Ours"
    request.title = "Night theme"
    made.failed("away", "not finished")
    assert request.shown == "Ours"
    made.well()
    assert request.shown == "Night theme"


def test_messages_are_due_once_and_in_order() -> None:
    """A problem is told once, another one anew, and what is over with the first good run; a late one counts as told."""
    made = truth()
    for problem, title in (("away", "not finished"), ("away", "not finished"), ("key", "failed")):
        made.failed(problem, title)
    made.well()
    told = ["succeeded", "not finished", "failed", "recovered, succeeded"]
    late = [f"Posted late, run 1a: Feature requests → sandbox: {told[0]}", *told[1:]]
    assert made.untold(late) == []
    assert made.untold([*told, "succeeded"])[0].startswith("message 5 of 4")
    assert made.untold(told[:2] + told[3:])[0].startswith("message 3 of 4")


def test_an_earlier_version_had_the_rows_and_not_the_migrations(tmp_path: Path) -> None:
    """Some of an upgrade may have been carried out; the rest is done by whoever opens the store next."""
    store, number = tmp_path / "a.duckdb", len(known_migrations())
    with open_store(store) as connection:
        connection.execute("INSERT INTO raw.boards VALUES ('b1', 'Features', 3)")
    for begun in (0, 2):
        as_before(store, begun=begun)
        with duckdb.connect(str(store)) as connection:
            assert len(pending_migrations(connection)) == MIGRATIONS_BEHIND - begun
        with open_store(store) as connection:
            assert connection.execute("FROM raw.boards").fetchall() == [("b1", "Features", 3)]
            assert len(connection.execute("FROM ops.migrations").fetchall()) == number


def test_what_grows_does_not_hold() -> None:
    """More runs in Dagster's records than are kept, or a run that takes more memory than in the first week."""
    calm = Weight({"staging": 1_000}, {"ledger": 3}, 9, 40, 100)
    held = {row.name: row.held for row in rows(Story(runs=1, requests=1, messages=1, weeks=[calm, calm]), 2, 14)}
    assert all(held.values())
    grown = Weight({"staging": 1_000}, {"ledger": 3}, 9, 90, 121)
    missed = [row.name for row in rows(Story(weeks=[calm, grown], left=["a.wal"]), 2, 14) if not row.held]
    assert missed == [
        "left behind in stores, alerts and files",
        "runs that are kept of a tenant",
        "memory of a run, weeks beside each other",
    ]
