"""Checks of keys and credentials at rest: the vault, its age, when secrets expire, when they last worked."""

from __future__ import annotations

from datetime import timedelta

from integration_assets.doctor.context import DoctorContext, NotTriedError
from integration_assets.doctor.findings import CheckOutcome, fail, failed, ok, skipped, warn, worst_of
from integration_assets.doctor.machine import known_store
from integration_assets.doctor.tenant import Credential, Opened
from integration_assets.tenants.outcomes import EXPIRY_NOTICE

OLD_KEY = timedelta(days=365)
NO_REGISTRY = "not configured: no registry, the credentials are environment variables"


async def encryption_key(context: DoctorContext) -> CheckOutcome:
    """6: the key is there, nobody else can read its file, and it opens the check row and this tenant's secrets."""
    opened = await context.opened()
    # Before the registry's absence: a key that does not open it must not pass for one that is not needed.
    if opened.problem is not None:
        return failed(opened.problem, "do what the message says, then run the doctor again")
    if not opened.has_registry or opened.keys is None:
        return skipped(NO_REGISTRY)
    own = sum(one.secret.is_set for one in opened.credentials)
    return ok(f"key {opened.keys.current} opens the check row and the {own} secrets of tenant {context.tenant}")


async def key_age(context: DoctorContext) -> CheckOutcome:
    """7: how old the keys are, and whether a change of keys was left half done."""
    opened = await _with_keys(context)
    keys = opened.keys
    if keys is None:
        return skipped(NO_REGISTRY)
    looks = []
    # An old master key cannot be destroyed while it still seals a data key.
    on_old = sum(count for key, count in keys.master_keys.items() if key != keys.current)
    if on_old:
        looks.append(
            warn(f"{on_old} data keys are still sealed by an older master key", "integration-assets keys rotate")
        )
    if keys.retiring:
        looks.append(
            warn(f"{keys.retiring} data keys are being replaced and still needed", "integration-assets keys reencrypt")
        )
    age = context.now() - keys.oldest_data_key_at if keys.oldest_data_key_at else timedelta()
    if age > OLD_KEY:
        looks.append(warn(f"the oldest data key is {age.days} days old", "integration-assets keys reencrypt"))
    return (
        worst_of(looks) if looks else ok(f"{keys.data_keys} data keys, the oldest of {age.days} days; none left behind")
    )


async def expiry(context: DoctorContext) -> CheckOutcome:
    """21: days left of each credential."""
    opened = await _with_keys(context)
    if not opened.registered:
        return skipped(f"{NO_REGISTRY}, of which nobody says when they expire")
    with_secret = [one for one in opened.credentials if one.secret.is_set]
    looks = [_days_left(context, one) for one in with_secret]
    return worst_of(looks) if looks else skipped("no credential is stored")


def _days_left(context: DoctorContext, one: Credential) -> CheckOutcome:
    renew = (
        f"replace it before: `{one.change} --secret --expires DAY`" if one.change else "replace it on the settings page"
    )
    if one.secret.expires_at is None:
        # Said by a person; without a word nobody knows, which is a warning.
        if one.secret.never_expires:
            return ok(f"{one.name} never expires")
        say = f"`{one.change} --expires DAY|never`" if one.change else "say it on the settings page"
        return warn(f"nobody said when {one.name} expires", say)
    left = one.secret.expires_at - context.now()
    # Past its day the next run fails; before it a warning is enough.
    if left <= timedelta():
        return fail(f"{one.name} expired on {one.secret.expires_at:%Y-%m-%d}", renew.replace("it before", "it"))
    if left.days < EXPIRY_NOTICE[0]:
        return warn(f"{one.name} expires in {left.days} days, on {one.secret.expires_at:%Y-%m-%d}", renew)
    return ok(f"{one.name} expires in {left.days} days")


async def last_success(context: DoctorContext) -> CheckOutcome:
    """22: when each credential last worked; those that never did."""
    opened = await _with_keys(context)
    if not opened.registered:
        facts = await known_store(context)
        good = facts.last_good_run_at if facts else None
        return skipped(f"{NO_REGISTRY}; " + (f"last good run {good:%Y-%m-%d %H:%M} UTC" if good else "no good run yet"))
    with_secret = [one for one in opened.credentials if one.secret.is_set]
    looks = [_last(one) for one in with_secret]
    return worst_of(looks) if looks else skipped("no credential is stored")


def _last(one: Credential) -> CheckOutcome:
    # The last error outweighs an earlier success: what worked once may have been revoked since.
    if one.last_error is not None:
        return warn(f"{one.name} did not work last time: {one.last_error}", one.test)
    if one.last_ok_at is None:
        return warn(f"{one.name} was never used", one.test)
    return ok(f"{one.name} worked {one.last_ok_at:%Y-%m-%d %H:%M} UTC")


async def _with_keys(context: DoctorContext) -> Opened:
    opened = await context.opened()
    # The check of the encryption key says why, once.
    if opened.has_registry and opened.keys is None:
        raise NotTriedError("not tried: the registry cannot be opened (encryption key)")
    return opened
