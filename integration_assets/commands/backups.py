"""`integration-assets backup` and `restore`: everything that is kept in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from integration_assets.commands.shared import Yes, ask, check_file, settings_of

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup, one file; its usual ending is .tar.gz.")]


def backup(
    file: BackupFile,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt it with the master key; keep that elsewhere.")
    ] = False,
    deleted: Annotated[
        bool,
        typer.Option("--deleted", help="Write no backup: take FILE, which no longer exists, off the list of backups."),
    ] = False,
) -> None:
    """Copy everything that is kept into one file, while runs go on. It holds people's addresses: keep it private.

    The keys are not in it: neither those of the environment nor the master key that seals the tenants' secrets.
    """
    from integration_assets.housekeeping.backup import back_up, strike_backup

    if deleted:
        strike_backup(settings_of(), file.absolute())
        typer.echo(f"{file} is off the list of backups")
        return
    check_file(file)
    made = back_up(settings_of(), file.absolute(), encrypt=encrypt)
    typer.echo(f"{file}: {len(made.manifest.files):,} files, {made.bytes / 1e6:,.1f} MB, checksums in its manifest")
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)


def restore(
    file: BackupFile,
    yes: Yes = False,
    unencrypted: Annotated[
        bool, typer.Option("--unencrypted", help="Take a plain backup although a master key is given.")
    ] = False,
) -> None:
    """Put a backup back into the home, after its checksums and versions are checked. Stop schedules and pages first.

    What lies in the home is moved into its folder `removed`, which has to be agreed to.
    """
    from integration_assets.housekeeping.restore import occupants
    from integration_assets.housekeeping.restore import restore as restored

    settings = settings_of()
    there = occupants(settings)
    if there and not yes:
        typer.echo(f"{settings.home} is not empty: {', '.join(entry.name for entry in there[:5])}", err=True)
        if not ask("Move what is there into its folder `removed`, and restore the backup?", "--yes"):
            raise typer.Exit
    done = restored(settings, file.absolute(), unencrypted=unencrypted)
    typer.echo(
        f"restored {len(done.manifest.files):,} files of {done.manifest.made_at:%Y-%m-%d %H:%M} UTC, version "
        f"{done.manifest.version}, into {settings.home}"
    )
    if done.put_away is not None:
        typer.echo(f"what was there is in {done.put_away}: it holds people's addresses, delete it when you can")
