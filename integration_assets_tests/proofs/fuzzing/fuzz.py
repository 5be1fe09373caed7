"""Tell stories over damaged answers, many times, and judge how each ended."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb

from integration_assets.connectors.exchange import RawAnswer
from integration_assets.errors import IntegrationError
from integration_assets.ingest.context import TABLES
from integration_assets.models import (
    Account,
    Board,
    Company,
    Contact,
    CrmFeatureRequest,
    FeatureRequest,
    Link,
    StatusChange,
    Vote,
    Voter,
)
from integration_assets.staging.loading import Loader, replacing
from integration_assets.staging.migrations import migrate
from integration_assets_tests.proofs.fuzzing.damage import CUT, MUTATIONS
from integration_assets_tests.proofs.fuzzing.recorded import Place, Recording, Replay, lax
from integration_assets_tests.proofs.fuzzing.stories import (
    Subject,
    Told,
    canny_subject,
    hubspot_subject,
    make_our_object,
    quackback_subject,
    small_pages,
    uservoice_subject,
)
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.in_process import call, encoded

SHOWN = 5
SUBJECTS: dict[str, Callable[[], Subject]] = {
    "canny": canny_subject,
    "quackback": quackback_subject,
    "uservoice": uservoice_subject,
    "hubspot": hubspot_subject,
}
STATUSES = (201, 204, 207, 301, 400, 401, 403, 404, 409, 414, 423, 429, 437, 477, 500, 502, 503, 522)
GOOD_SHARE = 0.85
"""Share of damaged bodies that come with status 200: there a connector has to look at them."""
HEADERS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"content-type": "application/json"}, {"content-type": "text/html"}, {"content-type": ""},
    {"retry-after": "-1"}, {"retry-after": "nan"}, {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"},
    {"retry-after": "²"},
    {"x-hubspot-ratelimit-max": "²", "x-hubspot-ratelimit-remaining": "-5"},
    {"x-hubspot-ratelimit-daily": "1e400", "x-hubspot-ratelimit-daily-remaining": "nan"},
    {"x-hubspot-ratelimit-interval-milliseconds": "0", "x-hubspot-ratelimit-max": "0"},
)  # fmt: skip
LOADED_SHARE = 0.05
"""Share of the records read that go on into the staging store."""
TABLE_OF: dict[type, str] = {
    Board: "raw.boards", FeatureRequest: "raw.feature_requests", StatusChange: "raw.status_changes", Vote: "raw.votes",
    Voter: "raw.voters", Account: "raw.accounts", Company: "raw.crm_companies", Contact: "raw.crm_contacts",
    CrmFeatureRequest: "raw.crm_feature_requests", Link: "raw.crm_links",
}  # fmt: skip


@dataclass
class Report:
    """How many bodies ended how, and those that ended in a way that is not one of ours."""

    endings: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def fuzz(connector: str, bodies: int, seed: int) -> Report:
    """Damage so many answers of one connector. The same arguments damage them the same way."""
    report = Report()
    with small_pages(), _silence(), duckdb.connect() as connection:
        migrate(connection)
        subject = SUBJECTS[connector]()
        with replacing(connection, TABLES) as load:
            asyncio.run(_fuzz(subject, connector, bodies, seed, load, report))
    return report


async def _fuzz(subject: Subject, connector: str, bodies: int, seed: int, load: Loader, report: Report) -> None:
    recordings = {name: await _record(subject, name) for name in subject.stories}
    places = {name: recording.places() for name, recording in recordings.items()}
    names = [name for name in places if places[name]]
    for number in range(bodies):
        draw = random.Random(f"{seed}/{connector}/{number}")
        name = draw.choice(names)
        place, position = draw.choice(places[name])
        mutation = draw.choice(MUTATIONS)
        good = recordings[name].answers[place][position]
        status = good.status if draw.random() < GOOD_SHARE else draw.choice(STATUSES)
        replay = Replay(recordings[name], (place, position), mutation(draw, good.body), status, draw.choice(HEADERS))
        where = f"seed {seed}, body {number} of {connector}: {name}, {mutation.__name__}, status {status}"
        try:
            told = await subject.stories[name](subject.opened(replay))
            _store(told, load, draw)
        except IntegrationError as error:
            report.endings[type(error).__name__] += 1
            continue
        except Exception as error:  # noqa: BLE001 - any other exception is what is looked for
            report.endings["unhandled"] += 1
            report.wrong.append(f"{where}: {type(error).__name__}: {error}"[:400])
            continue
        report.endings["rejected" if told.rejected else "records"] += 1
        cut = mutation in CUT and status in (200, 201) and replay.damage_given
        if complaint := _complaint(told, replay, recordings[name], place, cut=cut):
            report.wrong.append(f"{where}: {complaint}")


def _complaint(told: Told, replay: Replay, recording: Recording, place: Place, *, cut: bool) -> str | None:
    """What is wrong with a success; None when nothing is."""
    if cut and told.inputs is None:
        return "an answer that was cut passed for whole"
    if told.inputs is not None and told.inputs != told.accounted:
        return f"{told.accounted} of {told.inputs} inputs are accounted for"
    if told.items is None or not replay.damage_given:
        return None
    listed, key, recognised = told.items
    given = replay.given[listed]
    if len(given) > len(recording.answers[listed]):
        return None  # asked again, further back: what a page held may have been left for later
    served = [item for body in given for item in _items(lax(body), key)]
    least = len({item["id"] for item in served if _has_id(item)}) if recognised else len(served)
    accounted = len(told.records) + len(told.rejected)
    return f"{accounted} records of {least} that were served" if accounted < least else None


def _items(body: Any, key: str) -> list[Any]:
    items = body.get(key) if isinstance(body, dict) else None
    return items if isinstance(items, list) else []


def _has_id(item: Any) -> bool:
    found = item.get("id") if isinstance(item, dict) else None
    # Ids that are numbers are taken for what they say, in the connectors of systems that have such.
    return type(found) is int or (isinstance(found, str) and bool(found))


def _store(told: Told, load: Loader, draw: random.Random) -> None:
    """Put what was read where a run puts it."""
    if draw.random() < LOADED_SHARE:
        for record in told.records:
            if type(record) in TABLE_OF:
                load.append(TABLE_OF[type(record)], [record])


async def _record(subject: Subject, name: str) -> Recording:
    recording = Recording()
    app, headers = subject.app, subject.headers

    class Recorder:
        host = "recorded"

        async def send(self, method: str, path: str, json: Any, params: Any, **_options: object) -> RawAnswer:
            body = encoded(json, subject.body_fields)
            return recording.keep(await call(app, method, subject.prefix + path, body, params, headers), path, method)

    connector = subject.opened(Recorder())
    if name == "portal":
        await make_our_object(connector)
        recording.answers.clear()
    await subject.stories[name](connector)
    return recording


@contextmanager
def _silence() -> Iterator[None]:
    """Warnings about web pages and wrong bodies are not what a person wants to see a hundred thousand times."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@proof(
    "fuzz",
    "fuzzing",
    "A damaged answer ends in records, in rejections or in an error of ours, and never short in silence.",
    whole=100_000,
    small=2_000,
    unit="damaged bodies of each connector",
)
def measure(scale: Scale) -> Iterator[Row]:
    """One figure per connector."""
    for connector in SUBJECTS:
        started = time.process_time()
        report = fuzz(connector, scale.count, scale.seed)
        spent = time.process_time() - started
        used = report.endings["records"] + report.endings["rejected"]
        wrong = f"; {'; '.join(report.wrong[:SHOWN])}" if report.wrong else ""
        yield Row(
            f"fuzzed bodies, {connector}: unhandled or silently short",
            f"{len(report.wrong)} of {report.endings.total():,} ({used:,} used, the rest refused by name; "
            f"{spent:.0f} s of processor time){wrong}",
            "0",
            not report.wrong and report.endings.total() == scale.count,
        )
