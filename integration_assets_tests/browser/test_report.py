"""The report of a run in a browser: nothing else is asked for, nothing overflows on a phone, and paper is white."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.browser.conftest import shoot
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import world_of
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, folder

LONG = "W" * 300
HOSTILE = '<img src="http://127.0.0.1:9/x" onerror="document.title=1"><script>document.title = 1</script>'
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def report() -> Iterator[Path]:
    """The report of a sync over requests with titles nobody should write."""
    with records_in_memory(), folder() as home:
        sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
        with world_of(sandbox, home) as world:
            world.add_request(HOSTILE, voters=("ann", "bob"))
            world.add_request(LONG, voters=("ann",))
            world.set_up()
            world.sync()
        (path,) = home.rglob("reports/*/*/*.html")
        yield path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width"), [("phone", 360), ("desk", 1200)])
def test_it_fits_and_asks_for_nothing(report: Path, browser: Browser, name: str, width: int, scheme: str) -> None:
    """The file is all there is, titles do nothing, nothing is cut off at the side, and the colours are the reader's."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())
    shoot(page, f"report-{name}-{scheme}")
    assert asked == [report.as_uri()]
    assert said == []
    assert page.title().startswith("Feature requests, default → sandbox")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg").count() >= 4
    bright = page.evaluate(BACKGROUND) == "rgb(246, 247, 249)"
    assert bright is (scheme == "light")
    page.close()


def test_it_prints_black_on_white(report: Path, browser: Browser) -> None:
    """Also for a reader whose screen is dark; the file of pages is a real one."""
    page = browser.new_page(viewport={"width": 794, "height": 1123}, color_scheme="dark")
    page.goto(report.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    shoot(page, "report-paper")
    assert page.evaluate(BACKGROUND) == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 34, 48)"
    assert page.evaluate("getComputedStyle(document.querySelector('.chart text')).fill") == "rgb(27, 34, 48)"
    assert page.pdf(format="A4").startswith(b"%PDF-")
    page.close()
