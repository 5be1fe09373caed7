"""From two exports to a mapped table, on a phone and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from integration_assets.config import Settings, load_settings
from integration_assets.connectors.feedback.table.mapping import read_mapping
from integration_assets.tenants.integrations import TENANTS_FILES
from integration_assets.tenants.registry.master import generate
from integration_assets.web.site import Site
from integration_assets_tests.browser.conftest import log_in, shoot
from integration_assets_tests.support.registries import with_two_tenants
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.web_site import add_user, served

pytestmark = pytest.mark.proof  # a browser: part of `make proofs`

WIDTH = 390
LONG = "A column whose heading somebody wrote as a whole sentence without ever thinking of phones"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Pages of acme, whose folder holds an export of requests and one of votes."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    with folder() as home:
        files = home / TENANTS_FILES / "acme"
        files.mkdir(parents=True)
        (files / "ideas.csv").write_text(f"Key,Summary,{LONG}\n1,Dark mode,13/01/2026\n", encoding="utf-8")
        (files / "votes.csv").write_text("Idea,Reached at,Voted\n1,ann@acme.example,01/02/2026\n", encoding="utf-8")
        settings = load_settings(home=home, key=generate())
        for registry in with_two_tenants(settings):
            add_user(registry, "ann@acme.example", "acme")
            with served(settings, registry) as made:
                yield made


def fits(page: Page, name: str) -> None:
    """Nothing of the page is wider than the phone."""
    shoot(page, f"table-{name}")
    for place in ("main", "form.card", "section.card"):
        for box in (one.bounding_box() for one in page.locator(place).all()):
            assert box is not None
            assert box["x"] + box["width"] <= WIDTH, place


def test_columns_are_mapped_on_a_phone(site: Site, browser: Browser) -> None:
    """Picked, proposed, corrected where the page says so, looked at, and saved."""
    context = browser.new_context(viewport={"width": WIDTH, "height": 844}, java_script_enabled=False)
    page = log_in(context, site, "ann@acme.example")
    page.goto(f"{site.origin}/settings/third-party")
    page.get_by_role("link", name="Add Table").click()
    page.get_by_role("link", name="Pick files or addresses and map their columns").click()
    fits(page, "files")
    page.get_by_role("button", name="Propose the columns").click()

    # Which of two numbers is the month, nobody can tell: the page asks, by the words of its label.
    expect(page.get_by_role("alert")).to_contain_text("Dates are written")
    fits(page, "asked")
    page.get_by_label("Dates are written").fill("%d/%m/%Y")
    page.locator('[id="columns.requests.created_at"]').select_option(LONG)
    page.get_by_role("button", name="Show the first rows").click()
    rows = page.get_by_role("region", name="First rows")
    expect(rows).to_contain_text("Dark mode")
    expect(rows).to_contain_text("2026-01-13")
    expect(rows).not_to_contain_text("ann@")
    fits(page, "rows")

    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("The columns are saved")
    expect(page.get_by_label("Mapping", exact=False).first).to_have_value("feedback.toml")
    mapping = read_mapping(Path(site.settings.home) / TENANTS_FILES / "acme" / "feedback.toml")
    assert mapping.requests is not None
    assert mapping.requests.columns == {"id": "Key", "title": "Summary", "created_at": LONG}
    context.close()
