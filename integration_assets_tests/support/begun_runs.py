"""Dagster's daemon for runs that people ask for on the pages: one look at a time, each run in this process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from integration_assets.assets.names import Names
from integration_assets.automation.requested_runs import begin_requested
from integration_assets.connectors import limiter
from integration_assets.runs.in_process import dagster_home, prepared_instance
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.settings import registry_tenants
from integration_assets.web.site import Site
from integration_assets_tests.support.short_waits import short_waits


def begin_what_is_asked_for(site: Site, registry: Registry, environment: Mapping[str, str]) -> list[str]:
    """Begin every run that is asked for, wait for its end and note it; return the names of their jobs."""
    from integration_assets.definitions import defs

    settings = site.settings
    with pytest.MonkeyPatch.context() as patch, short_waits():
        for name, value in environment.items():
            patch.setenv(name, value)
        limiter._limiters.clear()  # as in a process of its own
        with prepared_instance(dagster_home(settings.home), registry_tenants(settings)) as instance:
            runs, _ = begin_requested(registry, instance, Names(""), datetime.now(UTC))
            for run in runs:
                assert run.job_name is not None
                defs.resolve_job_def(run.job_name).execute_in_process(
                    instance=instance,
                    partition_key=run.partition_key,
                    run_config={**run.run_config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                    tags=run.tags,
                    raise_on_error=False,
                )
            begin_requested(registry, instance, Names(""), datetime.now(UTC))
    return [str(run.job_name) for run in runs]
