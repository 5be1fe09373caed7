"""The settings that shape a plan: when one of them has changed, an approval of the plan is worth nothing any more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from pydantic import SecretStr

from integration_assets.config import NOT_IN_PLANS, ArrSource, Settings, TenantSettings, field_of
from integration_assets.connectors.specs import ProviderKind
from integration_assets.errors import ConfigurationError
from integration_assets.providers import of_kind
from integration_assets.tenants.integrations import file_of
from integration_assets.tenants.settings import internal_systems

if TYPE_CHECKING:
    from integration_assets.tenants.registry.database import Registry

OVERRIDES, SAME_REQUESTS, INTERNAL_SYSTEMS = "overrides", "same_requests", "internal_systems"
_DIGITS = 12


def plan_settings(settings: Settings, tenant: str, registry: Registry | None = None) -> dict[str, str]:
    """A digest by name of every setting that changes what a plan would write.

    What is not known here is left out: a credential where `settings` were made without secrets. A `registry` that is
    open already is used as it is.

    Raises:
        ConfigurationError: a file that settings name, or the registry, cannot be read.
    """
    # Another key may lead to another workspace.
    credentials = _credentials()
    found = {
        name: _digest(value)
        for name in sorted(set(Settings.model_fields) - NOT_IN_PLANS)
        if (value := getattr(settings, name)) is not None or name not in credentials
    }
    found[OVERRIDES] = _digest(_text(settings.overrides_path, "the overrides file"))
    found[SAME_REQUESTS] = _digest(_text(settings.same_requests_path, "the file of same requests"))
    for own in settings.feedbacks:
        for name in (setting.name for setting in own.spec.settings if setting.is_path):
            field = own.spec.variables_by_name[name].of(own.environment.value).lower()
            # Where the file is says less than what is in it.
            if (path := file_of(settings, own, name)) is not None:
                found[field] = _digest([found.get(field), _text(path, own.named(name))])
    systems = internal_systems(settings, tenant, registry) if isinstance(settings, TenantSettings) else ()
    found[INTERNAL_SYSTEMS] = _digest(
        [(one.name, one.base_url, one.auth_flow.value, one.auth, one.endpoints, one.mappings) for one in systems]
    )
    return found


def _text(path: Path, called: str) -> str:
    """Content of a file, empty where there is none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_text("utf-8", errors="replace") if path.exists() else ""
    # Not taken for an empty file: the approval would then be judged by what is not what the run reads.
    except OSError as error:
        raise ConfigurationError(f"{called} {path} cannot be read: {error.strerror}") from error


def changed_settings(settings: Settings, then: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Name the settings that differ between two `plan_settings`, as people call them, or None. Never their values."""
    if not then:  # a plan of an earlier version
        return "settings that it does not name"
    # A credential counts only where both sides know it: pages and commands have none and must not void an approval.
    known = (then.keys() | now.keys()) - (_credentials() - (then.keys() & now.keys()))
    changed = [name for name in sorted(known) if then.get(name) != now.get(name)]
    if not changed:
        return None
    names = ["the internal systems" if name == INTERNAL_SYSTEMS else settings.named(name) for name in changed]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _credentials() -> set[str]:
    secrets = [spec.secret for spec in of_kind(ProviderKind.FEEDBACK) if spec.secret is not None]
    return {field_of(secret.variable, None) for secret in secrets}


def _digest(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple) and not all(isinstance(one, ArrSource) for one in value):
        value = sorted(value)  # of lists, only that of ARR sources means its order
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:_DIGITS]
