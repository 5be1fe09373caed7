"""Pictures of the documentation: `python -m integration_assets_tests.support.pictures` writes docs/pictures.

They show the demo's data, synced by a tenant of the registry. Chromium is needed.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from integration_assets.config import load_settings
from integration_assets.sandbox.server import build_sandbox
from integration_assets.tenants.registry.database import open_registry
from integration_assets_tests.browser.conftest import log_in
from integration_assets_tests.support.harness import world_of
from integration_assets_tests.support.installation import Installation
from integration_assets_tests.support.snapshots import PROMPT, folder
from integration_assets_tests.support.web_site import add_user, served

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
TENANT, LOGIN = "acme", "ann@acme.example"
SCREEN = {"width": 1280, "height": 800}
PAGES = {"ranking": "/requests", "unresolved": "/unresolved", "settings": "/settings/third-party"}
"""Address of the page by the name of its picture."""


def main() -> int:
    """Sync the demo's world, serve the pages, and take a picture of each. Returns the exit code."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.stderr.write("pictures need Chromium, which is not on this machine\n")
        return 1
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        world = stack.enter_context(world_of(build_sandbox(plan=None, slack_interval=0, portal_options=PROMPT), home))
        made = Installation(home, {TENANT: world})
        made.register(TENANT)
        made.good("setup", "--tenant", TENANT, "--yes")
        made.good("sync", "--tenant", TENANT)
        hosts = world.addresses.environment()["INTEGRATION_ASSETS_ALLOWED_HOSTS"]
        settings = load_settings(home=home, key=made.key, allowed_hosts=hosts)
        registry = open_registry(settings)
        if registry is None:
            raise AssertionError("the tenant was registered, so there is a registry")
        stack.callback(registry.close)
        add_user(registry, LOGIN, TENANT)
        site = stack.enter_context(served(settings, registry))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.callback(browser.close)
        page = log_in(browser.new_context(viewport=SCREEN), site, LOGIN)  # type: ignore[arg-type]  # the two sizes
        PICTURES.mkdir(exist_ok=True)
        for name, address in PAGES.items():
            page.goto(f"{site.origin}{address}")
            _shoot(page, name)
        page.goto(f"{site.origin}/requests")
        page.locator("table tbody a").first.click()
        _shoot(page, "request")
        [report] = (home / "reports" / "sandbox" / TENANT).glob("*.html")
        page.goto(report.as_uri())
        _shoot(page, "report")
    return 0


def _shoot(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    raise SystemExit(main())
