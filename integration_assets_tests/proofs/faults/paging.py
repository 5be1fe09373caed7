"""E. Paging, and sources that change while they are read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import duckdb
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integration_assets.sandbox.canny.records import Post, User, slug
from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets.sandbox.sample_data import ARR_PROPERTY
from integration_assets_tests.proofs.faults.asking import is_posts_list, is_upsert
from integration_assets_tests.proofs.faults.bench import Bench, System, require
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.tampering import Answered
from integration_assets_tests.support.harness import OBJECT, World
from integration_assets_tests.support.small_world import MINUTE, START

PAGE = 30
"""Records per page of Canny's lists in these tests, so that a hundred requests are several pages."""
LATER = START + 500_000 * MINUTE
"""When the votes that a fault adds are cast: a fixed moment, so that two worlds agree in it."""


def is_votes(request: LoggedRequest) -> bool:
    """Pages of votes."""
    return request.path.endswith("/v2/votes/list")


def small_pages(bench: Bench) -> None:
    """Let the product ask for small pages in this and all following runs."""
    bench.stack.enter_context(mock.patch("integration_assets.connectors.feedback.canny.connector.PAGE", PAGE))


def when(
    bench: Bench, system: System, matches: Callable[[LoggedRequest], bool], event: Callable[[], object], number: int = 1
) -> None:
    """Let something happen just before a system works on the `number`-th request that matches."""
    seen = 0

    def count(request: LoggedRequest) -> bool:
        nonlocal seen
        if matches(request):
            seen += 1
            if seen == number:
                event()
        return False  # the request itself is answered as usual

    bench.add(system, Fault(count, times=None))


def asked_otherwise(
    bench: Bench, matches: Callable[[LoggedRequest], bool], change: Callable[[int, dict[str, Any]], None], most: int
) -> None:
    """Let Canny work on another question than it was asked, for the first `most` requests that match.

    `change` gets the number of the request, 1 the first, and its arguments.
    """
    lookalike, numbers = bench.lookalike("canny"), [0]
    app: ASGIApp = lookalike.app

    async def changed(scope: Scope, receive: Receive, send: Send) -> None:
        request = scope.get("integration_assets.logged_request")
        if not bench.disturbed or not isinstance(request, LoggedRequest) or not matches(request) or numbers[0] >= most:
            await app(scope, receive, send)
            return
        numbers[0] += 1
        arguments = json.loads(request.body)
        change(numbers[0], arguments)
        pending: list[Message] = [{"type": "http.request", "body": json.dumps(arguments).encode(), "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await app(scope, replay, send)

    lookalike.app = changed


def same_canny(bench: Bench, *commands: tuple[str, ...]) -> None:
    """Compare with a world that runs `commands`, is given the Canny of this one as it is in the end, and syncs."""

    def twin(world: World) -> None:
        for command in commands:
            world.run(*command)
        vars(world.canny).update(copy.deepcopy(vars(bench.world.canny)))
        world.run("sync", "--full")

    bench.twin = twin


def vote_of(world: World, email: str, request: str, number: int) -> None:
    """A new person's vote on a request of the small world."""
    made = LATER + number * MINUTE
    person = world.canny.add_user(User(world.canny.new_id(made), email.partition("@")[0], made, email=email))
    world.canny.vote(world.request_id(request), person.id, created=made)


# -- pages


@fault("E1", "the same page is served twice", start="hundred")
def e1(bench: Bench) -> None:
    """De-duplicated by id; what was pushed aside is asked for again."""
    small_pages(bench)
    asked_otherwise(bench, is_posts_list, lambda number, query: query.update(skip=0) if number == 2 else None, most=2)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(bench.last.ran.summary["feature_requests"]["identified"] == 100, "not all requests were identified")


@fault("E2", "pages come in another order", start="hundred")
def e2(bench: Bench) -> None:
    """The first two pages of requests change places, and every page of votes comes backwards."""
    small_pages(bench)
    asked_otherwise(bench, is_posts_list, lambda number, query: query.update(skip=(PAGE, 0)[number - 1]), most=2)

    def backwards(answered: Answered) -> None:
        body = answered.json
        body["items"].reverse()
        answered.json = body

    bench.tamper("canny", is_votes, backwards, times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(bench.last.ran.summary["feature_requests"]["identified"] == 100, "not all requests were identified")


@fault("E3", "a page is skipped", start="hundred")
def e3(bench: Bench) -> None:
    """The page does not continue the one before, so the list is read again; nothing counts as gone."""
    small_pages(bench)

    def jump(number: int, query: dict[str, Any]) -> None:
        if number == 2:
            query["skip"] += PAGE

    asked_otherwise(bench, is_posts_list, jump, most=2)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(bench.last.ran.summary["feature_requests"]["identified"] == 100, "not all requests were identified")


@fault("E4", "requests are made and deleted while their list is read", start="hundred synced", requests=400)
def e4(bench: Bench) -> None:
    """Between any two pages the oldest request goes and a new one comes; those that lived through it are all kept."""
    small_pages(bench)
    canny, old = bench.world.canny, list(bench.world.canny.posts)
    board, gone = canny.posts[old[0]].board_id, [post for post in old if canny.score(post) == 2][:4]

    def change(number: int) -> None:
        canny.delete_post(gone[number])
        made = canny.moment()
        canny.add_post(Post(canny.new_id(made), board, f"New {number}", made, slug(f"New {number}")))

    for number in range(len(gone)):
        when(bench, "canny", is_posts_list, partial(change, number), number=number + 2)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    retired = {
        str(record["properties"]["feature_request_key"]).removeprefix("canny:")
        for record in bench.world.portal.records(OBJECT)
        if record["properties"].get("retired_reason")
    }
    require(retired <= set(gone), f"{len(retired - set(gone))} requests were retired that were never away")
    same_canny(bench)


@fault("E5", "a cursor repeats for ever", start="hundred")
def e5(bench: Bench) -> None:
    """The read stops at the repeated cursor with an error; nothing was written."""
    small_pages(bench)
    asked_otherwise(bench, is_votes, lambda _, query: query.pop("cursor", None), most=10_000)

    def loop(answered: Answered) -> None:
        answered.json = {**answered.json, "hasNextPage": True, "cursor": "again"}

    bench.tamper("canny", is_votes, loop, times=None)
    bench.run("sync")
    bench.expect(state="FAILED", exit=1, says="cursor")
    require(not bench.last.writes, "something was written")


@fault("E6", "a cursor expires in the middle of a read", start="hundred")
def e6(bench: Bench) -> None:
    """The read begins anew, once."""
    small_pages(bench)
    bench.inject(
        "canny",
        lambda request: is_votes(request) and "cursor" in json.loads(request.body),
        status=400,
        body=b'{"error":"invalid cursor"}',
    )
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


# -- what changes at the source between two reads of it


@fault("E7", "a vote is cast between the read of the votes and the read of the requests", start="synced")
def e7(bench: Bench) -> None:
    """Score and stored votes of the request differ, so its votes are read again: the later read wins."""
    when(bench, "canny", is_posts_list, lambda: bench.world.vote("csv export", "han"))
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    record = bench.last.after.ours.records[bench.world.key("csv export")]
    require(record["votes"] == "3", f"the record says {record['votes']} votes")
    same_canny(bench)


@fault("E8", "requests are deleted and merged at the source just as they are written")
def e8(bench: Bench) -> None:
    """The run after marks them and deletes nothing."""

    def change() -> None:
        bench.world.canny.delete_post(bench.world.request_id("crash"))
        bench.world.canny.merge(bench.world.request_id("themes"), bench.world.request_id("dark mode"))

    when(bench, "hubspot", is_upsert, change)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    bench.calm()
    bench.run("sync")
    records = bench.last.after.ours.records
    reasons = {name: records[bench.world.key(name)].get("retired_reason") for name in ("crash", "themes")}
    require(reasons == {"crash": "deleted", "themes": "merged"}, f"the records say {reasons}")
    same_canny(bench, ("sync",))


@fault("E9", "a voter moves to another company while a run is going on")
def e9(bench: Bench) -> None:
    """The run keeps what it read; the next whole read moves the label we own."""

    def move() -> None:
        bench.world.canny.users[bench.world.person("han")].email = "han@acme.com"

    when(bench, "hubspot", is_upsert, move)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    key, companies = bench.world.key("crash"), bench.world.in_crm().companies
    require(set(companies[key]) == {bench.world.company("Delta")}, "the run did not keep what it had read")
    bench.calm()
    bench.run("sync", "--full")
    companies = bench.world.in_crm().companies
    require(set(companies[key]) == {bench.world.company("Acme")}, "the label did not move with the voter")
    same_canny(bench, ("sync",))


@fault("E10", "two companies are merged while votes are resolved to them")
def e10(bench: Bench) -> None:
    """The links follow the survivor in this run, or are named and made by the next one."""

    def merge(world: World) -> None:
        world.portal.merge("companies", world.company("Beta"), world.company("Gamma"))

    when(bench, "hubspot", is_upsert, lambda: bench.meanwhile(merge))
    bench.run("sync")
    require(bench.last.ran.code == 0, f"exit {bench.last.ran.code}: {bench.last.ran.err}")


@fault("E11", "more companies than a search can give", requests=600)
def e11(bench: Bench) -> None:
    """All of 10,054 are read, by an export or by their ids; a search only counts them. The last one gets its link."""

    def many(world: World) -> None:
        world.portal.seed("companies", ({"name": f"C {n}", "domain": f"c-{n}.example.com"} for n in range(10_050)))
        world.portal.seed("companies", [{"name": "The last one", "domain": "the-last-one.com"}])
        vote_of(world, "kim@the-last-one.com", "themes", 1)

    bench.both(many)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    searches = [request for _, request in bench.last.requests if "/search" in request.path]
    require(len(searches) <= 1, f"{len(searches)} searches were sent: one is enough to count")
    last = bench.world.portal.records("companies")[-1]["id"]
    require(
        (bench.world.key("themes"), "companies", last) in bench.last.after.ours.links, "the last company has no link"
    )


@fault("E12", "one domain of two companies, personal mail, an international domain, a sub-domain")
def e12(bench: Bench) -> None:
    """A fixed rule decides, what is ambiguous is listed with its candidates, and nothing is guessed."""

    def world_of_doubts(world: World) -> None:
        world.portal.seed(
            "companies",
            [
                {"name": "Twin A", "domain": "twins.com"},
                {"name": "Twin B", "domain": "twins.com"},
                {"name": "Books", "domain": "xn--bcher-kva.de", ARR_PROPERTY: "10"},
                {"name": "Group", "domain": "group.com"},
            ],
        )
        for number, email in enumerate(("a@twins.com", "b@gmail.com", "c@bücher.de", "d@mail.eu.group.com")):
            vote_of(world, email, "themes", number)

    bench.both(world_of_doubts)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    ids = {record["properties"]["name"]: record["id"] for record in bench.world.portal.records("companies")}
    linked = {other for key, kind, other in bench.last.after.ours.links if key == bench.world.key("themes")}
    require(linked == {ids["Books"], ids["Group"]}, f"{linked} are linked")
    with duckdb.connect(bench.world.home / "published" / "sandbox" / "default.duckdb", read_only=True) as published:
        doubts = dict(
            published.execute(
                """
                SELECT email_domain, candidate_company_ids FROM ranked.unresolved_votes
                WHERE reason = 'ambiguous_domain'
                """
            ).fetchall()
        )
    require(
        {name: set(ids_) for name, ids_ in doubts.items()} == {"twins.com": {ids["Twin A"], ids["Twin B"]}},
        f"listed as ambiguous: {doubts}",
    )
