"""Whether a run would get through: configuration, store, keys, scopes, portal and schema, each tried for real.

Nothing is written anywhere but in the product's own home. Each finding says what was seen and, unless all is well,
the one thing to do about it.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from integration_assets import __version__
from integration_assets.config import Environment, Settings, variable
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import EXIT_USAGE, ConfigurationError, IntegrationError
from integration_assets.models import LiveSchema, Portal
from integration_assets.staging.store import open_store, store_path
from integration_assets.sync.drift import Drift, Severity, environments_differ, target_problems
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.portal import check_portal, pinned_portal
from integration_assets.tenants.integrations import company_mapping, crm_for, feedback_for, missing_variables

PATIENCE_SECONDS = 12.0
"""A system that has not answered by then is reported as unreachable; the whole examination stays below 15 s."""
FREE_BYTES = 1_000_000_000


class Verdict(StrEnum):
    """How one check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True):
    """One check: what was seen, and what to do about it when it is not ok. `usage`: a setting is missing or wrong."""

    check: str
    verdict: Verdict
    seen: str
    fix: str = ""
    usage: bool = False


async def examine(settings: Settings, tenant: str) -> list[Finding]:
    """All findings for a tenant's environment, in the order a run would meet them."""
    findings = [_installation(), _configuration(settings), _home(settings.home)]
    pinned, store = _store(settings, tenant)
    findings.append(store)
    calls = CallCounter()
    groups = await asyncio.gather(
        _feedback(settings, calls),
        _crm(settings, settings.environment, pinned, calls),
        _other_crm(settings, calls),
        _slack(settings),
    )
    (feedback, crm, (other, other_portal, other_schema), slack) = groups
    own, portal, schema = crm
    findings += [*feedback, *own, *other]
    findings += _identity(settings, portal, other_portal, pinned)
    findings += _schema_findings(settings, schema, other_schema)
    findings += slack
    return findings


def exit_code(findings: Iterable[Finding]) -> int:
    """0 when nothing failed, 2 when configuration is why something did, else 1."""
    failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    if not failed:
        return 0
    return EXIT_USAGE if any(finding.usage for finding in failed) else 1


def to_json(findings: list[Finding]) -> bytes:
    """`{"version":1,"findings":[{"check":…,"verdict":…,"seen":…,"fix":…}]}`."""
    return msgspec.json.encode({"version": 1, "product": __version__, "findings": findings})


_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red", Verdict.UNKNOWN: "cyan"}


def show(findings: list[Finding], console: Console) -> None:
    """A table for people."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        text = finding.seen + (f"\n→ {finding.fix}" if finding.fix else "")
        table.add_row(f"[{_STYLES[finding.verdict]}]{finding.verdict}[/]", finding.check, text)
    console.print(table)


# ----------------------------------------------------------------------------------------------------- this machine


def _installation() -> Finding:
    return Finding("installation", Verdict.OK, f"integration-assets {__version__}, Python {platform.python_version()}")


def _configuration(settings: Settings) -> Finding:
    missing = missing_variables(settings)
    if missing:
        return Finding(
            "configuration", Verdict.FAIL, f"not set: {', '.join(missing)}", f"set {' and '.join(missing)}", usage=True
        )
    if settings.hubspot_arr_property is None:
        return Finding(
            "configuration",
            Verdict.WARN,
            f"{settings.named('hubspot_arr_property')} is not set: ARR comes from the next source",
            f"set {settings.named('hubspot_arr_property')} to the company property that holds ARR",
        )
    return Finding("configuration", Verdict.OK, f"environment {settings.environment}")


def _home(home: Path) -> Finding:
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".doctor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            "home",
            Verdict.FAIL,
            f"{home} cannot be written: {error.strerror}",
            f"set {variable('home')} to a writable folder",
            usage=True,
        )
    free = shutil.disk_usage(home).free
    if free < FREE_BYTES:
        return Finding("home", Verdict.WARN, f"{home}: only {free / 1e9:.1f} GB free", "free some disk space")
    return Finding("home", Verdict.OK, f"{home} is writable, {free / 1e9:.0f} GB free")


def _store(settings: Settings, tenant: str) -> tuple[str | None, Finding]:
    """The portal pinned in the staging store, and whether the store opens."""
    try:
        path = store_path(settings.home, settings.store_url, settings.environment, tenant)
        if not path.exists():
            return None, Finding("staging store", Verdict.OK, f"{path} does not exist yet: the first run makes it")
        with open_store(path, "doctor") as connection:
            return pinned_portal(connection, settings.environment), Finding("staging store", Verdict.OK, str(path))
    except IntegrationError as error:
        usage = isinstance(error, ConfigurationError)
        return None, Finding("staging store", Verdict.FAIL, error.message, "see the message", usage=usage)


# ------------------------------------------------------------------------------------------------------- the systems


@asynccontextmanager
async def _catching(findings: list[Finding], check: str, fix: str) -> AsyncIterator[None]:
    """Turn what stops a check into a finding."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield
    except IntegrationError as error:
        usage = isinstance(error, ConfigurationError)
        findings.append(Finding(check, Verdict.FAIL, error.message, fix, usage=usage))
    except TimeoutError:
        findings.append(Finding(check, Verdict.FAIL, f"no answer within {PATIENCE_SECONDS:.0f} s", fix))


async def _feedback(settings: Settings, calls: CallCounter) -> list[Finding]:
    findings: list[Finding] = []
    if settings.canny_api_key is None:
        return [_not_tried(settings, "feedback system", "canny_api_key")]
    async with (
        _catching(
            findings,
            "feedback system",
            f"check {settings.named('canny_api_key')} and {settings.named('canny_base_url')}",
        ),
        feedback_for(settings, calls) as feedback,
    ):
        findings.append(Finding("feedback system", Verdict.OK, await feedback.check()))
    return findings


CrmFindings = tuple[list[Finding], Portal | None, LiveSchema | None]


async def _crm(settings: Settings, environment: Environment, pinned: str | None, calls: CallCounter) -> CrmFindings:
    findings: list[Finding] = []
    portal: Portal | None = None
    schema: LiveSchema | None = None
    token = f"hubspot_{environment.value}_token"
    check = f"CRM ({environment})"
    if settings.hubspot(environment)[0] is None:
        return [_not_tried(settings, check, token)], None, None
    async with (
        _catching(findings, check, f"check {settings.named(token)}"),
        crm_for(settings, environment, calls) as crm,
    ):
        portal = await crm.portal()
        findings.append(Finding(check, Verdict.OK, f"portal {portal.portal_id}, {portal.kind}, {portal.currency}"))
        if environment is settings.environment:
            findings += await _scopes(crm, settings, token)
        schema = await crm.schema(FEATURE_REQUEST, company_mapping(settings).names())
        if environment is settings.environment:
            findings.append(_quota(crm))
    return findings, portal, schema


async def _other_crm(settings: Settings, calls: CallCounter) -> CrmFindings:
    """The other environment is only read; that it fails is a warning, and that it is not configured too."""
    findings, portal, schema = await _crm(settings, settings.environment.other, None, calls)
    softened = [
        msgspec.structs.replace(finding, verdict=Verdict.WARN, usage=False)
        if finding.verdict in (Verdict.FAIL, Verdict.UNKNOWN)
        else finding
        for finding in findings
    ]
    return softened, portal, schema


async def _scopes(crm: Crm, settings: Settings, token: str) -> list[Finding]:
    granted = await crm.granted_scopes()
    if granted is None:
        return [Finding("CRM scopes", Verdict.UNKNOWN, "the CRM does not say which scopes the token has")]
    missing = crm.needed_scopes(setup=False, link_contacts=settings.link_contacts) - granted
    if missing:
        return [
            Finding(
                "CRM scopes",
                Verdict.FAIL,
                f"missing: {', '.join(sorted(missing))}",
                f"grant them to the token in {settings.named(token)}",
            )
        ]
    later = crm.needed_scopes(setup=True, link_contacts=settings.link_contacts) - granted
    if later:
        return [Finding("CRM scopes", Verdict.OK, f"all granted; `setup` would also need {', '.join(sorted(later))}")]
    return [Finding("CRM scopes", Verdict.OK, "all granted, those of `setup` included")]


def _quota(crm: Crm) -> Finding:
    quota = crm.quota
    if quota.daily_remaining is None:
        return Finding("CRM quota", Verdict.UNKNOWN, "the CRM does not say how many calls are left today")
    return Finding("CRM quota", Verdict.OK, f"{quota.daily_remaining:,} calls left today")


def _identity(settings: Settings, portal: Portal | None, other: Portal | None, pinned: str | None) -> list[Finding]:
    if portal is None:
        return []
    try:
        decision = check_portal(
            settings.environment,
            portal,
            configured_id=settings.hubspot(settings.environment)[2],
            pinned_id=pinned,
            other_portal_id=other.portal_id if other else None,
        )
    except ConfigurationError as error:
        return [Finding("portal", Verdict.FAIL, error.message, "see the message", usage=True)]
    if decision.origin == "learnt":
        return [Finding("portal", Verdict.OK, f"not pinned yet: `setup` or the first sync pins {decision.portal_id}")]
    return [Finding("portal", Verdict.OK, decision.message)]


def _schema_findings(settings: Settings, schema: LiveSchema | None, other: LiveSchema | None) -> list[Finding]:
    if schema is None:
        return []
    names = company_mapping(settings).names()
    drifts = target_problems(FEATURE_REQUEST, schema, link_contacts=settings.link_contacts, company_properties=names)
    if schema.object_present:
        drifts += environments_differ(
            schema,
            other,
            expected=FEATURE_REQUEST,
            link_contacts=settings.link_contacts,
            production=settings.environment is Environment.PRODUCTION,
            company_properties=names,
        )
    if not drifts:
        return [Finding("CRM schema", Verdict.OK, "as expected, and equal in both environments")]
    return [_drift_finding(drift, settings) for drift in drifts]


def _drift_finding(drift: Drift, settings: Settings) -> Finding:
    """A drift with what to do: what is missing `setup` creates, what exists and is wrong a person has to change."""
    for field in ("hubspot_arr_property", "hubspot_currency_property", "hubspot_account_id_property"):
        if drift.name == f"company.{getattr(settings, field)}":
            fix = f"correct {settings.named(field)}, or create the property"
            return Finding("CRM schema", Verdict.FAIL, f"{drift.name}: {drift.detail}", fix, usage=True)
    verdict = Verdict.FAIL if drift.severity is Severity.ERROR else Verdict.WARN
    seen, advice, _ = f"{drift.name}: {drift.detail}".partition("; run `setup`")
    if advice:
        command = f"integration-assets setup --environment {settings.environment}"
        return Finding("CRM schema", verdict, seen, f"run `{command}`")
    fix = "change it in the CRM's settings: `setup` changes nothing that exists" if verdict is Verdict.FAIL else ""
    return Finding("CRM schema", verdict, seen, fix)


async def _slack(settings: Settings) -> list[Finding]:
    if settings.slack_bot_token is None or settings.slack_channel is None:
        return [Finding("Slack", Verdict.WARN, "not configured: the summary is printed only")]
    from integration_assets.reporting.slack_posting import check_slack  # noqa: PLC0415 - slack_sdk is slow to import

    problem = await asyncio.to_thread(check_slack, settings)
    if problem:
        return [Finding("Slack", Verdict.WARN, problem, f"check {settings.named('slack_bot_token')}")]
    return [Finding("Slack", Verdict.OK, "the token is valid")]


def _not_tried(settings: Settings, check: str, field: str) -> Finding:
    return Finding(check, Verdict.UNKNOWN, f"not tried: {settings.named(field)} is not set")
