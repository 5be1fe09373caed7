"""What one source merely lacks, or the portal shows in another way, is told and stops nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hubspot.crm.properties import PropertyUpdate  # type: ignore[import-untyped]  # the client has no types
from hubspot.crm.schemas import (  # type: ignore[import-untyped]  # the client has no types
    ObjectSchemaEgg,
    ObjectTypeDefinitionLabels,
)

from integration_assets.sandbox.canny.records import Vote
from integration_assets.sandbox.sample_data import ARR_PROPERTY
from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.harness import OBJECT, World, world_of
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT

pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("dagster_in_memory"),
]  # several runs for each gate: part of `make proofs`

ODD = ("$1,200", "12k", "-5", "1,800.00")
STRANGERS = 25


@pytest.fixture
def unset(home: Path) -> Iterator[World]:
    """The small world before anything was done; its portals show at once what was written."""
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    with world_of(sandbox, home) as world:
        yield world


def _warned(summary: Any) -> set[str]:
    return {one["name"] for one in summary["checks"] if not one["passed"] and one["severity"] == "WARN"}


def _odd_companies(world: World) -> list[str]:
    """Twelve companies whose ARR stands in a text property as people write it."""
    companies = world.portal.object_type("companies")
    definition = companies.definition(ARR_PROPERTY)
    assert definition is not None
    companies.add_property({**definition, "type": "string", "fieldType": "text"}, 0.0)
    rows = [{"name": f"C{n}", "domain": f"odd{n}.com", ARR_PROPERTY: ODD[n % 4]} for n in range(12)]
    return world.portal.seed("companies", rows)


def _votes_of_strangers(world: World, post_id: str) -> None:
    for _ in range(STRANGERS):
        made = world.canny.moment()
        world.canny.add_vote(Vote(world.canny.new_id(made), post_id, None, made))


def test_unreadable_arr_is_no_arr_and_is_named_everywhere(ready: World) -> None:
    """Twelve odd figures: ranked and written; reasons, three ids each and the remedy wherever a person looks."""
    odd = _odd_companies(ready)
    ran = ready.sync()
    summary = ran.summary
    assert (summary["state"], summary["feature_requests"]["created"]) == ("SUCCEEDED", 5)
    assert summary["quarantined"] == {"domain_resolved_votes": 12}
    lines = {(one["kind"], one["reason"]): one for one in summary["quarantine"]}
    not_numbers, negative = lines["arr", "not_a_number"], lines["arr", "negative"]
    assert (not_numbers["records"], negative["records"]) == (9, 3)
    assert not_numbers["remedy"] == f"`{ARR_PROPERTY}` is a text property: map a number property"
    assert set(negative["examples"]) == {f"crm:{odd[n]}" for n in (2, 6, 10)}
    assert len(not_numbers["examples"]) == 3
    assert _warned(summary) >= {"resolution_usable"}
    report = next((ready.home / "reports").rglob("*.html")).read_text(encoding="utf-8")
    shown = ready.run("report").out
    posted = json.dumps(ready.sandbox.team.messages)
    for text in (ran.out, shown, report, posted):
        assert not_numbers["examples"][0] in text
        assert "map a number property" in text


def test_an_untitled_request_with_many_votes_is_named_and_the_gate_stays_open(ready: World) -> None:
    """Its votes are not unusable votes; the message has its id, its link, and how many votes count for nobody."""
    bad = ready.add_request("  ").removeprefix("canny:")
    _votes_of_strangers(ready, bad)
    summary = ready.sync().summary
    assert summary["state"] == "SUCCEEDED"
    assert summary["quarantined"] == {"raw_feature_requests": 1}
    [line] = summary["quarantine"]
    assert (line["kind"], line["reason"], line["records"], line["votes"]) == (
        "feature_request",
        "no title",
        1,
        STRANGERS,
    )
    [example] = line["examples"]
    assert bad in example
    assert "http" in example
    assert f"{STRANGERS} votes" in example
    assert "title" in line["remedy"]


def test_an_untitled_request_of_a_board_nobody_asked_for_is_no_news(ready: World) -> None:
    """Neither it nor its votes are quarantined: the board is left out."""
    ready.add_request("", board="Bugs")
    _votes_of_strangers(ready, next(one.id for one in ready.canny.posts.values() if not one.title))
    summary = ready.sync(CANNY_EXCLUDE_BOARDS="Bugs").summary
    assert summary["quarantined"] == {}
    assert summary["quarantine"] == []


def test_votes_of_requests_merged_into_an_untitled_one_are_not_lost(synced: World) -> None:
    """The merged request is neither looked for nor retired as deleted while its survivor cannot be read."""
    before = synced.in_crm()
    synced.canny.merge(synced.request_id("csv export"), synced.request_id("dark mode"))
    synced.edit_request("dark mode", title="")
    summary = synced.sync().summary
    assert summary["feature_requests"]["retired"] == 0
    assert synced.in_crm().records == before.records
    assert {(one["kind"], one["records"]) for one in summary["quarantine"]} == {
        ("feature_request", 1),
        ("merged_request", 1),
    }


@pytest.mark.parametrize("set_up", [False, True])
def test_a_read_only_run_is_never_held_by_what_concerns_the_write(unset: World, *, set_up: bool) -> None:
    """Without our object, or with a schema no sync could write to: ranked, published, exit 0, and a warning."""
    if set_up:
        unset.set_up()
        _update(unset, "details", PropertyUpdate(field_type="html"))
    ran = unset.run("sync", "--read-only", json_file=True)
    assert (ran.code, ran.summary["state"]) == (0, "SUCCEEDED"), ran.out
    assert ran.summary["top"]["by_arr"]
    assert "crm_schema_as_expected" in _warned(ran.summary)
    assert "crm_schema_as_expected" in ran.out
    assert ran.summary["plan"] == {"hash": None, "held": False, "reasons": [], "changes": None}


@pytest.mark.parametrize("lacking", [("custom",), ("crm.objects.custom.read",)])
def test_a_read_only_run_needs_no_scope_of_custom_objects(unset: World, lacking: tuple[str, ...]) -> None:
    """A token that may not read our object, or its records: ranked, published, exit 0, and the scope named."""
    unset.set_up()
    unset.portal.scopes -= {scope for scope in unset.portal.scopes if any(part in scope for part in lacking)}
    ran = unset.run("sync", "--read-only", json_file=True)
    assert (ran.code, ran.summary["state"]) == (0, "SUCCEEDED"), ran.out + ran.err
    assert [(one["title"], one["arr"]) for one in ran.summary["top"]["by_arr"][:1]] == [("Dark mode", "1500.50")]
    assert "crm.objects.custom.read" in ran.out or "crm.schemas.custom.read" in ran.out
    assert unset.run("sync", json_file=True).code == 1


def _update(world: World, name: str, change: Any) -> None:
    with world.as_person() as (client, object_type):
        client.crm.properties.core_api.update(object_type, name, change)


def test_a_field_drawn_another_way_is_a_warning(synced: World) -> None:
    """Radio buttons for the status, several lines for the title: values are written and read back as before."""
    _update(synced, "status", PropertyUpdate(field_type="radio"))
    _update(synced, "title", PropertyUpdate(field_type="textarea"))
    synced.edit_request("dark mode", title="Night theme", status="closed")
    summary = synced.sync().summary
    assert (summary["state"], summary["feature_requests"]["updated"]) == ("SUCCEEDED", 1)
    record = synced.in_crm().records[synced.key("dark mode")]
    assert (record["title"], record["status"]) == ("Night theme", "closed")
    assert "crm_schema_differs" in _warned(summary)
    said = synced.run("setup", "--yes").out
    assert "feature_request.status" in said


UNWRITABLE = {
    "rich text": ("details", {"field_type": "html"}, "multi-line text"),
    "several values": ("status", {"field_type": "checkbox"}, "dropdown select"),
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_a_field_that_changes_values_is_held_with_the_remedy_and_setup_says_so(synced: World, case: str) -> None:
    """HELD, with what to do; `setup` ends 3 with the same line and never says that nothing is missing."""
    name, change, remedy = UNWRITABLE[case]
    _update(synced, name, PropertyUpdate(**change))
    synced.forget_requests()
    ran = synced.run("sync", json_file=True)
    assert (ran.code, ran.summary["state"], synced.writes()) == (3, "HELD", [])
    assert remedy in " ".join(ran.summary["plan"]["reasons"])
    setup = synced.run("setup", "--yes")
    assert (setup.code, synced.writes()) == (3, [])
    assert remedy in setup.err
    assert "nothing is missing" not in setup.out + setup.err


def _text_property(name: str) -> dict[str, Any]:
    return {"name": name, "label": name.capitalize(), "type": "string", "fieldType": "text"}


def _object_of_others(world: World, properties: Sequence[dict[str, Any]], required: Sequence[str] = ()) -> None:
    """An object of our name that somebody else made."""
    with world.as_person() as (client, _):
        client.crm.schemas.core_api.create(
            ObjectSchemaEgg(
                name=OBJECT,
                labels=ObjectTypeDefinitionLabels(singular="Idea", plural="Ideas"),
                primary_display_property=str(properties[0]["name"]),
                required_properties=list(required),
                searchable_properties=[],
                secondary_display_properties=[],
                properties=list(properties),
                associated_objects=["COMPANY", "CONTACT"],
            )
        )
    world.forget_requests()


FOREIGN: dict[str, tuple[list[dict[str, Any]], list[str], str]] = {
    "their own properties": ([_text_property("summary"), _text_property("team")], [], "not ours"),
    "their own required property": ([_text_property("title"), _text_property("squad")], ["squad"], "squad"),
    "other options": (
        [
            _text_property("title"),
            {
                "name": "status",
                "label": "Status",
                "type": "enumeration",
                "fieldType": "select",
                "options": [{"label": "New", "value": "new", "displayOrder": 0, "hidden": False}],
            },
        ],
        [],
        "options missing: open",
    ),
    "another type": (
        [_text_property("title"), {"name": "details", "label": "D", "type": "number", "fieldType": "number"}],
        [],
        "type is number, expected string",
    ),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_setup_adds_nothing_to_an_object_that_is_somebody_elses(unset: World, case: str) -> None:
    """Refused before the first write, exit 3, with what is in the way; a sync and the doctor see the same."""
    properties, required, words = FOREIGN[case]
    _object_of_others(unset, properties, required)
    setup = unset.run("setup", "--yes")
    assert (setup.code, unset.writes()) == (3, []), setup.out + setup.err
    assert words in setup.err
    ran = unset.run("sync", json_file=True)
    assert (ran.code, unset.writes()) == (3, [])
    assert words in " ".join(ran.summary["plan"]["reasons"])
    doctor = unset.run("doctor")
    assert doctor.code == 1
    assert words in " ".join(doctor.out.split())


def test_setup_completes_an_object_of_ours_that_was_left_half_made(unset: World) -> None:
    """A setup that died after the object: only the display property is there."""
    _object_of_others(unset, [_text_property("title")])
    unset.set_up()
    assert unset.sync().summary["feature_requests"]["created"] == 5


def test_a_run_that_a_check_held_is_what_report_shows(synced: World) -> None:
    """Nothing of it is published: `report` shows it all the same, not the good run before it; `--run` finds both."""
    before = synced.run("report", "--json", str(synced.home / "before.json"))
    assert before.code == 0
    for _ in range(11):
        synced.add_request("")
    held = synced.run("sync", json_file=True)
    assert held.code == 3
    shown = synced.run("report", "--html", str(synced.home / "held.html"))
    assert shown.code == 0
    assert held.summary["run_id"] in shown.out
    assert "11 of 16 requests quarantined" in shown.out
    assert "no title" in (synced.home / "held.html").read_text(encoding="utf-8")
    good = json.loads((synced.home / "before.json").read_text(encoding="utf-8"))["run_id"]
    assert good in synced.run("report", "--run", good).out
    assert held.summary["run_id"] in synced.run("report", "--run", held.summary["run_id"][:13]).out
