"""`integration-assets table`: a table of one's own as the feedback system: its mapping, proposed and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from integration_assets.commands.help import examples
from integration_assets.commands.shared import results_console

if TYPE_CHECKING:
    from integration_assets.connectors.feedback.table.first_rows import FirstRows
    from integration_assets.reporting.terminal import Justify

app = typer.Typer(
    help="Rank from tables of your own: map their columns.",
    epilog=examples(
        "table init votes.csv requests.csv", "table init votes.csv --dates %d/%m/%Y", "table check feedback.toml"
    ),
    no_args_is_help=True,
)


@app.command("init", short_help="Propose a mapping of files, and write it.")
def table_init(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV, TSV, Parquet or JSON files.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write it here; default feedback.toml beside FILE.")] = None,
    dates: Annotated[
        str | None, typer.Option("--dates", help="Format of dates, such as %d/%m/%Y, where they can be read two ways.")
    ] = None,
) -> None:
    """Look at files, propose which column is which field, write that as TOML, and show the first rows as read by it.

    Nothing is sent anywhere. Look the mapping through, and change it where it is wrong.
    """
    from integration_assets.commands.shared import check_file
    from integration_assets.connectors.feedback.table.formats import why_no_date_format
    from integration_assets.connectors.feedback.table.proposal import propose
    from integration_assets.connectors.feedback.table.samples import sample
    from integration_assets.errors import ConfigurationError

    path = out or files[0].parent / "feedback.toml"
    if dates is not None and (why := why_no_date_format(dates)):
        raise ConfigurationError(f"--dates {why}")
    # What somebody has corrected by hand is not written over.
    if path.exists():
        raise ConfigurationError(f"{path} exists: name another file by --out, or remove it first")
    check_file(path)
    proposal = propose([sample(one) for one in files], path.parent, dates=dates)
    path.write_text(proposal.text, encoding="utf-8")
    for note in proposal.notes:
        typer.echo(f"note: {note}")
    typer.echo(proposal.text)
    typer.echo(f"written to {path}")
    if proposal.open:
        raise ConfigurationError(f"{path.name} cannot be used yet: {'; '.join(proposal.open)}")
    _show(path)
    typer.echo(f"when it is right: export INTEGRATION_ASSETS_TABLE={path}")


@app.command("check", short_help="Read all of a table, and say what is wrong.")
def table_check(
    mapping: Annotated[Path, typer.Argument(metavar="MAPPING", help="The TOML file that `table init` wrote.")],
) -> None:
    """Read everything a mapping names, show the first rows, and say what cannot be used."""
    _show(mapping)


def _show(mapping: Path) -> None:
    import asyncio

    from integration_assets.connectors.feedback.table.first_rows import first_rows

    found = asyncio.run(first_rows(mapping))
    for relation in found.relations:
        _show_rows(relation)
    for line in found.findings:
        typer.echo(f"note: {line}")


def _show_rows(relation: FirstRows) -> None:
    from rich.text import Text

    from integration_assets.masking import mask_addresses
    from integration_assets.reporting.terminal import plain_or_boxed, print_wide

    unusable = f", {relation.rejected:,} cannot be used" if relation.rejected else ""
    console = results_console()
    columns: list[tuple[str, Justify]] = [(one, "left") for one in relation.header]
    table = plain_or_boxed(console, f"{relation.name}: {relation.count:,} read{unusable}", *columns)
    for row in relation.rows:
        table.add_row(*(Text(mask_addresses(cell)) for cell in row))
    print_wide(console, table)
    for line in relation.lines:
        typer.echo(f"note: {line}")
