"""Values of fields: what each type takes, and the form in which it comes back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from integration_assets.sandbox.twenty.errors import ApiError, refused
from integration_assets.sandbox.twenty.schema import FieldMeta

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")

EMPTY: Mapping[str, Any] = {
    "TEXT": "",
    "LINKS": {"primaryLinkUrl": "", "primaryLinkLabel": "", "secondaryLinks": []},
    "EMAILS": {"primaryEmail": "", "additionalEmails": []},
    "CURRENCY": {"amountMicros": None, "currencyCode": None},
    "FULL_NAME": {"firstName": "", "lastName": ""},
}
"""Values of fields nobody has filled in; of all other types null."""


def stored(field: FieldMeta, value: Any, before: Any, *, first_generation: bool) -> Any:
    """The value as it is kept, with what was there before for the parts that are not given.

    Raises:
        ApiError: the type does not take it.
    """
    if value is None:
        # Null leaves an amount of money as it is; its parts have to be null.
        return before if field.type == "CURRENCY" else EMPTY.get(field.type)
    if field.type == "SELECT":
        return _option(field, value, first_generation=first_generation)
    return _KINDS[field.type](field, value, before)


def _bad(field: FieldMeta, value: Any) -> ApiError:
    return refused(f'Invalid value "{value}" for field "{field.name}"')


def _text(field: FieldMeta, value: Any, _before: Any) -> str:
    if not isinstance(value, str):
        raise _bad(field, value)
    return value


def _number(field: FieldMeta, value: Any, _before: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _bad(field, value)
    return value


def _moment(field: FieldMeta, value: Any, _before: Any) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _bad(field, value) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _option(field: FieldMeta, value: Any, *, first_generation: bool) -> str:
    known = [one["value"] for one in field.options or ()]
    if value in known:
        return str(value)
    if first_generation:
        raise refused(f'invalid input value for enum "_{field.name}_enum": "{value}"')
    raise refused(f'Invalid value "{value}" for field "{field.name}". Valid values are: {", ".join(known)}')


def _money(field: FieldMeta, value: Any, before: Any) -> dict[str, Any]:
    parts = {**before, **_parts(field, value, {"amountMicros", "currencyCode"})}
    amount, currency = parts["amountMicros"], parts["currencyCode"]
    if isinstance(amount, str) and re.fullmatch(r"-?\d+", amount):
        amount = int(amount)
    if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int | float)):
        raise _bad(field, amount)
    if currency is not None and not (isinstance(currency, str) and _CURRENCY.fullmatch(currency)):
        raise _bad(field, currency)
    return {"amountMicros": None if amount is None else int(amount), "currencyCode": currency}


def _links(field: FieldMeta, value: Any, before: Any) -> dict[str, Any]:
    parts = {**before, **_parts(field, value, {"primaryLinkUrl", "primaryLinkLabel", "secondaryLinks"})}
    secondary = [{**one, "url": normal_url(one.get("url") or "")} for one in parts["secondaryLinks"] or ()]
    return {
        "primaryLinkUrl": normal_url(parts["primaryLinkUrl"] or ""),
        "primaryLinkLabel": parts["primaryLinkLabel"] or "",
        "secondaryLinks": secondary,
    }


def _emails(field: FieldMeta, value: Any, before: Any) -> dict[str, Any]:
    parts = {**before, **_parts(field, value, {"primaryEmail", "additionalEmails"})}
    return {
        "primaryEmail": (parts["primaryEmail"] or "").lower(),
        "additionalEmails": [one.lower() for one in parts["additionalEmails"] or ()],
    }


def _name(field: FieldMeta, value: Any, before: Any) -> dict[str, Any]:
    return {**before, **_parts(field, value, {"firstName", "lastName"})}


def _id(field: FieldMeta, value: Any, _before: Any) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise _bad(field, value)
    return value


def _parts(field: FieldMeta, value: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() - known:
        raise _bad(field, value)
    return value


def normal_url(url: str) -> str:
    """The form in which an address comes back: host in lower case, no final slash, escapes of the path resolved."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.lower()
    except ValueError:
        return url
    if parts.scheme.lower() not in {"http", "https"} or not host:
        return url
    query = f"?{unquote(parts.query)}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    whole = f"{parts.scheme.lower()}://{host}{unquote(parts.path)}{query}{fragment}"
    return whole.removesuffix("/")


_KINDS: Mapping[str, Callable[[FieldMeta, Any, Any], Any]] = {
    "TEXT": _text,
    "NUMBER": _number,
    "DATE_TIME": _moment,
    "CURRENCY": _money,
    "LINKS": _links,
    "EMAILS": _emails,
    "FULL_NAME": _name,
    "RELATION": _id,
    "UUID": _id,
    "POSITION": _number,
}
