"""A first sync of a whole portal: the product against three other ways, and against what the limits allow.

- naive: HubSpot's own client, one request at a time: search by title, create or update, then one call per company
- batches: HubSpot's own client, batches of 100, one after the other, nothing read back
- the arithmetic: calls needed divided by calls allowed
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.base import Row, run
from benchmarks.world import MEDIUM, SMALL, Served, served
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, KEY

CLI = (sys.executable, "-m", "integration_assets.cli")
NAIVE_REQUESTS = 15
"""Requests the naive way is measured on; the rest is extended by its calls, which take the same time each."""
PAIRS_PER_CALL = 100
RECORDS_PER_CALL = 100
_WHY_SLOWER = (
    "Three things are not in the limits: starting, ranking and publishing take the same few seconds however fast the "
    "systems are; Dagster's record of a run costs what the first table says; and the limiter counts a call until a "
    "whole window after its answer, because nobody knows when on the way a system counted it, so that each second of "
    "a limit takes one answer's time longer. The larger the world, the less the first two weigh."
)


@dataclass(frozen=True)
class Wanted:
    """A request as the other ways write it: its title, and the companies it is linked to."""

    key: str
    title: str
    companies: tuple[str, ...]


def measure(seed: int) -> Iterator[Row]:
    """The small world every way, the medium one by the product alone."""
    with served(SMALL, seed) as world, tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        product_seconds = yield from _by_the_product("small", SMALL, world, home)
        wanted = _wanted(home)
        yield Row("small world: the product's writes, read back and verified", f"{product_seconds:.1f} s")
    for way, others in (("naive", _naive), ("batches", _batches)):
        with served(SMALL, seed) as world, tempfile.TemporaryDirectory() as folder:
            environment = world.environment(Path(folder))
            run([*CLI, "setup", "--yes"], environment, Path(folder))
            seconds, calls = others(world, wanted)
            ratio = seconds / product_seconds
            yield Row(f"small world: the same writes, {way}", f"{seconds:,.0f} s, {calls:,} calls, x {ratio:,.1f}")
    yield Row(
        "small world: companies and contacts by dlt's HubSpot source",
        "not measured: the package has none, it is fetched",
    )
    with served(MEDIUM, seed) as world, tempfile.TemporaryDirectory() as folder:
        yield from _by_the_product("medium", MEDIUM, world, Path(folder))


def _by_the_product(name: str, size: tuple[int, int, int], world: Served, home: Path) -> Generator[Row, None, float]:
    """A first sync, a second one, and one after one vote more; returns seconds from first write to last read-back."""
    environment = world.environment(home)
    requests, votes, companies = size
    called = f"{name} world ({requests:,} requests, {votes:,} votes, {companies:,} companies)"
    run([*CLI, "setup", "--yes"], environment, home)
    world.ask("requests")
    started = time.monotonic()
    first = run([*CLI, "sync", "--json", "first.json"], environment, home)
    calls = world.ask("requests")
    floor, forced = floor_of(home, "first"), forced_seconds(calls)
    total = calls["canny"] + calls["hubspot"]
    yield Row(
        f"{called}: calls of a first sync",
        f"{total:,} (Canny {calls['canny']:,}, HubSpot {calls['hubspot']:,}, of them {calls['writes']:,} writes)",
        f"at most 1.05 x {floor:,}",
        total <= 1.05 * floor,
    )
    yield Row(
        f"{called}: time of a first sync, cold start included",
        f"{first.wall:.1f} s, {first.memory / 1e6:,.0f} MB",
        f"at most 1.15 x {forced:.1f} s, which the limits force",
        first.wall <= 1.15 * forced,
        why=_WHY_SLOWER,
    )
    yield Row(f"{called}: where that time goes", _where(calls, started, first.wall))
    taken, listed = _company_calls(calls), -(-companies // RECORDS_PER_CALL)
    yield Row(
        f"{called}: calls of reading companies the first time",
        f"{taken}, {'by an export' if _exported(calls) else 'by the list'}",
        f"at most the {listed} pages of the list",
        taken <= listed,
    )
    yield Row(f"{called}: 429s in a first sync", str(calls["refused"]), "0", calls["refused"] == 0)
    second = run([*CLI, "sync", "--json", "second.json"], environment, home)
    again, again_floor = world.ask("requests"), floor_of(home, "second")
    both = again["canny"] + again["hubspot"]
    yield Row(
        f"{called}: a second sync, nothing changed",
        f"{again['writes']} writes, {both:,} calls (Canny {again['canny']:,}), {second.wall:.1f} s",
        f"0 writes, at most 1.05 x {again_floor:,} calls",
        again["writes"] == 0 and both <= 1.05 * again_floor,
    )
    world.ask("change")
    run([*CLI, "sync", "--json", "third.json"], environment, home)
    changed = world.ask("requests")
    more = changed["canny"] + changed["hubspot"] - both
    yield Row(f"{called}: calls that one vote more costs", str(more), "a handful: at most 10", more <= 10)
    return float(calls["write_seconds"])


def floor_of(home: Path, run: str) -> int:
    """Calls the work of a run takes at least: full pages of all it read, full batches of all it wrote, read back once.

    By the product's own formula (`ops.call_floors`); the calls it is compared with are the servers'.
    """
    run_id = json.loads((home / f"{run}.json").read_text(encoding="utf-8"))["run_id"]
    with duckdb.connect(str(home / "published" / "sandbox" / "default.duckdb"), read_only=True) as published:
        [(calls,)] = published.execute("SELECT sum(calls) FROM ops.call_floors WHERE run_id = ?", [run_id]).fetchall()
    return int(calls)


def _where(calls: dict[str, Any], started: float, wall: float) -> str:
    """The parts of a first sync between the moments that show at the servers, in seconds."""
    parts = (
        ("before the first call", calls["first"] - started),
        ("reading", (read := calls["first"] + calls["canny_seconds"]) - calls["first"]),
        ("ranking, planning and the gate", calls["first_write"] - read),
        ("writing and reading back", calls["last"] - calls["first_write"]),
        ("publishing and telling", started + wall - calls["last"]),
    )
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts)


def _company_calls(calls: dict[str, Any]) -> int:
    """Calls that companies were read by: the list, a search, an export, and their parents.

    An export is asked for after a look at what the credential may do.
    """
    made: int = sum(number for call, number in calls["by_path"].items() if _is_of_companies(call) or "/export" in call)
    return made + _exported(calls)


def _is_of_companies(call: str) -> bool:
    of_records = call.endswith("/0-2") and "/crm/objects/" in call
    return of_records or call.endswith(("/0-2/search", "/0-2/0-2/batch/read"))


def _exported(calls: dict[str, Any]) -> bool:
    return any("/export" in call for call in calls["by_path"])


def forced_seconds(calls: dict[str, Any]) -> float:
    """Seconds the limits force on that many calls: the slower of the two systems while reading, then the writes."""
    hubspot_reads = calls["hubspot"] - 2 * calls["writes"]
    reading = max(_paced(calls["canny"], ((10, 1), (300, 60))), _paced(hubspot_reads, ((190, 10),)))
    return reading + _paced(2 * calls["writes"], ((150, 10),))


def _paced(calls: int, windows: Sequence[tuple[int, int]]) -> float:
    """Seconds from the first to the last of that many calls when each window of seconds takes so many."""
    return max(((calls - 1) // most) * seconds for most, seconds in windows) if calls else 0.0


def _wanted(home: Path) -> list[Wanted]:
    with duckdb.connect(str(home / "published" / "sandbox" / "default.duckdb"), read_only=True) as published:
        rows = published.execute(
            """
            SELECT 'canny:' || requests.request_id, any_value(requests.title), list(pairs.company_id)
            FROM ranked.feature_requests AS requests
            LEFT JOIN ranked.company_requests AS pairs ON requests.request_id = pairs.request_id
            GROUP BY requests.request_id ORDER BY requests.request_id
            """
        ).fetchall()
    return [Wanted(key, title, tuple(one for one in companies if one)) for key, title, companies in rows]


# -- the other ways


def _client(world: Served) -> tuple[Any, str, int]:
    """HubSpot's own client, the id of our object, and the number of our label for companies."""
    import hubspot  # type: ignore[import-untyped]  # the client has no types

    client = hubspot.HubSpot(
        access_token=world.settings["HUBSPOT_SANDBOX_TOKEN"], host=world.settings["HUBSPOT_SANDBOX_BASE_URL"]
    )
    schemas = client.crm.schemas.core_api.get_all().results
    object_type = next(one.object_type_id for one in schemas if one.name == FEATURE_REQUEST.name)
    labels = client.crm.associations.v4.schema.definitions_api.get_all(object_type, "companies").results
    return client, object_type, next(one.type_id for one in labels if one.category == "USER_DEFINED")


def _naive(world: Served, wanted: Sequence[Wanted]) -> tuple[float, int]:
    from hubspot.crm.objects import (  # type: ignore[import-untyped]
        PublicObjectSearchRequest,
        SimplePublicObjectInputForCreate,
    )

    client, object_type, label = _client(world)
    world.ask("requests")
    started, links = time.monotonic(), 0
    for one in wanted[:NAIVE_REQUESTS]:
        search = {"filterGroups": [{"filters": [{"propertyName": "title", "operator": "EQ", "value": one.title}]}]}
        found = client.crm.objects.search_api.do_search(
            object_type, public_object_search_request=PublicObjectSearchRequest(filter_groups=search["filterGroups"])
        )
        if found.total:
            record_id = found.results[0].id
        else:
            values = SimplePublicObjectInputForCreate(properties={KEY: one.key, "title": one.title}, associations=[])
            record_id = client.crm.objects.basic_api.create(
                object_type, simple_public_object_input_for_create=values
            ).id
        spec = [{"associationCategory": "USER_DEFINED", "associationTypeId": label}]
        for company_id in one.companies:
            client.crm.associations.v4.basic_api.create(object_type, record_id, "companies", company_id, spec)
            links += 1
    spent, calls = time.monotonic() - started, world.ask("requests")["hubspot"]
    all_calls = 2 * len(wanted) + sum(len(one.companies) for one in wanted)
    return spent * all_calls / calls, all_calls


def _batches(world: Served, wanted: Sequence[Wanted]) -> tuple[float, int]:
    from hubspot.crm.associations import v4  # type: ignore[import-untyped]
    from hubspot.crm.objects import BatchInputSimplePublicObjectBatchInputUpsert

    client, object_type, label = _client(world)
    world.ask("requests")
    started, ids = time.monotonic(), {}
    for first in range(0, len(wanted), 100):
        inputs: list[dict[str, Any]] = [
            {"id": one.key, "idProperty": KEY, "properties": {KEY: one.key, "title": one.title}}
            for one in wanted[first : first + 100]
        ]
        answer = client.crm.objects.batch_api.upsert(
            object_type, BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs)
        )
        ids.update({result.properties[KEY]: result.id for result in answer.results})
    pairs = [(ids[one.key], company) for one in wanted for company in one.companies]
    types = [{"associationCategory": "USER_DEFINED", "associationTypeId": label}]
    for first in range(0, len(pairs), PAIRS_PER_CALL):
        inputs = [
            {"from": {"id": record}, "to": {"id": company}, "types": types}
            for record, company in pairs[first : first + PAIRS_PER_CALL]
        ]
        client.crm.associations.v4.batch_api.create(
            object_type, "companies", v4.BatchInputPublicAssociationMultiPost(inputs=inputs)
        )
    return time.monotonic() - started, int(world.ask("requests")["hubspot"])
