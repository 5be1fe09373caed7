"""A whole read of a feature request system without votes, beside a CRM."""

from __future__ import annotations

import asyncio
import os
from unittest import mock

from integration_assets.ingest.call_floor import feedback_floor
from integration_assets.ingest.raw_tables import ingest
from integration_assets.sandbox.productboard import SPEND_FIELD, filled_like, productboard_lookalike
from integration_assets.sandbox.serving import listening
from integration_assets_tests.ingest.conftest import Reader


def test_notes_are_read_as_votes_in_the_fewest_calls(reader: Reader) -> None:
    """The raw tables hold the sample; the second read takes notes and requests whole, and no person or company."""
    workspace = filled_like(reader.served.sandbox.sample.workspace, limited=False)
    with listening([productboard_lookalike(workspace)]) as [origin]:
        environment = {
            "INTEGRATION_ASSETS_FEEDBACK": "productboard",
            "PRODUCTBOARD_BASE_URL": origin,
            "PRODUCTBOARD_TOKEN": workspace.token,
            "PRODUCTBOARD_SPEND_FIELD": SPEND_FIELD,
        }
        with mock.patch.dict(os.environ, environment):
            floors, made, notes = [], [], []
            for _ in range(2):
                with reader.inputs() as inputs:
                    read = asyncio.run(ingest(inputs))
                    floors.append(feedback_floor(read.work.feedback["productboard"]))
                    made.append(inputs.calls.totals("productboard").total)
                    notes.append(inputs.notes)
            stored = reader.rows("SELECT count(*) FROM raw.votes")[0][0]
            voters = reader.rows("SELECT count(*) FROM raw.voters WHERE email IS NOT NULL")[0][0]
            spending = reader.rows("SELECT count(*) FROM raw.accounts WHERE monthly_spend IS NOT NULL")[0][0]
    assert stored == len(workspace.notes)
    assert voters == sum(bool(one.fields.get("email")) for one in workspace.entities.values())
    assert spending == sum(one.fields.get(SPEND_FIELD) is not None for one in workspace.entities.values())
    # Products and components are lists of their own, and so are features and subfeatures.
    assert [calls - floor for calls, floor in zip(made, floors, strict=True)] == [2, 2]
    assert made[1] < made[0]
    assert [line for line in notes[0] if line.startswith("Productboard")] == [
        "Productboard has no votes: notes linked to a feature count as votes",
        "Productboard has no merges of requests and no history of statuses",
        "Productboard cannot tell in a few calls whether anything is new: only whole runs find changes",
    ]


def test_companies_that_vote_take_no_call_of_their_own(reader: Reader) -> None:
    """Their votes tell all of them; a person that is new is looked up, as their companies are told by nothing else."""
    workspace = filled_like(reader.served.sandbox.sample.workspace, limited=False)
    with listening([productboard_lookalike(workspace)]) as [origin]:
        environment = {
            "INTEGRATION_ASSETS_FEEDBACK": "productboard",
            "PRODUCTBOARD_BASE_URL": origin,
            "PRODUCTBOARD_TOKEN": workspace.token,
        }
        with mock.patch.dict(os.environ, environment):
            reader.read()
            feature = next(one.id for one in workspace.entities.values() if one.type == "feature")
            companies = [one.id for one in workspace.entities.values() if one.type == "company"][:60]
            for company in companies:
                workspace.add_note(1, customer=company, linked=[feature])
            workspace.add_note(1, customer=workspace.add("user", "Ada", 1).id, linked=[feature])
            again = reader.read()
            stored = {row[0] for row in reader.rows("SELECT account_id FROM raw.voter_accounts")}
    assert again["GET /v2/entities/{id}"] == 1
    # Products, components, features and subfeatures: the list of users is not among them.
    assert again["GET /v2/entities"] == 4
    assert stored >= set(companies)
