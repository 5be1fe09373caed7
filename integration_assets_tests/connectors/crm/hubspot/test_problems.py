"""Refusals are told by their codes, whatever form they come in, and never by a value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.connectors.crm.hubspot.error_answers import parse_problem
from integration_assets.connectors.redaction import register

TOKEN = "pat-na1-0b5ae0f5-5b7a-4e0c-9d6f-6a1d2c3b4e5f"

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["category", "errors", "context", "message", "code", "ids", "subCategory", "in", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("key", ["requiredGranularScopes", "requiredScopes", "missingScopes"])
@pytest.mark.parametrize("nested", [True, False])
def test_scopes_are_found_in_every_form_of_the_answer(key: str, nested: bool) -> None:
    """The missing scopes are named whichever of the three keys carries them, in the body or in its errors."""
    context = {key: ["crm.objects.custom.read", "crm.objects.custom.write"]}
    body = {"errors": [{"message": "m", "context": context}]} if nested else {"context": context}
    problem = parse_problem({"status": "error", "category": "MISSING_SCOPES", **body})
    assert problem.scopes == ("crm.objects.custom.read", "crm.objects.custom.write")
    assert problem.lacks_scope


def test_a_missing_scope_without_a_name_is_still_a_missing_scope() -> None:
    """Some answers name no scope at all."""
    problem = parse_problem({"category": "MISSING_SCOPES", "message": "view_schema"})
    assert problem.lacks_scope
    assert problem.scopes == ()


def test_codes_come_from_the_list_of_errors() -> None:
    """A refused single record lists its errors with code and property name."""
    error = {
        "message": "1,5 was not a valid integer",
        "code": "INVALID_INTEGER",
        "context": {"propertyName": ["votes"]},
    }
    problem = parse_problem({"category": "VALIDATION_ERROR", "message": "1,5 ...", "errors": [error]})
    assert problem.reason() == "VALIDATION_ERROR: INVALID_INTEGER (votes)"


def test_codes_come_from_the_json_inside_a_message() -> None:
    """A refused record of a batch has the same list as text inside its message."""
    listed = [
        {"isValid": False, "message": "secret value", "error": "PROPERTY_DOESNT_EXIST", "name": "missing"},
        {"isValid": False, "message": "secret value", "error": "READ_ONLY_VALUE", "name": "hs_object_id"},
    ]
    message = f"Property values were not valid: {json.dumps(listed)}"
    reason = parse_problem({"category": "VALIDATION_ERROR", "message": message}).reason()
    assert reason == "VALIDATION_ERROR: PROPERTY_DOESNT_EXIST (missing), READ_ONLY_VALUE (hs_object_id)"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"category": "VALIDATION_ERROR", "message": "A workflow\nforbids  this"}, "A workflow forbids this"),
        ({"category": "VALIDATION_ERROR", "errors": [{"message": "Too many"}]}, "Too many"),
        ({"category": "VALIDATION_ERROR", "message": "jos\u200bé@acme.com is taken"}, "[address] is taken"),
        ({"category": "VALIDATION_ERROR", "message": f"no {TOKEN} here"}, "no *** here"),
        ({"category": "VALIDATION_ERROR", "message": 'Not valid: {"title": "x"}'}, "Not valid:"),
        ({"category": "VALIDATION_ERROR", "message": "x" * 300}, "x" * 199 + "…"),
        ({"category": "VALIDATION_ERROR", "message": " \x00\u200b"}, None),
        ({"category": "VALIDATION_ERROR", "message": ["no text"]}, None),
    ],
)
def test_a_refusal_without_a_code_is_told_in_the_words_of_the_crm(entry: dict[str, object], reason: str | None) -> None:
    """One line, cut short, without secrets, addresses and embedded values; nothing is added where nothing was said."""
    register(TOKEN)
    assert parse_problem(entry).reason() == (f"VALIDATION_ERROR: {reason}" if reason else "VALIDATION_ERROR")


def test_a_category_that_speaks_for_itself_is_told_without_the_message() -> None:
    """Messages quote values, and values may be personal."""
    problem = parse_problem({"category": "CONFLICT", "message": "ann@example.com already exists"})
    assert problem.reason() == "CONFLICT"


def test_a_sub_category_explains_a_refusal_without_codes() -> None:
    """Association errors have a sub-category instead of codes."""
    problem = parse_problem({"category": "VALIDATION_ERROR", "subCategory": "crm.associations.INVALID_OBJECT_IDS"})
    assert problem.reason() == "VALIDATION_ERROR (crm.associations.INVALID_OBJECT_IDS)"


def test_context_values_are_text_whatever_they_were() -> None:
    """Ids come as text or numbers, alone or in lists."""
    problem = parse_problem({"context": {"ids": [12, "34"], "fromObjectId": 56, "flag": True}})
    assert problem.context == {"ids": ("12", "34"), "fromObjectId": ("56",), "flag": ()}


@given(JSON_VALUES)
def test_any_json_is_a_problem_that_can_be_told(entry: object) -> None:
    """Every field is optional and may be of another type: reading a refusal never fails."""
    assert parse_problem(entry).reason()
