"""What a property value may look like when written, and how it is kept: always as text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from integration_assets.sandbox.hubspot.errors import Json, PropertyProblem

MAX_TEXT = 65_536
"""Longest text value, in characters ("Properties" guide)."""
_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_EPOCH_MS = re.compile(r"-?\d{1,15}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_EMAIL = re.compile(r"[^\s@;,<>\"()]+@[^\s@;,<>\"()]+\.[^\s@;,<>\"()]{2,}")
_MULTIPLE = frozenset({"checkbox"})


class InvalidValueError(ValueError):
    """A value is not acceptable; `code` is HubSpot's word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def iso(milliseconds: int) -> str:
    """A moment as HubSpot prints it: UTC, milliseconds, `Z`."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def milliseconds_of(text: str) -> int | None:
    """Milliseconds since the epoch of an ISO date, an ISO moment with offset, or digits; None when it is none."""
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if _DATE.fullmatch(text):
        moment = moment.replace(tzinfo=UTC)
    return None if moment.tzinfo is None else (moment - _EPOCH) // timedelta(milliseconds=1)


def kept(definition: Json, raw: object, current: str | None, *, utf16: bool) -> str:
    """The text kept for a written value; "" clears. `current` is what the record holds, for appending.

    Raises:
        InvalidValueError: the value does not fit the definition.
    """
    text = _as_text(raw)
    kind = definition["type"]
    if kind in {"string", "phone_number"}:
        return _text(definition, text, utf16=utf16)
    text = text.strip()
    if not text:
        return ""
    if kind == "number":
        return _number(text)
    if kind == "date":
        return _date(text)
    if kind == "datetime":
        return _datetime(text)
    if kind == "bool":
        return _bool(text)
    return _enumeration(definition, text, current)


def problem(definition: Json, fault: InvalidValueError) -> PropertyProblem:
    """The fault as an entry of an error answer."""
    return PropertyProblem(definition["name"], fault.code, str(fault))


def _as_text(raw: object) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        return str(raw)
    raise InvalidValueError("INVALID_VALUE", "Property values must be strings")


def _text(definition: Json, text: str, *, utf16: bool) -> str:
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2 if utf16 else len(text)
    if length > MAX_TEXT:
        raise InvalidValueError("PROPERTY_VALUE_TOO_LONG", f"Text is longer than {MAX_TEXT} characters")
    if definition["name"] == "email" and definition["hubspotDefined"]:
        text = text.strip().lower()
        if text and not _EMAIL.fullmatch(text):
            raise InvalidValueError("INVALID_EMAIL", "Email address is invalid")
    return text


def _number(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise InvalidValueError("INVALID_INTEGER", "Value was not a valid number")
    return text


def _date(text: str) -> str:
    if _EPOCH_MS.fullmatch(text):
        if int(text) % _DAY_MS:
            raise InvalidValueError("INVALID_DATE", "Date in milliseconds is not at midnight UTC")
        return iso(int(text))[:10]
    if not _DATE.fullmatch(text):
        raise InvalidValueError("INVALID_DATE", "Value was not a valid date")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as fault:
        raise InvalidValueError("INVALID_DATE", "Value was not a valid date") from fault


def _datetime(text: str) -> str:
    moment = None if _DATE.fullmatch(text) else milliseconds_of(text)
    if moment is None:
        raise InvalidValueError("INVALID_DATE", "Value was not a valid date and time")
    return iso(moment)


def _bool(text: str) -> str:
    if text not in {"true", "false"}:
        raise InvalidValueError("INVALID_OPTION", "Value was not one of the allowed options: [true, false]")
    return text


def _enumeration(definition: Json, text: str, current: str | None) -> str:
    if definition["fieldType"] not in _MULTIPLE:
        _check_options(definition, [text])
        return text
    appended = text.startswith(";")
    given = [part.strip() for part in text.split(";") if part.strip()]
    _check_options(definition, given)
    before = [part for part in (current or "").split(";") if part] if appended else []
    return ";".join(dict.fromkeys([*before, *given]))


def _check_options(definition: Json, given: list[str]) -> None:
    if definition["externalOptions"]:
        return
    allowed = [option["value"] for option in definition["options"]]
    for value in given:
        if value not in allowed:
            raise InvalidValueError(
                "INVALID_OPTION", f"A value was not one of the allowed options: [{', '.join(allowed)}]"
            )
