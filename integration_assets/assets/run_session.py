"""What the assets of one run share, and how a run ends.

The session is a Dagster resource, opened once per run by the in-process executor. It opens the staging store of the
tenant and environment, hands out connectors, keeps the first error, and when the run is over makes sure that there is
a summary: the `run_summary` asset writes it when the run got that far, the session's teardown when it did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import duckdb
from pydantic import PrivateAttr

from integration_assets.assets.call_floor import CrmSizes, Work
from integration_assets.assets.memory import memory_bound
from integration_assets.assets.partitions import tenant_of
from integration_assets.assets.settings import overrides
from integration_assets.checks.base import CheckResult
from integration_assets.config import Environment, Settings, TenantSettings, load_settings, tenant_settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.limiter import Quota
from integration_assets.errors import (
    ConfigurationError,
    CredentialError,
    IntegrationError,
    PermanentError,
    TransientError,
)
from integration_assets.reporting.open_runs import Begun, begin_run, end_dead_runs, forget_run
from integration_assets.staging.lock import RunLock
from integration_assets.staging.store import hold_store, store_path
from integration_assets.sync.report import ApplyReport
from integration_assets.tenants.registry.words import Provider
from integration_assets.tenants.settings import note_outcomes, settings_for

if TYPE_CHECKING:
    from integration_assets.assets.writing import Planned


class Mode(StrEnum):
    """How far a run may go."""

    SYNC = "sync"
    DRY_RUN = "dry_run"
    READ_ONLY = "read_only"
    UNDO_PLAN = "undo_plan"
    UNDO = "undo"


DRY_MODES = frozenset({Mode.DRY_RUN, Mode.UNDO_PLAN})
"""These end with a plan and write nothing into the CRM."""
UNDO_MODES = frozenset({Mode.UNDO_PLAN, Mode.UNDO})
"""These are about an earlier run: they read nothing of the feedback system, and rank nothing."""


@dataclass
class RunState:
    """Everything one run knows about itself. Times are UTC; `clock_start` is monotonic seconds.

    `work` is what there was to read, None before the systems were read to their end; `crm_sizes` what a call of the CRM
    carries. `portal_asked`: the CRM was asked who it is before writing.
    """

    run_id: str
    tenant: str
    mode: Mode
    started_at: datetime
    clock_start: float
    plan_file: Path | None = None
    approved_hash: str | None = None
    full_read: bool = False
    undo_run: str = ""
    settings: Settings | None = None
    environment: Environment | None = None
    connection: duckdb.DuckDBPyConnection | None = None
    lock: RunLock | None = None
    stop_asked: bool = False
    whole_job: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    calls: CallCounter = field(default_factory=CallCounter)
    checks: dict[str, CheckResult] = field(default_factory=dict)
    quota: Quota = field(default_factory=Quota)
    work: Work | None = None
    crm_sizes: CrmSizes | None = None
    portal_asked: bool = False
    retirements_withheld: bool = False
    identified: int = 0
    resolved: bool = False
    ranked: bool = False
    planned: Planned | None = None
    report: ApplyReport | None = None
    notes: list[str] = field(default_factory=list)
    error: IntegrationError | None = None
    error_stage: str | None = None
    finished: bool = False


class RunSession(dg.ConfigurableResource["RunSession"]):
    """Settings, staging store, call counts and outcome of one run.

    `mode` is `sync`, `dry_run` (plan, write nothing), `read_only` (rank, ask nothing of the CRM), `undo_plan` (plan the
    undo of a run) or `undo`. `environment` is `sandbox` or `production`; empty means `INTEGRATION_ASSETS_ENVIRONMENT`.
    `plan_file` and `approved_hash` apply a plan that was saved to a file elsewhere. `full_read` reads everything whole,
    whatever earlier runs know. `undo_run` is the run to undo: its id, the beginning of it, or `last`; `approved_hash`
    is then the whole hash of the saved undo to apply, empty for a new one.
    """

    mode: str = Mode.SYNC.value
    environment: str = ""
    plan_file: str = ""
    approved_hash: str = ""
    full_read: bool = False
    undo_run: str = ""

    _state: RunState | None = PrivateAttr(default=None)

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[RunSession]:
        """Open the session of the run; whatever fails here is raised by the first stage that needs it."""
        run = context.run
        state = RunState(
            run_id=run.run_id if run else "",
            tenant=tenant_of(run),
            mode=Mode(self.mode),
            started_at=datetime.now(UTC),
            clock_start=time.monotonic(),
            plan_file=Path(self.plan_file) if self.plan_file else None,
            approved_hash=self.approved_hash or None,
            full_read=self.full_read,
            undo_run=self.undo_run,
            whole_job=run is not None and is_whole(run),
            tags=dict(run.tags) if run else {},
        )
        self._state = state
        with contextlib.ExitStack() as stack:
            try:
                self._open(state, stack)
            except IntegrationError as error:
                state.error, state.error_stage = error, "start"
            try:
                yield self
            finally:
                note_use(state)
                self._end(state)

    def _open(self, state: RunState, stack: contextlib.ExitStack) -> None:
        values = {"environment": self.environment} if self.environment else {}
        operator = load_settings(**values)
        state.environment = operator.environment
        # Until it is known whose credentials this run uses, it has none: not even for a message that it failed.
        state.settings = tenant_settings(operator, state.tenant)
        state.settings = settings_for(operator, state.tenant, f"run {state.run_id}")
        overrides(state.settings)  # a wrong file ends the run before the first call, not after a long read
        path = store_path(state.settings.home, state.settings.store_url, state.environment, state.tenant)
        store = stack.enter_context(hold_store(path, f"run {state.run_id}"))
        state.connection, state.lock = store.connection, store.lock
        try:
            self._begin(state, state.settings, store.connection)
        except duckdb.Error as error:
            raise PermanentError(f"staging store {path} cannot be written: {first_line(error)}") from error

    def _begin(self, state: RunState, settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
        """Note that this run has begun, and record the end of those that died."""
        from integration_assets.assets.ending import left_ending  # noqa: PLC0415 - ending imports this module

        environment = settings.environment
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
            known_ending=lambda run_id: left_ending(settings.home, environment, state.tenant, run_id),
            memory=memory_bound(),
        )

    def _end(self, state: RunState) -> None:
        """Write the summary of a run that did not reach its `run_summary` asset because something stopped it.

        A run of some assets only that was not stopped has none.
        """
        from integration_assets.assets.ending import finish_run  # noqa: PLC0415 - ending imports this module

        if state.finished:
            return
        if state.whole_job and state.error is None and not failed_gate(state):
            self._note(_stopped_between_stages(sys.exception()), "end")
        if state.error or failed_gate(state):
            finish_run(self)
        elif state.connection is not None:
            forget_run(state.connection, state.run_id)

    def stop(self) -> None:
        """Ask the run to write nothing beyond what is under way."""
        self.state.stop_asked = True

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
        if self.state.settings is None:
            raise self.state.error or ConfigurationError("settings could not be read")
        return self.state.settings

    @property
    def target(self) -> Environment:
        """The environment this run may write to."""
        if self.state.environment is None:
            raise self.state.error or ConfigurationError("settings could not be read")
        return self.state.environment

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The staging store; raises why it could not be opened."""
        if self.state.connection is None:
            raise self.state.error or PermanentError("the staging store is not open")
        return self.state.connection

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[RunState]:
        """Run one stage; turn what stops it into one line, kept for the summary, that Dagster does not retry."""
        state = self.state
        try:
            _raise_again(state.error)
            yield state
        except IntegrationError as error:
            self._note(error, name)
            raise dg.Failure(description=error.message, allow_retries=False) from error
        except (MemoryError, duckdb.OutOfMemoryException) as error:
            shortage = TransientError(
                f"out of memory in {name}: it may use {memory_bound()}; allow more, then run again"
            )
            self._note(shortage, name)
            raise dg.Failure(description=shortage.message, allow_retries=False) from error
        except duckdb.Error as error:
            problem = PermanentError(f"staging store: {type(error).__name__} in {name}: {first_line(error)}")
            self._note(problem, name)
            raise dg.Failure(description=problem.message, allow_retries=False) from error
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._note(
                PermanentError(
                    f"unexpected {type(error).__name__} in {name} ({Path(where.filename).name}:{where.lineno}): "
                    "please report it with the run's log"
                ),
                name,
            )
            raise
        except asyncio.CancelledError as error:
            interrupted = TransientError(f"interrupted in {name}: run it again, it goes on where it stands")
            self._note(interrupted, name)
            raise dg.Failure(description=interrupted.message, allow_retries=False) from error
        except BaseException:
            self._note(TransientError(f"interrupted in {name}: run it again, it goes on where it stands"), name)
            raise

    def _note(self, error: IntegrationError, stage: str) -> None:
        if self.state.error is None:
            self.state.error, self.state.error_stage = error, stage


def is_whole(run: dg.DagsterRun) -> bool:
    """Whether a run goes through its job from the first stage to the last, as opposed to a choice of its assets.

    Runs of the UI and of the command line name every step of the job; a choice of assets, or what is left of a run that
    failed, is less.
    """
    steps = run.step_keys_to_execute
    whole = steps is None or {"raw", "run_summary"} <= set(steps) or set(steps) == {Mode.UNDO.value}
    return not run.asset_selection and whole


def note_use(state: RunState) -> None:
    """Note in the registry how the run fared with the tenant's integrations. That it cannot be noted is no failure."""
    if not isinstance(state.settings, TenantSettings) or state.error_stage == "start":
        return
    systems = {provider.value: provider for provider in Provider}
    problems: dict[Provider, str | None] = {}
    if isinstance(state.error, CredentialError) and state.error.system in systems:
        problems = {systems[state.error.system]: state.error.message}
    elif state.error is None:
        problems = {Provider.CANNY: None, Provider.HUBSPOT: None}
    try:
        note_outcomes(load_settings(environment=state.settings.environment), state.tenant, problems, state.run_id)
    except IntegrationError as error:
        state.notes.append(f"how the integrations worked could not be noted: {error.message}")


def _stopped_between_stages(reason: BaseException | None) -> IntegrationError:
    """Why a run of a whole job ended without an error of a stage. `reason` is what is passing through, if anything."""
    if isinstance(reason, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
        return TransientError("interrupted between two stages: run it again, it goes on where it stands")
    return PermanentError("stopped between two stages: look at the run in the Dagster UI, and please report it")


def _raise_again(error: IntegrationError | None) -> None:
    if error is not None:
        raise error


def failed_gate(state: RunState) -> list[CheckResult]:
    """The blocking checks of this run that did not pass."""
    return [check for check in state.checks.values() if check.severity == "ERROR" and not check.passed]


def first_line(error: BaseException) -> str:
    """The first line of an error's text."""
    return (str(error).splitlines() or [""])[0]
