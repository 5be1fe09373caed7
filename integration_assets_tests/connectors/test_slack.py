"""Slack behind the address guard: its own client's answers and errors, and nothing that the guard does not let pass."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from integration_assets.connectors.address_guard import AddressGuard, AddressPolicy
from integration_assets.connectors.slack import slack_client
from integration_assets.sandbox.lookalike import Fault, Lookalike
from integration_assets.sandbox.serving import listening
from integration_assets.sandbox.slack import SlackTeam, slack_lookalike
from integration_assets_tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture
def team() -> SlackTeam:
    return SlackTeam(interval=0)


@pytest.fixture
def lookalike(team: SlackTeam) -> Lookalike:
    return slack_lookalike(team)


@pytest.fixture
def origin(lookalike: Lookalike) -> Iterator[str]:
    with listening([lookalike]) as [one]:
        yield one


def client_of(origin: str, token: str, *, allowed: bool = True) -> WebClient:
    """A client of a tenant; the operator has allowed the look-alike's address, or nothing but Slack's own hosts."""
    hosts = frozenset({urlsplit(origin).netloc}) if allowed else frozenset[str]()
    guard = AddressGuard(AddressPolicy(hosts=frozenset({"slack.com"}), allowed=hosts))
    retries = [RateLimitErrorRetryHandler(max_retry_count=1)]
    return slack_client(token, f"{origin}/api", guard=guard, timeout=int(PATIENCE_SECONDS), retry_handlers=retries)


def test_a_message_arrives_as_it_does_without_the_guard(origin: str, team: SlackTeam) -> None:
    """The same client, the same answers: a message with blocks, and a call with arguments in a form."""
    client = client_of(origin, team.token)
    team.scopes.add("channels:read")
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "ä *b*"}}]
    posted = client.chat_postMessage(channel=team.channels[0].id, text="ä", blocks=blocks)
    assert posted["ok"]
    assert team.messages[-1]["text"] == "ä"
    assert client.api_call("conversations.info", params={"channel": team.channels[0].id})["channel"]["is_member"]


def test_errors_are_those_of_slack_s_own_client(origin: str, team: SlackTeam, lookalike: Lookalike) -> None:
    """A refused token, a status without Slack's JSON, and a 429 that is waited for."""
    with pytest.raises(SlackApiError, match="invalid_auth"):
        client_of(origin, "xoxb-another").auth_test()
    lookalike.faults.append(Fault(lambda _request: True, status=502, body=b"<html>"))
    with pytest.raises(SlackApiError) as refused:
        client_of(origin, team.token).auth_test()
    assert refused.value.response.status_code == 502
    lookalike.faults.append(Fault(lambda _request: True, status=429, body=b"{}", headers={"Retry-After": "0"}))
    assert client_of(origin, team.token).auth_test()["ok"]


def test_what_the_guard_does_not_let_pass_is_never_asked(
    origin: str, team: SlackTeam, lookalike: Lookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address nobody allowed, a redirect, and a proxy of the environment: nothing arrives where it should not."""
    with pytest.raises(URLError):
        client_of(origin, team.token, allowed=False).auth_test()
    assert not lookalike.requests
    redirect = {"Location": f"{origin}/api/auth.test"}
    lookalike.faults.append(Fault(lambda _request: True, status=302, body=b"", headers=redirect))
    with pytest.raises(SlackApiError) as refused:
        client_of(origin, team.token).auth_test()
    assert (refused.value.response.status_code, len(lookalike.requests)) == (302, 1)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert client_of(origin, team.token).auth_test()["ok"]


def test_a_lost_answer_is_no_connection_that_failed(origin: str, team: SlackTeam, lookalike: Lookalike) -> None:
    """Only a message that certainly did not leave may be sent again: the two raise different errors."""
    lookalike.faults.append(Fault(lambda _request: True, close=True))
    with pytest.raises(ConnectionResetError):
        client_of(origin, team.token).auth_test()
    with pytest.raises(URLError):
        client_of("http://127.0.0.1:9", team.token).auth_test()
