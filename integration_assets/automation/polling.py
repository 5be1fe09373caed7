"""The short job that asks the feedback system whether anything changed. A sensor starts a run on its answer.

Three calls: the newest requests, votes and status changes. Something changed when one of them is not stored yet and was
not the newest one when it was last asked: what a run could not use must not start one every time. Votes taken back and
edited titles show in the full runs only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import dagster as dg
import duckdb

from integration_assets.assets.names import Names
from integration_assets.automation.announcements import announce, post_what_waits
from integration_assets.automation.credentials import refused
from integration_assets.config import Settings, load_settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.errors import CredentialError, IntegrationError, LockError, TransientError
from integration_assets.models import Page
from integration_assets.reporting.outbox import deliver
from integration_assets.runs.launch import JOB_TAG, check_launch
from integration_assets.runs.partitions import TENANTS
from integration_assets.runs.slack_delivery import slack_poster
from integration_assets.staging.store import open_store, store_path
from integration_assets.tenants.integrations import FEEDBACK_PROVIDER, feedback_for, require_configured
from integration_assets.tenants.settings import settings_for

FEEDBACK_CHANGES = "feedback_changes"
"""Our name of the job."""
ANSWER_TAG = "integration_assets/answer"
"""Tag of an asking run: its answer."""


class Changed(StrEnum):
    """Answer of the job. `unknown`: a run was under way, or the other side did not answer; it is asked again."""

    YES = "changed"
    NO = "unchanged"
    UNKNOWN = "unknown"


Newest = Mapping[str, str | None]
"""List of the feedback system → id of its newest record; None when it is empty."""
_STORED = {
    "feature_requests": "SELECT 1 FROM raw.feature_requests WHERE request_id = ?",
    "votes": "SELECT 1 FROM raw.votes WHERE vote_id = ?",
    "status_changes": "SELECT 1 FROM raw.status_changes WHERE change_id = ?",
}


async def newest_records(feedback: FeedbackSystem) -> Newest:
    """Ask for the newest record of each list that grows: three calls."""
    requests = await feedback.newest_feature_requests()
    votes = await _first_page(feedback.votes())
    changes = await _first_page(feedback.status_changes())
    return {
        "feature_requests": requests.records[0].request_id if requests.records else None,
        "votes": votes.records[0].vote_id if votes and votes.records else None,
        "status_changes": changes.records[0].change_id if changes and changes.records else None,
    }


async def _first_page(pages: AsyncIterator[Page[Any]]) -> Page[Any] | None:
    # Newest first, so that one page is enough; going on would read everything at every poll.
    return await anext(pages, None)


def compare_newest(connection: duckdb.DuckDBPyConnection, newest: Newest, now: datetime) -> Changed:
    """Tell whether something has come since the last run and since the last time; keep what is newest. `now` is UTC."""
    asked = dict(connection.execute("SELECT list, newest_id FROM sync.newest_asked").fetchall())
    new = [
        name
        for name, record_id in newest.items()
        if record_id is not None
        # A record that no run can use is never stored: without this it would start a run at every poll.
        and asked.get(name) != record_id
        and not connection.execute(_STORED[name], [record_id]).fetchall()
    ]
    # Whole, so that a list the system no longer offers leaves nothing behind to be compared with.
    connection.execute("DELETE FROM sync.newest_asked")
    for name, record_id in newest.items():
        connection.execute("INSERT INTO sync.newest_asked VALUES (?, ?, ?::TIMESTAMP)", [name, record_id, now])
    return Changed.YES if new else Changed.NO


@dg.op
async def ask_feedback_system() -> None:
    """Ask whether anything changed, and note the answer as a tag of this run. Messages that wait are posted."""
    context = dg.OpExecutionContext.get()
    try:
        check_launch(context.run, context.instance)
        tenant, run_id = context.partition_key, context.run_id
        settings = settings_for(load_settings(), tenant, f"run {run_id}")
        # One line with the missing variables, instead of a refused call that reads like a bad credential.
        require_configured(settings)
        answer = await _ask(context, settings, tenant)
    except IntegrationError as error:
        raise dg.Failure(description=error.message, allow_retries=False) from error
    # As a tag, which sensors can read without opening the store or the run's events.
    context.instance.add_run_tags(run_id, {ANSWER_TAG: answer.value})
    context.log.info(f"{FEEDBACK_PROVIDER}: {answer.value}")


async def _ask(context: dg.OpExecutionContext, settings: Settings, tenant: str) -> Changed:
    try:
        async with feedback_for(settings, CallCounter()) as feedback:
            newest = await newest_records(feedback)
        path = store_path(settings.home, settings.store_url, settings.environment, tenant)
        # After the calls: the store is held for milliseconds, and a run that starts meanwhile need not wait for the
        # network.
        with open_store(path, f"run {context.run_id}, asking for changes") as connection:
            answer = compare_newest(connection, newest, datetime.now(UTC))
            _post_late_summaries(context, settings, connection)
        _warn(context, post_what_waits(settings, tenant))
    # Before TransientError and told at once: asking again would be refused for as long as nobody replaces it.
    except CredentialError as error:
        _, problem = announce(settings, tenant, refused(FEEDBACK_PROVIDER, error.message))
        _warn(context, problem)
        raise
    # Not a failure: the run that holds the store reads what changed anyway.
    except LockError as error:
        _warn(context, f"a run is under way, it reads what changed: {error.message}")
        return Changed.UNKNOWN
    except TransientError as error:
        _warn(context, error.message)
        return Changed.UNKNOWN
    return answer


def _post_late_summaries(
    context: dg.OpExecutionContext, settings: Settings, connection: duckdb.DuckDBPyConnection
) -> None:
    post = slack_poster(settings)
    # Without Slack the messages stay in the outbox, for the day somebody configures it.
    if post is None:
        return
    delivery = deliver(connection, lambda message: post(message, True), own=None)
    for line in (*delivery.notes, delivery.problem):
        _warn(context, line)


def _warn(context: dg.OpExecutionContext, line: str | None) -> None:
    if line is not None:
        context.log.warning(line)


def asking_job(names: Names) -> dg.JobDefinition:
    """The job that asks a tenant's feedback system for changes."""
    return dg.GraphDefinition(names.of("ask_whether_anything_changed"), node_defs=[ask_feedback_system]).to_job(
        name=names.of(FEEDBACK_CHANGES),
        description="Ask the feedback system whether anything changed: three calls, nothing written anywhere.",
        partitions_def=TENANTS,
        executor_def=dg.in_process_executor,
        tags={JOB_TAG: FEEDBACK_CHANGES, "dagster/max_retries": "0"},
    )
