"""What may be configured of an internal system."""

from __future__ import annotations

from typing import Any

import pytest

from integration_assets.connectors.internal.description import DescriptionError, Paging, describe
from integration_assets.connectors.internal.token_source import Flow
from integration_assets.tenants.registry.words import AuthFlow
from integration_assets_tests.connectors.internal.conftest import BY_PAGE, MAPPINGS


def test_a_whole_configuration() -> None:
    """Endpoints get their defaults, mappings their paths; numbers of a form may be text."""
    described = describe([{**BY_PAGE, "page_size": "50"}, {"path": "/v2/x"}], {**MAPPINGS, "company_id": ""})
    first, second = described.endpoints
    assert (first.paging, first.page_size, first.position, second.paging) == (Paging.PAGE, 50, "page", Paging.NONE)
    assert described.mappings["domain"] == (("customer", "websites", 0), None)
    assert described.mappings["currency"] == (("subscription", "currency"), "USD")
    assert "company_id" not in described.mappings


@pytest.mark.parametrize(
    ("endpoint", "field"),
    [
        ({"path": "https://evil.example/"}, "endpoints.0.path"),
        ({"path": "//evil.example/"}, "endpoints.0.path"),
        ({"path": "/a/../../b"}, "endpoints.0.path"),
        ({"path": "/a?b=c"}, "endpoints.0.path"),
        ({"path": "/a@evil.example"}, "endpoints.0.path"),
        ({"path": "/a\r\nHost: x"}, "endpoints.0.path"),
        ({}, "endpoints.0"),
        ({"path": "/a", "method": "DELETE"}, "endpoints.0.method"),
        ({"path": "/a", "paging": "random"}, "endpoints.0.paging"),
        ({"path": "/a", "items": "a["}, "endpoints.0.items"),
        ({"path": "/a", "paging": "cursor"}, "endpoints.0.next"),
        ({"path": "/a", "paging": "next_link", "next": "n", "method": "POST"}, "endpoints.0.paging"),
        ({"path": "/a", "page_size": 0}, "endpoints.0.page_size"),
        ({"path": "/a", "first_page": 7}, "endpoints.0.first_page"),
        ({"path": "/a", "params": {"x": ["y"]}}, "endpoints.0.params"),
        ({"path": "/a", "template": "{{ 7 * 7 }}"}, "endpoints.0"),
    ],
)
def test_wrong_endpoints_are_named(endpoint: dict[str, Any], field: str) -> None:
    """Each message has the field it stands beside."""
    with pytest.raises(DescriptionError) as refused:
        describe([endpoint], MAPPINGS)
    assert refused.value.field.startswith(field)


@pytest.mark.parametrize(
    ("mappings", "field"),
    [
        ({"arr": "a", "domain": "d"}, "mappings.row_id"),
        ({"row_id": "i", "domain": "d"}, "mappings.arr"),
        ({"row_id": "i", "arr": "a"}, "mappings.domain"),
        ({**MAPPINGS, "arr": "a b"}, "mappings.arr"),
        ({**MAPPINGS, "row_id": {"default": "x"}}, "mappings.row_id"),
        ({**MAPPINGS, "name": "customer.name"}, "mappings.name"),
        ({**MAPPINGS, "currency": {"path": "c", "expression": "1+1"}}, "mappings.currency"),
        ({**MAPPINGS, "currency": ["c"]}, "mappings.currency"),
    ],
)
def test_wrong_mappings_are_named(mappings: dict[str, Any], field: str) -> None:
    """Each message has the field it stands beside."""
    with pytest.raises(DescriptionError) as refused:
        describe([BY_PAGE], mappings)
    assert refused.value.field == field


def test_there_must_be_endpoints_and_not_too_many() -> None:
    """None, or more than ten, are refused."""
    for endpoints in ([], [BY_PAGE] * 11):
        with pytest.raises(DescriptionError, match=r"^endpoints: must be 1 to 10$"):
            describe(endpoints, MAPPINGS)


def test_flows_are_those_of_the_registry() -> None:
    """The connector's words for the flows are the registry's."""
    assert {flow.value for flow in Flow} == {flow.value for flow in AuthFlow}
