"""Addresses of Twenty's calls, and the most one call may carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

OBJECTS = "/rest/metadata/objects"
FIELDS = "/rest/metadata/fields"
INDEXES = "/metadata"
"""GraphQL; asked for what the REST metadata of 1.x leave out."""

RECORDS_PER_PAGE = 200
"""Most records of a page; a higher `limit` is silently cut to it."""
RECORDS_PER_BATCH = 60
"""Records of a batch as documented, unless a setting says more. Servers take 200, but a cloud workspace may keep to
what is documented."""
PAIRS_PER_REMOVAL = 60
KEYS_PER_FILTER = 120
"""Keys or ids in one filter. A vote's key is 102 bytes long in an address, and one beyond 16,000 bytes is refused with
431 and an empty body."""
IDS_PER_LINK_READ = 50
"""Records whose votes are read together: at about four votes each they fit into a page."""
ADDRESSES_PER_READ = 1_000_000
"""Any number: people are read whole, see `reads.People`."""
SCHEMA_CALLS = 1
WRITING_CALLS = 0
"""The schema, which a run reads before it writes, tells all that a write needs to know."""


def records(plural: str) -> str:
    """Path of the records of an object."""
    return f"/rest/{plural}"


def batch(plural: str) -> str:
    """Path that takes many records of an object."""
    return f"/rest/batch/{plural}"


def among(field: str, values: Sequence[str]) -> str:
    """Filter for records whose field has one of these values, none of which holds a comma: quotes do not help."""
    return f"{field}[in]:[{','.join(values)}]"


def cut(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """Items in lists of at most `size`."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part
