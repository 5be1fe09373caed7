"""Addresses of the calls, and the most one call may carry."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

VERSION = "60.0"
"""Version of the API (Spring '24): old enough for every org, and supported for years to come."""
DATA = f"/services/data/v{VERSION}"

ROWS_PER_CALL = 200
"""Most rows of a collection call. Source: "sObject Collections"."""
ROWS_PER_PAGE = 2_000
"""Most rows of a page of a query; an org may hand out fewer."""
VALUES_PER_QUERY = 200
"""Values of one IN list: as many as rows of a write, so that what was written is read back by one query."""
LONGEST_QUERY = 1_500
"""Characters of a query that goes in an address; longer ones go in the body of a composite call.
Source: addresses are advised to stay below 2,000 characters, and are refused from 16,384 on."""

SCHEMA_CALLS = 6
"""Calls that tell what an org has of ours: the token, the versions of the API, the org itself, our object, its links,
and accounts."""
SCHEMA_CALLS_WITHOUT_OBJECT = 8
"""The same where our object does not exist: whether it and its links are only hidden is asked as well."""
WRITING_CALLS = 5
"""Calls before the first write: the token, the versions, what the user may read, our object, and its links."""
NAMING_CALLS = 2
"""Of these, those that only records and links need: our object, and its links."""
LABEL_CALLS = 0
"""Calls before the first link to a target: labels are values of a field, known from the description."""


class Endpoint(NamedTuple):
    """A path below the base URL and its template."""

    path: str
    template: str


def _data(template: str, **parts: str) -> Endpoint:
    filled = template.format(**{name: quote(part, safe="") for name, part in parts.items()})
    return Endpoint(f"{DATA}{filled}", template)


TOKEN = Endpoint("/services/oauth2/token", "/services/oauth2/token")
USER_INFO = Endpoint("/services/oauth2/userinfo", "/services/oauth2/userinfo")
VERSIONS = Endpoint("/services/data/", "/services/data")
QUERY = _data("/query")
QUERY_ALL = _data("/queryAll")
TOOLING_QUERY = _data("/tooling/query")
COMPOSITE = _data("/composite")
OBJECTS = _data("/sobjects/")
COLLECTION = _data("/composite/sobjects")
DEPLOY = _data("/metadata/deployRequest")


def more(path: str) -> Endpoint:
    """The next page of a query, at the path that the page before named."""
    return Endpoint(path, "/query/{locator}")


def describe(object_name: str) -> Endpoint:
    """Description of an object, with the fields that the user sees."""
    return _data("/sobjects/{object}/describe", object=object_name)


def create(object_name: str) -> Endpoint:
    """Creation of one record."""
    return _data("/sobjects/{object}", object=object_name)


def upsert(object_name: str, key_field: str) -> Endpoint:
    """Creation or change of many records by a key."""
    return _data("/composite/sobjects/{object}/{field}", object=object_name, field=key_field)


def deployment(deployment_id: str) -> Endpoint:
    """Progress of a deployment."""
    return _data("/metadata/deployRequest/{id}", id=deployment_id)
