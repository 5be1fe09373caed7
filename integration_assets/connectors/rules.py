"""Tables of what a client does on which HTTP status, one per system, in place of `if`s.

A system's own rules come first; `COMMON_RULES` cover what the rest of the web agrees on. A status nobody lists is
`PERMANENT` below 500 and `RETRY` from 500 on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

import msgspec

from integration_assets.connectors.limiter import RateHeaders

EPOCH_FROM = 1e9
"""A `Retry-After` above this is no number of seconds, which would be 30 years, but a moment in seconds since 1970."""
LONGEST_WAIT = 120.0
"""Seconds. No answer makes us wait longer than this at a time, whatever it says."""


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer. Header names are lower-case; `body` is the parsed JSON, or None when empty or not JSON.

    `after_loss`: an earlier attempt at the same write had no usable answer, and may have been applied.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    after_loss: bool = False


class Action(Enum):
    """The action on an answer that is neither a success nor expected by the caller."""

    RETRY = "retry"
    """Not applied; send again after a wait. After the last repeat: `TransientError`, for 429 `QuotaError`."""
    UNKNOWN_OUTCOME = "unknown outcome"
    """Like RETRY, but a write may have been applied: `UnknownOutcomeError` in the end, at once if not repeatable."""
    LATER = "later"
    """No repeat in this run: `TransientError`."""
    QUOTA = "quota"
    """The day's calls are spent: `DailyQuotaError`."""
    CREDENTIAL = "credential"
    """The key or token is rejected or lacks a scope: `CredentialError`."""
    PERMANENT = "permanent"
    """A person has to act: `PermanentError`."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table: these statuses, where `when` says so, lead to `action`.

    `advice` ends the error message: what to do. `wait` is the least wait before a repeat, in seconds; None leaves it to
    `StatusRules.wait`. `pauses` also holds back every other call of the credential's bucket for that time.
    """

    statuses: frozenset[int]
    action: Action
    when: Callable[[Answer], bool] | None = None
    advice: str = ""
    wait: float | None = None
    pauses: bool = False


def no_description(_answer: Answer) -> str:
    """The description of a system whose error bodies tell nothing fit for a message."""
    return ""


def no_wait(_answer: Answer, _attempt: int) -> float | None:
    """No opinion: the client backs off exponentially."""
    return None


class StatusRules(msgspec.Struct, frozen=True, kw_only=True):
    """The table of one system.

    `describe` turns an error answer into words for a message, without values of records. `wait` gives the seconds
    before repeat number `attempt` (1 is the first) where no usable `Retry-After` was sent; None: exponential backoff.
    `rate_headers` names the headers that state limits. The first rule that fits decides.
    """

    rules: tuple[Rule, ...] = ()
    describe: Callable[[Answer], str] = no_description
    wait: Callable[[Answer, int], float | None] = no_wait
    rate_headers: RateHeaders = RateHeaders()

    def rule_for(self, answer: Answer) -> Rule:
        """The rule that decides about this answer."""
        # The system's own rows first: a 403 or 429 may mean something special there.
        for rule in (*self.rules, *COMMON_RULES):
            if answer.status in rule.statuses and (rule.when is None or rule.when(answer)):
                return rule
        return OTHER_SERVER_ERROR if answer.status >= 500 else OTHER_REFUSAL

    def seconds_before_repeat(self, answer: Answer, rule: Rule, attempt: int) -> float | None:
        """Wait the answer asks for, at most 120 s; None leaves it to exponential backoff."""
        asked = retry_after(answer.headers)
        if asked is None:
            asked = self.wait(answer, attempt)
        if asked is None and rule.wait is None:
            return None
        # The rule is the least, whatever was asked; a date in the past asks for a negative time.
        return min(max(asked or 0.0, rule.wait or 0.0, 0.0), LONGEST_WAIT)


COMMON_RULES = (
    Rule(statuses=frozenset({401, 403}), action=Action.CREDENTIAL, advice="check the key or token"),
    Rule(statuses=frozenset({407}), action=Action.PERMANENT, advice="correct user and password in HTTP_PROXY"),
    Rule(statuses=frozenset({408, 425}), action=Action.RETRY),
    Rule(statuses=frozenset({423}), action=Action.RETRY, wait=2.0),
    Rule(statuses=frozenset({429}), action=Action.RETRY, pauses=True, advice="run again later"),
)
OTHER_SERVER_ERROR = Rule(statuses=frozenset(), action=Action.UNKNOWN_OUTCOME, advice="run again later")
OTHER_REFUSAL = Rule(statuses=frozenset(), action=Action.PERMANENT)


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds of a `Retry-After` header, given as a number or as an HTTP date; None when absent or unreadable.

    A date is a moment of the server's clock, which its `Date` header tells; `now` (default: our own clock) is used
    without one. Source: RFC 9110, section 10.2.3. Some systems send the moment in seconds since 1970, which that does
    not allow. The result may be negative or absurdly large; the caller clamps it.
    """
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            # Both by the server's clock: ours may be off by more than the wait.
            seconds = parsedate_to_datetime(text).timestamp() - _servers_clock(headers, now)
        except (ValueError, OverflowError):
            return None
    # "nan" is a number to `float`, and compares with nothing.
    if math.isnan(seconds):
        return None
    return seconds - _servers_clock(headers, now) if EPOCH_FROM < seconds < math.inf else seconds


def _servers_clock(headers: Mapping[str, str], now: float | None) -> float:
    """Read the time where the answer comes from, in seconds since 1970."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return time.time() if now is None else now
