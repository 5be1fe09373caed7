"""Names and values of ours in Twenty's form, and refusals in a form that can be told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.connectors.crm.twenty.error_answers import reason
from integration_assets.connectors.crm.twenty.names import BORN_FIELDS, field_name, option_value, our_option
from integration_assets.connectors.crm.twenty.reads import key_filters
from integration_assets.connectors.crm.twenty.values import (
    ValueRefusedError,
    default_currency,
    field_text,
    from_field,
    to_field,
    units_of,
)
from integration_assets.models import ObjectDefinition, PropertyKind
from integration_assets.sandbox.twenty.schema import NAME, OPTION, RESERVED
from integration_assets.sandbox.twenty.values import normal_url
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets_tests.connectors.crm.sample import REQUEST

# -- names


@pytest.mark.parametrize("definition", [FEATURE_REQUEST, REQUEST], ids=["ours", "sample"])
def test_no_two_properties_share_a_field(definition: ObjectDefinition):
    """And none takes the name of a field an object is born with, but for the one that is it."""
    names = {item.name: field_name(definition, item.name) for item in definition.properties}
    assert len(set(names.values())) == len(names)
    assert [name for name, field in names.items() if field in BORN_FIELDS] == [definition.display_property]
    assert names[definition.key_property] == "externalId"
    assert all(NAME.fullmatch(field) and field not in RESERVED for field in names.values())


def test_words_are_joined_in_camel_case():
    assert field_name(FEATURE_REQUEST, "last_vote_at") == "lastVoteAt"
    assert field_name(FEATURE_REQUEST, "votes") == "votes"


def test_each_option_of_ours_has_one_of_twenty():
    for item in FEATURE_REQUEST.properties:
        values = [option_value(value) for value, _ in item.options]
        assert all(OPTION.fullmatch(value) for value in values)
        assert [our_option(value) for value in values] == [value for value, _ in item.options]


# -- values


@pytest.mark.parametrize(
    ("kind", "text", "stored"),
    [
        (PropertyKind.TEXT, "a, b", "a, b"),
        (PropertyKind.NUMBER, "12", 12),
        (PropertyKind.NUMBER, "0.5", 0.5),
        (PropertyKind.MONEY, "1234.56", {"amountMicros": 1_234_560_000, "currencyCode": "EUR"}),
        (PropertyKind.MONEY, "0", {"amountMicros": 0, "currencyCode": "EUR"}),
        (PropertyKind.OPTION, "under_review", "UNDER_REVIEW"),
        (PropertyKind.DATE_TIME, "2026-11-29T08:00:00.000Z", "2026-11-29T08:00:00.000Z"),
    ],
)
def test_a_value_comes_back_as_it_was_written(kind: PropertyKind, text: str, stored: Any):
    assert to_field(kind, text, currency="EUR") == stored
    assert from_field(kind, stored) == text


@pytest.mark.parametrize(
    ("kind", "cleared"),
    [
        (PropertyKind.TEXT, ""),
        (PropertyKind.LONG_TEXT, ""),
        (PropertyKind.NUMBER, None),
        (PropertyKind.DATE_TIME, None),
        (PropertyKind.OPTION, None),
        # Null alone would leave the amount where it is.
        (PropertyKind.MONEY, {"amountMicros": None, "currencyCode": None}),
        (PropertyKind.ADDRESS, {"primaryLinkUrl": "", "primaryLinkLabel": "", "secondaryLinks": []}),
    ],
)
def test_an_empty_text_clears(kind: PropertyKind, cleared: Any):
    assert to_field(kind, "") == cleared
    assert from_field(kind, cleared) is None


@pytest.mark.parametrize("kind", [PropertyKind.NUMBER, PropertyKind.MONEY])
@pytest.mark.parametrize("text", ["many", "1,200", "NaN", "Infinity"])
def test_what_is_no_number_is_refused_without_the_value(kind: PropertyKind, text: str):
    with pytest.raises(ValueRefusedError) as refused:
        to_field(kind, text)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.canny.io/admin/board/ideas/p/dark-mode",
        "HTTPS://Acme.Canny.io/p/1/",
        "https://acme.example/a%20b?q=a%2Fb#top",
        "https://acme.example",
        "https://acme.example/",
        "https://acme.example/a/?",
        "https://acme.example/100%2525",
        "not an address",
    ],
)
def test_an_address_comes_back_as_it_was_written(url: str):
    """Twenty spells it its own way, and differently by version."""
    written = to_field(PropertyKind.ADDRESS, url)
    for spelled in (url, normal_url(url)):
        assert from_field(PropertyKind.ADDRESS, {**written, "primaryLinkUrl": spelled}) == url


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=40))
def test_any_address_comes_back(path: str):
    url = f"https://Acme.example/{path}"
    written = to_field(PropertyKind.ADDRESS, url)
    assert from_field(PropertyKind.ADDRESS, {**written, "primaryLinkUrl": normal_url(url)}) == url


def test_an_address_that_somebody_changed_is_told():
    """The label keeps a spelling only while both are one address."""
    written = to_field(PropertyKind.ADDRESS, "https://Acme.example/p/1/")
    assert from_field(PropertyKind.ADDRESS, {**written, "primaryLinkUrl": "https://other.example"}) == (
        "https://other.example"
    )
    named = {"primaryLinkUrl": "https://acme.example/p/1", "primaryLinkLabel": "Dark mode"}
    assert from_field(PropertyKind.ADDRESS, named) == "https://acme.example/p/1"


def test_values_of_any_field_as_text():
    """Of mapped company fields, whose types are the workspace's own affair."""
    assert field_text({"amountMicros": "2500000", "currencyCode": "USD"}) == "2.5"
    assert field_text({"amountMicros": 12_000_000_000, "currencyCode": "USD"}) == "12000"
    assert (field_text(10.0), field_text(1e-3), field_text(False), field_text("")) == ("10", "0.001", None, None)


def test_the_currency_of_new_amounts():
    assert default_currency({"amountMicros": None, "currencyCode": "'EUR'"}) == "EUR"
    assert (default_currency(None), default_currency({"currencyCode": "''"})) == (None, None)


# -- keys in filters


def test_keys_are_asked_for_in_lists_and_those_with_a_comma_alone():
    keys = ["canny:1", "canny:1", "a b'c/d", "x,y", 'q"q', "p(p", ""]
    assert key_filters(keys) == ["externalId[in]:[canny:1,a b'c/d]", 'externalId[eq]:"x,y"']


def test_many_keys_are_asked_for_in_parts():
    filters = key_filters([f"canny:{number}" for number in range(250)])
    assert [one.count(",") + 1 for one in filters] == [120, 120, 10]


# -- refusals


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"messages": ['Invalid value "SECRET" for field "stage". Valid values are: NEW, PLANNED']},
            'Invalid value "…" for field "stage". Valid values are: NEW, PLANNED',
        ),
        ({"messages": ['Object wish doesn\'t have any "x" field.']}, 'Object wish doesn\'t have any "x" field.'),
        (
            {
                "message": "Validation errors occurred",
                "errors": {"fieldMetadata": [{"errors": [{"code": "X", "message": "Name is not available"}]}]},
            },
            "Validation errors occurred; Name is not available",
        ),
        ({"messages": ["ann@acme.example is taken"]}, "***@acme.example is taken"),
        ({"messages": [5], "errors": [1]}, ""),
        (None, ""),
    ],
)
def test_a_refusal_is_told_without_values(body: Any, told: str):
    found = reason(body)
    assert "ann" not in found
    assert found == told or "acme.example" in told


def test_a_long_refusal_is_cut():
    assert len(reason({"messages": ["x" * 1_000]})) == 200


@pytest.mark.parametrize("micros", ["abc", True, "NaN", "1e999999999", [1], "-Infinity"])
def test_what_is_no_amount_is_none(micros: object) -> None:
    """Its text is told as it is, for whoever reads amounts; it is no error, nor a number that fills the memory."""
    assert units_of({"amountMicros": micros}) is None
    assert field_text({"amountMicros": micros}) == str(micros)
    assert units_of({"amountMicros": "2500000"}) == Decimal("2.5")
    assert units_of(None) is None
