"""Types of fields: what each kind of property is in an org, and which other types hold the same values."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from integration_assets.connectors.crm.salesforce.wire import FieldInfo
from integration_assets.models import PropertyKind, TextLimits, TypeDifference


class FieldType(msgspec.Struct, frozen=True):
    """Type of a field: `metadata` is its name where it is made, `described` where it is read."""

    metadata: str
    described: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


MOST_TEXT = 255
MOST_LONG_TEXT = 131_072
TEXT_LIMITS = TextLimits(text=MOST_TEXT, long_text=MOST_LONG_TEXT, address=MOST_TEXT, whole_seconds=True)
"""A time field keeps seconds; what is below is lost without a word."""

FIELD_TYPES: Mapping[PropertyKind, FieldType] = {
    PropertyKind.TEXT: FieldType("Text", "string", MOST_TEXT),
    PropertyKind.LONG_TEXT: FieldType("LongTextArea", "textarea", MOST_LONG_TEXT),
    PropertyKind.NUMBER: FieldType("Number", "double", precision=18, scale=0),
    # No Currency: an org shows such a field in the record's own currency, and our amounts are in the run's.
    PropertyKind.MONEY: FieldType("Number", "double", precision=18, scale=2),
    PropertyKind.DATE_TIME: FieldType("DateTime", "datetime"),
    PropertyKind.OPTION: FieldType("Picklist", "picklist"),
    PropertyKind.ADDRESS: FieldType("Url", "url"),
}

_HARMLESS: Mapping[str, frozenset[str]] = {
    "double": frozenset({"currency"}),
    "string": frozenset({"textarea"}),
    "url": frozenset({"string"}),
}
"""By the described type of a kind, others that take the same values and give them back unchanged."""


def type_difference(kind: PropertyKind, live: FieldInfo) -> TypeDifference | None:
    """Describe how a field is not of the type of this kind; None when it is."""
    wanted = FIELD_TYPES[kind]
    if live.type != wanted.described and live.type not in _HARMLESS.get(wanted.described, ()):
        return TypeDifference(f"type is {live.type}, expected {wanted.described}")
    # A type with room for less, harmless otherwise, loses a part of our values.
    if wanted.length is not None and live.length < wanted.length:
        return TypeDifference(
            f"it takes {live.length} characters, expected {wanted.length}",
            remedy=f"set its length to {wanted.length} in Setup, Object Manager",
        )
    if wanted.scale is not None and live.scale < wanted.scale:
        return TypeDifference(
            f"it keeps {live.scale} decimal places, expected {wanted.scale}",
            remedy=f"set its decimal places to {wanted.scale} in Setup, Object Manager",
        )
    if live.type != wanted.described:
        return TypeDifference(
            f"type is {live.type}, declared as {wanted.described}: values are written as before", True
        )
    if kind is PropertyKind.OPTION and not live.restricted_picklist:
        return TypeDifference("the picklist is not restricted: people may add values of their own", True)
    return None
