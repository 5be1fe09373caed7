"""Our properties on companies, which a tenant may ask for: how many open requests wait, and which matter most.

They are the only thing ever written on a company. Nobody else's word counts in them: what is there and is not ours is
put right at the next run, like any computed value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from integration_assets.connectors.crm.base import Crm
from integration_assets.models import (
    LiveSchema,
    ObjectDefinition,
    PropertyDefinition,
    PropertyGroup,
    PropertyKind,
    TextLimits,
)
from integration_assets.sql import read_sql
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, normalise_as
from integration_assets.sync.operations import Operation
from integration_assets.sync.store import set_variables

OPEN, TOP = "feature_requests_open", "top_feature_requests"
ROLLUPS = PropertyGroup(
    FEATURE_REQUEST.group,
    FEATURE_REQUEST.group_label,
    (
        PropertyDefinition(
            OPEN,
            "Open feature requests",
            PropertyKind.NUMBER,
            description="Open requests that people of this company voted for. Written by the sync.",
        ),
        PropertyDefinition(
            TOP,
            "Top feature requests",
            PropertyKind.LONG_TEXT,
            description="The most important of them by ARR, one per line. Written by the sync.",
        ),
    ),
)
NAMES = tuple(one.name for one in ROLLUPS.properties)
TOP_REQUESTS = 5
"""Requests named on a company."""
KEY_PREFIX = "company:"
"""Beginning of the key of an operation on a company, which no key of a request has: those name a source."""
_KINDS = {one.name: one.kind for one in ROLLUPS.properties}


def rollup_key(company_id: str) -> str:
    """Key of the operation on a company."""
    return f"{KEY_PREFIX}{company_id}"


def normalise_rollup(field: str, value: Any, limits: TextLimits | None = None) -> str:
    """A value as the CRM hands it back after a write; "" when unset. `limits` cut what we want to what it keeps."""
    return normalise_as(_KINDS[field], value, limits)


def plan_rollups(connection: duckdb.DuckDBPyConnection, limits: TextLimits | None) -> Iterator[Operation]:
    """The companies whose properties are not what the ranking says, in the order of their ids, not numbered yet.

    A company without an open request holds nothing in them.
    """
    set_variables(connection, top_requests=TOP_REQUESTS)
    for company_id, held, wanted_open, wanted_top in connection.execute(read_sql("sync/wanted_rollups")).fetchall():
        wanted = {OPEN: normalise_rollup(OPEN, wanted_open), TOP: normalise_rollup(TOP, wanted_top, limits)}
        live = {name: normalise_rollup(name, (held or {}).get(name)) for name in NAMES}
        changed = [name for name in NAMES if live[name] != wanted[name]]
        if changed:
            yield Operation(
                0,
                "roll_up",
                rollup_key(company_id),
                company_id,
                before={name: live[name] for name in changed},
                after={name: wanted[name] for name in changed},
            )


async def read_schema(crm: Crm, definition: ObjectDefinition, names: tuple[str, ...], *, rollups: bool) -> LiveSchema:
    """Read the portal's schema, with our properties on companies where they are asked for and can be kept."""
    live = await crm.schema(definition, names)
    if not rollups or crm.company_writes is None:
        return live
    return LiveSchema(**{**_fields(live), "rollups": await crm.company_writes.properties(ROLLUPS)})


def _fields(live: LiveSchema) -> Mapping[str, Any]:
    return {name: getattr(live, name) for name in live.__struct_fields__}
