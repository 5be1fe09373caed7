"""What an address of a page in a CRM may begin with."""

from __future__ import annotations

import pytest

from integration_assets.connectors.crm.record_pages import page_base, page_host


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://Acme.my.salesforce.com/", "https://acme.my.salesforce.com"),
        ("http://localhost:3000/crm/?a=1#b", "http://localhost:3000/crm"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("ftp://acme.example", None),
        ("javascript:alert(1)", None),
        ("https://ann:secret@acme.example", None),
        ("https://acme.example:port", None),
        ("https://[::1", None),
        ("https://acme.example/a b", None),
        ("https://-acme.example", None),
        ("https:///path", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_plain_web_address_is_the_base_of_pages(url: str | None, base: str | None) -> None:
    """Whatever would have to be escaped, or carries a password, is none."""
    assert page_base(url) == base


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("app.hubspot.com", "app.hubspot.com"),
        ("APP-EU1.hubspot.com", "app-eu1.hubspot.com"),
        ("app.hubspot.com:443", None),
        ("app.hubspot.com/", None),
        ("a" * 64 + ".example", None),
        (None, None),
    ],
)
def test_only_the_name_of_a_host_is_one(text: str | None, host: str | None) -> None:
    """A port or a path belongs to an address."""
    assert page_host(text) == host
