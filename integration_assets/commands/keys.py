"""`integration-assets keys`: the keys of the registry's secrets."""

from __future__ import annotations

import typer

from integration_assets.commands.help import examples
from integration_assets.commands.shared import actor, existing_registry, settings_of

app = typer.Typer(
    help="Manage the keys that seal the tenants' secrets.",
    epilog=examples("keys generate > master.key", "keys status"),
    no_args_is_help=True,
)


@app.command()
def generate() -> None:
    """Make a master key and print it. Put it where INTEGRATION_ASSETS_KEY or _KEY_FILE finds it; keep a copy."""
    from integration_assets.commands.streams import stdout_problem
    from integration_assets.errors import PermanentError
    from integration_assets.tenants.registry.master import generate as generated

    typer.echo(generated())
    if problem := stdout_problem():  # a key that was not kept must not look like one that was
        raise PermanentError(f"the key could not be written: {problem}; make a new one")


@app.command()
def status() -> None:
    """Show which keys are in use and which may go. Says how much each seals; shows no key."""
    from integration_assets.tenants.registry.rotation import key_status

    with existing_registry(settings_of()) as registry:
        found = key_status(registry)
    for key, count in found.master_keys.items():
        # Only a key that seals nothing may go: without it everything under it is lost.
        note = "seals" if key == found.current else "may be removed" if not count else "to be rotated away"
        typer.echo(f"master key {key}  {count:,} data keys  {note}")
    typer.echo(f"{found.data_keys:,} data keys, {found.retiring:,} being replaced; {found.secrets:,} secrets")
    if found.oldest_data_key_at is not None:
        typer.echo(f"oldest data key made {found.oldest_data_key_at:%Y-%m-%d %H:%M} UTC")


@app.command()
def rotate() -> None:
    """Seal all data keys with a new master key. Give the new one first, then the old; safe to run again if killed."""
    from integration_assets.tenants.registry.rotation import key_status
    from integration_assets.tenants.registry.rotation import rotate as rotated

    with existing_registry(settings_of()) as registry:
        done = rotated(registry, actor())
        found = key_status(registry)
    typer.echo(f"{done:,} data keys are sealed anew by master key {found.current}")
    for key in found.removable:
        typer.echo(f"master key {key} is not needed any more: take it away")


@app.command()
def reencrypt() -> None:
    """Replace every tenant's data key and seal all secrets anew. Safe to run again if killed."""
    from rich.console import Console

    from integration_assets.reporting.progress import showing
    from integration_assets.tenants.registry.rotation import reencrypt as reencrypted

    with existing_registry(settings_of()) as registry, showing(Console(stderr=True)):
        done = reencrypted(registry, actor())
    typer.echo(f"{done:,} secrets are sealed anew")
