"""Bad plans that must be held, and good ones that must pass: each made by what happens to a world between two syncs.

Every plan is the whole command on real servers. A bad plan counts as held when the command ends with exit 3, names the
limit that was passed, and the portals' own logs show no request that can change them. A good one, many of them
exactly at a limit, counts as passed when the command ends with exit 0, and the run after it has nothing to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb

from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.guard_world import COMPANIES, REQUESTS, Events, guard_snapshots
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.snapshots import Snapshot, copy_of

HELD, PASSED = 3, 0
NEVER_SYNCED = ("first_apply", "first apply to a sandbox", "first apply, approved")
"""Cases that begin before the first sync."""


@dataclass(frozen=True)
class Case:
    """One plan. `reason` is the first word of the guard's reason a bad plan must give; None: a good plan."""

    name: str
    happens: Callable[[Events], object]
    reason: str | None = None
    environment: str = "sandbox"
    variables: tuple[tuple[str, str], ...] = ()


def bad_plans() -> list[Case]:
    """Thirty plans no machine should carry out by itself."""
    return [
        Case("every request gone", lambda now: now.delete_requests(REQUESTS), "requests_empty"),
        Case("13 requests gone", lambda now: now.delete_requests(13), "requests_shrank"),
        Case("25 requests gone", lambda now: now.delete_requests(25), "requests_shrank"),
        Case("every vote gone", lambda now: now.take_all_back(), "votes_empty"),
        Case("73 votes gone", lambda now: now.take_back(73, personal=True), "votes_shrank"),
        Case("110 votes gone", lambda now: now.take_back(110, personal=True), "votes_shrank"),
        Case("every company gone", lambda now: now.archive_companies(COMPANIES), "companies_empty"),
        Case("13 companies gone", lambda now: now.archive_companies(13), "companies_shrank"),
        Case("20 companies gone", lambda now: now.archive_companies(20), "companies_shrank"),
        Case("11 records to retire", lambda now: now.delete_requests(11), "retirements"),
        Case("12 records to retire", lambda now: now.delete_requests(12), "retirements"),
        Case("a large board excluded", _nothing, "retirements", variables=(("CANNY_EXCLUDE_BOARDS", "Bugs"),)),
        Case("13 labels to take off", lambda now: now.take_back(13, personal=False), "unlinks"),
        Case("30 labels to take off", lambda now: now.take_back(30, personal=False), "unlinks"),
        Case("51 new requests", lambda now: now.new_requests(51), "creates"),
        Case("80 new requests", lambda now: now.new_requests(80), "creates"),
        Case("51 titles changed", lambda now: now.edit("title", 51), "title_changes"),
        Case("60 titles changed", lambda now: now.edit("title", 60), "title_changes"),
        Case("51 texts changed", lambda now: now.edit("details", 51), "details_changes"),
        Case("51 categories changed", lambda now: now.edit("category_id", 51), "category_changes"),
        Case("51 statuses changed", lambda now: now.change_status(51), "status_changes"),
        Case("all boards renamed", lambda now: now.rename_boards("Features", "Bugs", "Ideas"), "board_changes"),
        Case("all addresses changed", lambda now: _move(now.world), "url_changes"),
        Case("ARR up by 40 %", lambda now: now.set_arr(COMPANIES, 1_400), "arr_moved"),
        Case("ARR down by 40 %", lambda now: now.set_arr(COMPANIES, 600), "arr_moved"),
        Case("ARR of 12 companies tenfold", lambda now: now.set_arr(12, 10_000), "arr_moved"),
        Case("64 votes of strangers", lambda now: now.strangers_vote(64), "unmatched_rose"),
        Case("first apply to production", _nothing, "first_apply", environment="production"),
        Case("another field mapping", _earlier_mapping, "mapping_changed"),
        Case(
            "more calls than the budget",
            lambda now: now.new_requests(40),
            "budget",
            variables=(("INTEGRATION_ASSETS_CALL_BUDGET", "2"),),
        ),
    ]


def good_plans() -> list[Case]:
    """Thirty plans that must not wait for anybody."""
    ordinary = [Case(f"an ordinary day {number}", _ordinary) for number in range(7)]
    return [
        *ordinary,
        Case("nothing happened", _nothing),
        Case("10 requests deleted", lambda now: now.delete_requests(10)),
        Case("4 requests deleted", lambda now: now.delete_requests(4)),
        Case("12 requests merged", lambda now: now.merge_requests(12)),
        Case("a small board excluded", _nothing, variables=(("CANNY_EXCLUDE_BOARDS", "Ideas"),)),
        Case("72 votes taken back", lambda now: now.take_back(72, personal=True)),
        Case("30 votes taken back", lambda now: now.take_back(30, personal=True)),
        Case("12 labels taken off", lambda now: now.take_back(12, personal=False)),
        Case("8 companies deleted", lambda now: now.archive_companies(8)),
        Case("50 new requests", lambda now: now.new_requests(50)),
        Case("20 new requests", lambda now: now.new_requests(20)),
        Case("50 titles changed", lambda now: now.edit("title", 50)),
        Case("50 texts changed", lambda now: now.edit("details", 50)),
        Case("50 categories changed", lambda now: now.edit("category_id", 50)),
        Case("50 statuses changed", lambda now: now.change_status(50)),
        Case("boards of 50 requests renamed", lambda now: now.rename_boards("Features", "Bugs")),
        Case("ARR up by 30 %", lambda now: now.set_arr(COMPANIES, 1_300)),
        Case("ARR down by 30 %", lambda now: now.set_arr(COMPANIES, 700)),
        Case("ARR of 9 companies a hundredfold", lambda now: now.set_arr(9, 100_000)),
        Case("63 votes of strangers", lambda now: now.strangers_vote(63)),
        Case("400 votes of colleagues", lambda now: now.colleagues_vote(400)),
        Case("first apply to a sandbox", _nothing),
        Case("first apply, approved", _approve_production, environment="production"),
    ]


def _nothing(_now: Events) -> None:
    pass


def _ordinary(now: Events) -> None:
    """A little of everything."""
    draw = now.random.randint
    now.delete_requests(draw(0, 3))
    now.new_requests(draw(1, 10))
    now.edit("title", draw(0, 12))
    now.change_status(draw(0, 12))
    now.take_back(draw(0, 6), personal=False)
    now.take_back(draw(0, 12), personal=True)
    now.colleagues_vote(draw(0, 40))
    now.strangers_vote(draw(0, 10))
    now.set_arr(draw(0, 5), draw(500, 3_000))


def _move(world: World) -> None:
    world.canny.subdomain = "another-name"
    world.canny.version += 1


def _earlier_mapping(now: Events) -> None:
    """What the store would say had an earlier version applied its own mapping; something is there to be written."""
    now.edit("title", 1)
    with duckdb.connect(now.world.home / "staging" / "sandbox" / "default.duckdb") as store:
        store.execute("UPDATE sync.plans SET mapping_version = 'of an earlier version'")


def _approve_production(now: Events) -> None:
    """A person released the plan that was held."""
    held = now.world.run("sync", "--environment", "production", json_file=True)
    if held.code == HELD:
        now.world.run("approve", held.summary["plan"]["hash"], "--environment", "production", "--by", "kim")


def try_case(case: Case, seed: int, start: Snapshot) -> str | None:
    """Make the plan of a case; None when it went as it must, else what went otherwise."""
    with copy_of(start) as world:
        case.happens(Events(world, f"{case.name}/{seed}"))
        world.forget_requests()
        ran = world.run("sync", "--environment", case.environment, json_file=True, **dict(case.variables))
        writes = len(world.writes()) + len(world.writes("production"))
        reasons = [reason.partition(":")[0] for reason in (ran.summary or {"plan": {"reasons": []}})["plan"]["reasons"]]
        if case.reason is not None:
            as_it_must = ran.code == HELD and case.reason in reasons and writes == 0
            return None if as_it_must else f"exit {ran.code}, reasons {reasons}, {writes} write requests"
        if ran.code != PASSED:
            return f"exit {ran.code}, reasons {reasons}"
        world.forget_requests()
        again = world.run("sync", "--environment", case.environment, json_file=True, **dict(case.variables))
        writes = len(world.writes()) + len(world.writes("production"))
        return None if (again.code, writes) == (PASSED, 0) else f"exit {again.code} and {writes} writes a run later"


@proof("guard", "figures", "Plans no machine should carry out are held, and ordinary ones pass.")
def measure(scale: Scale) -> Iterator[Row]:
    """Bad plans held and good plans passed; a plan that went wrong is named."""
    with (
        records_in_memory(),
        guard_snapshots() as (ready, synced),
    ):
        for kind, wanted, cases in (
            ("bad plans held, with no write request", "held", bad_plans()),
            ("good plans passed, with nothing to write a run later", "passed", good_plans()),
        ):
            wrong = []
            for case in cases:
                never_synced = case.environment == "production" or case.name in NEVER_SYNCED
                if problem := try_case(case, scale.seed, ready if never_synced else synced):
                    wrong.append(f"{case.name}: {problem}")
            named = f" ({'; '.join(wrong)})" if wrong else ""
            result = f"{len(cases) - len(wrong)} of {len(cases)} {wanted}{named}"
            yield Row(f"guard, {kind}", result, f"{len(cases)} of {len(cases)}", not wrong)
