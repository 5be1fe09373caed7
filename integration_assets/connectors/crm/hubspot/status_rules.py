"""The table of HubSpot's HTTP statuses and their meanings.

Source: "Error handling" (https://developers.hubspot.com/docs/api-reference/error-handling) and "API usage guidelines
and limits" of HubSpot's developer documentation, unless a row says otherwise. Statuses not listed follow the common
table of `connectors.rules`: 401 credential, 423 wait two seconds, 5xx repeat, other 4xx permanent.
"""

from __future__ import annotations

from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.error_answers import parse_problem
from integration_assets.connectors.limiter import RateHeaders, Window
from integration_assets.connectors.rules import Action, Answer, Rule, StatusRules, retry_after

DAILY = "DAILY"
SECONDLY = "SECONDLY"
"""Policies a 429 names; the third known one is TEN_SECONDLY_ROLLING."""
SECONDLY_WAIT = 1.0
ROLLING_WAIT = 10.0
"""Seconds after which a limit has room again. HubSpot documents no `Retry-After` for its 429s."""

WINDOWS: dict[str, tuple[Window, ...]] = {
    endpoints.DEFAULT_BUCKET: (Window(190, 10),),
    endpoints.ASSOCIATION_BUCKET: (Window(150, 10),),
    endpoints.SEARCH_BUCKET: (Window(5, 1),),
}
"""Limits of a private app or service key on a Professional or Enterprise account, until headers teach otherwise."""

RATE_HEADERS = RateHeaders(
    limit="x-hubspot-ratelimit-max",
    remaining="x-hubspot-ratelimit-remaining",
    interval_ms="x-hubspot-ratelimit-interval-milliseconds",
    daily_limit="x-hubspot-ratelimit-daily",
    daily_remaining="x-hubspot-ratelimit-daily-remaining",
)


def _daily(answer: Answer) -> bool:
    return parse_problem(answer.body).policy == DAILY


def _lacks_scope(answer: Answer) -> bool:
    return parse_problem(answer.body).lacks_scope


def describe(answer: Answer) -> str:
    """An error answer in words: missing scopes, the reason in HubSpot's codes, how long a migration asks to wait."""
    # How long the move takes is in the header alone.
    if answer.status == 477:
        seconds = retry_after(answer.headers)
        wait = "an unknown time" if seconds is None else f"{max(seconds, 0):.0f} s"
        return f"the account is being moved to another data centre, which takes {wait}"
    problem = parse_problem(answer.body)
    # Scopes and policies before the reason: they say what to do.
    if problem.scopes:
        return f"the token lacks a scope, one of: {', '.join(sorted(problem.scopes))}"
    if problem.policy:
        return f"{problem.policy} limit reached"
    return problem.reason() if problem.category else ""


def wait(answer: Answer, _attempt: int) -> float | None:
    """Seconds until a limit has room again; None for everything but 429."""
    # All else backs off exponentially.
    if answer.status != 429:
        return None
    if parse_problem(answer.body).policy == SECONDLY:
        return SECONDLY_WAIT
    # No longer than the rolling window: whatever else is stated, it has room again then.
    stated = answer.headers.get("x-hubspot-ratelimit-interval-milliseconds", "")
    interval = int(stated) / 1000 if stated.isascii() and stated.isdigit() else ROLLING_WAIT
    return min(interval, ROLLING_WAIT)


RULES = StatusRules(
    rules=(
        Rule(
            statuses=frozenset({429}),
            when=_daily,
            action=Action.QUOTA,
            advice="the limit is renewed at midnight in the portal's time zone; run again after it",
        ),
        Rule(statuses=frozenset({403}), when=_lacks_scope, action=Action.CREDENTIAL, advice="grant it to the token"),
        Rule(statuses=frozenset({477}), action=Action.LATER, advice="run again after it"),
        Rule(statuses=frozenset({414}), action=Action.PERMANENT, advice="ask for fewer properties"),
        # Not in the reference: seen when a pair of objects has all the labels it may have.
        Rule(statuses=frozenset({437}), action=Action.PERMANENT, advice="remove association labels nobody uses"),
        # Between HubSpot's edge and its servers; nothing a client could repeat its way out of.
        Rule(
            statuses=frozenset({522, 525, 526}),
            action=Action.LATER,
            advice="run again later, and report it to HubSpot if it stays",
        ),
    ),
    describe=describe,
    wait=wait,
    rate_headers=RATE_HEADERS,
)
