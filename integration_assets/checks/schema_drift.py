"""Schema drift: this environment against what is declared in code, and sandbox against production; by name only."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import msgspec

from integration_assets.checks.base import Check, CheckResult, GateSettings, Severity, query, sample
from integration_assets.config import Environment
from integration_assets.models import LiveSchema
from integration_assets.staging.tables import has_table
from integration_assets.sync.company_rollups import ROLLUPS
from integration_assets.sync.drift import RAISE_LIMIT, Drift, environments_differ, target_problems
from integration_assets.sync.drift import Severity as DriftSeverity
from integration_assets.sync.feature_request_object import FEATURE_REQUEST

ASSET = "raw_crm_schema"


class _Portal(msgspec.Struct, frozen=True):
    """A portal as read: its schema, or why there is none."""

    schema: LiveSchema | None
    reason: str


def _portals(connection: duckdb.DuckDBPyConnection) -> dict[str, _Portal]:
    """The portals by role."""
    return {
        role: _Portal(
            msgspec.json.decode(text, type=LiveSchema) if text else None, reason or "its schema could not be read"
        )
        for role, _, reason, text in query(connection, "portals")
    }


def schema_as_expected(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Check that everything we write exists in this environment, as declared."""
    portal, drifts = _target(connection, settings)
    if portal is None or portal.schema is None:
        # What could not be looked at cannot be written to.
        reason = portal.reason if portal else "the schema of this environment was not read"
        return CheckResult("crm_schema_as_expected", ASSET, "ERROR", passed=False, detail=reason)
    errors = [drift for drift in drifts if drift.severity is DriftSeverity.ERROR]
    return _result("crm_schema_as_expected", "ERROR", errors, f"{settings.environment} is as declared")


def schema_differs(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn of what is not as declared and can still be written."""
    _, drifts = _target(connection, settings)
    # Limits of links have a check of their own, with another remedy.
    warnings = [drift for drift in drifts if drift.severity is DriftSeverity.WARN and drift.remedy != RAISE_LIMIT]
    return _result("crm_schema_differs", "WARN", warnings, "nothing is shown in another way than declared")


def link_limits(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn when one request has more companies or voters than a record may be linked to."""
    _, drifts = _target(connection, settings)
    warnings = [drift for drift in drifts if drift.remedy == RAISE_LIMIT]
    return _result("crm_link_limits", "WARN", warnings, "every request fits the portal's link limits")


def environments_agree(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Check that what was tried in the sandbox is what production will do."""
    portals = _portals(connection)
    target, other = portals.get("target"), portals.get("other")
    production = settings.environment is Environment.PRODUCTION
    # A warning here: `crm_schema_as_expected` closes the gate for the same reason, and one error is enough.
    if target is None or target.schema is None:
        detail = "not compared: this environment's schema was not read"
        return CheckResult("environments_agree", ASSET, "WARN", passed=False, detail=detail)
    drifts = environments_differ(
        target.schema,
        other.schema if other else None,
        expected=FEATURE_REQUEST,
        link_contacts=settings.link_contacts,
        production=production,
        company_properties=settings.company_properties,
        why_unreadable=other.reason if other else "it was not read",
    )
    # The comparison says how bad a difference is: it knows whether production is what will be written to.
    worst: Severity = "ERROR" if any(drift.severity is DriftSeverity.ERROR for drift in drifts) else "WARN"
    return _result("environments_agree", worst, drifts, "sandbox and production agree in what is used")


def _target(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> tuple[_Portal | None, Sequence[Drift]]:
    portal = _portals(connection).get("target")
    if portal is None or portal.schema is None:
        return portal, ()
    most_companies, most_contacts = _most_links(connection)
    return portal, target_problems(
        FEATURE_REQUEST,
        portal.schema,
        link_contacts=settings.link_contacts,
        company_properties=settings.company_properties,
        most_companies=most_companies,
        # Without links to contacts, however many voters there are, none of them needs room.
        most_contacts=most_contacts if settings.link_contacts else 0,
        rollups=ROLLUPS if settings.company_rollups else None,
    )


def _most_links(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    # Nothing is linked before the first resolution, so no limit can be too low.
    if not has_table(connection, "resolved", "votes"):
        return 0, 0
    [(companies, voters)] = query(connection, "most_links")
    return companies, voters


def _result(name: str, severity: Severity, drifts: Sequence[Drift], fine: str) -> CheckResult:
    listed = "; ".join(drift.text for drift in drifts[:3])
    more = f"; and {len(drifts) - 3} more" if len(drifts) > 3 else ""
    rows = sample(
        ("name", "severity", "detail", "remedy"), ((d.name, d.severity.value, d.detail, d.remedy) for d in drifts)
    )
    return CheckResult(name, ASSET, severity, not drifts, f"{listed}{more}" if drifts else fine, rows)


CHECKS = (
    Check(
        "crm_schema_as_expected",
        ASSET,
        "ERROR",
        "Object, properties and link labels of this environment are as declared, by name.",
        schema_as_expected,
        "write",
    ),
    Check("crm_schema_differs", ASSET, "WARN", "The portal shows our properties as declared.", schema_differs),
    Check("crm_link_limits", ASSET, "WARN", "No request has more links than the portal allows.", link_limits),
    Check(
        "environments_agree",
        ASSET,
        "ERROR",
        "Sandbox and production agree in what is used; a difference is an error when production is written to.",
        environments_agree,
        "write",
    ),
)
