"""Check of the portal that may be written to: the pin of an environment, and the kind of account it must be.

Another portal is always a configuration error; no approval releases it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import duckdb
import msgspec

from integration_assets.config import Environment
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
    configured_id: str | None,
    pinned_id: str | None,
    other_portal_id: str | None,
) -> PinDecision:
    """Decide whether `portal`, which the credential belongs to, is the one to write to.

    `configured_id` is the portal id variable of this environment, `pinned_id` what an earlier run or `setup` stored,
    `other_portal_id` the portal of the other environment as far as known.

    Raises:
        ConfigurationError: another portal, one portal for both environments, or an account of the wrong kind.
    """
    token = f"HUBSPOT_{environment.value.upper()}_TOKEN"
    setting = f"HUBSPOT_{environment.value.upper()}_PORTAL_ID"
    # before all else: not even a configured id may lead production and sandbox to one portal
    if other_portal_id == portal.portal_id:
        raise ConfigurationError(
            f"sandbox and production both lead to portal {portal.portal_id}: give each environment its own token"
        )
    # said by a person, and so before the kind of account, which may then be any
    if configured_id is not None:
        if configured_id != portal.portal_id:
            raise ConfigurationError(
                f"the {environment} token belongs to portal {portal.portal_id}, but {setting} is {configured_id}: "
                "correct the token or the variable"
            )
        return PinDecision(portal.portal_id, "configured", f"portal {portal.portal_id} as configured by {setting}")
    # before a portal is learnt: a token in the wrong variable would tie the environment to it for good
    _check_kind(environment, portal, token, setting)
    if pinned_id is None:
        return PinDecision(
            portal.portal_id,
            "learnt",
            f"{environment} is tied to portal {portal.portal_id} ({portal.kind}) from now on",
        )
    if pinned_id != portal.portal_id:
        raise ConfigurationError(
            f"{environment} is tied to portal {pinned_id}, but the token belongs to portal {portal.portal_id}: "
            f"use a token of portal {pinned_id}, or set {setting} to move on purpose"
        )
    return PinDecision(portal.portal_id, "pinned", f"portal {portal.portal_id} as pinned before")


def _check_kind(environment: Environment, portal: Portal, token: str, setting: str) -> None:
    allowed = ALLOWED_KINDS[environment]
    if portal.kind not in allowed:
        raise ConfigurationError(
            f"portal {portal.portal_id} is a {portal.kind} account, {environment} needs {' or '.join(allowed)}: put a "
            f"token of such an account into {token}, or set {setting}={portal.portal_id} if this is meant"
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
