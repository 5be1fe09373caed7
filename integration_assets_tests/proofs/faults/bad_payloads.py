"""D. Bad payloads: answers that are cut, empty, of another form, out of range, or simply lies."""

from __future__ import annotations

import gzip
import json
import resource
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets.sandbox.sample_data import ARR_PROPERTY, CURRENCY_PROPERTY
from integration_assets_tests.proofs.faults.asking import is_posts_list, path_ends, raw_path_ends
from integration_assets_tests.proofs.faults.bench import Bench, require
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.starts import SENTINELS
from integration_assets_tests.proofs.faults.tampering import Answered
from integration_assets_tests.support.fault_server import dripping, raw
from integration_assets_tests.support.harness import World

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
MEGABYTE = 1_048_576
MORE_MEMORY = 96 * MEGABYTE
"""How much more memory a bomb may cost: three times the largest body that is taken."""


def is_companies_list(request: LoggedRequest) -> bool:
    """HubSpot's list of companies, whose type id is 0-2 in every portal."""
    return request.path.startswith("/crm/objects/") and request.path.endswith("/0-2")


def _ends(bench: Bench, state: str, *says: str) -> None:
    """Run; it ends in this state, says these words, and sends no write."""
    bench.run("sync")
    bench.expect(state=state, says=says)
    require(not bench.last.writes, f"{len(bench.last.writes)} writes were sent")


def _again(bench: Bench) -> None:
    """Take the disturbances away and go on disturbing."""
    bench.calm()
    bench.disturbed = True


def _body(bench: Bench, change: Callable[[str], str]) -> None:
    """Change the text of every list of requests that Canny answers."""

    def changed(answered: Answered) -> None:
        answered.body = change(answered.body.decode()).encode()

    bench.tamper("canny", is_posts_list, changed, times=None)


def _posts(bench: Bench, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the requests Canny lists."""

    def changed(answered: Answered) -> None:
        body = answered.json
        change(body["posts"])
        answered.json = body

    bench.tamper("canny", is_posts_list, changed, times=None)


def _company(name: str, **properties: str) -> Callable[[World], None]:
    """A person's edit of a company in the sandbox portal."""

    def edit(world: World) -> None:
        portal = world.portal
        with portal.lock:
            store = portal.object_type("companies").store
            record = store.records[int(world.company(name))]
            store.replace(record._replace(properties={**record.properties, **properties}), portal.clock(), seen=True)

    return edit


@fault("D1", "JSON that is cut where no length was announced")
def d1(bench: Bench) -> None:
    """A broken transfer, asked for again; never an empty page."""
    cut = raw(HEAD + b'connection: close\r\n\r\n{"posts":[{"id":"665f')
    bench.proxied("canny").instead(raw_path_ends("/v1/posts/list", "/v2/votes/list"), cut, times=2)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


@fault("D2", "a valid page that is wrongly empty: requests, then companies", start="synced")
def d2(bench: Bench) -> None:
    """Held by the guard: sources do not shrink to nothing."""
    empty_posts, empty_companies = b'{"posts":[],"hasMore":false}', b'{"results":[]}'
    bench.inject("canny", is_posts_list, status=200, body=empty_posts, times=None)
    bench.inject("canny", path_ends("/v1/posts/retrieve"), status=404, body=b'{"error":"not found"}', times=None)
    _ends(bench, "HELD")
    _again(bench)
    bench.inject("hubspot", is_companies_list, status=200, body=empty_companies, times=None)
    _ends(bench, "HELD")


@fault("D3", "a web page with status 200, once and for ever")
def d3(bench: Bench) -> None:
    """An outage: repeated, then RETRY_LATER; what the page begins with is logged, without what is secret in it."""
    page = f"<!doctype html><title>Just a moment</title><p>{SENTINELS['Canny key']}</p>".encode()
    html = {"content-type": "text/html; charset=utf-8"}
    bench.inject("canny", is_posts_list, status=200, body=page, headers=html)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require("Just a moment" in bench.last.log, "the beginning of the page was not logged")
    bench.variable("INTEGRATION_ASSETS_PATIENCE_SECONDS", "2")
    bench.inject("canny", is_posts_list, status=200, body=page, headers=html, times=None)
    _ends(bench, "RETRY_LATER", "web page")


@fault("D4", "an error in the body of a 200")
def d4(bench: Bench) -> None:
    """An error like any other, for both systems."""
    bench.inject("canny", is_posts_list, status=200, body=b'{"error":"server error"}', times=None)
    _ends(bench, "FAILED", "$.posts is missing")
    _again(bench)
    bench.inject("hubspot", is_companies_list, status=200, body=b'{"status":"error","message":"oops"}', times=None)
    _ends(bench, "FAILED", "results")


@fault("D5", "200 without a body, and 204, to a read")
def d5(bench: Bench) -> None:
    """Not an empty page: repeated, then RETRY_LATER."""
    for status in (200, 204):
        bench.inject("canny", is_posts_list, status=status, body=b"")
        bench.inject("hubspot", is_companies_list, status=status, body=b"")
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    bench.variable("INTEGRATION_ASSETS_PATIENCE_SECONDS", "2")
    bench.inject("canny", is_posts_list, status=200, body=b"", times=None)
    _ends(bench, "RETRY_LATER", "empty body")


@fault("D6", 'types drift: a list becomes an object, a number text, true becomes "true"')
def d6(bench: Bench) -> None:
    """The run ends before any write, naming the field; a single record is used without it, which is told."""
    drifts: tuple[tuple[Callable[[dict[str, Any]], None], str], ...] = (
        (lambda body: body.update(posts=dict(enumerate(body["posts"]))), "$.posts"),
        (lambda body: body.update(hasMore="false"), "$.hasMore"),
    )
    for drift, path in drifts:

        def change(answered: Answered, drift: Callable[[dict[str, Any]], None] = drift) -> None:
            body = answered.json
            drift(body)
            answered.json = body

        bench.tamper("canny", is_posts_list, change, times=None)
        _ends(bench, "FAILED", path)
        _again(bench)

    def text_scores(posts: list[dict[str, Any]]) -> None:
        posts[0]["score"] = str(posts[0]["score"])

    _posts(bench, text_scores)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    said = next(one for one in bench.last.ran.summary["checks"] if one["name"] == "unreadable_fields")
    require(not said["passed"] and "canny.posts.score of 1 records" in said["detail"], f"it was not told: {said}")


@fault("D7", "a required field is missing or null, in one record and in many", start="hundred")
def d7(bench: Bench) -> None:
    """One is quarantined and the others are written; many close the gate."""
    chosen = {bench.world.request_id("themes")}

    def spoil(posts: list[dict[str, Any]]) -> None:
        for number, post in enumerate(post for post in posts if post["id"] in chosen):
            post["title"] = None
            if number % 2:
                del post["title"]

    _posts(bench, spoil)
    every = sorted(bench.world.canny.posts)
    one = set(chosen)
    chosen.update(every[:12])
    _ends(bench, "HELD")
    chosen.clear()
    chosen.update(one)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(len(bench.last.after.ours.records) == 99, "the other 99 were not written")
    require(sum(bench.last.ran.summary["quarantined"].values()) == 1, "the record was not counted as quarantined")


@fault("D8", "fields nobody documented", start="hundred")
def d8(bench: Bench) -> None:
    """Kept out, counted, and told of by the first run alone: in its summary, on the terminal and in Slack."""

    def grow(posts: list[dict[str, Any]]) -> None:
        for number, post in enumerate(posts):
            post["sentiment"] = {"score": [1, {"deep": None}]}
            if number == 0:
                post["Title"] = "another case"

    portal = bench.world.portal
    portal.options = replace(portal.options, unknown_field_rate=0.0)
    _posts(bench, grow)
    bench.run("sync")
    bench.expect(state="SUCCEEDED", says="canny.posts.sentiment (100), canny.posts.Title (1)")
    told = json.dumps(bench.last.messages, ensure_ascii=False)
    require("canny.posts.sentiment (100), canny.posts.Title (1)" in told, "Slack was not told")
    require(not _new_fields(bench)["passed"], "the check passed")
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(_new_fields(bench)["passed"], "the second run tells of them as well")
    require("sentiment" not in bench.last.ran.out + json.dumps(bench.last.messages), "the second run is not silent")


def _new_fields(bench: Bench) -> dict[str, Any]:
    """The check of that name in the last run's summary."""
    return next(check for check in bench.last.ran.summary["checks"] if check["name"] == "unknown_fields")


@fault("D9", "NaN and Infinity where money is expected")
def d9(bench: Bench) -> None:
    """In JSON they are refused at the edge; as text in a CRM property they are quarantined and count as nothing."""
    for number in ("NaN", "Infinity", "-Infinity", "1e999"):
        body = f'{{"companies":[{{"id":"c1","name":"C","monthlySpend":{number}}}],"hasNextPage":false}}'
        bench.inject("canny", path_ends("/v2/companies/list"), status=200, body=body.encode(), times=None)
        _ends(bench, "FAILED", "/v2/companies/list")
        _again(bench)
    bench.both(_company("Acme", **{ARR_PROPERTY: "NaN"}))
    bench.both(_company("Beta", **{ARR_PROPERTY: "Infinity"}))
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    arr = bench.last.after.ours.records[bench.world.key("dark mode")]["arr"]
    require(float(arr) == 0, f"an ARR that is no number counted: {arr}")
    require(sum(bench.last.ran.summary["quarantined"].values()) == 2, "the two figures were not quarantined")


@fault("D10", "the same key twice in a JSON object")
def d10(bench: Bench) -> None:
    """Refused: which of the two is meant nobody knows."""
    _body(bench, lambda text: text.replace('"posts":', '"posts":[],"posts":', 1))
    _ends(bench, "FAILED", "repeated key")


@fault("D11", "bytes that are no UTF-8, half of a surrogate pair")
def d11(bench: Bench) -> None:
    """The bytes are refused; half a character, left where an emoji was cut, becomes U+FFFD in that one title."""

    def spoil(answered: Answered) -> None:
        answered.body = answered.body.replace(b"Dark mode", b"Dark \xff\xfe mode")

    bench.tamper("canny", is_posts_list, spoil, times=None)
    _ends(bench, "FAILED", "UTF-8")
    _again(bench)
    _body(bench, lambda text: text.replace("Dark mode", "Dark \\ud83d mode"))
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    title = bench.last.after.ours.records[bench.world.key("dark mode")]["title"]
    require(title == "Dark \N{REPLACEMENT CHARACTER} mode", f"the title is {title!r}")


@fault("D12", "an integer of 5,000 digits, nesting 200,000 deep")
def d12(bench: Bench) -> None:
    """Caught: FAILED with the reason, no traceback."""
    bodies = (b'{"posts":[],"hasMore":' + b"9" * 5_000 + b"}", b"[" * 200_000 + b"]" * 200_000)
    for body in bodies:
        bench.inject("canny", is_posts_list, status=200, body=body, times=None)
        _ends(bench, "FAILED", "/v1/posts/list")
        require("Traceback" not in bench.last.ran.out + bench.last.ran.err, "a traceback was shown")
        _again(bench)


@fault("D13", "204 KB that unpack to 210 MB, and a body without end")
def d13(bench: Bench) -> None:
    """Read up to 32 MiB and refused."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    bomb = gzip.compress(bytes(210 * MEGABYTE), 9)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    headers = {"content-encoding": "gzip"}
    bench.inject("canny", is_posts_list, status=200, body=bomb, headers=headers, times=None)
    _ends(bench, "FAILED", "32 MiB")
    _again(bench)
    endless = dripping(HEAD + b"\r\n[", b" " * MEGABYTE, every=0.0)
    bench.proxied("canny").instead(raw_path_ends("/v1/posts/list"), endless, times=None)
    _ends(bench, "FAILED", "32 MiB")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - max(before, made)
    require(grown <= MORE_MEMORY, f"it cost {grown / MEGABYTE:.0f} MB more than before")


NASTY = '=HYPERLINK("http://x.test","y") <script>alert(1)</script> \u202egnp.exe\u202c zero\u200bwidth <!channel> <@U1>'


@fault("D14", "bidi and zero-width characters, markup and formulas in a title")
def d14(bench: Bench) -> None:
    """Stored as the text it is; harmless in Slack and on the terminal."""
    bench.both(lambda world: world.edit_request("dark mode", title=NASTY))
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(bench.last.after.ours.records[bench.world.key("dark mode")]["title"] == NASTY, "the title was changed")
    told = json.dumps(bench.last.messages, ensure_ascii=False)
    shown = bench.world.run("rankings").out
    for piece in ("\u202e", "\u200b"):
        require(piece not in told and piece not in shown, f"{piece!r} reaches people")
    for piece in ("<script", "<!channel", "<@U1"):
        require(piece not in told, f"{piece} reaches Slack unescaped")


@fault("D15", "ARR that is negative, beyond all bounds, or in a currency without a rate")
def d15(bench: Bench) -> None:
    """Quarantined, or shown apart: none of it is added up."""
    bench.both(_company("Acme", **{ARR_PROPERTY: "-1000"}))
    bench.both(_company("Beta", **{ARR_PROPERTY: "1e308"}))
    bench.both(_company("Delta", **{CURRENCY_PROPERTY: "XAU"}))
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    for record in bench.last.after.ours.records.values():
        require(float(record["arr"]) == 0, f"it was added up: {record['arr']}")
    require(sum(bench.last.ran.summary["quarantined"].values()) == 2, f"{bench.last.ran.summary['quarantined']}")


@fault("D16", "a title longer than the CRM takes")
def d16(bench: Bench) -> None:
    """Cut by rule, with a mark, or rejected and named; the other records are written."""
    long = "A very long wish. " * 4_000
    bench.both(lambda world: world.edit_request("dark mode", title=long, details=long * 2))
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    title = bench.last.after.ours.records[bench.world.key("dark mode")]["title"]
    require(len(title) <= 65_536 and long.startswith(title[:60_000]), f"not its beginning: {len(title)} characters")
    require(title.endswith("… [truncated]"), f"it has no mark: {title[-30:]!r}")
