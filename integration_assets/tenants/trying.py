"""Trying one third-party integration for real, and saying how it went in one of a few fixed words.

No answer of the other side is passed on: whoever may choose an address must not read with our eyes what stands there.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum

from integration_assets.config import Environment, Settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.errors import ConfigurationError, CredentialError, IntegrationError, QuotaError, TransientError
from integration_assets.tenants.integrations import crm_for, feedback_for
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.models import Provider, Scope
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.views import OpenedThirdParty, TenantView
from integration_assets.tenants.settings import built_settings

PATIENCE_SECONDS = 10.0


class Outcome(StrEnum):
    """How a try ended."""

    OK = "ok"
    NO_SECRET = "no_secret"  # noqa: S105 - the word for its absence
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    TOO_SLOW = "too_slow"
    UNEXPECTED_ANSWER = "unexpected_answer"
    NOT_ALLOWED = "not_allowed"


MEANINGS: dict[Outcome, str] = {
    Outcome.OK: "it works",
    Outcome.NO_SECRET: "no secret is set",
    Outcome.REFUSED: "the secret was refused, or lacks a right",
    Outcome.THROTTLED: "the other side asks to try again later",
    Outcome.UNREACHABLE: "there is no answer at this address",
    Outcome.TOO_SLOW: f"there was no whole answer within {PATIENCE_SECONDS:.0f} s",
    Outcome.UNEXPECTED_ANSWER: "what answers there is not the system it should be",
    Outcome.NOT_ALLOWED: "this address may not be asked",
}


async def try_third_party(
    registry: Registry, settings: Settings, tenant: TenantView, record_id: str, actor: Actor
) -> Outcome:
    """Make the cheapest authenticated read with a stored integration, and note the outcome beside it.

    Raises:
        NotFoundError: it is not this tenant's.
        TamperedError: its sealed secret does not open.
    """
    with tenant_repository(registry, tenant.id, actor) as repository:
        opened = repository.open_third_party(record_id)
    outcome = await _outcome(settings, tenant, opened)
    with tenant_repository(registry, tenant.id, actor) as repository:
        repository.note_third_party(record_id, None if outcome is Outcome.OK else MEANINGS[outcome])
    return outcome


async def _outcome(settings: Settings, tenant: TenantView, opened: OpenedThirdParty) -> Outcome:
    if opened.secret is None:
        return Outcome.NO_SECRET
    scope = opened.view.environment
    environment = settings.environment if scope is Scope.ANY else Environment(scope.value)
    for_it = settings.model_copy(update={"environment": environment, "patience_seconds": PATIENCE_SECONDS})
    try:
        own = built_settings(for_it, tenant, {(opened.view.provider, environment): opened})
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _ask(own, opened.view.provider)
    except CredentialError:
        return Outcome.REFUSED
    except QuotaError:
        return Outcome.THROTTLED
    except TransientError:
        return Outcome.UNREACHABLE
    except ConfigurationError:
        return Outcome.NOT_ALLOWED
    except IntegrationError:
        return Outcome.UNEXPECTED_ANSWER
    except TimeoutError:
        return Outcome.TOO_SLOW


async def _ask(settings: Settings, provider: Provider) -> Outcome:
    calls = CallCounter()
    if provider is Provider.CANNY:
        async with feedback_for(settings, calls) as feedback:
            await feedback.check()
    elif provider is Provider.HUBSPOT:
        async with crm_for(settings, settings.environment, calls) as crm:
            await crm.portal()
    else:
        from integration_assets.reporting.slack_posting import check_slack  # noqa: PLC0415 - slack_sdk is slow to import

        problem = await asyncio.to_thread(check_slack, settings)
        if problem is not None:
            return Outcome.UNREACHABLE if "could not be reached" in problem else Outcome.REFUSED
    return Outcome.OK
