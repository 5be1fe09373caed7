"""B. Ambiguous and partial writes: batches that were committed and said otherwise, or half committed."""

from __future__ import annotations

import json
from typing import Any

from integration_assets.sandbox.hubspot.errors import conflict, validation
from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets_tests.proofs.faults.asking import first_then, holding, is_link, is_posts_list, is_upsert
from integration_assets_tests.proofs.faults.bench import Bench, require
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.tampering import Answered
from integration_assets_tests.support.harness import OBJECT, World

BISECTION = 16
"""Requests that may be spent to find one bad record among a hundred: 2·log2(100) + 2."""


def _upserts(bench: Bench) -> list[LoggedRequest]:
    return [request for system, request in bench.last.requests if system == "hubspot" and is_upsert(request)]


def _forget(world: World, key: str) -> None:
    """Take a record out of the portal as if it had never been written."""
    portal = world.portal
    with portal.lock:
        store = portal.object_type(OBJECT).store
        record_id = store.holder("feature_request_key", key)
        if record_id is not None:
            store.forget(record_id, portal.clock())


def _rejected(bench: Bench, kind: str = "feature_request") -> list[dict[str, Any]]:
    return [item for item in bench.last.ran.summary["rejected"] if item["kind"] == kind]


@fault("B1", "a batch is committed and its answer never comes", start="hundred")
def b1(bench: Bench) -> None:
    """The repeat finds it written; records and links alike."""
    bench.variable("INTEGRATION_ASSETS_REQUEST_SECONDS", "1")
    bench.inject("hubspot", is_upsert, status=200, after_commit=True, delay=0.0, body_delay=4.0, times=2)
    bench.inject("hubspot", is_link, status=200, after_commit=True, body_delay=4.0)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(bench.last.ran.summary["api_calls"]["hubspot"]["retried"] >= 3, "no request was repeated")


@fault("B2", "a batch is committed long after we gave up waiting", start="hundred")
def b2(bench: Bench) -> None:
    """Repeats and the late commits meet in one record per key."""
    bench.variable("INTEGRATION_ASSETS_REQUEST_SECONDS", "1")
    bench.inject("hubspot", is_upsert, delay=3.0, times=4)
    bench.inject("hubspot", is_link, delay=3.0, times=2)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


@fault("B3", "502 or 504 after the batch was committed", start="hundred")
def b3(bench: Bench) -> None:
    """Treated as unknown, not as failed: repeated, and read back."""
    for matches in (is_upsert, is_link):
        for status in (502, 504):
            bench.inject("hubspot", matches, status=status, after_commit=True)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


@fault("B4", "the connection is reset after the batch was committed", start="hundred")
def b4(bench: Bench) -> None:
    """The same as a lost answer."""
    for matches in (is_upsert, is_link):
        bench.inject("hubspot", matches, close=True, after_commit=True, times=2)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


@fault("B5", "200 with a cut body after the batch was committed", start="hundred")
def b5(bench: Bench) -> None:
    """Cut by the connection, cut although its length is as announced, and empty: unknown, read back by key."""
    half = b'{"status":"COMPLETE","results":[{"id":"17","properties":{"feature_request_k'
    for matches in (is_upsert, is_link):
        bench.inject("hubspot", matches, status=200, body=half, close=True, after_commit=True)
        bench.inject("hubspot", matches, status=200, body=half, after_commit=True)
        bench.inject("hubspot", matches, status=201, body=b"", after_commit=True)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


@fault("B6", "207: some records are written, one is refused, in any order")
def b6(bench: Bench) -> None:
    """The refused record is named by its key, the others are written and verified."""

    def shuffle(answered: Answered) -> None:
        body = answered.json
        body["results"].reverse()
        answered.json = body

    bench.world.portal.require(OBJECT, "category", when=("board", "Bugs"))
    bench.tamper("hubspot", is_upsert, shuffle, times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS")
    require([item["key"] for item in _rejected(bench)] == [bench.world.key("crash")], f"rejected: {_rejected(bench)}")
    require(bench.last.ran.summary["feature_requests"]["verified"] == 4, "the other four were not verified")
    bench.world.portal.object_type(OBJECT).required_when.clear()


@fault("B7", "200 with fewer results than inputs", start="hundred")
def b7(bench: Bench) -> None:
    """What is missing is read back: one was written all the same, the other was not and is named."""
    written, lost = bench.world.key("crash"), bench.world.key("themes")

    def leave_out(answered: Answered) -> None:
        body = answered.json
        body["results"] = [
            one for one in body["results"] if one["properties"].get("feature_request_key") not in (written, lost)
        ]
        _forget(bench.world, lost)
        answered.json = body

    bench.tamper("hubspot", is_upsert, leave_out, times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS")
    require([item["key"] for item in _rejected(bench)] == [lost], f"rejected: {_rejected(bench)}")


@fault("B8", "200 with the results in another order", start="hundred")
def b8(bench: Bench) -> None:
    """Matched by key, never by position, for records and links."""

    def turn(answered: Answered) -> None:
        body = answered.json
        body["results"] = body["results"][1::2] + body["results"][::2]
        answered.json = body

    bench.tamper("hubspot", is_upsert, turn, times=None)
    bench.tamper("hubspot", is_link, turn, times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


@fault("B9", "one poison record fails its whole batch with 400", start="hundred")
def b9(bench: Bench) -> None:
    """Halved until it is alone: 99 of 100 are written, one is named, in at most 16 writes of records."""
    poison = bench.world.key("themes")
    refusal = json.dumps(validation("Property values were not valid").body).encode()
    bench.inject("hubspot", holding(is_upsert, poison), status=400, body=refusal, times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS")
    numbers = bench.last.ran.summary["feature_requests"]
    require((numbers["created"], numbers["verified"]) == (99, 99), f"not 99 of 100 were written: {numbers}")
    require([item["key"] for item in _rejected(bench)] == [poison], f"rejected: {_rejected(bench)}")
    require(len(_upserts(bench)) <= BISECTION, f"it took {len(_upserts(bench))} requests, {BISECTION} are allowed")


@fault("B10", "409: somebody else took the unique value a moment before")
def b10(bench: Bench) -> None:
    """A record that appeared under our key is updated; a value that stays taken is rejected and named."""
    first, taken = bench.world.key("crash"), bench.world.key("themes")
    refusal = json.dumps(conflict("A record with that unique value exists already").body).encode()

    def appears(request: LoggedRequest) -> bool:
        if not (is_upsert(request) and first.encode() in request.body):
            return False
        bench.world.portal.seed(OBJECT, [{"feature_request_key": first, "title": "Somebody was faster"}])
        return True

    bench.inject("hubspot", appears, status=409, body=refusal)
    bench.inject("hubspot", holding(is_upsert, taken), status=409, body=refusal, times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS")
    require([item["key"] for item in _rejected(bench)] == [taken], f"rejected: {_rejected(bench)}")


@fault("B11", "two inputs of one batch carry the same key")
def b11(bench: Bench) -> None:
    """Repeated requests are collapsed before they are sent; two requests that claim one key close the gate."""

    def repeat(answered: Answered) -> None:
        body = answered.json
        body["posts"] = [one for post in body["posts"] for one in (post, dict(post))]
        answered.json = body

    def claim(answered: Answered) -> None:
        body = answered.json
        body["posts"] += [{**post, "id": post["id"].upper(), "title": f"Not {post['title']}"} for post in body["posts"]]
        answered.json = body

    bench.tamper("canny", is_posts_list, claim, times=None)
    bench.run("sync")
    bench.expect(state="HELD")
    bench.calm()
    bench.disturbed = True
    bench.tamper("canny", is_posts_list, repeat, times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    for request in _upserts(bench):
        keys = [one["id"] for one in json.loads(request.body)["inputs"]]
        require(len(set(keys)) == len(keys), f"one key twice in a batch: {keys}")


@fault("B12", "a company is archived between the records and their links")
def b12(bench: Bench) -> None:
    """The links that can be set are set; the one that cannot is named."""
    delta = bench.world.company("Delta")

    def archive(world: World) -> None:
        world.portal.archive("companies", world.company("Delta"))

    bench.inject("hubspot", first_then(is_link, lambda: bench.meanwhile(archive)), times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS")
    rejected = _rejected(bench, "link")
    require(rejected and all(delta in item["key"] for item in rejected), f"rejected: {rejected}")
    require(not _rejected(bench), "a record was rejected as well")


@fault("B13", "a company is merged into another between the records and their links")
def b13(bench: Bench) -> None:
    """The link to the id that is gone is rejected and named, the others are set; the next run links the survivor."""

    def merge(world: World) -> None:
        world.portal.merge("companies", world.company("Beta"), world.company("Delta"))

    bench.inject("hubspot", first_then(is_link, lambda: bench.meanwhile(merge)), times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS")
    require(_rejected(bench, "link") and not _rejected(bench), f"rejected: {bench.last.ran.summary['rejected']}")


@fault("B14", "a write is accepted and one value silently dropped")
def b14(bench: Bench) -> None:
    """Reading back shows it: the record and the field are named, and the record is not counted as written."""
    key = bench.world.key("dark mode")

    def drop(_answered: Answered) -> None:
        portal = bench.world.portal
        with portal.lock:
            store = portal.object_type(OBJECT).store
            record_id = store.holder("feature_request_key", key)
            if record_id is not None:
                record = store.records[record_id]
                kept = {name: value for name, value in record.properties.items() if name != "category"}
                store.replace(record._replace(properties=kept), portal.clock())

    bench.tamper("hubspot", is_upsert, drop, times=None)
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS")
    rejected = _rejected(bench)
    named = [item["key"] for item in rejected] == [key] and "category" in rejected[0]["reason"]
    require(named, f"rejected: {rejected}")


@fault("B15", "the answer says created, the record is not there")
def b15(bench: Bench) -> None:
    """Written once more; still not there: FAILED, named, never counted as written."""
    key = bench.world.key("themes")
    bench.tamper("hubspot", is_upsert, lambda _answered: _forget(bench.world, key), times=None)
    bench.run("sync")
    bench.expect(state="FAILED", says=key)
    require(bench.last.ran.summary["feature_requests"]["created"] == 4, "what is not there was counted")
    sent = [request for request in _upserts(bench) if key.encode() in request.body]
    require(len(sent) == 2, f"it was sent {len(sent)} times")
