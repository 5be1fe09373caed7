"""Trying one integration of either kind for real, and saying how it went in one of a few fixed words.

No answer of the other side is passed on: whoever may choose an address must not read with our eyes what stands there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from pydantic import SecretStr

from integration_assets.config import Environment, Settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.internal.connector import Preview
from integration_assets.connectors.internal.description import describe
from integration_assets.connectors.specs import ProviderKind
from integration_assets.errors import ConfigurationError, CredentialError, IntegrationError, QuotaError, TransientError
from integration_assets.providers import PROVIDERS
from integration_assets.tenants.address_policies import guard_for
from integration_assets.tenants.integrations import crm_for, feedback_for, internal_for
from integration_assets.tenants.outcomes import MEANINGS, PATIENCE_SECONDS, Outcome
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.changes import NewInternal
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.views import (
    InternalView,
    OpenedInternal,
    OpenedThirdParty,
    SecretView,
    TenantView,
)
from integration_assets.tenants.registry.words import AuthFlow, Provider, Scope
from integration_assets.tenants.settings import built_settings

FLOOR_SECONDS = 0.3
"""No try is over sooner."""


async def check_settings_connection(settings: Settings, provider: Provider) -> Outcome:
    """Make the cheapest authenticated read of one system with these settings, a tenant's or the environment's."""
    hasty = settings.model_copy(update={"patience_seconds": PATIENCE_SECONDS})
    return await _outcome_of(_ask(hasty, provider))


async def check_third_party_connection(
    registry: Registry, settings: Settings, tenant: TenantView, record_id: str, actor: Actor
) -> Outcome:
    """Make the cheapest authenticated read with a stored integration, and note the outcome beside it.

    Raises:
        NotFoundError: it is not this tenant's.
        TamperedError: its sealed secret does not open.
    """
    with tenant_repository(registry, tenant.id, actor) as repository:
        # The transaction ends before the call: a slow system must not keep the registry's only lock.
        opened = repository.open_third_party(record_id)
    outcome = await _not_too_soon(_outcome_of(_ask_third_party(settings, tenant, opened)))
    with tenant_repository(registry, tenant.id, actor) as repository:
        repository.note_third_party(record_id, None if outcome is Outcome.OK else MEANINGS[outcome])
    return outcome


async def check_internal_connection(
    registry: Registry, settings: Settings, tenant: TenantView, record_id: str, actor: Actor
) -> Outcome:
    """Read the first page of each list of a stored internal system, and note the outcome beside it.

    Raises:
        NotFoundError: it is not this tenant's.
        DescriptionError: something of its endpoints or mappings cannot be used; names the field.
        TamperedError: its sealed secret does not open.
    """
    with tenant_repository(registry, tenant.id, actor) as repository:
        opened = repository.open_internal(record_id)
    # Before the call: a description that cannot be used is no outcome of the other side.
    describe(opened.view.endpoints, opened.view.mappings)
    outcome = await _not_too_soon(_outcome_of(_ask_internal(settings, tenant, opened)))
    with tenant_repository(registry, tenant.id, actor) as repository:
        repository.note_internal(record_id, None if outcome is Outcome.OK else MEANINGS[outcome])
    return outcome


async def preview_internal(
    registry: Registry,
    settings: Settings,
    tenant: TenantView,
    record_id: str,
    actor: Actor,
    *,
    endpoints: Sequence[Mapping[str, Any]] | None = None,
    mappings: Mapping[str, Any] | None = None,
    rows: int = 20,
) -> tuple[Outcome, Preview | None]:
    """The first rows of a stored internal system, and the problems of those that cannot be used.

    `endpoints` and `mappings` stand in for the stored ones, for a look before they are saved; address and secret are
    always the stored ones. Without an answer to show the second value is None.

    Raises:
        NotFoundError: it is not this tenant's.
        DescriptionError: something of the endpoints or mappings cannot be used; names the field.
        TamperedError: its sealed secret does not open.
    """
    with tenant_repository(registry, tenant.id, actor) as repository:
        opened = repository.open_internal(record_id)
    view = opened.view
    changed = msgspec.structs.replace(
        view,
        endpoints=view.endpoints if endpoints is None else [dict(one) for one in endpoints],
        mappings=view.mappings if mappings is None else dict(mappings),
    )
    describe(changed.endpoints, changed.mappings)
    found: list[Preview] = []
    attempt = _ask_internal(settings, tenant, OpenedInternal(changed, opened.secret), rows=rows, found=found)
    outcome = await _not_too_soon(_outcome_of(attempt))
    return outcome, found[0] if found else None


async def preview_unsaved(
    settings: Settings, tenant: TenantView, new: NewInternal, *, rows: int = 20
) -> tuple[Outcome, Preview | None]:
    """As `preview_internal`, of a system that is not stored. Whoever calls has checked it as one that is to be.

    Raises:
        DescriptionError: something of the endpoints or mappings cannot be used; names the field.
    """
    now = datetime.now(UTC)
    view = InternalView(
        id="",
        name=new.name,
        base_url=new.base_url,
        auth_flow=new.auth_flow,
        auth=dict(new.auth),
        secret=SecretView(new.secret is not None, None, None, None, None, None, never_expires=False),
        endpoints=[dict(one) for one in new.endpoints],
        mappings=dict(new.mappings),
        enabled=False,
        created_at=now,
        updated_at=now,
        last_ok_at=None,
        last_error=None,
        last_error_at=None,
    )
    describe(view.endpoints, view.mappings)
    found: list[Preview] = []
    opened = OpenedInternal(view, SecretStr(new.secret) if new.secret else None)
    outcome = await _not_too_soon(_outcome_of(_ask_internal(settings, tenant, opened, rows=rows, found=found)))
    return outcome, found[0] if found else None


async def _not_too_soon(attempt: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Take as long for a quick refusal as for most answers: how fast a port refuses tells what is there."""
    # Begun first, so that the time of the attempt counts towards it.
    floor = asyncio.create_task(asyncio.sleep(FLOOR_SECONDS))
    try:
        return await attempt
    finally:
        await floor


async def _outcome_of(attempt: Coroutine[Any, Any, Outcome]) -> Outcome:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await attempt
    # The order counts: a refused credential and a quota are kinds of the errors below them.
    except CredentialError:
        return Outcome.REFUSED
    except QuotaError:
        return Outcome.THROTTLED
    except TransientError:
        return Outcome.UNREACHABLE
    except ConfigurationError:
        return Outcome.NOT_ALLOWED
    except IntegrationError as error:
        # The status alone tells a wrong path from a wrong system; the answer's text is never passed on.
        return Outcome.NOT_FOUND if error.status in (404, 410) else Outcome.UNEXPECTED_ANSWER
    except TimeoutError:
        return Outcome.TOO_SLOW


async def _ask_internal(
    settings: Settings,
    tenant: TenantView,
    opened: OpenedInternal,
    *,
    rows: int | None = None,
    found: list[Preview] | None = None,
) -> Outcome:
    # Without a call: an unauthenticated request would only be refused, and reads like a wrong secret.
    if opened.secret is None and opened.view.auth_flow is not AuthFlow.NONE:
        return Outcome.NOT_SET
    # Half of the time: an internal system may need a token first, and both must end before the attempt does.
    hasty = settings.model_copy(update={"patience_seconds": PATIENCE_SECONDS / 2})
    async with internal_for(hasty, tenant.slug, opened, CallCounter()) as system:
        if rows is None or found is None:
            await system.check()
        else:
            found.append(await system.preview(rows))
    return Outcome.OK


async def _ask_third_party(settings: Settings, tenant: TenantView, opened: OpenedThirdParty) -> Outcome:
    if opened.secret is None and PROVIDERS[opened.view.provider].secret is not None:
        return Outcome.NOT_SET
    scope = opened.view.environment
    # An integration for one environment is tested there, whichever environment the operator looks at.
    environment = settings.environment if scope is Scope.ANY else Environment(scope.value)
    for_it = settings.model_copy(update={"environment": environment, "patience_seconds": PATIENCE_SECONDS})
    own = built_settings(for_it, tenant, {(opened.view.provider, environment): opened})
    return await _ask(own, opened.view.provider)


async def _ask(settings: Settings, provider: Provider) -> Outcome:
    calls = CallCounter()
    kind = PROVIDERS[provider].kind
    if kind is ProviderKind.FEEDBACK:
        async with feedback_for(settings, settings.of(PROVIDERS[provider], settings.environment), calls) as feedback:
            await feedback.check()
    elif kind is ProviderKind.CRM:
        async with crm_for(settings, settings.environment, calls) as crm:
            await crm.portal()
    else:
        from integration_assets.reporting.slack_posting import check_slack  # noqa: PLC0415 - slack_sdk is slow to import

        problem = await asyncio.to_thread(check_slack, settings, guard=guard_for(settings, provider))
        if problem is not None:
            return Outcome.UNREACHABLE if "could not be reached" in problem else Outcome.REFUSED
    return Outcome.OK
