"""H. Local resources, the clock, and several runs at once."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, tzinfo
from email.utils import formatdate
from pathlib import Path
from typing import Any
from unittest import mock

from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets_tests.proofs.faults.asking import is_posts_list, is_upsert
from integration_assets_tests.proofs.faults.bench import Bench, require, tail
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.paging import when
from integration_assets_tests.proofs.faults.starts import add_requests
from integration_assets_tests.support.fault_server import Request, answer
from integration_assets_tests.support.harness import Ran, World, read_json
from integration_assets_tests.support.processes import OUTPUT, warm_parent
from integration_assets_tests.support.small_world import START

NO_ROOM = 16 * 1024
"""Bytes a file may grow to: fewer than the staging store needs, more than what is written beside it."""
FEW_FILES = 16
"""File descriptors: enough to open the staging store, too few for the connections of a read."""
FEW_AT_ONCE = 4
"""Records, and links, in a write where many writes are wanted."""
HOLD_STORE = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
READ_PUBLISHED = (
    "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True)"
    ".sql('SELECT count(*) FROM ranked.feature_requests').fetchone()[0])"
)


def store_of(world: World) -> Path:
    """The staging store."""
    return world.home / "staging" / "sandbox" / "default.duckdb"


def limited(bench: Bench, limit: int, most: int) -> None:
    """Limit a resource (`resource.RLIMIT_…`) of the processes started from here on, as soon as they run."""
    started = bench.watch.started

    def begin(pid: int) -> None:
        started(pid)
        resource.prlimit(pid, limit, (most, most))

    bench.stack.enter_context(mock.patch.object(bench.watch, "started", begin))


def upserts(bench: Bench) -> list[LoggedRequest]:
    """Writes of records of the last run."""
    return [request for _, request in bench.last.requests if is_upsert(request)]


# -- disks and files


@fault("H1", "the disk is full while the staging store is written")
def h1(bench: Bench) -> None:
    """FAILED, and nothing was written into the CRM; with room again everything is as it should be."""
    limited(bench, resource.RLIMIT_FSIZE, NO_ROOM)
    bench.process("sync")
    bench.expect(state="FAILED", exit=1, says="staging store")
    require(not bench.last.writes, "something was written")


@fault("H2", "the disk is full when the ledger is to be written", start="hundred")
def h2(bench: Bench) -> None:
    """The first batch is out; as its outcome cannot be kept, no further one is sent."""
    bench.batch_sizes(records_per_write=20)

    def no_more_room() -> None:
        require(bench.watch.pid is not None, "the process is not known")
        log = store_of(bench.world).with_suffix(".duckdb.wal")
        full = log.stat().st_size if log.exists() else NO_ROOM
        resource.prlimit(bench.watch.pid or 0, resource.RLIMIT_FSIZE, (full, full))

    when(bench, "hubspot", is_upsert, no_more_room)
    bench.process("sync")
    require(bench.last.ran.code == 1, f"exit {bench.last.ran.code}: {bench.last.ran.out[-500:]}")
    require(len(upserts(bench)) == 1, f"{len(upserts(bench))} batches were sent")


@fault("H3", "the data directory cannot be made, or is no directory")
def h3(bench: Bench) -> None:
    """One line that names it, before any request."""
    plain = bench.world.home / "a-file"
    plain.write_text("not a directory")
    for home in (plain / "below", Path("/proc/no-such-place")):
        ran = bench.run("sync", INTEGRATION_ASSETS_HOME=str(home))
        require(ran.code in (1, 2) and str(home) in ran.out + ran.err, f"exit {ran.code}: {ran.out}{ran.err}")
        require("Traceback" not in ran.err and not bench.last.requests, "it was no clean refusal")
        bench.runs.pop()  # there is no place for a summary, and no store to be left in a bad state


@fault("H4", "another process has the staging store open", start="synced")
def h4(bench: Bench) -> None:
    """RETRY_LATER without a request. Analysts read the published copy, also while a run is going on."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_STORE, str(store_of(bench.world))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        require(other.stdout is not None and other.stdout.readline() == "held\n", "the store could not be held")
        bench.run("sync")
        bench.expect(state="RETRY_LATER", exit=75)
        require(not bench.last.requests, "requests were sent")
        other.communicate("")
    published, seen = bench.world.home / "published" / "sandbox" / "default.duckdb", []

    def read() -> None:
        command = [sys.executable, "-c", READ_PUBLISHED, str(published)]
        seen.append(subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip())

    when(bench, "canny", is_posts_list, read)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(seen == ["5"], f"an analyst read {seen} while the run was going on")


@fault("H10", "no more files can be opened")
def h10(bench: Bench) -> None:
    """A clean end, nothing half done."""
    limited(bench, resource.RLIMIT_NOFILE, FEW_FILES)
    bench.process("sync")
    bench.expect(state="FAILED", exit=1, says="ulimit -n")
    require("Traceback" not in bench.last.ran.out, bench.last.ran.out[-600:])
    require(not bench.last.writes, "something was written")


@fault("H11", "the staging store is damaged, a plan file half written", start="synced")
def h11(bench: Bench) -> None:
    """Both are refused. Without the store the next run reads everything from the two systems, and writes nothing."""
    bench.both(lambda world: world.edit_request("dark mode", title="Dark mode 2"))
    plan = bench.world.home / "plan.json"
    bench.run("plan", "--out", str(plan))
    plan_hash = bench.last.ran.summary["plan"]["hash"]
    whole = plan.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:-40], b""):
        plan.write_bytes(damaged)
        bench.run("sync", "--plan", str(plan), "--approve", plan_hash)
        bench.expect(exit=2, says="plan")
        require(not bench.last.writes, "a damaged plan was applied")
    store = store_of(bench.world)
    sound = store.read_bytes()
    for place in (0, len(sound) // 2):
        store.write_bytes(sound[:place] + os.urandom(min(65_536, len(sound) - place)) + sound[place + 65_536 :])
        bench.run("sync")
        require(bench.last.ran.code in (0, 1), f"exit {bench.last.ran.code}")
        if place == 0:
            bench.expect(state="FAILED", exit=1, says="default.duckdb")
            require(not bench.last.writes, "a run wrote with a damaged store")
    for left in store.parent.glob("default.duckdb*"):
        left.unlink()


@fault("H12", "another version of the product between plan and apply", start="synced")
def h12(bench: Bench) -> None:
    """A plan file of another version is refused; an approved plan of the store is made anew."""
    bench.both(lambda world: world.edit_request("dark mode", title="Dark mode 2"))
    plan = bench.world.home / "plan.json"
    with mock.patch("integration_assets.runs.plan_and_apply.__version__", "0.0.0-earlier"):
        bench.run("plan", "--out", str(plan))
    plan_hash = bench.last.ran.summary["plan"]["hash"]
    bench.run("sync", "--plan", str(plan), "--approve", plan_hash)
    bench.expect(exit=2, says="version")
    require(not bench.last.writes, "a plan of another version was applied")
    bench.world.run("approve", plan_hash)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(bench.last.ran.summary["plan"]["hash"] != plan_hash, "the plan of another version was applied")


# -- several runs at once


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """A function that starts `work` in a thread; it is waited for at the end of the block, and its error raised."""
    errors: list[BaseException] = []

    def safely() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            errors.append(error)

    thread = threading.Thread(target=safely, name="meanwhile")
    yield thread.start
    if thread.ident is not None:
        thread.join(120)
    if errors:
        raise errors[0]


@fault("H5", "two runs of one tenant at once")
def h5(bench: Bench) -> None:
    """One goes on; the other ends RETRY_LATER, names who is running, and sends no request at all."""
    proxies = [bench.proxied(system) for system in ("canny", "hubspot", "production", "slack")]
    addresses = dict(bench._variables)
    bench._variables.clear()
    second: list[Ran] = []

    first: list[int] = []

    def run_second() -> None:
        target = bench.world.home / "second.json"
        process = bench.world.start("sync", "--json", str(target), **addresses)
        second.append(bench.world.finish(process, target))
        os.kill(first[0], signal.SIGCONT)

    with meanwhile(run_second) as begin:

        def hold() -> None:
            # Held until the other has ended, however long that takes: it must find the lock taken.
            first.append(bench.watch.pid or 0)
            require(first[0], "the process is not known")
            os.kill(first[0], signal.SIGSTOP)
            begin()

        when(bench, "hubspot", is_upsert, hold)
        bench.process("sync")
    bench.expect(state="SUCCEEDED", exit=0)
    require(second and second[0].code == 75, f"the second run ended with {second}")
    require(second[0].summary["state"] == "RETRY_LATER", f"the second run says {second[0].summary['state']}")
    require(not any(proxy.requests for proxy in proxies), "the second run sent requests")


@fault("H6", "a paused run wakes after its lock has passed on")
def h6(bench: Bench) -> None:
    """It writes nothing more and ends RETRY_LATER."""
    staging = bench.world.home / "staging"
    zombie: list[int] = []
    other: list[Ran] = []

    def take_over() -> None:
        staging.rename(bench.world.home / "staging-of-the-paused")
        target = bench.world.home / "other.json"
        other.append(bench.world.finish(bench.world.start("sync", "--json", str(target)), target))
        marks.append(len(bench.lookalike("hubspot").requests))
        os.kill(zombie[0], signal.SIGCONT)

    marks: list[int] = []
    with meanwhile(take_over) as begin:

        def pause() -> None:
            zombie.append(bench.watch.pid or 0)
            require(zombie[0], "the process is not known")
            os.kill(zombie[0], signal.SIGSTOP)
            begin()

        when(bench, "hubspot", is_upsert, pause)
        bench.process("sync")
    bench.expect(state="RETRY_LATER", exit=75)
    require(other and other[0].code == 0, f"the run that took over ended with {other}")
    after = bench.lookalike("hubspot").requests[marks[0] :]
    late = [request.path for request in after if request.method != "GET" and not request.path.endswith("/read")]
    require(not late, f"the paused run still wrote: {late}")


@fault("H7", "two machines, each with a home of its own, write to one portal at once", requests=500)
def h7(bench: Bench) -> None:
    """A clean run of one makes it good, whatever they did to each other, and the other agrees; no lock is between them.

    The second begins while the first is at its first write, and has read a title and a vote that the first has not.
    """
    _write_at_once(bench)
    bench.calm()
    for number, home in enumerate((_second_home(bench), str(bench.world.home))):
        bench.run("sync", INTEGRATION_ASSETS_HOME=home)
        bench.expect(state="SUCCEEDED")
        require(number == 0 or not bench.last.writes, f"the other machine sent {len(bench.last.writes)} writes")
    bench.clean_runs = 0


def _second_home(bench: Bench) -> str:
    return str(bench.world.home / "second-machine")


def _write_at_once(bench: Bench) -> None:
    """Run two installations so that the writes of both are under way at the same time."""
    bench.both(_more_to_write)
    bench.batch_sizes(records_per_write=FEW_AT_ONCE, pairs_per_write=FEW_AT_ONCE)
    machine, home = bench.stack.enter_context(warm_parent()), Path(_second_home(bench))
    home.mkdir()
    ended: list[Ran] = []
    first: list[int] = []

    def run_second() -> None:
        command, target = ["sync", "--json", str(home / "summary.json")], home / "summary.json"
        environment = bench.world.environment(INTEGRATION_ASSETS_HOME=str(home))
        try:
            code = machine.run(command, environment, home, batch_sizes=bench._batch_sizes)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(first[0], signal.SIGCONT)  # should this one have ended without a write
        ended.append(Ran(code, (home / OUTPUT).read_text(encoding="utf-8"), "", read_json(target)))

    def hold() -> None:
        first.append(bench.watch.pid or 0)
        require(first[0], "the process is not known")
        os.kill(first[0], signal.SIGSTOP)
        bench.meanwhile(_something_happens)
        begin()

    def both_write() -> None:
        os.kill(first[0], signal.SIGCONT)

    with meanwhile(run_second) as begin:
        when(bench, "hubspot", is_upsert, hold)
        when(bench, "hubspot", is_upsert, both_write, number=2)
        bench.process("sync")
    require(ended, "the second machine did not run")
    bench.last.beside += ended
    for ran in (bench.last.ran, ended[0]):
        require(ran.code == 0, f"exit {ran.code}: {tail(ran)}")
        require(ran.summary["feature_requests"]["verified"], f"one of the two wrote nothing: {tail(ran)}")


def _more_to_write(world: World) -> None:
    add_requests(world.sandbox.sample, 30)


def _something_happens(world: World) -> None:
    world.edit_request("dark mode", title="Dark mode for all")
    world.canny.vote(world.request_id("csv export"), world.person("gus"), created=START)


# -- clocks


class _Everywhere(type(datetime)):  # type: ignore[misc]  # the metaclass is `type`, which the checker cannot know here
    def __instancecheck__(cls, instance: object) -> bool:
        return type(instance) is datetime or isinstance(instance, _Real)


_Real = datetime


@contextmanager
def jumping_clock(seed: int) -> Iterator[None]:
    """Let the product's wall clock jump by up to a day either way between any two looks at it, in this process."""
    chance = random.Random(seed)

    class Jumping(_Real, metaclass=_Everywhere):
        def __new__(cls, *parts: Any, **named: Any) -> datetime:  # type: ignore[misc]  # real moments come out of it
            return _Real(*parts, **named)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # as above
            return _Real.now(tz) + timedelta(seconds=chance.uniform(-86_400, 86_400))

        fromtimestamp = _Real.fromtimestamp  # type: ignore[assignment]  # as above
        fromisoformat = _Real.fromisoformat  # type: ignore[assignment]  # as above

    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("integration_assets.") and not name.startswith("integration_assets.sandbox"):
                for attribute, value in list(vars(module).items()):
                    if value is _Real:
                        stack.enter_context(mock.patch.object(module, attribute, Jumping))
        yield


LONGEST_RUN_SECONDS = 600.0
"""More than any run on the bench takes, on whatever machine; the clocks are wrong by hours."""


@fault("H8", "the wall clock jumps by up to a day, forwards and backwards")
def h8(bench: Bench) -> None:
    """Durations come from the monotonic clock and order from numbers: the runs end as without it."""
    for number in range(2):
        with jumping_clock(number):
            bench.run("sync")
        bench.expect(state="SUCCEEDED", exit=0)
        took = bench.last.ran.summary["duration_seconds"]
        require(0 <= took < LONGEST_RUN_SECONDS, f"the run says it took {took} s")
    require(not bench.last.writes, "the second run wrote")


@fault("H9", "the server's clock is a day ahead, or behind, and says until when to wait")
def h9(bench: Bench) -> None:
    """Its own `Date` tells how long that is: about two seconds, not a day and not nothing."""
    body = {"status": "error", "message": "slow down", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
    for days in (1, -1):
        its_now = time.time() + days * 86_400
        headers = {"date": formatdate(its_now, usegmt=True), "retry-after": formatdate(its_now + 2, usegmt=True)}
        proxy = bench.proxied("hubspot")
        proxy.instead(is_account, answer(429, body, headers=headers))
        bench.run("sync")
        bench.expect(state="SUCCEEDED", exit=0)
        at = [moment for moment, request in proxy.requests if is_account(request)]
        waited = at[1] - at[0]
        require(1.0 <= waited < LONGEST_RUN_SECONDS, f"it waited {waited:.1f} s")


def is_account(request: Request) -> bool:
    """Asks which portal the token belongs to: the first call of a run."""
    return "/account-info/" in request.line
