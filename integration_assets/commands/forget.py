"""`integration-assets forget`: a person is taken out of everything that is kept here."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from integration_assets.commands.shared import (
    DEFAULT,
    Environment,
    Tenant,
    Yes,
    confidential,
    settings_of,
)

STDIN = "-"


def forget(
    address: Annotated[
        str,
        typer.Argument(
            metavar="[ADDRESS]",
            help="The person's e-mail address. Left out or `-`: asked for unseen, or the first line of stdin.",
        ),
    ] = STDIN,
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", help="An id of the person in one of the systems, where no store knows it any more."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Take a person out of everything that is kept here: stores, reports, overrides, Dagster's records.

    Shows where the person was found, and asks. Both environments, unless one is named. The outside systems are not
    touched: remove the person there first, or a later run reads them again.
    """
    from integration_assets.config import Environment as Which
    from integration_assets.connectors.redaction import register
    from integration_assets.housekeeping.forgetting import forget_person
    from integration_assets.reporting.advice import for_whom
    from integration_assets.tenants.settings import settings_without_secrets

    if address == STDIN:
        address = confidential("e-mail address of the person")
    else:
        # An error may quote what it was about; this is never quoted.
        register(address)
    settings = settings_without_secrets(settings_of(environment), tenant)
    environments = (Which(environment.value),) if environment else tuple(Which)

    def forgotten(*, apply: bool) -> bool:
        found = forget_person(settings, tenant, address, ids=tuple(ids or ()), environments=environments, apply=apply)
        if found.places:
            typer.echo("taken out of:" if apply else "found in:")
        for place in found.places:
            typer.echo(f"  {place.where}: {place.count:,} {place.what}")
        for note in found.notes:
            typer.echo(f"note: {note}", err=True)
        return bool(found.places)

    if not yes:
        if forgotten(apply=False):
            if not (sys.stdin.isatty() and typer.confirm("Take the person out of all that?")):
                whose = for_whom(tenant, environment.value) if environment else f"--tenant {tenant}"
                typer.echo(f"nothing was changed; to do it: integration-assets forget {whose} --yes")
                return
        else:
            typer.echo("the person was not found; with --yes, files are written anew, without the remains of old rows")
            return
    if forgotten(apply=True):
        typer.echo("the person is forgotten here")
    else:
        typer.echo("the person was not found; files were written anew all the same")
    typer.echo(
        "A later run reads the person again while one of the two systems still has them: remove them there, then "
        "forget them once more. Copies and backups made before still hold them until you delete them."
    )
