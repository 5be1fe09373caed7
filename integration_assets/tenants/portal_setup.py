"""Set a CRM portal up: pin it, show what is missing, create it when agreed, wait until it reads back."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from integration_assets.config import Environment, Settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.crm.base import Crm
from integration_assets.coordination.run_lock import shared_locks
from integration_assets.errors import ConfigurationError, IntegrationError
from integration_assets.models import Portal, PropertyGroup
from integration_assets.providers import schema_file
from integration_assets.reporting.progress import track
from integration_assets.reporting.text import count
from integration_assets.staging.store import hold_store, store_place
from integration_assets.sync.company_rollups import ROLLUPS, read_schema
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.portal import PinDecision, check_portal, pin_portal, pinned_portal
from integration_assets.sync.setup import SetupStep, apply_setup, differences, plan_setup
from integration_assets.tenants.integrations import company_mapping, crm_for
from integration_assets.tenants.portal_claims import check_claims, claims_of

VIEWS = "which views and cards to make in the CRM, with columns and filters: docs/operations/views-in-your-crm.md"
Agree = Callable[[list[str]], bool]
"""Shown the lines of what would be created; says whether to go on."""


class SetupResult(msgspec.Struct, frozen=True):
    """Result of setup: the portal, what was created, and lines for people."""

    environment: str
    portal_id: str
    created: tuple[str, ...]
    lines: tuple[str, ...]
    calls: int

    def to_json(self) -> bytes:
        """The result as JSON, version 1."""
        return msgspec.json.encode({"version": 1, **msgspec.structs.asdict(self)})


async def set_up(settings: Settings, tenant: str, agree: Agree) -> SetupResult:
    """Create what is missing in the portal of the chosen environment, after `agree` has seen it.

    Raises:
        ConfigurationError: wrong portal, our object archived, key not unique, no custom objects, or not agreed.
        HeldError: the object of our name is somebody else's, or is not as a sync needs it; nothing was created.
        TransientError: the portal did not read back complete within six minutes, or could not be reached.
    """
    environment = settings.environment
    calls = CallCounter()
    place = store_place(settings, environment, tenant)
    with hold_store(place, "setup", shared_locks(settings)) as store:
        connection = store.connection
        opening = crm_for(settings, environment, calls, before_write=store.lock.check, setting_up=True)
        async with opening as crm:
            # Before anything is created: the token decides which portal it is, and it must be the one that is meant.
            portal = await crm.portal()
            decision = check_portal(
                environment,
                portal,
                own=settings.crm(environment),
                pinned_id=pinned_portal(connection, environment),
                other_portal_id=await _other_portal_id(settings, environment.other, calls),
            )
            # Checked, not claimed: setup writes no records, and only whoever writes them takes the place.
            check_claims(settings, claims_of(settings, tenant, portal.portal_id))
            names = company_mapping(settings).names()
            rollups = ROLLUPS if settings.company_rollups else None
            live = await read_schema(crm, FEATURE_REQUEST, names, rollups=rollups is not None)
            steps = plan_setup(FEATURE_REQUEST, live, await crm.archived_properties(FEATURE_REQUEST), rollups)
            # Nothing missing: nobody is asked, so that setup can be run again in scripts.
            if steps:
                _ask(_lines(settings, portal, steps), agree)
                await _apply(crm, steps, rollups)
            # After the creation: a setup that failed or was not agreed to leaves the environment free for another
            # portal.
            pin_portal(connection, environment, portal, decision, datetime.now(UTC))
    other = [*live.notes, *(f"left as it is: {line}" for line in differences(FEATURE_REQUEST, live))]
    return _result(settings, portal, steps, decision, calls, other)


def setup_digest(lines: Sequence[str]) -> str:
    """The digest of what is shown of a setup: whoever agreed to these lines has not agreed to others."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


async def show_setup(settings: Settings, tenant: str) -> tuple[str, ...]:
    """The lines of what setup would create in the portal of the chosen environment; empty where nothing is missing.

    Holds no store and writes nothing: whether the portal is the pinned one is checked when it is set up.

    Raises:
        ConfigurationError: another tenant keeps records there, or our object is archived or cannot be there.
        HeldError: the object of our name is somebody else's.
        TransientError: the portal cannot be reached.
    """
    async with crm_for(settings, settings.environment, CallCounter(), setting_up=True) as crm:
        portal = await crm.portal()
        check_claims(settings, claims_of(settings, tenant, portal.portal_id))
        rollups = ROLLUPS if settings.company_rollups else None
        live = await read_schema(crm, FEATURE_REQUEST, company_mapping(settings).names(), rollups=rollups is not None)
        steps = plan_setup(FEATURE_REQUEST, live, await crm.archived_properties(FEATURE_REQUEST), rollups)
    return tuple(_lines(settings, portal, steps)) if steps else ()


def file_to_deploy(settings: Settings, path: Path) -> tuple[bytes, tuple[str, ...]]:
    """The file with our object, and what to do with it at `path`, for an administrator of the CRM.

    Raises:
        ConfigurationError: this CRM has none, or its name ends in another way.
    """
    own = settings.crm(settings.environment)
    content = schema_file(own.spec, FEATURE_REQUEST, own.options, ROLLUPS if settings.company_rollups else None)
    if content is None or own.spec.schema_file is None:
        raise ConfigurationError(f"{own.spec.label} has no file to deploy: run setup without --file")
    if path.suffix != own.spec.schema_file.suffix:
        raise ConfigurationError(f"--file must end in {own.spec.schema_file.suffix}: {path}")
    how = own.spec.schema_file.how.format(file=path)
    return content, (f"{path}: {how}", own.spec.schema_file.then)


async def _other_portal_id(settings: Settings, other: Environment, calls: CallCounter) -> str | None:
    """Portal of the other environment: asked when it can be, else as configured. It is only compared with."""
    configured = settings.crm(other).portal_id
    if configured or not settings.crm(other).configured:
        return configured
    try:
        async with crm_for(settings, other, calls) as crm:
            return (await crm.portal()).portal_id
    # Wrong configuration is told, even of the other environment: it would hide that both are the same portal.
    except ConfigurationError:
        raise
    except IntegrationError:
        # The other environment is not being set up: that it cannot be reached now must not stop this one.
        return None


def _ask(lines: list[str], agree: Agree) -> None:
    if not agree(lines):
        raise ConfigurationError("nothing was created: you did not agree")


def _lines(settings: Settings, portal: Portal, steps: list[SetupStep]) -> list[str]:
    return [f"{_named(settings, portal)} ({portal.kind}) lacks:", *(step.line for step in steps)]


def _named(settings: Settings, portal: Portal) -> str:
    return f"{settings.crm(settings.environment).spec.words.portal} {portal.portal_id}"


async def _apply(crm: Crm, steps: list[SetupStep], rollups: PropertyGroup | None) -> None:
    with track("setup", len(steps)) as advance:
        await apply_setup(
            crm,
            FEATURE_REQUEST,
            steps,
            sleep=asyncio.sleep,
            clock=time.monotonic,
            on_step=lambda _: advance(1),
            rollups=rollups,
        )


def _result(
    settings: Settings,
    portal: Portal,
    steps: list[SetupStep],
    decision: PinDecision,
    calls: CallCounter,
    other: list[str],
) -> SetupResult:
    done = f"{count(len(steps), 'step')} done; all read back" if steps else "nothing is missing"
    total = sum(count.total for count in calls.snapshot())
    return SetupResult(
        settings.environment.value,
        portal.portal_id,
        tuple(step.line for step in steps),
        (
            f"{_named(settings, portal)}: {done}",
            *other,
            decision.message,
            *([VIEWS] if steps else []),
        ),
        total,
    )
