"""A look-alike of the part of Slack's Web API that bots post with. May import `sandbox.lookalike` and libraries."""

from integration_assets.sandbox.slack.app import slack_lookalike
from integration_assets.sandbox.slack.team import Channel, SlackTeam

__all__ = ["Channel", "SlackTeam", "slack_lookalike"]
