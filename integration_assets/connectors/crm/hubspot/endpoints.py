"""Addresses of HubSpot's calls, and the most one call may carry.

Every function returns an `Endpoint`: the path to call and its template, the name under which calls are counted.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from integration_assets.models import LinkTarget

VERSION = "2026-09"
"""Version of the API: generally available since September 2026, supported for eighteen months."""

CONTACTS = "0-1"
COMPANIES = "0-2"
DEALS = "0-3"
"""Object type ids of the standard objects; the same in every portal, unlike those of custom objects."""

TARGETS: dict[LinkTarget, str] = {"company": COMPANIES, "contact": CONTACTS}
TARGET_TYPE_IDS: dict[LinkTarget, str] = {"company": "0-2", "contact": "0-1"}
"""Type ids of HubSpot's own objects, the same in every portal: schemas name the ends of an association by them."""

RECORDS_PER_CALL = 100
"""Most records of a list page, a batch read and a batch write."""
RECORDS_PER_SEARCH = 200
"""Most records of a page of search results."""
PAIRS_PER_CREATE = 2_000
PAIRS_PER_LABEL_ARCHIVE = 100
RECORDS_PER_ARCHIVE = 100
PAIRS_PER_ARCHIVE = 2_000
IDS_PER_ASSOCIATION_READ = 1_000
LINKS_PER_PAGE = 500
"""Maxima of the association calls (guide "Associate records", section "Limitations"). Of `batch/archive` it limits the
records at the start of the pairs only; as many pairs as in the largest other call keep its body as large as theirs."""

SCHEMA_CALLS = 8
"""Calls that tell what a portal has of ours: its identity, the custom objects, the properties of companies and of our
object, and for each of two targets the labels and the limit of links."""
SCHEMA_CALLS_WITHOUT_OBJECT = 5
"""The same where our object does not exist: identity, objects, archived objects, how many there may be, company
properties."""
LIBRARY_SCHEMA_CALLS = 11
"""The same of an object of the library: identity, activation, the properties of companies and of the object, its
schema, its pipelines, whether there are labels, and for each of two targets the labels and the limit of links."""
LIBRARY_CALLS_WITHOUT_OBJECT = 3
"""The same where the object is not activated: identity, activation, company properties."""
LIBRARY_WRITING_CALLS = 4
"""Calls before the first write into an object of the library: scopes, activation, properties, pipelines."""
WRITING_CALLS = 2
"""Calls before the first write: the token's scopes, and the id of our object's type."""
SCOPE_CALLS = 1
"""Of these, the one that a write to companies alone needs as well: the token's scopes."""
LABEL_CALLS = 1
"""Calls before the first link to a target: its labels."""

SEARCH_BUCKET = "search"
ASSOCIATION_BUCKET = "associations"
DEFAULT_BUCKET = "default"
"""Rate limits that HubSpot counts apart from each other."""


class Endpoint(NamedTuple):
    """A path below the base URL and its template."""

    path: str
    template: str


def _endpoint(template: str, **parts: str) -> Endpoint:
    """Fill a template whose `{name}` parts are quoted, so that no value can leave its segment."""
    return Endpoint(template.format(**{name: quote(part, safe="") for name, part in parts.items()}), template)


def objects(object_type: str) -> Endpoint:
    """List of the records of a type."""
    return _endpoint(f"/crm/objects/{VERSION}/{{object_type}}", object_type=object_type)


def object_batch(object_type: str, action: str) -> Endpoint:
    """Batch `read` or `upsert` of records."""
    return _endpoint(f"/crm/objects/{VERSION}/{{object_type}}/batch/{action}", object_type=object_type)


def object_search(object_type: str) -> Endpoint:
    """Search among the records of a type."""
    return _endpoint(f"/crm/objects/{VERSION}/{{object_type}}/search", object_type=object_type)


def association_batch(from_type: str, to_type: str, action: str) -> Endpoint:
    """Batch `read`, `create`, `archive` or `labels/archive` of associations from one type to another."""
    template = f"/crm/associations/{VERSION}/{{from_type}}/{{to_type}}/batch/{action}"
    return _endpoint(template, from_type=from_type, to_type=to_type)


def association_labels(from_type: str, to_type: str) -> Endpoint:
    """The association types defined from one object type to another."""
    template = f"/crm/associations/{VERSION}/{{from_type}}/{{to_type}}/labels"
    return _endpoint(template, from_type=from_type, to_type=to_type)


def association_limit(from_type: str, to_type: str) -> Endpoint:
    """The most associations one record may have to records of a type."""
    template = f"/crm/limits/{VERSION}/associations/records/{{from_type}}/{{to_type}}"
    return _endpoint(template, from_type=from_type, to_type=to_type)


def custom_object_limit() -> Endpoint:
    """Name the endpoint for the custom objects the subscription allows."""
    return _endpoint(f"/crm/limits/{VERSION}/custom-object-types")


def custom_property_limits() -> Endpoint:
    """Name the endpoint for the custom properties the subscription allows, by object."""
    return _endpoint(f"/crm/limits/{VERSION}/custom-properties")


def pipeline_limits() -> Endpoint:
    """Name the endpoint for the pipelines the subscription allows, by object."""
    return _endpoint(f"/crm/limits/{VERSION}/pipelines")


def label_limits() -> Endpoint:
    """Name the endpoint for the association labels in use, which only subscriptions with labels open."""
    return _endpoint(f"/crm/limits/{VERSION}/associations/labels")


def enablement() -> Endpoint:
    """Name the endpoint for the objects of the library that are activated; it has no later version."""
    return _endpoint("/crm/object-library/2026-03/enablement")


def schema(object_type: str) -> Endpoint:
    """Schema of one object type."""
    return _endpoint(f"/crm-object-schemas/{VERSION}/schemas/{{object_type}}", object_type=object_type)


def pipelines(object_type: str) -> Endpoint:
    """Pipelines of a type, with their stages."""
    return _endpoint(f"/crm/pipelines/{VERSION}/{{object_type}}", object_type=object_type)


def schemas() -> Endpoint:
    """Custom objects of the portal."""
    return _endpoint(f"/crm-object-schemas/{VERSION}/schemas")


def properties(object_type: str) -> Endpoint:
    """Property definitions of a type."""
    return _endpoint(f"/crm/properties/{VERSION}/{{object_type}}", object_type=object_type)


def property_definition(object_type: str, name: str) -> Endpoint:
    """One property definition."""
    return _endpoint(f"/crm/properties/{VERSION}/{{object_type}}/{{name}}", object_type=object_type, name=name)


def property_batch_create(object_type: str) -> Endpoint:
    """Creation of many property definitions."""
    return _endpoint(f"/crm/properties/{VERSION}/{{object_type}}/batch/create", object_type=object_type)


def property_groups(object_type: str) -> Endpoint:
    """Property groups of a type."""
    return _endpoint(f"/crm/properties/{VERSION}/{{object_type}}/groups", object_type=object_type)


def owners() -> Endpoint:
    """People whom records can be assigned to."""
    return _endpoint(f"/crm/owners/{VERSION}")


def export_start() -> Endpoint:
    """Beginning of an export."""
    return _endpoint(f"/crm/exports/{VERSION}/export/async")


def export_status(task_id: str) -> Endpoint:
    """Name the endpoint for the progress of an export."""
    return _endpoint(f"/crm/exports/{VERSION}/export/async/tasks/{{task_id}}/status", task_id=task_id)


def account_details() -> Endpoint:
    """Identity of the portal."""
    return _endpoint(f"/account-info/{VERSION}/details")


def token_info() -> Endpoint:
    """Scopes of a private-app token or service key; this one call exists only in its old form."""
    # Without a version in its path: see `VERSION` for all others.
    return _endpoint("/oauth/v2/private-apps/get/access-token-info")
