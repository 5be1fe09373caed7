"""The sensor that starts what people ask for on the pages, and the job that sets a CRM up.

Apart from what it does: whoever loads the definitions does not wait for the registry's libraries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
import msgspec

from integration_assets.assets.jobs import Job
from integration_assets.assets.names import Names
from integration_assets.config import load_settings
from integration_assets.errors import ConfigurationError, EndState, IntegrationError
from integration_assets.reporting.text import clean
from integration_assets.runs.launch import JOB_TAG, SETUP_STEP, check_launch, check_request
from integration_assets.runs.partitions import TENANTS
from integration_assets.tenants.registry.words import Action
from integration_assets.tenants.settings import opened_registry, settings_for

LOOK_SECONDS = 15


class SetUpConfig(msgspec.Struct, frozen=True):
    """Portal to set up, and the digest of what was agreed to; without one nothing is created.

    `request` is the request on the pages that it answers, "" for none.
    """

    environment: str = ""
    request: str = ""
    agreed: str = ""


async def set_up_the_crm() -> None:
    """Create what the CRM lacks, if that is what somebody agreed to on the pages; else show it and create nothing."""
    from integration_assets.tenants.portal_setup import set_up, setup_digest  # noqa: PLC0415 - waited for only here

    context = dg.OpExecutionContext.get()
    config = msgspec.convert(context.op_config, SetUpConfig)

    def agree(lines: list[str]) -> bool:
        context.log.info("\n".join(lines))
        # The portal may have changed since the page was shown: nobody has agreed to what is missing now.
        if config.agreed and setup_digest(lines) != config.agreed:
            raise ConfigurationError("nothing was created: the CRM lacks other things than were shown; look again")
        return bool(config.agreed)

    try:
        check_launch(context.run, context.instance)
        operator = load_settings(**({"environment": config.environment} if config.environment else {}))
        check_request(operator, context.run)
        settings = settings_for(operator, context.partition_key, f"run {context.run_id}")
        result = await set_up(settings, context.partition_key, agree)
    except IntegrationError as error:
        _note_setup(config, error.state.value, error.message)
        raise dg.Failure(description=error.message, allow_retries=False) from error
    context.add_output_metadata({"created": len(result.created), "portal": result.portal_id, "calls": result.calls})
    _note_setup(config, EndState.SUCCEEDED.value, "; ".join(line for line in result.lines if line))


def _note_setup(config: SetUpConfig, outcome: str, note: str) -> None:
    # A run that somebody launched in the Dagster UI belongs to no request.
    if not config.request:
        return
    from integration_assets.tenants.registry.run_requests import end_request  # noqa: PLC0415 - as above

    with opened_registry(load_settings()) as opened:
        if opened is not None:
            end_request(opened, config.request, outcome, clean(note), now=datetime.now(UTC))


def setup_job(names: Names) -> dg.JobDefinition:
    """The job that sets a tenant's CRM up. What `setup` asks on a terminal is asked on the pages before."""
    fields = {name: dg.Field(str, default_value="") for name in SetUpConfig.__struct_fields__}
    op = dg.op(name=names.of(SETUP_STEP), config_schema=fields)(set_up_the_crm)
    return dg.GraphDefinition(names.of("set_up"), node_defs=[op]).to_job(
        name=names.of(Action.SETUP.value),
        description="Create what the CRM lacks, as somebody agreed to on the pages; else show it and create nothing.",
        partitions_def=TENANTS,
        executor_def=dg.in_process_executor,
        # A setup that failed has said why on the page; a retry would create what nobody looks at any more.
        tags={JOB_TAG: Action.SETUP.value, "dagster/max_retries": "0"},
    )


def requests_sensor(names: Names, jobs: Sequence[Job]) -> dg.SensorDefinition:
    """The sensor that starts runs which people ask for: on from the start, since it only goes on with their wish."""

    @dg.sensor(
        name=names.of("requested_runs"),
        jobs=list(jobs),
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the runs that people ask for on the pages, and tells the pages how they go on.",
    )
    def requested_runs(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        from integration_assets.automation.requested_runs import begin_requested  # noqa: PLC0415 - as above

        with opened_registry(load_settings()) as opened:
            if opened is None:
                yield dg.SkipReason("there is no registry, so nobody can ask on the pages")
                return
            runs, still_open = begin_requested(opened, context.instance, names, datetime.now(UTC))
        yield from runs
        if not runs:
            yield dg.SkipReason(f"{still_open} open, none of them to be started")

    return requested_runs
