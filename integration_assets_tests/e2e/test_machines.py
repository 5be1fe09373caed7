"""Two machines with a home each and one PostgreSQL: a tenant runs on one of them at a time.

Real processes against the small world; what was sent is read from the look-alikes' own logs.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from integration_assets_tests.e2e.test_endings import (
    Started,
    all_requests,
    is_record_write,
    messages,
    run_of,
    slack_fault,
    slow,
    whole_writes,
)
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.postgresql import Postgresql, as_registry, running_postgresql
from integration_assets_tests.support.processes import WarmParent, warm_parent
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.waiting import until
from integration_assets_tests.tenants.conftest import new_database

pytestmark = pytest.mark.proof  # real processes: part of `make proofs`

WAIT_SECONDS = 90.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    """A PostgreSQL. Who stops it starts it again."""
    with running_postgresql() as made:
        yield made


@pytest.fixture(scope="module")
def parent() -> Iterator[WarmParent]:
    """A process that forks commands."""
    with warm_parent() as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """The home on the other machine, empty."""
    with folder() as made:
        yield made


def test_a_tenant_runs_on_one_machine_at_a_time_and_a_dead_one_keeps_nobody_out(
    ready: World, server: Postgresql, parent: WarmParent, elsewhere: Path
) -> None:
    """The second machine is told who runs it and sends nothing; once the first is killed it does the whole work."""
    ready.extra.update(as_registry(new_database(server.url)))
    other = replace(ready, home=elsewhere)
    with slow(ready, is_record_write) as arrived:
        first = Started(parent, ready, "sync")
        assert arrived.wait(WAIT_SECONDS)
        first.signal(signal.SIGSTOP)
        before = all_requests(ready)
        refused = other.run("sync", json_file=True)
        assert all_requests(ready) == before
        first.signal(signal.SIGKILL)
        assert first.end()[0] == -signal.SIGKILL
    said = " ".join(refused.out.split())
    assert refused.code == 75, said
    assert f", process {first.pid} on " in said
    assert "another machine or process is running sandbox/default (run " in said
    assert other.run("sync", json_file=True).code == 0
    keys = [record["feature_request_key"] for record in ready.in_crm().records.values()]
    assert len(keys) == len(set(keys)) > 0
    assert other.sync().summary["feature_requests"]["updated"] == 0


def test_a_run_whose_postgresql_goes_away_writes_nothing_more(
    ready: World, server: Postgresql, parent: WarmParent
) -> None:
    """Its lock cannot be shown to be held any more: 75, with what to do; back again, the next run does the rest."""
    ready.extra.update(as_registry(new_database(server.url)))
    with slow(ready, is_record_write) as arrived:
        run = Started(parent, ready, "sync")
        assert arrived.wait(WAIT_SECONDS)
        run.signal(signal.SIGSTOP)
        server.stop()
        try:
            written = len(whole_writes(ready))
            run.signal(signal.SIGCONT)
            code, said = run.end()
        finally:
            server.start()
    assert code == 75, said
    # What was on its way with its body when the server stopped was allowed to be.
    assert len(whole_writes(ready)) - written <= 1
    assert "INTEGRATION_ASSETS_REGISTRY_URL" in said or "cannot be shown to be held: PostgreSQL" in said
    assert server.url not in said
    assert ready.run("sync", json_file=True).code == 0
    assert ready.sync().summary["feature_requests"]["updated"] == 0


def test_a_summary_left_by_a_killed_machine_is_posted_by_the_other(
    ready: World, server: Postgresql, parent: WarmParent, elsewhere: Path
) -> None:
    """What waited is posted as late, once; what was being sent is named, and neither machine posts it again."""
    ready.extra.update(as_registry(new_database(server.url)))
    other = replace(ready, home=elsewhere)
    messages(ready).clear()
    slack_fault(ready, times=None, status=503, body=b"Service Unavailable")
    waits = ready.sync()
    assert "the summary is kept, the next run posts it" in waits.out
    ready.sandbox.slack.faults.clear()
    slack_fault(ready, status=200, after_commit=True, body_delay=60)
    killed = Started(parent, ready, "sync")
    until(lambda: messages(ready), "a message in Slack")
    killed.signal(signal.SIGKILL)
    assert killed.end()[0] == -signal.SIGKILL
    sent = run_of(messages(ready)[0])
    assert sent == waits.summary["run_id"]
    after = other.sync()
    assert f"the summary of run {sent} may not have reached Slack" in " ".join(after.out.split())
    ready.sync()
    other.sync()
    told = [run_of(message) for message in messages(ready)]
    assert len(told) == len(set(told)) == 5, told
    assert messages(ready)[1]["text"].startswith("Posted late, run ")
