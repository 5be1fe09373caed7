"""What many tenants need, computed from what one tenant was measured to cost.

`measure` takes the figures anew. Calls and bytes are counted. Processor
seconds are of the processes that ran, so that other work on the machine moves them little; seconds by the clock are
taken from neither, but from the calls and how long one of them takes to be answered.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from benchmarks.world import is_write
from integration_assets.automation.run_history import MOST_RUNS
from integration_assets.sandbox.canny.limits import PRO
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.proofs.scale.fleet import Size
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.installation import Installation
from integration_assets_tests.support.postgresql import REGISTRY_URL, Postgresql, running_postgresql
from integration_assets_tests.support.snapshots import PROMPT, folder

TENANT = "measured"
RUNS_A_DAY, ASKS_A_DAY, KEPT_DAYS, KEPT_FILES = 6, 96, 30, 200
"""A sync every four hours, a look for changes every quarter of an hour, and how much is kept of runs."""
TRIALS_A_DAY = 2
"""Runs that try the credentials of a tenant: they need little, but their records are removed like all others."""
DAY = 86_400
CALL_SECONDS = 0.08
"""How long a call takes, one after the other: what `make bench` gives the look-alikes."""
BUSY = 0.6
"""Share of its time that a worker has work: runs do not come evenly."""
CONNECTIONS = 100
"""Of a PostgreSQL as it is installed."""
TICK_SECONDS, TICK_ASKED = 1.7, 33
"""A tick of the sensor that asks, and what one took: `make bench NAMES=idle_tenants`."""
ASK_PROCESSOR = 83 / 4_000
"""Processor seconds of asking one tenant, from an idle hour of a thousand."""


class Run(msgspec.Struct, frozen=True):
    """One run: calls of the feedback system and the CRM, writes among them, processor seconds, memory in bytes, and
    transactions of PostgreSQL."""

    feedback: int
    crm: int
    writes: int
    processor: float
    memory: int
    transactions: int


class Figures(msgspec.Struct, frozen=True):
    """One tenant. `connections` to PostgreSQL at once; bytes by what they are of, those of a run by the run."""

    size: Size
    first: Run
    unchanged: Run
    changed: Run
    connections: int
    store: int
    published: int
    report: int
    ending: int
    dagster: int
    database: int


FIGURES = Figures(
    size=(30, 300, 100),
    first=Run(feedback=12, crm=35, writes=4, processor=9.0, memory=349_532_160, transactions=248),
    unchanged=Run(feedback=26, crm=22, writes=0, processor=10.2, memory=408_584_192, transactions=197),
    changed=Run(feedback=26, crm=35, writes=3, processor=10.7, memory=441_061_376, transactions=247),
    connections=4,
    store=33_304_578,
    published=4_730_880,
    report=72_122,
    ending=19_126,
    dagster=1_606_148,
    database=12_026,
)
"""Of a machine with two processors (x86_64, Python 3.11) that others kept busy."""


@dataclass(frozen=True)
class Need:
    """What one part of an installation needs, as text by number of tenants, and what it is made of."""

    name: str
    of: tuple[str, ...]
    made_of: str


# -- what is computed


def needs(figures: Figures, tenants: Sequence[int]) -> Iterator[Need]:
    """The rows of the table: a day in which every second run finds something to write."""
    calm, busy = figures.unchanged, figures.changed

    def mean(name: str) -> float:
        return (float(getattr(calm, name)) + float(getattr(busy, name))) / 2

    def need(name: str, each: float, unit: str, made_of: str) -> Need:
        return Need(name, tuple(shown(each * number, unit) for number in tenants), made_of)

    per_second = RUNS_A_DAY / DAY
    length = mean("processor") + (mean("feedback") + mean("crm")) * CALL_SECONDS
    at_once = length * per_second / BUSY
    yield need("runs", per_second, "a second", f"{RUNS_A_DAY} a day of each tenant")
    yield need(
        "calls of feedback systems", mean("feedback") * per_second, "a second", "with its own limit for each key"
    )
    yield need("calls of CRMs", mean("crm") * per_second, "a second", f"{mean('writes'):.1f} writes a run")
    yield need("looks for changes", ASKS_A_DAY / DAY, "a second", "every 15 minutes, one tick for all that are due")
    yield need("processors for runs", mean("processor") * per_second / BUSY, "", f"{mean('processor'):.1f} s a run")
    yield need("processors for looking", ASK_PROCESSOR * ASKS_A_DAY / DAY, "", f"{ASK_PROCESSOR * 1e3:.0f} ms a look")
    yield need("runs at once", at_once, "", f"{length:.0f} s a run, {BUSY:.0%} of the time")
    yield need("memory of runs", at_once * max(calm.memory, busy.memory), "B", "as many at once")
    yield need("PostgreSQL, transactions", mean("transactions") * per_second, "a second", "locks and counted calls")
    yield need("PostgreSQL, connections", at_once * figures.connections, "", f"{figures.connections} a run")
    yield need("PostgreSQL, size", figures.database, "B", "rows; with indexes and free space, about twice that")
    yield need("staging stores", figures.store, "B", "on local disks, in a lake, or on a shared file system")
    yield need("published files", figures.published, "B", "one of each tenant")
    yield need(
        "reports and endings", KEPT_FILES * (figures.report + figures.ending), "B", f"{KEPT_FILES} of each tenant"
    )
    yield need("Dagster's records", figures.dagster * RUNS_A_DAY * KEPT_DAYS, "B", f"{KEPT_DAYS} days, in SQLite files")


def limits(figures: Figures) -> dict[str, int]:
    """With how many tenants each part comes to its end, as it is installed."""
    calm, busy = figures.unchanged, figures.changed
    processor = (calm.processor + busy.processor) / 2
    calls = (calm.feedback + calm.crm + busy.feedback + busy.crm) / 2
    at_once = (processor + calls * CALL_SECONDS) * RUNS_A_DAY / DAY / BUSY
    looks = TICK_ASKED / TICK_SECONDS * (DAY / ASKS_A_DAY)
    return {
        "the daily removal of old runs from Dagster's records": MOST_RUNS // (RUNS_A_DAY + TRIALS_A_DAY),
        "two processors": round(2 * BUSY * DAY / RUNS_A_DAY / processor) if processor else 0,
        "a disk of 1 TB with Dagster's records in SQLite": round(1e12 / max(1, _kept(figures))),
        "the tick that looks for changes": round(looks),
        f"{CONNECTIONS} connections of PostgreSQL": round(CONNECTIONS / (at_once * figures.connections)),
    }


def _kept(figures: Figures) -> int:
    """Bytes of one tenant in the home."""
    runs = figures.dagster * RUNS_A_DAY * KEPT_DAYS + KEPT_FILES * (figures.report + figures.ending)
    return figures.store + figures.published + runs


def shown(value: float, unit: str) -> str:
    """A number as people read it: two significant digits, bytes in decimal units."""
    if unit == "B":
        for name, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
            if value >= size:
                return f"{_two(value / size)} {name}"
        return f"{_two(value / 1e3)} kB"
    return f"{_two(value)} {unit}".strip()


def _two(value: float) -> str:
    if value <= 0:
        return "0"
    if value >= 100:
        return f"{int(float(f'{value:.2g}')):,}"
    return f"{value:.2g}"


def table(figures: Figures, tenants: Sequence[int]) -> list[str]:
    """The page's tables, in Markdown: what is needed, and where each part ends."""
    of = "{:,} requests, {:,} votes, {:,} companies".format(*figures.size)
    lines = [
        f"| {of} | {' | '.join(f'{number:,} tenants' for number in tenants)} | made of |",
        f"|---|{'---|' * len(tenants)}---|",
        *(f"| {one.name} | {' | '.join(one.of)} | {one.made_of} |" for one in needs(figures, tenants)),
        "",
        "| what comes to its end, as it is installed | at tenants |",
        "|---|---|",
        *(f"| {name} | {_two(number)} |" for name, number in sorted(limits(figures).items(), key=lambda one: one[1])),
    ]
    return [line.rstrip() for line in lines]


def measured_lines(figures: Figures) -> list[str]:
    """What was measured of one tenant, in Markdown."""
    runs = {"first sync": figures.first, "nothing changed": figures.unchanged, "one vote more": figures.changed}
    return [
        "| run | feedback calls | CRM calls | writes | processor s | peak memory | PostgreSQL transactions |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {name} | {one.feedback} | {one.crm} | {one.writes} | {one.processor:.1f} | {shown(one.memory, 'B')} "
            f"| {one.transactions:,} |"
            for name, one in runs.items()
        ),
    ]


# -- what is measured


def measure(size: Size, seed: int) -> Figures:
    """Let one tenant be synced three times by processes of the command line, with the registry on a PostgreSQL."""
    made = build_sandbox(build_sample(seed, *size), plan=PRO, portal_options=PROMPT, slack_interval=0)
    with running_postgresql() as server, folder() as home, world_of(made, home) as world:
        office = Installation(home, {TENANT: world}, variables={REGISTRY_URL: server.url})
        office.register(TENANT)
        office.good("setup", "--tenant", TENANT, "--yes")
        first, connections = _run(office, world, server)
        before = _bytes(home / "dagster")
        unchanged, _ = _run(office, world, server)
        dagster = _bytes(home / "dagster") - before
        workspace = made.sample.workspace
        workspace.vote(next(iter(workspace.posts)), next(reversed(workspace.users)))
        changed, _ = _run(office, world, server)
        return Figures(
            size=size,
            first=first,
            unchanged=unchanged,
            changed=changed,
            connections=connections,
            store=_bytes(home / "staging"),
            published=_bytes(home / "published"),
            report=_bytes(home / "reports") // 3,
            ending=_bytes(home / "runs") // 3,
            dagster=dagster,
            database=_database(server),
        )


def _run(office: Installation, world: World, server: Postgresql) -> tuple[Run, int]:
    world.forget_requests()
    connections, looks, transactions = 0, 0, _transactions(server)
    with (office.home / "typed.txt").open("wb") as output:
        process = office.start("sync", "--tenant", TENANT, output=output)
        with psycopg.connect(server.url, autocommit=True) as watching:
            while not _ended(process.pid):
                connections, looks = max(connections, _connections(watching)), looks + 1
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BrokenError(
            f"the measured run ended {process.returncode}: {(office.home / 'typed.txt').read_text()[-500:]}"
        )
    crm = [*world.sandbox.hubspot_sandbox.requests, *world.sandbox.hubspot_production.requests]
    run = Run(
        feedback=len(world.sandbox.canny.requests),
        crm=len(crm),
        writes=sum(is_write(request) for request in crm),
        processor=round(used.ru_utime + used.ru_stime, 1),
        memory=used.ru_maxrss * 1024,
        # Without those of who watched.
        transactions=_transactions(server) - transactions - looks - 1,
    )
    return run, connections


def _ended(pid: int) -> bool:
    """Whether a child has ended; it stays to be waited for."""
    done = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    return done is not None


def _connections(watching: psycopg.Connection[tuple[object, ...]]) -> int:
    """Other people's connections; asked a few times a second."""
    row = watching.execute(
        "SELECT count(*), pg_sleep(0.1) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND pid != pg_backend_pid()"
    ).fetchone()
    return int(str(row[0])) if row else 0


def _transactions(server: Postgresql) -> int:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0


def _database(server: Postgresql) -> int:
    """Bytes of all rows. The pages of so few would be mostly empty, and most of the whole is PostgreSQL's own."""
    with psycopg.connect(server.url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        found = 0
        for (name,) in tables:
            size = sql.SQL("SELECT coalesce(sum(pg_column_size(one.*)), 0) FROM {} AS one").format(sql.Identifier(name))
            row = connection.execute(size).fetchone()
            found += int(row[0]) if row else 0
    return found


def _bytes(place: Path) -> int:
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
