"""What the client does on which status of HubSpot."""

from __future__ import annotations

import pytest

from integration_assets.connectors.crm.hubspot.status_rules import RULES
from integration_assets.connectors.rules import Action, Answer

ROLLING = {"policyName": "TEN_SECONDLY_ROLLING", "errorType": "RATE_LIMIT"}


def test_a_spent_day_ends_the_run() -> None:
    """The daily limit is not waited for: it is renewed at midnight of the portal."""
    answer = Answer(429, {}, {"policyName": "DAILY", "errorType": "RATE_LIMIT"})
    assert RULES.rule_for(answer).action is Action.QUOTA
    assert RULES.describe(answer) == "DAILY limit reached"


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (ROLLING, {}, 10.0),
        (ROLLING, {"x-hubspot-ratelimit-interval-milliseconds": "5000"}, 5.0),
        (ROLLING, {"x-hubspot-ratelimit-interval-milliseconds": "86400000"}, 10.0),
        (ROLLING, {"retry-after": "3"}, 3.0),
        (ROLLING, {"retry-after": "5000000"}, 120.0),
        ({"policyName": "SECONDLY"}, {}, 1.0),
        ({"category": "RATE_LIMITS"}, {}, 10.0),
        (None, {}, 10.0),
    ],
)
def test_a_passing_limit_is_waited_for(body: object, headers: dict[str, str], seconds: float) -> None:
    """Without `Retry-After` the wait follows from the policy, the policy being unknown ten seconds."""
    answer = Answer(429, headers, body)
    rule = RULES.rule_for(answer)
    assert rule.action is Action.RETRY
    assert rule.pauses
    assert RULES.seconds_before_repeat(answer, rule, 1) == seconds


def test_a_data_centre_move_is_told_and_not_slept_through() -> None:
    """477 may last a day; the message says how long."""
    answer = Answer(477, {"retry-after": "86400"}, None)
    assert RULES.rule_for(answer).action is Action.LATER
    assert "86400 s" in RULES.describe(answer)


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (401, Action.CREDENTIAL),
        (403, Action.CREDENTIAL),
        (404, Action.PERMANENT),
        (414, Action.PERMANENT),
        (423, Action.RETRY),
        (437, Action.PERMANENT),
        (500, Action.UNKNOWN_OUTCOME),
        (502, Action.UNKNOWN_OUTCOME),
        (521, Action.UNKNOWN_OUTCOME),
        (522, Action.LATER),
        (524, Action.UNKNOWN_OUTCOME),
    ],
)
def test_every_documented_status_has_its_action(status: int, action: Action) -> None:
    """The table covers what HubSpot documents, with or without a usable body."""
    assert RULES.rule_for(Answer(status, {}, None)).action is action


def test_missing_scopes_are_named() -> None:
    """The person who grants scopes has to know which."""
    body = {"category": "MISSING_SCOPES", "errors": [{"context": {"requiredGranularScopes": ["b.read", "a.read"]}}]}
    answer = Answer(403, {}, body)
    assert RULES.rule_for(answer).advice == "grant it to the token"
    assert RULES.describe(answer).endswith("a.read, b.read")
