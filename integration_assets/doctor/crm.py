"""Checks of the CRM portal: token, portal, scopes, our object and its key, mapped properties, link labels, quota."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from integration_assets.config import Environment, ProviderSettings, Settings
from integration_assets.connectors.crm.base import Crm
from integration_assets.connectors.limiter import Quota
from integration_assets.connectors.specs import (
    ACCOUNT_ID_PROPERTY,
    ARR_PROPERTY,
    CURRENCY_PROPERTY,
    LIFECYCLE_PROPERTY,
    OWNER_PROPERTY,
    RENEWAL_PROPERTY,
    SEGMENT_PROPERTIES,
)
from integration_assets.doctor.context import DoctorContext, NotTriedError, replace_secret
from integration_assets.doctor.findings import CheckOutcome, Verdict, advice, fail, failed, ok, unknown, warn, worst_of
from integration_assets.doctor.machine import known_store
from integration_assets.errors import ConfigurationError, CredentialError, IntegrationError
from integration_assets.models import LiveSchema, Portal, SchemaWords
from integration_assets.sync.company_rollups import ROLLUPS, read_schema
from integration_assets.sync.drift import (
    MAP_AGAIN,
    RUN_SETUP,
    Drift,
    Severity,
    environments_differ,
    target_problems,
)
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, KEY
from integration_assets.sync.portal import check_portal
from integration_assets.tenants.integrations import company_mapping, crm_for
from integration_assets.tenants.portal_claims import check_claims, claims_of

MAPPED = (
    ARR_PROPERTY,
    CURRENCY_PROPERTY,
    ACCOUNT_ID_PROPERTY,
    LIFECYCLE_PROPERTY,
    SEGMENT_PROPERTIES,
    OWNER_PROPERTY,
    RENEWAL_PROPERTY,
)
SHARE_OF_QUOTA = 2
"""A run may use half of what is left; a plan that needs more is held."""
OBJECT = FEATURE_REQUEST.name
UNCONFIGURED = "it is not configured"


class CrmFacts(msgspec.Struct, frozen=True):
    """Facts a portal gives of itself. `scopes` None: it does not tell. An error stands where a read failed.

    `optional` are scopes that a run goes on without, by what it then does not read.
    """

    portal: Portal
    scopes: frozenset[str] | IntegrationError | None
    needed: frozenset[str]
    needed_by_setup: frozenset[str]
    optional: Mapping[str, frozenset[str]]
    schema: LiveSchema | IntegrationError
    quota: Quota


def token_name(settings: Settings, environment: Environment) -> str:
    """Name by which a person knows an environment's secret."""
    return settings.crm(environment).named("secret")


async def crm_facts(context: DoctorContext, environment: Environment) -> CrmFacts:
    """Read the facts of an environment's portal.

    Raises:
        CredentialError, TransientError, ContractError: it does not say who it is.
    """
    return await context.once(f"crm {environment}", lambda: _read(context, environment))


async def _read(context: DoctorContext, environment: Environment) -> CrmFacts:
    settings = await context.settings()
    async with crm_for(settings, environment, context.calls) as crm:
        portal = await crm.portal()
        return CrmFacts(
            portal=portal,
            scopes=await _scopes(crm),
            needed=crm.needed_scopes(setup=False, link_contacts=settings.link_contacts),
            needed_by_setup=_for_setup(crm, settings),
            optional=_optional(crm, settings),
            schema=await _schema(crm, settings),
            quota=crm.quota,
        )


def _optional(crm: Crm, settings: Settings) -> dict[str, frozenset[str]]:
    """Scopes that a run goes on without, by what it then does not read."""
    found = {"open pipeline": crm.deals.scopes} if crm.deals else {}
    if crm.owners and company_mapping(settings).owner:
        found["names of owners"] = crm.owners.scopes
    return found


def _for_setup(crm: Crm, settings: Settings) -> frozenset[str]:
    scopes = crm.needed_scopes(setup=True, link_contacts=settings.link_contacts)
    if settings.company_rollups and crm.company_writes is not None:
        scopes |= crm.company_writes.setup_scopes
    return scopes


async def _scopes(crm: Crm) -> frozenset[str] | IntegrationError | None:
    try:
        return await crm.granted_scopes()
    except IntegrationError as error:
        # The portal may be readable although this call is refused: the error belongs to the check of the scopes alone.
        return error


async def _schema(crm: Crm, settings: Settings) -> LiveSchema | IntegrationError:
    try:
        names = company_mapping(settings).names()
        return await read_schema(crm, FEATURE_REQUEST, names, rollups=settings.company_rollups)
    except IntegrationError as error:
        return error


async def _own(context: DoctorContext) -> CrmFacts:
    """The portal that is examined, for other checks than that of its token."""
    settings = await context.settings()
    # One missing token would show as eight failures; only its own check reports it.
    if missing := settings.crm(context.environment).missing:
        raise NotTriedError(f"not tried: {' and '.join(missing)} {_is(missing)} not set")
    try:
        return await crm_facts(context, context.environment)
    except IntegrationError:
        # The check of the token reports the error itself, with the remedy.
        raise NotTriedError("not tried: the CRM does not say which portal this is") from None


async def _other(context: DoctorContext) -> CrmFacts | IntegrationError | None:
    """The other environment's portal; None when it is not configured."""
    settings = await context.settings()
    if not settings.crm(context.environment.other).configured:
        return None
    try:
        return await crm_facts(context, context.environment.other)
    except IntegrationError as error:
        return error


# ------------------------------------------------------------------------------------------------- token and portal


async def portal(context: DoctorContext) -> CheckOutcome:
    """13: the token is accepted, and belongs to the portal this environment is tied to."""
    settings = await context.settings()
    mine, theirs = settings.crm(context.environment), settings.crm(context.environment.other)
    if mine.missing:
        names = " and ".join(mine.missing)
        return fail(f"{names} {_is(mine.missing)} not set", f"set {names}", usage=True)
    try:
        own = await crm_facts(context, context.environment)
    except CredentialError as error:
        return failed(error, replace_secret(settings, mine, context.tenant), await context.consequence(mine.spec.name))
    except IntegrationError as error:
        return failed(error, f"check {mine.named('secret')} and the network, then run the doctor again")
    other = await _other(context)
    looks = [await _identity(context, settings, own.portal, other.portal if isinstance(other, CrmFacts) else None)]
    # The other portal is only compared with: that it does not answer is worth a warning and stops no run.
    if isinstance(other, IntegrationError):
        wrong = advice(other, replace_secret(settings, theirs, context.tenant))
        looks.append(warn(f"the {context.environment.other} portal cannot be compared with: {other.message}", wrong))
    return worst_of(looks)


async def _identity(context: DoctorContext, settings: Settings, own: Portal, other: Portal | None) -> CheckOutcome:
    try:
        facts = await known_store(context)
        pinned = facts.pinned if facts else None
    # Without a store nothing is pinned yet, as before the first run.
    except NotTriedError:
        pinned = None
    try:
        decision = check_portal(
            context.environment,
            own,
            own=settings.crm(context.environment),
            pinned_id=pinned,
            other_portal_id=other.portal_id if other else None,
        )
        # Reads only: the doctor must not claim a portal that no run has written to.
        check_claims(settings, claims_of(settings, context.tenant, own.portal_id))
    except ConfigurationError as error:
        return failed(error, "do what the message says: no approval releases another portal")
    tied = "not tied to it yet" if decision.origin == "learnt" else f"as {decision.origin}"
    # A CRM need not have a currency of its own.
    known = ", ".join(filter(None, (own.kind, own.currency)))
    word = settings.crm(context.environment).spec.words.portal
    return ok(f"{word} {own.portal_id} ({known}), {tied}")


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


async def scopes(context: DoctorContext) -> CheckOutcome:
    """14: each scope a run needs."""
    own, settings = await _own(context), await context.settings()
    if isinstance(own.scopes, IntegrationError):
        replace = replace_secret(settings, settings.crm(context.environment), context.tenant)
        return failed(own.scopes, advice(own.scopes, replace))
    # No failure: a scope that is missing shows at the first call that needs it.
    if own.scopes is None:
        return unknown("the CRM does not say which scopes the token has")
    if missing := own.needed - own.scopes:
        name = token_name(settings, context.environment)
        return fail(f"missing: {', '.join(sorted(missing))}", f"grant them to the token in {name}")
    # A run goes on without: its ranking only lacks a column.
    lacking = {what: undone for what, scopes in own.optional.items() if (undone := scopes - own.scopes)}
    if lacking:
        seen = "; ".join(f"{what} not read: missing {', '.join(sorted(undone))}" for what, undone in lacking.items())
        return warn(seen, f"grant it to the token in {token_name(settings, context.environment)}")
    # Not a failure: who never runs setup again does not need to grant schema scopes.
    if later := own.needed_by_setup - own.scopes:
        return ok(f"all {len(own.needed)} granted; `setup` would also need {', '.join(sorted(later))}")
    return ok(f"all {len(own.needed)} granted, those of `setup` included")


# ------------------------------------------------------------------------------------------------------------ schema


async def object_type(context: DoctorContext) -> CheckOutcome:
    """15: our object exists, here and in the other environment."""
    return await _schema_part(context, lambda name: name == OBJECT, f"{OBJECT} exists in both environments")


async def unique_key(context: DoctorContext) -> CheckOutcome:
    """16: the property of our key exists and holds no value twice."""
    key = f"{OBJECT}.{KEY}"
    return await _schema_part(context, lambda name: name == key, f"{KEY} exists and is unique")


async def properties(context: DoctorContext) -> CheckOutcome:
    """17: every other property we write, and every company property that is mapped."""
    settings = await context.settings()
    key, count = f"{OBJECT}.{KEY}", len(FEATURE_REQUEST.properties) - 1

    def ours(name: str) -> bool:
        return name.startswith((f"{OBJECT}.", "company.")) and name != key

    schema = (await _own(context)).schema
    words = schema.words if isinstance(schema, LiveSchema) else SchemaWords()
    seen = await _schema_part(context, ours, f"{count} {words.properties} of ours and those mapped, each as expected")
    # A failure outweighs the warning, which would only lengthen the line.
    own = settings.crm(context.environment)
    if own.text(ARR_PROPERTY) is not None or seen.verdict is Verdict.FAIL:
        return seen
    name = own.named(ARR_PROPERTY)
    unmapped = warn(f"{name} is not set: ARR comes from the next source", f"set {name}")
    return worst_of([seen, unmapped])


async def link_labels(context: DoctorContext) -> CheckOutcome:
    """18: the labels of our links."""
    return await _schema_part(context, lambda name: name.startswith("link "), "every link label exists")


async def _schema_part(context: DoctorContext, concerns: Callable[[str], bool], fine: str) -> CheckOutcome:
    """The drifts whose name concerns one check."""
    own = await _own(context)
    settings = await context.settings()
    if isinstance(own.schema, IntegrationError):
        # The token itself was accepted: what is refused is a scope, or the answer.
        grant = f"grant the token in {token_name(settings, context.environment)} what the message names"
        return failed(own.schema, advice(own.schema, grant))
    # Each property of a missing object would be reported as missing; the object is reported once.
    if not own.schema.object_present and not concerns(OBJECT) and not concerns("company."):
        return unknown("not tried: the object does not exist")
    drifts = await _drifts(context, settings, own.schema)
    looks = [_drift(one, settings, context) for one in drifts if concerns(one.name)]
    return worst_of(looks) if looks else ok(fine)


async def _drifts(context: DoctorContext, settings: Settings, own: LiveSchema) -> list[Drift]:
    names = company_mapping(settings).names()
    drifts = target_problems(
        FEATURE_REQUEST,
        own,
        link_contacts=settings.link_contacts,
        company_properties=names,
        rollups=ROLLUPS if settings.company_rollups else None,
    )
    # Without the object here every property differs from the other environment.
    if not own.object_present:
        return drifts
    other = await _other(context)
    theirs = other.schema if isinstance(other, CrmFacts) and isinstance(other.schema, LiveSchema) else None
    drifts += environments_differ(
        own,
        theirs,
        expected=FEATURE_REQUEST,
        link_contacts=settings.link_contacts,
        production=context.environment is Environment.PRODUCTION,
        company_properties=names,
        why_unreadable=UNCONFIGURED if other is None else "it cannot be read (CRM token)",
    )
    # What is wrong here already differs from the other environment as well: one line says it.
    wrong_here = {drift.name for drift in drifts if drift.severity is Severity.ERROR}
    return [drift for drift in drifts if drift.severity is Severity.ERROR or drift.name not in wrong_here]


def _mapped(own: ProviderSettings, name: str) -> set[str]:
    """Names of drifts that concern what a setting maps."""
    return {f"company.{one}" for one in (own.text(name), *own.texts(name)) if one}


def _drift(drift: Drift, settings: Settings, context: DoctorContext) -> CheckOutcome:
    """A drift with what to do about this one: what is missing `setup` creates, all else a person has to change."""
    seen, fix, usage = f"{drift.name}: {drift.detail}", drift.remedy, False
    own = settings.crm(context.environment)
    mapped = next((one for one in MAPPED if drift.name in _mapped(own, one)), None)
    # A mapped property is the tenant's own: setup does not create it, so the setting is what to correct.
    if mapped is not None and drift.remedy == MAP_AGAIN:
        fix, usage = f"correct {own.named(mapped)}, or create the property", True
    elif drift.remedy == RUN_SETUP:
        fix = f"run `integration-assets setup --environment {context.environment}`"
    elif drift.detail.endswith(UNCONFIGURED):
        fix = f"set {token_name(settings, context.environment.other)}"
    else:
        for environment in Environment:
            fix = fix.replace(
                f"{RUN_SETUP} for {environment}", f"run `integration-assets setup --environment {environment}`"
            )
    return fail(seen, fix, usage=usage) if drift.severity is Severity.ERROR else warn(seen, fix)


# ------------------------------------------------------------------------------------------------------------- quota


async def quota(context: DoctorContext) -> CheckOutcome:
    """19: calls left today against what a run takes."""
    own, settings = await _own(context), await context.settings()
    left = own.quota.daily_remaining
    # The limits come with the headers of an answer, and not every answer has them.
    if left is None:
        return unknown("the CRM does not say how many calls are left today")
    facts = await known_store(context)
    needed = facts.calls_needed if facts else None
    if needed is None:
        return ok(f"{left:,} calls left today; no run yet to compare with") if left else _spent(left)
    # Less than a run needs fails; less than a run may use is only held by the guard, which a person can release.
    if left < needed:
        return _spent(left, needed)
    budget = settings.call_budget if settings.call_budget is not None else left // SHARE_OF_QUOTA
    if needed > budget:
        name = settings.named("call_budget")
        return warn(
            f"{left:,} calls left today, a run takes about {needed:,} and may take {budget:,}: it would be held",
            f"raise {name}" if settings.call_budget is not None else f"wait for the quota of tomorrow, or set {name}",
        )
    return ok(f"{left:,} calls left today, a run takes about {needed:,}")


def _spent(left: int, needed: int | None = None) -> CheckOutcome:
    wanted = f", a run takes about {needed:,}" if needed else ""
    return fail(
        f"{left:,} calls left today{wanted}", "wait for midnight in the portal's time zone, or see what else calls"
    )
