"""Carrying out all checks at once, in time, each on its own: what one meets never hides another's finding."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import msgspec

from integration_assets.config import Settings
from integration_assets.connectors.redaction import redact
from integration_assets.doctor.context import LONGEST_SAID, PATIENCE_SECONDS, DoctorContext, NotTriedError
from integration_assets.doctor.findings import CheckOutcome, Finding, failed, unknown
from integration_assets.doctor.table import CHECKS, Check
from integration_assets.errors import ConfigurationError, IntegrationError
from integration_assets.reporting.text import clip


class Examination(msgspec.Struct, frozen=True):
    """All findings, in the order of the table. `problem`: why the tenant's secrets do not open, when they do not."""

    findings: list[Finding]
    problem: IntegrationError | None = None


async def examine(operator: Settings, tenant: str, *, time_is_up: Awaitable[object] | None = None) -> Examination:
    """Examine a tenant's environment; `operator` are the settings of the environment variables.

    Nothing is written but inside the product's own home. Checks that have not ended when `time_is_up`, by default after
    `PATIENCE_SECONDS`, are `unknown`.

    Raises:
        ConfigurationError: there is no such tenant, or it has no integration.
    """
    context = DoctorContext(operator, tenant)
    # All at once: 28 checks one after the other would take a minute when a host does not answer.
    tasks = [asyncio.create_task(_seen(check, context)) for check in CHECKS]
    alarm = asyncio.ensure_future(time_is_up or asyncio.sleep(PATIENCE_SECONDS))
    all_seen = asyncio.create_task(asyncio.wait(tasks))
    try:
        await asyncio.wait({all_seen, alarm}, return_when=asyncio.FIRST_COMPLETED)
        problem = await _why_closed(context)
        looks = [task.result() if task.done() else _no_answer() for task in tasks]
    finally:
        for task in (all_seen, alarm, *tasks):
            task.cancel()
        await asyncio.gather(all_seen, alarm, *tasks, return_exceptions=True)
        await context.close()
    findings = [_finding(number, *pair) for number, pair in enumerate(zip(CHECKS, looks, strict=True), 1)]
    return Examination(findings, problem)


async def _seen(check: Check, context: DoctorContext) -> CheckOutcome:
    try:
        return await check.look(context)
    except NotTriedError as reason:
        return unknown(str(reason))
    except IntegrationError as error:
        return failed(error, "do what the message says, then run the doctor again")
    except Exception as error:  # noqa: BLE001 - a defect of one check must not hide what the others found
        return unknown(f"the check itself broke ({type(error).__name__})", "report it as a defect")


async def _why_closed(context: DoctorContext) -> IntegrationError | None:
    """Return why the tenant's secrets do not open; a tenant that is not there ends the examination."""
    try:
        # It has been read by the checks already or still hangs; waiting longer would double the time of the
        # examination.
        async with asyncio.timeout(0.1):
            return (await context.opened()).problem
    except TimeoutError:
        return None
    # A tenant that does not exist is an error of the command, not a finding.
    except ConfigurationError:
        raise
    except IntegrationError as error:
        return error


def _no_answer() -> CheckOutcome:
    return unknown(f"no answer within {PATIENCE_SECONDS:.0f} s", "run the doctor again; if it stays, check the network")


def _finding(number: int, check: Check, look: CheckOutcome) -> Finding:
    return Finding(
        number=number,
        check=check.name,
        verdict=look.verdict,
        # An error of a system may quote what was sent to it.
        seen=clip(redact(look.seen), LONGEST_SAID),
        why=check.why,
        fix=clip(redact(look.fix), LONGEST_SAID),
        usage=look.usage,
    )
