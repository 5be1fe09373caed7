"""A. Process death: real processes that die at a chosen request, by SIGKILL, SIGTERM or want of memory."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import dagster as dg
import duckdb
import msgspec

from integration_assets.runs.in_process import dagster_home
from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets_tests.proofs.faults import checker
from integration_assets_tests.proofs.faults.asking import first_then, is_posts_list, is_upsert
from integration_assets_tests.proofs.faults.bench import Bench, Run, require
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.pictures import Ours
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.support.killing import Strike, When

SMALL_BATCHES = 10
"""Records in a write where many writes are wanted."""
MOMENTS_OF_COMMIT = 10
"""How many kills are spread over the time in which the staging store commits what was read."""
COMMITTED = Strike("any", 0.0, "committed")
"""A death after the request was worked on, its answer lost."""
STORE = Path("staging") / "sandbox" / "default.duckdb"


def _killed(bench: Bench, sort: str, number: int, when: When, *, pause: float = 0.0) -> Run:
    """Run a sync that is killed at the n-th request of a sort ("read", "record write", "link write", "slack")."""
    bench.process("sync", kill=(sort, number, Strike("any", 0.0, when, pause)))
    require(
        bench.last.died, f"it was not killed at {sort} {number}: exit {bench.last.ran.code} {bench.last.ran.out[-300:]}"
    )
    return bench.last


def _recovered(bench: Bench) -> Run:
    """The undisturbed run after the death: it has to succeed, and the death has to be on record."""
    bench.calm()
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    bench.clean_runs = 0
    return bench.last


def _ends_on_record(bench: Bench) -> list[str]:
    """The end states the staging store has of all runs, oldest first."""
    with duckdb.connect(str(bench.world.home / STORE), read_only=True) as connection:
        return [state for (state,) in connection.execute("SELECT state FROM ops.runs ORDER BY started_at").fetchall()]


def _keys(requests: list[LoggedRequest]) -> set[str]:
    """Keys of the records that were sent."""
    inputs = [msgspec.json.decode(one.body)["inputs"] for one in requests if is_upsert(one)]
    return {one["id"] for batch in inputs for one in batch}


@fault("A1", "killed before the first write")
def a1(bench: Bench) -> None:
    """The next run writes everything, and records that the dead one is to be repeated."""
    require(not _killed(bench, "read", 6, "answered").writes, "something was written")
    require(not _killed(bench, "record write", 1, "arrived").after.ours.records, "something was written")
    _recovered(bench)
    ends = _ends_on_record(bench)
    require(ends == ["RETRY_LATER", "RETRY_LATER", "SUCCEEDED"], f"ends on record: {ends}")


@fault("A2", "killed between two batches", start="hundred")
def a2(bench: Bench) -> None:
    """The next run writes only the rest."""
    bench.batch_sizes(records_per_write=SMALL_BATCHES)
    there = _killed(bench, "record write", 6, "arrived").after.ours.records.keys()
    require(0 < len(there) < 100, f"{len(there)} records were written before the kill")
    clean = _recovered(bench)
    require(not _keys(clean.writes) & there, f"{len(_keys(clean.writes) & there)} records were written again")


@fault("A3", "killed after a batch was sent, before its answer", start="hundred")
def a3(bench: Bench) -> None:
    """Records and links: the repeat makes no duplicate."""
    bench.batch_sizes(records_per_write=SMALL_BATCHES)
    _killed(bench, "record write", 3, "committed")
    _killed(bench, "link write", 1, "committed")


@fault("A4", "killed after the answer, before the ledger has it", start="hundred")
def a4(bench: Bench) -> None:
    """The same: the ledger is no truth."""
    bench.batch_sizes(records_per_write=SMALL_BATCHES)
    _killed(bench, "record write", 3, "answered")
    _killed(bench, "link write", 1, "answered")


@fault("A5", "killed after the records, before the links", start="hundred")
def a5(bench: Bench) -> None:
    """The links are completed, no record is written again."""
    killed = _killed(bench, "link write", 1, "arrived")
    require(len(killed.after.ours.records) == 100, "not all records were there")
    clean = _recovered(bench)
    require(not _keys(clean.writes), f"{len(_keys(clean.writes))} records were written again")


@fault("A6", "killed again while recovering: every write of the first run with every write of the second")
def a6(bench: Bench) -> None:
    """No pair of deaths leaves a duplicate or a gap."""
    with bench.sibling() as other:
        other.batch_sizes(records_per_write=3)
        other.process("sync")
        whole, writes = other.last.after.ours, len(other.last.writes)
    require(writes >= 4, f"only {writes} writes to die at")
    for first in range(1, writes + 1):
        with bench.sibling() as dead:
            dead.batch_sizes(records_per_write=3)
            dead.process("sync", kill=("any write", first, COMMITTED))
            require(dead.last.died, f"it was not killed at write {first}")
            for second in range(1, 2 * writes + 2):
                with dead.fork() as other:
                    if not _dies_again(other, whole, first, second):
                        break
            else:
                raise BrokenError(f"the recovery after write {first} never came to its end")
    _killed(bench, "record write", 1, "committed")


def _dies_again(other: Bench, whole: Ours, first: int, second: int) -> bool:
    """Kill the recovery at its `second` write, and recover once more; False when it had no such write."""
    places = f"{first} and {second}"
    other.process("sync", kill=("any write", second, COMMITTED))
    died = other.last.died
    if died:
        other.process("sync")
    require(other.last.ran.code == 0, f"after deaths at writes {places}: exit {other.last.ran.code}")
    require(other.last.after.ours == whole, f"after deaths at writes {places} the CRM differs")
    checker.no_key_twice(other.last.after)
    return died


@fault("A7", "killed while the staging store commits", start="hundred")
def a7(bench: Bench) -> None:
    """The file opens every time, with what was there before the commit or all of what was read."""
    last_read = _last_read(bench)
    for moment in range(MOMENTS_OF_COMMIT):
        bench.process("sync", kill=("read", last_read, Strike("any", 0.0, "answered", 0.01 + 0.04 * moment)))
        if not bench.last.died:
            break
        with duckdb.connect(str(bench.world.home / STORE)) as connection:
            rows = connection.execute("SELECT count(*) FROM raw.feature_requests").fetchall()[0][0]
        require(rows in (0, 100), f"{rows} of 100 requests are in the store")
    require(bench.runs[0].died, "nothing was killed")


def _last_read(bench: Bench) -> int:
    """Number of the last read before the first write, from a run of its own in a copy of this world."""
    with bench.sibling() as other:
        other.process("sync")
        sorts = [seen.sort for seen in other.watch.trace]
    return sorts[: sorts.index("record write")].count("read")


@fault("A8", "SIGTERM while writing", start="hundred")
def a8(bench: Bench) -> None:
    """What is in flight is finished, the run ends RETRY_LATER, and the lock is free for the next."""
    bench.batch_sizes(records_per_write=SMALL_BATCHES)
    bench.inject("hubspot", first_then(is_upsert, lambda: _terminate(bench)), times=None)
    bench.process("sync")
    bench.expect(state="RETRY_LATER", exit=75)
    written, counted = bench.last.after.ours.records, bench.last.ran.summary["feature_requests"]["verified"]
    require(0 < len(written) < 100, f"{len(written)} records were written")
    require(len(written) == counted, f"{len(written)} were written, {counted} verified: something was torn")


def _terminate(bench: Bench) -> None:
    if bench.watch.pid is not None:
        os.kill(bench.watch.pid, signal.SIGTERM)


@fault("A9", "no memory left in the middle of a run", start="hundred")
def a9(bench: Bench) -> None:
    """An end of its own making, or a death like A2; either way the next run makes it good."""
    bench.inject("canny", first_then(is_posts_list, lambda: _take_memory(bench)), times=None)
    bench.process("sync", cold=True)
    require(bench.last.ran.code != 0, "it did not notice")
    if not bench.last.died:
        bench.expect(state="RETRY_LATER", exit=75, says=("out of memory", "it may use"))
        _nothing_torn(bench)


def _nothing_torn(bench: Bench) -> None:
    require(not bench.last.writes and not bench.last.after.ours.records, "something was written all the same")


def _take_memory(bench: Bench) -> None:
    pid = bench.watch.pid
    if pid is not None:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (most, most))


@fault("A10", "the process dies and Dagster believes the run goes on")
def a10(bench: Bench) -> None:
    """The next start marks it as failed, its lock has gone with it, and the run proceeds."""
    bench.process("sync", cold=True, kill=("record write", 1, Strike("any", 0.0, "arrived")))
    require(bench.last.died, f"it was not killed: exit {bench.last.ran.code}")
    require(_unfinished(bench) == 1, "Dagster does not know of the run that died")
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(_unfinished(bench) == 0, "Dagster still believes that the dead run goes on")


def _unfinished(bench: Bench) -> int:
    going_on = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    with dg.DagsterInstance.from_config(str(dagster_home(bench.world.home))) as instance:
        return len(instance.get_runs(dg.RunsFilter(statuses=going_on)))
