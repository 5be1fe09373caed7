"""What a company asked for, and what shipped for whom."""

import csv
import stat
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.config import Settings, load_settings
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.closing import read_shipped, show_company, show_shipped
from integration_assets.reporting.published import open_published
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store, store_place
from integration_assets_tests.resolution.worlds import AS_OF, World, company, load, request, vote

WORLD: World = {
    "feature_requests": [
        request("new", title="Dark mode", status="complete", status_changed_at=datetime(2026, 5, 20)),  # noqa: DTZ001
        request("old", title="Themes", status="complete", status_changed_at=datetime(2026, 1, 5)),  # noqa: DTZ001
        request("undated", title="Export", status="complete"),
        request("next", title="Sign-on", status="planned"),
    ],
    "voters": [{"voter_id": name, "email": f"{name}@{name}.example"} for name in ("acme", "beta", "gamma", "delta")],
    "votes": [
        *(vote(f"n{name}", "new", name) for name in ("acme", "beta", "gamma", "delta")),
        vote("x", "next", "acme"),
        vote("o", "old", "acme"),
    ],
    "crm_companies": [
        company("1", "acme.example", name="Acme", arr="500"),
        company("2", "beta.example", name="Beta Ltd", arr="40"),
        company("3", "gamma.example", name="Gamma Ltd", arr="30"),
        company("4", "delta.example", name=None),
    ],
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home in which the ranking of these requests was published."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    found = load_settings()
    with open_store(store_place(found, found.environment, "default")) as connection:
        load(connection, WORLD)
        resolve_votes(connection, ResolutionSettings())
        rank(connection, AS_OF)
        publish(connection, published_path(found.home, found.environment, "default"))
    return found


@pytest.fixture
def console() -> Console:
    """A console whose output can be read."""
    return Console(file=StringIO(), width=160)


def shown(console: Console) -> str:
    """What was printed."""
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_what_shipped_names_who_waited(settings: Settings, console: Console) -> None:
    """Newest first with companies, ARR and voters; what shipped earlier is left out, what has no date is counted."""
    show_shipped(console, settings, "default", "2026-05-01")
    text = shown(console)
    assert "Dark mode" in text
    assert "Acme, Beta Ltd, Gamma Ltd and 1 more" in text
    assert "570" in text
    assert "Themes" not in text
    assert "1 request shipped at a time that the feedback system does not tell" in text
    with open_published(settings, "default") as connection:
        found, undated = read_shipped(connection, datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))
    assert [(one.request_id, one.companies, one.voters) for one in found] == [("new", 4, 4), ("old", 1, 1)]
    assert undated == 1


def test_who_asked_is_written_with_addresses_into_a_private_file(settings: Settings, tmp_path: Path) -> None:
    """Only into a file that is named, for its owner alone; who cannot be reached is counted, and nothing is printed."""
    with open_store(store_place(settings, settings.environment, "default")) as connection:
        connection.execute("UPDATE raw.voters SET email = ' ' WHERE voter_id = 'delta'")
        connection.execute("UPDATE raw.voters SET email = '=cmd@beta.example' WHERE voter_id = 'beta'")
    file = tmp_path / "asked.csv"
    ran = CliRunner().invoke(app, ["shipped", "--since", "2026-05-01", "--voters", str(file)])
    assert ran.exit_code == 0, ran.output
    assert "@" not in ran.output
    assert "addresses of 3 persons who asked for 1 request that shipped" in ran.output
    assert "1 vote more is of people without an address" in ran.output
    assert "personal data" in ran.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = list(csv.DictReader(StringIO(file.read_text("utf-8-sig"))))
    assert [(row["title"], row["company_name"], row["email"]) for row in rows] == [
        ("Dark mode", "Acme", "acme@acme.example"),
        ("Dark mode", "Beta Ltd", "'=cmd@beta.example"),
        ("Dark mode", "Gamma Ltd", "gamma@gamma.example"),
    ]
    refused = CliRunner().invoke(app, ["shipped", "--voters", "-"])
    assert isinstance(refused.exception, ConfigurationError)


def test_nothing_shipped_is_said(settings: Settings, console: Console) -> None:
    """An empty answer is no empty table."""
    show_shipped(console, settings, "default", "2026-05-30")
    assert "nothing is known to have shipped since 2026-05-30" in shown(console)


@pytest.mark.parametrize("words", ["1", "acme.example", "ACME", "acm"])
def test_a_company_has_its_requests_open_ones_first(settings: Settings, console: Console, words: str) -> None:
    """By id, domain, name, or a part of it that fits no other."""
    show_company(console, settings, "default", words)
    text = shown(console)
    assert "1 open of 3 requests, 2 shipped" in text
    assert text.index("Sign-on") < text.index("Dark mode")
    assert "2026-05-20" in text


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("ltd", r"2 companies fit ltd: Beta Ltd \(2\), Gamma Ltd \(3\); give the id"),
        ("nobody", "no company that voted"),
    ],
)
def test_several_or_no_companies_are_refused(settings: Settings, console: Console, words: str, problem: str) -> None:
    """Nobody is told the requests of another company."""
    with pytest.raises(ConfigurationError, match=problem):
        show_company(console, settings, "default", words)
