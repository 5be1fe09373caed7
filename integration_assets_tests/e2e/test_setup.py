"""`setup`: what it creates in a portal, and when it refuses to."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.harness import OBJECT, World, world_of
from integration_assets_tests.support.small_world import small_world

MANAGED = {
    "feature_request_key", "title", "status", "source_status", "url", "board", "category", "details", "votes",
    "companies", "arr", "voter_domains", "requested_at", "last_vote_at", "source", "retired_at", "retired_reason",
    "managed_state",
}  # fmt: skip
GROUP = "feature_request_sync"


def test_an_empty_portal_gets_object_properties_and_labels(new_world: World) -> None:
    """Read through HubSpot's client: the object, all properties in our own group, the key unique, all three labels."""
    ran = new_world.run("setup", "--yes")
    assert ran.code == 0, ran.err
    with new_world.as_person() as (client, object_type):
        assert object_type
        made = [
            one
            for one in client.crm.properties.core_api.get_all(object_type).results
            if not one.name.startswith(("hs_", "hubspot_"))
        ]
        labels = {
            one.label
            for target in ("companies", "contacts")
            for one in client.crm.associations.v4.schema.definitions_api.get_all(object_type, target).results
        }
    assert {one.name for one in made} == MANAGED
    assert {one.group_name for one in made if one.name != "title"} == {GROUP}
    assert [one.name for one in made if one.has_unique_value] == ["feature_request_key"]
    assert labels - {None} == {"Voted", "Voter", "Author"}


def test_a_second_setup_creates_nothing(ready: World) -> None:
    """What is there is left as it is."""
    ready.forget_requests()
    ran = ready.run("setup", "--yes", json_file=True)
    assert (ran.code, ran.summary["created"]) == (0, [])
    assert ready.writes() == []
    assert "nothing is missing" in ran.out


def test_setup_says_what_it_will_do_and_refuses_without_an_answer(new_world: World) -> None:
    """Without a terminal and without --yes nothing is created: exit 2, one line that says which option to use."""
    ran = new_world.run("setup")
    assert ran.code == 2
    assert new_world.writes() == []
    assert "create object feature_request" in ran.out
    assert len(ran.error_lines) == 1
    assert "--yes" in ran.error_lines[0]


def test_setup_creates_only_what_is_missing(ready: World) -> None:
    """A property somebody deleted for good comes back; the others are not written."""
    del ready.portal.object_type(OBJECT).properties["voter_domains"]
    ready.forget_requests()
    ran = ready.run("setup", "--yes")
    assert ran.code == 0, ran.err
    assert b"voter_domains" in b"".join(request.body for request in ready.writes())
    assert b"source_status" not in b"".join(request.body for request in ready.writes())


def test_setup_refuses_one_portal_for_both_environments(new_world: World) -> None:
    """A sandbox token that leads to the production portal, or the other way round, is a configuration error."""
    new_world.sandbox.production.portal.portal_id = new_world.portal.portal_id
    ran = new_world.run("setup", "--yes")
    assert (ran.code, new_world.writes()) == (2, [])
    assert "47110815" in ran.error_lines[0]


def test_setup_refuses_an_archived_object(ready: World) -> None:
    """Creating our object again would purge the archived one's records: exit 2, nothing created."""
    with ready.as_person() as (client, object_type):
        client.crm.schemas.core_api.archive(object_type)
    ready.forget_requests()
    ran = ready.run("setup", "--yes")
    assert (ran.code, ready.writes()) == (2, [])
    assert "archived" in ran.error_lines[0]


def test_setup_refuses_an_archived_property(ready: World) -> None:
    """Creating an archived property again would bring its old values back: exit 2, nothing created."""
    with ready.as_person() as (client, object_type):
        client.crm.properties.core_api.archive(object_type, "voter_domains")
    ready.forget_requests()
    ran = ready.run("setup", "--yes")
    assert (ran.code, ready.writes()) == (2, [])
    assert "voter_domains" in ran.error_lines[0]


def test_setup_needs_a_portal_with_custom_objects(home: Path) -> None:
    """Without the subscription that has custom objects the line says which one it takes: exit 2."""
    sandbox = build_sandbox(small_world().sample, plan=None, portal_options=PortalOptions(custom_objects=False))
    with world_of(sandbox, home) as world:
        ran = world.run("setup", "--yes")
    assert ran.code == 2
    assert "Enterprise" in ran.error_lines[0]


@pytest.mark.parametrize("command", ["setup", "plan", "sync", "doctor"])
def test_a_production_account_as_sandbox_is_refused(new_world: World, command: str) -> None:
    """The kind of account must fit the environment, unless the portal id is configured on purpose."""
    environment = new_world.addresses.environment()
    swapped: dict[str, str | None] = {
        "HUBSPOT_SANDBOX_TOKEN": environment["HUBSPOT_PRODUCTION_TOKEN"],
        "HUBSPOT_SANDBOX_BASE_URL": environment["HUBSPOT_PRODUCTION_BASE_URL"],
        "HUBSPOT_PRODUCTION_TOKEN": None,
    }
    ran = new_world.run(command, *(["--yes"] if command == "setup" else []), json_file=False, **swapped)
    assert (ran.code, new_world.writes("production")) == (2, [])
    said = " ".join((ran.out + ran.err).split())
    assert "is a STANDARD account, sandbox needs" in said
    assert "into HUBSPOT_SANDBOX_TOKEN" in said
    assert "HUBSPOT_SANDBOX_PORTAL_ID=" in said


@pytest.mark.parametrize("command", ["setup", "sync"])
def test_another_portal_than_the_pinned_one_is_refused(ready: World, command: str) -> None:
    """Once tied to a portal, an environment never writes to another one: exit 2, whichever command."""
    ready.portal.portal_id = 999_999
    ready.forget_requests()
    ran = ready.run(command, *(["--yes"] if command == "setup" else []))
    assert (ran.code, ready.writes()) == (2, [])
    assert len(ran.error_lines) == 1
    assert "999999" in ran.error_lines[0]
    assert "47110815" in ran.error_lines[0]


def test_the_portal_id_variable_moves_the_pin_on_purpose(ready: World) -> None:
    """With the variable naming the new portal, the environment is tied to it."""
    ready.portal.portal_id = 999_999
    ran = ready.run("setup", "--yes", HUBSPOT_SANDBOX_PORTAL_ID="999999")
    assert ran.code == 0, ran.err
    assert ready.run("setup", "--yes").code == 0


def test_setup_refuses_a_key_that_is_not_unique(new_world: World) -> None:
    """A key property somebody made without unique values cannot be mended: exit 2, nothing created."""
    new_world.portal.define_object(
        {
            "name": OBJECT,
            "labels": {"singular": "Feature request", "plural": "Feature requests"},
            "primaryDisplayProperty": "title",
            "properties": [
                {"name": "title", "label": "Title", "type": "string", "fieldType": "text"},
                {"name": "feature_request_key", "label": "Key", "type": "string", "fieldType": "text"},
            ],
        }
    )
    ran = new_world.run("setup", "--yes")
    assert (ran.code, new_world.writes()) == (2, [])
    assert "feature_request_key" in ran.error_lines[0]
    assert "unique" in ran.error_lines[0]


@pytest.mark.proof
def test_the_commands_work_as_processes_of_their_own(new_world: World) -> None:
    """`setup --yes` and then `sync`, typed as commands: both end well, and every record and link is in the portal."""
    assert new_world.finish(new_world.start("setup", "--yes")).code == 0
    summary_file = new_world.home / "summary.json"
    ran = new_world.finish(new_world.start("sync", "--json", str(summary_file)), summary_file)
    assert (ran.code, ran.summary["state"]) == (0, "SUCCEEDED"), ran.out + ran.err
    assert "Traceback" not in ran.err
    assert "5 verified" in ran.out
    crm = new_world.in_crm()
    assert len(crm.records) == 5
    assert sum(len(others) for others in crm.companies.values()) == 7
