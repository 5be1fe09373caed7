"""Checks of the feedback system: the key works, and what it gives is what is understood."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from integration_assets.config import ProviderSettings
from integration_assets.connectors.specs import STATUSES
from integration_assets.doctor.context import DoctorContext, NotTriedError, replace_secret
from integration_assets.doctor.findings import AS_TOLD, CheckOutcome, advice, fail, failed, ok, unknown, warn, worst_of
from integration_assets.errors import CredentialError, IntegrationError
from integration_assets.models import FeatureRequest, Page
from integration_assets.tenants.integrations import feedback_for

MOST_UNUSABLE = 0.01
"""Share of a page beyond which a run's gate would close."""
FEW_UNUSABLE = 10


class FeedbackFacts(msgspec.Struct, frozen=True):
    """Answer of the system to its cheapest authenticated read, and the first page of requests, or what is wrong."""

    said: str
    page: Page[FeatureRequest] | IntegrationError | None


async def feedback_facts(context: DoctorContext, own: ProviderSettings) -> FeedbackFacts:
    """Two reads of one feedback system.

    Raises:
        CredentialError, TransientError, ContractError: the first one already fails.
    """
    return await context.once(f"feedback {own.spec.name}", lambda: _read(context, own))


async def _read(context: DoctorContext, own: ProviderSettings) -> FeedbackFacts:
    settings = await context.settings()
    async with feedback_for(settings, own, context.calls) as feedback:
        said = await feedback.check()
        pages = feedback.feature_requests(statuses=own.texts(STATUSES))
        try:
            page: Page[FeatureRequest] | IntegrationError | None = await anext(aiter(pages), None)
        # The key works and the list does not: the second check reports that, so that the first one can pass.
        except IntegrationError as error:
            page = error
        return FeedbackFacts(said, page)


async def credential(context: DoctorContext) -> CheckOutcome:
    """11: the key of each feedback system is accepted."""
    return await _of_each(context, _credential)


async def shape(context: DoctorContext) -> CheckOutcome:
    """12: a page of requests of each feedback system is of the documented shape."""
    return await _of_each(context, _shape)


async def _of_each(
    context: DoctorContext, look: Callable[[DoctorContext, ProviderSettings], Awaitable[CheckOutcome]]
) -> CheckOutcome:
    """One look at each feedback system, told as one outcome; each with its name where there are several."""
    systems = (await context.settings()).feedbacks
    looks = await asyncio.gather(*(look(context, own) for own in systems))
    if len(systems) == 1:
        return looks[0]
    named = zip(systems, looks, strict=True)
    return worst_of([msgspec.structs.replace(one, seen=f"{own.spec.label}: {one.seen}") for own, one in named])


async def _credential(context: DoctorContext, own: ProviderSettings) -> CheckOutcome:
    settings = await context.settings()
    if own.missing:
        names = " and ".join(own.missing)
        return fail(f"{names} {'is' if len(own.missing) == 1 else 'are'} not set", f"set {names}", usage=True)
    try:
        return ok((await feedback_facts(context, own)).said)
    except CredentialError as error:
        return failed(error, replace_secret(settings, own, context.tenant), await context.consequence(own.spec.name))
    except IntegrationError as error:
        # What has no address is not asked over a network that could be at fault.
        where = f"check {own.named('base_url')} and the network, then run the doctor again"
        return failed(error, where if own.spec.address is not None else AS_TOLD)


async def _shape(context: DoctorContext, own: ProviderSettings) -> CheckOutcome:
    settings = await context.settings()
    try:
        page = (await feedback_facts(context, own)).page if own.configured else None
    except IntegrationError:
        # The check of the key says why.
        raise NotTriedError("not tried: the feedback system does not answer") from None
    if not own.configured:
        return unknown(f"not tried: {' and '.join(own.missing)} not set")
    if isinstance(page, IntegrationError):
        return failed(page, advice(page, replace_secret(settings, own, context.tenant)))
    # A key of an empty workspace is accepted: a run would succeed and rank nothing.
    if page is None:
        return warn("the list of requests is empty", "check that the key belongs to the right workspace")
    unusable, all_ = len(page.rejected), len(page.records) + len(page.rejected)
    if all_ == 0:
        return warn("there are no requests", "check that the key belongs to the right workspace")
    # A few odd records are quarantined by a run and stop nothing; the floor keeps one in a small list from failing it.
    if unusable > max(FEW_UNUSABLE, all_ * MOST_UNUSABLE) or unusable == all_:
        first = ", ".join(one.key for one in page.rejected[:3])
        return fail(
            f"{unusable} of {all_} requests cannot be used: {page.rejected[0].reason} ({first})",
            # where none can be used the records have another form; where some cannot, those records are at fault
            "the system has changed: look for a newer version of integration-assets"
            if unusable == all_
            else "correct them in the feedback system",
        )
    left_out = f", {unusable} of them cannot be used" if unusable else ""
    more = f"; unknown fields: {', '.join(sorted(page.unknown_fields))}" if page.unknown_fields else ""
    return ok(f"{all_} requests read{left_out}{more}")
