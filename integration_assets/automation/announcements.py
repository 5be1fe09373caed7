"""Telling people what changed, outside of runs: through the alerts of the tenant, and Slack where configured."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import msgspec

from integration_assets.config import Settings
from integration_assets.errors import EndState
from integration_assets.reporting.alert_places import alerts_of
from integration_assets.reporting.alerts import (
    RUNS,
    START,
    AlertTransition,
    Notice,
    compare,
    drop_notices,
    never_told,
    post_notices,
    put_notice,
    record_transition,
    run_problem,
)
from integration_assets.reporting.outbox import deliver
from integration_assets.reporting.shared_outbox import SharedOutbox
from integration_assets.reporting.slack import alert_blocks
from integration_assets.runs.slack_delivery import notice_poster, slack_poster

log = logging.getLogger(__name__)

NO_SLACK = "nobody was told: Slack is not configured (SLACK_BOT_TOKEN and SLACK_CHANNEL)"


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a subject: a `problem`, or None when all is well; and what to say of it.

    `title` and `happened` are plain text, `advice` may hold our own code marks. Of what is well it is said only if
    people were told of a problem.
    """

    subject: str
    problem: str | None
    title: str
    happened: str
    advice: str | None = None


def cannot_begin(tenant: str, state: EndState, line: str) -> Announcement:
    """That runs of a tenant cannot begin, for whoever operates the installation; the same, whoever finds it."""
    return Announcement(
        subject=START,
        problem=run_problem(state, line, None),
        title="Feature requests: runs cannot begin",
        happened=f"tenant {tenant}: {line}",
        advice=f"Fix what the line names. `integration-assets doctor --tenant {tenant}` checks all of it.",
    )


def announce(
    settings: Settings, tenant: str, announcement: Announcement, *, patient: bool = True
) -> tuple[AlertTransition, str | None]:
    """Keep the state, and post a message when it is another one than people know; messages that waited go along.

    Returns how the state compares, and why something still waits, if it does. `settings` are the tenant's; not
    `patient`: for work that others wait for.

    Raises:
        IntegrationError: the state cannot be kept.
    """
    now, place = datetime.now(UTC), alerts_of(settings, settings.environment.value, tenant)
    post = notice_poster(settings, patient=patient)
    with place.held() as held:
        alerts = held.alerts
        transition = compare(alerts.open.get(announcement.subject), announcement.problem, announcement.happened, now)
        if transition.change in ("new", "recovered"):
            fields = {"tenant": tenant, "subject": announcement.subject, "change": transition.change}
            log.info("alert %s: %s", transition.change, announcement.title, extra=fields)
        unseen = never_told(alerts, announcement.subject)
        record_transition(alerts, announcement.subject, transition)
        runs = alerts.open.get(RUNS)
        # A run has told it, and the first good one tells that it is over. Runs of which there is news here could not
        # say anything themselves.
        by_a_run = (
            runs is not None
            and announcement.subject not in (RUNS, START)
            and runs.problem == (announcement.problem or announcement.subject)
        )
        if transition.change == "recovered" and unseen:
            drop_notices(alerts, announcement.subject)  # nobody has heard of it
        elif transition.change in ("new", "recovered") and not by_a_run and post is not None:
            put_notice(alerts, _notice(settings, tenant, announcement, transition, now))
        # The state was kept all the same: whoever configures Slack later must not get alerts that are long over.
        if post is None:
            return transition, NO_SLACK if transition.change in ("new", "recovered") else None
        # While they are held, so that two jobs of one tenant do not post the same notice twice.
        return transition, post_notices(held, post)


def post_what_waits(settings: Settings, tenant: str, *, patient: bool = True) -> list[str]:
    """Post the alerts that Slack has not confirmed, and the summaries that machines share; return lines worth a log.

    `settings` are the tenant's; not `patient`: for work that others wait for.

    Raises:
        IntegrationError: the state cannot be kept.
    """
    post, post_summary = notice_poster(settings, patient=patient), slack_poster(settings, patient=patient)
    if post is None or post_summary is None:
        return []
    with alerts_of(settings, settings.environment.value, tenant).held() as held:
        # What does not get through says that Slack is away: summaries would fare no better.
        if line := post_notices(held, post):
            return [line]
        delivery = deliver(SharedOutbox(held), lambda message: post_summary(message, True), own=None)
        return [line for line in (*delivery.notes, delivery.problem) if line is not None]


def _notice(
    settings: Settings, tenant: str, announcement: Announcement, transition: AlertTransition, now: datetime
) -> Notice:
    text, blocks = alert_blocks(
        f"{announcement.title} → {settings.environment}",
        recovered=transition.change == "recovered",
        happened=announcement.happened,
        advice=announcement.advice,
        tenant=tenant,
        environment=settings.environment.value,
        at=now,
    )
    return Notice(subject=announcement.subject, text=text, blocks=blocks, at=now)
