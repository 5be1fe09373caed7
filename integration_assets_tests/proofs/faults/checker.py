"""The one checker: eight invariants after every fault, from the servers' own logs and state and from what is on disk.

- I1 no key twice
- I2 nothing lost: after an undisturbed run, records and links equal those of a world where nothing went wrong
- I3 what is not ours is untouched, and nothing at all is written into the other portal
- I4 no credential is sent anywhere but to its own portal
- I5 no secret on any surface, in no encoding
- I6 one of the five end states, with its exit code; Slack tells what the portal's state says was created and linked
- I7 a further run sends no write
- I8 the disturbed run kept within its requests; one that never ends is killed with the others
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import duckdb

from integration_assets.errors import EXIT_CODES, EXIT_USAGE, EndState
from integration_assets_tests.proofs.faults.bench import Bench, Run, require, tail
from integration_assets_tests.proofs.faults.pictures import Picture
from integration_assets_tests.proofs.faults.starts import SENTINELS


def recover(bench: Bench) -> Run:
    """Run undisturbed until all is well; returns the last of these runs."""
    if bench.clean_runs == 0:
        return bench.last
    ran = None
    for _ in range(bench.clean_runs):
        ran = bench.run("sync")
        if ran.code == 0:
            break
    require(ran is not None, "a fault needs at least one undisturbed run after it")
    bench.expect(state=bench.clean_state)
    return bench.last


def check(bench: Bench, clean: Run, expected: Picture) -> None:
    """All invariants. Runs the product once more for I7."""
    nothing_lost(clean.after, expected)
    bench.run("sync")
    nothing_more_to_write(bench, bench.last)
    every = [ran for run in bench.runs for ran in (run.ran, *run.beside)]
    summaries = {ran.summary["run_id"]: ran.summary for ran in every if ran.summary}
    for run in bench.runs:
        no_key_twice(run.after)
        nothing_of_others_touched(bench, run)
        credentials_stay_home(bench, run)
        if run.command[0] == "sync" and not run.died:
            bench.workshop.seen["Slack messages"] += ending_is_honest(run, summaries)
            bench.workshop.seen.update(all_read_back(run))
        if run.disturbed:
            within_bounds(bench, run)
    no_secret_anywhere(bench)


def no_key_twice(after: Picture) -> None:
    """I1."""
    require(not after.ours.repeated, f"I1: several records carry {', '.join(after.ours.repeated)}")


def nothing_lost(after: Picture, expected: Picture) -> None:
    """I2."""
    have, want = after.ours, expected.ours
    require(
        have.records.keys() == want.records.keys(), f"I2: records differ: {have.records.keys() ^ want.records.keys()}"
    )
    differing = [
        f"{key}.{name}: {record.get(name)!r} instead of {want.records[key].get(name)!r}"
        for key, record in have.records.items()
        for name in sorted({*record, *want.records[key]})
        if record.get(name) != want.records[key].get(name)
    ]
    require(not differing, f"I2: {len(differing)} values differ: {'; '.join(differing[:3])}")
    labels = sorted(have.labels ^ want.labels)
    require(not labels, f"I2: {len(labels)} labels differ: {labels[:3]}")


def nothing_of_others_touched(bench: Bench, run: Run) -> None:
    """I3."""
    before, after = run.before.theirs, run.after.theirs
    changed = sorted(name for name in {*before, *after} - bench.spared if before.get(name) != after.get(name))
    require(not changed, f"I3: {len(changed)} things that are not ours changed: {', '.join(changed[:3])}")
    require(run.before.production == run.after.production, "I3: the other portal changed")
    production = [request for request in run.writes if ("production", request) in run.requests]
    require(not production, f"I3: {len(production)} writes were sent to the other portal")


def credentials_stay_home(bench: Bench, run: Run) -> None:
    """I4."""
    own = {
        "hubspot": f"Bearer {SENTINELS['sandbox token']}",
        "production": f"Bearer {SENTINELS['production token']}",
        "slack": f"Bearer {SENTINELS['Slack token']}",
        "canny": "",
    }
    secrets = {SENTINELS[name]: name for name in SENTINELS}
    for system, request in run.requests:
        told = f"{request.credential} {request.body.decode('utf-8', 'replace')} {request.query}"
        carried = {name for secret, name in secrets.items() if secret in told or quote(secret, safe="") in told}
        home = {
            "hubspot": "sandbox token",
            "production": "production token",
            "slack": "Slack token",
            "canny": "Canny key",
        }
        require(not carried - {home[system]}, f"I4: {system} was sent the {', '.join(carried - {home[system]})}")
        known = (own[system], "", f"Bearer {bench.world.portal.token}")
        require(request.credential in known or system != "hubspot", f"I4: {system} was sent a credential nobody gave")


def ending_is_honest(run: Run, summaries: dict[str, dict[str, Any]]) -> int:
    """I6. `summaries` are those of all runs: Slack may hear late of a run that could not reach it.

    Returns how many Slack messages were compared.
    """
    ran = run.ran
    if ran.code == EXIT_USAGE:
        require(not run.writes, "I6: a usage error after something was written")
        return 0
    require(ran.summary is not None, f"I6: exit {ran.code} without a summary: {tail(ran)}")
    state = ran.summary["state"]
    require(state in set(EndState), f"I6: {state} is no end state")
    require(ran.code == EXIT_CODES[EndState(state)], f"I6: {state} ended with exit {ran.code}")
    made = run.after.ours.records.keys() - run.before.ours.records.keys()
    linked = run.after.ours.labels - run.before.ours.labels
    if state == "HELD":
        require(not run.writes, "I6: HELD, but something was written")
    rejected = {item["key"].lower() for item in ran.summary["rejected"] if item["kind"] == "feature_request"}
    for what, name, there in (("created", "feature_requests", len(made - rejected)), ("linked", "links", len(linked))):
        told = ran.summary[name]["created"]
        if run.beside:
            # Who of several made a thing cannot be told from outside: none says too much, together they say it all.
            each = [told, *(other.summary[name]["created"] for other in run.beside)]
            require(max(each) <= there <= sum(each), f"I6: {each} {what} were reported, the portal says {there}")
        else:
            _equal(what, told, there, state)
    compared = 0
    for message in run.messages:
        shown, about = _numbers(message), summaries.get(run_of(message))
        if shown is not None and about is not None:
            told = (about["feature_requests"]["created"], about["links"]["created"])
            require(
                shown == told or "--dry-run" in run.command,
                f"I6: Slack says {shown} created and linked, the summary says {told}",
            )
            compared += 1
    return compared


def all_read_back(run: Run) -> dict[str, int]:
    """I6 as well: what is reported as written was read back, all of it. Returns both numbers, records and labels."""
    summary = run.ran.summary
    if summary is None or summary["dry_run"]:
        return {}
    records, links = summary["feature_requests"], summary["links"]
    written = sum(records[name] for name in ("created", "updated", "retired")) + links["created"] + links["removed"]
    verified = records["verified"] + links["verified"]
    require(written == verified, f"I6: {written} were reported as written, {verified} were read back")
    return {"written": written, "verified": verified}


def run_of(message: dict[str, Any]) -> str:
    """Id of the run a Slack message is about: the one that posts it, or an earlier one that could not."""
    metadata = message.get("metadata", {})
    loaded = json.loads(metadata) if isinstance(metadata, str) else metadata
    return str(loaded.get("event_payload", {}).get("run_id"))


def _equal(what: str, told: int, there: int, state: str) -> None:
    if state in ("RETRY_LATER", "FAILED"):
        # What ended a run early may have kept it from reading back what it wrote: it may say less, never more.
        require(told <= there, f"I6: {told} {what} were reported, the portal says {there}")
    else:
        require(told == there, f"I6: {told} {what} were reported, the portal says {there}")


def _numbers(message: dict[str, Any]) -> tuple[int, int] | None:
    """Created and linked as a Slack message tells them, or None when it tells of no comparison."""
    blocks = message.get("blocks", [])
    text = json.dumps(blocks, ensure_ascii=False) if not isinstance(blocks, str) else blocks
    created, linked = (re.search(rf"([\d,]+) {word}", text) for word in ("created", "linked"))
    if created is None or linked is None:
        return None
    return int(created[1].replace(",", "")), int(linked[1].replace(",", ""))


def nothing_more_to_write(bench: Bench, run: Run) -> None:
    """I7."""
    require(run.ran.code == 0, f"I7: the further run ended with exit {run.ran.code}: {tail(run.ran)}")
    if bench.may_repeat_writes:
        require(run.before.ours == run.after.ours, "I7: a further run changed something")
        return
    require(not run.writes, f"I7: a further run sent {len(run.writes)} writes: {[one.path for one in run.writes][:3]}")


def within_bounds(bench: Bench, run: Run) -> None:
    """I8."""
    case = bench.case
    sent = max(len(run.requests), sum(len(proxy.requests) for proxy in bench._proxies.values()))
    require(sent <= case.requests, f"I8: {sent} requests were sent, at most {case.requests} are allowed")


# -- I5


def no_secret_anywhere(bench: Bench) -> None:
    """I5: outputs, logs, what Slack was told, and every file under the home, DuckDB tables read as tables as well."""
    surfaces: dict[str, bytes] = {}
    for number, run in enumerate(bench.runs, start=1):
        surfaces[f"output of run {number}"] = (run.ran.out + run.ran.err).encode()
        surfaces[f"log of run {number}"] = run.log.encode()
        surfaces[f"summary of run {number}"] = json.dumps(run.ran.summary).encode()
    for number, message in enumerate(bench.world.sandbox.team.messages, start=1):
        surfaces[f"Slack message {number}"] = json.dumps(message).encode()
    home = bench.world.home
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        name = str(path.relative_to(home))
        surfaces[name] = path.read_bytes()
        if path.suffix == ".duckdb":
            surfaces[f"tables of {name}"] = _tables(path)
    patterns = {name: _spellings(secret) for name, secret in SENTINELS.items()}
    found = [
        f"{name} in {where}"
        for where, data in surfaces.items()
        for name, spellings in patterns.items()
        if any(spelling in data for spelling in spellings)
    ]
    require(not found, f"I5: {'; '.join(found[:5])}")


def _spellings(secret: str) -> set[bytes]:
    """A secret as it is, in base64 at every offset, URL-encoded, JSON-escaped and in hex."""
    raw = secret.encode()
    spellings = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), raw.hex().encode()}
    spellings.add(secret.replace("/", "\\/").encode())
    for offset in range(3):
        text = base64.b64encode(b"x" * offset + raw)
        inner = text[4 if offset else 0 : len(text) - 4]
        spellings |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return spellings


def _tables(path: Path) -> bytes:
    """Every value of every table as text: on disk they are compressed."""
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error:
        return b""  # damaged on purpose: its bytes are searched anyway
    with connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        ).fetchall()
        rows = [
            connection.execute(f'SELECT t::VARCHAR FROM "{schema}"."{table}" AS t').fetchall()
            for schema, table in names
        ]
    return "\n".join(str(row[0]) for table in rows for row in table).encode()
