"""Pages on a phone, with long names and large figures: nothing over its card, one line of header, lists that end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page

from integration_assets.config import Settings, load_settings
from integration_assets.errors import EndState
from integration_assets.models import Rejected
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import PlanLine, RecordNumbers, RunFacts, build_summary
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store
from integration_assets.tenants.registry.master import generate
from integration_assets.web.site import Site
from integration_assets_tests.browser.conftest import log_in, shoot
from integration_assets_tests.reporting.conftest import STARTED
from integration_assets_tests.resolution.worlds import AS_OF, company, load, request, vote
from integration_assets_tests.support.registries import with_two_tenants
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.web_site import add_user, served

pytestmark = pytest.mark.proof  # a browser: part of `make proofs`

WIDTH = 390
LOGIN = "annabelle.featherstonehaugh@acme-industries.example"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
PAGES = (
    "/requests",
    "/requests/r",
    "/companies",
    "/companies/1",
    "/unresolved",
    "/runs",
    "/runs/dry",
    "/setup",
    "/settings/third-party",
    "/settings/internal",
    "/settings/choices",
    "/settings/internal/new?preset=chargebee",
    "/audit-trail",
    "/account",
)
OVER = """() => {
  const over = [];
  for (const one of document.querySelectorAll("main *, header *")) {
    const box = one.getBoundingClientRect();
    if (!box.width || getComputedStyle(one).clipPath !== "none" || one.closest(".hidden, thead, option")) continue;
    // A wide table scrolls; on a phone those that stack do not.
    if (one.parentElement.closest(".scroll") && !(innerWidth < 640 && one.closest("table.stack"))) continue;
    if (one.closest("header nav")) continue;
    const card = one.parentElement.closest(".card, .stack tr, .chart, main, header");
    const edge = card.getBoundingClientRect().right;
    if (one instanceof SVGElement && one.tagName !== "svg") {
      if (one.tagName === "text" && one.classList.contains("value") && box.right > edge + 1) over.push(one.textContent);
      continue;
    }
    if (box.right > edge + 1) over.push(`${one.tagName}.${one.className}: ${one.textContent.trim().slice(0, 40)}`);
  }
  return over;
}"""
"""What stands over the edge of its card, its row or the page."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """acme with one run and a ranking of long titles and large figures; somebody with a long login."""
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for field in Settings.model_fields.values():
            patch.delenv(str(field.validation_alias), raising=False)
        facts = RunFacts(
            run_id="dry",
            tenant="acme",
            environment="sandbox",
            mode="dry_run",
            state=EndState.SUCCEEDED_WITH_REJECTS,
            started_at=STARTED,
            duration_seconds=2.0,
            plan=PlanLine("ab" * 32),
            records=RecordNumbers(identified=12_345_678, created=1_234_567, updated=7_654_321),
            rejected=[Rejected("feature_request", f"canny:{LONG}{n}", f"the CRM refused {LONG}") for n in range(120)],
        )
        with open_store(home / "store" / "acme.duckdb") as connection:
            load(
                connection,
                {
                    "feature_requests": [
                        request("r", title=f"{LONG} {LONG}", board=LONG, tags=["ui"], status="planned"),
                        request("s", title="Export", board="App", status="in_progress"),
                    ],
                    "voters": [
                        {"voter_id": "u", "email": f"u@{LONG[:50].lower().encode('idna').decode()}.example"},
                        {"voter_id": "lost", "email": "a@a-very-long-domain-that-nobody-knows-of.example"},
                    ],
                    "votes": [vote("v", "r", "u"), vote("w", "s", "u"), vote("x", "r", "lost")],
                    "crm_companies": [
                        company(
                            "1", f"{LONG[:50].lower().encode('idna').decode()}.example", name=LONG, arr="98765432109.87"
                        )
                    ],
                },
            )
            resolve_votes(connection, ResolutionSettings())
            rank(connection, AS_OF)
            record_run(connection, build_summary(connection, facts), facts)
            publish(connection, published_path(home, "sandbox", "acme"))
        settings = load_settings(home=home, key=generate())
        for registry in with_two_tenants(settings):
            add_user(registry, LOGIN, "acme")
            yield stack.enter_context(served(settings, registry))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_over_its_card_and_the_header_is_one_line(browser: Browser, site: Site, scheme: str) -> None:
    """On every page at 390 px; the same pages are looked at on a wide screen."""
    for width in (WIDTH, 1440):
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
        page = log_in(context, site, LOGIN)
        for path in PAGES:
            page.goto(f"{site.origin}{path}")
            shoot(page, f"{width}-{scheme}-{path.strip('/').partition('?')[0].replace('/', '-')}")
            assert page.evaluate(OVER) == [], (path, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert line_of(page) < 60, path
        context.close()


def test_lists_end_and_say_so(browser: Browser, site: Site) -> None:
    """Of 120 rejects the page has fifty, and says where the others are."""
    page = log_in(browser.new_context(), site, LOGIN)
    page.goto(f"{site.origin}/runs/dry")
    assert page.get_by_text("the CRM refused").count() == 50
    assert page.get_by_text("The first 50 of 120").is_visible()


def line_of(page: Page) -> float:
    """Height of the first line of the header, in pixels."""
    box = page.locator("header .bar").first.bounding_box()
    assert box is not None
    return box["height"]
