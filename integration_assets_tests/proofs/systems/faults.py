"""Each fault is injected into a sync; another runs undisturbed, and the CRM must hold what it would have without."""

from __future__ import annotations

import asyncio
import os
import signal
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeVar
from unittest import mock

from starlette.types import Message, Receive, Scope, Send

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
from integration_assets_tests.proofs.faults.tampering import Answered, Tampering, tampered
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.processes import run_cold
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import folder

T = TypeVar("T")
Matches = Callable[[LoggedRequest], bool]
FINE = ("SUCCEEDED",)
LATER = ("SUCCEEDED", "RETRY_LATER")
SMALL = ("B1", "E2")
"""Faults of each CRM that CI tries: writes whose answers are lost, and the cheapest of those in reads."""
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
    listed: Callable[[Any], list[Any]]
    """The records of a page of companies, to be changed in place."""
    goes_on: Callable[[Any, str], None]
    """Let a page of companies name a further one, by a cursor."""
    ended_cursor: str
    looping_cursor: str
    deletion: Callable[[str, str], tuple[str, str]]
    """Path and query of the call that puts a record into the bin: of "company" or "record", and its id."""

    def is_records(self, request: LoggedRequest) -> bool:
        """True for a write of records of ours."""
        return request.method in ("POST", "PATCH") and self.records in request.path

    def is_links(self, request: LoggedRequest) -> bool:
        """True for a write of links."""
        return request.method in ("POST", "PATCH") and self.links in request.path

    def is_companies(self, request: LoggedRequest) -> bool:
        """True for a read of companies."""
        return request.method == "GET" and self.companies in f"{request.path}?{request.query}"


def _twenty_goes_on(body: Any, cursor: str) -> None:
    body["pageInfo"] |= {"hasNextPage": True, "endCursor": cursor}


def _salesforce_goes_on(body: Any, cursor: str) -> None:
    body |= {"done": False, "nextRecordsUrl": f"/services/data/v60.0/query/{cursor}"}


ASKED = {
    "twenty": Asked(
        "/rest/batch/featureRequests",
        "/rest/batch/featureRequestVotes",
        "/rest/companies",
        (429, b'{"statusCode":429,"error":"HttpException","messages":["Limit reached (100 tokens per 60000 ms)"]}'),
        (400, b'{"statusCode":400,"error":"BadRequestException","messages":["A duplicate entry was detected"]}'),
        (401, b'{"statusCode":401,"error":"UNAUTHENTICATED","messages":["Token invalid."]}'),
        listed=lambda body: body["data"]["companies"],
        goes_on=_twenty_goes_on,
        ended_cursor="bm90aGluZw==",
        # Before every record, so that all of them follow it, again and again.
        looping_cursor=b64encode(b'{"id":"0"}').decode(),
        deletion=lambda kind, record_id: (
            f"/rest/{'companies' if kind == 'company' else 'featureRequests'}/{record_id}",
            "soft_delete=true",
        ),
    ),
    "salesforce": Asked(
        "/composite/sobjects/Feature_Request__c/",
        "/composite/sobjects/Feature_Request_Link__c/",
        "FROM+Account",
        (503, b'[{"errorCode":"SERVER_UNAVAILABLE","message":"try again"}]'),
        (400, b'[{"errorCode":"JSON_PARSER_ERROR","message":"unexpected"}]'),
        (401, b'[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]'),
        listed=lambda body: body["records"],
        goes_on=_salesforce_goes_on,
        ended_cursor="01gENDED-2000",
        looping_cursor="01gLOOPS-2000",
        deletion=lambda _, record_id: ("/services/data/v60.0/composite/sobjects", f"ids={record_id}"),
    ),
}
"""By provider. A test says which one has no row."""


@dataclass
class Bench:
    """One world of a CRM, with the faults that are in force."""

    crm: str
    world: World
    strikes: Counter[str] = field(default_factory=Counter)
    tamperings: list[Tampering] = field(default_factory=list)
    pid: int | None = None
    gone: str = ""
    """Id of the company or record that somebody deleted."""

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

    def tamper(self, matches: Matches, change: Callable[[Answered], None], *, times: int | None = 1) -> None:
        """Change the next answers to requests that match."""
        if not self.tamperings:
            self.tamperings = tampered(self.lookalike)
        self.tamperings.append(Tampering(matches, change, times))

    def kill(self, name: str, matches: Matches, **how: Any) -> None:
        """Kill the process of the run when the first request that matches arrives."""

        def fatal(request: LoggedRequest) -> bool:
            hit = matches(request)
            if hit and self.pid is not None:
                os.kill(self.pid, signal.SIGKILL)
            return hit

        self.inject(name, fatal, close=True, **how)

    def delete_before(self, matches: Matches, kind: str, record_id: str) -> None:
        """Let somebody put a record into the bin just before the first request that matches is worked on."""
        self.gone, app = record_id, self.lookalike.app
        path, query = self.asked.deletion(kind, record_id)
        self.strikes["deleted"] = 0

        async def deleting(scope: Scope, receive: Receive, send: Send) -> None:
            request = scope.get("integration_assets.logged_request")
            if isinstance(request, LoggedRequest) and not self.strikes["deleted"] and matches(request):
                self.strikes["deleted"] += 1
                other = {**scope, "method": "DELETE", "path": path, "query_string": query.encode()}
                await app(other, _nothing, _noted)
            await app(scope, receive, send)

        self.lookalike.app = deleting

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


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _noted(message: Message) -> None:
    require(message.get("status", 200) < 300, f"it could not be deleted: {message}")


# -- the faults


def _killed_by_records(bench: Bench) -> None:
    bench.kill("records", bench.asked.is_records, after_commit=True)


def _killed_before_links(bench: Bench) -> None:
    bench.kill("links", bench.asked.is_links)


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


def _an_empty_page(bench: Bench) -> None:
    def empty(answered: Answered) -> None:
        body = answered.json
        bench.asked.listed(body).clear()
        answered.json = body

    bench.tamper(bench.asked.is_companies, empty, times=None)


def _companies_twice(bench: Bench) -> None:
    def doubled(answered: Answered) -> None:
        body = answered.json
        bench.asked.listed(body).extend(list(bench.asked.listed(body)))
        answered.json = body

    bench.tamper(bench.asked.is_companies, doubled, times=None)


def _a_cursor_that_ends(bench: Bench) -> None:
    def goes_on(answered: Answered) -> None:
        body = answered.json
        bench.asked.goes_on(body, bench.asked.ended_cursor)
        answered.json = body

    bench.tamper(bench.asked.is_companies, goes_on)


def _a_cursor_that_loops(bench: Bench) -> None:
    pages: list[Any] = []

    def loops(answered: Answered) -> None:
        pages.append(answered.json if answered.status == 200 else pages[0])
        bench.asked.goes_on(pages[-1], bench.asked.looping_cursor)
        answered.status, answered.json = 200, pages[-1]

    cursor = bench.asked.looping_cursor
    bench.tamper(lambda request: bench.asked.is_companies(request) or cursor in request.path, loops, times=None)


def _a_company_goes(bench: Bench) -> None:
    bench.delete_before(bench.asked.is_links, "company", bench.world.sandbox.crm.company_ids["sandbox"][0])


def _a_record_goes(bench: Bench) -> None:
    records, _ = bench.talk(_everything)
    gone = next(one for one in records if one.key == bench.world.key("crash"))
    bench.delete_before(bench.asked.is_companies, "record", gone.record_id)


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
    """One fault: what is done, and how the disturbed run may end. `after_sync`: on records that are there already.

    `dies`: the run is a process of its own that is killed. `gone` is what somebody deletes: "company" or "record".
    """

    title: str
    disturb: Callable[[Bench], None]
    states: tuple[str, ...]
    after_sync: bool = False
    edited: str | None = None
    """Name of the request whose title a person has changed."""
    dies: bool = False
    gone: str = ""
    patience: int = 3
    """Seconds for which a call is repeated. A wait that an answer asks for has to fit into it."""


CASES: dict[str, Case] = {
    "A1": Case("killed after records were sent, before their answer", _killed_by_records, (), dies=True),
    "A2": Case("killed between records and links", _killed_before_links, (), dies=True),
    "B1": Case("batches are committed and their answers never come", _lost_answers, FINE),
    "B2": Case("502 after batches were committed", _gateway_errors, FINE),
    "B3": Case("answers to committed batches are cut", _cut_answers, FINE),
    "B4": Case("a batch is refused as a whole", _a_refused_batch, (*FINE, "SUCCEEDED_WITH_REJECTS")),
    "C1": Case("calls are throttled", _throttled, LATER, patience=60),
    "C2": Case("the CRM is unavailable for a moment", _unavailable, FINE),
    "C3": Case("nobody answers", _nobody_answers, ("RETRY_LATER",)),
    "D1": Case("a web page with status 200", _a_web_page, ("FAILED", "RETRY_LATER")),
    "D2": Case("a page of companies is cut", _a_cut_page, LATER),
    "D3": Case("the list of companies is wrongly empty", _an_empty_page, ("HELD",), after_sync=True),
    "E1": Case("every company is listed twice", _companies_twice, FINE),
    "E2": Case("a cursor ends in the middle of a read", _a_cursor_that_ends, ("FAILED", "RETRY_LATER")),
    "E3": Case("a cursor leads to itself", _a_cursor_that_loops, ("FAILED", "RETRY_LATER")),
    "E4": Case(
        "a company is deleted between records and links",
        _a_company_goes,
        (*FINE, "SUCCEEDED_WITH_REJECTS"),
        gone="company",
    ),
    "F1": Case("the key ends between records and links", _a_key_that_ends, ("FAILED",)),
    "G1": Case("somebody types another title", _a_typed_title, FINE, after_sync=True, edited="crash"),
    "G2": Case("somebody takes a link off", _a_link_taken_off, FINE, after_sync=True),
    "G3": Case("somebody deletes a record", _a_record_goes, FINE, after_sync=True, gone="record"),
}


# -- carrying them out


@contextmanager
def _bench(crm: str, patience: int = 3) -> Iterator[Bench]:
    """A small world whose CRM is set up; `patience` in seconds."""
    with folder() as home, short_waits():
        sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, crm=crm)
        with world_of(sandbox, home, INTEGRATION_ASSETS_PATIENCE_SECONDS=str(patience)) as world:
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
    with _bench(crm, case.patience) as bench:
        if case.after_sync:
            bench.world.sync()
        case.disturb(bench)
        state = _killed(bench) if case.dies else _ended(bench, case)
        idle = [name for name, strikes in bench.strikes.items() if not strikes]
        idle += ["an answer" for one in bench.tamperings if not one.done]
        require(not idle, f"the fault never struck: {', '.join(idle)}")
        bench.lookalike.faults.clear()
        bench.tamperings.clear()
        bench.world.sync()
        _compare(bench, case)
        again = bench.world.sync().summary["api_calls"][crm]["writes"]
        require(again == 0, f"a further run wrote {again} times")
        return state


def _ended(bench: Bench, case: Case) -> str:
    ran = bench.world.run("sync", json_file=True)
    state = str(ran.summary["state"])
    require(state in case.states, f"the run ended {state}, not {' or '.join(case.states)}: {ran.error_lines}")
    require(ran.code == EXIT_CODES[EndState(state)], f"it ended {state} with exit code {ran.code}")
    return state


def _killed(bench: Bench) -> str:
    def started(pid: int) -> None:
        bench.pid = pid

    code = run_cold(["sync"], bench.world.environment(), bench.world.home, on_start=started)
    require(code == -signal.SIGKILL, f"it was not killed: exit {code}")
    return "killed"


def _compare(bench: Bench, case: Case) -> None:
    records, links = bench.held()
    wanted_records, wanted_links = _undisturbed(bench.crm)
    if case.gone == "company":
        # What its votes count for is another now; which companies are linked is not, but for this one.
        require(records.keys() == wanted_records.keys(), "records are missing, or more than there should be")
        require(not any(link[2] == bench.gone for link in links), "a company that is gone is linked")
        of_others = {link: number for link, number in wanted_links.items() if link[2] != bench.gone}
        of_companies = Counter({link: number for link, number in of_others.items() if link[1] == "company"})
        require(Counter({link: n for link, n in links.items() if link[1] == "company"}) == of_companies, "links differ")
        return
    if case.gone == "record":
        key = bench.world.key("crash")
        require(key not in records, "what a person deleted is back")
        wanted_records = {one: values for one, values in wanted_records.items() if one != key}
        wanted_links = Counter({link: number for link, number in wanted_links.items() if link[0] != key})
    if case.edited is not None:
        key = bench.world.key(case.edited)
        require(records[key].get("title") == EDITED, "what a person typed is gone")
        records = {**records, key: {**records[key], "title": wanted_records[key]["title"]}}
    different = [key for key in {*records, *wanted_records} if records.get(key) != wanted_records.get(key)]
    require(not different, f"{len(different)} records are not as after an undisturbed sync: {different[:3]}")
    require(links == wanted_links, f"links differ: {(links - wanted_links)} more, {(wanted_links - links)} less")


def _prove(crm: str, scale: Scale) -> Iterator[Row]:
    for name, case in sorted(CASES.items(), key=lambda item: item[0] not in SMALL)[: scale.count]:
        state = carry_out(crm, case)
        yield Row(f"{name} {case.title}", state, "no key twice, nothing lost, an honest end", held=True)


for _crm in OTHER_CRMS:
    proof(
        f"faults-{_crm}",
        "faults",
        f"Lost answers, throttling, damaged pages and edits by people cost nothing in {_crm}.",
        whole=len(CASES),
        small=len(SMALL),
        unit="faults",
    )(partial(_prove, _crm))
