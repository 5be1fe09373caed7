"""Exports of the look-alike: one at a time, so many a day, files that go stale."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from integration_assets_tests.sandbox.hubspot.conftest import Bench

ASYNC = "/crm/exports/2026-09/export/async"
BODY = {
    "exportType": "VIEW",
    "exportName": "all",
    "format": "CSV",
    "language": "EN",
    "objectType": "COMPANY",
    "objectProperties": ["hs_object_id", "name", "not_there"],
    "exportInternalValuesOptions": ["NAMES", "VALUES"],
}
SECONDS = 10.0


@pytest.fixture
def bench(bench_of: Callable[..., Bench]) -> Bench:
    return bench_of(export_seconds=SECONDS, exports_per_day=3)


def start(bench: Bench, **changes: Any) -> str:
    return str(bench.call("POST", ASYNC, {**BODY, **changes}, status=202)["id"])


def look(bench: Bench, task: str) -> Any:
    return bench.call("GET", f"{ASYNC}/tasks/{task}/status")


def test_a_file_has_a_row_per_live_record(bench: Bench) -> None:
    """The record id, then the asked properties that exist, under their internal names; no token is needed for it."""
    ids = bench.portal.seed("companies", [{"name": "A, B"}, {"name": "C"}, {"name": "gone"}])
    bench.portal.archive("companies", ids[2])
    task = start(bench)
    assert look(bench, task)["status"] == "PROCESSING"
    bench.clock.advance(SECONDS)
    url = look(bench, task)["result"]
    bench.client.headers.pop("authorization")
    rows = list(csv.reader(io.StringIO(bench.client.get(url).text)))
    assert rows == [["Record ID", "hs_object_id", "name"], [ids[0], ids[0], "A, B"], [ids[1], ids[1], "C"]]


def test_exports_wait_for_each_other(bench: Bench) -> None:
    """The second is pending while the first is worked on."""
    first, second = start(bench), start(bench)
    assert [look(bench, task)["status"] for task in (first, second)] == ["PROCESSING", "PENDING"]
    bench.clock.advance(SECONDS)
    assert [look(bench, task)["status"] for task in (first, second)] == ["COMPLETE", "PROCESSING"]


def test_so_many_exports_a_day(bench: Bench) -> None:
    """One more than the day allows is refused, until the first is a day old."""
    for _ in range(3):
        start(bench)
    bench.call("POST", ASYNC, BODY, status=429)
    bench.clock.advance(24 * 3600)
    start(bench)


def test_an_address_goes_stale(bench: Bench) -> None:
    """After five minutes a file is refused under its address; asking again gives another one."""
    task = start(bench)
    bench.clock.advance(SECONDS)
    url = look(bench, task)["result"]
    bench.clock.advance(301)
    assert bench.client.get(url).status_code == 403
    again = look(bench, task)["result"]
    assert again != url
    assert bench.client.get(again).status_code == 200


def test_large_files_are_archives_of_parts(bench_of: Callable[..., Bench]) -> None:
    """Beyond a size the file is an archive, and beyond a number of rows it has several parts, each with its header."""
    bench = bench_of(export_seconds=0, export_plain_bytes=10, export_rows_per_file=2)
    bench.portal.seed("companies", [{"name": str(number)} for number in range(3)])
    url = look(bench, start(bench))["result"]
    with zipfile.ZipFile(io.BytesIO(bench.client.get(url).content)) as archive:
        parts = [archive.read(name).decode().splitlines() for name in archive.namelist()]
    assert [len(part) for part in parts] == [3, 2]
    assert parts[0][0] == parts[1][0]


@pytest.mark.parametrize("wrong", [{"objectType": "NOTHING"}, {"objectProperties": []}, {"exportName": ""}])
def test_what_an_export_needs(bench: Bench, wrong: dict[str, Any]) -> None:
    """An unknown type, no properties, or a missing name is refused."""
    bench.call("POST", ASYNC, {**BODY, **wrong}, status=400)


def test_an_export_needs_its_scope(bench: Bench) -> None:
    """Without `crm.export` neither start nor status is answered."""
    bench.portal.scopes.discard("crm.export")
    bench.call("POST", ASYNC, BODY, status=403)
