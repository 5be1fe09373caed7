"""Claims of tenants to a source name in a portal: two that shared one would retire each other's records.

A run claims its portal and source name in the home before it writes; a claim is a file that only one run can make.
What another home claims is not seen here: there, the mark in the records' `managed_state` tells.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from hmac import compare_digest
from pathlib import Path
from uuid import uuid4

import msgspec

from integration_assets.config import DEFAULT_TENANT, Environment, Settings, load_settings
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.staging.store import make_private_directory
from integration_assets.tenants.registry.changes import SharedPortalError, source_names_in
from integration_assets.tenants.registry.views import TenantView
from integration_assets.tenants.settings import registry_tenants, settings_without_secrets
from integration_assets.whole_files import write_whole

DIRECTORY = "portals"


class PortalClaim(msgspec.Struct, frozen=True):
    """A tenant that keeps the records of a source name in a portal."""

    tenant: str
    environment: Environment
    base_url: str
    portal_id: str
    source_name: str


def claims_of(settings: Settings, tenant: str, portal_id: str) -> tuple[PortalClaim, ...]:
    """The claims a run of this tenant has to make: one for each source name."""
    base_url = settings.crm(settings.environment).base_url.rstrip("/")
    names = settings.source_names.values()
    return tuple(PortalClaim(tenant, settings.environment, base_url, portal_id, name) for name in names)


def check_claims(settings: Settings, claims: Sequence[PortalClaim]) -> None:
    """See that no other tenant of this home keeps records in the same places.

    Raises:
        ConfigurationError: one does. It is not named: a tenant does not learn that another exists.
    """
    for claim in claims:
        _check_claim(settings, claim)


def _check_claim(settings: Settings, claim: PortalClaim) -> None:
    other = _read(_path(settings, claim))
    # A tenant that took another one over goes on with its records, as the operator has declared.
    if other is None or other.tenant in {claim.tenant, *settings.former_tenants_of(claim.tenant)}:
        return
    # A claim outlives a tenant that was removed or renamed its source: such a one blocks nobody.
    if _holds(settings, other):
        raise ConfigurationError(
            f"records with the source name {claim.source_name} in portal {claim.portal_id} are kept from elsewhere: "
            f"choose another source name ({settings.named('source_name')}) or another portal; if this tenant took them "
            "over, the operator says so in INTEGRATION_ASSETS_FORMER_TENANTS"
        )


def refuse_operators_portal(operator: Settings, tenant: TenantView, secret: str | None) -> None:
    """See that a tenant's new token is not the one of the environment, with the same source name.

    Raises:
        SharedPortalError: the default tenant works on the environment, with that token.
    """
    # The default tenant is who works on the environment: it may use its own token.
    if secret is None or tenant.slug == DEFAULT_TENANT:
        return
    if DEFAULT_TENANT in operator.former_tenants_of(tenant.slug):  # the operator says that it takes the records over
        return
    tokens = [token.get_secret_value() for one in Environment if (token := operator.crm(one).secret) is not None]
    shared = set(operator.source_names.values()).intersection(source_names_in(tenant.settings))
    on_environment = settings_without_secrets(operator, DEFAULT_TENANT) is operator
    # In constant time, since the one who typed the secret sees how long the comparison takes.
    if shared and on_environment and any(compare_digest(secret.encode(), token.encode()) for token in tokens):
        raise SharedPortalError(min(shared), DEFAULT_TENANT)


def claim_portal(settings: Settings, claims: Sequence[PortalClaim]) -> None:
    """Claim the places, and give up what this tenant and environment claimed before.

    Raises:
        ConfigurationError: another tenant keeps records there.
        PermanentError: the claim cannot be written.
    """
    paths = {_path(settings, claim): claim for claim in claims}
    folder = settings.home / DIRECTORY
    try:
        make_private_directory(folder)
        for path, claim in paths.items():
            # Made before it is checked: of two runs at once exactly one makes the file, and the other finds it.
            _make(path, claim)
            _check_claim(settings, claim)
            if _read(path) != claim:  # a claim that nobody keeps any more, or this tenant's of the other environment
                write_whole(path, msgspec.json.encode(claim))
        # Last: killed in between, the tenant holds more claims than it needs, never too few.
        for other in _mine(folder, claims[0]):
            if other not in paths:
                other.unlink(missing_ok=True)
    except OSError as error:
        raise PermanentError(f"the claim of the portal cannot be kept in {folder}: {error.strerror}") from error


def claims_of_tenant(home: Path, tenant: str) -> list[Path]:
    """Files of the claims of a tenant, in both environments."""
    files = sorted((home / DIRECTORY).glob("*.json"))
    return [file for file in files if (known := _read(file)) is not None and known.tenant == tenant]


def _path(settings: Settings, claim: PortalClaim) -> Path:
    place = f"{claim.base_url}\n{claim.portal_id}\n{claim.source_name}"
    return settings.home / DIRECTORY / f"{hashlib.sha256(place.encode()).hexdigest()[:24]}.json"


def _read(path: Path) -> PortalClaim | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=PortalClaim)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _make(path: Path, claim: PortalClaim) -> None:
    """Make the file whole, unless there is one."""
    part = path.with_name(f".{uuid4().hex}")
    part.write_bytes(msgspec.json.encode(claim))
    try:
        # A link fails where the file exists, and appears with its content: rename would overwrite, and open would show
        # it empty.
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()


def _mine(directory: Path, claim: PortalClaim) -> Iterator[Path]:
    for path in directory.glob("*.json"):
        known = _read(path)
        if known is not None and (known.tenant, known.environment) == (claim.tenant, claim.environment):
            yield path


def _holds(settings: Settings, claim: PortalClaim) -> bool:
    """True if the tenant of a claim still exists, and still is set to keep records under that source name."""
    operator = load_settings(environment=claim.environment)
    # Asked of the registry, not of the files: they may be those of a tenant that is gone.
    if claim.tenant != DEFAULT_TENANT and claim.tenant not in (registry_tenants(settings) or ()):
        return False
    try:
        own = settings_without_secrets(operator, claim.tenant)
    except ConfigurationError:  # it has no integrations any more
        return False
    return claim.source_name in own.source_names.values()
