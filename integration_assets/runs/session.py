"""Session of one run: what its assets share, and how it ends.

The session is a Dagster resource, opened once per run by the in-process executor. It opens the staging store of the
tenant and environment, hands out connectors, keeps the first error, and when the run is over makes sure that there is
a summary: the `run_summary` asset writes it when the run got that far, the session's teardown when it did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import dagster as dg
import duckdb
from pydantic import Field, PrivateAttr

from integration_assets.config import (
    DEFAULT_TENANT,
    Environment,
    Settings,
    load_settings,
    tenant_settings,
)
from integration_assets.coordination.run_lock import SharedLocks, shared_locks
from integration_assets.errors import (
    EndState,
    IntegrationError,
    LaunchError,
    LockError,
    PermanentError,
    RunStoppedError,
    TransientError,
)
from integration_assets.garbage import search_rarely_in_own
from integration_assets.logs import run_fields, without_links
from integration_assets.reporting.open_runs import Begun, begin_run, end_dead_runs, forget_run
from integration_assets.reporting.text import count
from integration_assets.runs.finish import finish_run
from integration_assets.runs.integration_use import note_use
from integration_assets.runs.interrupts import GRACE_SECONDS, interruption_behind
from integration_assets.runs.launch import (
    PLAN_STAGE,
    RANK_STAGE,
    READ_STAGE,
    RESOLVE_STAGE,
    UNDO_STEP,
    Scope,
    check_launch,
    check_request,
    failed_step,
    job_of,
    scope_of,
    stop_reason,
)
from integration_assets.runs.memory_limit import memory_bound
from integration_assets.runs.partitions import tenant_of
from integration_assets.runs.prerequisites import check_prerequisites
from integration_assets.runs.resolution_settings import overrides, same_requests
from integration_assets.runs.result import left_result
from integration_assets.runs.state import UNDO_MODES, Mode, RunState, first_line
from integration_assets.sql import read_sql
from integration_assets.staging.bucket import bucket_error
from integration_assets.staging.object_storage import check_publish_url
from integration_assets.staging.publishing import published_path
from integration_assets.staging.readers_lake import check_reader
from integration_assets.staging.room import check_room, has_too_many_open_files, is_disk_full
from integration_assets.staging.store import HeldStore, StorePlace, hold_store, store_place
from integration_assets.staging.transactions import UncommittedError
from integration_assets.sync.undo import LAST
from integration_assets.tenants.settings import settings_for
from integration_assets.tracing import PREFIX, Noted, work_span
from integration_assets.unread_variables import unread_variables

log = logging.getLogger(__name__)

ModeChoice = Literal["", "sync", "dry_run", "read_only", "undo_plan", "undo"]
EnvironmentChoice = Literal["", "sandbox", "production"]
"""Values that the launchpad offers and Dagster checks. Literals: of an enum it would take the names, not the values."""
LET_GO_SECONDS = GRACE_SECONDS + 25.0
"""Longest wait for a run that Dagster counts as over to let go of the staging store: it may finish what it has begun,
and then tell how it ended."""
LET_GO_POLL_SECONDS = 0.5
MORE_FILES = "raise the limit of open files (`ulimit -n`), then run it again"
SESSION = "integration_assets_session"
"""Key of the session among the resources of a project."""
RUN_HOLDER = "run "
"""Prefix of the holder of a run lock when it is a run; its id follows."""


class RunSession(dg.ConfigurableResource["RunSession"]):
    """Settings, staging store, call counts and outcome of one run.

    The fields are what somebody may say who launches one; Dagster shows their descriptions in its launchpad, and checks
    the values before the run begins.
    """

    mode: ModeChoice = Field(
        default="",
        description="sync; dry_run: plan, write nothing; read_only: rank, ask nothing of the CRM; undo_plan: plan the "
        "undo of a run; undo. Empty: that of the job.",
    )
    environment: EnvironmentChoice = Field(
        default="", description="The CRM portal to write to. Empty: as INTEGRATION_ASSETS_ENVIRONMENT says."
    )
    plan_file: str = Field(default="", description="A plan that was saved to a file elsewhere, to be applied.")
    approved_hash: str = Field(
        default="",
        description="With plan_file: the approved hash of that plan. In an undo: the whole hash of the saved undo to "
        "apply; empty for a new one.",
    )
    full_read: bool = Field(default=False, description="Read everything, whatever earlier runs know.")
    undo_run: str = Field(
        default=LAST, description="In an undo, the run to take back: its id, the beginning of it, or `last`."
    )

    _state: RunState | None = PrivateAttr(default=None)
    _fields: dict[str, str] = PrivateAttr(default_factory=dict)
    _instance: dg.DagsterInstance | None = PrivateAttr(default=None)

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[RunSession]:
        """Open the session of the run; whatever fails here is raised by the first stage that needs it.

        A session of a run that has ended stays closed: Dagster opens the resources once more to hand out its result.
        """
        run, self._instance = context.run, context.instance
        # Opening it again would take the lock, record a second beginning and post a second summary.
        if run is not None and run.is_finished:
            yield self
            return
        # A run that Dagster started has a process that loaded as much as a command does.
        search_rarely_in_own()
        scope, wanted = scope_of(run, context.instance), wanted_mode(self.mode, run)
        state = RunState(
            run_id=run.run_id if run else "",
            tenant=tenant_of(run),
            mode=mode_of(wanted, scope),
            reads_other_schema=wanted is not Mode.READ_ONLY,
            started_at=datetime.now(UTC),
            clock_start=time.monotonic(),
            plan_file=Path(self.plan_file) if self.plan_file else None,
            approved_hash=self.approved_hash or None,
            full_read=self.full_read,
            undo_run=self.undo_run,
            scope=scope,
            job=job_of(run),
            tags=dict(run.tags) if run else {},
        )
        self._state = state
        with contextlib.ExitStack() as stack:
            self._fields = stack.enter_context(run_fields(tenant=state.tenant, run_id=state.run_id))
            span = stack.enter_context(work_span("run", **_run_attributes(state)))
            try:
                self._open(state, stack, run)
            except IntegrationError as error:
                state.error, state.error_stage = error, "start"
                # At once: a step that Dagster itself cannot start hides the line the first stage would give.
                log.error("the run cannot begin: %s", error.message, extra={"job": state.job, "mode": state.mode})  # noqa: TRY400 - a known end needs no stack trace
            else:
                _note_begin(state)
            try:
                yield self
            finally:
                # Before the end, so that its note is in the summary.
                note_use(state)
                self._end(state)
                _note_end(span, state)

    def _open(self, state: RunState, stack: contextlib.ExitStack, run: dg.DagsterRun | None) -> None:
        values = {"environment": self.environment} if self.environment else {}
        operator = load_settings(**values)
        state.environment = operator.environment
        self._fields["environment"] = operator.environment.value
        # Until it is known whose credentials this run uses, it has none: not even for a message that it failed.
        state.settings = tenant_settings(operator, state.tenant)
        # Before the registry is asked for any secret: a refused launch needs none.
        check_launch(run, self._instance)
        check_request(operator, run)
        _check_mode(state.mode, state.scope)
        state.settings = settings_for(operator, state.tenant, f"run {state.run_id}")
        # A wrong file ends the run before the first call, not after a long read.
        overrides(state.settings)
        same_requests(state.settings)
        if state.settings.publish_url is not None:
            check_publish_url(state.settings.publish_url)
        place = store_place(state.settings, state.environment, state.tenant)
        if state.settings.lake_reader is not None:
            check_reader(place.lake)
        store = self._hold_store(place, shared_locks(operator), state, stack)
        state.connection, state.lock = store.connection, store.lock
        try:
            self._begin(state, state.settings, store.connection)
        # It opened, so the lock is ours; what fails now is the disk or the file, and another try would not help.
        except duckdb.Error as error:
            raise PermanentError(f"staging store {place} cannot be written: {first_line(error)}") from error
        self.check_room()

    def _hold_store(
        self, place: StorePlace, shared: SharedLocks | None, state: RunState, stack: contextlib.ExitStack
    ) -> HeldStore:
        """Hold the staging store. One that a run holds which Dagster counts as over already is waited for.

        Dagster starts the next run of a tenant as soon as somebody has marked one as cancelled, whose process may still
        finish what it has begun.

        Raises:
            LockError: it is held by anything else, or not let go in time.
            RunStoppedError: this run was cancelled meanwhile.
        """
        deadline, is_told = time.monotonic() + LET_GO_SECONDS, False
        while True:
            try:
                return stack.enter_context(hold_store(place, f"{RUN_HOLDER}{state.run_id}", shared))
            except LockError as error:
                # Only a run that Dagster calls over will let go soon. A command or a live run may hold the store for
                # hours.
                is_over = error.holder.startswith(RUN_HOLDER) and stop_reason(
                    self._instance, error.holder.removeprefix(RUN_HOLDER)
                )
                if not is_over or time.monotonic() > deadline:
                    raise
                if not is_told:
                    log.info("waiting for %s, which is over, to let go of the staging store", error.holder)
                    is_told = True
            # Whoever cancels this run while it waits must not wait for the other one as well.
            if reason := stop_reason(self._instance, state.run_id):
                raise reason
            time.sleep(LET_GO_POLL_SECONDS)

    def _begin(self, state: RunState, settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
        """Note that this run has begun, and record the end of those that died.

        Raises:
            LaunchError: the selected stages go on from what no run has made yet.
        """
        environment = settings.environment
        check_prerequisites(state.scope, connection, state.tenant, environment.value)
        if not state.scope.only_sums_up:
            state.notes += _taken_over(state.scope)
        # The environment is the operator's: a tenant of the registry has no part in it.
        if state.tenant == DEFAULT_TENANT:
            state.notes += unread_variables(os.environ)
        # This run before the dead ones: if ending them fails, this one is still found and ended by the next.
        begin_run(
            connection,
            Begun(
                run_id=state.run_id,
                tenant=state.tenant,
                environment=environment.value,
                mode=state.mode.value,
                started_at=state.started_at,
            ),
        )
        state.notes += end_dead_runs(
            connection,
            but=state.run_id,
            known_result=lambda run_id: left_result(settings.home, environment, state.tenant, run_id),
            memory=memory_bound(),
        )

    def _end(self, state: RunState) -> None:
        """Write the summary of a run that has none yet.

        That is a run which something stopped before its `run_summary` asset, or which wrote the CRM and did not select
        that asset. A run of other assets that was not stopped has none.
        """
        if state.finished:
            return
        if state.error is None and not state.failed_gate() and (state.scope.sums_up or self._is_incomplete(state)):
            self._note(self._stopped_between_stages(sys.exception()), "end")
        if state.error or state.failed_gate() or state.scope.writes:
            finish_run(state)
            return
        # A run of a few assets that went well leaves no line among the runs: readers count whole runs there.
        if state.connection is not None:
            forget_run(state.connection, state.run_id)
        seconds = round(time.monotonic() - state.clock_start, 3)
        log.info("the run ended in %.1f s: its stages did what they do", seconds, extra={"seconds": seconds})

    def _is_incomplete(self, state: RunState) -> bool:
        """True if a run without a summary stage stopped before its last stage."""
        return state.scope.writes and state.report is None

    def _stopped_between_stages(self, reason: BaseException | None) -> IntegrationError:
        """Explain why a run ended without an error of a stage. `reason` is what is passing through, if anything."""
        # Dagster's word first: what a cancelled run raises on its way out is only a consequence.
        if stopped := stop_reason(self._instance, self.state.run_id):
            return self._with_what_was_written(stopped)
        if isinstance(reason, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
            return TransientError("interrupted between two stages: run it again, it goes on where it stands")
        if is_disk_full(reason):
            return PermanentError(
                "the disk is full: Dagster could not record the run; free some space, then run it again"
            )
        if has_too_many_open_files(reason):
            return PermanentError(f"too many open files: {MORE_FILES}")
        if failed := failed_step(self._instance, self.state.run_id):
            return PermanentError(f"Dagster stopped the run in {failed}; look at the run in the Dagster UI")
        return PermanentError(
            "stopped between two stages, and Dagster does not say why: look at the run in the Dagster UI, and please "
            "report it with the run's log"
        )

    def _with_what_was_written(self, stopped: RunStoppedError) -> RunStoppedError:
        """The same error with how far the run came, as the ledger has it."""
        state = self.state
        written, goes_on = "nothing was written", "the same undo" if state.mode in UNDO_MODES else "the next sync"
        try:
            rows = self.connection.execute(read_sql("reporting/written_by_run"), [state.run_id]).fetchall()
            verified, unsure = (sum(row[place] for row in rows) for place in (1, 3))
            if verified or unsure:
                written = f"{count(verified, 'write')} verified until then, {unsure:,} on their way"
        except (duckdb.Error, IntegrationError):
            written = "the staging store cannot say what was written"  # it is what failed, or was never opened
        return type(stopped)(f"{stopped.message}: {written}; {goes_on} goes on from there")

    def stop(self) -> None:
        """Ask the run to write nothing beyond what is under way."""
        self.state.stop_asked = True

    def check_room(self) -> None:
        """See that there is room for what this run leaves: at its beginning, and before it sends anything to the CRM.

        Raises:
            PermanentError: a disk is nearly full.
        """
        state, settings = self.state, self.settings
        store = store_place(settings, self.target, state.tenant).path
        published = published_path(settings.home, self.target, state.tenant)
        records = os.environ.get("DAGSTER_HOME")
        folders = [store.parent, settings.home, *([Path(records)] if records else [])]
        check_room(folders, (store, published))

    def check_lock(self) -> None:
        """Return while the run lock is ours: to be called before whatever leaves the staging store.

        Raises:
            LockError: it has passed on; nothing more may be written anywhere.
        """
        if self.state.lock is not None:
            self.state.lock.check()

    def may_write(self) -> None:
        """Return while a further batch may be begun.

        Raises:
            LockError: the run lock has passed on.
            TransientError: somebody asked the run to stop.
        """
        self.check_lock()
        if self.state.stop_asked:
            raise TransientError(
                "interrupted: what was under way was finished, nothing more was sent; run it again, it goes on where "
                "it stands"
            )

    @property
    def state(self) -> RunState:
        """The state of the run in progress."""
        if self._state is None:
            raise PermanentError("the run session is not open: it is opened by a Dagster run")
        return self._state

    @property
    def settings(self) -> Settings:
        """Settings of the run; raises what was wrong with them."""
        return self.state.opened_settings()

    @property
    def target(self) -> Environment:
        """The environment this run may write to."""
        return self.state.target()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The staging store; raises why it could not be opened."""
        return self.state.opened_store()

    @contextlib.contextmanager
    def stage(self, name: str, *, level: int = logging.INFO) -> Iterator[RunState]:
        """Run one stage; turn what stops it into one line, kept for the summary, that Dagster does not retry.

        `level` is that of the lines of the log which say that it begins and ends.
        """
        state, began = self.state, time.monotonic()
        try:
            # Dagster starts stages that do not depend on the failed one; they would work on half of the data.
            _raise_again(state.error)
            log.log(level, "%s begins", name, extra={"stage": name})
            with work_span(name):
                yield state
            seconds = round(time.monotonic() - began, 3)
            log.log(level, "%s ended in %.1f s", name, seconds, extra={"stage": name, "seconds": seconds})
        except dg.Failure:
            raise  # a stage that has told its end itself
        except BaseException as caught:
            # What DuckDB makes of a signal would read like a bug of ours, and Dagster would not see a cancelled run.
            error = interruption_behind(caught) or caught
            problem = self._problem(error, name)
            _note_stop(state, name, problem, round(time.monotonic() - began, 3))
            self._note(problem, name)
            if isinstance(problem, RunStoppedError):
                # As a failure of the step it would become one of the run, whatever Dagster made of it before.
                raise dg.DagsterExecutionInterruptedError(problem.message) from error
            # Known ends are told in one line. What is left is a bug, and keeps its stack trace in Dagster.
            if isinstance(error, IntegrationError | MemoryError | duckdb.Error | asyncio.CancelledError):
                raise dg.Failure(description=problem.message, allow_retries=False) from error
            if error is not caught:
                raise error from None  # what it was behind is only a consequence
            raise

    def _problem(self, error: BaseException, stage: str) -> IntegrationError:
        """Name what stopped a stage, as one line for people."""
        # A run that has told its end is no longer stopped by anybody: a later cancellation must not change what was
        # told.
        if not self.state.finished and (stopped := stop_reason(self._instance, self.state.run_id)):
            return self._with_what_was_written(stopped)
        if isinstance(error, IntegrationError):
            return error
        # Ahead of the other errors of DuckDB, which are permanent: more memory, or less at the same time, mends this
        # one.
        if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
            return TransientError(f"out of memory in {stage}: it may use {memory_bound()}; allow more, then run again")
        # A lake's data can lie in a bucket, which another try may well find again.
        if (of_bucket := bucket_error(error)) is not None:
            return of_bucket
        if isinstance(error, UncommittedError):
            return TransientError(
                f"staging store: {first_line(error)}; what {stage} was about to keep may be missing: run it again"
            )
        if isinstance(error, duckdb.Error):
            return PermanentError(f"staging store: {type(error).__name__} in {stage}: {first_line(error)}")
        if is_disk_full(error):
            return PermanentError(f"the disk is full in {stage}: free some space, then run it again")
        if has_too_many_open_files(error):
            return PermanentError(f"too many open files in {stage}: {MORE_FILES}")
        if isinstance(error, Exception):
            # File and line instead of the error's text, which may quote a record or an address.
            where = traceback.extract_tb(error.__traceback__)[-1]
            return PermanentError(
                f"unexpected {type(error).__name__} in {stage} ({Path(where.filename).name}:{where.lineno}): "
                "please report it with the run's log"
            )
        return TransientError(f"interrupted in {stage}: run it again, it goes on where it stands")

    def _note(self, error: IntegrationError, stage: str) -> None:
        # The first error is the cause, and the summary shows one.
        if self.state.error is None:
            self.state.error, self.state.error_stage = error, stage


def wanted_mode(configured: str, run: dg.DagsterRun | None) -> Mode:
    """The mode somebody configured, else the one the job is named after; a selection of assets is a sync.

    A job's own configuration reaches a run only where the one who launches it passes it on, as the Dagster UI does.
    """
    if configured:
        return Mode(configured)
    job = job_of(run)
    return Mode(job) if job in set(Mode) else Mode.SYNC


def _check_mode(mode: Mode, scope: Scope) -> None:
    """Return when the stages selected do what the mode says.

    Raises:
        LaunchError: the mode promises that nothing is written, or something else than the job does.
    """
    # In either direction: a sync configured as undo would find no run to undo, an undo as sync would write anew.
    if (mode in UNDO_MODES) != (UNDO_STEP in scope.steps):
        raise LaunchError(f"this job cannot run in mode {mode}: launch the job named after the mode")
    if scope.writes and mode is not Mode.SYNC:
        raise LaunchError(
            f"mode {mode} writes nothing, and the stage that writes the CRM is selected: launch the job {mode}"
        )


def mode_of(wanted: Mode, scope: Scope) -> Mode:
    """Return how far a run goes: without the write stage it is a dry run, or with no plan either a read-only one."""
    # A mode somebody chose is kept, so that the check of it can refuse what does not fit instead of doing less in
    # silence.
    if wanted is not Mode.SYNC or not scope.stages or scope.writes:
        return wanted
    return Mode.DRY_RUN if PLAN_STAGE in scope.steps else Mode.READ_ONLY


def _taken_over(scope: Scope) -> list[str]:
    """Name the earlier work that a run of some stages goes on from."""
    if not any(scope.takes_over(stage) for stage in (READ_STAGE, RESOLVE_STAGE, RANK_STAGE)):
        return []
    return [f"only {', '.join(scope.stages)} ran: what they go on from is as earlier runs left it"]


def _note_begin(state: RunState) -> None:
    log.info(
        "a run begins: tenant %s, %s, mode %s",
        state.tenant,
        state.environment,
        state.mode,
        extra={"job": state.job, "mode": state.mode, "stages": state.scope.stages},
    )


def _run_attributes(state: RunState) -> dict[str, str]:
    known = {"run_id": state.run_id, "tenant": state.tenant, "mode": state.mode.value, "job": state.job}
    return {f"{PREFIX}{name}": value for name, value in known.items()}


def _note_end(span: Noted, state: RunState) -> None:
    """Say in the span of a run how it ended; its environment is not known before the settings are read."""
    if state.environment is not None:
        span.note(integration_assets__environment=state.environment.value)
    if state.end_state is not None:
        span.note(integration_assets__end_state=state.end_state.value)
    # Dagster keeps to itself what a stage has raised.
    if state.error is not None:
        span.fail(type(state.error).__name__)


def _note_stop(state: RunState, stage: str, problem: IntegrationError, seconds: float) -> None:
    fields = {"stage": stage, "seconds": seconds, "end_state": problem.state, "error": type(problem).__name__}
    # A stage that was not even begun, because an earlier one failed, is no news.
    if problem is state.error:
        log.info("%s is left out: the run has failed already", stage, extra=fields)
        return
    # What is held or tried again is an end that was meant.
    level = logging.ERROR if problem.state is EndState.FAILED else logging.WARNING
    log.log(level, "%s stopped after %.1f s: %s", stage, seconds, without_links(problem.message), extra=fields)


def _raise_again(error: IntegrationError | None) -> None:
    if error is not None:
        raise error
