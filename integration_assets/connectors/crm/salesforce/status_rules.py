"""The tables of what the client does on which HTTP status: for the data API, and for the token endpoint.

Source: "Status Codes and Error Responses". Salesforce has no 429 and no `Retry-After`: a 403 may be the day's limit,
too many long calls at once, an edition without the API, or a right that is missing, and the code tells which. Statuses
not listed follow the common table of `connectors.rules`: 5xx repeat, other 4xx permanent.
"""

from __future__ import annotations

import re

from integration_assets.connectors.crm.salesforce.endpoints import VERSION
from integration_assets.connectors.crm.salesforce.error_codes import TOKEN_ERRORS, Effect, first_problem
from integration_assets.connectors.limiter import Quota
from integration_assets.connectors.rules import Action, Answer, Rule, StatusRules

USAGE_HEADER = "sforce-limit-info"
_USAGE = re.compile(r"(?<![-\w])api-usage=(\d{1,12})/(\d{1,12})")
BUSY_SECONDS = 5.0
"""Wait after too many long calls at once: they are calls of more than 20 s."""


def quota_of(answer: Answer) -> Quota | None:
    """The calls that are left of the last 24 hours, as the answer says; None where it does not."""
    found = _USAGE.search(answer.headers.get(USAGE_HEADER, ""))
    if found is None:
        return None
    used, limit = int(found[1]), int(found[2])
    return Quota(limit, max(limit - used, 0))


def _effect(answer: Answer) -> Effect:
    return first_problem(answer.body).meaning.effect


def _too_many_at_once(answer: Answer) -> bool:
    # One code for two limits, told apart by what is left of the day's calls.
    quota = quota_of(answer)
    return _effect(answer) is Effect.QUOTA and quota is not None and bool(quota.daily_remaining)


def _quota(answer: Answer) -> bool:
    return _effect(answer) is Effect.QUOTA


def _stops(answer: Answer) -> bool:
    return _effect(answer) is Effect.STOP


def _passes(answer: Answer) -> bool:
    return _effect(answer) is Effect.RETRY


def describe(answer: Answer) -> str:
    """An error answer in words: its code, the fields it is about, and what to do."""
    return first_problem(answer.body).reason()


RULES = StatusRules(
    rules=(
        Rule(statuses=frozenset({403}), when=_too_many_at_once, action=Action.RETRY, wait=BUSY_SECONDS, pauses=True),
        Rule(statuses=frozenset({403}), when=_quota, action=Action.QUOTA),
        Rule(statuses=frozenset({400, 403}), when=_stops, action=Action.PERMANENT),
        Rule(statuses=frozenset({400, 403}), when=_passes, action=Action.RETRY),
        Rule(statuses=frozenset({401, 403}), action=Action.CREDENTIAL),
        Rule(
            statuses=frozenset({410}),
            action=Action.PERMANENT,
            advice=f"the org no longer has version {VERSION} of the API: install a newer version of this program",
        ),
        Rule(statuses=frozenset({420}), action=Action.RETRY),
    ),
    describe=describe,
)


def _token_words(answer: Answer) -> str:
    code = first_problem(answer.body).code
    return f"{code}: {TOKEN_ERRORS[code]}" if code in TOKEN_ERRORS else code


def _too_often(answer: Answer) -> bool:
    return first_problem(answer.body).code == "rate_limit_exceeded"


TOKEN_RULES = StatusRules(
    rules=(
        Rule(statuses=frozenset({400}), when=_too_often, action=Action.LATER),
        Rule(statuses=frozenset({400, 401, 403}), action=Action.CREDENTIAL),
    ),
    describe=_token_words,
)
