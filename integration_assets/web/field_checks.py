"""Checks of values before they are stored: of every field, so that each message stands beside its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from integration_assets.config import Settings
from integration_assets.connectors.internal.description import (
    MOST_ENDPOINTS,
    DescriptionError,
    describe,
    wrong_mappings,
)
from integration_assets.tenants.address_policies import check_internal_urls, check_third_party_url
from integration_assets.tenants.registry.changes import FieldError, NotFoundError, check_secret, check_url
from integration_assets.tenants.registry.providers import (
    auth_fields,
    check_auth,
    check_environment,
    check_key,
    check_settings,
)
from integration_assets.tenants.registry.words import NAME_LENGTH, AuthFlow, Provider, Scope
from integration_assets.web.problems import refuse

Check = Callable[[], object]
_RECORD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def refuse_wrong(checks: Iterable[Check], known: Mapping[str, str] | None = None) -> None:
    """Make all checks; `known` are messages that there are already.

    Raises:
        Problem: one or more refused; `errors` has the first message of each field.
    """
    errors = dict(known or {})
    for check in checks:
        try:
            check()
        except FieldError as error:
            # The first message of a field: what follows is often only its consequence.
            errors.setdefault(error.field, error.reason)
    refuse(errors)


def record_id(text: str) -> str:
    """The id of a record, if it has the form of one.

    Raises:
        NotFoundError: there can be no such record.
    """
    # As not found, not as wrong: no difference shows which ids exist, and no odd text reaches the database.
    if not _RECORD_ID.fullmatch(text):
        raise NotFoundError("there is no such integration")
    return text


def secret_checks(secret: str | None) -> list[Check]:
    """Checks of a new secret of an internal system, if there is one."""
    return [] if secret is None else [lambda: check_secret(secret)]


def key_checks(provider: Provider, secret: str | None) -> list[Check]:
    """Checks of a new key or token of a provider, if there is one."""
    return [] if secret is None else [lambda: check_key(provider, secret)]


def third_party_address_checks(settings: Settings, provider: Provider, url: str) -> list[Check]:
    """Check that an address has the form of one and may be asked for this provider."""
    return [lambda: check_url(url), lambda: check_third_party_url(settings, provider, url)]


def internal_address_checks(settings: Settings, tenant: str, url: str) -> list[Check]:
    """Check that an address has the form of one and may be asked for an internal system of this tenant."""
    return [lambda: check_url(url), lambda: check_internal_urls(settings, tenant, url, {})]


def settings_checks(provider: Provider, values: Mapping[str, Any]) -> list[Check]:
    """One check for each setting."""

    def one(name: str, value: Any) -> Check:
        return lambda: check_settings(provider, {name: value})

    return [one(name, value) for name, value in values.items()]


def place_checks(provider: Provider, environment: Scope) -> list[Check]:
    """Check that there may be an integration of this provider for this environment."""
    return [lambda: check_environment(provider, environment)]


def auth_checks(settings: Settings, tenant: str, flow: AuthFlow, auth: Mapping[str, Any]) -> list[Check]:
    """Checks of what a flow needs beside its secret, each by itself; a token URL must be one that may be asked."""
    required, _ = auth_fields(flow)
    # The other fields are filled with sound values, or one missing field would hide what is wrong with the rest.
    sound = {name: _SOUND_AUTH[name] for name in required}
    names = list(dict.fromkeys((*required, *auth)))

    def check(name: str) -> None:
        checked = check_auth(flow, {**sound, name: auth.get(name)})
        if name == "token_url":
            _check_token_url(settings, tenant, checked[name])

    def one(name: str) -> Check:
        return lambda: check(name)

    return [one(name) for name in names]


def _check_token_url(settings: Settings, tenant: str, url: str) -> None:
    try:
        check_internal_urls(settings, tenant, url, {})
    # The check names the field `base_url`; on the page the token URL has a message of its own.
    except FieldError as error:
        raise FieldError("auth.token_url", error.reason) from None


_SOUND_AUTH = {
    "username": "name",
    "header_name": "X-Api-Key",
    "token_url": "https://login.example/token",
    "client_id": "id",
}
"""Values to stand beside the one that is looked at."""


def description_checks(endpoints: Sequence[Mapping[str, Any]], mappings: Mapping[str, Any]) -> list[Check]:
    """Checks of what is asked of an internal system, and of what its answers mean.

    One per endpoint and one per wrong mapping. The first line of a description is no use without the others, so each is
    looked at beside sound ones.
    """

    def described(endpoints: Sequence[Mapping[str, Any]], mappings: Mapping[str, Any], number: int | None) -> None:
        try:
            describe(endpoints, mappings)
        except DescriptionError as error:
            # Each endpoint is looked at alone, as number 0: its message belongs beside its own form.
            field = error.field if number is None else error.field.replace("endpoints.0", f"endpoints.{number}", 1)
            raise FieldError(field, error.reason) from None

    def raising(error: FieldError) -> Check:
        def check() -> None:
            raise error

        return check

    def one(number: int, endpoint: Mapping[str, Any]) -> Check:
        return lambda: described([endpoint], _SOUND_MAPPINGS, number)

    checks = [one(number, endpoint) for number, endpoint in enumerate(endpoints)]
    # All that is wrong with them, not the first alone: each message stands beside its own field.
    checks += [raising(FieldError(error.field, error.reason)) for error in wrong_mappings(mappings)]
    # Only the number is wrong then, which no endpoint by itself can say.
    if not 1 <= len(endpoints) <= MOST_ENDPOINTS:
        checks.append(lambda: described(endpoints, _SOUND_MAPPINGS, None))
    return checks


_SOUND_MAPPINGS = {"row_id": "id", "domain": "domain", "arr": "arr"}


def expiry_checks(expires_at: datetime | None) -> list[Check]:
    """A secret that has expired already is a mistake of the one who typed it."""

    def future() -> None:
        # A time without a zone is refused elsewhere; comparing it here would raise.
        if expires_at is not None and expires_at.tzinfo is not None and expires_at < datetime.now(UTC):
            raise FieldError("expires_at", "is in the past")

    return [future]


def name_checks(name: str) -> list[Check]:
    """Checks of an internal system's name."""

    def named() -> None:
        if not name.strip() or len(name) > NAME_LENGTH or not name.isprintable():
            raise FieldError("name", f"must be text of 1 to {NAME_LENGTH} characters without control characters")

    return [named]
