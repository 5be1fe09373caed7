"""Our definitions, made for the project that loads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from integration_assets.assets import asset_checks, crm, ranked, raw, resolved, summary
from integration_assets.assets.jobs import asset_jobs
from integration_assets.assets.names import Names
from integration_assets.assets.undo import undo_jobs
from integration_assets.automation.credentials import credentials_job
from integration_assets.automation.requests_sensor import requests_sensor, setup_job
from integration_assets.automation.run_history import prune_job, prune_schedule
from integration_assets.automation.schedules import schedules
from integration_assets.automation.sensors import sensors
from integration_assets.automation.tenant_partitions import tenants_sensor
from integration_assets.config import Automation, automation_or_defaults
from integration_assets.errors import ConfigurationError
from integration_assets.logs import ensure_forwarded
from integration_assets.runs.session import SESSION, RunSession
from integration_assets.trace_export import ensure_traced

_STAGES = (raw, resolved, ranked, crm, summary)
_NAME = re.compile(r"[A-Za-z0-9_]+")
_OPEN_SESSION = RunSession()
"""One for all definitions made here: Dagster merges those that share a resource, and no others of one key."""


def build_defs(
    *,
    key_prefix: str | Sequence[str] | None = None,
    name_prefix: str | None = None,
    group_name: str | None = None,
    automation: bool | None = None,
    include_schedules: bool = True,
    include_sensors: bool = True,
) -> dg.Definitions:
    """Our assets, checks, jobs, schedules and sensors, to be merged with the definitions of a project.

        defs = dg.Definitions.merge(
            dg.Definitions(assets=[...]), integration_assets.build_defs(key_prefix="feature_requests")
        )

    No executor is among them: our jobs bring their own, in-process one. The only resource is
    `integration_assets_session`, the only partitions are `integration_assets_tenants`. Everything else is configured
    by the environment variables of the process that executes a run or evaluates a tick, none of which is needed to load
    the definitions. What our loggers say from INFO on is in the log of the run; stderr is the project's own.

    Args:
        key_prefix: put before the key of every asset of ours; everything that refers to one follows.
        name_prefix: put before the names of our jobs, schedules and sensors, with an underscore; letters, digits and
            underscores. By default the key prefix, its parts joined by underscores.
        group_name: one group for all our assets; by default one per stage: raw, resolved, ranked, crm, summary.
        automation: whether schedules and sensors that start syncs are on from the start; by default as
            INTEGRATION_ASSETS_AUTOMATION says. Whoever switched one in the Dagster UI is obeyed either way.
        include_schedules: whether the schedules are among the definitions.
        include_sensors: whether the sensors are. Without them nothing is retried at a named time, nobody is told of
            runs that died, and the partitions are to be added by hand: `default`, or one per tenant.

    Raises:
        ConfigurationError: a prefix cannot be one.
    """
    # Here, where every process that executes one of our runs passes.
    ensure_forwarded()
    ensure_traced()
    prefix = _parts(key_prefix)
    names = Names(_name_prefix(prefix, name_prefix))
    settings = automation_or_defaults()
    if automation is not None:
        settings = settings.model_copy(update={"automation": automation})
    assets = _assets(prefix, group_name, settings)
    jobs = asset_jobs([key for asset in assets for key in asset.keys], names)
    look, prune = credentials_job(names), prune_job(names)
    undos, setup = undo_jobs(names, _OPEN_SESSION), setup_job(names)
    return dg.Definitions(
        assets=assets,
        asset_checks=dg.load_asset_checks_from_modules([*_STAGES, asset_checks], asset_key_prefix=prefix or None),
        jobs=[jobs.sync, jobs.dry_run, jobs.read_only, *undos, setup, look, prune],
        schedules=[*schedules(names, settings, sync=jobs.sync), prune_schedule(names, prune)]
        if include_schedules
        else [],
        sensors=[
            *sensors(names, settings, sync=jobs.sync, credentials_check=look),
            tenants_sensor(names),
            requests_sensor(names, [jobs.sync, jobs.dry_run, *undos, setup]),
        ]
        if include_sensors
        else [],
        resources={SESSION: _OPEN_SESSION},
    )


def _assets(prefix: Sequence[str], group_name: str | None, settings: Automation) -> list[dg.AssetsDefinition]:
    """Our assets with their keys and groups in the project."""
    loaded = dg.load_assets_from_modules(_STAGES, key_prefix=prefix or None)
    fresh = ranked.freshness(timedelta(minutes=settings.sync_minutes))

    def placed(spec: dg.AssetSpec) -> dg.AssetSpec:
        if spec.key.path[-1] in ranked.RANKED:
            spec = spec.replace_attributes(freshness_policy=fresh)
        return spec.replace_attributes(group_name=group_name) if group_name else spec

    # Dagster's types allow for other kinds of assets, of which there are none among ours.
    ours = [asset for asset in loaded if isinstance(asset, dg.AssetsDefinition)]
    return list(dg.map_asset_specs(placed, ours))


def _parts(key_prefix: str | Sequence[str] | None) -> tuple[str, ...]:
    parts = (key_prefix,) if isinstance(key_prefix, str) else tuple(key_prefix or ())
    # Dagster takes `a/b` for one part of a key, which then looks like two and is found by neither.
    if any(not part.strip() or "/" in part for part in parts):
        raise ConfigurationError(f"key_prefix {key_prefix!r}: give a list of parts, none of them empty or with a slash")
    return parts


def _name_prefix(prefix: Sequence[str], name_prefix: str | None) -> str:
    if name_prefix is None:
        return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(prefix))
    if name_prefix and _NAME.fullmatch(name_prefix) is None:
        raise ConfigurationError(f"name_prefix {name_prefix!r}: letters, digits and underscores only")
    return name_prefix
