"""Checks of the feedback system: the key works, and what it gives is what is understood."""

from __future__ import annotations

import msgspec

from integration_assets.connectors.specs import STATUSES
from integration_assets.doctor.context import DoctorContext, NotTriedError, replace_secret
from integration_assets.doctor.findings import AS_TOLD, CheckOutcome, advice, fail, failed, ok, unknown, warn
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


async def feedback_facts(context: DoctorContext) -> FeedbackFacts:
    """Two reads of the feedback system.

    Raises:
        CredentialError, TransientError, ContractError: the first one already fails.
    """
    return await context.once("feedback", lambda: _read(context))


async def _read(context: DoctorContext) -> FeedbackFacts:
    settings = await context.settings()
    async with feedback_for(settings, context.calls) as feedback:
        said = await feedback.check()
        pages = feedback.feature_requests(statuses=settings.feedback.texts(STATUSES))
        try:
            page: Page[FeatureRequest] | IntegrationError | None = await anext(aiter(pages), None)
        # The key works and the list does not: the second check reports that, so that the first one can pass.
        except IntegrationError as error:
            page = error
        return FeedbackFacts(said, page)


async def credential(context: DoctorContext) -> CheckOutcome:
    """11: the key is accepted."""
    settings = await context.settings()
    own = settings.feedback
    if own.missing:
        names = " and ".join(own.missing)
        return fail(f"{names} {'is' if len(own.missing) == 1 else 'are'} not set", f"set {names}", usage=True)
    try:
        return ok((await feedback_facts(context)).said)
    except CredentialError as error:
        return failed(error, replace_secret(settings, own, context.tenant), await context.consequence(own.spec.name))
    except IntegrationError as error:
        # What has no address is not asked over a network that could be at fault.
        where = f"check {own.named('base_url')} and the network, then run the doctor again"
        return failed(error, where if own.spec.address is not None else AS_TOLD)


async def shape(context: DoctorContext) -> CheckOutcome:
    """12: a page of requests is of the documented shape."""
    settings = await context.settings()
    try:
        page = (await feedback_facts(context)).page if settings.feedback.configured else None
    except IntegrationError:
        # The check of the key says why.
        raise NotTriedError("not tried: the feedback system does not answer") from None
    if not settings.feedback.configured:
        return unknown(f"not tried: {' and '.join(settings.feedback.missing)} not set")
    if isinstance(page, IntegrationError):
        return failed(page, advice(page, replace_secret(settings, settings.feedback, context.tenant)))
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
