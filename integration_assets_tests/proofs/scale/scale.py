"""Many tenants on one, two and four workers: what it brings, what it costs, and that every tenant is synced once.

Workers are processes of one machine with a home each, as several hosts have, and one PostgreSQL between them; Celery
and Dagster's queue are loaded by `celery_load`. What was done is judged by the look-alikes' own logs and records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import median

from integration_assets.sandbox.canny.limits import PRO
from integration_assets.sandbox.hubspot.options import RateLimits
from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets.sync.feature_request_object import MANAGED_STATE
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.proofs.scale.fleet import Phase, Size, phase, shape_of, written
from integration_assets_tests.proofs.scale.worker import Try
from integration_assets_tests.support.crm_state import CrmState
from integration_assets_tests.support.harness import World

SIZE: Size = (30, 300, 100)
WORKERS = (1, 2, 4)
TROUBLED_WORKERS = 3
FEWEST_MEASURED = 12
"""With fewer tenants than this only the troubled phase is run: a rate of four tenants says nothing."""
SHAPES = 2
"""Different worlds that the tenants are copies of."""
REFUSED = 75
MORE_PER_INTERRUPTION = 1
"""Write requests that a run may send again because it cannot know whether the one on its way had arrived."""


@proof(
    "scale",
    "figures",
    "Tenants on several workers are synced once each, through kills and an outage of PostgreSQL.",
    whole=12,
    small=4,
    unit="tenants",
    alone=True,
)
def measure(scale: Scale) -> Iterator[Row]:
    """The calm phases where there are tenants enough, and always the troubled one."""
    counts = WORKERS if scale.count >= FEWEST_MEASURED else ()
    yield from rows(run(scale.count, SIZE, counts, scale.seed))


def run(tenants: int, size: Size, counts: Iterable[int], seed: int) -> Iterator[Phase]:
    """A calm phase for each number of workers, then the troubled one."""
    # Every two tenants share a workspace, and with it the world they are copies of.
    shapes = [shape_of(size, seed + number) for number in range(SHAPES if tenants >= FEWEST_MEASURED else 1)]
    for workers in counts:
        yield phase(shapes, tenants, workers, seed)
    yield phase(shapes, tenants, TROUBLED_WORKERS, seed, trouble=True)


def rows(phases: Iterable[Phase]) -> Iterator[Row]:
    """What of each phase must hold: the work, the limits, and what the trouble left."""
    for one in phases:
        yield from rows_of(one)


def rows_of(one: Phase) -> Iterator[Row]:
    """The rows of one phase."""
    yield _work(one)
    yield limits_row(one, _named(one))
    if one.killed is not None:
        yield _survived(one)


HEAD = (
    "workers | tenants a minute | efficiency | s a run | refused by the lock | s lost to it | peak MB a run "
    "| KB of database a run"
)


def line(one: Phase, alone: float) -> str:
    """A phase as a line of the table below `HEAD`; `alone` is what one worker does a minute."""
    lost, ended = _refused(one), _ended_well(one)
    cells = (
        _named(one),
        f"{rate(one):.1f}",
        f"{rate(one) / one.workers / alone:.0%}",
        f"{median(t.seconds for t in ended) if ended else 0:.1f}",
        f"{len(lost)}",
        f"{sum(t.seconds for t in lost):.0f}",
        f"{_peak(one):.0f}",
        f"{_database(one):.1f}",
    )
    return " | ".join(cells)


def rate(one: Phase) -> float:
    """Tenants a minute."""
    return len(one.worlds) / one.seconds * 60


def wrongs(one: Phase) -> dict[str, str]:
    """Tenants that are not as one sync leaves them, with what is wrong."""
    return {tenant: said for tenant in one.worlds if (said := wrong(one, tenant))}


def wrong(one: Phase, tenant: str) -> str:
    """What is not as one sync leaves it; empty: all is."""
    world, shape, state = one.worlds[tenant], one.shapes[tenant], one.states[tenant]
    expected = _for_tenant(shape.state, tenant)
    if sum(t.code == 0 for t in one.tries if t.tenant == tenant) == 0:
        return "no run ended well"
    missing, more = expected.records.keys() - state.records.keys(), state.records.keys() - expected.records.keys()
    if missing or more:
        return f"{len(missing)} records missing, {len(more)} too many"
    stored = world.portal.records(world.object_name)
    if len(stored) != len(state.records):
        return f"{len(stored)} records of {len(state.records)} keys"
    if state != expected:
        return _difference(state, expected)
    interrupted = sum(_interrupted(one, t) for t in one.tries if t.tenant == tenant)
    most = shape.writes + interrupted * MORE_PER_INTERRUPTION
    sent = len(written(world))
    return f"{sent} write requests, one sync takes {shape.writes}" if sent > most else ""


def busiest(requests: Iterable[LoggedRequest], window: float) -> int:
    """The most requests that arrived within any `window` seconds."""
    moments = sorted(request.at for request in requests)
    most = begin = 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - window:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def _difference(state: CrmState, expected: CrmState) -> str:
    """How many records and links are not those of one sync, and in which properties."""
    differing = {
        (key, name)
        for key, values in expected.records.items()
        for name, value in values.items()
        if state.records[key].get(name) != value
    }
    links = sum(state.links[key] != of_key for key, of_key in expected.links.items())
    names = ", ".join(sorted({name for _, name in differing})[:3])
    return f"{len({key for key, _ in differing})} records differ from those of one sync ({names}), {links} in links"


def _for_tenant(state: CrmState, tenant: str) -> CrmState:
    """What the sync of the tenant `default` left, as this tenant's would be: each record names its tenant."""
    records = {
        key: {**values, MANAGED_STATE: (values[MANAGED_STATE] or "").replace("tenant:default", f"tenant:{tenant}")}
        for key, values in state.records.items()
    }
    return state._replace(records=records)


def _work(one: Phase) -> Row:
    found, of = wrongs(one), len(one.worlds)
    bad_codes = sorted({t.code for t in one.tries if t.code not in (0, REFUSED, None)})
    lost, ended = _refused(one), _ended_well(one)
    said = "; ".join(f"{tenant}: {what}" for tenant, what in list(found.items())[:3])
    return Row(
        f"{of} tenants on {_named(one)}",
        f"{of - len(found)}/{of} synced once and right",
        f"{of}/{of}, runs end 0 or {REFUSED}",
        not found and of > 0 and not bad_codes,
        f"in {one.seconds:.0f} s, {rate(one):.1f} a minute; {len(ended)} runs ended well, "
        f"at most {_peak(one):.0f} MB, {_database(one):.1f} KB of database each; "
        f"{len(lost)} ended {REFUSED}, {sum(t.seconds for t in lost):.0f} s lost to them"
        + (f"; other exit codes: {bad_codes}" if bad_codes else "")
        + (f"; {said}" if said else ""),
        one.seconds,
    )


def limits_row(one: Phase, named: str) -> Row:
    """By what the look-alikes refused, and by the moments in their logs."""
    workspaces: Mapping[int, World] = {id(world.sandbox.canny): world for world in one.worlds.values()}
    canny = [world.sandbox.canny.requests for world in workspaces.values()]
    crm = [world.lookalike().requests for world in one.worlds.values()]
    refused = sum(request.status == 429 for requests in (*canny, *crm) for request in requests)
    second, minute = (max(busiest(requests, window) for requests in canny) for window in (1, 60))
    ten = max(busiest(requests, 10) for requests in crm)
    most = RateLimits().ten_secondly
    return Row(
        f"limits of {len(canny)} shared keys and {len(crm)} portals on {named}",
        f"{refused} calls of {sum(map(len, (*canny, *crm)))} refused",
        "none",
        refused == 0,
        f"Canny at most {second} of {PRO.per_second} in any second and {minute} of {PRO.per_minute} in any minute, "
        f"HubSpot {ten} of {most} in any ten seconds",
    )


def _survived(one: Phase) -> Row:
    """The killed worker's tenant was done by another, and what ran when PostgreSQL went was done after it was back."""
    assert one.killed is not None
    assert one.outage is not None
    worker, tenant = one.killed
    after = [t for t in one.tries if t.tenant == tenant and t.code == 0 and t.worker != worker]
    gone, back = one.outage
    hit = {t.tenant for t in one.tries if t.code == REFUSED and t.began < back and t.ended > gone}
    mended = {t.tenant for t in one.tries if t.code == 0 and t.ended > back}
    finished = sum((bool(after), bool(mended), hit <= {t.tenant for t in _ended_well(one)}))
    waited = f"{after[0].ended - one.killed_at:.0f} s" if after else "never"
    return Row(
        "a worker killed in the middle of a write; PostgreSQL stopped and started",
        f"{finished}/3: another worker took its tenant, runs ended well afterwards, none stayed behind",
        "3/3",
        finished == 3,
        f"its tenant was done {waited} after the kill, the outage included; {back - gone:.0f} s without PostgreSQL, "
        f"{len(hit)} tenants' runs ended {REFUSED} in it",
    )


def _refused(one: Phase) -> list[Try]:
    return [t for t in one.tries if t.code == REFUSED]


def _ended_well(one: Phase) -> list[Try]:
    return [t for t in one.tries if t.code == 0]


def _named(one: Phase) -> str:
    workers = "1 worker" if one.workers == 1 else f"{one.workers} workers"
    return workers + (", one killed, PostgreSQL away" if one.killed else "")


def _peak(one: Phase) -> float:
    """Megabytes that a run held at most."""
    return max((t.memory for t in _ended_well(one)), default=0) / 1e6


def _database(one: Phase) -> float:
    """Kilobytes by which a run let the database grow."""
    return (one.bytes_after - one.bytes_before) / 1e3 / max(1, len(_ended_well(one)))


def _interrupted(one: Phase, run: Try) -> bool:
    """Whether a run may have ended in the middle of its writing: it was killed, or PostgreSQL went away meanwhile."""
    if run.code is None:
        return True
    return one.outage is not None and run.code == REFUSED and run.began < one.outage[1] and run.ended > one.outage[0]
