"""The pictures of the documentation: the name of each file, and the view that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser

from integration_assets_tests.support.pictures.album import PHONE, View, other_views, views
from integration_assets_tests.support.pictures.places import PLACES
from integration_assets_tests.support.pictures.seen import Seen

FOLDER = Path(__file__).parents[3] / "docs" / "pictures"
SCREEN = 1280
HEIGHT = {SCREEN: 760, PHONE: 760}
END = "end"


class Shown(NamedTuple):
    """A view as the documentation shows it; `at` is what is scrolled to, `END` the end of the page."""

    view: str
    width: int = SCREEN
    scheme: Literal["light", "dark"] = "light"
    at: str = ""


DOCUMENTED = {
    "ranking": Shown("requests"),
    "ranking-on-a-phone": Shown("requests", PHONE, "dark"),
    "request": Shown("request"),
    "company": Shown("company"),
    "unresolved": Shown("unresolved"),
    "slack": Shown("slack"),
    "report": Shown("report-sync"),
    "plan": Shown("run-plan", at="section[aria-label=Plan]"),
    "changes": Shown("run-plan", at="#changes"),
    "held": Shown("run-held"),
    "first-run": Shown("first-run"),
    "settings": Shown("third-party"),
    "refused": Shown("internal-refused"),
    "preview": Shown("internal-preview"),
    "demo": Shown("terminal-0-demo", scheme="dark", at=END),
    "rankings-in-a-terminal": Shown("terminal-1-rankings", scheme="dark"),
}
"""By the name of the file, without its ending."""


def documented(browser: Browser, seen: Seen) -> Iterator[tuple[str, View]]:
    """The views of the documentation, scrolled to where they are shown, with the names of their files."""
    wanted = {one.view for one in DOCUMENTED.values()}
    places = [one for one in PLACES if one.name in wanted]
    for found in (views(browser, seen, places, (SCREEN, PHONE)), other_views(browser, seen, SCREEN)):
        for view in found:
            for name, shown in DOCUMENTED.items():
                if (shown.view, shown.width, shown.scheme) == (view.name, view.width, view.scheme):
                    view.page.set_viewport_size({"width": view.width, "height": HEIGHT[view.width]})
                    _scroll(view, shown.at)
                    yield f"{name}.png", view


def _scroll(view: View, at: str) -> None:
    if at == END:
        view.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    elif at:
        view.page.locator(at).first.evaluate("one => one.scrollIntoView()")
    else:
        view.page.evaluate("scrollTo(0, 0)")
