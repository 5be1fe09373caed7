"""Addresses at which people see records of a workspace. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from integration_assets.connectors.crm.record_pages import ID, page_base
from integration_assets.connectors.crm.twenty.names import TARGETS, request_object
from integration_assets.connectors.crm.twenty.spec import CLOUD
from integration_assets.models import ObjectDefinition, RecordPages

UNKNOWN = (
    "Twenty's cloud has the pages of each workspace at a host of their own, which its API does not tell: "
    'set TWENTY_SANDBOX_WEB_URL or TWENTY_PRODUCTION_WEB_URL ("Address of the pages") to it'
)


def pages_below(base_url: str, web_url: str | None) -> str | None:
    """Address below which the pages are: `web_url`, else the base URL of a server of one's own; None in the cloud."""
    base = page_base(web_url or base_url)
    # A server of one's own serves its pages and its API at one address, the cloud does not.
    return None if base is not None and not web_url and urlsplit(base).hostname == CLOUD else base


def record_pages(base: str | None, definition: ObjectDefinition | None = None) -> RecordPages:
    """Addresses of companies, and of our records where the definition of our object is given."""
    if base is None:
        return RecordPages(unknown=UNKNOWN)
    ours = f"{base}/object/{request_object(definition).singular}/{ID}" if definition else None
    return RecordPages(company=f"{base}/object/{TARGETS['company']}/{ID}", request=ours)
