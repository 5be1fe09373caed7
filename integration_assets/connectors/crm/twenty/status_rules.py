"""The table of Twenty's HTTP statuses and their meanings, and its limits.

Statuses not listed follow the common table of `connectors.rules`: 401 credential, 5xx repeat, other 4xx permanent.
"""

from __future__ import annotations

from integration_assets.connectors.crm.twenty.error_answers import reason
from integration_assets.connectors.limiter import DEFAULT_BUCKET, Window
from integration_assets.connectors.rules import Action, Answer, Rule, StatusRules

MINUTE = 60
SMALLER_PLANS = (75, 50)
"""Calls a minute where the usual ones turn out to be too many. A server with the usual limit was seen to refuse more
than 80; smaller plans of the cloud allow 50."""
FIRST_WAIT = 15.0
LONGEST_WAIT = 60.0
"""Seconds. A 429 does not say how long to wait; after a minute the whole bucket is full again."""


def windows(calls: int) -> dict[str, tuple[Window, ...]]:
    """So many calls a minute: of a workspace, whichever of its API keys makes them; a batch is one."""
    return {DEFAULT_BUCKET: (Window(calls, MINUTE),)}


def describe(answer: Answer) -> str:
    """An error answer in words; an address that is too long is answered without any."""
    return "the address is too long" if answer.status == 431 else reason(answer.body)


def wait(answer: Answer, attempt: int) -> float | None:
    """Seconds until there may be room again; None for everything but 429."""
    return min(FIRST_WAIT * attempt, LONGEST_WAIT) if answer.status == 429 else None


RULES = StatusRules(
    rules=(
        Rule(
            statuses=frozenset({403}),
            action=Action.CREDENTIAL,
            advice="give the role of the API key the permission it lacks",
        ),
    ),
    describe=describe,
    wait=wait,
)
