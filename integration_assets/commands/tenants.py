"""`integration-assets tenants`: tenants, their users and their integrations, for an operator without the pages."""

from __future__ import annotations

from typing import Annotated

import typer

from integration_assets.commands.help import examples
from integration_assets.commands.shared import Yes, actor, ask, existing_registry, naming_the_other, settings_of
from integration_assets.commands.tenant_integrations import app as integrations
from integration_assets.commands.tenant_users import app as users
from integration_assets.connectors.specs import ProviderKind
from integration_assets.masking import mask_addresses
from integration_assets.providers import usual

app = typer.Typer(
    help="Manage tenants, their keys and their users.",
    epilog=examples(
        'tenants add acme --name "Acme"',
        f"tenants integrations add acme {usual(ProviderKind.FEEDBACK).name}",
        "tenants user add ann@acme.example --tenant acme",
    ),
    no_args_is_help=True,
)
app.add_typer(users, name="user")
app.add_typer(integrations, name="integrations")

Slug = Annotated[str, typer.Argument(metavar="TENANT", help="1 to 63 characters a-z, 0-9 and -; not - at the start.")]


@app.command()
def add(slug: Slug, name: Annotated[str, typer.Option("--name", help="What people call it.")] = "") -> None:
    """Make a tenant; the first one makes the registry. Its partition is there at once."""
    from integration_assets.config import DEFAULT_TENANT
    from integration_assets.runs.in_process import forget_runs, update_partitions
    from integration_assets.tenants.registry.database import registry
    from integration_assets.tenants.removal import add_tenant

    settings = settings_of()
    with registry(settings, create=True) as opened:
        _, put_away = add_tenant(opened, settings, slug, name, actor()) if opened else (None, None)
    # Runs of a former tenant of that name; those of the default one are its own.
    if slug != DEFAULT_TENANT:
        forget_runs(settings, slug)
    update_partitions(settings)
    # Named, because the folder holds data of the former tenant that somebody has to delete.
    if put_away is not None:
        typer.echo(f"files of a former tenant {slug} were there: they are now in {put_away}, delete them", err=True)
    typer.echo(f"tenant {slug} is there: give it integrations (`integration-assets tenants integrations add {slug} …`)")


@app.command("list")
def list_tenants() -> None:
    """Show all tenants."""
    from integration_assets.tenants.registry.directory import directory

    with existing_registry(settings_of()) as registry, directory(registry, actor()) as tenants:
        found = tenants.tenants()
    for tenant in found:
        typer.echo(f"{tenant.slug}\t{tenant.name}\tsince {tenant.created_at:%Y-%m-%d}")
    if not found:
        typer.echo("no tenants yet", err=True)


@app.command()
def show(slug: Slug) -> None:
    """Show a tenant's settings, users and integrations. Ends with the newest entries of its audit trail."""
    from integration_assets.commands.tenant_integrations import lines_of
    from integration_assets.tenants.registry.directory import directory
    from integration_assets.tenants.registry.repository import tenant_repository

    with existing_registry(settings_of()) as registry:
        with directory(registry, actor()) as tenants:
            tenant, known = tenants.tenant(slug), tenants.users(slug)
        with tenant_repository(registry, tenant.id, actor()) as repository:
            third, internal = repository.third_party_integrations(), repository.internal_integrations()
            trail = repository.audit_trail(limit=10)
    typer.echo(f"{tenant.slug}  {tenant.name}  since {tenant.created_at:%Y-%m-%d}")
    for name, value in sorted(tenant.settings.items()):
        typer.echo(f"  {name} = {value}")
    for user in known:
        typer.echo(f"user {user.login}  {'enabled' if user.enabled else 'shut out'}")
    for line in lines_of(third, internal):
        typer.echo(line)
    for entry in trail:
        typer.echo(f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.actor}  {entry.action}  {', '.join(entry.fields)}")


@app.command()
def remove(slug: Slug, yes: Yes = False) -> None:
    """Remove a tenant and everything it left in files. Users, integrations and keys go; CRM and audit trail stay."""
    from integration_assets.config import DEFAULT_TENANT
    from integration_assets.runs.in_process import forget_runs, update_partitions
    from integration_assets.tenants.registry.directory import directory
    from integration_assets.tenants.removal import files_that_go, places_that_go, remove_tenant

    settings = settings_of()
    with existing_registry(settings) as registry:
        with directory(registry, actor()) as tenants:
            tenants.tenant(slug)
            logins = len(tenants.users(slug))
        typer.echo(f"with tenant {slug} go its {logins} users, its integrations and their keys", err=True)
        files = files_that_go(settings, slug)
        for found in files:
            typer.echo(f"  {found.line}", err=True)
        for line in places_that_go(settings, slug):
            typer.echo(f"  {line}", err=True)
        # The default tenant is never erased: it goes on with the environment's variables.
        if slug == DEFAULT_TENANT:
            typer.echo("its runs and data stay: it reads the environment's variables from then on", err=True)
        else:
            typer.echo("and its runs in Dagster; what it wrote into the CRM and the audit trail stay", err=True)
        # Asked after everything that goes was listed: nobody agrees to a name alone.
        if not yes and not ask(f"Remove tenant {slug} with all of that, for good?", "--yes"):
            raise typer.Exit
        remove_tenant(registry, settings, slug, actor())
    if slug != DEFAULT_TENANT:
        forget_runs(settings, slug)
    update_partitions(settings)
    typer.echo(f"tenant {slug} is removed{' with its data' if files else ''}")


@app.command("set")
def set_setting(
    slug: Slug,
    name: Annotated[str, typer.Argument(help="As in own_domains, arr_sources, currency_rates, base_currency.")],
    value: Annotated[
        str | None, typer.Argument(help="As in the variable of that name; leave out to remove it.")
    ] = None,
) -> None:
    """Set one of a tenant's own settings. For `default` they are environment variables."""
    from integration_assets.tenants.registry.directory import directory
    from integration_assets.tenants.settings import check_tenant_settings

    settings = settings_of()
    with naming_the_other(), existing_registry(settings) as registry, directory(registry, actor()) as tenants:
        changes = check_tenant_settings(settings, tenants.tenant(slug), {name: value})
        tenants.change_tenant(slug, settings=changes)
    # An own domain may be a person's address: terminals of scheduled jobs are kept in logs.
    shown = "taken away" if value is None else f"set to {mask_addresses(value)}"
    typer.echo(f"{name} of {slug} is {shown}; the next run uses it")


@app.command()
def audit(
    slug: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Default: the installation itself.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many entries to show, newest first.")] = 50,
) -> None:
    """Check the audit trail and show its newest entries. They are about a tenant, or about the installation."""
    from integration_assets.tenants.registry.directory import directory

    with existing_registry(settings_of()) as registry, directory(registry, actor()) as tenants:
        # The whole trail first: entries of a trail that does not hold prove nothing.
        whole = tenants.verify_audit_trail()
        entries = tenants.audit_trail(slug, limit=limit)
    for entry in entries:
        where = f"{entry.table or ''} {entry.record_id or ''}".strip()
        fields = f" ({', '.join(entry.fields)})" if entry.fields else ""
        when = f"{entry.at:%Y-%m-%d %H:%M:%S}"
        typer.echo("\t".join((str(entry.number), when, entry.actor, f"{entry.action}{fields}", where, entry.result)))
    typer.echo(f"the trail holds: {whole:,} entries in all", err=True)
