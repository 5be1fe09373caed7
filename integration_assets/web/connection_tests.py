"""Connection tests and previews: with the address and the secret that are stored.

What is sent along is asked in one place only, the preview of a system that is to be added.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from integration_assets.connectors.internal.connector import Preview
from integration_assets.connectors.internal.description import DescriptionError
from integration_assets.tenants.connection_trials import (
    check_internal_connection,
    check_third_party_connection,
    preview_internal,
    preview_unsaved,
)
from integration_assets.tenants.outcomes import MEANINGS, Outcome
from integration_assets.tenants.registry.changes import FieldError, NewInternal
from integration_assets.web.attempt_limits import TooManyAttemptsError
from integration_assets.web.audit_notes import note
from integration_assets.web.field_checks import record_id
from integration_assets.web.integration_changes import check_new_internal
from integration_assets.web.problems import Problem
from integration_assets.web.request_context import RequestContext

Said = tuple[str, str]
"""A word for how it ended, and what it means."""
PREVIEWED = 20
T = TypeVar("T")


def check_third_party(context: RequestContext, record: str) -> Said:
    """Make the cheapest read with a stored third-party integration.

    Raises:
        NotFoundError: it is not this tenant's.
        Problem: too many tests within a minute.
    """
    attempt = check_third_party_connection(
        context.registry, context.settings, context.own, record_id(record), context.actor
    )
    return _said(run_counted(context, attempt))


def check_internal(context: RequestContext, record: str) -> Said:
    """Read the first page of each list of a stored internal system.

    Raises:
        NotFoundError: it is not this tenant's.
        FieldError: its description cannot be used.
        Problem: too many tests within a minute.
    """
    attempt = check_internal_connection(
        context.registry, context.settings, context.own, record_id(record), context.actor
    )
    return _said(run_counted(context, attempt))


def preview(
    context: RequestContext, record: str, endpoints: Sequence[Mapping[str, Any]], mappings: Mapping[str, Any]
) -> tuple[Said, Preview | None]:
    """The first rows of a stored internal system, as another description would read them.

    Raises:
        As `check_internal`.
    """
    attempt = preview_internal(
        context.registry,
        context.settings,
        context.own,
        record_id(record),
        context.actor,
        endpoints=endpoints,
        mappings=mappings,
        rows=PREVIEWED,
    )
    outcome, rows = run_counted(context, attempt)
    return _said(outcome), rows


def preview_new(context: RequestContext, new: NewInternal, wrong: Mapping[str, str]) -> tuple[Said, Preview | None]:
    """The first rows of an internal system that is not stored, checked as one that is to be.

    What was typed is asked, as it would be a moment later if it were stored: by the same guard, counted alike, and
    noted in the audit trail.

    Raises:
        Problem: fields cannot be accepted, or too many tests within a minute.
    """
    check_new_internal(context, new, wrong)
    note(context, "internal.preview", ["base_url", "secret"] if new.secret else ["base_url"])
    outcome, rows = run_counted(context, preview_unsaved(context.settings, context.own, new, rows=PREVIEWED))
    return _said(outcome), rows


def run_counted(context: RequestContext, attempt: Coroutine[Any, Any, T]) -> T:
    """Make an attempt that costs this machine something, unless the tenant made too many within a minute.

    Raises:
        FieldError: a description of an internal system cannot be used.
        Problem: too many within a minute.
    """

    async def counted() -> T:
        try:
            await context.site.tests.count({"tenant": context.own.id})
        # Closed, because a coroutine that is never awaited would warn in the log.
        except TooManyAttemptsError as error:
            attempt.close()
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, f"too many tests: try again in {error.seconds} s") from None
        return await attempt

    try:
        # A loop of its own: the handler runs in a thread, where there is none.
        return asyncio.run(counted())
    except DescriptionError as error:
        raise FieldError(error.field, error.reason) from None


def _said(outcome: Outcome) -> Said:
    return outcome.value, MEANINGS[outcome]
