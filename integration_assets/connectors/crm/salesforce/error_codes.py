"""Meaning of each error code of Salesforce for a run, as a table, and refusals in words.

Codes stand in answers as `errorCode` in a list, in rows of collections as `statusCode`, and at the token endpoint as
`error` in an object. Messages quote values: of them only names of fields are told, and, for rules and triggers that
people have written, their text, redacted. Source: "Status Codes and Error Responses", and the SOAP API's "StatusCode".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from integration_assets.connectors.redaction import redact


class Effect(Enum):
    """Consequence of a code."""

    ROW = "the row is refused, others are not"
    RETRY = "it passes: send the same again"
    QUERY = "the query is at fault: a defect of ours, or a name that the user does not see"
    ACCESS = "the user may not do this"
    QUOTA = "the calls of the day are spent"
    STOP = "nothing more can be written until somebody acts"


class Meaning(msgspec.Struct, frozen=True):
    """Meaning of a code; `advice` says what to do, where that is more than to look at the record."""

    effect: Effect
    advice: str = ""


_GRANT = "assign the permission set Integration_Assets to the user, or grant what is named"
EDITION = (
    "the API is part of Enterprise, Performance, Unlimited and Developer Edition; in Professional Edition it is an "
    "add-on: have it enabled for the org"
)
STORAGE = "the org's data storage is full: delete records, empty the recycle bin, or buy more, then run again"
LOCKED = "UNABLE_TO_LOCK_ROW"

CODES: Mapping[str, Meaning] = {
    # Refused rows.
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Meaning(Effect.ROW),
    "APEX_ERROR": Meaning(Effect.ROW, "a trigger of the org failed: have its owner look at it"),
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Meaning(Effect.ROW, "a trigger or flow of the org failed"),
    "DUPLICATE_EXTERNAL_ID": Meaning(Effect.ROW, "several records have this key: delete all but one"),
    "DUPLICATE_VALUE": Meaning(Effect.ROW),
    "DUPLICATES_DETECTED": Meaning(Effect.ROW, "a duplicate rule of the org refuses it"),
    "ENTITY_IS_DELETED": Meaning(Effect.ROW),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": Meaning(Effect.ROW, "a validation rule of the org refuses it"),
    "FIELD_FILTER_VALIDATION_EXCEPTION": Meaning(Effect.ROW, "a lookup filter of the org refuses it"),
    "INVALID_CROSS_REFERENCE_KEY": Meaning(Effect.ROW),
    "INVALID_EMAIL_ADDRESS": Meaning(Effect.ROW),
    "INVALID_FIELD": Meaning(Effect.ROW, f"the field is missing, or the user does not see it: {_GRANT}"),
    "INVALID_FIELD_FOR_INSERT_UPDATE": Meaning(Effect.ROW, f"the user may not write the field: {_GRANT}"),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Meaning(Effect.ROW, "the picklist lacks the value: run setup"),
    "INVALID_TYPE_ON_FIELD_IN_RECORD": Meaning(Effect.ROW),
    "JSON_PARSER_ERROR": Meaning(Effect.ROW),
    "MALFORMED_ID": Meaning(Effect.ROW),
    "MISSING_ARGUMENT": Meaning(Effect.ROW),
    "NUMBER_OUTSIDE_VALID_RANGE": Meaning(Effect.ROW),
    "REQUIRED_FIELD_MISSING": Meaning(Effect.ROW, "the org requires a value that not every record of ours has"),
    "STRING_TOO_LONG": Meaning(Effect.ROW),
    # What passes.
    LOCKED: Meaning(Effect.RETRY, "somebody else is saving the same records"),
    "PROCESSING_HALTED": Meaning(Effect.RETRY),
    "QUERY_TIMEOUT": Meaning(Effect.RETRY),
    "SERVER_UNAVAILABLE": Meaning(Effect.RETRY),
    "UNKNOWN_EXCEPTION": Meaning(Effect.RETRY),
    # Queries.
    "INVALID_QUERY_FILTER_OPERATOR": Meaning(Effect.QUERY),
    "INVALID_QUERY_LOCATOR": Meaning(Effect.QUERY, "other queries of the same user ended this one: run again"),
    "INVALID_TYPE": Meaning(Effect.QUERY, f"the object is missing, or the user does not see it: {_GRANT}"),
    "MALFORMED_QUERY": Meaning(Effect.QUERY),
    # Rights.
    "API_CURRENTLY_DISABLED": Meaning(Effect.ACCESS, "give the user the permission API Enabled"),
    "INSUFFICIENT_ACCESS": Meaning(Effect.ACCESS, _GRANT),
    "INSUFFICIENT_ACCESS_OR_READONLY": Meaning(
        Effect.ACCESS, f"{_GRANT}; if its owner is somebody else, let a sharing rule give the user read/write access"
    ),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Meaning(Effect.ACCESS, _GRANT),
    "INVALID_SESSION_ID": Meaning(Effect.ACCESS, "sign in again: the token has ended, or was revoked"),
    "INVALID_TYPE_FOR_OPERATION": Meaning(Effect.ACCESS, f"the user may not write such records: {_GRANT}"),
    # Ends of a run.
    "API_DISABLED_FOR_ORG": Meaning(Effect.STOP, EDITION),
    "LIMIT_EXCEEDED": Meaning(Effect.STOP, "a limit of the org is reached"),
    "REQUEST_LIMIT_EXCEEDED": Meaning(Effect.QUOTA, "the limit counts the last 24 hours: run again later"),
    "STORAGE_LIMIT_EXCEEDED": Meaning(Effect.STOP, STORAGE),
}
"""Every code that is known to come. One that is not listed refuses its row, or the call."""

_WRITTEN_BY_PEOPLE = frozenset(
    {"FIELD_CUSTOM_VALIDATION_EXCEPTION", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "FIELD_FILTER_VALIDATION_EXCEPTION"}
)
_FIELD_NAME = re.compile(r"\b[A-Za-z]\w*__[cr]\b")
_WORD = re.compile(r"[A-Za-z_]{1,80}")
MOST_CHARACTERS = 200
"""Of a text that is told."""

TOKEN_ERRORS: Mapping[str, str] = {
    "invalid_client": "the client id or secret was refused: enter them again",
    "invalid_client_id": "the client id is of no app of this org: enter it again",
    "invalid_grant": "the app is not allowed for this user: approve it for the user in the org's settings of the app",
    "inactive_user": "the user of the app is inactive: activate it",
    "inactive_org": "the org is locked or closed",
    "unsupported_grant_type": "the app does not allow this flow: enable it in the app's settings",
    "rate_limit_exceeded": "too many sign-ins: run again later",
}
"""Errors of the token endpoint, and what to do."""


class Problem(msgspec.Struct, frozen=True):
    """A refusal. `text` is fit to be told; empty for most codes."""

    code: str
    fields: tuple[str, ...] = ()
    text: str = ""

    @property
    def meaning(self) -> Meaning:
        """Meaning of the code."""
        return CODES.get(self.code, Meaning(Effect.ROW))

    def reason(self) -> str:
        """The refusal in one line: code, fields, and what to do."""
        named = f" ({', '.join(self.fields)})" if self.fields else ""
        rest = "; ".join(part for part in (self.text, self.meaning.advice) if part)
        return f"{self.code}{named}{': ' if rest else ''}{rest}"


def problem(code: str, message: Any, fields: Any) -> Problem:
    """Read a refusal, of a row or a call; what is of another form stays empty. Never raises."""
    words = message if isinstance(message, str) else ""
    listed = [one for one in fields if isinstance(one, str)] if isinstance(fields, list) else []
    names = tuple(dict.fromkeys([*listed, *_FIELD_NAME.findall(words)]))
    told = ""
    if code in _WRITTEN_BY_PEOPLE:
        # Redacted before it is cut: half a secret or address would not be known for one.
        told = " ".join(redact(words).split())
        told = told if len(told) <= MOST_CHARACTERS else told[: MOST_CHARACTERS - 1] + "…"
    return Problem(code, names, told)


def first_problem(body: Any) -> Problem:
    """Read the body of a refused call: a list, or an object at the token endpoint. Never raises."""
    entry = body[0] if isinstance(body, list) and body else body
    if not isinstance(entry, dict):
        return Problem("refused without a code")
    code = entry.get("errorCode") or entry.get("error")
    # Anything but a word is none of theirs: proxies answer with bodies of their own.
    if not isinstance(code, str) or not _WORD.fullmatch(code):
        return Problem("refused without a code")
    return problem(code, entry.get("message"), entry.get("fields"))
