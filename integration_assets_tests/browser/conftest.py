"""An installation with two tenants and nothing in them yet, served, and a Chromium that looks at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from integration_assets.config import load_settings
from integration_assets.tenants.registry.database import open_registry
from integration_assets.web.site import Site
from integration_assets_tests.support.harness import PREFIXES
from integration_assets_tests.support.installation import Installation, installation
from integration_assets_tests.support.pictures.seen import Seen, seen_installations
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.web_site import PASSWORD, add_user, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOTS = os.environ.get("INTEGRATION_ASSETS_TEST_SCREENSHOTS")
"""A folder for pictures of what the tests see, to be looked at by people."""
FAILED = pytest.StashKey[bool]()
"""Whether a test failed, for fixtures that take a picture of what it saw."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser there is nothing to test here."""
    for item in items:
        if CHROMIUM is None and "/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason="there is no Chromium on this machine"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember failures."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@dataclass
class Running:
    """What is served, and the systems behind it."""

    made: Installation
    site: Site

    def command(self, *arguments: str) -> str:
        """Run a command in a process of its own; it must succeed."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
        hosts = ",".join(self.site.settings.allowed_hosts)
        own = {
            "INTEGRATION_ASSETS_HOME": str(self.made.home),
            "INTEGRATION_ASSETS_KEY": self.made.key,
            "INTEGRATION_ASSETS_ALLOWED_HOSTS": hosts,
        }
        ran = subprocess.run(
            [sys.executable, "-m", "integration_assets.cli", *arguments],
            env={**clean, **own},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """acme and globex with an admin each, and their systems; no integration yet."""
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        made = stack.enter_context(installation(home, "acme", "globex"))
        for tenant in made.worlds:
            made.good("tenants", "add", tenant)
        made.good("tenants", "set", "acme", "currency_rates", "EUR=1.08")
        hosts = [world.addresses.environment()["INTEGRATION_ASSETS_ALLOWED_HOSTS"] for world in made.worlds.values()]
        settings = load_settings(home=home, key=made.key, allowed_hosts=",".join(hosts))
        registry = open_registry(settings)
        assert registry is not None
        stack.callback(registry.close)
        add_user(registry, "ann@acme.example", "acme")
        add_user(registry, "gus@globex.example", "globex")
        yield Running(made, stack.enter_context(served(settings, registry)))


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """Installations on which runs have ended in all ways, of the small world.

    To be named before `browser`, whose event loop would be in the way of commands that run in this thread.
    """
    with seen_installations(lambda: small_world().sample) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


def log_in(context: BrowserContext, site: Site, login: str) -> Page:
    """A page of somebody who is logged in. Errors of its script or policy fail the test at the end."""
    page = context.new_page()
    page.goto(f"{site.origin}/login")
    page.get_by_label("Login").fill(login)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/requests")
    return page


def shoot(page: Page, name: str) -> None:
    """Keep a picture, where somebody wants one."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True, animations="disabled")
