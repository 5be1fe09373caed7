"""A request on its way to a handler, and the table entry that says how it is handled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.datastructures import QueryParams

from integration_assets.sandbox.hubspot.errors import Json, error, validation
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.search import SearchCache
from integration_assets.sandbox.hubspot.values import iso
from integration_assets.sandbox.hubspot.writing import too_many

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal

API = "https://api.hubapi.com"
"""The host links point to, which is never the host of the look-alike: a client must build its own addresses."""


@dataclass
class Call:
    """One request. `legacy` is True when it came by a v3 or v4 path; `host` is whom it asked."""

    portal: Portal
    path: str
    params: Mapping[str, str]
    query: QueryParams
    raw: bytes
    content_type: str
    searches: SearchCache
    legacy: bool = False
    host: str = ""

    @cached_property
    def body(self) -> Any:
        """The decoded JSON body.

        Raises:
            ApiError: 415 or 400.
        """
        if not self.content_type.startswith("application/json"):
            raise error(415, None, "Unsupported Media Type: send application/json")
        try:
            return msgspec.json.decode(self.raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise validation("Invalid input JSON") from fault

    @property
    def fields(self) -> Json:
        """The decoded body, which must be an object."""
        if not isinstance(self.body, dict):
            raise validation("Invalid input JSON: an object is expected")
        return self.body

    def object_type(self, param: str = "type", *, bare_names: bool = True) -> ObjectType:
        """The object type a path parameter names."""
        return self.portal.object_type(self.params[param], bare_names=bare_names)

    def inputs(self, limit: int) -> list[Json]:
        """The inputs of a batch.

        Raises:
            ApiError: 400, there is none, one too many, or one that is no object.
        """
        found = self.fields.get("inputs")
        if not isinstance(found, list) or not found or not all(isinstance(item, dict) for item in found):
            raise validation('Batches need "inputs", a list of objects')
        if len(found) > limit:
            raise too_many(self.portal, limit)
        return found

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A query parameter that is true or false."""
        text = self.query.get(name)
        return default if text is None else text.lower() == "true"

    def listed(self, name: str) -> list[str]:
        """A query parameter that lists names, by comma or repeated."""
        return [part.strip() for text in self.query.getlist(name) for part in text.split(",") if part.strip()]

    def number(self, name: str, default: int, *, most: int) -> int:
        """A query parameter that is a number from 1 to `most`.

        Raises:
            ApiError: 400, it is not.
        """
        text = self.query.get(name)
        if text is None:
            return min(default, most)
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise validation(f"{name} must be between 1 and {most}")
        return int(text)


@dataclass(frozen=True)
class Reply:
    """An answer: a `body`, a `file`, or no content."""

    status: int
    body: Json | None = None
    file: bytes | None = None


Handler = Callable[[Call], Reply]
ScopeRule = Callable[[Call], list[str]]


def no_scope(_call: Call) -> list[str]:
    """The rule of calls that any token may make."""
    return []


@dataclass(frozen=True)
class Operation:
    """One row of the route table. `kind` is the bucket the call counts in: ordinary, association, search or free."""

    method: str
    path: str
    handler: Handler
    kind: str = "ordinary"
    scopes: ScopeRule = field(default=no_scope)


def scope_of(one: ObjectType, area: str, access: str) -> str:
    """Name of the scope for an object type: `crm.objects.companies.read`."""
    # Of the objects of the library only scopes of their records are documented; tickets have one for everything.
    if one.name == "tickets":
        return "tickets"
    if one.name in {"services", "projects"}:
        return f"crm.objects.{one.name}.{access}"
    return f"crm.{area}.{'custom' if one.custom else one.name}.{access}"


def object_scope(access: str, area: str = "objects") -> ScopeRule:
    """The rule that needs the scope of the object type in the path."""
    return lambda call: [scope_of(call.object_type(), area, access)]


def required_text(item: Json, name: str) -> str:
    """A field that must be a non-empty text (numbers are taken as text).

    Raises:
        ApiError: 400, it is missing.
    """
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise validation(f'Some required fields were not set: ["{name}"]')
    return str(value)


def batch_body(call: Call, results: list[Json], errors: list[Json], started: float) -> Json:
    """The body of a batch answer; errors appear only when there are any."""
    body: Json = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": iso(int(started * 1000)),
        "completedAt": iso(int(call.portal.clock() * 1000)),
    }
    if errors:
        body["numErrors"] = len(errors)
        body["errors"] = errors
    return body


def batch_reply(call: Call, results: list[Json], errors: list[Json], *, status: int = 200) -> Reply:
    """The answer to a batch: `status`, or 207 when something failed."""
    return Reply(207 if errors else status, batch_body(call, results, errors, call.portal.clock()))
