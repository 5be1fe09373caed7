"""A tenant's admin from the first login to the ranking, in a browser; and another one who sees nothing of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from integration_assets_tests.browser.conftest import Running, log_in, shoot

pytestmark = pytest.mark.proof  # a browser, and commands as processes: part of `make proofs`

PHONE = {"width": 375, "height": 740}


def add_third_party(page: Page, service: str, fields: dict[str, str], *, environment: str | None = None) -> None:
    """Add a key by the pages and test it."""
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name=f"Add {service}", exact=True).click()
    if environment:
        page.get_by_label("For", exact=True).select_option(environment)
    for label, value in fields.items():
        page.get_by_label(label).first.fill(value)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text("Added")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("status")).to_have_text("Test: it works.")


def test_from_the_first_login_to_the_ranking(running: Running, browser: Browser) -> None:
    """Add a Canny key, two HubSpot tokens and a billing system, test each; a run uses them; the ranking is there."""
    world = running.made.worlds["acme"]
    values, billing = world.addresses.environment(), world.sandbox.billing
    context = browser.new_context()
    page = log_in(context, running.site, "ann@acme.example")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    expect(page.get_by_role("heading", level=1)).to_have_text("No run has finished here yet")
    expect(page.get_by_role("heading", name="First run: 0 of 5 steps done")).to_be_visible()
    shoot(page, "first-run")

    add_third_party(page, "Canny", {"Address": values["CANNY_BASE_URL"], "API key": values["CANNY_API_KEY"]})
    shoot(page, "integration-works")
    for environment in ("sandbox", "production"):
        name = f"HUBSPOT_{environment.upper()}"
        fields = {
            "Address": values[f"{name}_BASE_URL"],
            "Access token": values[f"{name}_TOKEN"],
            "Property with the ARR": values["HUBSPOT_ARR_PROPERTY"],
            "Property with the currency": values["HUBSPOT_CURRENCY_PROPERTY"],
        }
        add_third_party(page, "HubSpot", fields, environment=environment)

    billing.accounts = [{"id": "a1", "customer": {"websites": ["gamma.de"]}, "plan": {"arr": 777}}]
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Internal systems").click()
    page.get_by_role("link", name="Add an internal system").click()
    page.get_by_label("Name", exact=True).fill("Billing")
    page.get_by_label("Address", exact=True).fill(world.addresses.internal_base_url)
    page.get_by_label("Flow").select_option("oauth2_client_credentials")
    expect(page.get_by_label("User name")).to_be_hidden()
    page.get_by_label("Token address").fill("https://10.0.0.1/oauth/token")
    page.get_by_label("Client id").fill(billing.client_id)
    page.get_by_label("Password, key, token or client secret").fill(billing.client_secret)
    page.get_by_label("Path", exact=True).fill("/v1/all")
    page.get_by_label("Row id", exact=True).fill("id")
    page.get_by_label("Domain optional", exact=True).fill("customer.websites[0]")
    page.get_by_label("ARR", exact=True).fill("plan.[arr]")
    page.get_by_role("button", name="Add").click()
    # All that is wrong is named at once, by the labels of the page.
    for wrong in ("could not be accepted", "Token address", "ARR: is not a path"):
        expect(page.get_by_role("alert")).to_contain_text(wrong)
    expect(page.get_by_label("Token address")).to_have_value("https://10.0.0.1/oauth/token")
    expect(page.get_by_label("Token address")).to_be_focused()
    shoot(page, "internal-refused")
    page.get_by_label("Token address").fill(f"{world.addresses.internal_base_url}/oauth/token")
    page.get_by_label("ARR", exact=True).fill("plan.arr")
    page.get_by_label("Password, key, token or client secret").fill(billing.client_secret)
    page.get_by_role("button", name="Preview rows").click()
    expect(page.get_by_role("region", name="Preview")).to_contain_text("gamma.de")
    expect(page.get_by_label("Password, key, token or client secret")).to_have_value("")
    shoot(page, "internal-preview-new")
    page.get_by_label("Password, key, token or client secret").fill(billing.client_secret)
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("status")).to_have_text("Test: it works.")
    page.get_by_role("button", name="Preview rows").click()
    expect(page.get_by_role("region", name="Preview")).to_contain_text("gamma.de")
    shoot(page, "internal-preview")

    running.command("setup", "--tenant", "acme", "--yes")
    running.command("sync", "--tenant", "acme")
    page.get_by_role("link", name="Requests", exact=True).click()
    expect(page.locator(".steps")).to_have_count(0)  # all done
    rows = page.locator("table tbody tr")
    expect(rows).to_have_count(4)
    expect(page.get_by_text("1 shipped or closed request is not shown")).to_be_visible()
    page.get_by_role("link", name="show all").click()
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("1,608.50".replace(".50", ""))
    expect(page.locator("svg .bar-fill")).to_have_count(5)
    page.get_by_label("Title contains").fill("csv")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("777")  # of which only billing knows
    shoot(page, "requests")
    rows.first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Why it ranks there")).to_be_visible()
    page.get_by_role("link", name="Gamma").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Gamma")

    page.get_by_role("link", name="Unresolved votes").click()
    page.get_by_role("row", name=re.compile("nowhere-at-all.org")).get_by_role("link", name="Map it").click()
    expect(page.get_by_label("Domain, or one address")).to_have_value("nowhere-at-all.org")
    page.get_by_label("Id of the company in the CRM").fill(world.company("Beta"))
    page.get_by_role("button", name="Map it").click()
    expect(page.get_by_role("status")).to_contain_text("the next run uses it")
    running.command("sync", "--tenant", "acme")
    page.reload()
    expect(page.get_by_role("row", name=re.compile("nowhere-at-all.org.*no company"))).to_have_count(0)
    assert [line for line in said if "400 (Bad Request)" not in line] == []  # the refused form
    context.close()


def test_another_tenants_admin_sees_none_of_it(running: Running, browser: Browser) -> None:
    """Neither by page, nor by API, nor by id."""
    ann = log_in(browser.new_context(), running.site, "ann@acme.example")
    ann.goto(f"{running.site.origin}/requests")
    paths = [ann.locator("table tbody a").first.get_attribute("href")]
    for listed in ("/companies", "/runs", "/settings/third-party", "/settings/internal"):
        ann.goto(f"{running.site.origin}{listed}")
        paths.append(ann.locator("table tbody a").first.get_attribute("href"))
    gus = log_in(browser.new_context(), running.site, "gus@globex.example")
    for path in paths:
        assert path is not None
        answer = gus.goto(f"{running.site.origin}{path}")
        assert answer is not None
        assert answer.status == 404, path
    for path in ("/requests", "/companies", "/unresolved", "/runs", "/settings/third-party", "/audit-trail"):
        gus.goto(f"{running.site.origin}{path}")
        text = gus.content()
        assert "acme" not in text.lower(), path
    for group in ("third-party", "internal"):
        answer = gus.goto(f"{running.site.origin}/api/{group}-integrations")
        assert answer is not None
        assert answer.json() == []


def test_a_held_plan_is_approved_on_its_page(running: Running, browser: Browser) -> None:
    """The first sync to production is held; its page shows why and what; approved there, the next sync applies it."""
    running.command("setup", "--tenant", "acme", "--environment", "production", "--yes")
    with pytest.raises(AssertionError, match="first_apply"):
        running.command("sync", "--tenant", "acme", "--environment", "production")
    page = log_in(browser.new_context(), running.site, "ann@acme.example")
    page.get_by_role("button", name="production").click()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.locator("table tbody a").first.click()
    expect(page.get_by_text("Held: nothing was written.")).to_be_visible()
    page.get_by_text(re.compile("changes, one by one$")).click()
    expect(page.locator("#changes").get_by_role("row", name=re.compile("create")).first).to_be_visible()
    shoot(page, "held")
    page.get_by_role("button", name="Approve this plan").click()
    expect(page.get_by_text(re.compile("Approved by ann@acme.example"))).to_be_visible()
    expect(page.get_by_role("button", name="Approve this plan")).to_have_count(0)
    running.command("sync", "--tenant", "acme", "--environment", "production")
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.locator("table tbody tr").first).to_contain_text("succeeded")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone_and_speaks_to_nobody_else(running: Running, browser: Browser, scheme: str) -> None:
    """375 px wide without sideways scrolling, without JavaScript, with a heading, labels, and requests to us alone."""
    context = browser.new_context(viewport=PHONE, color_scheme=scheme, java_script_enabled=False)  # type: ignore[arg-type]
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = log_in(context, running.site, "ann@acme.example")
    paths = ["/requests", "/companies", "/unresolved", "/runs", "/settings/third-party", "/settings/internal/new"]
    paths += ["/settings/third-party/new?provider=hubspot", "/settings/choices", "/audit-trail", "/account"]
    page.goto(f"{running.site.origin}/requests")
    paths.append(page.locator("table tbody a").first.get_attribute("href") or "")
    for path in paths:
        page.goto(f"{running.site.origin}{path}")
        assert page.locator("h1").count() == 1, path
        assert page.locator("main").count() == 1
        width = page.locator("html").bounding_box()
        widest = page.locator("main").bounding_box()
        assert width is not None
        assert widest is not None
        assert widest["width"] <= PHONE["width"], path
        for field in page.locator("input:not([type=hidden]), select, textarea").all():
            name = field.get_attribute("id") or ""
            labelled = page.locator(f'label[for="{name}"]').count() or field.locator("xpath=ancestor::label").count()
            assert labelled, (path, field.get_attribute("name"))
        shoot(page, f"phone-{scheme}-{path.strip('/').partition('?')[0].replace('/', '-')[:30]}")
    assert {url.split("/")[2] for url in asked} == {running.site.origin.removeprefix("http://")}
    context.close()


def test_a_page_can_be_used_by_keyboard(running: Running, browser: Browser) -> None:
    """The first stop is the way past the menu, and every stop can be seen."""
    page = log_in(browser.new_context(), running.site, "ann@acme.example")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
