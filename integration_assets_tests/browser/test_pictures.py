"""The list of pictures: no page is forgotten, and none of them scrolls sideways on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Template
from playwright.sync_api import Browser
from starlette.routing import Route

from integration_assets import web
from integration_assets.reporting.exports import MEDIA_TYPES
from integration_assets.web import rendering
from integration_assets.web.routes import LOCAL_OPEN, LOCAL_ROUTES, ROUTES
from integration_assets_tests.browser.conftest import SHOTS, shoot
from integration_assets_tests.support.pictures.album import PHONE, View, other_views, views
from integration_assets_tests.support.pictures.places import PLACES, Who
from integration_assets_tests.support.pictures.seen import Seen

TEMPLATES = Path(web.__file__).parent / "templates"
NO_PAGES = {"/", "/health", "/ready", "/metrics", "/.well-known/security.txt", "/runs/{run_id}/plan.csv"}
NO_PAGES |= {f"/requests.{kind}" for kind in MEDIA_TYPES}
ONLY_LEADS_ON = "/settings"
"""With a registry this leads to another page; without one it is a page."""
LOOSE = """() => {
  const cells = [...document.querySelectorAll(".stack td[data-label]")];
  const loose = cells.filter((td) => getComputedStyle(td).display === "grid" && [...td.childNodes].some(
    (node) => node.nodeType === 3 && node.textContent.trim() && node.previousSibling?.nodeType === 1));
  return loose.map((td) => td.textContent.trim());
}"""
"""Cells of a stacked table whose text would stand below the label: text beside elements has to be in one of its own."""
LOCAL = {Who.LOCAL, Who.LOCAL_STRANGER}


def pages_of(routes: tuple[Route, ...]) -> set[str]:
    """Addresses that show a page."""
    shown = {one.path for one in routes if "GET" in (one.methods or ())}
    return {one for one in shown - NO_PAGES if not one.startswith(("/api/", "/static/"))}


def test_every_page_has_a_picture() -> None:
    """Of an installation with tenants, and of one without; a new route has to be added to the list."""
    with_tenants = {one.route for one in PLACES if one.who not in LOCAL}
    assert pages_of(ROUTES) - {ONLY_LEADS_ON} <= with_tenants
    of_their_own = {one.path for one in LOCAL_OPEN} | {ONLY_LEADS_ON}
    assert pages_of(LOCAL_ROUTES) & of_their_own <= {one.route for one in PLACES if one.who in LOCAL}
    assert len({one.name for one in PLACES}) == len(PLACES)


@pytest.mark.proof
@pytest.mark.long  # a browser, whole runs, and more than two hundred looks: part of `make proofs`
def test_none_scrolls_sideways_on_a_phone(seen: Seen, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Light and dark; the pictures together use every template, so that none of the pages is of another kind."""
    used: set[str] = set()
    templates = rendering._templates()
    get = templates.get_template

    # Templates ask for their parts in the same way, with more arguments.
    def noted(name: str, *others: Any) -> Template:
        used.add(name)
        return get(name, *others)

    monkeypatch.setattr(templates, "get_template", noted)
    looked_at = [*_looked(views(browser, seen)), *_looked(other_views(browser, seen))]
    assert used == {one.name for one in TEMPLATES.glob("*.html")}
    assert {one.name for one in looked_at} >= {one.name for one in PLACES}


def _looked(found: Iterator[View]) -> Iterator[View]:
    for view in found:
        # The picture of a desk is for people; what can be measured is whether a phone has room.
        if view.width == PHONE:
            assert view.overflow == 0, view.file
            assert view.page.evaluate(LOOSE) == [], view.file
        if SHOTS:
            shoot(view.page, view.file.removesuffix(".png"))
        yield view
