"""Third-party providers and what may be set of each, and how internal systems are authenticated to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from integration_assets.connectors.specs import ProviderKind, SettingSpec
from integration_assets.pasted import unwrapped
from integration_assets.provider_values import why_no_secret, why_no_setting
from integration_assets.providers import PROVIDERS
from integration_assets.tenants.registry.changes import FieldError, check_secret, check_url
from integration_assets.tenants.registry.words import AuthFlow, Provider, Scope

LONGEST_TEXT = 500
MOST_ENTRIES = 200


SECRET_NAMES: Mapping[AuthFlow, str] = {
    AuthFlow.BASIC: "password",
    AuthFlow.HEADER: "header_value",
    AuthFlow.BEARER: "token",
    AuthFlow.OAUTH2: "client_secret",
}
"""Name of the one secret of a flow; a sealed secret is bound to it. `none` has no secret."""

_REQUIRED: Mapping[AuthFlow, tuple[str, ...]] = {
    AuthFlow.NONE: (),
    AuthFlow.BASIC: (),
    AuthFlow.HEADER: ("header_name",),
    AuthFlow.BEARER: (),
    AuthFlow.OAUTH2: ("token_url", "client_id"),
}
_OPTIONAL: Mapping[AuthFlow, tuple[str, ...]] = {
    AuthFlow.BASIC: ("username",),
    AuthFlow.OAUTH2: ("scope", "audience", "credentials_in"),
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_FORBIDDEN_HEADERS = frozenset(
    {"connection", "content-length", "content-type", "cookie", "expect", "host", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "proxy-authorization", "proxy-connection", "keep-alive"}
)
"""Headers that belong to the client, or would make it speak of another host or another length."""


def auth_fields(flow: AuthFlow) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the fields a flow needs beside its secret, and of those it may have."""
    return _REQUIRED[flow], _OPTIONAL.get(flow, ())


def check_key(provider: Provider, value: str) -> str:
    """A provider's key or token, without what was pasted round it.

    Raises:
        FieldError: it is something else, or no secret at all; the message does not repeat it.
    """
    spec = PROVIDERS[provider].secret
    if spec is None:
        raise FieldError("secret", f"{PROVIDERS[provider].label} has none")
    key = check_secret(unwrapped(value), multiline=spec.multiline)
    if why := why_no_secret(spec, key):
        raise FieldError("secret", why)
    return key


def check_settings(provider: Provider, values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a third-party integration, empty ones left out.

    Raises:
        FieldError: there is no such setting, or it is not of its form.
    """
    known = {setting.name: setting for setting in PROVIDERS[provider].settings}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        # Named at most 60 characters long: the message repeats what was sent.
        if name not in known:
            raise FieldError(f"settings.{name:.60}", f"{PROVIDERS[provider].label} has no such setting")
        # Empty means not set, so that a form can clear a setting.
        if value is None or value in ("", [], ()):
            continue
        checked[name] = _check_setting(f"settings.{name}", known[name], value)
    return checked


def _check_setting(field: str, setting: SettingSpec, value: Any) -> str | list[str]:
    if not setting.many:
        if not isinstance(value, str) or why_no_setting(setting, value):
            raise FieldError(field, setting.hint)
        return value
    # Forms and commands send one text, the API a list.
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple) or len(value) > MOST_ENTRIES:
        raise FieldError(field, f"must be a list of at most {MOST_ENTRIES}")
    if any(not isinstance(part, str) or "," in part or why_no_setting(setting, part) for part in value):
        raise FieldError(field, setting.hint)
    return list(value)


def scopes_of(provider: Provider) -> tuple[Scope, ...]:
    """The environments an integration of this provider may be for; the first is the usual one."""
    own = (Scope.SANDBOX, Scope.PRODUCTION)
    # Which portal is written to is never left open.
    return own if PROVIDERS[provider].kind is ProviderKind.CRM else (Scope.ANY, *own)


def usual_address(provider: Provider) -> str:
    """The address of a provider where nobody names another; empty where every customer has one of their own."""
    address = PROVIDERS[provider].address
    return address.default or "" if address is not None else ""


def is_crm(provider: Provider) -> bool:
    """True if an integration of this provider leads into a CRM."""
    return PROVIDERS[provider].kind is ProviderKind.CRM


def check_environment(provider: Provider, environment: Scope) -> Scope:
    """The environment, if integrations of this provider may be for it.

    Raises:
        FieldError: they may not.
    """
    allowed = scopes_of(provider)
    if environment not in allowed:
        raise FieldError("environment", f"{PROVIDERS[provider].label} needs one of {', '.join(allowed)}")
    return environment


def check_auth(flow: AuthFlow, values: Mapping[str, Any]) -> dict[str, str]:
    """Check and return what a flow needs beside its secret, empty values left out.

    Raises:
        FieldError: something is missing, unknown, or not of its form.
    """
    required, optional = auth_fields(flow)
    # An unknown field is refused, not ignored: a secret typed into the wrong one would be kept in the open.
    for name in values:
        if name not in (*required, *optional):
            raise FieldError(f"auth.{name:.60}", f"the flow {flow} has no such field")
    given = {name: value for name, value in values.items() if value not in (None, "")}
    for name in required:
        if name not in given:
            raise FieldError(f"auth.{name}", f"the flow {flow} needs it")
    return {name: _check_auth_value(name, value) for name, value in given.items()}


def _check_auth_value(name: str, value: Any) -> str:
    field = f"auth.{name}"
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isascii() or not value.isprintable():
        raise FieldError(field, f"must be printable ASCII of at most {LONGEST_TEXT} characters")
    if name == "token_url":
        return check_url(value, field=field)
    # A header of the client's own could send the request to another host or change its length.
    if name == "header_name" and (not _HEADER_NAME.fullmatch(value) or value.lower() in _FORBIDDEN_HEADERS):
        raise FieldError(field, "must be the name of a header that is free to use, such as X-Api-Key")
    if name == "credentials_in" and value not in ("header", "form"):
        raise FieldError(field, "must be header (HTTP Basic, as most systems want it) or form")
    if name == "username" and ":" in value:
        raise FieldError(field, "must not hold a colon: it would end there")
    return value


def check_endpoints(values: Any) -> list[dict[str, Any]]:
    """Endpoints of an internal system: objects with a `path` below the base URL. What else they hold is the reader's.

    Raises:
        FieldError: they are not, or a path leads to another host.
    """
    if not isinstance(values, list | tuple) or len(values) > MOST_ENTRIES:
        raise FieldError("endpoints", f"must be a list of at most {MOST_ENTRIES}")
    for number, endpoint in enumerate(values):
        path = endpoint.get("path") if isinstance(endpoint, dict) else None
        # A path like `//host/` or `@host` would lead the secret to another host than the one that was checked.
        if not isinstance(path, str) or not is_relative_path(path):
            raise FieldError(f"endpoints.{number}.path", "must be a path below the address, such as /v1/accounts")
    return [dict(endpoint) for endpoint in values]


def is_relative_path(path: str) -> bool:
    """True if a path stays at the host it is appended to."""
    return (
        path.startswith("/")
        and not path.startswith("//")
        and len(path) <= LONGEST_TEXT
        and path.isascii()
        and path.isprintable()
        and not set(path) & set(" \\#@")
    )
