"""Bodies of the API, as types: they decode strictly, and the OpenAPI document is made of them.

Absent keeps, null clears, a value replaces. Secrets go in and never come out.
"""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET as ABSENT
from msgspec import Meta, UnsetType

from integration_assets.tenants.registry.changes import (
    LONGEST_SECRET,
    InternalChanges,
    NewInternal,
    NewThirdParty,
    ThirdPartyChanges,
)
from integration_assets.tenants.registry.views import UNSET
from integration_assets.tenants.registry.words import NAME_LENGTH, URL_LENGTH, AuthFlow, Provider, Scope
from integration_assets.web.problems import Problem

Url = Annotated[str, Meta(max_length=URL_LENGTH, description="Without user, query and fragment.")]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH)]
Secret = Annotated[str, Meta(min_length=1, max_length=LONGEST_SECRET, description="Printable ASCII. Never sent back.")]
Moment = Annotated[datetime, Meta(tz=True)]
SettingValue = str | list[str] | None
AuthValue = str | None
B = TypeVar("B", bound="Body")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON object without other fields than these."""


class ThirdPartyCreate(Body):
    """A new third-party integration. `base_url` null or absent: the provider's own."""

    provider: Provider
    environment: Scope
    secret: Secret | None = None
    base_url: Url | None = None
    settings: dict[str, SettingValue] = {}
    enabled: bool = True
    expires_at: Moment | None = None
    never_expires: bool = False

    def new(self) -> NewThirdParty:
        """As the repository wants it."""
        return NewThirdParty(**msgspec.structs.asdict(self))


class ThirdPartyUpdate(Body):
    """Changes to a third-party integration. Of `settings` too, absent keeps and null clears."""

    secret: Secret | UnsetType | None = ABSENT
    base_url: Url | UnsetType = ABSENT
    settings: dict[str, SettingValue] | UnsetType = ABSENT
    enabled: bool | UnsetType = ABSENT
    expires_at: Moment | UnsetType | None = ABSENT
    never_expires: bool | UnsetType = ABSENT

    def changes(self) -> ThirdPartyChanges:
        """As the repository wants them."""
        return ThirdPartyChanges(**_given(self))


class InternalCreate(Body):
    """A new internal-system integration."""

    name: Name
    base_url: Url
    auth_flow: AuthFlow = AuthFlow.NONE
    auth: dict[str, AuthValue] = {}
    secret: Secret | None = None
    endpoints: list[dict[str, Any]] = []
    mappings: dict[str, Any] = {}
    enabled: bool = True
    expires_at: Moment | None = None
    never_expires: bool = False

    def new(self) -> NewInternal:
        """As the repository wants it."""
        values = msgspec.structs.asdict(self)
        # A new integration has nothing to clear: null and absent are the same here.
        values["auth"] = {name: value for name, value in self.auth.items() if value is not None}
        return NewInternal(**values)


class InternalUpdate(Body):
    """Changes to an internal-system integration. Of `auth` and `mappings` too, absent keeps and null clears."""

    name: Name | UnsetType = ABSENT
    base_url: Url | UnsetType = ABSENT
    auth_flow: AuthFlow | UnsetType = ABSENT
    auth: dict[str, AuthValue] | UnsetType = ABSENT
    secret: Secret | UnsetType | None = ABSENT
    endpoints: list[dict[str, Any]] | UnsetType = ABSENT
    mappings: dict[str, Any] | UnsetType = ABSENT
    enabled: bool | UnsetType = ABSENT
    expires_at: Moment | UnsetType | None = ABSENT
    never_expires: bool | UnsetType = ABSENT

    def changes(self) -> InternalChanges:
        """As the repository wants them."""
        return InternalChanges(**_given(self))


class Session(msgspec.Struct, frozen=True):
    """The logged-in user. `csrf_token` goes into the header X-CSRF-Token of every changing request."""

    login: str
    role: str
    tenant: str | None
    csrf_token: str


class Tried(msgspec.Struct, frozen=True):
    """Outcome of a connection test: one of a few words, and what it means. Nothing the other side said."""

    outcome: str
    meaning: str


class FieldProblem(msgspec.Struct, frozen=True):
    """Message about one field."""

    field: str
    message: str


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: list[FieldProblem] = []


_WHERE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>[a-z_]+)`$")


def decoded(body: bytes, kind: type[B]) -> B:
    """A body as its type.

    Raises:
        Problem: it is not; names the field and never repeats what was sent in it.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        # The text of the decoder names type and path; the one that repeats a value, which may be a secret, is replaced.
        raise Problem(HTTPStatus.BAD_REQUEST, "some fields cannot be accepted", _field_error(str(error))) from None
    # A body of brackets nested thousands deep ends in a RecursionError: the caller's mistake, not ours.
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is no JSON object") from None


def _field_error(text: str) -> dict[str, str]:
    where = _WHERE.search(text)
    message = text[: where.start()] if where else text
    field = where["path"].replace("[", ".").replace("]", "").strip(".") if where else ""
    if unknown := _UNKNOWN.match(message):
        # Cut: the name is whatever was sent, and comes back in the answer.
        return {_joined(field, unknown["name"][:60]): "there is no such field"}
    if missing := _MISSING.match(message):
        return {_joined(field, missing["name"]): "is needed"}
    # The decoder repeats the value here; the fixed words do not.
    if message.startswith("Invalid enum value"):
        return {field or "body": "is none of the values there are"}
    return {field or "body": message[:1].lower() + message[1:]}


def _joined(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _given(body: Body) -> dict[str, Any]:
    """Fields that are there; the others stay as they are."""
    return {
        name: UNSET if value is ABSENT else value for name in body.__struct_fields__ for value in (getattr(body, name),)
    }
