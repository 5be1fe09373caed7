"""State of a run: how far it may go, and everything it knows about itself, as plain data.

Whoever works for a run is given its state; `session.py` opens one per run and closes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import duckdb
import msgspec

from integration_assets.checks.base import CheckResult
from integration_assets.config import Environment, Settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.limiter import Quota
from integration_assets.errors import ConfigurationError, EndState, IntegrationError, PermanentError
from integration_assets.ingest.call_floor import CrmSizes, Work
from integration_assets.reporting.slack_posting import Posting
from integration_assets.runs.launch import WHOLE, Scope
from integration_assets.staging.lock import RunLock
from integration_assets.sync.apply_report import ApplyReport
from integration_assets.sync.plan_store import Plan


class Mode(StrEnum):
    """Range of a run: how far it may go."""

    SYNC = "sync"
    DRY_RUN = "dry_run"
    READ_ONLY = "read_only"
    UNDO_PLAN = "undo_plan"
    UNDO = "undo"


DRY_MODES = frozenset({Mode.DRY_RUN, Mode.UNDO_PLAN})
"""These end with a plan and write nothing into the CRM."""
UNDO_MODES = frozenset({Mode.UNDO_PLAN, Mode.UNDO})
"""These are about an earlier run: they read nothing of the feedback system, and rank nothing."""


class Planned(msgspec.Struct, frozen=True):
    """A saved plan and what the guard says of it. `released`: a person approved it, the guard is not asked."""

    plan: Plan
    reasons: tuple[str, ...] = ()
    first_apply: bool = False
    released: bool = False

    @property
    def held(self) -> bool:
        """True if nothing of it may be written."""
        return bool(self.reasons)


@dataclass
class RunState:
    """Everything one run knows about itself. Times are UTC; `clock_start` is monotonic seconds.

    `mode` is how far the selected stages go, `scope` which they are, `job` the name of the Dagster job. `work` is what
    there was to read, None before the systems were read to their end; `crm_sizes` what a call of the CRM carries.
    `portal_asked`: the CRM was asked who it is before writing. `posting`: what Slack said last, None if it was not
    asked. `end_state` is known once the run has been summed up.
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
    scope: Scope = WHOLE
    job: str = ""
    reads_other_schema: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    calls: CallCounter = field(default_factory=CallCounter)
    checks: dict[str, CheckResult] = field(default_factory=dict)
    quota: Quota = field(default_factory=Quota)
    work: Work | None = None
    crm_sizes: CrmSizes | None = None
    portal_asked: bool = False
    identified: int = 0
    resolved: bool = False
    ranked: bool = False
    planned: Planned | None = None
    report: ApplyReport | None = None
    posting: Posting | None = None
    notes: list[str] = field(default_factory=list)
    error: IntegrationError | None = None
    error_stage: str | None = None
    finished: bool = False
    end_state: EndState | None = None

    def opened_settings(self) -> Settings:
        """Settings of the run; raises what was wrong with them."""
        if self.settings is None:
            raise self.error or ConfigurationError("settings could not be read")
        return self.settings

    def target(self) -> Environment:
        """The environment this run may write to."""
        if self.environment is None:
            raise self.error or ConfigurationError("settings could not be read")
        return self.environment

    def opened_store(self) -> duckdb.DuckDBPyConnection:
        """The staging store; raises why it could not be opened."""
        if self.connection is None:
            raise self.error or PermanentError("the staging store is not open")
        return self.connection

    def failed_gate(self) -> list[CheckResult]:
        """The blocking checks of this run that did not pass."""
        return [check for check in self.checks.values() if check.severity == "ERROR" and not check.passed]


def first_line(error: BaseException) -> str:
    """The first line of an error's text."""
    return (str(error).splitlines() or [""])[0]
