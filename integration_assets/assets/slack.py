"""The Slack client of a run. Built inside the run from the settings, so that its token is never resource config."""

from __future__ import annotations

from dagster_slack import SlackResource
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from integration_assets.config import Settings

TIMEOUT_SECONDS = 10


class Slack(SlackResource):
    """Dagster's Slack resource with a base URL, a short timeout and patience for rate limits."""

    base_url: str = "https://slack.com/api/"

    def get_client(self) -> WebClient:
        """A client that waits as told when it is throttled."""
        client = WebClient(self.token, base_url=self.base_url, timeout=TIMEOUT_SECONDS)
        client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
        return client


def slack_client(settings: Settings) -> tuple[WebClient, str] | None:
    """A client and the channel to post to, or None when Slack is not configured."""
    if settings.slack_bot_token is None or settings.slack_channel is None:
        return None
    base_url = settings.slack_base_url if settings.slack_base_url.endswith("/") else f"{settings.slack_base_url}/"
    slack = Slack(token=settings.slack_bot_token.get_secret_value(), base_url=base_url)
    return slack.get_client(), settings.slack_channel
