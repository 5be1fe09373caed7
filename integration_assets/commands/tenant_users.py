"""`integration-assets tenants user`: who may log in to the pages."""

from __future__ import annotations

from typing import Annotated

import typer

from integration_assets.commands.shared import Yes, actor, ask, confidential, existing_registry, settings_of

app = typer.Typer(help="Manage who may log in. Passwords are read from a prompt or stdin.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(help="Login name, for example an e-mail address.")]
OfTenant = Annotated[str | None, typer.Option("--tenant", help="Tenant this user administers, or whose users to list.")]


@app.command()
def add(
    login: Login,
    tenant: OfTenant = None,
    operator: Annotated[bool, typer.Option("--operator", help="Manages the installation, not one tenant.")] = False,
) -> None:
    """Let somebody in, as a tenant's admin or as an operator."""
    from integration_assets.errors import ConfigurationError
    from integration_assets.tenants.registry.directory import directory

    # No default: an operator made by forgetting an option would see every tenant.
    if (tenant is None) != operator:
        raise ConfigurationError("say either --tenant TENANT or --operator")
    with existing_registry(settings_of()) as registry:
        password = confidential("password")
        with directory(registry, actor()) as users:
            view = users.add_user(login, password, tenant=tenant)
    typer.echo(f"{view.login} may log in as {'operator' if operator else f'admin of {tenant}'}")


@app.command("list")
def list_users(tenant: OfTenant = None) -> None:
    """Show who may log in."""
    from integration_assets.tenants.registry.directory import directory

    with existing_registry(settings_of()) as registry, directory(registry, actor()) as users:
        found, slugs = users.users(tenant), {one.id: one.slug for one in users.tenants()}
    for user in found:
        last = f"{user.last_login_at:%Y-%m-%d %H:%M}" if user.last_login_at else "never"
        state = "enabled" if user.enabled else "shut out"
        typer.echo(f"{user.login}\t{user.role}\t{slugs.get(user.tenant_id or '', '')}\t{state}\tlast login {last}")


@app.command()
def password(login: Login) -> None:
    """Give somebody another password; their sessions end."""
    from integration_assets.tenants.registry.directory import directory

    with existing_registry(settings_of()) as registry:
        value = confidential("password")
        with directory(registry, actor()) as users:
            users.set_password(login, value)
    typer.echo("the password is set; all sessions of before have ended")


@app.command()
def reset(
    login: Login,
    origin: Annotated[
        str, typer.Option("--origin", help="How browsers see the pages: https://host.")
    ] = "http://127.0.0.1:8321",
) -> None:
    """Make a link by which a user sets a new password.

    It works once, within 24 hours; a newer one replaces it. All sessions of the user end when it is used.
    """
    from integration_assets.tenants.registry.directory import directory
    from integration_assets.web.pages_password import PATH
    from integration_assets.web.site import checked_origin

    seen_as = checked_origin(origin)
    with existing_registry(settings_of()) as registry, directory(registry, actor()) as users:
        token = users.make_password_link(login)
    # In the fragment, which no server is sent, and so no proxy before the pages can log.
    typer.echo(f"{seen_as}{PATH}#{token}")
    typer.echo(
        "hand it to that person alone: whoever opens it first sets the password; a newer link replaces it", err=True
    )


@app.command()
def enable(login: Login) -> None:
    """Let somebody in again."""
    _enable(login, enabled=True)


@app.command()
def disable(login: Login) -> None:
    """Block a user's login at once, without removing the user."""
    _enable(login, enabled=False)


def _enable(login: str, *, enabled: bool) -> None:
    from integration_assets.tenants.registry.directory import directory

    with existing_registry(settings_of()) as registry, directory(registry, actor()) as users:
        users.enable_user(login, enabled=enabled)
    typer.echo("may log in again" if enabled else "is shut out; all sessions have ended")


@app.command()
def remove(login: Login, yes: Yes = False) -> None:
    """Remove a user."""
    from integration_assets.tenants.registry.directory import directory

    with existing_registry(settings_of()) as registry:
        if not yes and not ask("Remove this user?", "--yes"):
            raise typer.Exit
        with directory(registry, actor()) as users:
            users.remove_user(login)
    typer.echo("removed")
