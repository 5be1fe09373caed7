"""What people do in the CRM between two runs is kept, restored or respected, and always reported."""

from __future__ import annotations

import pytest
from hubspot.crm.objects import (  # type: ignore[import-untyped]  # the client has no types
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)

from integration_assets_tests.support.harness import OBJECT, World

pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("dagster_in_memory"),
]  # several runs for each edit: part of `make proofs`


def test_an_edited_title_is_kept_and_reported(synced: World) -> None:
    """A field people may edit stays as they left it while the source does not change, and the conflict is named."""
    synced.edit_record("dark mode", title="Night theme")
    summary = synced.sync().summary
    assert synced.in_crm().records[synced.key("dark mode")]["title"] == "Night theme"
    assert summary["conflicts"] == [{"key": synced.key("dark mode"), "field": "title", "action": "kept"}]
    assert synced.writes() == []


def test_an_edit_on_both_sides_goes_to_the_source_and_is_reported(synced: World) -> None:
    """When the source changed the same field, the source wins and the overwritten edit is named."""
    synced.edit_record("dark mode", title="Night theme")
    synced.edit_request("dark mode", title="Dark mode for everyone")
    summary = synced.sync().summary
    assert synced.in_crm().records[synced.key("dark mode")]["title"] == "Dark mode for everyone"
    assert summary["conflicts"] == [{"key": synced.key("dark mode"), "field": "title", "action": "overwritten"}]


def test_who_puts_back_what_both_sides_changed_keeps_it(synced: World) -> None:
    """Both sides came to say the same without a write: whoever edits the record after that has edited it."""
    synced.edit_record("themes", title="Colour themes")
    synced.edit_request("themes", title="Colour themes")
    assert synced.sync().summary["conflicts"] == []
    synced.edit_record("themes", title="Themes")
    summary = synced.sync().summary
    assert synced.in_crm().records[synced.key("themes")]["title"] == "Themes"
    assert summary["conflicts"] == [{"key": synced.key("themes"), "field": "title", "action": "kept"}]
    assert synced.writes() == []


def test_an_edit_survives_a_later_change_of_another_field(synced: World) -> None:
    """A new vote rewrites the counts of a record; the title somebody edited on it stays."""
    synced.edit_record("csv export", title="CSV export")
    synced.vote("csv export", "han")
    synced.sync()
    record = synced.in_crm().records[synced.key("csv export")]
    assert (record["title"], record["votes"]) == ("CSV export", "3")


def test_an_edited_count_is_restored_and_reported(synced: World) -> None:
    """A computed field is ours: the next run writes the computed value again and says so."""
    synced.edit_record("dark mode", votes="999", arr="1")
    summary = synced.sync().summary
    record = synced.in_crm().records[synced.key("dark mode")]
    assert (record["votes"], record["arr"]) == ("4", "1500.5")
    assert {(line["field"], line["action"]) for line in summary["conflicts"]} == {
        ("votes", "restored"),
        ("arr", "restored"),
    }


def test_properties_that_are_not_ours_stay(synced: World) -> None:
    """A property somebody added to our object keeps its value when the record is rewritten."""
    synced.portal.define_property(OBJECT, {"name": "sales_notes"})
    synced.edit_record("dark mode", sales_notes="call them in May")
    synced.edit_request("dark mode", title="Dark mode 2")
    synced.sync()
    record = synced.in_crm().records[synced.key("dark mode")]
    assert (record["title"], record["sales_notes"]) == ("Dark mode 2", "call them in May")


def _label_champion(world: World, name: str, company: str) -> None:
    """Put a label of somebody else's on a pair that carries ours."""
    champion = world.portal.define_label(OBJECT, "companies", "champion", "Champion", "Champion of")
    voted = _type_id(world, "Voted")
    types = [("USER_DEFINED", champion[0]), ("USER_DEFINED", voted)]
    world.portal.associate(OBJECT, world.record_id(name), "companies", world.company(company), types)


def _type_id(world: World, label: str) -> int:
    with world.as_person() as (client, object_type):
        types = client.crm.associations.v4.schema.definitions_api.get_all(object_type, "companies").results
    return next(int(one.type_id) for one in types if one.label == label)


def test_labels_that_are_not_ours_stay_beside_a_new_one_of_ours(synced: World) -> None:
    """A pair that carries somebody's own label gets ours on top when a vote comes in."""
    champion = synced.portal.define_label(OBJECT, "companies", "champion", "Champion", "Champion of")
    pair = (synced.record_id("csv export"), "companies", synced.company("Delta"))
    synced.portal.associate(OBJECT, *pair, [("USER_DEFINED", champion[0])])
    synced.vote("csv export", "han")
    synced.sync()
    labels = synced.in_crm().companies[synced.key("csv export")][synced.company("Delta")]
    assert labels == {"Champion", "Voted"}


def test_labels_that_are_not_ours_stay_when_ours_goes(synced: World) -> None:
    """Unlinking takes our label off and leaves the other."""
    _label_champion(synced, "crash", "Delta")
    synced.take_vote_back("crash", "han")
    summary = synced.sync().summary
    assert synced.in_crm().companies[synced.key("crash")] == {synced.company("Delta"): {"Champion"}}
    assert summary["links"]["removed"] == 1


def test_a_pair_with_another_label_and_no_change_is_not_written(synced: World) -> None:
    """Somebody's label beside ours is no difference."""
    _label_champion(synced, "crash", "Delta")
    synced.sync()
    assert synced.writes() == []


def test_an_archived_record_is_not_made_again(synced: World) -> None:
    """Who archives a record means it: no run writes its key again, live or archived."""
    synced.portal.archive(OBJECT, synced.record_id("themes"))
    synced.vote("themes", "ann")
    summary = synced.sync().summary
    crm, key = synced.in_crm(), synced.key("themes")
    assert key not in crm.records
    assert crm.archived.keys() == {key}
    assert synced.writes() == []
    assert summary["state"] == "SUCCEEDED"


def test_a_record_made_by_hand_is_not_touched(synced: World) -> None:
    """A record of our object without a key is somebody's own."""
    with synced.as_person() as (client, object_type):
        made = client.crm.objects.basic_api.create(
            object_type, SimplePublicObjectInputForCreate(properties={"title": "Mine"}, associations=[])
        )
    before = synced.in_crm().records[made.id]
    synced.edit_request("dark mode", title="Dark mode 2")
    summary = synced.sync().summary
    assert synced.in_crm().records[made.id] == before
    assert (summary["feature_requests"]["updated"], summary["feature_requests"]["retired"]) == (1, 0)


def test_a_link_somebody_removed_is_made_again(synced: World) -> None:
    """Links of votes are computed, so a removed one comes back."""
    record = synced.record_id("crash")
    with synced.as_person() as (client, object_type):
        client.crm.associations.v4.basic_api.archive(object_type, record, "companies", synced.company("Delta"))
    assert synced.in_crm().companies[synced.key("crash")] == {}
    summary = synced.sync().summary
    assert synced.in_crm().companies[synced.key("crash")] == {synced.company("Delta"): {"Voted"}}
    assert summary["links"]["created"] == 1


def test_merged_companies_keep_one_link(synced: World) -> None:
    """When two companies are merged in the CRM, the next run counts and links the surviving one."""
    survivor = synced.portal.merge("companies", synced.company("Acme"), synced.company("Beta"))
    synced.sync()
    crm, key = synced.in_crm(), synced.key("dark mode")
    assert crm.companies[key] == {survivor: {"Voted"}}
    assert crm.records[key]["companies"] == "1"


def test_a_note_in_the_crm_is_no_change_of_ours(synced: World) -> None:
    """An edit of a contact or company that resolution does not use leads to no write."""
    with synced.as_person() as (client, _):
        client.crm.objects.basic_api.update(
            "companies", synced.company("Acme"), SimplePublicObjectInput(properties={"city": "Lyon"})
        )
    synced.sync()
    assert synced.writes() == []
