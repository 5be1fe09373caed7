"""End of a run: its state and exit code, the summary, the published database, the Slack message."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from integration_assets.config import Settings, automation_or_defaults, load_metrics_settings
from integration_assets.connectors.redaction import redact
from integration_assets.errors import (
    EXIT_CODES,
    EndState,
    IntegrationError,
    LaunchError,
    LockError,
    PermanentError,
    RunCancelledError,
    RunStoppedError,
)
from integration_assets.logs import without_links
from integration_assets.reporting.alert_places import SharedAlerts, alerts_of
from integration_assets.reporting.alerts import AlertTransition, HeldAlerts, note_end
from integration_assets.reporting.open_runs import forget_run
from integration_assets.reporting.outbox import Outbox, OutboxMessage, StoreOutbox
from integration_assets.reporting.rankings import read_movers
from integration_assets.reporting.retention import remove_old_records
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import (
    RunFacts,
    RunSummary,
    build_summary,
)
from integration_assets.reporting.shared_outbox import SharedOutbox, hand_over
from integration_assets.reporting.shipped_posts import stop_watching, tell_owners, watch_shipped
from integration_assets.reporting.slack import SummaryExtras, slack_blocks
from integration_assets.reporting.slack_posting import Posting
from integration_assets.resolution.record_pages import set_record_pages
from integration_assets.runs.alert_transition import (
    MOST_RETRIES,
    alert_transition_of,
    is_automatic,
    is_quiet,
    keep_alert_transition,
    record_end,
    retries_so_far,
    retry_time,
)
from integration_assets.runs.integration_use import note_slack
from integration_assets.runs.interrupts import undisturbed
from integration_assets.runs.launch import RANK_STAGE
from integration_assets.runs.prerequisites import was_ranked
from integration_assets.runs.result import Message, RunResult, keep_result
from integration_assets.runs.run_facts import facts_of, quota_share
from integration_assets.runs.run_report import leave_report
from integration_assets.runs.slack_delivery import new_message, owner_poster, send_message, slack_poster
from integration_assets.runs.state import DRY_MODES, UNDO_MODES, RunState, first_line
from integration_assets.sql import read_sql
from integration_assets.staging.object_storage import upload_published
from integration_assets.staging.place import store_place
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.readers_lake import publish_to_readers
from integration_assets.staging.sharing import share_published
from integration_assets.sync.feature_request_object import key_prefix
from integration_assets.tenants.settings import registry_tenants

log = logging.getLogger(__name__)

UNDO_AGAIN = "Say the same undo again: it goes on where this one stopped."
"""No other run goes on with it."""
AFTER_CANCEL = "Nothing is tried again by itself. The next sync goes on from there."
AFTER_STOP = (
    "Dagster tries it again by itself, twice at most; its run monitoring can be given a longer max_runtime_seconds."
)
SEEN_BY_ITS_STARTER = "not posted: whoever started the run so sees it in Dagster"
SAID_BEFORE = "not posted: Slack already has this message, and gets another when the state changes"


def finish_run(state: RunState) -> RunResult:
    """End the run: publish, record, write the summary, post it. To be called once."""
    # A signal between recording and posting would leave a run that is recorded as done and that nobody hears of.
    with undisturbed():
        return _finish(state)


def publish_again(state: RunState) -> tuple[RunSummary, Path | None]:
    """Publish the tables as they are, and return the summary of the last run with the published file.

    For a run that has nothing else to do: it is neither recorded nor conclusion.

    Raises:
        LaunchError: no run has ended yet.
        PermanentError: the file cannot be written.
    """
    connection, settings, target = state.opened_store(), state.opened_settings(), state.target()
    last = connection.execute(read_sql("reporting/runs"), [""]).fetchall()
    if not last:
        raise LaunchError(
            f"nothing to sum up: no run of tenant {state.tenant} in the {target} environment has ended yet; "
            "launch the job `sync`, or select `raw*` as well"
        )
    published = None
    # Without a ranking there is nothing to publish, and readers would find an empty database.
    if was_ranked(connection):
        published = published_path(settings.home, target, state.tenant)
        _set_pages(connection, settings)
        publish(connection, published)
        state.notes += _pass_on(state, published)
    forget_run(connection, state.run_id)
    state.finished = True
    return msgspec.json.decode(last[0][2], type=RunSummary), published


def _set_pages(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give the ranking the addresses of its companies and records in the CRM."""
    try:
        set_record_pages(connection, key_prefix(tuple(settings.source_names.values())))
    except duckdb.Error as error:
        raise PermanentError(
            f"staging store: the addresses of records in the CRM could not be set: {first_line(error)}; "
            "check the disk, then run again"
        ) from error


class _Conclusion(msgspec.Struct, frozen=True):
    """End of a run and what is said of it, gathered before it is recorded."""

    exit_code: int
    error: str | None
    facts: RunFacts
    summary: RunSummary
    message: OutboxMessage
    transition: AlertTransition | None = None
    advice: str | None = None
    retry_at: datetime | None = None


def _finish(state: RunState) -> RunResult:
    # First: whatever fails from here on, the session must not end the run a second time when it closes.
    state.finished = True
    _let_go_of_broken_store(state)
    conclusion = _conclude(state)
    recorded, problem = _record(state, conclusion)
    # After the record, so that the published database knows of this run as well.
    published, unpublished = _publish(state)
    if published is not None and (notes := _pass_on(state, published)):
        # First, as a message lists few notes. What the run wrote is written, so its end stays as it was.
        state.notes[:0] = notes
        conclusion = _conclude(state)
        recorded = recorded and _record(state, conclusion)[0]
    if problem is not None or unpublished is not None:
        _let_go_of_broken_store(state)
        # The first error is the cause. That the end could not be recorded or published either often only follows.
        if state.error is None:
            state.error, state.error_stage = problem or unpublished, "run_summary"
            conclusion = _conclude(state)
            # What was recorded says that all went well, which is no longer true.
            recorded = recorded and _record(state, conclusion)[0]
        elif unpublished is not None:
            state.notes.append(f"this run is missing in the published database: {unpublished.message}")
    message = _tell(state, conclusion, recorded=recorded)  # before the notes are taken: what Slack refused is one
    _tell_owners(state, EndState(conclusion.summary.state))
    note_slack(state)
    _log_message(message)
    report = None
    # A refused launch read and wrote nothing, and has nothing to report.
    if not isinstance(state.error, LaunchError):
        report = leave_report(
            state, conclusion.summary, conclusion.error, advice=conclusion.advice, floor=conclusion.facts.floor
        )
    result = RunResult(
        exit_code=conclusion.exit_code,
        summary=conclusion.summary,
        error=conclusion.error,
        stage=state.error_stage,
        notes=tuple(state.notes),
        published=str(published) if published else None,
        plan_id=state.planned.plan.plan_id if state.planned else None,
        message=message,
        floor=dict(conclusion.facts.floor),
        report=str(report) if report else None,
        retry_at=conclusion.retry_at,
        calls_left_today=state.quota.daily_remaining,
    )
    state.end_state = EndState(result.summary.state)
    _log_end(result)
    kept = keep_result(state, result)
    _write_numbers(state)
    return kept


def _write_numbers(state: RunState) -> None:
    """Replace the file of numbers for monitoring, where one is wanted."""
    try:
        if state.settings is not None and (file := load_metrics_settings().file) is not None:
            period = timedelta(minutes=automation_or_defaults().sync_minutes)
            # Few installations are monitored by a file, and every run would wait for the library.
            from integration_assets.reporting.metrics import exposition, write_metrics  # noqa: PLC0415

            write_metrics(file, exposition(state.settings.home, registry_tenants(state.settings), period=period))
    # The run has ended, and its ending is kept: numbers that are not written are old ones, which monitoring shows.
    except (OSError, IntegrationError) as error:
        log.warning("the numbers for monitoring were not written: %s", error)


def _log_message(message: Message) -> None:
    if message.posted:
        log.info("the summary was posted to Slack")
    elif message.problem in (SEEN_BY_ITS_STARTER, SAID_BEFORE):
        log.info("the summary was %s", message.problem)
    # No problem: Slack is not configured, and nobody expects a message.
    elif message.problem:
        log.warning("the summary was not posted to Slack: %s", message.problem)


def _log_end(result: RunResult) -> None:
    summary = result.summary
    level = {EndState.FAILED: logging.ERROR, EndState.HELD: logging.WARNING, EndState.RETRY_LATER: logging.WARNING}
    log.log(
        level.get(EndState(summary.state), logging.INFO),
        "the run ended %s in %.1f s%s",
        summary.state,
        summary.duration_seconds,
        f": {without_links(result.error)}" if result.error else "",
        extra={
            "end_state": summary.state,
            "exit_code": result.exit_code,
            "seconds": summary.duration_seconds,
            "failed_stage": result.stage,
            "retry_at": result.retry_at,
        },
    )


def _conclude(state: RunState) -> _Conclusion:
    end_state, exit_code, error = _outcome(state)
    facts = facts_of(state, end_state, error)
    summary = build_summary(state.connection, facts)
    undo = state.mode in UNDO_MODES
    transition, retry_at = alert_transition_of(state, end_state, error), retry_time(state, end_state)
    advice = UNDO_AGAIN if undo and end_state is EndState.RETRY_LATER else _when_again(state, retry_at)
    extras = SummaryExtras(
        title="Undo of a run" if undo else "Feature requests",
        error=error,
        advice=advice,
        held_changes=state.planned.plan.operations if state.planned and state.planned.held else 0,
        notes=tuple(state.notes),
        movers=read_movers(state.connection) if state.connection is not None and state.ranked else (),
        quota=quota_share(state),
        floor=dict(facts.floor),
        run_url=_page_of(state),
        transition=transition,
        once=is_automatic(state.tags),
        is_cancelled=isinstance(state.error, RunCancelledError),
        is_retried=retry_at is not None or type(state.error) is RunStoppedError,
    )
    text, blocks = slack_blocks(summary, extras)
    message = new_message(state.run_id, text, [block.to_dict() for block in blocks])
    return _Conclusion(exit_code, error, facts, summary, message, transition, advice, retry_at)


def _page_of(state: RunState) -> str | None:
    """The run in the Dagster UI, where its address is known."""
    address = state.settings.ui_url if state.settings else None
    return f"{address.rstrip('/')}/runs/{state.run_id}" if address else None


def _when_again(state: RunState, retry_at: datetime | None) -> str | None:
    """Say when the run is tried again; None leaves it to the general advice."""
    # Our own retry must not compete with Dagster's, nor go on with what a person cancelled.
    if isinstance(state.error, RunStoppedError):
        return AFTER_CANCEL if isinstance(state.error, RunCancelledError) else AFTER_STOP
    if retry_at is None:
        return None
    attempt = retries_so_far(state.tags) + 1
    return f"Nothing: it is tried again by itself at {retry_at:%Y-%m-%d %H:%M} UTC, try {attempt} of {MOST_RETRIES}."


def _tell(state: RunState, conclusion: _Conclusion, *, recorded: bool) -> Message:
    """Post the summary and keep how the runs stand; where machines share that, in one piece."""
    message = None
    # Another run that holds the lock has an end of its own to tell.
    transition = None if _never_began(state) else conclusion.transition
    try:
        with ExitStack() as stack:
            held = _shared_alerts(state, stack)
            message = _post(state, conclusion, held, recorded=recorded)
            if held is None:
                keep_alert_transition(state, transition)
            else:
                record_end(held.alerts, transition)
                # Of what could not begin, and knew nobody to tell, a sensor tells; perhaps that of another machine.
                if state.error_stage != "start" or message.posted or message.problem is not None:
                    note_end(held.alerts, state.run_id)
    # A repeated message is a nuisance, a run that fails at its very end would be a lie.
    except IntegrationError as error:
        state.notes.append(f"this end may be told again: {error.message}")
    # Nobody let go of the alerts: nothing was handed over to other machines, and the message is this one's to post.
    return message or _post(state, conclusion, None, recorded=recorded)


def _shared_alerts(state: RunState, stack: ExitStack) -> HeldAlerts | None:
    """Hold the alerts that machines share; None where they are this machine's, and held for a moment only.

    Raises:
        IntegrationError: they cannot be held.
    """
    if state.settings is None or state.environment is None:
        return None
    place = alerts_of(state.settings, state.environment.value, state.tenant)
    return stack.enter_context(place.held()) if isinstance(place, SharedAlerts) else None


def _never_began(state: RunState) -> bool:
    """True if another run holds the lock: that one has an end of its own to tell."""
    return state.connection is None and isinstance(state.error, LockError)


def _let_go_of_broken_store(state: RunState) -> None:
    """A store that failed fatally answers no query any more: the run ends as if there were none."""
    if state.connection is None:
        return
    try:
        state.connection.execute("SELECT 1").fetchall()
    except duckdb.Error:
        state.connection = None


def _may_record(state: RunState) -> bool:
    """True if store and published database are still this run's to write."""
    return state.connection is not None and (state.lock is None or state.lock.passed_on() is None)


def _record(state: RunState, conclusion: _Conclusion) -> tuple[bool, IntegrationError | None]:
    """Record the end, and put the message into the outbox; whether that was done, and what went wrong."""
    # After the lock has passed on, another run owns the store: writing now would overwrite its records.
    if state.connection is None or not _may_record(state):
        return False, None
    if isinstance(state.error, LaunchError):
        forget_run(state.connection, state.run_id)
        return False, None
    # In the same transaction as the end of the run: a message whose run is not recorded would announce what a reader
    # cannot find, and a recorded run without its message would never be announced.
    message = (
        conclusion.message if slack_poster(state.settings) and not is_quiet(state, conclusion.transition) else None
    )
    try:
        record_run(state.connection, conclusion.summary, conclusion.facts, message)
    except duckdb.Error as error:
        return False, PermanentError(
            f"staging store: the end of the run could not be recorded: {first_line(error)}; "
            "check the disk, then run again"
        )
    try:
        remove_old_records(state.connection, datetime.now(UTC), automation_or_defaults().keep_runs_days)
    # By now the end and its message are in the store: a run told otherwise would be told once more, as a success.
    except duckdb.Error as error:
        return True, PermanentError(
            f"staging store: old records could not be removed: {first_line(error)}; check the disk, then run again"
        )
    return True, None


def _publish(state: RunState) -> tuple[Path | None, IntegrationError | None]:
    """Publish the ranking; the file, or why there is none. Neither where there is nothing to publish."""
    if state.connection is None or not _may_record(state):
        return None, None
    settings = state.opened_settings()
    target = published_path(settings.home, state.target(), state.tenant)
    # An undo ranks nothing: what was published stays, and comes to know of this run.
    again = state.mode in UNDO_MODES and target.exists()
    # A run that ranked nothing itself may publish only tables that an earlier run finished, never half of its own.
    if not (state.ranked or again or (state.scope.takes_over(RANK_STAGE) and was_ranked(state.connection))):
        return None, None
    try:
        # Only now: the records this run has created have got their ids.
        _set_pages(state.connection, settings)
        publish(state.connection, target)
        # Only on request: the file holds names of companies and ARR, and others than the product's user could read it.
        if settings.share_published:
            share_published(settings.home)
    except IntegrationError as error:
        return None, error
    return target, None


def _tell_owners(state: RunState, end_state: EndState) -> None:
    """Post what shipped to the owners of the companies that asked, where a tenant wants that."""
    # A dry run tells nobody anything; a run that ranked nothing has nothing new to tell.
    if state.connection is None or not state.ranked or state.mode in DRY_MODES:
        return
    # What the gate or the guard calls wrong is not noted as shipped either: the next run that ends well finds it, if it
    # is still so.
    if EXIT_CODES[end_state] != EXIT_CODES[EndState.SUCCEEDED]:
        return
    settings = state.opened_settings()
    try:
        if not settings.post_shipped:
            stop_watching(state.connection)
            return
        watch_shipped(state.connection, datetime.now(UTC).replace(tzinfo=None))
        post = owner_poster(settings, state.run_id)
        if post is None:
            state.notes.append("nobody was told what shipped: Slack is not configured")
            return
        state.notes += tell_owners(state.connection, post)
    # What the run achieved is recorded already; what could not be noted as told is told by the next one.
    except duckdb.Error as error:
        state.notes.append(f"owners were not told what shipped: the staging store failed ({type(error).__name__})")


def _pass_on(state: RunState, published: Path) -> list[str]:
    """Put what was published into object storage and the readers' lake, where that is wanted; gives notes for people.

    Neither changes how the run ends, and the next one tries again.
    """
    settings, notes = state.opened_settings(), []
    if settings.publish_url is not None:
        try:
            upload_published(settings.publish_url, published, state.target(), state.tenant)
        except IntegrationError as error:
            notes.append(f"object storage has an older ranking, or none: {error.message}")
    lake = store_place(settings, state.target(), state.tenant).lake
    if settings.lake_reader is not None and lake is not None:
        days = automation_or_defaults().keep_runs_days
        try:
            notes += publish_to_readers(lake, settings.lake_reader, published, days)
        except IntegrationError as error:
            notes.append(f"the readers' lake has an older ranking, or none: {error.message}")
    for note in notes:
        log.warning("%s", note)
    return notes


def _outcome(state: RunState) -> tuple[EndState, int, str | None]:
    """End state, exit code and the one line that says why."""
    # Ahead of gate and guard: both are judged on data that an error may have left incomplete.
    if state.error is not None:
        return state.error.state, state.error.exit_code, redact(state.error.message)
    # The gate before the guard: a plan made from data that failed the gate is not worth approving.
    reasons: tuple[str, ...] = tuple(f"{check.name}: {check.detail}" for check in state.failed_gate())
    if reasons:
        line = f"the gate is closed, nothing was written: {'; '.join(reasons)}"
    elif state.planned is not None and state.planned.held:
        reasons = state.planned.reasons
        line = f"plan {state.planned.plan.hash[:12]} is held: {'; '.join(reasons)}"
    else:
        # A rejected record is no failure of the run, but must not pass for a clean success either.
        rejects = bool(state.report and state.report.rejected_items)
        end_state = EndState.SUCCEEDED_WITH_REJECTS if rejects else EndState.SUCCEEDED
        return end_state, EXIT_CODES[end_state], None
    return EndState.HELD, EXIT_CODES[EndState.HELD], redact(line)


def _outbox(state: RunState, conclusion: _Conclusion, held: HeldAlerts | None) -> Outbox:
    """The outbox in the staging store; where machines share one, that one, with what was in the store."""
    store = StoreOutbox(state.opened_store())
    # While PostgreSQL is away the alerts that are held are this machine's, and so are its messages.
    if held is None or not held.is_shared:
        return store
    hand_over(store, held, own=state.run_id)
    return SharedOutbox(held, state.run_id, lambda alerts: record_end(alerts, conclusion.transition))


def _post(state: RunState, conclusion: _Conclusion, held: HeldAlerts | None, *, recorded: bool) -> Message:
    """Post the summary where Slack is configured. What Slack does never changes what the run achieved."""
    message, post = conclusion.message, slack_poster(state.settings)
    # Somebody launched it by hand a second ago and sees the refusal; the channel of the team need not.
    if isinstance(state.error, LaunchError):
        return Message(message.text, message.blocks, posted=False, problem=SEEN_BY_ITS_STARTER)
    if post is None:
        return Message(message.text, message.blocks, posted=False)
    if _never_began(state):
        return Message(message.text, message.blocks, posted=False, problem="not posted: the run never began")
    quiet = is_quiet(state, conclusion.transition)
    # Nothing of this run waits in the outbox; older messages can wait for a run that can record.
    if quiet and not recorded:
        return Message(message.text, message.blocks, posted=False, problem=SAID_BEFORE)

    def noted(one: OutboxMessage, is_late: bool) -> Posting:
        state.posting = post(one, is_late)
        return state.posting

    delivery = send_message(noted, message, partial(_outbox, state, conclusion, held) if recorded else None)
    # `send_message` was called for the older messages in the outbox; that this one was not among them needs a reason.
    if quiet and delivery.problem is None:
        delivery.problem = SAID_BEFORE
    state.notes += delivery.notes
    if delivery.problem:
        state.notes.append(delivery.problem)
    return Message(message.text, message.blocks, delivery.posted, delivery.problem)
