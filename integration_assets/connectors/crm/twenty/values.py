"""Values of our properties in Twenty's types, and back. Pure.

What is written comes back as it was: where Twenty changes the spelling of a value, what it was is told along.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote, urlsplit

from integration_assets.connectors.crm.twenty.names import option_value, our_option
from integration_assets.models import PropertyKind

FIELD_TYPES: Mapping[PropertyKind, str] = {
    PropertyKind.TEXT: "TEXT",
    PropertyKind.LONG_TEXT: "TEXT",
    PropertyKind.NUMBER: "NUMBER",
    PropertyKind.MONEY: "CURRENCY",
    PropertyKind.DATE_TIME: "DATE_TIME",
    PropertyKind.OPTION: "SELECT",
    PropertyKind.ADDRESS: "LINKS",
}
"""Type of the field that holds values of a kind."""
MICROS = 1_000_000
"""Parts of one unit of a currency in which amounts are kept."""
MOST_DIGITS = 30
"""Of an amount in these parts, of which Twenty keeps 64 bits."""
DEFAULT_CURRENCY = "USD"
"""Currency of an amount whose field names none."""


class ValueRefusedError(ValueError):
    """A value that the type of its field cannot hold. The message names no value."""


def to_field(kind: PropertyKind, text: str, *, currency: str = DEFAULT_CURRENCY) -> Any:
    """`text` as the JSON of a field of this kind; an empty text clears it.

    Raises:
        ValueRefusedError: it is no number where one is wanted.
    """
    if kind is PropertyKind.MONEY:
        # Null alone is ignored, and the old amount stays: both of its parts have to be null.
        micros = None if not text else int(_decimal(text) * MICROS)
        return {"amountMicros": micros, "currencyCode": None if micros is None else currency}
    if kind is PropertyKind.ADDRESS:
        return _link(text)
    if kind in {PropertyKind.TEXT, PropertyKind.LONG_TEXT}:
        # Not null: a unique text of 1.x refuses it.
        return text
    if not text:
        return None
    if kind is PropertyKind.NUMBER:
        number = _decimal(text)
        return int(number) if number == number.to_integral_value() else float(number)
    return option_value(text) if kind is PropertyKind.OPTION else text


def from_field(kind: PropertyKind, value: Any) -> str | None:
    """The text of a field of this kind; None when it is not set, or holds what no value of the kind is."""
    if kind is PropertyKind.ADDRESS:
        return _address(value) if isinstance(value, dict) else None
    if kind is PropertyKind.OPTION:
        return our_option(value) if isinstance(value, str) and value else None
    return field_text(value)


def field_text(value: Any) -> str | None:
    """The text of any field: of an amount its number of units; None for what has no text.

    What stands in the place of an amount and is none is given as it is: whoever reads amounts tells what is none.
    """
    if isinstance(value, dict):
        micros = value.get("amountMicros")
        number = units_of(value)
        if number is not None:
            return _plain(number)
        return None if micros is None else str(micros)
    if isinstance(value, bool) or value is None or value == "":
        return None
    if isinstance(value, int | float | Decimal):
        return _plain(Decimal(str(value)))
    return value if isinstance(value, str) else json.dumps(value)


def units_of(value: Any) -> Decimal | None:
    """The number of units of an amount of money; None for what is none."""
    micros = value.get("amountMicros") if isinstance(value, dict) else None
    if micros is None or isinstance(micros, bool):
        return None
    try:
        number = _decimal(str(micros))
    except ValueRefusedError:
        return None
    # Written out, a number with a long exponent would fill the memory.
    return number / MICROS if number.adjusted() <= MOST_DIGITS else None


def currency_of(value: Any) -> str | None:
    """Currency of an amount of money; None for what is none."""
    code = value.get("currencyCode") if isinstance(value, dict) else None
    return code if isinstance(code, str) and code else None


def default_currency(default_value: Any) -> str | None:
    """Currency that a field gives to new amounts, None where it gives none. Twenty writes defaults in quotes."""
    return (currency_of(default_value) or "").strip("'") or None


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueRefusedError("not a number") from None
    if not number.is_finite():
        raise ValueRefusedError("not a number")
    return number


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _link(text: str) -> dict[str, Any]:
    # Twenty spells addresses its own way, differently by version. Where it would, the label keeps ours.
    label = text if _spelled(text) != text else ""
    return {"primaryLinkUrl": text, "primaryLinkLabel": label, "secondaryLinks": []}


def _address(value: Mapping[str, Any]) -> str | None:
    url, label = value.get("primaryLinkUrl"), value.get("primaryLinkLabel")
    if not isinstance(url, str) or not url:
        return None
    # Only while both are one address: somebody may have changed it, or given it a label of their own.
    same = isinstance(label, str) and label and _spelled(label) == _spelled(url)
    return str(label) if same else url


def _spelled(url: str) -> str:
    """The address in one spelling: host in lower case, nothing escaped, no slash or empty part at its end."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    head = f"{parts.scheme.lower()}://{parts.netloc.lower()}" if parts.netloc else ""
    rest = url[url.find(parts.netloc) + len(parts.netloc) :] if parts.netloc else url
    spelled = head + rest
    # Until nothing is left to resolve: an escaped escape comes back with one of its two resolved.
    while (resolved := unquote(spelled)) != spelled:
        spelled = resolved
    return spelled.rstrip("/?#")
