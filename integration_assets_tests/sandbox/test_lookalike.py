"""The shell of every look-alike: its log, its latency and the faults it injects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from integration_assets.sandbox.lookalike import Fault, LoggedRequest, Lookalike, note_template
from integration_assets.sandbox.serving import listening
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

Served = tuple[Lookalike, httpx.Client, list[bytes]]


def everything(_: LoggedRequest) -> bool:
    return True


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Lookalike, str, list[bytes]]]:
    """An application that answers with what it got, and remembers it."""
    done: list[bytes] = []

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        note_template(scope, "/echo/{name}")
        done.append(body)
        await PlainTextResponse(body, 201)(scope, receive, send)

    lookalike = Lookalike(echo)
    with listening([lookalike]) as [origin]:
        yield lookalike, origin, done


@pytest.fixture
def served(server: tuple[Lookalike, str, list[bytes]]) -> Iterator[Served]:
    lookalike, origin, done = server
    lookalike.clear()
    lookalike.latency = None
    done.clear()
    with httpx.Client(base_url=origin, timeout=PATIENCE_SECONDS) as client:
        yield lookalike, client, done


def test_requests_are_logged_as_they_arrive(served: Served):
    lookalike, client, _ = served
    assert client.post("/echo/a?x=1", content=b"body" * 50_000).text == "body" * 50_000
    client.get("/echo/b")
    first, second = lookalike.requests
    assert (first.method, first.path, first.query, first.status) == ("POST", "/echo/a", "x=1", 201)
    assert first.body == b"body" * 50_000
    assert first.template == "/echo/{name}"
    assert second.number == first.number + 1
    assert first.at <= second.at


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the look-alike has waited for, to the end; its waits take no time."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        await real_sleep(0)
        waited.append(seconds)

    real_sleep = asyncio.sleep
    monkeypatch.setattr("integration_assets.sandbox.lookalike.asyncio", SimpleNamespace(sleep=sleep))
    return waited


def test_latency_delays_the_answer(served: Served, slept: list[float]):
    lookalike, client, _ = served
    lookalike.latency = lambda request: 60.0 if request.path == "/slow" else 0.0
    client.get("/quick")
    assert slept == []
    client.get("/slow")
    assert slept == [60.0]


def test_a_fault_answers_instead_of_the_application_as_often_as_asked(served: Served):
    lookalike, client, done = served
    html = {"Content-Type": "text/html", "retry-after": "3"}
    lookalike.faults.append(Fault(everything, times=2, status=502, body=b"<html>", headers=html))
    answers = [client.post("/x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 201]
    assert (answers[0].text, answers[0].headers["retry-after"]) == ("<html>", "3")
    assert answers[0].headers["content-type"] == "text/html"
    assert len(done) == 1
    assert lookalike.faults == []
    assert [request.status for request in lookalike.requests] == [502, 502, 201]


def test_a_fault_without_a_number_stays_until_removed(served: Served):
    lookalike, client, _ = served
    lookalike.faults.append(Fault(lambda request: request.path == "/x", times=None, status=500))
    assert [client.get(path).status_code for path in ("/x", "/y", "/x")] == [500, 201, 500]
    lookalike.clear()
    assert client.get("/x").status_code == 201


def test_an_answer_can_be_lost_after_the_work_is_done(served: Served):
    lookalike, client, done = served
    lookalike.faults.append(Fault(everything, status=504, after_commit=True))
    assert client.post("/x", content=b"work").status_code == 504
    assert done == [b"work"]


def test_a_connection_can_be_cut_without_an_answer(served: Served):
    lookalike, client, done = served
    lookalike.faults.append(Fault(everything, close=True))
    with pytest.raises(httpx.TransportError):
        client.post("/x", content=b"never")
    assert done == []
    assert lookalike.requests[0].status is None
    lookalike.faults.append(Fault(everything, close=True, after_commit=True))
    with pytest.raises(httpx.TransportError):
        client.post("/x", content=b"done")
    assert done == [b"done"]
    assert client.get("/x").status_code == 201


def test_a_connection_can_be_cut_in_the_middle_of_the_body(served: Served):
    lookalike, client, _ = served
    lookalike.faults.append(Fault(everything, status=200, body=b'{"items":[', close=True))
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/x")


def test_a_body_can_be_truncated_or_slow(served: Served):
    lookalike, client, _ = served
    lookalike.faults.append(Fault(everything, status=200, body=b'{"items":['))
    with pytest.raises(json.JSONDecodeError):
        client.post("/x").json()
    lookalike.faults.append(Fault(everything, status=200, body=b"{}", body_delay=5.0))
    with pytest.raises(httpx.ReadTimeout):
        client.post("/x", timeout=httpx.Timeout(PATIENCE_SECONDS, read=0.5))


def test_a_delay_alone_leaves_the_answer_as_it_is(served: Served, slept: list[float]):
    lookalike, client, _ = served
    lookalike.faults.append(Fault(everything, delay=60.0))
    assert client.post("/x", content=b"same").text == "same"
    assert slept == [60.0]
