"""The judge of the load on Celery workers: what it must not overlook of Dagster's queue, a kill and an outage."""

from __future__ import annotations

import pytest

from integration_assets_tests.proofs.scale import cluster
from integration_assets_tests.proofs.scale.celery_load import Ran, judged, overlaps


def ran(tenant: str, began: float | None, ended: float, credential: str = "", *, good: bool = True) -> Ran:
    return Ran(tenant, credential, 0.0, began, ended, good, over=True)


def test_runs_beside_each_other_are_counted() -> None:
    """Of a tenant, of a credential, and at all; a run that begins as another ends is not beside it."""
    assert overlaps([]) == (0, 0, 0)
    apart = [ran("a", 1, 2), ran("a", 2, 3), ran("b", None, 9)]
    assert overlaps(apart) == (0, 0, 1)
    assert overlaps([ran("a", 1, 3), ran("a", 2, 4)]) == (1, 0, 2)
    shared = [ran("a", 1, 5, "key"), ran("b", 2, 5, "key"), ran("c", 3, 5, "key"), ran("d", 4, 5, "other")]
    assert overlaps(shared) == (0, 3, 4)


def test_only_a_kill_or_the_outage_excuses_a_run_that_failed() -> None:
    """The killed worker is known by the run that it left; any other failure has no cause."""
    killed, killed_at, outage = (2, "a"), 5.0, (10.0, 15.0)
    judge = {
        "good": ran("a", 1, 6),
        "killed": ran("a", 1, 9, good=False),
        "of another tenant": ran("b", 1, 9, good=False),
        "cut off": ran("b", 9, 12, good=False),
        "after it": ran("b", 16, 17, good=False),
    }
    tries = {what: judged(one, killed, killed_at, outage) for what, one in judge.items()}
    assert {what: one.code for what, one in tries.items()} == {
        "good": 0,
        "killed": None,
        "of another tenant": 1,
        "cut off": None,
        "after it": 1,
    }
    assert {what for what, one in tries.items() if one.worker == 2} == {"killed"}


def test_a_machine_without_redis_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with what is left out."""
    monkeypatch.setenv("PATH", "")
    told = cluster.missing()
    assert told is not None
    assert "left out: runs on Celery workers" in told
    assert "apt-get install redis-server" in told
