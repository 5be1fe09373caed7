"""Associations as HubSpot's own client shows them to a person: all of a pair, whether or not they have a label."""

from __future__ import annotations

from typing import Any

import pytest

from integration_assets_tests.support.harness import World

pytestmark = pytest.mark.proof  # several runs and their undo: part of `make proofs`


def associate(world: World, name: str, company: str) -> None:
    """A person associates our record with a company, without a label."""
    with world.as_person() as (client, object_type):
        types: list[Any] = client.crm.associations.v4.schema.definitions_api.get_all(object_type, "companies").results
        plain = next(one for one in types if not one.label)
        client.crm.associations.v4.basic_api.create(
            object_type=object_type,
            object_id=world.record_id(name),
            to_object_type="companies",
            to_object_id=world.company(company),
            association_spec=[{"associationCategory": plain.category, "associationTypeId": plain.type_id}],
        )


def associated(world: World, name: str) -> dict[str, set[str]]:
    """Companies our record of a request is associated with, and the labels."""
    return world.in_crm().companies.get(world.key(name), {})


def test_nothing_is_associated_after_the_first_sync_is_undone(synced: World) -> None:
    """None before, none after; the summary counts what reading back showed, in hundreds of records a call."""
    before = synced.in_crm()
    pairs = [others for part in (before.companies, before.contacts) for others in part.values()]
    labels = sum(len(one) for others in pairs for one in others.values())
    synced.forget_requests()
    ran = synced.run("undo", "last", "--yes", json_file=True)
    assert ran.code == 0, ran.out + ran.err
    now = synced.in_crm()
    assert {key: others for part in (now.companies, now.contacts) for key, others in part.items() if others} == {}
    assert (ran.summary["links"]["removed"], ran.summary["links"]["verified"]) == (labels, labels)
    archives = [request.path for request in synced.writes() if request.path.endswith("/batch/archive")]
    assert len(archives) == 2  # one for companies, one for contacts
    assert not [request for request in synced.writes() if request.path.endswith("/labels/archive")]


def test_a_vote_taken_back_ends_the_association(synced: World) -> None:
    """The pair is gone, not only its label."""
    delta = synced.company("Delta")
    assert delta in associated(synced, "single sign-on")
    synced.take_vote_back("single sign-on", "han")
    summary = synced.sync().summary
    assert delta not in associated(synced, "single sign-on")
    assert (summary["links"]["removed"], summary["conflicts"]) == (1, [])


def test_an_association_made_by_a_person_stays_and_is_named(synced: World) -> None:
    """Made before our label came: after the vote is taken back it is there, in the summary and on the terminal."""
    associate(synced, "themes", "Acme")
    synced.vote("themes", "bob")
    synced.sync()
    acme = synced.company("Acme")
    assert associated(synced, "themes") == {acme: {"Voted"}}
    synced.take_vote_back("themes", "bob")
    ran = synced.sync()
    assert associated(synced, "themes") == {acme: set()}
    line = {"key": synced.key("themes"), "field": f"company:{acme}", "action": "kept"}
    assert ran.summary["conflicts"] == [line]
    assert f"1 pairs lose our label and stay associated ({synced.key('themes')}:company:{acme})" in " ".join(
        ran.out.replace("│", " ").split()
    )
    synced.forget_requests()
    synced.sync()
    assert synced.writes() == []


def test_the_text_of_a_label_may_be_changed(synced: World) -> None:
    """An administrator renames `Voted`: the next sync goes on with the same label, setup finds nothing missing."""
    with synced.as_person() as (client, object_type):
        api = client.crm.associations.v4.schema.definitions_api
        voted = next(one for one in api.get_all(object_type, "companies").results if one.label == "Voted")
        body = {"associationTypeId": voted.type_id, "label": "Asked for by", "inverseLabel": "Asked for"}
        api.update(object_type, "companies", body)
    ran = synced.run("setup", "--yes")
    assert (ran.code, "nothing" in ran.out.lower()) == (0, True), ran.out + ran.err
    synced.vote("themes", "bob")
    summary = synced.sync().summary
    assert summary["state"] == "SUCCEEDED"
    assert associated(synced, "themes") == {synced.company("Acme"): {"Asked for by"}}
    said = [check for check in summary["checks"] if "Asked for by" in check["detail"]]
    assert {check["severity"] for check in said} == {"WARN"}
