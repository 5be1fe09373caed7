"""Checks of where the ranking goes besides the home: a bucket, and the lake that analysts attach."""

from __future__ import annotations

from integration_assets.config import variable
from integration_assets.doctor.context import DoctorContext, in_thread
from integration_assets.doctor.findings import AS_TOLD, CheckOutcome, fail, failed, ok, skipped, unknown, warn
from integration_assets.doctor.store import place_of
from integration_assets.errors import IntegrationError
from integration_assets.staging.object_storage import Readable, try_reading
from integration_assets.staging.readers_lake import check_reader, look_at_readers_lake

UNTRIED = "that the key may write was not tried"


async def bucket(context: DoctorContext) -> CheckOutcome:
    """27: object storage knows the key and the bucket, as far as reading tells."""
    return await in_thread(lambda: _bucket(context))


def _bucket(context: DoctorContext) -> CheckOutcome:
    url = context.operator.publish_url
    if url is None:
        return skipped(f"{variable('publish_url')} is not set")
    try:
        readable = try_reading(url, context.environment, context.tenant)
    except IntegrationError as error:
        return failed(error, AS_TOLD)
    if readable is Readable.YES:
        return ok(f"the published file can be read with the key; {UNTRIED}")
    if readable is Readable.ABSENT:
        return ok(f"the key may read, and no published file is there yet; {UNTRIED}")
    # Amazon answers so for an object that is not there, for a key that may only write, and for a stranger's bucket.
    return unknown(
        f"object storage knows the key, which may not read the published file there; {UNTRIED}",
        "none is needed where it may only write, and this is your bucket; the first run tells in its notes",
    )


async def readers_lake(context: DoctorContext) -> CheckOutcome:
    """28: the readers' role exists, may read its lake and nothing of the store's, and the lake opens."""
    return await in_thread(lambda: _readers_lake(context))


def _readers_lake(context: DoctorContext) -> CheckOutcome:
    role = context.operator.lake_reader
    if role is None:
        return skipped(f"{variable('lake_reader')} is not set")
    try:
        lake = place_of(context).lake
        check_reader(lake)
        if lake is None:
            raise AssertionError("a store that is no lake was refused before")
        view = look_at_readers_lake(lake, role)
    except IntegrationError as error:
        return failed(error, AS_TOLD)
    if not view.may_log_in:
        return fail(f"role {role} may not log in", f"ALTER ROLE {role} LOGIN PASSWORD '…'", usage=True)
    # Before what it may read besides: without these it can attach nothing.
    if view.closed:
        return fail(
            f"role {role} may not read {view.closed} tables of the catalogue",
            "run a sync, which grants them anew",
        )
    if view.notes:
        found, _, remedy = view.notes[0].partition(": ")
        return warn(found, remedy)
    if view.tables is None:
        return ok(f"role {role} exists and may log in; the first run makes the lake")
    return ok(
        f"the lake opens with {view.tables} tables, which role {role} may read; its login and its way to the data were "
        "not tried"
    )
