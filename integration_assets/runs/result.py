"""Result of a run for whoever started it, in a file of its own and in the memory of its process."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from integration_assets.config import Environment
from integration_assets.reporting.result_files import KEPT, result_path
from integration_assets.reporting.run_summary import RunSummary
from integration_assets.runs.appointments import Appointment, appointment_path, make_appointment
from integration_assets.runs.state import RunState
from integration_assets.staging.store import make_private_directory
from integration_assets.whole_files import remove_oldest, write_whole


class Message(msgspec.Struct, frozen=True):
    """The Slack message of a run. `problem` says why it was not posted, None when it was; `posted` whether it was."""

    text: str
    blocks: list[dict[str, Any]]
    posted: bool
    problem: str | None = None


class RunResult(msgspec.Struct, frozen=True):
    """Result of a run, for the one who started it.

    `error` is one line; `plan_id` names the saved plan, if any; `floor` has the fewest calls the work done takes;
    `published` and `report` are files; `retry_at` is when a sensor tries it again, UTC, None when it does not.
    `calls_left_today` is what the CRM said is left of its daily quota, None where it says nothing.
    """

    exit_code: int
    summary: RunSummary
    error: str | None
    stage: str | None
    notes: tuple[str, ...]
    published: str | None
    plan_id: str | None
    message: Message
    floor: dict[str, int] = {}
    report: str | None = None
    retry_at: datetime | None = None
    calls_left_today: int | None = None


def read_result(home: Path, environment: Environment, tenant: str, run_id: str) -> RunResult | None:
    """The result of a run, or None when it left none."""
    # Memory before the file: on a full disk the file is missing or that of an earlier attempt.
    if run_id in _results:
        return _results[run_id]
    path = result_path(home, environment, tenant, run_id)
    return msgspec.json.decode(path.read_bytes(), type=RunResult) if path.exists() else None


_results: dict[str, RunResult] = {}
"""The results of this process's runs: a disk that is full must not hide how a run ended."""


def has_result(run_id: str) -> bool:
    """True if a run of this process has come to its end, whatever could be kept of it."""
    return run_id in _results


def left_result(home: Path, environment: Environment, tenant: str, run_id: str) -> tuple[RunSummary, str | None] | None:
    """Summary and error line of a run that left its result in a file; None when there is none, or no whole one."""
    try:
        result = read_result(home, environment, tenant, run_id)
    except (OSError, msgspec.DecodeError):
        return None
    return (result.summary, result.error) if result else None


def keep_result(state: RunState, result: RunResult) -> RunResult:
    """Remember a result and write its file, whole or not at all; returns it, with a note when it could not be kept."""
    if state.settings is not None and state.environment is not None:
        path = result_path(state.settings.home, state.environment, state.tenant, state.run_id)
        try:
            make_private_directory(path.parent)
            write_whole(path, msgspec.json.encode(result))
            remove_oldest(path.parent, "*.json", KEPT)
            if result.retry_at is not None:
                place = appointment_path(state.settings.home, state.environment, state.tenant)
                make_appointment(place, Appointment(state.run_id, result.retry_at))
        # The result is in memory already; the run's own end must not turn into that of its file.
        except OSError as error:
            note = f"the ending of the run could not be kept in {path}: {error.strerror}"
            result = msgspec.structs.replace(result, notes=(*result.notes, note))
    _results[state.run_id] = result
    return result
