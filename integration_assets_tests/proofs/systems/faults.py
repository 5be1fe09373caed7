"""Each fault is injected into a sync; another runs undisturbed, and the CRM must hold what it would have without."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeVar
from unittest import mock

from integration_assets.config import load_settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.crm.base import Crm, PairWrite, RecordWrite
from integration_assets.errors import EXIT_CODES, EndState
from integration_assets.models import CrmFeatureRequest, Link, LinkTarget
from integration_assets.sandbox.crms import OTHER_CRMS
from integration_assets.sandbox.lookalike import Fault, LoggedRequest, Lookalike
from integration_assets.sandbox.server import build_sandbox
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, MANAGED_STATE
from integration_assets.tenants.integrations import crm_for
from integration_assets_tests.proofs.faults.bench import require
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import folder

T = TypeVar("T")
Matches = Callable[[LoggedRequest], bool]
FINE = ("SUCCEEDED",)
LATER = ("SUCCEEDED", "RETRY_LATER")
SMALL = 2
"""Faults of each CRM that CI tries."""
EDITED = "A title that somebody typed"


@dataclass(frozen=True)
class Asked:
    """How the requests of one CRM are told apart, and how it says no."""

    records: str
    links: str
    companies: str
    throttled: tuple[int, bytes]
    refused: tuple[int, bytes]
    key_refused: tuple[int, bytes]

    def is_records(self, request: LoggedRequest) -> bool:
        """True for a write of records of ours."""
        return request.method in ("POST", "PATCH") and self.records in request.path

    def is_links(self, request: LoggedRequest) -> bool:
        """True for a write of links."""
        return request.method in ("POST", "PATCH") and self.links in request.path

    def is_companies(self, request: LoggedRequest) -> bool:
        """True for a read of companies."""
        return request.method == "GET" and self.companies in f"{request.path}?{request.query}"


ASKED = {
    "twenty": Asked(
        "/rest/batch/featureRequests",
        "/rest/batch/featureRequestVotes",
        "/rest/companies",
        (429, b'{"statusCode":429,"error":"HttpException","messages":["Limit reached (100 tokens per 60000 ms)"]}'),
        (400, b'{"statusCode":400,"error":"BadRequestException","messages":["A duplicate entry was detected"]}'),
        (401, b'{"statusCode":401,"error":"UNAUTHENTICATED","messages":["Token invalid."]}'),
    ),
    "salesforce": Asked(
        "/composite/sobjects/Feature_Request__c/",
        "/composite/sobjects/Feature_Request_Link__c/",
        "FROM+Account",
        (503, b'[{"errorCode":"SERVER_UNAVAILABLE","message":"try again"}]'),
        (400, b'[{"errorCode":"JSON_PARSER_ERROR","message":"unexpected"}]'),
        (401, b'[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]'),
    ),
}
"""By provider. A test says which one has no row."""


@dataclass
class Bench:
    """One world of a CRM, with the faults that are in force."""

    crm: str
    world: World
    strikes: Counter[str] = field(default_factory=Counter)

    @property
    def asked(self) -> Asked:
        """How its requests are told apart."""
        return ASKED[self.crm]

    @property
    def lookalike(self) -> Lookalike:
        """The look-alike of the sandbox."""
        return self.world.sandbox.crm.sandbox

    def inject(self, name: str, matches: Matches, *, times: int | None = 1, **how: Any) -> None:
        """Disturb the next requests that match."""
        self.strikes[name] = 0

        def counted(request: LoggedRequest) -> bool:
            hit = matches(request)
            self.strikes[name] += hit
            return hit

        self.lookalike.faults.append(Fault(matches=counted, times=times, **how))

    def talk(self, work: Callable[[Crm], Awaitable[T]]) -> T:
        """Do something in the CRM as another program would."""

        async def story() -> T:
            with mock.patch.dict("os.environ", self.world.environment(), clear=True):
                settings = load_settings()
            async with crm_for(settings, settings.environment, CallCounter()) as crm:
                return await work(crm)

        return asyncio.run(story())

    def held(self) -> tuple[dict[str, dict[str, str]], Counter[tuple[str, str, str, str]]]:
        """Values of our records by key, and how often each link is there.

        Raises:
            BrokenError: a key is there twice.
        """
        records, found = self.talk(_everything)
        twice = [key for key, number in Counter(one.key or "" for one in records).items() if number > 1]
        require(not twice, f"{len(twice)} keys are there twice")
        keys = {one.record_id: one.key or "" for one in records}
        values = {
            one.key or "": {name: text for name, text in one.values.items() if text and name != MANAGED_STATE}
            for one in records
        }
        return values, Counter((keys[one.record_id], one.target, one.target_id, one.label) for one in found)


async def _everything(crm: Crm) -> tuple[list[CrmFeatureRequest], list[Link]]:
    records = [one async for page in crm.feature_requests(FEATURE_REQUEST, archived=False) for one in page.records]
    ids = [one.record_id for one in records]
    targets: tuple[LinkTarget, ...] = ("company", "contact")
    return records, [link for target in targets for link in await crm.links(FEATURE_REQUEST, ids, target)]


# -- the faults


def _lost_answers(bench: Bench) -> None:
    for name, matches in (("records", bench.asked.is_records), ("links", bench.asked.is_links)):
        bench.inject(name, matches, close=True, after_commit=True, times=2)


def _gateway_errors(bench: Bench) -> None:
    for name, matches in (("records", bench.asked.is_records), ("links", bench.asked.is_links)):
        bench.inject(name, matches, status=502, after_commit=True)


def _cut_answers(bench: Bench) -> None:
    for name, matches in (("records", bench.asked.is_records), ("links", bench.asked.is_links)):
        bench.inject(name, matches, status=200, body=b'[{"id":"17', close=True, after_commit=True)


def _a_refused_batch(bench: Bench) -> None:
    status, body = bench.asked.refused
    bench.inject("records", bench.asked.is_records, status=status, body=body)


def _throttled(bench: Bench) -> None:
    status, body = bench.asked.throttled
    for name, matches in (("companies", bench.asked.is_companies), ("records", bench.asked.is_records)):
        bench.inject(name, matches, status=status, body=body)


def _unavailable(bench: Bench) -> None:
    bench.inject("companies", bench.asked.is_companies, status=503, body=b"", times=2)
    bench.inject("links", bench.asked.is_links, status=503, body=b"", times=2)


def _nobody_answers(bench: Bench) -> None:
    bench.inject("all", lambda _: True, close=True, times=None)


def _a_web_page(bench: Bench) -> None:
    page = b"<html><body>Please log in</body></html>"
    bench.inject("companies", bench.asked.is_companies, status=200, body=page, times=None)


def _a_cut_page(bench: Bench) -> None:
    bench.inject("companies", bench.asked.is_companies, status=200, body=b'{"records":[{"Id":"0', close=True)


def _a_key_that_ends(bench: Bench) -> None:
    status, body = bench.asked.key_refused
    bench.inject("links", bench.asked.is_links, status=status, body=body, times=None)


def _a_typed_title(bench: Bench) -> None:
    async def edit(crm: Crm) -> None:
        await crm.upsert(FEATURE_REQUEST, [RecordWrite(bench.world.key("crash"), {"title": EDITED})])

    bench.talk(edit)


def _a_link_taken_off(bench: Bench) -> None:
    async def unlink(crm: Crm) -> None:
        _, found = await _everything(crm)
        gone = next(one for one in found if one.target == "company")
        await crm.unlink(FEATURE_REQUEST, [PairWrite(gone.record_id, "company", gone.target_id, (gone.label,))])

    bench.talk(unlink)


@dataclass(frozen=True)
class Case:
    """One fault: what is done, and how the disturbed run may end. `after_sync`: on records that are there already."""

    title: str
    disturb: Callable[[Bench], None]
    states: tuple[str, ...]
    after_sync: bool = False
    edited: str | None = None
    """Name of the request whose title a person has changed."""


CASES: dict[str, Case] = {
    "B1": Case("batches are committed and their answers never come", _lost_answers, FINE),
    "B2": Case("502 after batches were committed", _gateway_errors, FINE),
    "B3": Case("answers to committed batches are cut", _cut_answers, FINE),
    "B4": Case("a batch is refused as a whole", _a_refused_batch, (*FINE, "SUCCEEDED_WITH_REJECTS")),
    "C1": Case("calls are throttled", _throttled, LATER),
    "C2": Case("the CRM is unavailable for a moment", _unavailable, FINE),
    "C3": Case("nobody answers", _nobody_answers, ("RETRY_LATER",)),
    "D1": Case("a web page with status 200", _a_web_page, ("FAILED", "RETRY_LATER")),
    "D2": Case("a page of companies is cut", _a_cut_page, LATER),
    "F1": Case("the key ends between records and links", _a_key_that_ends, ("FAILED",)),
    "G1": Case("somebody types another title", _a_typed_title, FINE, after_sync=True, edited="crash"),
    "G2": Case("somebody takes a link off", _a_link_taken_off, FINE, after_sync=True),
}


# -- carrying them out


@contextmanager
def _bench(crm: str) -> Iterator[Bench]:
    """A small world whose CRM is set up."""
    with folder() as home, short_waits():
        sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, crm=crm)
        with world_of(sandbox, home, INTEGRATION_ASSETS_PATIENCE_SECONDS="3") as world:
            world.set_up()
            yield Bench(crm, world)


@cache
def _undisturbed(crm: str) -> tuple[dict[str, dict[str, str]], Counter[tuple[str, str, str, str]]]:
    """What an undisturbed sync leaves in this CRM."""
    with _bench(crm) as bench:
        bench.world.sync()
        return bench.held()


def carry_out(crm: str, case: Case) -> str:
    """Carry a fault out; returns how the disturbed run ended.

    Raises:
        BrokenError: something does not hold.
    """
    with _bench(crm) as bench:
        if case.after_sync:
            bench.world.sync()
        case.disturb(bench)
        ran = bench.world.run("sync", json_file=True)
        state = str(ran.summary["state"])
        require(state in case.states, f"the run ended {state}, not {' or '.join(case.states)}: {ran.error_lines}")
        require(ran.code == EXIT_CODES[EndState(state)], f"it ended {state} with exit code {ran.code}")
        idle = [name for name, strikes in bench.strikes.items() if not strikes]
        require(not idle, f"the fault never struck: {', '.join(idle)}")
        bench.lookalike.faults.clear()
        bench.world.sync()
        _compare(bench, case)
        again = bench.world.sync().summary["api_calls"][crm]["writes"]
        require(again == 0, f"a further run wrote {again} times")
        return state


def _compare(bench: Bench, case: Case) -> None:
    records, links = bench.held()
    wanted_records, wanted_links = _undisturbed(bench.crm)
    if case.edited is not None:
        key = bench.world.key(case.edited)
        require(records[key].get("title") == EDITED, "what a person typed is gone")
        records = {**records, key: {**records[key], "title": wanted_records[key]["title"]}}
    different = [key for key in {*records, *wanted_records} if records.get(key) != wanted_records.get(key)]
    require(not different, f"{len(different)} records are not as after an undisturbed sync: {different[:3]}")
    require(links == wanted_links, f"links differ: {(links - wanted_links)} more, {(wanted_links - links)} less")


def _prove(crm: str, scale: Scale) -> Iterator[Row]:
    for name, case in list(CASES.items())[: scale.count]:
        state = carry_out(crm, case)
        yield Row(f"{name} {case.title}", state, "no key twice, nothing lost, an honest end", held=True)


for _crm in OTHER_CRMS:
    proof(
        f"faults-{_crm}",
        "faults",
        f"Lost answers, throttling, damaged pages and edits by people cost nothing in {_crm}.",
        whole=len(CASES),
        small=SMALL,
        unit="faults",
    )(partial(_prove, _crm))
