"""Outcomes of trying a credential, in a few fixed words. Imports nothing that takes time to load."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

PATIENCE_SECONDS = 10.0
EXPIRY_NOTICE = (30, 14, 7, 1)
"""Days before a known expiry at which it is worth a word."""


class Outcome(StrEnum):
    """Outcome of a try."""

    OK = "ok"
    NOT_SET = "no_secret"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    TOO_SLOW = "too_slow"
    NOT_FOUND = "not_found"
    UNEXPECTED_ANSWER = "unexpected_answer"
    NOT_ALLOWED = "not_allowed"


MEANINGS: dict[Outcome, str] = {
    Outcome.OK: "it works",
    Outcome.NOT_SET: "no secret is set",
    Outcome.REFUSED: "the secret was refused, or lacks a right",
    Outcome.THROTTLED: "the other side asks to try again later",
    Outcome.UNREACHABLE: "there is no answer at this address",
    Outcome.TOO_SLOW: f"there was no whole answer within {PATIENCE_SECONDS:.0f} s",
    Outcome.NOT_FOUND: "there is nothing at this path",
    Outcome.UNEXPECTED_ANSWER: "what answers there is not the system it should be",
    Outcome.NOT_ALLOWED: "this address may not be asked",
}

BROKEN = frozenset(
    {Outcome.NOT_SET, Outcome.REFUSED, Outcome.NOT_FOUND, Outcome.UNEXPECTED_ANSWER, Outcome.NOT_ALLOWED}
)
"""A person has to do something. What is left is an outage, which says nothing about the credential."""


class LookedAt(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it was found. `name` is for people; `expires_at` UTC, where known.

    `system` is as in errors (the provider) for what the environment in force uses, else with its own environment behind
    it. `outcome` None: it could not be tried, `problem` says why.
    """

    system: str
    name: str
    outcome: Outcome | None
    problem: str | None = None
    expires_at: datetime | None = None
