"""The steps to a tenant's first sync, each as it really is: by what is stored, tested and recorded, not by clicks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import duckdb
import msgspec

from integration_assets.connectors.specs import ARR_PROPERTY, ProviderKind
from integration_assets.errors import EndState
from integration_assets.providers import PROVIDERS, of_kind
from integration_assets.reporting.advice import for_whom, release_command
from integration_assets.reporting.insights import FirstRuns, read_first_runs, read_run
from integration_assets.reporting.result_files import kept_endings, read_kept_ending
from integration_assets.reporting.run_summary import RunSummary, iso_utc
from integration_assets.reporting.text import clean, count
from integration_assets.tenants.integrations import missing_variables
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.run_requests import KEPT, recent_requests
from integration_assets.tenants.registry.views import InternalView, ThirdPartyView
from integration_assets.tenants.registry.words import Action
from integration_assets.tenants.settings import chosen_integrations
from integration_assets.web.request_context import RequestContext

SCHEMA_CHECKS = "raw_crm_schema"
"""Asset whose checks say whether the CRM has what `setup` makes."""
SETTINGS = "/settings/third-party"
NO_ARR = (
    "Nothing says where revenue stands: name the company property, or add an internal system. Without it requests are "
    "ranked by companies alone."
)


class StepState(StrEnum):
    """State of a step, as the page says it."""

    DONE = "done"
    NOT_YET = "not yet"
    FAILED = "failed"


class Step(msgspec.Struct, frozen=True):
    """One step: its state, a sentence, where to go on the pages, and the command that does the same."""

    title: str
    state: StepState
    says: str
    link: str
    command: str


class Keys(msgspec.Struct, frozen=True):
    """The stored integrations of a tenant, in words.

    `missing` are those nothing can be read without, `refused` those whose last use failed, `untested` those that were
    never used. `arr` says where ARR is read from, "" where nothing says so; `crm` is the CRM's name and the address of
    its integration.
    """

    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()
    arr: str = ""
    crm: tuple[str, str] = ("", SETTINGS)


class Progress(msgspec.Struct, frozen=True):
    """The progress of runs. `newest` is the last run that planned or tried to, `error` why it ended early.

    `set_up`: the newest setup that was asked for on the pages ended well, after the newest run.
    """

    runs: FirstRuns = FirstRuns()
    newest: RunSummary | None = None
    error: str | None = None
    set_up: bool = False


def first_run_steps(context: RequestContext, connection: duckdb.DuckDBPyConnection | None) -> list[Step]:
    """The steps of the tenant and environment that are looked at; empty once all are done.

    `connection` is the published database, None before there is one.
    """
    progress = _progress(context, connection)
    keys = _local_keys(context) if context.is_local else _stored_keys(context)
    steps = make_steps(keys, progress, context.own.slug, context.environment.value, local=context.is_local)
    return [] if all(step.state is StepState.DONE for step in steps) else steps


def make_steps(keys: Keys, progress: Progress, tenant: str, environment: str, *, local: bool) -> list[Step]:
    """The five steps in their order. `local`: settings are environment variables."""
    options = for_whom(tenant, environment)
    newest = progress.newest
    run = f"/runs/{newest.run_id}" if newest is not None else "/runs"
    stored = f"integration-assets tenants integrations {'add' if keys.missing else 'test'} {tenant} PROVIDER"
    approval = release_command(newest) if newest is not None else None
    # Where there is no registry nothing can be started on the pages.
    setup, start = (run, run) if local else ("/setup", "/runs#start" if newest is None else run)
    return [
        Step("Keys", *_keys(keys, progress), "/settings", f"integration-assets doctor {options}" if local else stored),
        Step("ARR property", *_arr(keys, progress), keys.crm[1], _arr_command(keys, tenant, local=local)),
        Step("Setup", *_setup(progress), setup, f"integration-assets setup {options}"),
        Step("First plan", *_plan(progress), start, f"integration-assets plan {options}"),
        Step("Approve and sync", *_approve(progress), run, approval or f"integration-assets sync {options}"),
    ]


Said = tuple[StepState, str]


def _keys(keys: Keys, progress: Progress) -> Said:
    if keys.missing:
        return StepState.NOT_YET, f"Missing: {', '.join(keys.missing)}."
    if keys.refused:
        return StepState.FAILED, f"{'; '.join(keys.refused)}."
    # A run that got as far as a plan has used them all.
    if keys.untested and not progress.runs.plans:
        return StepState.NOT_YET, f"Saved, and not tested yet: {', '.join(keys.untested)}."
    return StepState.DONE, "Saved, and they work."


def _arr(keys: Keys, progress: Progress) -> Said:
    found = progress.newest.arr if progress.newest is not None else None
    if found is not None and found.companies > found.companies_without_figure:
        with_figure = found.companies - found.companies_without_figure
        has = "has" if with_figure == 1 else "have"
        return StepState.DONE, f"{count(with_figure, 'company', 'companies')} that voted {has} a figure."
    if found is not None and found.companies and keys.arr:
        return StepState.FAILED, f"{keys.arr}, but none of {found.companies:,} companies that voted has a figure."
    if keys.arr:
        return StepState.DONE, f"{keys.arr}."
    return StepState.NOT_YET, NO_ARR


def _arr_command(keys: Keys, tenant: str, *, local: bool) -> str:
    if local:
        return f"export {keys.crm[0]}=PROPERTY"
    provider = keys.crm[0] or "CRM"
    return f"integration-assets tenants integrations change {tenant} {provider} --set {ARR_PROPERTY}=PROPERTY"


def _setup(progress: Progress) -> Said:
    newest = progress.newest
    if progress.set_up:
        return StepState.DONE, "Setup has created what was missing, and read it back."
    checks = [check for check in newest.checks if check.asset == SCHEMA_CHECKS] if newest is not None else []
    failed = [check for check in checks if not check.passed and check.severity == "ERROR"]
    if failed:
        return StepState.FAILED, f"The CRM lacks something: {clean(failed[0].detail)}"
    if checks and progress.runs.plans:
        return StepState.DONE, "The CRM has the object, its properties and its links, as the newest run read them."
    return StepState.NOT_YET, "Creates the object, its properties and its links in the CRM, and shows them first."


def _plan(progress: Progress) -> Said:
    if progress.runs.plans:
        return StepState.DONE, f"{count(progress.runs.plans, 'plan')} made."
    if progress.newest is not None and progress.newest.state != EndState.SUCCEEDED:
        return StepState.FAILED, f"The newest run made none: {progress.error or 'its page says why'}"
    return StepState.NOT_YET, "Reads both systems and shows what a sync would change; writes nothing."


def _approve(progress: Progress) -> Said:
    if progress.runs.synced:
        return StepState.DONE, f"{count(progress.runs.synced, 'sync', 'syncs')} ended well."
    newest = progress.newest
    if newest is not None and newest.plan.held and newest.plan.hash:
        return StepState.NOT_YET, "A plan waits for somebody to look at it and approve it."
    if newest is not None and not newest.dry_run and newest.state in (EndState.FAILED, EndState.RETRY_LATER):
        return StepState.FAILED, f"The newest sync did not end: {progress.error or 'its page says why'}"
    return StepState.NOT_YET, "A sync writes what the plan shows; where the plan is held, it waits for an approval."


# -- facts


def _progress(context: RequestContext, connection: duckdb.DuckDBPyConnection | None) -> Progress:
    progress = _recorded(context, connection)
    set_up = _newest_setup(context)
    began = progress.newest.started_at if progress.newest is not None else ""
    return msgspec.structs.replace(progress, set_up=set_up is not None and iso_utc(set_up) > began)


def _newest_setup(context: RequestContext) -> datetime | None:
    """The end of the newest setup that was asked for on the pages and ended well."""
    if context.is_local:
        return None
    ended = [
        one.ended_at
        for one in recent_requests(context.registry, context.own.id, limit=KEPT)
        if one.action is Action.SETUP
        and one.environment == context.environment.value
        and one.outcome == EndState.SUCCEEDED.value
        and one.ended_at is not None
    ]
    return max(ended, default=None)


def _recorded(context: RequestContext, connection: duckdb.DuckDBPyConnection | None) -> Progress:
    runs = read_first_runs(connection) if connection is not None else FirstRuns()
    newest = read_run(connection, runs.newest) if connection is not None and runs.newest is not None else None
    summary, error = (newest[2], newest[1]) if newest is not None else (None, None)
    # A sync that ended well proves every step before it; what failed since is on the page of runs.
    if runs.synced:
        return Progress(runs, summary, error)
    # A run that was refused early publishes nothing, and is the newest all the same.
    home, environment, tenant = context.settings.home, context.environment, context.own.slug
    for run_id in kept_endings(home, environment, tenant)[:1]:
        ending = read_kept_ending(home, environment, tenant, run_id)
        if ending is not None and (summary is None or ending.summary.started_at > summary.started_at):
            return Progress(runs, ending.summary, clean(ending.error) if ending.error else None)
    return Progress(runs, summary, error)


def _local_keys(context: RequestContext) -> Keys:
    settings = context.settings
    crm = settings.crm(context.environment)
    mapped = crm.text(ARR_PROPERTY)
    return Keys(
        missing=tuple(missing_variables(settings)),
        # No test of an environment's keys is recorded anywhere: what runs did with them shows in the next steps.
        untested=("`integration-assets doctor` tries them",),
        arr=f"Read from {mapped}" if mapped else "",
        crm=(crm.named(ARR_PROPERTY), "/settings"),
    )


def _stored_keys(context: RequestContext) -> Keys:
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        third_party, internal = repository.third_party_integrations(), repository.internal_integrations()
    chosen = chosen_integrations(third_party, context.environment)
    here = [entry for (_, environment), entry in chosen.items() if environment is context.environment]
    return stored_keys(here, internal)


KINDS: Mapping[ProviderKind, str] = {ProviderKind.FEEDBACK: "a feedback system", ProviderKind.CRM: "a CRM"}


def stored_keys(third_party: Sequence[ThirdPartyView], internal: Sequence[InternalView]) -> Keys:
    """Say what stored integrations, those that a run would use, are good for."""
    names = {kind: {spec.name for spec in of_kind(kind)} for kind in KINDS}
    used = [one for one in third_party if any(one.provider.value in of for of in names.values())]
    missing = [words for kind, words in KINDS.items() if not any(one.provider.value in names[kind] for one in used)]
    missing += [
        f"the secret of {PROVIDERS[one.provider].label}"
        for one in used
        if PROVIDERS[one.provider].secret is not None and not one.secret.is_set
    ]
    crm = next((one for one in used if one.provider.value in names[ProviderKind.CRM]), None)
    mapped = crm.settings.get(ARR_PROPERTY) if crm is not None else None
    systems = [one.name for one in internal if one.enabled]
    return Keys(
        missing=tuple(missing),
        refused=tuple(f"{PROVIDERS[one.provider].label}: {one.last_error}" for one in used if one.last_error),
        untested=tuple(PROVIDERS[one.provider].label for one in used if not one.last_ok_at),
        arr=f"Read from {mapped}" if mapped else f"Read from {', '.join(systems)}" if systems else "",
        crm=(crm.provider.value, f"{SETTINGS}/{crm.id}") if crm is not None else ("", SETTINGS),
    )
