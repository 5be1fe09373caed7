"""Alerts: problems people were told of, so that they are told once, and again when it is over.

One record per tenant and environment, beside the staging store and not in it: it has to work when the store cannot be
opened, and several processes write it (runs, the jobs that ask and check, the sensor for dead runs), one at a time
(`alert_places`). Messages that Slack has not confirmed wait in it, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from integration_assets.errors import CredentialError, EndState, IntegrationError
from integration_assets.reporting.outbox import OutboxMessage
from integration_assets.reporting.slack_posting import DeliveryStatus, Posting

RUNS = "runs"
"""The subject of how runs end."""
START = "start"
"""The subject of runs that cannot begin, told to whoever operates the installation. The first good run ends it."""
WELL = frozenset({EndState.SUCCEEDED, EndState.SUCCEEDED_WITH_REJECTS})
KEPT = 50
"""Messages that wait at most; the oldest are dropped."""
KNOWN_ENDS = 100
"""Runs of a tenant whose end is remembered as told, for the sensor of another machine."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that has been told, or waits to be.

    `problem` tells one from another: another one is told anew. `said` is its line for people, `since` when it was first
    met (UTC), `times` how often by now.
    """

    problem: str
    said: str
    since: datetime
    times: int = 1


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message about a subject, for Slack: `text` of the notification and `blocks`. `state` as in the outbox."""

    subject: str
    text: str
    blocks: list[dict[str, Any]]
    at: datetime
    state: Literal["waiting", "sending", "uncertain"] = "waiting"


class Alerts(msgspec.Struct):
    """The open problems by subject, and the messages that wait, oldest first.

    Only where machines share it: `summaries`, the outbox of runs, and `ended`, the ids of the last runs that told their
    end themselves or had nobody to tell it to.
    """

    open: dict[str, Alert] = msgspec.field(default_factory=dict)
    notices: list[Notice] = msgspec.field(default_factory=list)
    summaries: list[OutboxMessage] = msgspec.field(default_factory=list)
    ended: list[str] = msgspec.field(default_factory=list)


@dataclass(frozen=True)
class HeldAlerts:
    """The alerts while they are held. `is_shared`: among machines.

    What is changed is kept at the end of holding, or by `keep` for holders that want something on record before.
    """

    alerts: Alerts
    keep: Callable[[], None]
    is_shared: bool = False


# ---------------------------------------------------------------------------------------------------- changes of state


class AlertTransition(msgspec.Struct, frozen=True, kw_only=True):
    """A state compared with the one people know.

    `change` is `none` (well before and now), `new` (not told yet: a problem, or another one), `same` (told before) or
    `recovered`. `alert` is what to keep of it, None when all is well; `before` what people were told last.
    """

    change: Literal["none", "new", "same", "recovered"]
    alert: Alert | None = None
    before: Alert | None = None


def compare(before: Alert | None, problem: str | None, said: str, now: datetime) -> AlertTransition:
    """Compare what is now, a `problem` or None, with what was told. `now` is UTC."""
    if problem is None:
        return AlertTransition(change="recovered", before=before) if before else AlertTransition(change="none")
    # The old alert is kept with its first moment: people were told of that one.
    if before is not None and before.problem == problem:
        return AlertTransition(
            change="same", alert=msgspec.structs.replace(before, times=before.times + 1), before=before
        )
    return AlertTransition(change="new", alert=Alert(problem=problem, said=said, since=now), before=before)


def record_transition(alerts: Alerts, subject: str, transition: AlertTransition) -> None:
    """Keep the state of a subject."""
    # Forgotten, so that the same problem is told anew should it come back.
    if transition.alert is None:
        alerts.open.pop(subject, None)
    else:
        alerts.open[subject] = transition.alert


def credential_problem(system: str) -> str:
    """The problem that a system refuses its credential, whoever met it: a run, or a look at the credential."""
    return f"credential {system}"


def run_problem(state: EndState, line: str | None, error: IntegrationError | None) -> str | None:
    """Name the problem of a run that ended badly, the same for the same cause; None for a good end.

    Numbers are no part of it: the same cause meets other counts in the next run. Of what is tried again anyway only
    the system counts: an outage shows at another place each time.
    """
    if state in WELL:
        return None
    # An error that nobody raised on purpose names no system.
    system = error.system if error is not None else None
    # The same name as a look at the credential gives it, so that the two do not tell it twice.
    if isinstance(error, CredentialError) and system:
        return credential_problem(system)
    # An outage is told once per system, at whichever endpoint each run meets it.
    if state is EndState.RETRY_LATER and system:
        return f"{state} {system}"
    # Ids of runs and plans go as well: with them each run would look like another problem.
    return f"{state} {_NUMBERS.sub('#', line or '')}"


_NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\d[\d,.:-]*")


# ------------------------------------------------------------------------------------------------------------- posting


def put_notice(alerts: Alerts, notice: Notice) -> None:
    """Let a message wait. One of the same subject that still waits was never seen: the new one takes its place."""
    # One that may have arrived stays: it is posted again until it certainly has.
    alerts.notices = [one for one in alerts.notices if one.subject != notice.subject or one.state != "waiting"]
    # The newest are kept: after a long outage of Slack the oldest say nothing that still holds.
    alerts.notices = [*alerts.notices, notice][-KEPT:]


def never_told(alerts: Alerts, subject: str) -> bool:
    """True if a message about this subject certainly did not reach anybody yet."""
    return any(one.subject == subject and one.state == "waiting" for one in alerts.notices)


def drop_notices(alerts: Alerts, subject: str) -> None:
    """Forget the messages of a subject that wait."""
    alerts.notices = [one for one in alerts.notices if one.subject != subject]


def note_end(alerts: Alerts, run_id: str) -> None:
    """Remember that a run needs nobody else to tell its end."""
    alerts.ended = [*(one for one in alerts.ended if one != run_id), run_id][-KNOWN_ENDS:]


def post_notices(held: HeldAlerts, post: Callable[[Notice, bool], Posting]) -> str | None:
    """Post what waits, oldest first; None, or why some of it still waits.

    `post` tries once and never raises; it is told whether the message may have been posted before. Each attempt is on
    record before it is made. What may have arrived is posted again until it certainly has: news is better told twice
    than not at all.
    """
    alerts = held.alerts
    problem = None
    for notice in list(alerts.notices):
        # Looked up each time: places move as messages that arrived are taken out.
        position = alerts.notices.index(notice)
        again = notice.state != "waiting"
        alerts.notices[position] = msgspec.structs.replace(notice, state="sending")
        # Before it is sent: killed in between, the next attempt knows that it may be a repeat.
        held.keep()
        posting = post(notice, again)
        # What Slack refuses for its content is done as well: it would be refused for ever and block all others.
        done = posting.delivery_status in (DeliveryStatus.POSTED, DeliveryStatus.UNPOSTABLE)
        if done:
            del alerts.notices[position]
        else:
            unsure = again or posting.delivery_status is DeliveryStatus.UNCERTAIN
            alerts.notices[position] = msgspec.structs.replace(notice, state="uncertain" if unsure else "waiting")
        held.keep()
        problem = posting.line if posting.delivery_status is not DeliveryStatus.POSTED else problem
        if not done:
            return posting.line  # the next one would fare no better
    return problem
