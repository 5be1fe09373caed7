"""Types of properties: what each kind of ours is in HubSpot, and which other types hold the same values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from integration_assets.models import PropertyKind, TextLimits, TypeDifference


class PropertyType(NamedTuple):
    """Type of a property, and how its settings draw it."""

    type: str
    field_type: str


MAX_TEXT = 65_536
"""Most characters of a text property. Counted in UTF-16 units, the stricter reading. Source: "Properties" guide."""
TEXT_LIMITS = TextLimits(text=MAX_TEXT, long_text=MAX_TEXT, address=MAX_TEXT)

_TEXT = PropertyType("string", "text")
_LONG_TEXT = PropertyType("string", "textarea")
_NUMBER = PropertyType("number", "number")
_DATE_TIME = PropertyType("datetime", "date")
_SELECT = PropertyType("enumeration", "select")
_RADIO = PropertyType("enumeration", "radio")

PROPERTY_TYPES: Mapping[PropertyKind, PropertyType] = {
    PropertyKind.TEXT: _TEXT,
    PropertyKind.LONG_TEXT: _LONG_TEXT,
    PropertyKind.NUMBER: _NUMBER,
    # A number without a currency of its own: the currency of our amounts is the run's, not the portal's.
    PropertyKind.MONEY: _NUMBER,
    PropertyKind.DATE_TIME: _DATE_TIME,
    PropertyKind.OPTION: _SELECT,
    # HubSpot has no type for an address; a text is shown as a link.
    PropertyKind.ADDRESS: _TEXT,
}

_HARMLESS: Mapping[PropertyType, frozenset[PropertyType]] = {
    _TEXT: frozenset({_TEXT, _LONG_TEXT}),
    _LONG_TEXT: frozenset({_TEXT, _LONG_TEXT}),
    _SELECT: frozenset({_SELECT, _RADIO}),
}
"""By the type a property is declared with, those that take the same values and give them back unchanged: only the way
HubSpot draws the field differs. Every other one refuses our values or changes them. Source: "Properties" guide."""

_SPOILT_BY: Mapping[PropertyType, str] = {
    PropertyType("string", "html"): "it is rich text, which the CRM changes when it is saved",
    PropertyType("string", "phonenumber"): "it is a phone number, which the CRM rewrites",
    PropertyType("string", "file"): "it holds files",
    PropertyType("enumeration", "checkbox"): "it takes several values, ours is one",
    PropertyType("enumeration", "booleancheckbox"): "it knows yes and no only",
}
"""Reasons why a field type of the right type cannot hold our values."""

_FIELD_TYPE_NAMES: Mapping[str, str] = {
    "text": "single-line text",
    "textarea": "multi-line text",
    "number": "number",
    "date": "date picker",
    "select": "dropdown select",
    "radio": "radio select",
}
"""Names of the field types we use, as in HubSpot's settings."""

CALCULATED = "calculation_equation"
"""Field type of a property that HubSpot computes."""


def type_difference(kind: PropertyKind, live: PropertyType) -> TypeDifference | None:
    """Describe how `live` is not the type of this kind; None when it is."""
    wanted = PROPERTY_TYPES[kind]
    if live == wanted:
        return None
    if live.type != wanted.type:
        return TypeDifference(f"type is {live.type}, expected {wanted.type}")
    if live in _HARMLESS.get(wanted, ()):
        shown = f"shown as {_FIELD_TYPE_NAMES[live.field_type]} ({live.field_type})"
        detail = f"{shown}, declared as {wanted.field_type}: values are written as before"
        return TypeDifference(detail, harmless=True)
    why = _SPOILT_BY.get(live, "values may be refused or changed")
    return TypeDifference(
        f"field type is {live.field_type}, expected {wanted.field_type}: {why}",
        remedy=f"change its field type back to {_FIELD_TYPE_NAMES[wanted.field_type]} in the CRM's settings",
    )
