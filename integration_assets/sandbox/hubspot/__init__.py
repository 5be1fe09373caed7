"""A strict look-alike of the HubSpot CRM API, version 2026-09, with all its state in memory.

Companies, contacts, deals, custom objects, and the library's services, projects and tickets; properties, schemas,
associations and their labels; pipelines, search, merges, limits of the subscription. What HubSpot documents, it
enforces; what it does not document is an option of `PortalOptions`. May import nothing of the product but `models`, and
of this room only `lookalike`.
"""

from integration_assets.sandbox.hubspot.app import hubspot_lookalike
from integration_assets.sandbox.hubspot.options import ALL_SCOPES, PortalOptions, RateLimits, Subscription
from integration_assets.sandbox.hubspot.portal import Portal

__all__ = ["ALL_SCOPES", "Portal", "PortalOptions", "RateLimits", "Subscription", "hubspot_lookalike"]
