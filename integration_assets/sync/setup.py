"""Create what is missing in a portal: object, property group, properties, link labels.

To properties of ours that exist, missing options are added, and help texts where nobody has written one; nothing else
that exists is ever changed. Schema reads lag behind schema writes, so that success is what reads back stably.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Literal

import msgspec

from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import ConfigurationError, HeldError, TransientError
from integration_assets.models import (
    LinkDefinition,
    LiveSchema,
    ObjectDefinition,
    PropertyAmendment,
    PropertyDefinition,
    PropertyGroup,
)
from integration_assets.sync.company_rollups import read_schema
from integration_assets.sync.drift import (
    RUN_SETUP,
    Severity,
    live_link,
    missing_options,
    target_problems,
    text_is_replaced,
    with_needed,
)

SETTLE_SECONDS = 360.0
"""Longest wait for the schema to read back: names of link labels were seen to lag by five minutes."""
POLL_SECONDS = 3.0
"""Between reads; the first ones come sooner, because most schemas read back within a second."""
SOONEST_POLL_SECONDS = 0.25
GOOD_READS = 2
"""Equal complete reads in a row that count as stable at the end: single reads were seen to flip between old and new. In
between, one read that shows what the next step builds on is enough."""

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]


class SetupStep(msgspec.Struct, frozen=True):
    """One thing to create, or to add to what is ours. `line` says it to a person."""

    kind: Literal["object", "group", "properties", "amendments", "link", "company properties"]
    line: str
    properties: tuple[PropertyDefinition, ...] = ()
    amendments: tuple[PropertyAmendment, ...] = ()
    link: LinkDefinition | None = None


def plan_setup(
    definition: ObjectDefinition,
    live: LiveSchema,
    archived_properties: Collection[str],
    rollups: PropertyGroup | None = None,
) -> list[SetupStep]:
    """The steps that lead from `live` to `definition`, in order; empty when nothing is missing.

    Raises:
        ConfigurationError: the object or a property of ours exists archived, the key exists without uniqueness, or the
            portal cannot have the object, or not all of it.
        HeldError: what exists is somebody else's, or is not as we need it, which `setup` never changes.
    """
    definition = with_needed(definition, live)
    _refuse(definition, live, archived_properties, rollups)
    steps = []
    have = {prop.name for prop in live.properties} if live.object_present else set()
    if not live.object_present:
        steps.append(SetupStep("object", f"create object {definition.name} ({definition.plural})"))
        have = {definition.display_property}  # comes with the object
    missing = tuple(prop for prop in definition.properties if prop.name not in have)
    group = [f"property group {definition.group} ({definition.group_label})"] if live.grouped else []
    if made := [*(group if missing or live.lacking else []), *live.lacking]:
        # before the properties, which name it
        steps.append(SetupStep("group", f"create {', '.join(made)}"))
    if missing:
        names = ", ".join(prop.name for prop in missing)
        steps.append(
            SetupStep("properties", f"create {len(missing)} {live.words.properties}: {names}", properties=missing)
        )
    steps += _amendment_steps(definition, live)
    for link in definition.links if live.unlabelled is None else ():
        if not live.object_present or live_link(live, link) is None:
            line = f"create link label {link.name} to {link.target} ({link.label} / {link.inverse_label})"
            steps.append(SetupStep("link", line, link=link))
    return steps + _rollup_steps(rollups, live)


def _amendment_steps(definition: ObjectDefinition, live: LiveSchema) -> list[SetupStep]:
    have = {prop.name: prop for prop in live.properties if prop.amendable and not prop.archived}
    there = [(wanted, have[wanted.name]) for wanted in definition.properties if wanted.name in have]
    steps = []
    for wanted, prop in there:
        if lacking := missing_options(wanted, prop):
            options = tuple((value, label) for value, label in wanted.options if value in lacking)
            line = f"add options to {wanted.name}: {', '.join(lacking)}"
            steps.append(SetupStep("amendments", line, amendments=(PropertyAmendment(wanted.name, options),)))
    texts = tuple(
        PropertyAmendment(wanted.name, description=wanted.description, replaces=prop.description or "")
        for wanted, prop in there
        if text_is_replaced(wanted, prop)
    )
    if texts:
        names = ", ".join(one.name for one in texts)
        line = f"write the help text, which is empty or of an earlier version, of: {names}"
        steps.append(SetupStep("amendments", line, amendments=texts))
    return steps


def _rollup_steps(group: PropertyGroup | None, live: LiveSchema) -> list[SetupStep]:
    # None: the CRM has no place for them
    if group is None or live.rollups is None:
        return []
    have = {prop.name for prop in live.rollups}
    missing = tuple(prop for prop in group.properties if prop.name not in have)
    names = ", ".join(prop.name for prop in missing)
    in_group = f", in a group {group.name}" if live.grouped else ""
    line = f"create {len(missing)} {live.words.properties} of {live.words.companies}{in_group}: {names}"
    return [SetupStep("company properties", line, properties=missing)] if missing else []


def _refuse(
    definition: ObjectDefinition,
    live: LiveSchema,
    archived_properties: Collection[str],
    rollups: PropertyGroup | None,
) -> None:
    if live.obstacles:
        what = "; ".join(f"{one.detail}: {one.remedy}" for one in live.obstacles)
        raise ConfigurationError(f"nothing was created in portal {live.portal.portal_id}: {what}")
    if live.object_archived and not live.object_present:
        raise ConfigurationError(
            f"object {definition.name} exists archived in portal {live.portal.portal_id}, "
            "creating it again would purge its records: restore it in the CRM, or delete it for good there"
        )
    ours = {prop.name for prop in definition.properties}
    archived = sorted(ours & ({*archived_properties} | {prop.name for prop in live.properties if prop.archived}))
    if archived:
        raise ConfigurationError(
            f"{live.words.properties} of {definition.name} exist archived and would come back with old values: "
            f"{', '.join(archived)}; restore or delete them in the CRM"
        )
    for prop in live.properties:
        if prop.name == definition.key_property and not prop.unique:
            raise ConfigurationError(
                f"{live.words.property} {prop.name} exists without unique values, which cannot be added later: "
                "delete it in the CRM, then run `setup` again"
            )
    _refuse_what_is_in_the_way(definition, live, rollups)


def _refuse_what_is_in_the_way(definition: ObjectDefinition, live: LiveSchema, rollups: PropertyGroup | None) -> None:
    """Nothing is added to an object that no sync could write to afterwards, or that is not ours."""
    problems = [
        drift
        for drift in target_problems(definition, live, link_contacts=True, rollups=rollups)
        # what this command mends itself is not in its way
        if drift.severity is Severity.ERROR and drift.remedy != RUN_SETUP
    ]
    if problems:
        reasons = tuple(drift.text for drift in problems)
        raise HeldError(f"nothing was created in portal {live.portal.portal_id}: {'; '.join(reasons)}", reasons=reasons)


def differences(definition: ObjectDefinition, live: LiveSchema) -> list[str]:
    """List what is not as declared and can still be written, one line each."""
    drifts = target_problems(definition, live, link_contacts=True)
    # what `setup` mends is among its steps
    return [drift.text for drift in drifts if drift.severity is Severity.WARN and drift.remedy != RUN_SETUP]


async def apply_setup(
    crm: Crm,
    definition: ObjectDefinition,
    steps: Sequence[SetupStep],
    *,
    sleep: Sleep,
    clock: Clock,
    on_step: Callable[[SetupStep], None] = lambda _: None,
    rollups: PropertyGroup | None = None,
) -> None:
    """Carry out `steps` and return once the portal reads back complete, twice the same.

    `clock` counts seconds and never goes back. `on_step` is called before each step.

    Raises:
        TransientError: not stable within `SETTLE_SECONDS`; running again goes on where it stands.
    """
    if not steps:
        return
    # one for all steps: the limit is on the whole setup
    deadline = clock() + SETTLE_SECONDS
    for step in steps:
        on_step(step)
        await _carry_out(crm, definition, step, rollups)
        if step.kind == "object":  # what follows needs the object to be found by name
            await _until(crm, definition, _object_there, reads=1, deadline=deadline, sleep=sleep, clock=clock)
        if step.kind == "properties":
            await _until(crm, definition, _properties_there, reads=1, deadline=deadline, sleep=sleep, clock=clock)
    complete = partial(_complete, rollups, {one.name for step in steps for one in step.amendments})
    await _until(
        crm,
        definition,
        complete,
        reads=GOOD_READS,
        deadline=deadline,
        sleep=sleep,
        clock=clock,
        rollups=rollups is not None,
    )


async def _carry_out(crm: Crm, definition: ObjectDefinition, step: SetupStep, rollups: PropertyGroup | None) -> None:
    if step.kind == "object":
        await crm.create_object(definition)
    elif step.kind == "group":
        await crm.create_group(definition)
    elif step.kind == "properties":
        await crm.create_properties(definition, step.properties)
    elif step.kind == "amendments":
        # a step of this kind is only made where the CRM says that properties may be amended
        if crm.property_amendments is not None:
            await crm.property_amendments.amend(definition, step.amendments)
    elif step.kind == "company properties":
        # a step of this kind is only made where both are there
        if crm.company_writes is not None and rollups is not None:
            await crm.company_writes.create(rollups, step.properties)
    elif step.link is not None:
        await crm.create_link(definition, step.link)


def _object_there(_definition: ObjectDefinition, live: LiveSchema) -> bool:
    return live.object_present


def _properties_there(definition: ObjectDefinition, live: LiveSchema) -> bool:
    have = {prop.name for prop in live.properties}
    wanted = with_needed(definition, live).properties
    return live.object_present and all(prop.name in have for prop in wanted)


def _complete(
    rollups: PropertyGroup | None, amended: Collection[str], definition: ObjectDefinition, live: LiveSchema
) -> bool:
    # Where there are no labels, none was made and none is waited for.
    labelled = live.unlabelled is not None or all(live_link(live, link) for link in definition.links)
    # Of those that were amended alone: a property that came into our group just now may have no help text yet.
    steps = _amendment_steps(with_needed(definition, live), live)
    left = {one.name for step in steps for one in step.amendments if one.name in amended}
    waiting = live.lacking or left or _rollup_steps(rollups, live)
    return _properties_there(definition, live) and labelled and not waiting


async def _until(
    crm: Crm,
    definition: ObjectDefinition,
    good: Callable[[ObjectDefinition, LiveSchema], bool],
    *,
    reads: int,
    deadline: float,
    sleep: Sleep,
    clock: Clock,
    rollups: bool = False,
) -> None:
    previous: LiveSchema | None = None
    streak = misses = 0
    while True:
        live = await read_schema(crm, definition, (), rollups=rollups)
        fine = good(definition, live)
        # complete, but not as read before: still flipping, so that counting begins anew
        streak = (streak + 1 if live == previous else 1) if fine else 0
        previous = live if fine else None
        if streak >= reads:
            return
        # the second equal read is worth more a while later; an incomplete one is asked again soon
        wait = POLL_SECONDS if fine else min(POLL_SECONDS, SOONEST_POLL_SECONDS * 2**misses)
        misses += 1
        # before the wait: once it cannot succeed any more, nobody has to sit it out
        if clock() + wait > deadline:
            raise TransientError(
                f"the schema of portal {live.portal.portal_id} did not read back stably within "
                f"{SETTLE_SECONDS / 60:.0f} minutes: run `setup` again"
            )
        await sleep(wait)
