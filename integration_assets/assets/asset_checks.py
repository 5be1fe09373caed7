"""The gate's checks as Dagster asset checks, partitioned by tenant; several are one step.

Dagster calls partition-aware checks a preview: `_one_step` is the only place that knows, and the reason why dagster
is pinned below its next minor version.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import duckdb

from integration_assets.assets.metadata import escape_markdown, shown_table
from integration_assets.assets.placing import step_name
from integration_assets.checks import nulls
from integration_assets.checks.base import SAMPLE_ROWS, Answers, Check, CheckResult, GateSettings, asked_once, query
from integration_assets.checks.gate import CHECKS
from integration_assets.logs import without_links
from integration_assets.reporting.quarantine import read_quarantine
from integration_assets.runs.gate_settings import gate_settings
from integration_assets.runs.launch import READ_STAGE, STAGES
from integration_assets.runs.partitions import TENANTS
from integration_assets.runs.session import RunSession

log = logging.getLogger(__name__)

ABOUT_RECORDS = frozenset(nulls.STAGES)
"""Checks of what could not be used: they name the records."""
_SEVERITY = {"ERROR": dg.AssetCheckSeverity.ERROR, "WARN": dg.AssetCheckSeverity.WARN}


def check_metadata(
    result: CheckResult, connection: duckdb.DuckDBPyConnection, run_id: str, arr_property: str | None = None
) -> dict[str, dg.MetadataValue[Any]]:
    """The rows a result is about; where records were kept out, how many, why, and the first of them."""
    shown: dict[str, dg.MetadataValue[Any]] = {}
    # A warning about records already lists them below with their reasons: the same rows twice would be read as two
    # problems.
    if result.rows and not (result.name in ABOUT_RECORDS and result.severity == "WARN"):
        shown["rows"] = shown_table(list(result.rows[0]), [tuple(row.values()) for row in result.rows])
    if result.name in ABOUT_RECORDS:
        records = query(connection, "quarantined_records", [run_id, result.asset])
        # Distinct records: one can be kept out for several reasons.
        shown["quarantined"] = dg.MetadataValue.int(len({(kind, key) for kind, key, _ in records}))
        if records:
            lines = read_quarantine(connection, run_id, arr_property=arr_property, stage=result.asset)
            shown["quarantined_reasons"] = shown_table(
                ["kind", "reason", "records", "examples", "remedy"],
                [(line.kind, line.reason, line.records, ", ".join(line.examples), line.remedy) for line in lines],
            )
            shown["quarantined_records"] = shown_table(["kind", "key", "reason"], records[:SAMPLE_ROWS])
    return shown


def _log_result(result: CheckResult) -> None:
    fields = {"check": result.name, "asset": result.asset, "severity": result.severity, "passed": result.passed}
    detail = without_links(result.detail)
    if result.passed:
        log.debug("check %s of %s: ok, %s", result.name, result.asset, detail, extra=fields)
        return
    level = logging.ERROR if result.severity == "ERROR" else logging.WARNING
    log.log(level, "check %s of %s: failed, %s", result.name, result.asset, detail, extra=fields)


@dataclass
class _Asked:
    """Answers that the checks of one step have had so far: nothing is written to the store while they are asked."""

    answers: Answers = field(default_factory=dict)
    settings: GateSettings | None = None


def _answer(check: Check, key: dg.AssetCheckKey, session: RunSession, asked: _Asked) -> dg.AssetCheckResult:
    # The line of its result says that it was asked.
    with session.stage(check.name, level=logging.DEBUG) as state:
        # In the first check's stage, so that settings that cannot be read are told as what stopped it.
        settings = asked.settings = asked.settings or gate_settings(state)
        with asked_once(asked.answers):
            result = check.ask(session.connection, settings)
        # Before Dagster's own result: the gate before the write and the summary look here, even where Dagster's
        # events are lost.
        state.checks[check.name] = result
        _log_result(result)
        return dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=check.name,
            passed=result.passed,
            severity=_SEVERITY[result.severity],
            description=escape_markdown(result.detail),
            metadata=check_metadata(result, session.connection, state.run_id, settings.arr_property),
        )


def _one_step(name: str, checks: Sequence[Check]) -> dg.AssetChecksDefinition:
    """One step that asks several checks; each can still be selected by itself.

    A step of its own for each check would cost the run four more events of Dagster's that nobody reads.
    """

    def run(integration_assets_session: RunSession) -> Iterator[dg.AssetCheckResult]:
        # With the prefix that the project gave the assets.
        selected = {key.name: key for key in dg.AssetCheckExecutionContext.get().selected_asset_check_keys}
        asked = _Asked()
        for check in checks:
            if key := selected.get(check.name):
                yield _answer(check, key, integration_assets_session, asked)

    # Only this warning and only here: tests turn every other one into an error.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=dg.PreviewWarning)
        specs = [
            dg.AssetCheckSpec(
                check.name,
                asset=check.asset,
                description=check.description,
                blocking=check.blocking,
                partitions_def=TENANTS,
            )
            for check in checks
        ]
        return dg.multi_asset_check(name=step_name(name), specs=specs, can_subset=True)(run)


def _stage_of(check: Check) -> str:
    """The stage whose step makes the asset of a check: that of reading makes all of `raw`."""
    return check.asset if check.asset in STAGES else READ_STAGE


def _steps() -> Iterator[dg.AssetChecksDefinition]:
    """One step for each asset with blocking checks, as one that fails holds what comes after all of its assets."""
    for stage in STAGES:
        of_stage = [check for check in CHECKS if _stage_of(check) == stage]
        if telling := [check for check in of_stage if not check.blocking]:
            yield _one_step(f"{stage}_checks", telling)
        blocking = [check for check in of_stage if check.blocking]
        for asset in dict.fromkeys(check.asset for check in blocking):
            yield _one_step(f"{asset}_blocking_checks", [check for check in blocking if check.asset == asset])


ASSET_CHECKS = list(_steps())
