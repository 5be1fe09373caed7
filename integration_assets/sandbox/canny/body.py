"""Reading and checking request bodies: every key, type and range that an endpoint does not document is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from integration_assets.sandbox.canny.records import milliseconds

Kind = Literal["text", "integer", "number", "boolean", "texts", "object", "objects", "moment"]


class RefusedError(Exception):
    """The request is answered with `status` and `{"error": message}`."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Field:
    """One documented key of a request body."""

    kind: Kind = "text"
    required: bool = False
    low: int | None = None
    high: int | None = None


TEXT = Field()
REQUIRED = Field(required=True)
FLAG = Field("boolean")
SKIP = Field("integer", low=0)
V1_LIMIT = Field("integer", low=1)
V2_LIMIT = Field("integer", low=1, high=100)


def parse(raw: bytes, content_type: str) -> tuple[dict[str, Any], bool]:
    """The body as a dictionary, and whether it came as a form (whose values are all text)."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        pairs = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)
        values = dict(pairs)
        if len(values) != len(pairs):
            raise RefusedError("a parameter was given twice")
        return values, True
    if kind != "application/json":
        raise RefusedError("the body must be JSON or a form")
    try:
        body = json.loads(raw)
    except ValueError:
        raise RefusedError("invalid json") from None
    if not isinstance(body, dict):
        raise RefusedError("the body must be an object")
    return body, False


def check(body: Mapping[str, Any], fields: Mapping[str, Field], *, form: bool) -> dict[str, Any]:
    """The arguments of a call, converted; whatever is not documented is refused."""
    for name in body:
        if name not in fields:
            raise RefusedError(f"unknown parameter: {name}")
    for name, field in fields.items():
        if field.required and name not in body:
            raise RefusedError(f"missing parameter: {name}")
    return {
        name: _value(name, _from_form(value, fields[name]) if form else value, fields[name])
        for name, value in body.items()
    }


def _from_form(value: str, field: Field) -> Any:
    """A form value in the type JSON would have had; as it is when it cannot be converted."""
    if field.kind in ("integer", "number"):
        try:
            return int(value) if field.kind == "integer" else float(value)
        except ValueError:
            return value
    if field.kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    return value


def _value(name: str, value: Any, field: Field) -> Any:
    if not _is(value, field.kind):
        raise RefusedError(f"invalid {name}")
    if field.kind == "integer" and (
        (field.low is not None and value < field.low) or (field.high is not None and value > field.high)
    ):
        raise RefusedError(f"invalid {name}")
    if field.kind == "moment":
        return _moment(name, value)
    return value


def _is(value: Any, kind: Kind) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    match kind:
        case "text" | "moment":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int)
        case "number":
            return isinstance(value, int | float)
        case "texts":
            return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        case "object":
            return isinstance(value, dict)
        case "objects":
            return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
        case "boolean":
            return False


def _moment(name: str, value: str) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise RefusedError(f"invalid {name}") from None
    if moment.tzinfo is None:
        raise RefusedError(f"invalid {name}")
    return milliseconds(moment)
