"""Talking to Slack: post a message and know whether it arrived, check a token. Nothing here raises."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import Any
from urllib.error import URLError

import msgspec
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from integration_assets.config import Settings
from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.redaction import redact
from integration_assets.connectors.slack import slack_client
from integration_assets.reporting.text import clean, clip

CHECK_TIMEOUT_SECONDS = 5
"""A person waits for the answer."""
EVENT_TYPE = "integration_assets_run"
"""Type of the metadata that carries the run id with every message."""


class DeliveryStatus(Enum):
    """Delivery of a message: posted; certainly not posted; refused for what is in it; without a clear answer."""

    POSTED = "posted"
    NOT_POSTED = "not posted"
    UNPOSTABLE = "unpostable"
    UNCERTAIN = "uncertain"


class Posting(msgspec.Struct, frozen=True):
    """The delivery status of a message, and one line that says why it is not `POSTED`.

    `is_misconfigured`: no message gets through before somebody changes the token, the app or the channel.
    """

    delivery_status: DeliveryStatus
    line: str | None = None
    is_misconfigured: bool = False


def post_message(
    client: WebClient, channel: str, text: str, blocks: Sequence[dict[str, Any]], *, run_id: str
) -> Posting:
    """Post a message that carries `run_id` in its metadata. Never raises.

    What Slack does must not change what a run achieved.
    """
    try:
        client.chat_postMessage(
            channel=channel,
            text=text,
            blocks=list(blocks),
            # Not shown, but it leads from a message to its run, whatever the text says.
            metadata={"event_type": EVENT_TYPE, "event_payload": {"run_id": run_id}},
            # A preview would have Slack's servers fetch pages of the feedback system.
            unfurl_links=False,
            unfurl_media=False,
        )
    except SlackApiError as error:
        wrong = _code(error) in _REMEDIES.keys() - _PASSING_ERRORS
        return Posting(_refused(error), f"Slack refused the message: {_slack_reason(error)}", is_misconfigured=wrong)
    except URLError as error:
        # Raised while connecting or sending: the request was never whole, so there was nothing to post.
        return Posting(DeliveryStatus.NOT_POSTED, f"Slack could not be reached ({_reason(error)})")
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in there, the run has its result already
        return Posting(DeliveryStatus.UNCERTAIN, f"Slack gave no answer to the message ({type(error).__name__})")
    return Posting(DeliveryStatus.POSTED)


def _reason(error: URLError) -> str:
    """Name the reason why there was no connection, in the words of the outgoing client."""
    return clip(redact(str(error.reason)), 300)


def _refused(error: SlackApiError) -> DeliveryStatus:
    # Slack's own word before the status: it answers many errors with 200.
    code, status = _code(error), getattr(error.response, "status_code", 0)
    # The same content would be refused for ever: it must not wait with the others.
    if code in _CONTENT_ERRORS:
        return DeliveryStatus.UNPOSTABLE
    # Slack says of these two errors that some of the work may have succeeded. What answers without Slack's JSON is a
    # gateway: it may speak for a Slack that has posted, unless it says that the request itself was wrong, or that
    # nobody was there to take it (503, RFC 9110).
    if code is None and status == 503:
        return DeliveryStatus.NOT_POSTED
    unclear = code in ("fatal_error", "internal_error") or status >= 500 or (code is None and status < 400)
    return DeliveryStatus.UNCERTAIN if unclear else DeliveryStatus.NOT_POSTED


def check_slack(settings: Settings, *, guard: AddressGuard | None = None) -> str | None:
    """Ask Slack whether the configured token is valid, posting nothing; return None, or one line that says why not."""
    if settings.slack.secret is None:
        return "SLACK_BOT_TOKEN is not set"
    token = settings.slack.secret.get_secret_value()
    client = slack_client(token, settings.slack.base_url, guard=guard, timeout=CHECK_TIMEOUT_SECONDS)
    try:
        # It needs no scope and posts nothing.
        client.auth_test()
    except SlackApiError as error:
        return f"Slack refused the token: {_slack_reason(error)}"
    except URLError as error:
        return f"Slack could not be reached ({_reason(error)})"
    except Exception as error:  # noqa: BLE001 - the check reports what it meets, whatever it is
        return f"Slack could not be reached ({type(error).__name__})"
    return None


_CODE = re.compile(r"[a-z0-9_]{1,80}")
_CONTENT_ERRORS = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text"}
_REMEDIES = {
    "channel_not_found": "check SLACK_CHANNEL",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "choose another SLACK_CHANNEL",
    "invalid_auth": "replace SLACK_BOT_TOKEN",
    "token_revoked": "replace SLACK_BOT_TOKEN",
    "token_expired": "replace SLACK_BOT_TOKEN",
    "account_inactive": "replace SLACK_BOT_TOKEN",
    "missing_scope": "give the app the scope chat:write",
    "ratelimited": "nothing to do, the next run posts again",
}


_PASSING_ERRORS = {"ratelimited"}


def _slack_reason(error: SlackApiError) -> str:
    code = _code(error)
    # No word of Slack's: the status is all that may be shown of it.
    if code is None:
        return f"status {getattr(error.response, 'status_code', 'unknown')}"
    remedy = _REMEDIES.get(code)
    return f"{clip(clean(code), 80)}; {remedy}" if remedy else clip(clean(code), 80)


def _code(error: SlackApiError) -> str | None:
    """Slack's word for the error; None when the answer was not Slack's JSON, of which the client makes a sentence."""
    answer = error.response
    code = answer.get("error") if hasattr(answer, "get") else None
    # Anything else may be the text of a proxy, which must not get into notes and logs.
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
