"""Changes a caller may make to an integration, and their rules: absent keeps, None clears, text replaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from integration_assets.connectors.specs import ProviderKind
from integration_assets.errors import ConfigurationError
from integration_assets.providers import of_kind
from integration_assets.tenants.registry.views import UNSET, Unset
from integration_assets.tenants.registry.words import URL_LENGTH, AuthFlow, Provider, Scope

SHORTEST_SHOWN = 20
"""Characters. Of a shorter secret the last four would tell too much."""
LONGEST_SECRET = 4_096
BULLETS = "••••••••"


class FieldError(ConfigurationError):
    """A value cannot be accepted. `field` is its name, so that the message can stand beside it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.reason = message


class SecretNeededError(ConfigurationError):
    """An address or way to authenticate changed: the stored secret is not sent there, it has to be entered again."""

    def __init__(self, changed: tuple[str, ...]) -> None:
        super().__init__(f"enter the secret again: {' and '.join(changed)} changed")
        self.changed = changed


class NotFoundError(ConfigurationError):
    """There is no such record, as far as the asker may know."""


class TakenError(FieldError):
    """There is one already."""


class SharedPortalError(FieldError):
    """Records of this source name are kept in that portal already. The message names nobody; `tenant` is who does."""

    def __init__(self, source_name: str, tenant: str) -> None:
        super().__init__(
            "secret",
            f"leads to a portal in which records with the source name {source_name} are kept already: choose another "
            "source_name for this tenant, or another portal",
        )
        self.tenant = tenant


def source_names_in(settings: Mapping[str, Any], systems: Sequence[str] = ()) -> tuple[str, ...]:
    """The source names that a tenant with these settings and feedback systems keeps its records under."""
    first, *others = systems or (of_kind(ProviderKind.FEEDBACK)[0].name,)
    names = {system: system for system in (first, *others)}
    # Names of systems that are not enabled count as well: once they are, nobody looks here again.
    for entry in filter(None, str(settings.get("source_name") or "").split(",")):
        system, _, name = entry.rpartition("=")
        names[system.strip() or first] = name.strip()
    return tuple(names.values())


class ThirdPartyChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to a third-party integration; what is UNSET stays."""

    base_url: str | Unset = UNSET
    secret: str | Unset | None = UNSET
    settings: Mapping[str, Any] | Unset = UNSET
    enabled: bool | Unset = UNSET
    expires_at: datetime | Unset | None = UNSET
    never_expires: bool | Unset = UNSET


class NewThirdParty(msgspec.Struct, frozen=True, kw_only=True):
    """A third-party integration to be made. `base_url` None: the provider's own."""

    provider: Provider
    environment: Scope
    secret: str | None = None
    base_url: str | None = None
    settings: Mapping[str, Any] = {}
    enabled: bool = True
    expires_at: datetime | None = None
    never_expires: bool = False


class InternalChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to an internal-system integration; what is UNSET stays."""

    name: str | Unset = UNSET
    base_url: str | Unset = UNSET
    auth_flow: AuthFlow | Unset = UNSET
    auth: Mapping[str, str] | Unset = UNSET
    secret: str | Unset | None = UNSET
    endpoints: list[dict[str, Any]] | Unset = UNSET
    mappings: Mapping[str, Any] | Unset = UNSET
    enabled: bool | Unset = UNSET
    expires_at: datetime | Unset | None = UNSET
    never_expires: bool | Unset = UNSET


class NewInternal(msgspec.Struct, frozen=True, kw_only=True):
    """An internal-system integration to be made."""

    name: str
    base_url: str
    auth_flow: AuthFlow = AuthFlow.NONE
    auth: Mapping[str, str] = {}
    secret: str | None = None
    endpoints: list[dict[str, Any]] = []
    mappings: Mapping[str, Any] = {}
    enabled: bool = True
    expires_at: datetime | None = None
    never_expires: bool = False


def check_secret(value: str, *, field: str = "secret", multiline: bool = False) -> str:
    """A secret that may be stored: printable ASCII without spaces around it, and not what we show instead of one.

    Control characters would end a header early and begin another. A `multiline` secret, a private key, is sent in none
    and may have line breaks.

    Raises:
        FieldError: it is none; the message does not repeat it.
    """
    # First: a form that sends back what it was shown would store bullets in the place of the secret.
    if is_masked(value):
        raise FieldError(field, "this is how the stored secret is shown, not a secret: leave it out to keep it")
    if not value or value != value.strip():
        raise FieldError(field, "must not be empty nor begin or end with a space")
    if len(value) > LONGEST_SECRET:
        raise FieldError(field, f"must have at most {LONGEST_SECRET:,} characters")
    lines = value.splitlines() if multiline else [value]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise FieldError(field, "must be printable ASCII, without line breaks or other control characters")
    return value


def is_masked(value: str) -> bool:
    """True if a value is a placeholder of ours, or of the kind that forms use: only stars, dots or bullets."""
    head = value[:-4] if value.startswith(BULLETS) else value
    return bool(head) and set(head) <= set("•*●·.…")


def mask(last4: str | None) -> str:
    """Mask a stored secret as it is shown."""
    return f"{BULLETS}{last4 or ''}"


def last_four(secret: str) -> str | None:
    """The last four characters of a secret that is long enough to show them."""
    return secret[-4:] if len(secret) >= SHORTEST_SHOWN else None


def check_url(value: str, *, field: str = "base_url") -> str:
    """An absolute address without anything that could hide or smuggle: no user, query, fragment, backslash, control.

    Which hosts may be asked is decided elsewhere, at save and at use.

    Raises:
        FieldError: it is none.
    """
    # Before it is parsed: the cost of parsing grows with the length.
    if len(value) > URL_LENGTH:
        raise FieldError(field, f"must have at most {URL_LENGTH:,} characters")
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise FieldError(field, "must be an address in ASCII without spaces, backslashes or control characters")
    try:
        parts = urlsplit(value)
        # Read inside the try: only reading it shows that a port is no number.
        port = parts.port
    except ValueError:
        raise FieldError(field, "is no address: it must look like https://host/path") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise FieldError(field, "must look like https://host/path")
    # A user in an address would be sent as a credential and shown wherever the address is.
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment or "?" in value:
        raise FieldError(field, "must have no user, password, query or fragment in it")
    return value


def target(url: str) -> tuple[str, str, int]:
    """Return where a secret sent to this address goes: scheme, host, port."""
    parts = urlsplit(url)
    # A dot at the end names the same host: without this a secret could be asked for again, or not, by a dot.
    host = (parts.hostname or "").rstrip(".")
    return parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80)
