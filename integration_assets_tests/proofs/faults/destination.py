"""G. The destination's schema, and what people do in it."""

from __future__ import annotations

from dataclasses import replace

from hubspot.crm.objects import (  # type: ignore[import-untyped]  # the client has no types
    SimplePublicObjectInputForCreate,
)

from integration_assets_tests.proofs.faults.asking import is_upsert
from integration_assets_tests.proofs.faults.bench import Bench, require
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.paging import when
from integration_assets_tests.proofs.faults.starts import FOREIGN_PROPERTY
from integration_assets_tests.support.harness import KEY_PROPERTY, OBJECT, World

LONG_AGO = float("-inf")


def change_property(world: World, name: str, **changes: object) -> None:
    """Change the definition of a property of ours, visible at once."""
    with world.portal.lock:
        kept = world.portal.object_type(OBJECT).properties[name]
        kept.set({**(kept.current or {}), **changes}, LONG_AGO)


@fault("G1", "our key property is deleted, or no longer unique", start="synced")
def g1(bench: Bench) -> None:
    """HELD before anything is written, and the property is named."""
    for changes in ({"archived": True}, {"archived": False, "hasUniqueValue": False}):
        change_property(bench.world, KEY_PROPERTY, **changes)
        bench.world.edit_request("dark mode", title=f"Dark mode {changes}")
        bench.run("sync")
        bench.expect(state="HELD", exit=3, says=KEY_PROPERTY)
        require(not bench.last.writes, "something was written")
    change_property(bench.world, KEY_PROPERTY, hasUniqueValue=True)
    bench.both(lambda world: world.edit_request("dark mode", title="Dark mode"))


@fault("G2", "an option is removed, or a property deleted, while a run is going on")
def g2(bench: Bench) -> None:
    """What the portal refuses is rejected and named, the rest is written; a later run completes it."""
    portal = bench.world.portal
    options = (portal.object_type(OBJECT).definition("status") or {})["options"]
    fewer = [option for option in options if option["value"] != "planned"]
    when(bench, "hubspot", is_upsert, lambda: change_property(bench.world, "status", options=fewer))
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS", exit=0)
    require_rejected(bench, "csv export", "status")
    require(len(bench.last.after.ours.records) == 4, "not all others were written")
    change_property(bench.world, "status", options=options)
    bench.calm()
    when(bench, "hubspot", is_upsert, lambda: change_property(bench.world, "board", archived=True))
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS", exit=0)
    require_rejected(bench, "csv export", "board")
    change_property(bench.world, "board", archived=False)


def require_rejected(bench: Bench, name: str, field: str) -> None:
    """Exactly this record must be rejected, with this field in the reason."""
    rejected = [item for item in bench.last.ran.summary["rejected"] if item["kind"] == "feature_request"]
    as_it_must = [item["key"] for item in rejected] == [bench.world.key(name)] and field in rejected[0]["reason"]
    require(as_it_must, f"rejected: {rejected}")


@fault("G3", "people edit fields we own, fields they may edit, and fields that are not ours", start="synced")
def g3(bench: Bench) -> None:
    """Computed: restored, reported. Editable: kept, reported, until the source changes it. Not ours: untouched."""
    key = bench.world.key("dark mode")
    mine = {FOREIGN_PROPERTY: "Call them in May"}
    bench.both(lambda world: world.edit_record("dark mode", title="Night theme", votes="999", **mine))
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    conflicts = {(item["field"], item["action"]) for item in bench.last.ran.summary["conflicts"]}
    require(conflicts == {("title", "kept"), ("votes", "restored")}, f"reported: {conflicts}")
    record = bench.last.after.ours.records[key]
    require((record["title"], record["votes"]) == ("Night theme", "4"), f"{record['title']}, {record['votes']}")
    bench.both(lambda world: world.edit_request("dark mode", title="Dark mode for all"))
    bench.run("sync")
    conflicts = {(item["field"], item["action"]) for item in bench.last.ran.summary["conflicts"]}
    require(conflicts == {("title", "overwritten")}, f"reported: {conflicts}")
    require(bench.last.after.theirs[f"other properties of {key}"] == mine, "a field that is not ours was touched")

    def twin(world: World) -> None:
        world.edit_record("dark mode", **mine)
        world.edit_request("dark mode", title="Dark mode for all")
        world.run("sync")

    bench.twin = twin


@fault("G4", "people archive our record", start="synced")
def g4(bench: Bench) -> None:
    """It is not made again, whatever happens to its request; the run says how many there are."""

    def archive(world: World) -> None:
        world.portal.archive(OBJECT, world.record_id("themes"))
        world.canny.vote(world.request_id("themes"), world.person("ann"), created=1_800_000_000_000)

    bench.both(archive)
    bench.run("sync")
    bench.expect(state="SUCCEEDED", says="archived")
    key = bench.world.key("themes")
    archived = [record["properties"][KEY_PROPERTY] for record in bench.world.portal.records(OBJECT, archived=True)]
    require(key not in bench.last.after.ours.records and archived == [key], f"archived: {archived}")
    require(not bench.last.writes, "something was written")


@fault("G5", "people merge two of our records", start="synced")
def g5(bench: Bench) -> None:
    """One record stays, and the other is not made again behind their back."""

    def merge(world: World) -> None:
        world.portal.merge(OBJECT, world.record_id("dark mode"), world.record_id("themes"))

    bench.both(merge)
    bench.run("sync")
    bench.expect(state="SUCCEEDED", says="merged")
    keys = set(bench.last.after.ours.records)
    require(bench.world.key("themes") not in keys and len(keys) == 4, "the merged record was made again")


@fault("G6", "people make a look-alike of our record by hand")
def g6(bench: Bench) -> None:
    """It stays as it is: a title is no key. Our own record is made beside it."""

    def by_hand(world: World) -> None:
        with world.as_person() as (client, object_type):
            body = SimplePublicObjectInputForCreate(
                properties={"title": "Dark mode", "votes": "4", "url": "https://example.com/mine"}, associations=[]
            )
            client.crm.objects.basic_api.create(object_type, body)

    bench.both(by_hand)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    alike = [
        record["properties"]
        for record in bench.world.portal.records(OBJECT)
        if record["properties"].get("title") == "Dark mode"
    ]
    by_key = {record.get(KEY_PROPERTY): record.get("url") for record in alike}
    require(set(by_key) == {None, bench.world.key("dark mode")}, f"keys of the alike: {list(by_key)}")
    require(by_key[None] == "https://example.com/mine", "the record made by hand was changed")


@fault("G7", "people take an association off", start="synced")
def g7(bench: Bench) -> None:
    """Links of votes are computed: it is made again, and counted."""

    def take_off(world: World) -> None:
        with world.as_person() as (client, _):
            client.crm.associations.v4.basic_api.archive(
                OBJECT, world.record_id("crash"), "companies", world.company("Delta")
            )

    bench.both(take_off)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(bench.last.ran.summary["links"]["created"] == 1, "the link was not counted")
    pair = (bench.world.key("crash"), "companies", bench.world.company("Delta"))
    require(pair in bench.last.after.ours.links, "the link is not there")


@fault("G8", "the portal has no room for our object or its properties", start="new")
def g8(bench: Bench) -> None:
    """Setup says so with the numbers and changes nothing; with room again it completes."""
    portal = bench.world.portal
    options = portal.options
    bench.spared.add("properties of ours made by others")  # those HubSpot gives every object, once ours is there
    portal.options = replace(options, max_custom_objects=1)
    name = {"name": "number", "label": "Number", "type": "string", "fieldType": "text"}
    labels = {"singular": "Contract", "plural": "Contracts"}
    portal.define_object(
        {"name": "contract", "labels": labels, "primaryDisplayProperty": "number", "properties": [name]}
    )
    ran = bench.run("setup", "--yes")
    require(ran.code == 1 and "1 of 1 custom objects" in ran.err, f"exit {ran.code}: {ran.err}")
    require(portal.find_object(OBJECT) is None, "there was no room, and an object was made")
    portal.options = replace(options, max_properties=3)
    ran = bench.run("setup", "--yes")
    require(ran.code == 1 and " of 17 properties" in ran.err, f"exit {ran.code}: {ran.err}")
    portal.options = options
    bench.calm()
    ran = bench.run("setup", "--yes")
    require(ran.code == 0, f"setup with room again ended with exit {ran.code}: {ran.err}")

    def twin(world: World) -> None:
        world.set_up()
        world.run("sync")

    bench.twin = twin
