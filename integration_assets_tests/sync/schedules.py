"""Every pair of crashes: killed around a write, and killed again around a write of the run that mends it.

A crash is before or after the effect of a write, so a run of n writes has 2n places to die at. All places of the first
run are combined with all places of the second, however many that one has; the third run is left alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from integration_assets_tests.sync.fake_crm import FakeCrm, Killed, killed_at
from integration_assets_tests.sync.world import Request, World, new_store

WHENS = ("before", "after")
PEOPLE = ("ann", "bob", "cid", "dee", "eve")
COMPANIES = ("acme", "bolt", "cove", None)
MEMORY = ("plans", "plan_operations", "plan_companies", "ledger", "field_bases", "baselines", "quarantine")
"""Tables of the schema `sync` that a run leaves something in."""

State = tuple[dict[str, dict[str, str]], set[tuple[str, str, str, str]]]


class Crash(NamedTuple):
    """Around which write of a run, counted from 1, and on which side of its effect."""

    number: int
    when: str


@dataclass(frozen=True)
class Result:
    """What two crashes led to. `second` is None when the second run had fewer writes than that, and so ended well."""

    first: Crash
    second: Crash | None
    duplicates: int
    lost: int
    left_to_do: int


class Kept(NamedTuple):
    """A world at one moment."""

    crm: FakeCrm
    now: datetime
    memory: dict[str, pa.Table]


class Stage:
    """A store and a CRM that can be put back to where they were."""

    def __init__(self, before: Mapping[str, Request], after: Mapping[str, Request], batch: int) -> None:
        crm = FakeCrm(records_per_write=batch, pairs_per_write=batch, pairs_per_removal=batch)
        self.world = World(new_store(), crm, {**before}, {name: f"c-{name}" for name in PEOPLE}, loaded={})
        if before:
            self.world.sync()
        self.world.requests, crm.writes = {**after}, 0
        self.start = self.keep()
        self.world.sync()
        self.expected, self.writes = self.world.crm.state(), self.world.crm.writes

    def keep(self) -> Kept:
        """The world as it is now."""
        connection = self.world.connection
        memory = {name: connection.sql(f"SELECT * FROM sync.{name}").to_arrow_table() for name in MEMORY}
        return Kept(copy.deepcopy(self.world.crm), self.world.now, memory)

    def put_back(self, kept: Kept) -> World:
        """The world as it was."""
        connection = self.world.connection
        for name, rows in kept.memory.items():
            connection.execute(f"DELETE FROM sync.{name}")
            connection.register("remembered", rows)
            connection.execute(f"INSERT INTO sync.{name} SELECT * FROM remembered")
            connection.unregister("remembered")
        self.world.crm, self.world.now = copy.deepcopy(kept.crm), kept.now
        return self.world


def crash(world: World, place: Crash) -> bool:
    """Run until the crash; whether there was one."""
    world.crm.fault = killed_at(world.crm.writes + place.number, place.when)
    try:
        world.apply(world.plan(), in_flight=1)
    except Killed:
        return True
    finally:
        world.crm.fault = lambda _number, _moment: None
    return False


def places() -> Iterator[Crash]:
    """All places to die at, without end."""
    number = 0
    while True:
        number += 1
        for when in WHENS:
            yield Crash(number, when)


def every_pair(stage: Stage) -> Iterator[Result]:
    """The results of all pairs. After a first crash, the first second place that is not reached is the last."""
    for first in places():
        if first.number > stage.writes:
            return
        if not crash(stage.put_back(stage.start), first):
            raise RuntimeError(f"write {first.number} was never made")
        crashed = stage.keep()
        for second in places():
            world = stage.put_back(crashed)
            died_again = crash(world, second)
            world.sync()
            yield _result(world, stage.expected, first, second if died_again else None)
            if not died_again:
                break


def _result(world: World, expected: State, first: Crash, second: Crash | None) -> Result:
    live = [record.key for record in world.crm.records.values() if not record.archived]
    twice = len(live) - len(set(live))
    if twice:
        return Result(first, second, twice, 0, 0)
    (values, links), (wanted_values, wanted_links) = world.crm.state(), expected
    lost = {key for key, fields in wanted_values.items() if _timeless(values.get(key, {})) != _timeless(fields)}
    surplus = values.keys() - wanted_values.keys()
    return Result(
        first,
        second,
        len(surplus) + len(links - wanted_links),
        len(lost) + len(wanted_links - links),
        world.plan().operations,
    )


def _timeless(fields: Mapping[str, str]) -> dict[str, str]:
    """Values without the moment of a retirement, and without its digest: runs at different times differ in it."""
    state = " ".join(one for one in fields.get("managed_state", "").split() if not one.startswith("retired_at:"))
    return {**{name: value for name, value in fields.items() if name != "retired_at"}, "managed_state": state}


def requests(count: int, *, shifted: int = 0, **changes: str) -> dict[str, Request]:
    """Requests with two voters each; `shifted` moves the votes on to other people and companies."""
    return {
        f"r{number}": Request(
            f"Request {number}",
            author=PEOPLE[number % len(PEOPLE)],
            votes=tuple(
                (PEOPLE[(number + vote + shifted) % len(PEOPLE)], COMPANIES[(number + vote + shifted) % len(COMPANIES)])
                for vote in range(2)
            ),
            arr="10.50",
            **changes,
        )
        for number in range(count)
    }


def a_day_later(count: int) -> dict[str, Request]:
    """Some requests are gone, some new, the others have other votes and another status."""
    return {key: one for key, one in requests(count, shifted=1, status="planned").items() if key != "r0"}
