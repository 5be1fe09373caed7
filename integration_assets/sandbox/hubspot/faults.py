"""Faults a test puts into a look-alike, in the shapes HubSpot documents for them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from integration_assets.sandbox.hubspot.errors import ApiError, error, rate_limited
from integration_assets.sandbox.lookalike import Fault, LoggedRequest

Matches = Callable[[LoggedRequest], bool]


def path_contains(text: str) -> Matches:
    """Requests whose path contains this text."""
    return lambda request: text in request.path


def _fault(matches: Matches, refusal: ApiError, times: int | None, headers: dict[str, str] | None = None) -> Fault:
    body = msgspec.json.encode(refusal.body)
    return Fault(matches=matches, times=times, status=refusal.status, body=body, headers=headers or {})


def locked(matches: Matches, times: int | None = 1) -> Fault:
    """423: many writes to the same records; the lock lasts 2 s."""
    return _fault(matches, error(423, None, "The resource is locked"), times)


def migrating(matches: Matches, seconds: int, times: int | None = 1) -> Fault:
    """477: the account moves to another data centre; Retry-After in seconds."""
    return _fault(matches, error(477, None, "Migration in progress"), times, {"Retry-After": str(seconds)})


def bad_gateway(matches: Matches, times: int | None = 1) -> Fault:
    """502 with an HTML page, nothing done."""
    return Fault(
        matches=matches,
        times=times,
        status=502,
        body=b"<html>Bad gateway</html>",
        headers={"content-type": "text/html"},
    )


def answer_lost(matches: Matches, times: int | None = 1) -> Fault:
    """524: the work is done and the answer is lost."""
    fault = _fault(matches, error(524, None, "A timeout occurred"), times)
    fault.after_commit = True
    return fault


def rate_limit(matches: Matches, policy: str = "TEN_SECONDLY_ROLLING", times: int | None = 1) -> Fault:
    """429 by a policy: TEN_SECONDLY_ROLLING, SECONDLY or DAILY."""
    refusal = rate_limited(policy, f"You have reached your {policy.lower()} limit.", with_category=False)
    return _fault(matches, refusal, times)
