"""Two runs at once, runs that are paused, stopped or killed, and Slack that does not answer: every run ends honestly.

Real processes against the small world; what was sent is read from the look-alikes' own logs.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest

from integration_assets.connectors.crm.hubspot.connector import HubSpotCrm
from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets.staging.store import hold_store
from integration_assets.sync.ledger import Ledger
from integration_assets.sync.operations import Operation
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.processes import OUTPUT, WarmParent, warm_parent
from integration_assets_tests.support.waiting import until

pytestmark = pytest.mark.proof  # real processes: part of `make proofs`

ONE_BY_ONE = {"records_per_write": 1}
"""So small batches that even this world takes more than are under way at a time."""
WAIT_SECONDS = 90.0


@pytest.fixture(scope="module")
def parent() -> Iterator[WarmParent]:
    """A process that forks commands."""
    with warm_parent() as made:
        yield made


class Started:
    """A command in a process of its own that is not waited for yet."""

    def __init__(self, parent: WarmParent, world: World, *arguments: str) -> None:
        self.world, self.pid, self.code, self._begun = world, 0, -1, threading.Event()
        self._thread = threading.Thread(target=self._run, args=(parent, arguments))
        self._thread.start()
        assert self._begun.wait(WAIT_SECONDS)

    def _run(self, parent: WarmParent, arguments: tuple[str, ...]) -> None:
        self.code = parent.run(
            arguments, self.world.environment(), self.world.home, on_start=self._note, batch_sizes=ONE_BY_ONE
        )

    def _note(self, pid: int) -> None:
        self.pid = pid
        self._begun.set()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said, on one line."""
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()
        return self.code, " ".join((self.world.home / OUTPUT).read_text().split())


@contextmanager
def slow(world: World, wanted: Callable[[LoggedRequest], bool], *, number: int = 1) -> Iterator[threading.Event]:
    """Half a second for each wanted request to the sandbox portal; the event is set when the `number`-th arrives."""
    arrived, seen = threading.Event(), itertools.count(1)

    def latency(request: LoggedRequest) -> float:
        if not wanted(request):
            return 0.0
        if next(seen) == number:
            arrived.set()
        return 0.5

    with mock.patch.object(world.lookalike(), "latency", latency):
        yield arrived


def is_record_write(request: LoggedRequest) -> bool:
    """Whether a request writes records of ours."""
    return request.method == "POST" and request.path.endswith("/batch/upsert")


def whole_writes(world: World) -> list[LoggedRequest]:
    """Writes that arrived with their body: of one whose head had left before the pause, the body never comes."""
    return [request for request in world.writes() if request.body]


def store_file(world: World) -> Path:
    """The staging store of the world's installation."""
    return world.home / "staging" / "sandbox" / "default.duckdb"


def rows(world: World, query: str) -> list[tuple[Any, ...]]:
    """Rows of the staging store."""
    with duckdb.connect(store_file(world), read_only=True) as connection:
        return connection.execute(query).fetchall()


def all_requests(world: World) -> int:
    """Requests all look-alikes have seen."""
    box = world.sandbox
    return sum(len(one.requests) for one in (box.canny, box.hubspot_sandbox, box.hubspot_production, box.slack))


def messages(world: World) -> list[dict[str, Any]]:
    """Messages that arrived in Slack."""
    return world.sandbox.team.messages


def run_of(message: dict[str, Any]) -> str:
    """Run a message is about."""
    return str(message["metadata"]["event_payload"]["run_id"])


def all_answered(world: World) -> bool:
    """Whether the sandbox portal works on nothing any more of what arrived with its body."""
    return all(request.status is not None for request in world.lookalike().requests)


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a signal was sent to a process that has not noticed it yet: a second one of its kind would be lost."""
    status = Path(f"/proc/{pid}/status").read_text()
    waiting = re.search(r"^ShdPnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    assert waiting is not None
    return bool(int(waiting[1], 16) >> (number - 1) & 1)


def slack_fault(world: World, **how: Any) -> None:
    """Disturb the next message to Slack."""
    world.sandbox.slack.faults.append(Fault(lambda request: request.path.endswith("chat.postMessage"), **how))


# -- the run lock


def test_second_run_is_told_who_is_running_and_sends_nothing(ready: World, parent: WarmParent) -> None:
    """A run beside another ends 75, sends no request to anybody, and names the other's id, process and start."""
    with slow(ready, is_record_write) as arrived:
        first = Started(parent, ready, "sync")
        assert arrived.wait(WAIT_SECONDS)
        first.signal(signal.SIGSTOP)
        # What it had sent before it was stopped may arrive after it.
        until(lambda: all_answered(ready), "an answer to all it had sent")
        before = all_requests(ready)
        second = ready.run("sync", json_file=True)
        assert all_requests(ready) == before
        first.signal(signal.SIGCONT)
        assert first.end()[0] == 0
    assert second.code == 75
    assert second.summary["state"] == "RETRY_LATER"
    [(run_id,)] = rows(ready, "SELECT run_id FROM ops.runs")
    line = rf"another run of default is using .*\(run {run_id}, process {first.pid}, since [-0-9]+ [:0-9]+ UTC\)"
    assert re.search(line, " ".join(second.out.split())), second.out
    assert [run_of(message) for message in messages(ready)] == [run_id]


@pytest.mark.parametrize("command", [["plan"], ["setup", "--yes"], ["approve", "12345678"], ["sync", "--read-only"]])
def test_every_command_that_opens_the_store_takes_the_lock(synced: World, command: list[str]) -> None:
    """While a run has the store, every other command on it ends 75 and sends nothing."""
    with hold_store(store_file(synced), "run of the test"):
        synced.forget_requests()
        ran = synced.run(*command)
    assert ran.code == 75
    assert f"run of the test, process {os.getpid()}" in " ".join((ran.out + ran.err).split())
    assert all_requests(synced) == 0


def test_paused_run_whose_lock_passed_on_writes_nothing_more(ready: World, parent: WarmParent) -> None:
    """A run paused in the middle of writing, its store moved away and another run made: woken, it writes nothing."""
    with slow(ready, is_record_write) as arrived:
        paused = Started(parent, ready, "sync")
        assert arrived.wait(WAIT_SECONDS)
        paused.signal(signal.SIGSTOP)
        until(lambda: all_answered(ready), "an answer to all it had sent")
    shutil.move(store_file(ready).parent, ready.home / "moved-away")
    other = ready.sync()
    whole, published = ready.in_crm(), (ready.home / "published/sandbox/default.duckdb").read_bytes()
    ready.forget_requests()
    paused.signal(signal.SIGCONT)
    code, said = paused.end()
    assert code == 75
    assert "the run lock of default passed on while this run was held up" in said
    assert whole_writes(ready) == []
    assert ready.in_crm() == whole
    assert (ready.home / "published/sandbox/default.duckdb").read_bytes() == published
    assert rows(ready, "SELECT run_id FROM ops.runs") == [(other.summary["run_id"],)]
    assert ready.sync().summary["api_calls"]["hubspot"]["writes"] == 0


def test_lock_and_store_put_back_are_still_fenced(ready: World, parent: WarmParent) -> None:
    """Lock and store back in place after another run, the number alone tells the paused run that it is too late."""
    with slow(ready, is_record_write) as arrived:
        paused = Started(parent, ready, "sync")
        assert arrived.wait(WAIT_SECONDS)
        paused.signal(signal.SIGSTOP)
        until(lambda: all_answered(ready), "an answer to all it had sent")
    folder, away = store_file(ready).parent, ready.home / "moved-away"
    shutil.move(folder, away)
    folder.mkdir()
    shutil.copy(away / "default.duckdb.fence", folder)
    ready.sync()
    whole = ready.in_crm()
    fence = (folder / "default.duckdb.fence").read_bytes()
    shutil.rmtree(folder)
    shutil.move(away, folder)
    (folder / "default.duckdb.fence").write_bytes(fence)
    ready.forget_requests()
    paused.signal(signal.SIGCONT)
    code, said = paused.end()
    assert code == 75
    assert "it went from holder" in said
    assert whole_writes(ready) == []
    assert ready.in_crm() == whole


# -- stopped and killed


def test_sigterm_while_writing_finishes_what_is_under_way(ready: World, parent: WarmParent) -> None:
    """Asked to stop, a run reads back the batches under way, begins no other, ends 75 and lets go of the lock."""
    with slow(ready, is_record_write) as arrived:
        process = Started(parent, ready, "sync", "--json", str(ready.home / "stopped.json"))
        assert arrived.wait(WAIT_SECONDS)
        process.signal(signal.SIGTERM)
        code, said = process.end()
    assert code == 75
    assert "what was under way was finished, nothing more was sent" in said
    summary = json.loads((ready.home / "stopped.json").read_text())
    written = len(ready.in_crm().records)
    assert written == summary["feature_requests"]["verified"]
    assert 0 < written < summary["feature_requests"]["identified"]
    assert [request.path for request in ready.writes() if "/associations/" in request.path] == []
    assert rows(ready, "SELECT count(*) FROM sync.ledger WHERE outcome IS NULL") == [(0,)]
    assert rows(ready, "SELECT state FROM ops.runs") == [("RETRY_LATER",)]
    rest = ready.sync().summary["feature_requests"]
    assert rest["created"] == rest["identified"] - written


def test_second_sigterm_does_not_wait(ready: World, parent: WarmParent) -> None:
    """Asked twice, a run ends at once, still with its end state, and the next one completes the work."""
    ready.lookalike().faults.append(Fault(is_record_write, times=None, delay=WAIT_SECONDS))
    with slow(ready, is_record_write) as arrived:
        process = Started(parent, ready, "sync")
        assert arrived.wait(WAIT_SECONDS)
        process.signal(signal.SIGTERM)
        until(lambda: not is_pending(process.pid, signal.SIGTERM), "the first signal's arrival")
        process.signal(signal.SIGTERM)
        code, _ = process.end()
        under_way = [one.status for one in ready.lookalike().requests if is_record_write(one)]
        assert under_way
        assert set(under_way) == {None}  # it ended before the portal had answered anything
    ready.lookalike().faults.clear()
    assert code == 75
    assert rows(ready, "SELECT state FROM ops.runs") == [("RETRY_LATER",)]
    ready.sync()
    assert ready.sync().summary["api_calls"]["hubspot"]["writes"] == 0


def test_killed_run_gets_its_end_state_from_the_next(ready: World, parent: WarmParent) -> None:
    """A run killed while writing is recorded by the next one, once, with the numbers that can be vouched for."""
    with slow(ready, is_record_write, number=5) as arrived:
        process = Started(parent, ready, "sync")
        assert arrived.wait(WAIT_SECONDS)
        process.signal(signal.SIGKILL)
        assert process.end()[0] == -signal.SIGKILL
    [(dead,)] = rows(ready, "SELECT run_id FROM sync.open_runs")
    assert rows(ready, "SELECT run_id FROM ops.runs") == []
    [(verified,)] = rows(ready, "SELECT count(*) FROM sync.ledger WHERE outcome = 'verified'")
    following = ready.sync()
    [(state, error, created, text)] = rows(
        ready, f"SELECT state, error, records_created, summary FROM ops.runs WHERE run_id = '{dead}'"
    )
    assert state == "RETRY_LATER"
    assert error.startswith("died before it ended (killed, out of memory, or the machine stopped; it may use ")
    assert 0 < created == verified == json.loads(text)["feature_requests"]["verified"]
    assert rows(ready, "SELECT run_id FROM sync.open_runs") == []
    assert f"run {dead}, started" in " ".join(following.out.split())
    ready.sync()
    states = dict(rows(ready, "SELECT run_id, state FROM ops.runs"))
    assert states.pop(dead) == "RETRY_LATER"
    assert list(states.values()) == ["SUCCEEDED", "SUCCEEDED"]
    assert dead not in [run_of(message) for message in messages(ready)]


def test_killed_between_slack_and_its_last_word(synced: World, parent: WarmParent) -> None:
    """A run killed once Slack has its message keeps its end state, and no second message of success is posted."""
    messages(synced).clear()
    slack_fault(synced, status=200, after_commit=True, body_delay=30)
    process = Started(parent, synced, "sync")
    until(lambda: messages(synced), "a message in Slack")
    process.signal(signal.SIGKILL)
    assert process.end()[0] == -signal.SIGKILL
    killed = run_of(messages(synced)[-1])
    assert rows(synced, f"SELECT state FROM ops.runs WHERE run_id = '{killed}'") == [("SUCCEEDED",)]
    following = synced.sync()
    assert f"the summary of run {killed} may not have reached Slack" in " ".join(following.out.split())
    synced.sync()
    assert [run_of(message) for message in messages(synced)].count(killed) == 1
    assert rows(synced, f"SELECT state FROM ops.runs WHERE run_id = '{killed}'") == [("SUCCEEDED",)]


# -- the outbox


@pytest.mark.parametrize(
    "how",
    [
        {"status": 404, "body": b"no_team"},
        *(
            pytest.param({"status": 200, "body": b'{"ok":false,"error":"%s"}' % word}, marks=pytest.mark.long)
            for word in (b"token_revoked", b"not_in_channel")
        ),
    ],
)
def test_summary_slack_refused_is_posted_once_later(synced: World, how: dict[str, Any]) -> None:
    """What Slack did not take changes no end state, is posted by the next run, marked as late, and then never again."""
    messages(synced).clear()
    slack_fault(synced, times=None, **how)
    first, second = synced.sync(), synced.sync()
    assert messages(synced) == []
    assert "the summary is kept, the next run posts it" in first.out
    synced.sandbox.slack.faults.clear()
    third, fourth = synced.sync(), synced.sync()
    ids = [ran.summary["run_id"] for ran in (first, second, third, fourth)]
    assert [run_of(message) for message in messages(synced)] == ids
    late = [message["text"].startswith("Posted late, run ") for message in messages(synced)]
    assert late == [True, True, False, False]
    assert ids[0] in messages(synced)[0]["text"]
    assert rows(synced, "SELECT * FROM sync.outbox") == []


@pytest.mark.long
def test_a_long_outage_ends_in_a_few_late_messages_per_run(synced: World) -> None:
    """After five runs without Slack the late messages come three per run, oldest first."""
    messages(synced).clear()
    down = str(synced.environment()["SLACK_BASE_URL"])
    gone = re.sub(r":\d+", ":9", down)
    missed = [synced.sync(SLACK_BASE_URL=gone).summary["run_id"] for _ in range(5)]
    assert messages(synced) == []
    after = [synced.sync().summary["run_id"] for _ in range(2)]
    assert [run_of(message) for message in messages(synced)] == [*missed[:3], after[0], *missed[3:], after[1]]


def test_late_answer_of_slack_shows_at_most_one_repeat(synced: World) -> None:
    """A message whose answer came too late is repeated once by the next run, says so, and carries the same run id."""
    messages(synced).clear()
    slack_fault(synced, times=1, status=504, body=b"late", after_commit=True)
    first = synced.sync()
    slack_fault(synced, times=1, status=504, body=b"late", after_commit=True)
    second, third, fourth = synced.sync(), synced.sync(), synced.sync()
    ids = [run_of(message) for message in messages(synced)]
    assert ids.count(first.summary["run_id"]) == 2
    repeat = [m["text"] for m in messages(synced) if run_of(m) == first.summary["run_id"]][1]
    assert repeat.startswith("This may be a repeat, run ")
    assert [ids.count(ran.summary["run_id"]) for ran in (second, third, fourth)] == [1, 1, 1]
    assert rows(synced, "SELECT * FROM sync.outbox") == []


# -- files that fail


def test_home_that_cannot_be_made_is_one_line(ready: World) -> None:
    """Where no home can be made, a sync ends 2 with a line that names it, and sends nothing."""
    (ready.home / "file").write_text("x")
    ready.forget_requests()
    for home in (ready.home / "file" / "home", Path("/proc/none/home")):
        ran = ready.run("sync", INTEGRATION_ASSETS_HOME=str(home))
        assert ran.code == 2
        [line] = ran.error_lines
        assert f"{home}" in line
        assert "INTEGRATION_ASSETS_HOME" in line
    assert all_requests(ready) == 0


def test_damaged_store_is_one_line_and_nothing_is_sent(synced: World) -> None:
    """A store that is no DuckDB file ends a sync 1 with what to do, before any request to the systems."""
    store_file(synced).write_bytes(b"damaged" * 10_000)
    synced.forget_requests()
    ran = synced.run("sync", json_file=True)
    assert ran.code == 1
    assert ran.summary["state"] == "FAILED"
    assert "is damaged or no DuckDB file; move it away" in " ".join(ran.out.split())
    assert synced.sandbox.canny.requests == []
    assert synced.lookalike().requests == []


def test_disk_that_fills_up_while_writing_sends_nothing_more(ready: World) -> None:
    """When the ledger cannot take an intent, its batch is not sent, the run ends FAILED, and the next one goes on."""
    wal, record_intent, batches = (
        store_file(ready).with_name("default.duckdb.wal"),
        Ledger.record_intent,
        itertools.count(1),
    )

    def on_a_full_disk(ledger: Ledger, operations: Sequence[Operation], *, now: datetime) -> list[int]:
        if next(batches) < 4:
            return record_intent(ledger, operations, now=now)
        with no_file_beyond(wal.stat().st_size):
            return record_intent(ledger, operations, now=now)

    with (
        mock.patch.object(Ledger, "record_intent", on_a_full_disk),
        mock.patch.object(HubSpotCrm, "records_per_write", 1),
    ):
        full = ready.run("sync", json_file=True)
    assert full.code == 1, full.out + full.err
    assert full.summary["state"] == "FAILED"
    assert "staging store: " in full.out
    sent = [request for request in ready.writes() if is_record_write(request)]
    assert len(sent) <= 3
    following = ready.sync()
    assert following.summary["feature_requests"]["created"] >= 2
    assert ready.sync().summary["api_calls"]["hubspot"]["writes"] == 0
    states = [state for (state,) in rows(ready, "SELECT state FROM ops.runs ORDER BY started_at")]
    assert states == ["FAILED", "SUCCEEDED", "SUCCEEDED"]


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """No file of this process can grow beyond `size` bytes: what a full disk is to the store."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
