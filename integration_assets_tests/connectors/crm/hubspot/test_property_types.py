"""Types of properties: which differences can still be written, and what is said of the others."""

from __future__ import annotations

import pytest

from integration_assets.connectors.crm.hubspot.property_types import PROPERTY_TYPES, PropertyType, type_difference
from integration_assets.models import PropertyKind

_TYPES = [
    PropertyType(type_, field)
    for type_, fields in {
        "string": ("text", "textarea", "html", "phonenumber", "file", "calculation_equation"),
        "number": ("number", "calculation_equation"),
        "datetime": ("date",),
        "date": ("date",),
        "bool": ("booleancheckbox",),
        "enumeration": ("select", "radio", "checkbox", "booleancheckbox", "calculation_equation"),
    }.items()
    for field in fields
]
_HARMLESS = {("string", "text"), ("string", "textarea"), ("number", "number"), ("datetime", "date")}
_HARMLESS |= {("enumeration", "select"), ("enumeration", "radio")}


@pytest.mark.parametrize("live", _TYPES, ids=" ".join)
@pytest.mark.parametrize("kind", PropertyKind)
def test_every_kind_against_every_type(kind: PropertyKind, live: PropertyType) -> None:
    """Every type HubSpot knows (its "Properties" guide): as declared, drawn otherwise, or spoiling our values."""
    wanted, found = PROPERTY_TYPES[kind], type_difference(kind, live)
    if live == wanted:
        assert found is None
        return
    assert found is not None
    if live.type == wanted.type and live in _HARMLESS:
        assert (found.harmless, found.remedy) == (True, "")
        assert "values are written as before" in found.detail
    elif live.type == wanted.type:
        assert not found.harmless
        assert f"field type is {live.field_type}, expected {wanted.field_type}: " in found.detail
        assert "change its field type back to" in found.remedy
    else:
        # Made anew: HubSpot changes no type of a property that has values.
        assert (found.harmless, found.remedy) == (False, "")
        assert found.detail == f"type is {live.type}, expected {wanted.type}"


def test_an_address_and_an_amount_are_what_installations_have() -> None:
    """HubSpot knows neither kind: other types would ask every portal for a change."""
    assert PROPERTY_TYPES[PropertyKind.ADDRESS] == ("string", "text")
    assert PROPERTY_TYPES[PropertyKind.MONEY] == ("number", "number")
