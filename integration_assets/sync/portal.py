"""Check of the portal that may be written to: the pin of an environment, and the kind of account it must be.

Another portal is always a configuration error; no approval releases it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import duckdb
import msgspec

from integration_assets.config import Environment, ProviderSettings
from integration_assets.connectors.specs import PORTAL_ID
from integration_assets.errors import ConfigurationError
from integration_assets.models import Portal, PortalKind
from integration_assets.staging.transactions import transaction
from integration_assets.sync.store import naive_utc

ALLOWED_KINDS: dict[Environment, tuple[PortalKind, ...]] = {
    Environment.PRODUCTION: (PortalKind.STANDARD,),
    Environment.SANDBOX: (PortalKind.SANDBOX, PortalKind.DEVELOPER_TEST),
}


class PinDecision(msgspec.Struct, frozen=True):
    """The portal this environment is tied to. `origin` says how we know; `learnt` deserves a line to the user."""

    portal_id: str
    origin: Literal["configured", "pinned", "learnt"]
    message: str


def check_portal(
    environment: Environment,
    portal: Portal,
    *,
    own: ProviderSettings,
    pinned_id: str | None,
    other_portal_id: str | None,
) -> PinDecision:
    """Decide whether `portal`, which the credential belongs to, is the one to write to.

    `own` are the CRM's settings of this environment, the configured portal id among them; `pinned_id` is what an
    earlier run or `setup` stored, `other_portal_id` the portal of the other environment as far as known.

    Raises:
        ConfigurationError: another portal, one portal for both environments, or an account of the wrong kind.
    """
    setting, configured_id = own.named(PORTAL_ID), own.portal_id
    word = own.spec.words.portal
    # before all else: not even a configured id may lead production and sandbox to one portal
    if other_portal_id == portal.portal_id:
        raise ConfigurationError(
            f"sandbox and production both lead to {word} {portal.portal_id}: give each environment its own "
            f"{own.called_secret}"
        )
    # said by a person, and so before the kind of account, which may then be any
    if configured_id is not None:
        if configured_id != portal.portal_id:
            raise ConfigurationError(
                f"the {environment} {own.called_secret} belongs to {word} {portal.portal_id}, but {setting} is "
                f"{configured_id}: correct one of them"
            )
        return PinDecision(portal.portal_id, "configured", f"{word} {portal.portal_id} as configured by {setting}")
    # before a portal is learnt: a token in the wrong variable would tie the environment to it for good
    _check_kind(environment, portal, own)
    if pinned_id is None:
        return PinDecision(
            portal.portal_id,
            "learnt",
            f"{environment} is tied to {word} {portal.portal_id} ({portal.kind}) from now on",
        )
    if pinned_id != portal.portal_id:
        raise ConfigurationError(
            f"{environment} is tied to {word} {pinned_id}, but the {own.called_secret} belongs to {word} "
            f"{portal.portal_id}: use one of {word} {pinned_id}, or set {setting} to move on purpose"
        )
    return PinDecision(portal.portal_id, "pinned", f"{word} {portal.portal_id} as pinned before")


def _check_kind(environment: Environment, portal: Portal, own: ProviderSettings) -> None:
    allowed = ALLOWED_KINDS[environment]
    if portal.kind not in allowed:
        raise ConfigurationError(
            f"{own.spec.words.portal} {portal.portal_id} is a {portal.kind} account, {environment} needs "
            f"{' or '.join(allowed)}: put the {own.called_secret} of such an account into {own.named('secret')}, or "
            f"set {own.named(PORTAL_ID)}={portal.portal_id} if this is meant"
        )


def pinned_portal(connection: duckdb.DuckDBPyConnection, environment: Environment) -> str | None:
    """The portal id stored for this environment, or None."""
    rows = connection.execute(
        "SELECT portal_id FROM sync.portals WHERE environment = $environment", {"environment": environment.value}
    ).fetchall()
    return str(rows[0][0]) if rows else None


def pin_portal(
    connection: duckdb.DuckDBPyConnection,
    environment: Environment,
    portal: Portal,
    decision: PinDecision,
    now: datetime,
) -> None:
    """Store the decision; nothing changes when the portal was pinned before."""
    # the origin and the time of the first run are kept
    if decision.origin == "pinned":
        return
    with transaction(connection):
        connection.execute(
            "DELETE FROM sync.portals WHERE environment = $environment", {"environment": environment.value}
        )
        connection.execute(
            "INSERT INTO sync.portals VALUES ($environment, $portal_id, $kind, $origin, $now)",
            {
                "environment": environment.value,
                "portal_id": decision.portal_id,
                "kind": portal.kind.value,
                "origin": decision.origin,
                "now": naive_utc(now),
            },
        )
