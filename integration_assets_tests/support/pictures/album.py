"""Taking the pictures: each place once, at two widths, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page

from integration_assets.web.request_context import ENVIRONMENT_COOKIE
from integration_assets_tests.support.pictures.places import PLACES, Place, Who
from integration_assets_tests.support.pictures.seen import ADMIN, MAPPER, NARROW, NEWCOMER, OPERATOR, WIDE, Seen
from integration_assets_tests.support.pictures.slack import slack_page
from integration_assets_tests.support.pictures.terminal import terminal_page
from integration_assets_tests.support.web_site import PASSWORD

DESK, PHONE = 1440, 390
HEIGHT = 900
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOGINS = {
    Who.ADMIN: ADMIN,
    Who.PRODUCTION: ADMIN,
    Who.NEWCOMER: NEWCOMER,
    Who.MAPPER: MAPPER,
    Who.OPERATOR: OPERATOR,
}


class View(NamedTuple):
    """A page that is open and stands as it is to be shown. `width` is that of the screen."""

    name: str
    width: int
    scheme: Literal["light", "dark"]
    page: Page

    @property
    def file(self) -> str:
        """Name of its picture."""
        return f"{self.name}-{self.width}-{self.scheme}.png"

    @property
    def overflow(self) -> int:
        """Pixels by which the page is wider than the screen."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth")
        return max(0, wide - self.width)


def views(
    browser: Browser, seen: Seen, places: Iterable[Place] = PLACES, widths: Iterable[int] = (DESK, PHONE)
) -> Iterator[View]:
    """Each place of the pages, as seen on a desk and on a phone, light and dark."""
    with ExitStack() as stack:
        contexts: dict[Who, BrowserContext] = {}
        for place in places:
            if place.who not in contexts:
                contexts[place.who] = stack.enter_context(_context(browser, seen, place.who))
            page = contexts[place.who].new_page()
            page.set_viewport_size({"width": DESK, "height": HEIGHT})
            site = seen.local if place.who in (Who.LOCAL, Who.LOCAL_STRANGER) else seen.site
            page.goto(f"{site.origin}{place.path(seen)}")
            place.act(page)
            yield from _each(place.name, page, widths)
            page.close()


def other_views(browser: Browser, seen: Seen, desk: int = DESK) -> Iterator[View]:
    """What is no page of ours: reports, Slack's messages and the terminal."""
    page = browser.new_page(viewport={"width": DESK, "height": HEIGHT})
    for name, path in seen.reports.items():
        page.goto(path.as_uri())
        yield from _each(f"report-{name}", page, (desk, PHONE))
    page.set_content(slack_page(seen.messages))
    yield from _each("slack", page, (desk, PHONE))
    for number, typed in enumerate(seen.sessions[WIDE]):
        word = typed.command.split()[1]
        for width, columns in ((desk, WIDE), (PHONE, NARROW)):
            page.set_content(terminal_page([seen.sessions[columns][number]], columns=columns))
            yield from _each(f"terminal-{number}-{word}", page, (width,))
    page.close()


def _each(name: str, page: Page, widths: Iterable[int] = (DESK, PHONE)) -> Iterator[View]:
    for width in widths:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            yield View(name, width, scheme, page)


@contextmanager
def _context(browser: Browser, seen: Seen, who: Who) -> Iterator[BrowserContext]:
    context = browser.new_context()
    page = context.new_page()
    if who is Who.LOCAL:
        page.goto(f"{seen.local.origin}{seen.local_link}")
        page.wait_for_url("**/requests")
    elif who in LOGINS:
        page.goto(f"{seen.site.origin}/login")
        page.get_by_label("Login").fill(LOGINS[who])
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(lambda address: not address.endswith("/login"))
    if who is Who.PRODUCTION:
        context.add_cookies([{"name": ENVIRONMENT_COOKIE, "value": "production", "url": seen.site.origin}])
    page.close()
    yield context
    context.close()
