"""The checker is the one part of the bench nothing else checks: every invariant has to fail when it is broken."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import duckdb
import pytest

from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets_tests.proofs.faults import checker
from integration_assets_tests.proofs.faults.bench import Run
from integration_assets_tests.proofs.faults.pictures import Ours, Picture
from integration_assets_tests.proofs.faults.starts import SENTINELS
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.support.harness import Ran

RUN_ID = "run-1"
EMPTY = Ours({}, {}, ())
PICTURE = Picture(EMPTY, {"companies 1": {"name": "Acme"}}, (EMPTY, {}), 0)
RECORD = Ours({"canny:1": {"title": "Dark mode"}}, {("canny:1", "companies", "1"): frozenset({"Voted"})}, ())
WRITTEN = replace(PICTURE, ours=RECORD)


def request(path: str = "/crm/objects/2026-09/2-1/batch/upsert", credential: str = "sandbox token") -> LoggedRequest:
    return LoggedRequest(1, "POST", path, "", b"{}", 0.0, 200, None, f"Bearer {SENTINELS[credential]}")


def summary(state: str = "SUCCEEDED", created: int = 1, linked: int = 1) -> dict[str, Any]:
    return {"state": state, "feature_requests": {"created": created}, "links": {"created": linked}, "rejected": []}


def message(created: int = 1, linked: int = 1) -> dict[str, Any]:
    text = f"*Requests*  1 identified: {created} created, 0 updated\n*Links*  1 wanted: {linked} linked, 0 unlinked"
    about = {"event_type": "run", "event_payload": {"run_id": RUN_ID}}
    return {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}], "metadata": about}


def run_of(**parts: Any) -> Run:
    usual: dict[str, Any] = {
        "command": ("sync",),
        "ran": Ran(0, "", "", summary()),
        "before": PICTURE,
        "after": WRITTEN,
        "requests": [("hubspot", request())],
        "messages": [message()],
        "disturbed": True,
    }
    return Run(**{**usual, **parts})


def bench_of(*runs: Run, **parts: Any) -> Any:
    usual = {
        "runs": [*runs, run_of(disturbed=False)],
        "spared": set(),
        "may_repeat_writes": False,
        "world": SimpleNamespace(portal=SimpleNamespace(token=SENTINELS["sandbox token"])),
        "case": SimpleNamespace(requests=2),
        "_proxies": {},
    }
    return SimpleNamespace(**{**usual, **parts})


def judged(run: Run) -> None:
    """Everything that is judged of a single run."""
    bench = bench_of(run)
    checker.no_key_twice(run.after)
    checker.nothing_of_others_touched(bench, run)
    checker.credentials_stay_home(bench, run)
    checker.ending_is_honest(run, {RUN_ID: run.ran.summary} if run.ran.summary else {})
    checker.within_bounds(bench, run)


def test_a_run_without_fault_passes():
    """Nothing is found where nothing is wrong."""
    judged(run_of())


BROKEN: dict[str, Run] = {
    "I1: several records carry canny:1": run_of(after=replace(WRITTEN, ours=replace(RECORD, repeated=("canny:1",)))),
    "I3: 1 things that are not ours changed: companies 1": run_of(
        after=replace(WRITTEN, theirs={"companies 1": {"name": "Acme "}})
    ),
    "I3: the other portal changed": run_of(after=replace(WRITTEN, production=(RECORD, {}))),
    "I3: 1 writes were sent to the other portal": run_of(
        requests=[("production", request(credential="production token"))]
    ),
    "I4: hubspot was sent the production token": run_of(requests=[("hubspot", request(credential="production token"))]),
    "I4: slack was sent the sandbox token": run_of(requests=[("slack", request("/api/chat.postMessage"))]),
    "I6: exit 9 without a summary": run_of(ran=Ran(9, "", "", None)),
    "I6: SUCCESS is no end state": run_of(ran=Ran(0, "", "", summary("SUCCESS"))),
    "I6: FAILED ended with exit 0": run_of(ran=Ran(0, "", "", summary("FAILED"))),
    "I6: HELD, but something was written": run_of(ran=Ran(3, "", "", summary("HELD"))),
    "I6: 2 created were reported, the portal says 1": run_of(ran=Ran(0, "", "", summary(created=2))),
    "I6: 0 linked were reported, the portal says 1": run_of(ran=Ran(0, "", "", summary(linked=0))),
    "I6: 2 created were reported, the portal says 1 ": run_of(ran=Ran(1, "", "", summary("FAILED", created=2))),
    "I6: Slack says (3, 1) created and linked": run_of(messages=[message(created=3)]),
    "I6: a usage error after something was written": run_of(ran=Ran(2, "", "", None)),
    "I8: 3 requests were sent, at most 2 are allowed": run_of(requests=[("hubspot", request())] * 3),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_invariant_is_found(what: str):
    """Each on its own, and said in words."""
    with pytest.raises(BrokenError) as found:
        judged(BROKEN[what])
    assert str(found.value).startswith(what.strip())


LOST: dict[str, Ours] = {
    "I2: records differ": EMPTY,
    "I2: 1 values differ": replace(RECORD, records={"canny:1": {"title": "Dark"}}),
    "I2: 1 labels differ": replace(RECORD, links={}),
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_is_found(what: str):
    """Against the world in which nothing went wrong."""
    with pytest.raises(BrokenError, match=what):
        checker.nothing_lost(replace(WRITTEN, ours=LOST[what]), WRITTEN)
    checker.nothing_lost(WRITTEN, WRITTEN)


def test_a_further_write_is_found():
    """A run after the undisturbed one has nothing left to write."""
    with pytest.raises(BrokenError, match="I7: a further run sent 1 writes"):
        checker.nothing_more_to_write(bench_of(), run_of(before=WRITTEN))
    checker.nothing_more_to_write(bench_of(), run_of(before=WRITTEN, requests=[]))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": lambda secret: base64.b64encode(f"Bearer {secret}".encode()).decode(),
    "base64 at another offset": lambda secret: base64.b64encode(f"key:{secret}!".encode()).decode(),
    "URL": lambda secret: quote(secret, safe=""),
    "hex": lambda secret: secret.encode().hex(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", SENTINELS)
def test_a_secret_is_found_however_it_is_written(tmp_path: Path, secret: str, spelling: str):
    """In a file, in a compressed table, and in what a run printed."""
    written = SPELLINGS[spelling](SENTINELS[secret])
    world = SimpleNamespace(home=tmp_path, sandbox=SimpleNamespace(team=SimpleNamespace(messages=[])))
    bench = bench_of(world=world)
    checker.no_secret_anywhere(bench)
    with duckdb.connect(str(tmp_path / "store.duckdb")) as connection:
        connection.execute("CREATE TABLE notes AS SELECT ? || range AS note FROM range(3)", [written])
    with pytest.raises(BrokenError, match=f"I5: {secret} in tables of store.duckdb|I5: {secret} in store.duckdb"):
        checker.no_secret_anywhere(bench)
    (tmp_path / "store.duckdb").unlink()
    (tmp_path / "a.log").write_text(f"sent {written} to somebody")
    with pytest.raises(BrokenError, match=f"I5: {secret} in a.log"):
        checker.no_secret_anywhere(bench)
    (tmp_path / "a.log").unlink()
    with pytest.raises(BrokenError, match=f"I5: {secret} in output of run 1"):
        checker.no_secret_anywhere(bench_of(run_of(ran=Ran(0, written, "", summary())), world=world))
