"""Slack as the rest of the product knows it. Imports no part of its client."""

from __future__ import annotations

from integration_assets.connectors.specs import (
    AddressSpec,
    ProviderKind,
    ProviderSpec,
    SecretSpec,
    SettingSpec,
    VariableSpec,
)

SLACK = ProviderSpec(
    name="slack",
    label="Slack",
    kind=ProviderKind.MESSAGES,
    connector="integration_assets.connectors.slack:slack_client",
    secret=SecretSpec(
        variable=VariableSpec("SLACK_BOT_TOKEN"),
        label="bot token",
        called="the Slack token",
        wanted="a Slack bot token (it begins with xoxb-)",
        prefixes=("xoxb-",),
        openings={
            "xoxb-": "a Slack bot token",
            "xoxp-": "a Slack user token",
            "xapp-": "a Slack app-level token",
            "xoxe.": "a Slack configuration token",
            "xoxa-": "a Slack workspace token",
            "xoxs-": "a Slack session token",
        },
        pattern=r"\bxox[abeoprs]-[0-9A-Za-z-]{20,}",
    ),
    address=AddressSpec(
        variable=VariableSpec("SLACK_BASE_URL"),
        default="https://slack.com/api/",
        example="https://slack.com/api/",
        hosts=("slack.com",),
        domains=("slack.com",),
    ),
    settings=(
        SettingSpec(
            name="channel",
            variable=VariableSpec("SLACK_CHANNEL"),
            form=r"#?[\w.-]{1,80}",
            hint="must be the id or name of a channel",
            label="Channel",
            help="Id or name of the channel that gets the summary.",
            shapes_plan=False,
        ),
    ),
)
