"""Settings of a run: the operator's environment, or a tenant's own once it has integrations in the registry.

There is no way back: a tenant with a single entry in the registry, enabled or not, never gets a credential, an address
or a choice of the environment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from integration_assets.config import (
    DEFAULT_TENANT,
    Environment,
    Settings,
    TenantSettings,
    field_of,
    tenant_settings,
)
from integration_assets.connectors.address_guard import check_address
from integration_assets.connectors.proxies import check_outgoing
from integration_assets.connectors.specs import ProviderKind
from integration_assets.errors import ConfigurationError
from integration_assets.providers import PROVIDERS, of_kind
from integration_assets.resolution.mail_lists import mail_domains
from integration_assets.tenants.address_policies import third_party_policy
from integration_assets.tenants.integrations import require_configured
from integration_assets.tenants.registry.changes import FieldError, NotFoundError
from integration_assets.tenants.registry.place import has_registry
from integration_assets.tenants.registry.views import (
    InternalView,
    OpenedInternal,
    OpenedThirdParty,
    TenantView,
    ThirdPartyView,
)
from integration_assets.tenants.registry.words import Provider, Scope

if TYPE_CHECKING:
    from integration_assets.tenants.registry.database import Registry
    from integration_assets.tenants.registry.directory import Directory
    from integration_assets.tenants.registry.repository import TenantRepository

TENANT_FIELDS = (
    "source_name",
    "link_contacts",
    "company_rollups",
    "post_shipped",
    "call_budget",
    "own_domains",
    "personal_domains",
    "business_domains",
    "arr_sources",
    "base_currency",
    "accounts_currency",
    "currency_rates",
    "customer_stages",
    "prospect_stages",
    "coverage_floor",
    "arr_coverage_floor",
)
"""Choices of a tenant beside its integrations, by field of `Settings`, in the form of its environment variable."""

T = TypeVar("T")
Chosen = dict[tuple[Provider, Environment], ThirdPartyView]


def registry_tenants(settings: Settings) -> tuple[str, ...] | None:
    """Slugs of all tenants of the registry; None when this installation keeps none.

    Raises:
        ConfigurationError: the registry cannot be opened: no key, a wrong one, half of a rotation.
    """
    with opened_registry(settings) as opened:
        if opened is None:
            return None
        with _directory(opened) as tenants:
            return tuple(tenant.slug for tenant in tenants.tenants())


def settings_for(settings: Settings, tenant: str, used_by: str) -> Settings:
    """The settings a run of this tenant uses, with its secrets opened; `used_by` (a run, a command) is noted for each.

    Raises:
        ConfigurationError: the registry cannot be opened, has no such tenant, or the tenant no integration; a proxy
            of the environment cannot be used; an own, personal or business domain is not one.
        TamperedError: a sealed secret does not open.
    """
    check_outgoing()
    with opened_registry(settings) as opened:
        found = _entries(opened, tenant)
        if opened is None or found is None:
            check_mail_domains(settings)
            return settings
        view, entries = found
        chosen = chosen_integrations(entries, settings.environment)
        integrations = _in_repository(
            opened,
            view.id,
            used_by,
            lambda repository: {place: repository.open_third_party(entry.id) for place, entry in chosen.items()},
        )
    built = built_settings(settings, view, integrations)
    check_mail_domains(built)
    return built


@contextmanager
def feedback_settings(settings: Settings, used_by: str) -> Iterator[Callable[[str], Settings]]:
    """Settings of one tenant after another, each with the secrets of its feedback systems alone.

    The registry is opened once for all of them; `used_by` is noted for each secret. Safe to call from several threads,
    which wait for each other.

    Raises:
        As `settings_for`: at once what concerns the registry, when its settings are asked for what concerns a tenant.
            A `ConfigurationError` as well where a run of the tenant would miss a credential.
    """
    check_outgoing()
    # The database lets one transaction in at a time anyway, and SQLite's own wait for it passes some over for long.
    one_at_a_time = threading.Lock()
    with opened_registry(settings) as opened:

        def settings_of(tenant: str) -> Settings:
            with one_at_a_time:
                return opened_settings(tenant)

        def opened_settings(tenant: str) -> Settings:
            found = _entries(opened, tenant)
            if opened is None or found is None:
                require_configured(settings)
                return settings
            view, entries = found
            chosen = chosen_integrations(entries, settings.environment)
            _require_integrations(settings, tenant, chosen)
            secrets = _in_repository(
                opened,
                view.id,
                used_by,
                lambda repository: {
                    place: repository.open_third_party(chosen[place].id) for place in _feedback_places(settings, chosen)
                },
            )
            return built_settings(settings, view, secrets)

        yield settings_of


def settings_without_secrets(settings: Settings, tenant: str, registry: Registry | None = None) -> Settings:
    """As `settings_for`, for work that asks no system: no secret is opened, and nothing noted.

    A `registry` that is open already is used as it is.

    Raises:
        ConfigurationError: the registry cannot be opened, has no such tenant, or the tenant no integration.
    """
    with opened_registry(settings, registry) as opened:
        found = _entries(opened, tenant)
    if found is None:
        return settings
    view, entries = found
    return _built(settings, view, chosen_integrations(entries, settings.environment), {})


def check_configured(settings: Settings, tenant: str, *, ranks_only: bool = False) -> None:
    """See that a run of this tenant and environment has what it cannot do without, opening nothing.

    `ranks_only`: it will write nothing.

    Raises:
        ConfigurationError: it has not; names what is missing.
    """
    check_outgoing()
    with opened_registry(settings) as opened:
        found = _entries(opened, tenant)
    if found is None:
        require_configured(settings, ranks_only=ranks_only)
        return
    _require_integrations(settings, tenant, chosen_integrations(found[1], settings.environment))


def _require_integrations(settings: Settings, tenant: str, chosen: Chosen) -> None:
    missing = []
    for place in (*_feedback_places(settings, chosen), _crm_place(settings, tenant, chosen)):
        spec, entry = PROVIDERS[place[0]], chosen.get(place)
        if entry is None or (spec.secret is not None and not entry.secret.is_set):
            missing.append(f"{spec.label} for {settings.environment}")
    if missing:
        raise ConfigurationError(
            f"tenant {tenant} has no enabled integration with a secret for {' and '.join(missing)}: add it "
            f"(`integration-assets tenants integrations add {tenant} ...`)"
        )


def _feedback_places(settings: Settings, chosen: Chosen) -> list[tuple[Provider, Environment]]:
    """The places of the tenant's feedback systems: of the first there is where it has none."""
    places = [(Provider(spec.name), settings.environment) for spec in of_kind(ProviderKind.FEEDBACK)]
    return [place for place in places if place in chosen] or places[:1]


def _crm_place(settings: Settings, tenant: str, chosen: Chosen) -> tuple[Provider, Environment]:
    """The place of the tenant's CRM: of the first there is where it has none.

    Raises:
        ConfigurationError: there are several, and nothing says which is meant.
    """
    specs = of_kind(ProviderKind.CRM)
    found = [spec for spec in specs if (Provider(spec.name), settings.environment) in chosen]
    if len(found) > 1:
        labels = " and ".join(spec.label for spec in found)
        raise ConfigurationError(
            f"tenant {tenant} has enabled integrations of {labels} for {settings.environment}, of which a run can use "
            f"one: disable the other (`integration-assets tenants integrations change {tenant} {found[-1].name} "
            "--disable`)"
        )
    return Provider((found or specs)[0].name), settings.environment


def open_internal_systems(settings: Settings, tenant: str, used_by: str) -> tuple[OpenedInternal, ...]:
    """The enabled internal systems of a tenant with their secrets, to be used at once. None without a registry.

    Raises:
        ConfigurationError: the registry cannot be opened.
        TamperedError: a sealed secret does not open.
    """
    with opened_registry(settings) as opened:
        view = _tenant(opened, tenant)
        if opened is None or view is None:
            return ()
        return _in_repository(
            opened,
            view.id,
            used_by,
            lambda repository: tuple(
                repository.open_internal(entry.id) for entry in repository.internal_integrations() if entry.enabled
            ),
        )


def internal_systems(settings: Settings, tenant: str, registry: Registry | None = None) -> tuple[InternalView, ...]:
    """The enabled internal systems of a tenant, by name; no secret is opened. None without a registry.

    A `registry` that is open already is used as it is.

    Raises:
        ConfigurationError: the registry cannot be opened.
    """
    with opened_registry(settings, registry) as opened:
        view = _tenant(opened, tenant)
        if opened is None or view is None:
            return ()
        entries = _in_repository(opened, view.id, "the product", lambda repository: repository.internal_integrations())
        return tuple(sorted((entry for entry in entries if entry.enabled), key=lambda entry: entry.name))


def note_outcomes(settings: Settings, tenant: str, problems: Mapping[Provider, str | None], used_by: str) -> None:
    """Note beside a tenant's integrations of this environment how a run fared with them: None, or what went wrong."""
    with opened_registry(settings) as opened:
        found = _entries(opened, tenant)
        if opened is None or found is None:
            return
        chosen = chosen_integrations(found[1], settings.environment)

        def note(repository: TenantRepository) -> None:
            for provider, problem in problems.items():
                if (entry := chosen.get((provider, settings.environment))) is not None:
                    repository.note_third_party(entry.id, problem)

        _in_repository(opened, found[0].id, used_by, note)


def note_internal_outcome(settings: Settings, tenant: str, record_id: str, problem: str | None, used_by: str) -> None:
    """Note beside one internal system of a tenant how a run fared with it: None, or what went wrong.

    Raises:
        NotFoundError: somebody removed it meanwhile.
    """
    with opened_registry(settings) as opened:
        view = _tenant(opened, tenant)
        if opened is not None and view is not None:
            _in_repository(opened, view.id, used_by, lambda repository: repository.note_internal(record_id, problem))


def chosen_integrations(entries: Iterable[ThirdPartyView], target: Environment) -> Chosen:
    """The enabled integrations a run of this environment uses: its own, else one for any; and the CRM of the other.

    One that is disabled is not replaced by one for any environment: somebody wanted it off.
    """
    by_place = {(entry.provider, entry.environment): entry for entry in entries}
    others = [(Provider(spec.name), target.other) for spec in of_kind(ProviderKind.CRM)]
    places = [(provider, target) for provider in Provider] + others
    chosen: Chosen = {}
    for provider, environment in places:
        entry = by_place.get((provider, Scope(environment.value))) or by_place.get((provider, Scope.ANY))
        if entry is not None and entry.enabled:
            chosen[provider, environment] = entry
    return chosen


def built_settings(
    settings: Settings, tenant: TenantView, integrations: Mapping[tuple[Provider, Environment], OpenedThirdParty]
) -> TenantSettings:
    """Settings made of a tenant's own choices and these integrations; of the environment, only what the operator's is.

    Raises:
        ConfigurationError: a choice is not of its form, or an address may not be asked (`AddressError`).
    """
    for (provider, _), opened in integrations.items():
        if PROVIDERS[provider].address is not None:
            check_address(opened.view.base_url, third_party_policy(settings, provider))
    views = {place: opened.view for place, opened in integrations.items()}
    return _built(settings, tenant, views, {place: opened.secret for place, opened in integrations.items()})


def _built(
    settings: Settings,
    tenant: TenantView,
    integrations: Chosen,
    secrets: Mapping[tuple[Provider, Environment], SecretStr | None],
) -> TenantSettings:
    values: dict[str, Any] = dict(tenant.settings)
    systems = tuple(provider.value for provider, _ in _feedback_places(settings, integrations))
    values["feedback_providers"] = systems
    values["crm_provider"] = _crm_place(settings, tenant.slug, integrations)[0].value
    for (provider, environment), view in integrations.items():
        mine = environment is settings.environment
        values |= _fields(provider, environment, view, secrets.get((provider, environment)), with_choices=mine)
    by_hand = {"overrides": settings.overrides_path, "same_requests": settings.same_requests_path}
    for kind, operators in by_hand.items():
        own_file = settings.home / kind / f"{tenant.slug}.csv"
        values[kind] = operators if tenant.slug == DEFAULT_TENANT else own_file
    return tenant_settings(settings, tenant.slug, **values)


def check_tenant_settings(settings: Settings, tenant: TenantView, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes to a tenant's own settings (None takes one away), if they may be made.

    Raises:
        FieldError: there is no such setting.
        ConfigurationError: a value is not of its form; names it.
    """
    for name in changes:
        if name not in TENANT_FIELDS:
            raise FieldError(name[:60], f"is no setting of a tenant: use {', '.join(TENANT_FIELDS)}")
    merged = {name: value for name, value in {**tenant.settings, **changes}.items() if value is not None}
    check_mail_domains(tenant_settings(settings, tenant.slug, **merged))
    return dict(changes)


def check_mail_domains(settings: Settings) -> None:
    """See that the own, personal and business domains are such, before a run reads all of both systems for nothing.

    Raises:
        ConfigurationError: an entry is not what it should be; never repeats one that may be a person's address.
    """
    mail_domains(own=settings.own_domains, personal=settings.personal_domains, business=settings.business_domains)


def _fields(
    provider: Provider, environment: Environment, view: ThirdPartyView, key: SecretStr | None, *, with_choices: bool
) -> dict[str, Any]:
    """Fields of `Settings` that an integration fills. Choices of the other environment's are not this run's."""
    spec = PROVIDERS[provider]
    fields: dict[str, Any] = {}
    if spec.secret is not None:
        fields[field_of(spec.secret.variable, environment)] = key
    if spec.address is not None:
        fields[field_of(spec.address.variable, environment)] = view.base_url
    for setting in spec.settings:
        if setting.name in view.settings and (with_choices or setting.variable.per_environment):
            value = view.settings[setting.name]
            fields[field_of(setting.variable, environment)] = tuple(value) if setting.many else value
    return fields


def _entries(opened: Registry | None, tenant: str) -> tuple[TenantView, list[ThirdPartyView]] | None:
    """A tenant and its third-party integrations; None when it is the default one and works on the environment."""
    view = _tenant(opened, tenant)
    if opened is not None and view is not None:
        entries, any_internal = _in_repository(
            opened,
            view.id,
            "the product",
            lambda repository: (repository.third_party_integrations(), bool(repository.internal_integrations())),
        )
        if entries or any_internal:
            return view, entries
    if tenant == DEFAULT_TENANT:
        return None
    raise ConfigurationError(
        f"tenant {tenant} has no integrations: only `{DEFAULT_TENANT}` may read them from the environment; add them "
        f"(`integration-assets tenants integrations add {tenant} ...`)"
    )


def _tenant(opened: Registry | None, tenant: str) -> TenantView | None:
    if opened is None:
        return None
    try:
        with _directory(opened) as tenants:
            return tenants.tenant(tenant)
    except NotFoundError:
        if tenant == DEFAULT_TENANT:
            return None
        raise


# The tables, and SQLAlchemy's mapping with them, are imported when somebody opens the registry: a process that only
# loads the definitions does not wait for them.


@contextmanager
def opened_registry(settings: Settings, opened: Registry | None = None) -> Iterator[Registry | None]:
    """The registry of this installation for several questions, None where there is none.

    One that is open already is used as it is, and stays open.

    Raises:
        ConfigurationError: the registry cannot be opened.
    """
    if opened is not None:
        yield opened
        return
    if not has_registry(settings):
        yield None
        return
    from integration_assets.tenants.registry.database import registry  # noqa: PLC0415

    with registry(settings) as own:
        yield own


@contextmanager
def _directory(opened: Registry) -> Iterator[Directory]:
    from integration_assets.tenants.registry.audit import Actor  # noqa: PLC0415
    from integration_assets.tenants.registry.directory import directory  # noqa: PLC0415

    with directory(opened, Actor("the product")) as tenants:
        yield tenants


def _in_repository(opened: Registry, tenant_id: str, used_by: str, work: Callable[[TenantRepository], T]) -> T:
    from integration_assets.tenants.registry.audit import Actor  # noqa: PLC0415
    from integration_assets.tenants.registry.repository import in_repository  # noqa: PLC0415

    return in_repository(opened, tenant_id, Actor(used_by), work)
