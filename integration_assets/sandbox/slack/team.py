"""The state of a Slack workspace: its channels and the messages it got."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from integration_assets.sandbox.made_up import credential


@dataclass
class Channel:
    """A channel. A bot can post only where it is a member."""

    id: str
    name: str
    is_member: bool = True
    is_archived: bool = False


@dataclass
class SlackTeam:
    """One Slack workspace with one bot.

    `messages` are the arguments of every accepted chat.postMessage, as received, with the `ts` they were given.
    `interval` is the least time in seconds between two messages in one channel; 0 switches the limit off. `now` gives
    seconds since 1970.
    """

    token: str = credential("xoxb-sandbox")
    team_id: str = "T0SANDBOX"
    name: str = "Sandbox"
    scopes: set[str] = field(default_factory=lambda: {"chat:write"})
    channels: list[Channel] = field(default_factory=lambda: [Channel("C0SANDBOX1", "feature-requests")])
    messages: list[dict[str, Any]] = field(default_factory=list)
    interval: float = 1.0
    now: Callable[[], float] = time.time
    last_post: dict[str, float] = field(default_factory=dict)

    def channel(self, name: str) -> Channel | None:
        """The channel with this id or name, with or without `#`."""
        wanted = name.removeprefix("#")
        return next((known for known in self.channels if wanted in (known.id, known.name)), None)

    def next_ts(self) -> str:
        """A fresh message id: seconds since 1970 with six places, always rising."""
        moment = f"{self.now():.6f}"
        last = self.messages[-1]["ts"] if self.messages else "0.000000"
        return moment if float(moment) > float(last) else f"{float(last) + 0.000001:.6f}"
