"""`integration-assets overrides`: an analyst's mappings of an address or a domain to a company."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from integration_assets.commands.help import examples
from integration_assets.commands.shared import DEFAULT, Tenant, settings_of

if TYPE_CHECKING:
    from integration_assets.config import Settings

app = typer.Typer(
    help="Map an address or a domain to a company.",
    epilog=examples('overrides add acme-labs.example 1234567 --note "subsidiary"', "overrides list"),
    no_args_is_help=True,
)


@app.command("list")
def overrides_list(tenant: Tenant = DEFAULT) -> None:
    """Show the mappings in force."""
    from integration_assets.resolution.overrides import read_overrides

    settings = _settings(tenant)
    mappings = read_overrides(settings.overrides_path, **_mail_domains(settings))
    for mapping in mappings:
        typer.echo(f"{mapping.match}\t{mapping.company_id}\t{mapping.note or ''}")
        if mapping.repair:
            # On stderr: stdout is the list, which scripts read line by line.
            typer.echo(f"note: {mapping.repair}", err=True)
    if not mappings:
        typer.echo(f"no mappings in {settings.overrides_path}", err=True)


@app.command("add")
def overrides_add(
    match: Annotated[str, typer.Argument(help="An e-mail address, or a domain (sub-domains included).")],
    company_id: Annotated[str, typer.Argument(help="Id of the company in the CRM.")],
    note: Annotated[str, typer.Option("--note", help="Why, for the next reader.")] = "",
    tenant: Tenant = DEFAULT,
) -> None:
    """Map an address or a domain to a company. Replaces an earlier mapping of the same."""
    from integration_assets.resolution.overrides import Override, add_override, company_id_repair
    from integration_assets.staging.store import make_private_directory

    settings = _settings(tenant)
    # Private from the start: the file holds people's addresses.
    make_private_directory(settings.overrides_path.parent)
    mappings = add_override(settings.overrides_path, Override(match, company_id, note), **_mail_domains(settings))
    if repair := company_id_repair(company_id):
        typer.echo(f"note: {repair}", err=True)
    typer.echo(f"added to {settings.overrides_path}, {len(mappings)} mappings in all; the next run uses it")


@app.command("remove")
def overrides_remove(
    match: Annotated[str, typer.Argument(help="The address or domain as listed.")], tenant: Tenant = DEFAULT
) -> None:
    """Remove a mapping."""
    from integration_assets.resolution.overrides import remove_override

    settings = _settings(tenant)
    mappings = remove_override(settings.overrides_path, match, **_mail_domains(settings))
    typer.echo(f"removed from {settings.overrides_path}, {len(mappings)} mappings left")


def _settings(tenant: str) -> Settings:
    """The tenant's settings without any credential."""
    from integration_assets.tenants.settings import settings_without_secrets

    return settings_without_secrets(settings_of(), tenant)


def _mail_domains(settings: Settings) -> dict[str, tuple[str, ...]]:
    return {"personal_domains": settings.personal_domains, "business_domains": settings.business_domains}
