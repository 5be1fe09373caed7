"""People whom the feedback system lists, and who neither vote nor write, are forgotten after a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from integration_assets.ingest.idle_persons import drop_idle_persons
from integration_assets.sandbox.canny import Workspace
from integration_assets.sandbox.canny.records import User
from integration_assets_tests.ingest.conftest import Reader

IDA = "ida@acme-idle.example"
LATER = datetime(2199, 1, 1, tzinfo=UTC)
"""A moment at which nobody's time is not up."""
VOTERS = "SELECT voter_id FROM raw.voters ORDER BY voter_id"
IDLE = "SELECT voter_id FROM raw.idle_persons ORDER BY voter_id"


def add_person(workspace: Workspace, email: str) -> str:
    """A person who has done nothing yet; returns their id."""
    made = workspace.moment()
    return workspace.add_user(User(workspace.new_id(made), "Ida", made, email=email)).id


def let_pass(reader: Reader, days: int) -> None:
    """As if everybody had been found idle so many days earlier."""
    reader.rows(f"UPDATE raw.idle_persons SET idle_since = idle_since - INTERVAL {days} DAY")


def ids(rows: list[tuple[Any, ...]]) -> set[str]:
    """The first column."""
    return {row[0] for row in rows}


def test_who_never_votes_goes_after_the_time_and_comes_back_with_a_vote(reader: Reader) -> None:
    """Not a day earlier; the daily list does not bring them back, nor are they asked for in the CRM; a vote does."""
    workspace = reader.served.sandbox.sample.workspace
    ida = add_person(workspace, IDA)
    reader.read(keep_idle_days=30)
    everybody = ids(reader.rows(VOTERS))
    active = ids(reader.rows("SELECT voter_id FROM raw.votes UNION SELECT author_id FROM raw.feature_requests")) - {
        None
    }
    idle = ids(reader.rows(IDLE))
    assert ida in everybody
    assert idle == everybody - active
    let_pass(reader, 29)
    reader.read(full=True, keep_idle_days=30)
    assert ids(reader.rows(VOTERS)) == everybody
    let_pass(reader, 2)
    for _ in range(2):
        reader.read(full=True, keep_idle_days=30)
        assert ids(reader.rows(VOTERS)) == everybody & active
        assert ids(reader.rows(IDLE)) == idle
        assert reader.rows("FROM raw.voter_accounts SEMI JOIN raw.idle_persons USING (voter_id)") == []
        emails = "SELECT lower(trim(email)) FROM raw.voters WHERE email IS NOT NULL"
        assert reader.rows(f"FROM raw.crm_contacts WHERE email NOT IN ({emails}) AND additional_emails = []") == []
    request = next(iter(workspace.posts))
    workspace.vote(request, ida)
    reader.read(keep_idle_days=30)
    assert ids(reader.rows(VOTERS)) == everybody & active | {ida}
    assert ids(reader.rows(IDLE)) == idle - {ida}


def test_nobody_is_remembered_who_is_not_listed_any_more(reader: Reader) -> None:
    """The id of a person whom the feedback system removed goes with the next list of all persons."""
    workspace = reader.served.sandbox.sample.workspace
    ida = add_person(workspace, IDA)
    reader.read(keep_idle_days=30)
    let_pass(reader, 31)
    reader.read(full=True, keep_idle_days=30)
    assert ida in ids(reader.rows(IDLE))
    workspace.delete_user(ida)
    reader.read(full=True, keep_idle_days=30)
    assert ida not in ids(reader.rows(IDLE))


def test_a_contact_of_somebody_else_stays(reader: Reader) -> None:
    """A contact with the address of a person who votes stays, though another of its addresses was an idle person's."""
    workspace = reader.served.sandbox.sample.workspace
    reader.read(keep_idle_days=30)
    [(voter, email)] = reader.rows(
        """
        SELECT voter_id, email FROM raw.voters SEMI JOIN raw.votes USING (voter_id)
        WHERE contains(email, '@') ORDER BY voter_id LIMIT 1
        """
    )
    add_person(workspace, IDA)
    reader.read(full=True, keep_idle_days=30)
    with reader.inputs(keep_idle_days=30) as inputs:
        inputs.connection.execute(
            "INSERT INTO raw.crm_contacts VALUES ('c1', $voter, [$idle], NULL), ('c2', $idle, NULL, NULL)",
            {"voter": email.strip().lower(), "idle": IDA},
        )
        assert drop_idle_persons(inputs.connection, LATER, 30, listed=False) > 0
    assert voter in ids(reader.rows(VOTERS))
    assert ids(reader.rows("SELECT contact_id FROM raw.crm_contacts WHERE contact_id IN ('c1', 'c2')")) == {"c1"}
