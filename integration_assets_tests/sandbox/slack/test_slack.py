"""Slack's own client posts to the look-alike, which holds Slack's limits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.models.blocks import ContextBlock, DividerBlock, HeaderBlock, MarkdownTextObject, SectionBlock

from integration_assets.sandbox.lookalike import Lookalike
from integration_assets.sandbox.serving import listening
from integration_assets.sandbox.slack import Channel, SlackTeam, slack_lookalike
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

post = functools.partial(httpx.post, timeout=PATIENCE_SECONDS)

TOKEN = SlackTeam().token


class Slack(NamedTuple):
    """The look-alike, its state and Slack's client."""

    team: SlackTeam
    lookalike: Lookalike
    client: WebClient
    base_url: str

    def refusal(self, **arguments: Any) -> str:
        """The error code of a message that must be refused."""
        with pytest.raises(SlackApiError) as refused:
            self.client.chat_postMessage(**{"channel": "C0SANDBOX1", "text": "hello", **arguments})
        return str(refused.value.response["error"])


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Lookalike, str]]:
    lookalike = slack_lookalike(SlackTeam())
    with listening([lookalike]) as [origin]:
        yield lookalike, f"{origin}/api/"


@pytest.fixture
def slack(server: tuple[Lookalike, str]) -> Slack:
    team = SlackTeam(interval=0, channels=[Channel("C0SANDBOX1", "feature-requests"), Channel("C0OTHER", "other")])
    lookalike, base_url = server
    lookalike.app = slack_lookalike(team).app
    lookalike.clear()
    return Slack(team, lookalike, WebClient(TOKEN, base_url=base_url), base_url)


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_a_message_is_kept_as_received_and_gets_a_rising_ts(slack: Slack):
    blocks = [
        HeaderBlock(text="Run succeeded"),
        SectionBlock(text="*500* requests", fields=["a", "b"]),
        DividerBlock(),
        ContextBlock(elements=[MarkdownTextObject(text="fresh")]),
    ]
    first = slack.client.chat_postMessage(channel="#feature-requests", text="Run succeeded", blocks=blocks)
    second = slack.client.chat_postMessage(channel="C0SANDBOX1", text="again", thread_ts=first["ts"])
    assert first["channel"] == "C0SANDBOX1"
    assert float(second["ts"]) > float(first["ts"])
    kept = slack.team.messages
    assert kept[0]["blocks"] == [block.to_dict() for block in blocks]
    assert kept[0]["channel"] == "#feature-requests"
    assert (kept[1]["text"], kept[1]["thread_ts"]) == ("again", first["ts"])


def test_auth_test_names_team_and_scopes(slack: Slack):
    answer = slack.client.auth_test()
    assert (answer["ok"], answer["team_id"]) == (True, "T0SANDBOX")
    assert answer.headers["x-oauth-scopes"] == "chat:write"


def test_a_channel_can_be_looked_up_by_its_id_with_the_scope_for_it(slack: Slack):
    def refused(channel: str) -> str:
        with pytest.raises(SlackApiError) as refusal:
            slack.client.conversations_info(channel=channel)
        return str(refusal.value.response["error"])

    channel = slack.team.channels[0]
    assert refused(channel.id) == "missing_scope"
    slack.team.scopes.add("channels:read")
    info = slack.client.conversations_info(channel=channel.id)["channel"]
    assert (info["name"], info["is_member"], info["is_archived"]) == ("feature-requests", True, False)
    assert refused("#feature-requests") == refused("C0NOWHERE1") == "channel_not_found"
    assert slack.team.messages == []


@pytest.mark.parametrize(("token", "error"), [("xoxb-other", "invalid_auth"), ("", "not_authed")])
def test_a_wrong_or_missing_token_is_refused(slack: Slack, token: str, error: str):
    answer = post(f"{slack.base_url}auth.test", headers={"authorization": f"Bearer {token}"} if token else {})
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})


def test_channels_must_exist_be_open_and_have_the_bot(slack: Slack):
    assert slack.refusal(channel="C0NOWHERE") == "channel_not_found"
    slack.team.channels[0].is_member = False
    assert slack.refusal() == "not_in_channel"
    slack.team.channels[0].is_archived = True
    assert slack.refusal() == "is_archived"
    slack.team.scopes.clear()
    assert slack.refusal() == "missing_scope"


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "divider"}] * 51,
        [section("x" * 3001)],
        [section("")],
        [{"type": "section"}],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
        [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}],
        [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}],
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
        [{"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "x" * 76}}]}],
        [{"type": "image", "image_url": "https://example.com/chart.png"}],
        [{"type": "markdown", "text": "x" * 6001}] * 2,
        [{"type": "divider", "block_id": "a"}] * 2,
        [{"type": "carousel"}],
        ["text"],
    ],
)
def test_blocks_beyond_the_documented_limits_are_refused(slack: Slack, blocks: list[Any]):
    assert slack.refusal(blocks=blocks) == "invalid_blocks"
    assert slack.team.messages == []


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "divider"}] * 50,
        [section("x" * 3000)],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 150}}],
        [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 10}],
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10}],
        [{"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "x" * 75}}]}],
        [{"type": "image", "image_url": "https://example.com/chart.png", "alt_text": "chart"}],
    ],
)
def test_blocks_at_the_documented_limits_pass(slack: Slack, blocks: list[dict[str, Any]]):
    assert slack.client.chat_postMessage(channel="C0SANDBOX1", text="x", blocks=blocks)["ok"]


def test_the_refusal_says_where_the_problem_is(slack: Slack):
    with pytest.raises(SlackApiError) as refused:
        slack.client.chat_postMessage(channel="C0SANDBOX1", text="x", blocks=[section("ok"), section("x" * 3001)])
    assert "json-pointer:/blocks/1/text/text" in refused.value.response["response_metadata"]["messages"][0]


def test_all_blocks_together_have_a_limit(slack: Slack):
    assert slack.refusal(blocks=[section("x" * 2900)] * 5) == "msg_blocks_too_long"


def test_a_message_needs_text_and_not_too_much(slack: Slack):
    answer = post(
        f"{slack.base_url}chat.postMessage",
        json={"channel": "C0SANDBOX1"},
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert answer.json()["error"] == "no_text"
    assert slack.refusal(text="x" * 40_001) == "msg_too_long"


def test_a_form_with_blocks_as_json_text_is_accepted(slack: Slack):
    data = {"token": TOKEN, "channel": "C0SANDBOX1", "blocks": '[{"type": "divider"}]'}
    assert post(f"{slack.base_url}chat.postMessage", data=data).json()["ok"]
    assert slack.team.messages[0]["blocks"] == [{"type": "divider"}]
    assert "token" not in slack.team.messages[0]


def test_one_message_per_second_and_channel(slack: Slack):
    moment = [1_700_000_000.0]
    slack.team.now = lambda: moment[0]
    slack.team.interval = 1.0
    send: Callable[..., Any] = slack.client.chat_postMessage
    send(channel="C0SANDBOX1", text="one")
    send(channel="C0OTHER", text="another channel")
    with pytest.raises(SlackApiError) as refused:
        send(channel="C0SANDBOX1", text="two")
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["retry-after"] == "1"
    moment[0] += 1
    send(channel="C0SANDBOX1", text="two")
    assert [message["text"] for message in slack.team.messages] == ["one", "another channel", "two"]


def test_slacks_own_retry_handler_obeys_the_limit(slack: Slack):
    slack.team.interval = 1.0
    slack.client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
    for text in ("one", "two"):
        slack.client.chat_postMessage(channel="C0SANDBOX1", text=text)
    assert [request.status for request in slack.lookalike.requests] == [200, 429, 200]


def test_unknown_methods_and_broken_bodies_are_refused(slack: Slack):
    assert post(f"{slack.base_url}chat.shout").json()["error"] == "unknown_method"
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    broken = post(f"{slack.base_url}chat.postMessage", content=b"{", headers=headers)
    assert broken.json()["error"] == "invalid_json"
