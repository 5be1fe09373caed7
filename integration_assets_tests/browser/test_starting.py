"""A tenant's admin sets the CRM up, plans, syncs and undoes on the pages alone, in a browser."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, Page, expect

from integration_assets_tests.browser.conftest import Running, log_in, shoot
from integration_assets_tests.support.begun_runs import begin_what_is_asked_for
from integration_assets_tests.support.web_site import add_user

pytestmark = pytest.mark.proof  # a browser and whole runs: part of `make proofs`


def begun(running: Running, page: Page) -> list[str]:
    """What the daemon begins now; the page afterwards."""
    # Away from the page, which looks again by itself while something is open. The run in a thread: the browser's own
    # event loop is in this one.
    address = page.url
    page.goto("about:blank")
    with ThreadPoolExecutor(1) as thread:
        begin = thread.submit(begin_what_is_asked_for, running.site, running.site.registry, running.made.environment())
        names = begin.result()
    page.goto(address)
    return names


def test_setup_plan_sync_and_undo_without_a_terminal(running: Running, browser: Browser) -> None:
    """Each is shown before it is done, and its end is on the page."""
    running.made.good("tenants", "remove", "acme", "--yes")
    running.made.register("acme")

    add_user(running.site.registry, "ann@acme.example", "acme")
    page = log_in(browser.new_context(), running.site, "ann@acme.example")
    steps = page.locator(".steps li")

    steps.nth(2).get_by_role("link", name="Setup").click()
    page.get_by_role("button", name="Show what it would create").click()
    expect(page.get_by_role("region", name="What it would create")).to_contain_text("lacks")
    shoot(page, "setup")
    page.get_by_role("button", name="Create this").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is running that could start it")
    shoot(page, "setup-waits")
    assert begun(running, page) == ["setup"]
    expect(page.locator("table tbody tr").first).to_contain_text("succeeded: portal")
    page.get_by_role("button", name="Show what it would create").click()
    expect(page.get_by_role("status")).to_have_text("Nothing is missing there.")
    page.goto(f"{running.site.origin}/requests")
    expect(steps.nth(2)).to_contain_text("Setup has created what was missing")
    shoot(page, "steps-after-setup")

    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("button", name="Plan now").click()
    assert begun(running, page) == ["dry_run"]
    page.get_by_role("link", name="succeeded").first.click()
    expect(page.get_by_role("heading", name="What it would do")).to_be_visible()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("button", name="Sync now").click()
    assert begun(running, page) == ["sync"]
    shoot(page, "runs")
    page.locator("#start").get_by_role("link", name="succeeded").first.click()
    sync = page.url

    page.get_by_role("button", name="Show what an undo would do").click()
    assert begun(running, page) == ["undo_plan"]
    page.locator("#start").get_by_role("link", name="succeeded").first.click()
    expect(page.get_by_role("heading", name="What it would do")).to_be_visible()
    shoot(page, "undo-plan")
    page.get_by_label(re.compile("Undo these .* changes in the CRM")).check()
    page.get_by_role("button", name="Undo", exact=True).click()
    assert begun(running, page) == ["undo"]
    page.goto(sync)
    expect(page.locator("#start").get_by_role("row", name=re.compile("^Undo of a run.*succeeded"))).to_have_count(1)
    shoot(page, "undone")
