"""The link that sets a password, in a browser: what opens it is in no address that a server is asked for."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from integration_assets.config import Settings, load_settings
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.master import generate
from integration_assets_tests.browser.conftest import shoot
from integration_assets_tests.support.registries import ACTOR, with_two_tenants
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.web_site import add_user, served

pytestmark = pytest.mark.proof
ANN, NEW = "ann@acme.example", "another horse battery staple"


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no script"])
def test_a_link_sets_a_password(browser: Browser, monkeypatch: pytest.MonkeyPatch, has_script: bool) -> None:
    """Opened, shown for whom, set; without a script by copying the code. No request has it in its address."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    asked: list[str] = []
    said: list[str] = []
    with folder() as home:
        settings = load_settings(home=home, key=generate())
        for registry in with_two_tenants(settings):
            add_user(registry, ANN, "acme")
            with directory(registry, ACTOR) as users:
                token = users.make_password_link(ANN)
            with served(settings, registry) as site:
                context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=has_script)
                page = context.new_page()
                page.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer', '')}"))
                page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
                page.goto(f"{site.origin}/password#{token}")
                if not has_script:
                    shoot(page, "password-code")
                    page.get_by_label("Code of the link").fill(token)
                    page.get_by_role("button", name="Continue").click()
                expect(page.get_by_text(ANN)).to_be_visible()
                shoot(page, "password-link")
                page.get_by_label("New password", exact=True).fill(NEW)
                page.get_by_label("Repeat the new password").fill(NEW)
                page.get_by_role("button", name="Set it").click()
                expect(page.get_by_text("The password is set")).to_be_visible()
                page.goto(f"{site.origin}/password#{token}")
                if not has_script:
                    page.get_by_label("Code of the link").fill(token)
                    page.get_by_role("button", name="Continue").click()
                expect(page.get_by_text("This link was used")).to_be_visible()
                # The browser itself says of a navigation where to within the page; what is sent has no fragment.
                assert not [one for one in asked if token in one.replace(f"/password#{token}", "/password")]
                assert [one for one in said if "404" not in one] == []
                context.close()
