"""Records kept in an object of HubSpot's library: other people's rows, plans, pipelines, and what has no room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from integration_assets.connectors.crm.base import Crm, PairWrite, RecordsOutcome, RecordWrite
from integration_assets.errors import ConfigurationError, HeldError
from integration_assets.models import CrmFeatureRequest, Link, LiveSchema, Obstacle
from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sync.drift import Severity, target_problems
from integration_assets.sync.setup import apply_setup, plan_setup
from integration_assets_tests.connectors.crm.harness import Harness, hubspot_harness
from integration_assets_tests.connectors.crm.sample import REQUEST

TITLES = {"services": "hs_name", "projects": "hs_name", "tickets": "subject"}
LAGS = {"property_lag": 0.0, "schema_lag": 0.0, "schema_flip": 0.0}


@contextmanager
def portal_with(name: str = "services", **options: Any) -> Iterator[Harness]:
    """A Starter portal where the object is activated, unless the options say otherwise."""
    chosen = {"plan": "starter", "activated": frozenset({"services", "projects"}), **LAGS, **options}
    with hubspot_harness(PortalOptions(**chosen)) as harness:
        harness.options = {"object": name}
        yield harness


async def schema(crm: Crm) -> LiveSchema:
    return await crm.schema(REQUEST, ())


async def soon(_seconds: float) -> None:
    """These portals show at once what was made."""
    await asyncio.sleep(0)


async def set_up(crm: Crm) -> None:
    live = await crm.schema(REQUEST, ())
    steps = plan_setup(REQUEST, live, await crm.archived_properties(REQUEST))
    await apply_setup(crm, REQUEST, steps, sleep=soon, clock=time.monotonic)


async def everything(crm: Crm) -> list[CrmFeatureRequest]:
    return [
        record
        for archived in (False, True)
        async for page in crm.feature_requests(REQUEST, archived=archived)
        for record in page.records
    ]


def write(harness: Harness, *writes: RecordWrite) -> RecordsOutcome:
    async def work(crm: Crm) -> RecordsOutcome:
        return await crm.upsert(REQUEST, writes)

    return harness.talk(work)


@pytest.fixture(params=sorted(TITLES))
def ready(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """A portal set up by the connector, for each object of the library."""
    with portal_with(request.param) as harness:
        harness.kept_in = request.param
        harness.talk(set_up)
        yield harness


def test_setup_adds_to_the_object_and_changes_nothing_of_it(ready: Harness) -> None:
    """Our properties begin with our name and are in our group; a pipeline of ours stands beside theirs."""
    assert ready.kept_in is not None
    one = ready.portal.objects[ready.kept_in]
    ours = {name for name in one.properties if name.startswith("wish_")}
    assert ours == {"wish_marker", *(f"wish_{item.name}" for item in REQUEST.properties)}
    assert {one.definition(name)["groupName"] for name in ours} == {"wish_sync"}
    assert one.definition("wish_request_key")["hasUniqueValue"]
    assert [pipeline["label"] for pipeline in ready.portal.pipelines[ready.kept_in].by_id.values()][1:] == ["Wish sync"]
    live = ready.talk(schema)
    assert plan_setup(REQUEST, live, ()) == []
    assert "without the property wish_marker" in live.notes[0]


def test_a_record_is_called_by_its_title_and_stands_in_our_pipeline(ready: Harness) -> None:
    """A new one; an update of its title renames it, and moves it nowhere."""
    name = ready.kept_in or ""
    write(ready, RecordWrite("src:1", {"title": "One", "votes": "3"}, creates=True))
    (record,) = ready.portal.records(name)
    values = record["properties"]
    pipeline = list(ready.portal.pipelines[name].by_id.values())[-1]
    assert (values[TITLES[name]], values["wish_title"], values["wish_marker"]) == ("One", "One", "wish")
    assert (values["hs_pipeline"], values["hs_pipeline_stage"]) == (pipeline["id"], pipeline["stages"][0]["id"])
    assert pipeline["stages"][0]["metadata"]["ticketState"] == "CLOSED"
    write(ready, RecordWrite("src:1", {"title": "Uno"}))
    (record,) = ready.portal.records(name)
    assert record["properties"][TITLES[name]] == "Uno"
    assert [one.values for one in ready.talk(everything)] == [{"request_key": "src:1", "title": "Uno", "votes": "3"}]


def test_rows_of_others_are_never_ours(ready: Harness) -> None:
    """Neither live nor archived, nor by a key that somebody has typed."""
    name = ready.kept_in or ""
    title = TITLES[name]
    rows = [{title: "Theirs"}, {title: "Archived"}, {title: "Copied", "wish_request_key": "src:9"}]
    theirs = ready.portal.seed(name, rows)
    ready.portal.archive(name, theirs[1])
    write(ready, RecordWrite("src:1", {"title": "One"}, creates=True))
    assert [record.key for record in ready.talk(everything)] == ["src:1"]

    async def by_key(crm: Crm) -> list[str]:
        return sorted(await crm.feature_requests_by_key(REQUEST, ["src:1", "src:9"]))

    assert ready.talk(by_key) == ["src:1"]


def test_a_pair_has_one_plain_link(ready: Harness) -> None:
    """Written, read from both sides and ended; what HubSpot adds of its own does not keep it."""
    (written,) = write(ready, RecordWrite("src:1", {"title": "One"}, creates=True)).written
    company = ready.seeds.company(name="Acme")
    pair = PairWrite(written.record_id, "company", company, ("plain",))

    async def work(crm: Crm) -> list[tuple[Link, ...]]:
        await crm.link(REQUEST, [pair])
        linked = await crm.links(REQUEST, [written.record_id], "company")
        await crm.unlink_whole(REQUEST, [pair])
        return [linked, await crm.links(REQUEST, [written.record_id], "company")]

    assert ready.talk(work) == [(Link(written.record_id, "company", company, "plain"),), ()]


# ------------------------------------------------------------------------------------------------------ what is refused


def problems(live: LiveSchema) -> list[str]:
    return [one.text for one in target_problems(REQUEST, live, link_contacts=True) if one.severity is Severity.ERROR]


def test_an_object_that_is_not_activated_is_one_line() -> None:
    """It says what to do; nothing is written, and a run that writes is held."""
    with portal_with(activated=frozenset()) as harness:
        live = harness.talk(schema)
        (line,) = problems(live)
        assert "services are not activated in this portal; activate services in HubSpot's settings" in line
        with pytest.raises(ConfigurationError, match="services are not activated"):
            harness.talk(set_up)
        assert harness.talk(everything) == []
        with pytest.raises(HeldError, match="services are not activated"):
            write(harness, RecordWrite("src:1", {}, creates=True))
        assert [one for one in harness.lookalike.requests if one.method in {"PUT", "PATCH", "DELETE"}] == []
        posts = [one.path for one in harness.lookalike.requests if one.method == "POST"]
        assert all(path.endswith(("/batch/read", "/search")) for path in posts)


@pytest.mark.parametrize(("plan", "labelled"), [("free", False), ("starter", False), ("professional", True)])
def test_a_plan_without_labels_is_said_and_no_label_is_missing(plan: str, labelled: bool) -> None:
    """`setup` makes labels only where the plan has them."""
    with portal_with(plan=plan) as harness:
        steps = plan_setup(REQUEST, harness.talk(schema), ())
        assert ("link" in {step.kind for step in steps}) is labelled
        harness.talk(set_up)
        found = target_problems(REQUEST, harness.talk(schema), link_contacts=True)
        assert [one.name for one in found] == ([] if labelled else ["link labels"])
        assert all("not on this plan" in one.detail for one in found)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"max_properties": 5}, "9 properties are missing, and the plan has room for 5 more on services"),
        ({"max_pipelines": 1}, "pipeline Wish sync of services is missing, and the plan has room for no further"),
    ],
)
def test_limits_are_measured_before_anything_is_made(options: dict[str, Any], line: str) -> None:
    """Half of our properties are of no use to anybody."""
    with portal_with(**options) as harness:
        assert line in problems(harness.talk(schema))[0]
        with pytest.raises(ConfigurationError, match="nothing was created in portal"):
            harness.talk(set_up)
        assert [one.path for one in harness.lookalike.requests if one.method == "POST"] == []


@pytest.mark.parametrize("answer", ["refused", "empty"])
def test_a_portal_without_custom_objects_says_what_it_can_have(answer: str) -> None:
    """Each other object with what it costs; which one is a person's choice."""
    activated = frozenset({"projects"})
    with portal_with("custom", activated=activated, schemas_below_enterprise=answer, max_properties=5) as harness:
        (obstacle,) = harness.talk(schema).obstacles
        assert isinstance(obstacle, Obstacle)
        assert obstacle.detail == "this portal has no custom objects, which need Enterprise"
        assert "HUBSPOT_OBJECT=services, projects or tickets" in obstacle.remedy
        assert "9 properties and a pipeline of ours, and links without labels" in obstacle.remedy
        services, projects, tickets = obstacle.remedy.partition(". ")[2].split("; ")
        assert services == "services: to be activated in HubSpot's settings first, room for 5 properties only"
        assert projects == "projects: activated, room for 5 properties only"
        assert "our records count in reports and views of support tickets" in tickets
        with pytest.raises(ConfigurationError, match="nothing was created"):
            harness.talk(set_up)


def test_a_portal_with_custom_objects_has_no_obstacle() -> None:
    """It only lacks ours."""
    with portal_with("custom", plan="enterprise") as harness:
        live = harness.talk(schema)
        assert (live.object_present, live.obstacles) == (False, ())


def test_a_property_that_the_object_requires_is_named() -> None:
    """Only those that no record of ours has: its name and its stage are given."""
    with portal_with(plan="enterprise") as harness:
        harness.talk(set_up)
        services = harness.portal.objects["services"]
        services.schema.set({"labels": {}, "requiredProperties": ["hs_name", "hs_pipeline_stage", "hs_owner"]}, 0.0)
        lines = problems(harness.talk(schema))
        assert len(lines) == 1
        assert "wish.hs_owner: the portal requires a value" in lines[0]
