"""Settings, third tab: a tenant's own choices that change nothing of whose records it writes.

The addresses of own staff are personal data: they are counted here, added to and taken away, and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.masking import ADDRESS_SIGN
from integration_assets.pasted import unwrapped
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.views import TenantView
from integration_assets.tenants.settings import check_tenant_settings
from integration_assets.web.answers import redirect
from integration_assets.web.rendering import render
from integration_assets.web.request_context import Form, RequestContext

PATH = "/settings/choices"
OWN, ADDRESSES, FORGET = "own_domains", "own_addresses", "forget_addresses"
WAS = "was."
"""Stands before the name of a field that says what the page showed of another one."""
LONGEST = 20_000
_SEPARATORS = re.compile(r"[,;\s]+")
_SIGN = re.compile(ADDRESS_SIGN)


class Choice(msgspec.Struct, frozen=True):
    """A field of the page: a setting of a tenant in the form of its variable."""

    name: str
    label: str
    help: str


MAIL = (
    Choice(OWN, "Domains of own staff", "Such as acme.com, with commas between. Votes of own people do not count."),
    Choice(
        "personal_domains",
        "Personal mail domains",
        "Domains of mail providers that are otherwise taken for a company's.",
    ),
    Choice(
        "business_domains",
        "Company mail domains",
        "Domains of companies that are otherwise taken for personal mail.",
    ),
)
MONEY = (
    Choice("arr_sources", "Sources of ARR", "The first that has a figure decides; default crm,internal,accounts."),
    Choice("base_currency", "Currency of all sums", "Three letters, such as EUR; default is that of the CRM."),
    Choice(
        "accounts_currency",
        "Currency of spend",
        "That of the feedback system's accounts; default USD. Of several systems: canny=USD,table=EUR.",
    ),
    Choice("currency_rates", "Rates", "What one unit is worth in the currency of all sums: EUR=1.08,GBP=1.27."),
)
COMPANIES = (
    Choice("customer_stages", "Lifecycle stages of customers", "As the CRM has them, with commas between."),
    Choice("prospect_stages", "Lifecycle stages of prospects", "A stage is one of the two."),
    Choice("post_shipped", "Tell owners what shipped", "true: a message in Slack for each owner of companies."),
    Choice("coverage_floor", "Least share of votes with a company", "From 0 to 1: below it a run writes nothing."),
    Choice("arr_coverage_floor", "Least share of companies with ARR", "From 0 to 1, in the same way."),
)
GROUPS = (("Mail", MAIL), ("Money", MONEY), ("Companies and checks", COMPANIES))
CHOICES = {choice.name: choice for _, choices in GROUPS for choice in choices}


def show(context: RequestContext) -> Response:
    """The tab, with what is stored."""
    return _page(context, _shown(context.own), {})


def save(context: RequestContext) -> Response:
    """Store what was typed, or show it again with messages."""
    with directory(context.registry, context.actor) as tenants:
        # As it is now: what somebody saved since the page was made counts for the addresses that stay.
        tenant = tenants.tenant(context.own.slug)
        changes = _changes(tenant, context.form)
        errors = _errors(context.settings, tenant, changes)
        # What is wrong first: a form that cannot be stored replaces nothing.
        outdated = {} if errors else _outdated(tenant, context.form)
        if changes and not errors and not outdated:
            tenants.change_tenant(tenant.slug, settings=changes)
    if errors or outdated:
        values = {name: context.form.raw(name) for name in CHOICES}
        # An address among the domains is not shown again either.
        values[OWN] = ", ".join(_own(values[OWN])[0])
        status = HTTPStatus.CONFLICT if outdated else HTTPStatus.BAD_REQUEST
        return _page(context, values, errors | outdated, status, outdated=frozenset(outdated))
    return redirect(f"{PATH}?done=chosen")


def _own(text: str) -> tuple[list[str], list[str]]:
    """Domains and addresses of a list of own staff; what may be an address is taken for one."""
    entries = [one for part in _SEPARATORS.split(text) if (one := unwrapped(part))]
    addresses = [one for one in entries if _SIGN.search(one.removeprefix("@"))]
    return [one for one in entries if one not in addresses], addresses


def _changes(tenant: TenantView, form: Form) -> dict[str, Any]:
    """Settings that the form changes, by name; None takes one away."""
    stored = _stored(tenant)
    given = {name: shown if _untouched(form, name) else form.text(name) for name, shown in _shown(tenant).items()}
    kept = [] if form.has(FORGET) else _own(stored[OWN])[1]
    domains, among_them = _own(given[OWN])
    added = _own(form.text(ADDRESSES))
    # A domain typed among the addresses is one all the same.
    own = dict.fromkeys([*domains, *added[0], *kept, *among_them, *added[1]])
    # Their order means nothing: another one alone is no change.
    same = sorted(own) == sorted(entry for part in _own(stored[OWN]) for entry in part)
    given[OWN] = stored[OWN] if same else ",".join(own)
    return {name: value or None for name, value in given.items() if value != stored[name]}


def _untouched(form: Form, name: str) -> bool:
    """True if a field was sent as the page showed it: what somebody else saved since then stays."""
    return f"{WAS}{name}" in form.values and form.text(f"{WAS}{name}") == form.text(name)


def _outdated(tenant: TenantView, form: Form) -> dict[str, str]:
    """Messages by field that somebody else has saved otherwise since the page was made, and that the form changes."""
    said = "somebody has saved another value since you opened this page: {}. Save again to replace it"
    return {
        name: said.format(stored or "none")
        for name, stored in _shown(tenant).items()
        # Without the value that was shown a program sent the form, which changes what it names.
        if f"{WAS}{name}" in form.values
        and form.text(f"{WAS}{name}") != stored
        and form.text(name) not in (stored, form.text(f"{WAS}{name}"))
    }


def _errors(settings: Settings, tenant: TenantView, changes: Mapping[str, Any]) -> dict[str, str]:
    """Messages by field."""
    if too_long := [name for name, value in changes.items() if len(value or "") > LONGEST]:
        return dict.fromkeys(too_long, f"must have at most {LONGEST:,} characters")
    if (whole := _problem(settings, tenant, changes)) is None:
        return {}
    alone = {name: said for name, value in changes.items() if (said := _problem(settings, tenant, {name: value}))}
    # Each is right by itself, and they contradict each other: told beside one of them.
    return alone or {next(iter(changes)): whole}


def _problem(settings: Settings, tenant: TenantView, changes: Mapping[str, Any]) -> str | None:
    try:
        check_tenant_settings(settings, tenant, changes)
    except ConfigurationError as error:
        said = error.message.removeprefix(f"wrong settings of tenant {tenant.slug}: ")
        return said.removeprefix(f"{next(iter(changes))}: ")
    return None


def _stored(tenant: TenantView) -> dict[str, str]:
    """Stored choices, each on one line: a form sends no line ends or outer spaces back as a command may store them."""
    return {name: _on_one_line(str(tenant.settings.get(name) or "")) for name in CHOICES}


def _on_one_line(text: str) -> str:
    # A line end separates as a comma does: without either, two entries would be one.
    return ", ".join(line for one in text.splitlines() if (line := one.strip().rstrip(",;")))


def _shown(tenant: TenantView) -> dict[str, str]:
    values = _stored(tenant)
    values[OWN] = ", ".join(_own(values[OWN])[0])
    return values


def _page(
    context: RequestContext,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = HTTPStatus.OK,
    outdated: frozenset[str] = frozenset(),
) -> Response:
    shown = _shown(context.own)
    return render(
        context,
        "choices.html",
        status,
        groups=GROUPS,
        values=Form(dict(values)),
        errors=errors,
        labels={name: choice.label for name, choice in CHOICES.items()},
        # After a refusal, what the first page showed: it is what the person has seen. Of a field that somebody else has
        # saved, that value, which the message tells.
        was={
            name: value if name in outdated else context.form.values.get(f"{WAS}{name}", value)
            for name, value in shown.items()
        },
        # Like a secret they are not shown again, so that they are lost with a refusal.
        lost=bool(errors) and bool(context.form.text(ADDRESSES) or _own(context.form.text(OWN))[1]),
        addresses=len(_own(str(context.own.settings.get(OWN) or ""))[1]),
    )
