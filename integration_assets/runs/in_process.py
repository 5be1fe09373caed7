"""Run a job in this process and say how it ended. What the command line calls.

Runs are kept in a Dagster instance: the one of DAGSTER_HOME, or one under the product's home, so that the Dagster UI
shows runs started from the command line.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import dagster as dg
from dagster._core.errors import DagsterInvalidConfigError
from sqlalchemy.exc import OperationalError

from integration_assets.config import DEFAULT_TENANT, Settings, expanded, variable, why_no_home
from integration_assets.errors import ConfigurationError, PermanentError, TransientError
from integration_assets.runs.abandoned import close_abandoned_runs, run_tags
from integration_assets.runs.event_connections import kept_connections
from integration_assets.runs.partitions import PARTITION_TAG, align_partitions
from integration_assets.runs.result import RunResult, has_result, read_result
from integration_assets.runs.run_records import erase_run
from integration_assets.runs.session import SESSION
from integration_assets.runs.state import Mode
from integration_assets.staging.room import is_disk_full
from integration_assets.staging.store import make_private_directory
from integration_assets.tenants.settings import registry_tenants

INSTANCE_CONFIG = "dagster.yaml"
_UNSET_VARIABLE = re.compile(r'environment variable "(\w+)" which is not set')


def dagster_home(home: Path) -> Path:
    """Folder of the Dagster instance: DAGSTER_HOME, or `<home>/dagster`, made with our configuration.

    Raises:
        ConfigurationError: nothing can be kept there.
    """
    if configured := os.environ.get("DAGSTER_HOME"):
        try:
            folder = expanded(Path(configured))
        except ValueError as error:
            raise ConfigurationError(f"DAGSTER_HOME: {error}") from None
        if why := why_no_home(folder):
            raise ConfigurationError(f"DAGSTER_HOME: {why}")
        return folder
    folder = (home / "dagster").resolve()
    try:
        make_private_directory(folder)
        # At every start, so that an upgrade brings its new configuration; a folder of DAGSTER_HOME is the user's own.
        shutil.copyfile(config_file(INSTANCE_CONFIG), folder / INSTANCE_CONFIG)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written: {error.strerror}; set {variable('home')} to a writable folder"
        ) from error
    return folder


def config_file(name: str) -> Path:
    """Our dagster.yaml or workspace.yaml: beside the package in a checkout, inside it when installed from a wheel."""
    package = Path(__file__).parents[1]
    for folder in (package, package.parent):
        if (folder / name).is_file():
            return folder / name
    raise PermanentError(f"{name} is missing beside {package}: install the package again")


@contextmanager
def prepared_instance(folder: Path, tenants: Collection[str] | None = None) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a folder, with a partition per tenant and without runs whose process is gone.

    `tenants` are those of the registry, None without one; `default` is always among the partitions.

    Raises:
        ConfigurationError: its dagster.yaml cannot be used.
        TransientError: its PostgreSQL cannot be reached.
    """
    with _opened(folder) as instance:
        # Before any run: Dagster refuses a run of a partition it does not know.
        align_partitions(instance, tenants)
        close_abandoned_runs(instance)
        yield instance


def _opened(folder: Path) -> dg.DagsterInstance:
    """Open an instance, which DAGSTER_HOME may have made somebody else's."""
    try:
        return dg.DagsterInstance.from_config(str(folder))
    except DagsterInvalidConfigError as error:
        # Its text quotes what it was given, and that may be a password: of it, only the name is told.
        unset = _UNSET_VARIABLE.search(str(error))
        what = f"{unset[1]} is not set" if unset else "Dagster does not take it: `dagster instance info` says why"
        raise ConfigurationError(f"{folder / INSTANCE_CONFIG} cannot be used: {what}") from error
    except Exception as error:
        # By its name: only an instance on PostgreSQL needs that package.
        if type(error).__name__ != "DagsterPostgresException":
            raise
        raise TransientError(
            f"{folder / INSTANCE_CONFIG}: Dagster's PostgreSQL cannot be reached; run again when it can"
        ) from error


@contextmanager
def _written(folder: Path, run_id: str) -> Iterator[None]:
    """Say in one line that Dagster's records cannot be written, unless the run has an ending of its own already.

    Raises:
        PermanentError: they cannot, and the run left no ending.
    """
    try:
        yield
    except OperationalError as error:
        # The run itself is done and has told it; that Dagster could not write a last event must not turn it into a
        # failure.
        if not has_result(run_id):
            reason = "the disk is full" if is_disk_full(error) else str(error.orig).splitlines()[0]
            raise PermanentError(
                f"Dagster's records in {folder} cannot be written: {reason}; put that right, then run again"
            ) from error


def update_partitions(settings: Settings) -> None:
    """Give the Dagster instance of this installation one partition per tenant of the registry."""
    with prepared_instance(dagster_home(settings.home), registry_tenants(settings)):
        pass


def forget_runs(settings: Settings, tenant: str) -> int:
    """Remove the runs of a tenant from the Dagster instance, with their events and logs; return how many.

    What a run materialised shows in Dagster under the partition's name, and a failed one may be due to be tried again:
    neither is for the next tenant of that name.
    """
    with prepared_instance(dagster_home(settings.home)) as instance:
        run_ids = instance.get_run_ids(dg.RunsFilter(tags={PARTITION_TAG: tenant}))
        for run_id in run_ids:
            erase_run(instance, run_id)
    return len(run_ids)


def run_job(
    job: dg.JobDefinition,
    settings: Settings,
    mode: Mode,
    *,
    tenant: str = DEFAULT_TENANT,
    plan_file: Path | None = None,
    approved_hash: str | None = None,
    full_read: bool = False,
    undo_run: str = "",
) -> RunResult:
    """Run one of our jobs for a tenant, in this process; return its ending.

    Raises:
        ConfigurationError: the tenant does not exist.
    """
    tenants = registry_tenants(settings)
    if tenant not in (DEFAULT_TENANT, *(tenants or ())):
        hint = f"only `{DEFAULT_TENANT}` exists without a registry" if tenants is None else "`tenants list` shows all"
        raise ConfigurationError(f"there is no tenant {tenant}: {hint}")
    run_id = str(uuid4())
    folder = dagster_home(settings.home)
    with (
        _written(folder, run_id),
        prepared_instance(folder, tenants) as instance,
        kept_connections(instance),
    ):
        job.execute_in_process(
            instance=instance,
            run_id=run_id,
            partition_key=tenant,
            # The result says how it ended. An exception would lose the exit code and show a stack trace of Dagster.
            raise_on_error=False,
            tags=run_tags(),
            run_config={
                "resources": {
                    SESSION: {
                        "config": {
                            "mode": mode.value,
                            "environment": settings.environment.value,
                            "plan_file": str(plan_file or ""),
                            "approved_hash": approved_hash or "",
                            "full_read": full_read,
                            "undo_run": undo_run,
                        }
                    }
                },
                # Dagster's lines on the console would bury the summary and the one line of the error.
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
    ending = read_result(settings.home, settings.environment, tenant, run_id)
    if ending is None:
        raise PermanentError(
            f"run {run_id} left no summary: look at it in the Dagster UI (DAGSTER_HOME={dagster_home(settings.home)})"
        )
    return ending
