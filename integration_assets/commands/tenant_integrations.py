"""`integration-assets tenants integrations`: a tenant's keys and tokens, which come from a prompt or stdin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from integration_assets.commands.shared import (
    Yes,
    actor,
    ask,
    confidential,
    existing_registry,
    naming_the_other,
    settings_of,
)
from integration_assets.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from integration_assets.tenants.registry.database import Registry
    from integration_assets.tenants.registry.views import InternalView, SecretView, TenantView, ThirdPartyView
    from integration_assets.tenants.registry.words import Provider, Scope

app = typer.Typer(help="Manage a tenant's keys and tokens. They are read from a prompt or stdin.", no_args_is_help=True)

NEVER = "never"
Slug = Annotated[str, typer.Argument(metavar="TENANT", help="Tenant to work on.")]
ProviderName = Annotated[str, typer.Argument(metavar="PROVIDER", help=f"One of {', '.join(PROVIDERS)}.")]
ForEnvironment = Annotated[
    str | None,
    typer.Option("--environment", help="sandbox, production, or (not of a CRM) any; default any, a CRM's sandbox."),
]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Another address than the provider's own.")]
Choices = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting, as in arr_property=arr; repeatable.")
]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="DAY|never", help="When the secret expires, as in 2027-03-31.")
]


@app.command("list")
def list_integrations(slug: Slug) -> None:
    """Show a tenant's integrations. No secret is shown."""
    from integration_assets.tenants.registry.repository import tenant_repository

    with existing_registry(settings_of()) as registry:
        tenant = _tenant(registry, slug)
        with tenant_repository(registry, tenant.id, actor()) as repository:
            lines = lines_of(repository.third_party_integrations(), repository.internal_integrations())
    for line in lines:
        typer.echo(line)
    if not lines:
        typer.echo(f"{slug} has no integrations yet", err=True)


@app.command()
def add(
    slug: Slug,
    provider: ProviderName,
    environment: ForEnvironment = None,
    base_url: BaseUrl = None,
    settings: Choices = None,
    expires: Expires = None,
) -> None:
    """Add an integration. Its key or token is read from a prompt or stdin."""
    from integration_assets.pasted import unwrapped
    from integration_assets.tenants.address_policies import check_third_party_url
    from integration_assets.tenants.portal_claims import refuse_operators_portal
    from integration_assets.tenants.registry.changes import NewThirdParty
    from integration_assets.tenants.registry.repository import tenant_repository

    which, scope = _place(provider, environment)
    expires_at, never = _expiry(expires)
    operator = settings_of()
    if base_url is not None:
        # Checked before the secret is asked for: nobody types a key for an address that is refused.
        base_url = unwrapped(base_url)
        check_third_party_url(operator, which, base_url)
    with existing_registry(operator) as registry:
        tenant = _tenant(registry, slug)
        new = NewThirdParty(
            provider=which,
            environment=scope,
            secret=_key_or_token(which) if PROVIDERS[which].secret is not None else None,
            base_url=base_url,
            settings=_choices(settings),
            expires_at=expires_at,
            never_expires=never,
        )
        with naming_the_other():
            refuse_operators_portal(operator, tenant, new.secret)
            with tenant_repository(registry, tenant.id, actor()) as repository:
                view = repository.add_third_party(new)
    typer.echo(lines_of([view], [])[0])


@app.command()
def change(
    slug: Slug,
    provider: ProviderName,
    environment: ForEnvironment = None,
    base_url: BaseUrl = None,
    settings: Choices = None,
    expires: Expires = None,
    secret: Annotated[bool, typer.Option("--secret", help="Replace the key or token: prompt or stdin.")] = False,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Use it, or leave it out.")] = None,
) -> None:
    """Change an integration; what is not named stays. Another host, port or scheme needs the secret again."""
    from integration_assets.pasted import unwrapped
    from integration_assets.tenants.address_policies import check_third_party_url
    from integration_assets.tenants.portal_claims import refuse_operators_portal
    from integration_assets.tenants.registry.changes import ThirdPartyChanges
    from integration_assets.tenants.registry.repository import tenant_repository
    from integration_assets.tenants.registry.views import UNSET

    expires_at, never = _expiry(expires)
    operator = settings_of()
    if base_url is not None:
        base_url = unwrapped(base_url)
        check_third_party_url(operator, _place(provider, environment)[0], base_url)
    with existing_registry(operator) as registry:
        tenant = _tenant(registry, slug)
        before = _find(registry, tenant, provider, environment)
        changes = ThirdPartyChanges(
            base_url=UNSET if base_url is None else base_url,
            secret=_key_or_token(before.provider) if secret else UNSET,
            # Settings are replaced as a whole: those that are not named are put back.
            settings=UNSET if settings is None else {**before.settings, **_choices(settings)},
            enabled=UNSET if enabled is None else enabled,
            expires_at=expires_at or UNSET,
            never_expires=never or UNSET,
        )
        with naming_the_other():
            refuse_operators_portal(operator, tenant, changes.secret if isinstance(changes.secret, str) else None)
            with tenant_repository(registry, tenant.id, actor()) as repository:
                view = repository.change_third_party(before.id, changes)
    typer.echo(lines_of([view], [])[0])


@app.command()
def remove(slug: Slug, provider: ProviderName, environment: ForEnvironment = None, yes: Yes = False) -> None:
    """Remove an integration with its secret."""
    from integration_assets.tenants.registry.repository import tenant_repository

    with existing_registry(settings_of()) as registry:
        tenant = _tenant(registry, slug)
        found = _find(registry, tenant, provider, environment)
        # The secret is gone with it, and nobody can show it again.
        if not yes and not ask(f"Remove the {provider} integration of {slug}?", "--yes"):
            raise typer.Exit
        with tenant_repository(registry, tenant.id, actor()) as repository:
            repository.remove_third_party(found.id)
    typer.echo("removed")


@app.command("test")
def try_integration(slug: Slug, provider: ProviderName, environment: ForEnvironment = None) -> None:
    """Test an integration. Makes the cheapest authenticated read; exit code 1 when it does not work."""
    import asyncio

    from integration_assets.tenants.connection_trials import check_third_party_connection
    from integration_assets.tenants.outcomes import MEANINGS, Outcome

    settings = settings_of()
    with existing_registry(settings) as registry:
        tenant = _tenant(registry, slug)
        found = _find(registry, tenant, provider, environment)
        outcome = asyncio.run(check_third_party_connection(registry, settings, tenant, found.id, actor()))
    typer.echo(f"{outcome}: {MEANINGS[outcome]}")
    raise SystemExit(0 if outcome is Outcome.OK else 1)


def lines_of(third_party: Iterable[ThirdPartyView], internal: Iterable[InternalView]) -> list[str]:
    """One line for people per integration."""
    lines = [
        f"{one.provider}\t{one.environment}\t{one.base_url}\t{_secret(one.secret)}\t{_state(one)}"
        + "".join(f"\t{name}={value}" for name, value in sorted(one.settings.items()))
        for one in third_party
    ]
    return lines + [
        f"{one.name}\t{one.auth_flow}\t{one.base_url}\t{_secret(one.secret)}\t{_state(one)}" for one in internal
    ]


def _secret(secret: SecretView) -> str:
    if not secret.is_set or secret.set_at is None:
        return "no secret"
    expiry = "never expires" if secret.never_expires else ""
    if secret.expires_at is not None:
        expiry = f"expires {secret.expires_at:%Y-%m-%d}"
    return f"{secret.masked} set {secret.set_at:%Y-%m-%d} by {secret.set_by}{f', {expiry}' if expiry else ''}"


def _state(one: ThirdPartyView | InternalView) -> str:
    if not one.enabled:
        return "disabled"
    if one.last_error is not None:
        return f"last time: {one.last_error}"
    return f"worked {one.last_ok_at:%Y-%m-%d %H:%M}" if one.last_ok_at else "not used yet"


def _key_or_token(provider: Provider) -> str:
    from integration_assets.pasted import unwrapped

    spec = PROVIDERS[provider].secret
    return unwrapped(confidential("key or token", multiline=spec is not None and spec.multiline))


def _tenant(registry: Registry, slug: str) -> TenantView:
    from integration_assets.tenants.registry.directory import directory

    with directory(registry, actor()) as tenants:
        return tenants.tenant(slug)


def _place(provider: str, environment: str | None) -> tuple[Provider, Scope]:
    from integration_assets.errors import ConfigurationError
    from integration_assets.tenants.registry import words
    from integration_assets.tenants.registry.providers import scopes_of

    try:
        which = words.Provider(provider)
        # Never production by default: whoever writes there says so.
        return which, words.Scope(environment) if environment else scopes_of(which)[0]
    except ValueError:
        known = f"{', '.join(words.Provider)} for {', '.join(words.Scope)}"
        raise ConfigurationError(f"{provider:.40} for {environment or 'any':.40}: use {known}") from None


def _find(registry: Registry, tenant: TenantView, provider: str, environment: str | None) -> ThirdPartyView:
    from integration_assets.tenants.registry.changes import NotFoundError
    from integration_assets.tenants.registry.repository import tenant_repository

    place = _place(provider, environment)
    with tenant_repository(registry, tenant.id, actor()) as repository:
        for view in repository.third_party_integrations():
            if (view.provider, view.environment) == place:
                return view
    raise NotFoundError(f"{tenant.slug} has no {place[0]} integration for {place[1]}: `tenants integrations list`")


def _choices(settings: list[str] | None) -> dict[str, str]:
    from integration_assets.errors import ConfigurationError

    pairs = [part.partition("=") for part in settings or []]
    if any(not equals for _, equals, _ in pairs):
        raise ConfigurationError("--set takes NAME=VALUE, as in arr_property=arr")
    return {name: value for name, _, value in pairs}


def _expiry(expires: str | None) -> tuple[datetime | None, bool]:
    from integration_assets.errors import ConfigurationError

    if expires is None or expires == NEVER:
        return None, expires == NEVER
    try:
        # The beginning of that day: what is announced too early does no harm.
        return datetime.strptime(expires, "%Y-%m-%d").replace(tzinfo=UTC), False
    except ValueError:
        raise ConfigurationError("--expires takes a day, as in 2027-03-31, or never") from None
