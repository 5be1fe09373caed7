"""Places of the pages that are worth a picture: each page, and its states that look different."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from playwright.sync_api import Page, expect

from integration_assets_tests.support.pictures.seen import Seen

_THIRD, _INTERNAL = "/settings/third-party", "/settings/internal"


class Who(StrEnum):
    """Somebody who looks at pages. The last two are at the machine that has no registry."""

    STRANGER = "stranger"
    ADMIN = "admin"
    PRODUCTION = "production"
    NEWCOMER = "newcomer"
    MAPPER = "mapper"
    OPERATOR = "operator"
    LOCAL_STRANGER = "local-stranger"
    LOCAL = "local"


def _nothing(_: Page) -> None:
    """Nothing is done: the page as it opens."""


@dataclass(frozen=True)
class Place:
    """A page as somebody sees it: `route` as in the table of routes, with the ids of `Seen` in `address`.

    `act` is done on the page before the picture; it changes nothing that other pictures show.
    """

    name: str
    who: Who
    route: str
    address: str = ""
    act: Callable[[Page], None] = _nothing

    def path(self, seen: Seen) -> str:
        """Its address with the ids of what is there."""
        values = {name: quote(str(getattr(seen, name)), safe="") for name in ("request", "merged", "company")}
        runs = {name: quote(one, safe="") for name, one in (*seen.runs.items(), ("local", seen.local_run))}
        address = self.address or self.route
        return address.format(**values, run=runs, id=seen.integrations, password=seen.password_link)


def _press(button: str, waits_for: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.get_by_role("button", name=button, exact=True).first.click()
        expect(page.locator(waits_for).first).to_be_visible()

    return act


def _waits_for(text: str) -> Callable[[Page], None]:
    return lambda page: expect(page.get_by_text(text)).to_be_visible()


def _open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


def _wrong_login(page: Page) -> None:
    page.get_by_label("Login").fill("nobody")
    page.get_by_label("Password").fill("wrong password")
    _press("Log in", "[role=alert], .notice.bad, .error")(page)


def _map_columns(page: Page) -> None:
    page.get_by_role("button", name="Propose the columns").click()
    page.get_by_label("Dates are written").fill("%d/%m/%Y")
    page.get_by_role("button", name="Show the first rows").click()
    expect(page.get_by_role("region", name="First rows")).to_be_visible()


def _refused_system(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Billing")
    page.get_by_label("Address", exact=True).fill("https://billing.example")
    page.get_by_label("Path", exact=True).fill("accounts")
    page.get_by_label("Row id", exact=True).fill("id[")
    page.get_by_label("ARR", exact=True).fill("{{ 7 * 7 }}")
    _press("Add", "[role=alert]")(page)


def _refused_key(page: Page) -> None:
    # As from a browser that does not look whether a field is filled in.
    page.evaluate("document.querySelectorAll('form').forEach(one => one.noValidate = true)")
    _press("Add", "[role=alert]")(page)


PLACES: tuple[Place, ...] = (
    Place("login", Who.STRANGER, "/login"),
    Place("login-refused", Who.STRANGER, "/login", act=_wrong_login),
    Place("password-code", Who.STRANGER, "/password"),
    Place("password", Who.STRANGER, "/password", "{password}", act=_waits_for("Set it")),
    Place("password-used", Who.STRANGER, "/password", "/password#used", act=_waits_for("This link was used")),
    Place("first-run", Who.NEWCOMER, "/requests"),
    Place("companies-empty", Who.NEWCOMER, "/companies"),
    Place("unresolved-empty", Who.NEWCOMER, "/unresolved"),
    Place("runs-empty", Who.NEWCOMER, "/runs"),
    Place("setup-empty", Who.NEWCOMER, "/setup"),
    Place("third-party-empty", Who.NEWCOMER, _THIRD),
    Place("internal-empty", Who.NEWCOMER, _INTERNAL),
    Place("choices-empty", Who.NEWCOMER, "/settings/choices"),
    Place("requests", Who.ADMIN, "/requests"),
    Place("requests-filtered", Who.ADMIN, "/requests", "/requests?by=companies&status=planned&lifecycle=customer"),
    Place("requests-none", Who.ADMIN, "/requests", "/requests?words=no+such+words"),
    Place("segments", Who.ADMIN, "/segments"),
    Place("request", Who.ADMIN, "/requests/{request_id}", "/requests/{request}"),
    Place("request-merged", Who.ADMIN, "/requests/{request_id}", "/requests/{merged}"),
    Place("companies", Who.ADMIN, "/companies"),
    Place("companies-none", Who.ADMIN, "/companies", "/companies?words=no+such+words"),
    Place("company", Who.ADMIN, "/companies/{company_id}", "/companies/{company}"),
    Place("unresolved", Who.ADMIN, "/unresolved"),
    Place("runs", Who.ADMIN, "/runs"),
    Place("run-sync", Who.ADMIN, "/runs/{run_id}", "/runs/{run[sync]}"),
    Place("run-plan", Who.ADMIN, "/runs/{run_id}", "/runs/{run[plan]}", _open_all),
    Place("run-failed", Who.ADMIN, "/runs/{run_id}", "/runs/{run[failed]}"),
    Place("runs-production", Who.PRODUCTION, "/runs"),
    Place("run-held", Who.PRODUCTION, "/runs/{run_id}", "/runs/{run[held]}"),
    Place("setup", Who.ADMIN, "/setup", act=_press("Show what it would create", "[role=status], section")),
    Place("third-party", Who.ADMIN, _THIRD),
    Place("third-party-new", Who.ADMIN, f"{_THIRD}/new", f"{_THIRD}/new?provider=hubspot"),
    Place("third-party-refused", Who.ADMIN, f"{_THIRD}/new", f"{_THIRD}/new?provider=slack", _refused_key),
    Place("third-party-edit", Who.ADMIN, f"{_THIRD}/{{record_id}}", f"{_THIRD}/{{id[hubspot]}}"),
    Place(
        "third-party-tested",
        Who.ADMIN,
        f"{_THIRD}/{{record_id}}",
        f"{_THIRD}/{{id[canny]}}",
        _press("Test connection", "[role=status], [role=alert]"),
    ),
    Place("third-party-delete", Who.ADMIN, f"{_THIRD}/{{record_id}}/delete", f"{_THIRD}/{{id[canny]}}/delete"),
    Place("columns", Who.MAPPER, f"{_THIRD}/columns"),
    Place("columns-mapped", Who.MAPPER, f"{_THIRD}/columns", act=_map_columns),
    Place("internal", Who.ADMIN, _INTERNAL),
    Place("internal-new", Who.ADMIN, f"{_INTERNAL}/new", f"{_INTERNAL}/new?preset=chargebee"),
    Place("internal-refused", Who.ADMIN, f"{_INTERNAL}/new", act=_refused_system),
    Place("internal-edit", Who.ADMIN, f"{_INTERNAL}/{{record_id}}", f"{_INTERNAL}/{{id[internal]}}"),
    Place(
        "internal-preview",
        Who.ADMIN,
        f"{_INTERNAL}/{{record_id}}",
        f"{_INTERNAL}/{{id[internal]}}",
        _press("Preview rows", "section[aria-label=Preview], [role=alert]"),
    ),
    Place("internal-delete", Who.ADMIN, f"{_INTERNAL}/{{record_id}}/delete", f"{_INTERNAL}/{{id[internal]}}/delete"),
    Place("choices", Who.ADMIN, "/settings/choices"),
    Place("audit-trail", Who.ADMIN, "/audit-trail"),
    Place("account", Who.ADMIN, "/account"),
    Place("not-found", Who.ADMIN, "/requests/{request_id}", "/requests/none"),
    Place("no-such-page", Who.ADMIN, "", "/no-such-page"),
    Place("tenants", Who.OPERATOR, "/tenants"),
    Place("local-link-needed", Who.LOCAL_STRANGER, "/login"),
    Place("local-link-code", Who.LOCAL_STRANGER, "/open"),
    Place("local-link-used", Who.LOCAL_STRANGER, "/open", "/open#used", act=_waits_for("it works once")),
    Place("local-requests", Who.LOCAL, "/requests"),
    Place("local-runs", Who.LOCAL, "/runs"),
    Place("local-run", Who.LOCAL, "/runs/{run_id}", "/runs/{run[local]}"),
    Place("local-settings", Who.LOCAL, "/settings"),
)
