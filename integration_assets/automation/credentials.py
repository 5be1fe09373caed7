"""The regular look at every credential: does it still work, and does it expire within 30, 14, 7 or 1 days."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import dagster as dg

from integration_assets.assets.names import Names
from integration_assets.automation.announcements import Announcement, announce
from integration_assets.config import load_settings
from integration_assets.errors import IntegrationError
from integration_assets.reporting.alerts import credential_problem
from integration_assets.runs.launch import JOB_TAG, check_launch
from integration_assets.runs.partitions import TENANTS
from integration_assets.tenants.outcomes import BROKEN, EXPIRY_NOTICE, MEANINGS, LookedAt, Outcome
from integration_assets.tenants.settings import settings_for

CHECK_CREDENTIALS = "check_credentials"
"""Our name of the job."""
log = logging.getLogger(__name__)

WHAT_TO_DO = "Replace it where it comes from and here, then run again. `integration-assets doctor` checks all of it."


def refused(system: str, happened: str) -> Announcement:
    """That a system refuses its credential, as said once by whoever meets it first."""
    return Announcement(
        subject=credential_problem(system),
        problem=credential_problem(system),
        title=f"A credential does not work: {system}",
        happened=happened,
        advice=WHAT_TO_DO,
    )


def credential_announcement(looked: LookedAt) -> Announcement | None:
    """Announce whether a credential works; None when it could not be found out."""
    if looked.problem is not None:
        return refused(looked.system, f"{looked.name} cannot be used: {looked.problem}")
    if looked.outcome in BROKEN:
        return refused(looked.system, f"{looked.name} does not work: {MEANINGS[looked.outcome]}")
    # No answer, or one that says nothing of the credential, is neither a problem of it nor the end of one.
    if looked.outcome is not Outcome.OK:
        return None
    subject = credential_problem(looked.system)
    return Announcement(
        subject=subject,
        problem=None,
        title=f"A credential works again: {looked.system}",
        happened=f"{looked.name} works again.",
    )


def expiry_announcement(looked: LookedAt, now: datetime) -> Announcement:
    """Announce how long a credential is valid. `now` is UTC."""
    subject = f"expiry {looked.system}"
    step = expiry_step(looked.expires_at, now)
    if step is None or looked.expires_at is None:
        return Announcement(
            subject=subject,
            problem=None,
            title=f"A credential is valid for longer: {looked.system}",
            happened=f"{looked.name} does not expire in the next {EXPIRY_NOTICE[0]} days, as far as is known.",
        )
    day = f"{looked.expires_at:%Y-%m-%d}"
    over = step == 0
    return Announcement(
        subject=subject,
        # With the day and the step, so that each step is announced once, and anew for another date.
        problem=f"{day} {step}",
        title=f"A credential {'has expired' if over else 'expires soon'}: {looked.system}",
        happened=f"{looked.name} expired on {day}." if over else f"{looked.name} expires on {day}: {_left(step)}.",
        advice=WHAT_TO_DO if over else "Replace it before, and say until when the new one is valid.",
    )


def expiry_step(expires_at: datetime | None, now: datetime) -> int | None:
    """The smallest of `EXPIRY_NOTICE` that is not exceeded, 0 when it is over; None: long enough, or unknown."""
    if expires_at is None:
        return None
    left = expires_at - now
    # Also at the very moment: a credential that expires now does not work for the next run.
    if left <= timedelta():
        return 0
    reached = [days for days in EXPIRY_NOTICE if left <= timedelta(days=days)]
    return min(reached, default=None)


def _left(days: int) -> str:
    return "a day or less is left" if days == 1 else f"{days} days or less are left"


def _log_look(tenant: str, looked: LookedAt) -> None:
    result = looked.problem or (MEANINGS[looked.outcome] if looked.outcome else "")
    level = logging.WARNING if looked.problem or looked.outcome in BROKEN else logging.INFO
    fields = {"tenant": tenant, "system": looked.system, "outcome": looked.outcome, "expires_at": looked.expires_at}
    log.log(level, "%s: %s", looked.name, result, extra=fields)


@dg.op
async def look_at_each_credential() -> None:
    """Try each credential of the tenant, and tell people what changed."""
    from integration_assets.tenants.credentials import look_at_credentials  # noqa: PLC0415 - only here is it waited for

    context = dg.OpExecutionContext.get()
    try:
        check_launch(context.run, context.instance)
        tenant, who = context.partition_key, f"run {context.run_id}"
        operator = load_settings()
        # Before any look: a tenant without readable settings has no Slack of its own to tell.
        settings = settings_for(operator, tenant, who)
        for looked in await look_at_credentials(operator, tenant, who):
            _log_look(tenant, looked)
            for announcement in (credential_announcement(looked), expiry_announcement(looked, datetime.now(UTC))):
                _, problem = announce(settings, tenant, announcement) if announcement is not None else (None, None)
                # That Slack could not be told is no failure of the look: the notice waits and goes along with the next
                # one.
                if problem is not None:
                    log.warning("%s", problem, extra={"tenant": tenant})
    except IntegrationError as error:
        raise dg.Failure(description=error.message, allow_retries=False) from error


def credentials_job(names: Names) -> dg.JobDefinition:
    """The job that tries each credential of a tenant."""
    return dg.GraphDefinition(names.of("look_at_credentials"), node_defs=[look_at_each_credential]).to_job(
        name=names.of(CHECK_CREDENTIALS),
        description="Try each credential with the cheapest read there is, and look when it expires; tell what changed.",
        partitions_def=TENANTS,
        executor_def=dg.in_process_executor,
        # The sensor asks for the next look by itself; a retry would try a refused credential again at once.
        tags={JOB_TAG: CHECK_CREDENTIALS, "dagster/max_retries": "0"},
    )
