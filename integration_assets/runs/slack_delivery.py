"""The Slack message of a run. The client is built inside the run, so that its token is never resource config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.error import URLError

import duckdb
from dagster_slack import SlackResource
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

from integration_assets.config import Settings
from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.slack import slack_client
from integration_assets.errors import IntegrationError
from integration_assets.reporting.alerts import Notice
from integration_assets.reporting.outbox import Delivery, Outbox, OutboxMessage, deliver
from integration_assets.reporting.shipped_posts import OwnerPost
from integration_assets.reporting.slack import late, repeated
from integration_assets.reporting.slack_posting import Posting, post_message
from integration_assets.tenants.address_policies import guard_for
from integration_assets.tenants.registry.words import Provider

TIMEOUT_SECONDS = 10
HASTY_SECONDS = 4
"""Of one message, where others wait for the end of it: a tick of a sensor has a minute for everything."""


class Slack(SlackResource):
    """Dagster's Slack resource with a base URL, a short timeout and patience for rate limits."""

    base_url: str = "https://slack.com/api/"

    def get_client(self, guard: AddressGuard | None = None, *, patient: bool = True) -> WebClient:
        """A client that waits as told when it is throttled, and repeats only what certainly did not arrive.

        The default would also repeat a message whose answer was lost, and show it twice. With a `guard` only what it
        lets pass is asked. Not `patient`: it neither waits nor repeats.
        """
        if not patient:
            return slack_client(self.token, self.base_url, guard=guard, timeout=HASTY_SECONDS)
        return slack_client(
            self.token,
            self.base_url,
            guard=guard,
            timeout=TIMEOUT_SECONDS,
            retry_handlers=[
                # A connection that failed carried nothing, so that repeating it shows no message twice.
                ConnectionErrorRetryHandler(max_retry_count=1, error_types=[URLError]),
                RateLimitErrorRetryHandler(max_retry_count=2),
            ],
        )


def _place(settings: Settings | None, *, patient: bool) -> tuple[WebClient, str] | None:
    """A client and the channel it posts to; None when Slack is not configured."""
    if settings is None or (own := settings.slack).secret is None or (channel := own.text("channel")) is None:
        return None
    resource = Slack(token=own.secret.get_secret_value(), base_url=own.base_url)
    return resource.get_client(guard_for(settings, Provider(own.spec.name)), patient=patient), channel


def slack_poster(settings: Settings | None, *, patient: bool = True) -> Callable[[OutboxMessage, bool], Posting] | None:
    """Return a function that posts a message once, as itself or (true) as a late one; None without Slack.

    Not `patient`: what Slack does not take at once is not posted.
    """
    place = _place(settings, patient=patient)
    if place is None:
        return None
    client, channel = place

    def post(message: OutboxMessage, is_late: bool) -> Posting:
        text, blocks = message.text, message.blocks
        # A late message says so, or a reader would take an old end for the state of today.
        if is_late:
            text, blocks = late(
                text,
                blocks,
                run_id=message.run_id,
                ended_at=message.ended_at,
                problem=message.problem,
                maybe=message.state == "uncertain",
            )
        return post_message(client, channel, text, blocks, run_id=message.run_id)

    return post


def notice_poster(settings: Settings, *, patient: bool = True) -> Callable[[Notice, bool], Posting] | None:
    """Return a function that posts an alert once, as itself or (true) as a possible repeat; None without Slack.

    Not `patient`: what Slack does not take at once is not posted.
    """
    place = _place(settings, patient=patient)
    if place is None:
        return None
    client, channel = place

    def post(notice: Notice, again: bool) -> Posting:
        text, blocks = repeated(notice.text, notice.blocks) if again else (notice.text, notice.blocks)
        return post_message(client, channel, text, blocks, run_id=notice.subject)

    return post


def owner_poster(settings: Settings, run_id: str) -> Callable[[OwnerPost], Posting] | None:
    """Return a function that posts a message to an owner of companies once; None without Slack."""
    place = _place(settings, patient=True)
    if place is None:
        return None
    client, channel = place
    return lambda one: post_message(client, channel, one.text, one.blocks, run_id=run_id)


def send_message(
    post: Callable[[OutboxMessage, bool], Posting], message: OutboxMessage, opened: Callable[[], Outbox] | None
) -> Delivery:
    """Post the message of a run. With an outbox, to be `opened`, it is in there, and older ones go along.

    Never raises: what Slack or the outbox does must not change what the run achieved.
    """
    if opened is None:
        posting = post(message, False)
        return Delivery(posted=posting.line is None, problem=posting.line)
    try:
        outbox = opened()
        delivery = deliver(outbox, lambda one: post(one, one.run_id != message.run_id), own=message.run_id)
        waits = any(one.run_id == message.run_id for one in outbox.messages())
    # Not posted around the outbox: the next run would find the message there and post it again.
    except duckdb.Error as error:
        return Delivery(problem=f"the outbox in the staging store cannot be used ({type(error).__name__})")
    except IntegrationError as error:
        return Delivery(problem=f"the outbox that machines share cannot be used: {error.message}")
    if delivery.problem and waits:
        delivery.problem += "; the summary is kept, the next run posts it"
    return delivery


def new_message(run_id: str, text: str, blocks: Sequence[dict[str, Any]]) -> OutboxMessage:
    """The message of a run that ends now."""
    return OutboxMessage(run_id=run_id, text=text, blocks=list(blocks), ended_at=datetime.now(UTC))
