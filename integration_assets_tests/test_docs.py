"""What the README names exists, and what exists is named in the README."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import typer

from integration_assets.cli import app
from integration_assets.config import Automation, LogSettings, Settings
from integration_assets.connectors.crm.hubspot.connector import (
    LINK_COMPANIES_SCOPES,
    LINK_CONTACTS_SCOPES,
    RUN_SCOPES,
    SETUP_SCOPES,
)
from integration_assets.connectors.crm.hubspot.exports import SCOPE as EXPORT_SCOPE
from integration_assets.connectors.internal.description import describe
from integration_assets.errors import EXIT_CODES, EXIT_USAGE
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.store import open_store

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
STRUCTURE = (Path(__file__).parents[1] / "docs" / "structure.md").read_text(encoding="utf-8").split("## In numbers")[0]


def section(title: str) -> str:
    """The text under a heading, up to the next one."""
    return README.split(f"{title}\n", 1)[1].split("\n#", 1)[0]


def first_cells(text: str) -> set[str]:
    """All code words in the first column of a table."""
    cells = re.findall(r"^\| (.+?) \|", text, flags=re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def test_every_variable_is_documented_and_read() -> None:
    """The README's variables are exactly those the settings read."""
    fields = {**Settings.model_fields, **Automation.model_fields, **LogSettings.model_fields}
    read = {str(field.validation_alias) for field in fields.values()}
    assert first_cells(section("### Variables")) == read


def test_every_command_is_documented_and_there() -> None:
    """The README's commands are exactly those of the command line that are not for the Makefile alone."""
    group = typer.main.get_command(app)
    commands = {name for name, one in group.commands.items() if not one.hidden}  # type: ignore[attr-defined]  # it is a group
    table = section("### Commands").split("\n| exit code", 1)[0]
    assert first_cells(table) == commands


def test_every_exit_code_is_documented() -> None:
    """The README's exit codes are exactly those a run can end with."""
    table = section("### Commands").split("\n| exit code", 1)[1]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)}
    assert documented == {*EXIT_CODES.values(), EXIT_USAGE}


def test_the_scopes_are_those_the_connector_asks_for() -> None:
    """The README's HubSpot scopes are exactly those `doctor` looks for, and the optional one of exports."""
    documented = set(re.findall(r"`(crm\.[a-z._]+)`", README))
    assert documented == RUN_SCOPES | LINK_COMPANIES_SCOPES | LINK_CONTACTS_SCOPES | SETUP_SCOPES | {EXPORT_SCOPE}


def test_the_internal_system_of_the_readme_can_be_described_like_that() -> None:
    """Its endpoints and mappings are accepted as they stand there."""
    [example] = re.findall(r"```json\n(\{\"endpoints.*?)```", README, flags=re.DOTALL)
    known = json.loads(example)
    description = describe(known["endpoints"], known["mappings"])
    assert (len(description.endpoints), set(description.mappings)) == (1, {"row_id", "domain", "arr", "currency"})


def test_the_sql_of_the_readme_runs(tmp_path: Path) -> None:
    """Every query of the README is valid on the tables of the staging store."""
    queries = section("## The ranking as SQL").split("```sql\n", 1)[1].split("```", 1)[0].split(";")
    with open_store(tmp_path / "store.duckdb") as connection:
        resolve_votes(connection, ResolutionSettings())
        rank(connection, as_of=datetime(2026, 11, 1, 12, tzinfo=UTC))
        ran = 0
        for query in queries:
            if "SELECT" in query:
                connection.execute(query.replace("published.ranked", "ranked")).fetchall()
                ran += 1
    assert ran == 5


def test_the_places_of_the_structure_page_exist() -> None:
    """Each row of the table names files or folders that are there."""
    root = Path(__file__).parents[1]
    rows = re.findall(r"^\| (?!You look for|---)(.+?) \| (.+) \|$", STRUCTURE, flags=re.MULTILINE)
    places = {what: [place for place in re.findall(r"`([\w/.*]+)`", where) if "/" in place] for what, where in rows}
    assert [what for what, found in places.items() if not found] == []
    assert [place for found in places.values() for place in found if not _is_there(root, place)] == []


def _is_there(root: Path, place: str) -> bool:
    return any(list((root / base).glob(place.rstrip("/"))) for base in (".", "integration_assets"))
