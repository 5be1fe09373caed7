"""Where people see the records of a workspace."""

from __future__ import annotations

import re

import pytest

from integration_assets.connectors.crm.twenty.pages import pages_below, record_pages
from integration_assets.connectors.crm.twenty.spec import TWENTY, WEB_URL
from integration_assets.sync.feature_request_object import FEATURE_REQUEST


def test_a_server_of_ones_own_has_its_pages_at_its_base_url() -> None:
    """The cloud has not: there the setting tells, and without it nothing is guessed."""
    assert pages_below("https://crm.acme.example:3000/", None) == "https://crm.acme.example:3000"
    assert pages_below("https://api.twenty.com", None) is None
    assert pages_below("https://api.twenty.com", "https://acme.twenty.com/") == "https://acme.twenty.com"
    unknown = record_pages(None, FEATURE_REQUEST)
    assert (unknown.company, unknown.request) == (None, None)
    assert "TWENTY_PRODUCTION_WEB_URL" in (unknown.unknown or "")


def test_a_record_is_below_the_name_of_its_object() -> None:
    """Companies always; ours only once the definition of our object is at hand."""
    pages = record_pages("https://acme.twenty.com", FEATURE_REQUEST)
    assert pages.company == "https://acme.twenty.com/object/company/{id}"
    assert pages.request == "https://acme.twenty.com/object/featureRequest/{id}"
    assert record_pages("https://acme.twenty.com").request is None


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("https://acme.twenty.com", True),
        ("http://localhost:3000/crm/", True),
        ("javascript:alert(1)", False),
        ("https://user@acme.example", False),
        ("https://acme.example/?q=1", False),
        ("acme.twenty.com", False),
    ],
)
def test_the_setting_takes_an_address_of_pages_only(value: str, *, fits: bool) -> None:
    """What is no address of a page would become a link on a page of ours."""
    setting = TWENTY.setting(WEB_URL)
    assert setting is not None
    assert bool(re.fullmatch(setting.form, value)) is fits
