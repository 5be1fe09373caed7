"""The objects and fields of a workspace, read whole: one call tells all of them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from integration_assets.connectors.crm.twenty import endpoints
from integration_assets.connectors.crm.twenty.session import Session
from integration_assets.connectors.crm.twenty.wire import SYSTEM, IndexAnswer, ObjectMetadata, decode_entry
from integration_assets.errors import ContractError, HeldError

UNIQUE_QUERY = (
    "query { objects(paging: { first: 1000 }) { edges { node { indexMetadataList { isUnique indexFieldMetadataList "
    "{ fieldMetadataId } } } } } }"
)

Metadata = Mapping[str, ObjectMetadata]
"""Objects by singular name. An object whose form is not known is in none: it is none of our business."""


async def read_metadata(session: Session, *names: str) -> Metadata:
    """All objects. Of those named, every field says whether it is unique.

    Raises:
        ContractError: an object of one of these names has another form.
    """
    found: dict[str, ObjectMetadata] = {}
    # Without a limit: 1.x refuses one.
    async for page in session.listed(endpoints.OBJECTS, {}):
        for entry in page:
            one = decode_entry(entry, ObjectMetadata)
            if isinstance(one, ObjectMetadata):
                found[one.name_singular] = one
            elif isinstance(entry, dict) and entry.get("nameSingular") in names:
                raise ContractError(
                    f"twenty describes the object {entry['nameSingular']!r} in an unexpected form: {one}",
                    system=SYSTEM,
                    endpoint=f"GET {endpoints.OBJECTS}",
                )
    ours = [found[name] for name in names if name in found]
    if any(field.is_unique is None for one in ours for field in one.fields):
        found |= await _with_uniqueness(session, ours)
    return found


async def _with_uniqueness(session: Session, objects: list[ObjectMetadata]) -> Metadata:
    """These objects with the uniqueness that the metadata of 1.x leave out, from the indexes."""
    answer = await session.read("POST", endpoints.INDEXES, IndexAnswer, json={"query": UNIQUE_QUERY})
    unique = answer.unique_fields()
    return {
        one.name_singular: msgspec.structs.replace(
            one, fields=[msgspec.structs.replace(field, is_unique=field.id in unique) for field in one.fields]
        )
        for one in objects
    }


def required(metadata: Metadata, name: str) -> ObjectMetadata:
    """The object of this name.

    Raises:
        HeldError: the workspace does not have it.
    """
    one = metadata.get(name)
    if one is None or not one.is_active:
        reason = f"the workspace has no object {name!r}"
        raise HeldError(f"{reason}; run setup", reasons=(reason,))
    return one
