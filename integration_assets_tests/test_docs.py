"""What the documentation names exists, and what exists is named there."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from integration_assets.commands.help import ORDER
from integration_assets.config import Automation, LogSettings, MetricsSettings, Settings, TraceSettings
from integration_assets.connectors.crm.hubspot.company_writes import HubSpotCompanyWrites
from integration_assets.connectors.crm.hubspot.connector import (
    LINK_COMPANIES_SCOPES,
    LINK_CONTACTS_SCOPES,
    RUN_SCOPES,
    SETUP_SCOPES,
)
from integration_assets.connectors.crm.hubspot.deals import HubSpotDeals
from integration_assets.connectors.crm.hubspot.exports import SCOPE as EXPORT_SCOPE
from integration_assets.connectors.crm.hubspot.library import LIBRARY
from integration_assets.connectors.crm.hubspot.owners import HubSpotOwners
from integration_assets.connectors.internal.description import describe
from integration_assets.connectors.specs import ProviderSpec
from integration_assets.errors import EXIT_CODES, EXIT_USAGE
from integration_assets.housekeeping.store_places import ADDRESS_COLUMNS, ID_COLUMNS
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.descriptions import COLUMNS, TABLES
from integration_assets.staging.publishing import publish
from integration_assets.staging.store import open_store
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets_tests.resolution.worlds import AS_OF, request, resolved, vote
from integration_assets_tests.support.providers_page import providers_page
from integration_assets_tests.support.spec_rules import check_whole
from integration_assets_tests.support.tables_page import published_columns, tables_page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
STRUCTURE = (DOCS / "structure.md").read_text(encoding="utf-8").split("## In numbers")[0]
GUIDE = (DOCS / "adding-a-connector.md").read_text(encoding="utf-8")
MOST_WORDS = 1_200
"""Of the README: what somebody reads in three minutes or so."""


def reference(name: str) -> str:
    """A page of the reference."""
    return (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")


def first_cells(text: str) -> set[str]:
    """All code words in the first column of a table."""
    cells = re.findall(r"^\| (.+?) \|", text, flags=re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def test_every_variable_is_documented_and_read() -> None:
    """The variables of the reference are exactly those the settings read."""
    kinds = (Settings, Automation, LogSettings, MetricsSettings, TraceSettings)
    read = {str(field.validation_alias) for kind in kinds for field in kind.model_fields.values()}
    assert first_cells(reference("variables")) == read


def test_every_command_is_documented_and_there() -> None:
    """The commands of the reference are exactly those of the command line, in the same order."""
    table = reference("commands").split("\n| exit code", 1)[0]
    assert re.findall(r"^\| `([a-z]+)` \|", table, flags=re.MULTILINE) == list(ORDER)


def test_every_exit_code_is_documented() -> None:
    """The exit codes of the reference are exactly those a run can end with."""
    table = reference("commands").split("\n| exit code", 1)[1]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)}
    assert documented == {*EXIT_CODES.values(), EXIT_USAGE}


def test_the_scopes_are_those_the_connector_asks_for() -> None:
    """The documented HubSpot scopes are exactly those `doctor` looks for, and the optional one of exports."""
    documented = set(re.findall(r"`(crm\.[a-z._]+)`", reference("hubspot")))
    library = frozenset[str]().union(*(one.scopes for one in LIBRARY.values() if one.name != "tickets"))
    needed = RUN_SCOPES | LINK_COMPANIES_SCOPES | LINK_CONTACTS_SCOPES | SETUP_SCOPES
    optional = {EXPORT_SCOPE} | HubSpotDeals.scopes | HubSpotOwners.scopes | HubSpotCompanyWrites.setup_scopes
    assert documented == needed | optional | library


def test_the_documented_properties_are_those_setup_creates() -> None:
    """Every managed property of our object is in the list, in its order."""
    documented = re.findall(r"^\| `([a-z_]+)` \| [a-z]+ \|", reference("hubspot"), flags=re.MULTILINE)
    assert documented == [one.name for one in FEATURE_REQUEST.properties]


def test_the_documented_internal_system_is_accepted_as_it_stands() -> None:
    """Its endpoints and mappings can be configured like that."""
    [example] = re.findall(r"```json\n(\{\"endpoints.*?)```", reference("internal-systems"), flags=re.DOTALL)
    configured = json.loads(example)
    description = describe(configured["endpoints"], configured["mappings"])
    assert (len(description.endpoints), set(description.mappings)) == (1, {"row_id", "domain", "arr", "currency"})


def test_every_published_column_is_described_and_carries_its_description(tmp_path: Path) -> None:
    """A reader of the published file finds a comment on each column, the one that is kept with the sources."""
    published = published_columns(tmp_path)
    assert published.keys() == TABLES.keys()
    assert {table: [name for name, *_ in columns] for table, columns in published.items()} == {
        table: list(columns) for table, columns in COLUMNS.items() if table in TABLES
    }
    for table, columns in published.items():
        described = [(name, *column) for name, column in COLUMNS[table].items()]
        assert columns == described, table


def test_the_page_of_tables_is_that_of_the_published_tables() -> None:
    """It is made by a command, from the descriptions."""
    made = "python -m integration_assets_tests.support.tables_page > docs/reference/tables.md"
    assert reference("tables") == tables_page(), f"make it anew: {made}"


def test_the_page_of_personal_data_names_every_column_with_people() -> None:
    """The columns of the page are exactly those that `forget` knows, which its own tests hold against a real store."""
    page = (DOCS / "operations" / "privacy.md").read_text(encoding="utf-8").split("## Outside it")[0]
    known = {f"{place.table}.{place.column}" for place in ID_COLUMNS} | {".".join(place) for place in ADDRESS_COLUMNS}
    assert first_cells(page) == known


def test_the_page_of_systems_is_made_from_the_specs() -> None:
    """It is made by a command."""
    made = "python -m integration_assets_tests.support.providers_page > docs/reference/providers.md"
    assert reference("providers") == providers_page(), f"make it anew: {made}"


def test_the_spec_of_the_guide_is_made_as_it_stands() -> None:
    """The example of a new provider can be copied: it imports what it uses, and is what every spec has to be."""
    [example] = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    made: dict[str, Any] = {}
    exec(example, made)
    spec = made["ATTIO"]
    assert isinstance(spec, ProviderSpec)
    check_whole(spec)


def test_the_places_of_the_guide_exist() -> None:
    """Every file it names is there, but those that its reader writes."""
    named = set(re.findall(r"(?:`|bin/pytest (?:-m proof )?)([\w/]+\.py)\b", GUIDE))
    folders = [ROOT, ROOT / "integration_assets", ROOT / "integration_assets_tests/connectors"]
    missing = {name for name in named if not any((folder / name).is_file() for folder in folders)}
    assert len(named) > 10
    assert missing <= {"__init__.py", "spec.py", "crms.py"}


def test_the_documented_sql_runs(tmp_path: Path) -> None:
    """Every query of the page of tables is valid on the published database."""
    queries = reference("tables").split("```sql\n", 1)[1].split("```", 1)[0].split(";")
    with open_store(tmp_path / "store.duckdb") as connection:
        resolve_votes(connection, ResolutionSettings())
        rank(connection, as_of=datetime(2026, 11, 1, 12, tzinfo=UTC))
        publish(connection, tmp_path / "published.duckdb")
    # As an analyst has it: its macro is not in the store.
    with duckdb.connect(tmp_path / "published.duckdb", read_only=True) as connection:
        ran = 0
        for query in queries:
            if "SELECT" in query:
                connection.execute(query.replace("published.ranked", "ranked")).fetchall()
                ran += 1
    assert ran == 10


def test_the_places_of_the_structure_page_exist() -> None:
    """Each row of the table names files or folders that are there."""
    root = Path(__file__).parents[1]
    rows = re.findall(r"^\| (?!You look for|---)(.+?) \| (.+) \|$", STRUCTURE, flags=re.MULTILINE)
    places = {what: [place for place in re.findall(r"`([\w/.*]+)`", where) if "/" in place] for what, where in rows}
    assert [what for what, found in places.items() if not found] == []
    assert [place for found in places.values() for place in found if not _is_there(root, place)] == []


def _is_there(root: Path, place: str) -> bool:
    return any(list((root / base).glob(place.rstrip("/"))) for base in (".", "integration_assets"))


def test_the_readme_takes_three_minutes() -> None:
    """It is short, and what is longer is a page of its own."""
    assert len(README.split()) < MOST_WORDS


def _pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *DOCS.rglob("*.md")]


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_pages_and_headings_that_exist(page: Path) -> None:
    """Links within the repository, pictures included."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


def test_every_page_is_two_clicks_from_the_readme() -> None:
    """A page that nothing links is a page nobody reads."""

    def linked(page: Path) -> set[Path]:
        targets = re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8"))
        return {(page.parent / one).resolve() for one in targets if not one.startswith("http")}

    first = linked(ROOT / "README.md")
    second = set().union(*(linked(page) for page in first))
    assert {page.relative_to(ROOT) for page in set(_pages()) - first - second} <= {
        Path("README.md"),
        Path("docs/index.md"),
    }


def test_a_column_is_added_as_the_page_says() -> None:
    """Its edits fit the files they name, and the ranking that they make has the column, with the right number."""
    page = (DOCS / "development" / "add-a-ranking-column.md").read_text(encoding="utf-8")
    edited: dict[str, str] = {}
    for part in page.split("\n## ")[1:4]:
        [name] = set(re.findall(r"`(integration_assets/\S+\.(?:sql|py))`", part))
        for block in re.findall(r"```diff\n(.*?)```", part, flags=re.DOTALL):
            before, after = (
                "".join(line[1:] for line in block.splitlines(keepends=True) if line[0] in kept) for kept in (" ", " +")
            )
            text = edited.get(name) or (ROOT / name).read_text(encoding="utf-8")
            # Whoever has followed the page finds its edits there already.
            assert text.count(before) + text.count(after) == 1, (name, before)
            edited[name] = text.replace(before, after)
    assert [(Path(name).name, text.count("votes_90d")) for name, text in edited.items()] == [
        ("feature_requests.sql", 4),
        ("descriptions.py", 1),
        ("lineage.py", 1),
    ]
    days = (5, 45, 89, 91)
    votes = [{**vote(str(number), "a", None), "created_at": AS_OF - timedelta(days=n)} for number, n in enumerate(days)]
    connection = resolved({"feature_requests": [request("a")], "votes": votes})
    ranking = connection.execute(edited["integration_assets/sql/ranked/feature_requests.sql"], {"as_of": AS_OF})
    columns = [column for column, *_ in ranking.description or ()]
    row = dict(zip(columns, ranking.fetchall()[0], strict=True))
    assert (row["votes"], row["votes_30d"], row["votes_90d"]) == (4, 1, 3)
