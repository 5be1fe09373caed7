"""Creating what is missing in a portal."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import msgspec
import pytest

from integration_assets.errors import ConfigurationError, TransientError
from integration_assets.models import (
    LiveSchema,
    ObjectDefinition,
    Obstacle,
    Portal,
    PortalKind,
    PropertyDefinition,
    PropertyKind,
)
from integration_assets.sync.drift import target_problems
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.setup import SETTLE_SECONDS, SetupStep, apply_setup, plan_setup
from integration_assets_tests.sync.fake_crm import FakeCrm, live_property

MARKER = PropertyDefinition("marker", "Marker", PropertyKind.TEXT)
EMPTY = LiveSchema(Portal("1", PortalKind.SANDBOX), False, False, (), (), ())


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def carry_out(crm: FakeCrm, steps: list[SetupStep]) -> tuple[Clock, list[str]]:
    clock = Clock()
    done: list[str] = []
    asyncio.run(
        apply_setup(
            crm,
            FEATURE_REQUEST,
            steps,
            sleep=clock.sleep,
            clock=clock,
            on_step=lambda step: done.append(step.kind),
        )
    )
    return clock, done


def schema(crm: FakeCrm) -> LiveSchema:
    return asyncio.run(crm.schema(FEATURE_REQUEST, ()))


def test_an_empty_portal_gets_everything():
    """Object, group, properties, links, in this order, each with a line; afterwards nothing is missing."""
    crm = FakeCrm()
    steps = plan_setup(FEATURE_REQUEST, schema(crm), ())
    assert [step.kind for step in steps] == ["object", "group", "properties", "link", "link", "link"]
    assert "feature_request_key" in steps[2].line
    clock, done = carry_out(crm, steps)
    assert done == [step.kind for step in steps]
    assert clock.seconds < 30
    live = schema(crm)
    assert target_problems(FEATURE_REQUEST, live, link_contacts=True) == []
    assert plan_setup(FEATURE_REQUEST, live, ()) == []


def test_only_what_is_missing_is_created():
    """What exists is left as it is."""
    crm = FakeCrm(objects=True)
    crm.properties = {
        prop.name: live_property(prop) for prop in FEATURE_REQUEST.properties if prop.name not in {"url", "board"}
    }
    crm.properties["status"] = msgspec.structs.replace(crm.properties["status"], field_type="drawn otherwise")
    crm.labels = {link.name: link for link in FEATURE_REQUEST.links[:2]}
    steps = plan_setup(FEATURE_REQUEST, schema(crm), ())
    assert [step.line for step in steps] == [
        "create property group feature_request_sync (Feature request sync)",
        "create 2 properties: url, board",
        "create link label author to contact (Author / Author of)",
    ]
    carry_out(crm, steps)
    assert crm.properties["status"].field_type == "drawn otherwise"


def test_nothing_missing_asks_nothing():
    """Without steps the portal is not even read."""
    crm = FakeCrm()
    carry_out(crm, [])
    assert crm.calls == []


def test_it_waits_until_reads_agree():
    """Link labels that show late are waited for."""
    crm = FakeCrm()
    steps = plan_setup(FEATURE_REQUEST, EMPTY, ())
    crm.schema_lag = 30
    clock, _ = carry_out(crm, steps)
    assert 30 < clock.seconds < SETTLE_SECONDS


def test_it_gives_up_after_six_minutes():
    """A portal that never reads back is one to try again."""
    crm = FakeCrm(schema_lag=10_000)
    with pytest.raises(TransientError, match="6 minutes"):
        carry_out(crm, plan_setup(FEATURE_REQUEST, EMPTY, ()))


@pytest.mark.parametrize(
    ("live", "archived", "words"),
    [
        (msgspec.structs.replace(EMPTY, object_archived=True), (), "exists archived"),
        (EMPTY, ("votes", "theirs"), "old values: votes;"),
        (
            msgspec.structs.replace(
                EMPTY,
                object_present=True,
                properties=(msgspec.structs.replace(live_property(FEATURE_REQUEST.properties[0]), unique=False),),
            ),
            (),
            "without unique values",
        ),
    ],
)
def test_refusals(live: LiveSchema, archived: tuple[str, ...], words: str):
    """What cannot be created without damage is left to a person."""
    with pytest.raises(ConfigurationError, match=words):
        plan_setup(FEATURE_REQUEST, live, archived)


def test_archived_properties_of_others_are_none_of_ours():
    """Only our names count."""
    assert plan_setup(FEATURE_REQUEST, EMPTY, ("theirs",))


def test_what_the_connector_needs_is_created_with_the_rest():
    """A marker among the properties, other things with the group; without labels no link is made."""
    live = msgspec.structs.replace(
        EMPTY, object_present=True, needed_properties=(MARKER,), lacking=("pipeline Requests",), unlabelled="no labels"
    )
    steps = plan_setup(FEATURE_REQUEST, live, ())
    assert [step.kind for step in steps] == ["group", "properties"]
    assert steps[0].line.endswith("(Feature request sync), pipeline Requests")
    assert MARKER in steps[1].properties
    crm = Plain(objects=True)
    clock, done = carry_out(crm, steps)
    assert done == ["group", "properties"]
    assert clock.seconds < 30
    assert "marker" in crm.properties
    bare = msgspec.structs.replace(live, needed_properties=(), properties=schema_of_all().properties)
    assert [step.kind for step in plan_setup(FEATURE_REQUEST, bare, ())] == ["group"]


def test_a_crm_without_groups_of_properties_has_none_to_create():
    """What is lacking beside them is created all the same."""
    live = msgspec.structs.replace(EMPTY, grouped=False)
    kinds = [step.kind for step in plan_setup(FEATURE_REQUEST, live, ())]
    assert kinds == ["object", "properties", "link", "link", "link"]
    lacking = msgspec.structs.replace(live, lacking=("pipeline Requests",))
    (step,) = (one for one in plan_setup(FEATURE_REQUEST, lacking, ()) if one.kind == "group")
    assert step.line == "create pipeline Requests"


def test_an_obstacle_ends_setup_before_anything_is_made():
    """The line says what it is and what to do."""
    live = msgspec.structs.replace(EMPTY, obstacles=(Obstacle("services are not activated", "activate them"),))
    with pytest.raises(ConfigurationError, match="nothing was created in portal 1: services are not activated: acti"):
        plan_setup(FEATURE_REQUEST, live, ())


class Plain(FakeCrm):
    """A CRM without labels that needs a marker."""

    async def schema(self, definition: ObjectDefinition, company_properties: Collection[str]) -> LiveSchema:
        live = await super().schema(definition, company_properties)
        return msgspec.structs.replace(live, needed_properties=(MARKER,), unlabelled="no labels")


def schema_of_all() -> LiveSchema:
    properties = tuple(live_property(prop) for prop in FEATURE_REQUEST.properties)
    return msgspec.structs.replace(EMPTY, object_present=True, properties=properties)
