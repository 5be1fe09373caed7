"""A request on its way to a handler, and the answer it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import QueryParams

from integration_assets.sandbox.twenty.errors import Json, refused
from integration_assets.sandbox.twenty.workspace import Workspace


@dataclass
class Call:
    """One request, its path taken apart."""

    workspace: Workspace
    params: Mapping[str, str]
    query: QueryParams
    raw: bytes

    @property
    def body(self) -> Any:
        """The decoded JSON body.

        Raises:
            ApiError: 400, it is none.
        """
        try:
            return msgspec.json.decode(self.raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise refused("Invalid JSON body") from None

    @property
    def fields(self) -> Json:
        """The decoded body, which must be an object."""
        if not isinstance(self.body, dict):
            raise refused("Input must be an object")
        return self.body

    def number(self, name: str, default: int) -> int:
        """A query parameter that is a whole number."""
        text = self.query.get(name)
        if text is not None and not text.isdigit():
            raise refused(f"{name} '{text}' is invalid. Should be a number")
        return default if text is None else int(text)


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: Json
