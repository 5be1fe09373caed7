"""Settings, second tab: systems of the tenant's own, described by their endpoints, authentication and mappings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from integration_assets.connectors.internal.description import FIELDS, Paging, Period, Unit
from integration_assets.connectors.internal.presets import PRESETS
from integration_assets.errors import IntegrationError
from integration_assets.tenants.outcomes import MEANINGS
from integration_assets.tenants.outcomes import Outcome as Tried
from integration_assets.tenants.registry.changes import InternalChanges, NewInternal
from integration_assets.tenants.registry.providers import auth_fields
from integration_assets.tenants.registry.views import UNSET, InternalView
from integration_assets.tenants.registry.words import AuthFlow
from integration_assets.web import connection_tests, field_checks, form_versions, integration_changes
from integration_assets.web.answers import redirect
from integration_assets.web.form_values import (
    EXPIRY_LABEL,
    NO_SECRET,
    below,
    by_labels,
    expiry,
    flat,
    shown_expiry,
    typed,
)
from integration_assets.web.problems import Problem, problem_of, refuse
from integration_assets.web.rendering import render
from integration_assets.web.request_context import Form, RequestContext

PATH = "/settings/internal"
FLOWS: Mapping[AuthFlow, str] = {
    AuthFlow.NONE: "No authentication",
    AuthFlow.BASIC: "User name and password",
    AuthFlow.HEADER: "A header with a key",
    AuthFlow.BEARER: "Bearer token",
    AuthFlow.OAUTH2: "OAuth 2 client credentials",
}
PAGINGS: Mapping[Paging, str] = {
    Paging.NONE: "All rows at once",
    Paging.PAGE: "Page number",
    Paging.OFFSET: "Offset",
    Paging.CURSOR: "Cursor in the answer",
    Paging.NEXT_LINK: "Link to the next page in the answer",
}
MAPPED: Mapping[str, tuple[str, str]] = {
    "row_id": ("Row id", "What makes a row unique."),
    "company_id": ("Company id", "The id of the company in the CRM. This or the domain is needed."),
    "domain": ("Domain", "The company's domain."),
    "arr": ("ARR", "Recurring revenue, a number; below, what it is in, and for which period."),
    "currency": ("Currency", "Three letters, as in EUR."),
}
UNITS: Mapping[Unit, str] = {
    Unit.WHOLE: "the currency itself (1,200.50)",
    Unit.CENTS: "cents, or its smallest unit (120050)",
}
FIGURE_PERIODS: Mapping[Period, str] = {
    Period.YEAR: "a year",
    Period.QUARTER: "a quarter",
    Period.MONTH: "a month",
}
FIGURE = {"mappings.arr.unit": "The figure is in", "mappings.arr.period": "It is for"}
LABELS: Mapping[str, str] = {
    "name": "Name",
    "base_url": "Address",
    "auth_flow": "Flow",
    "auth.username": "User name",
    "auth.header_name": "Name of the header",
    "auth.token_url": "Token address",
    "auth.client_id": "Client id",
    "auth.scope": "Scope",
    "auth.audience": "Audience",
    "secret": "Password, key, token or client secret",
    "expires_at": EXPIRY_LABEL,
}
ENDPOINT_LABELS: Mapping[str, str] = {
    "path": "Path",
    "method": "Method",
    "items": "Where the rows stand",
    "paging": "Paging",
    "page_size": "Rows per page",
    "size_param": "Parameter of the page size",
    "position_param": "Parameter of the position",
    "first_page": "Number of the first page",
    "next": "Where the cursor or link stands",
    "more": "Where it says that there is more",
    "params": "Further parameters",
}
ENTER_AGAIN = "The secret was used for the preview and is not kept: enter it again to add the system."
PLAIN_FIELDS = ("path", "method", "items", "paging", "size_param", "position_param", "next", "more")
NUMBERS = ("page_size", "first_page")
MOST_ENDPOINT_FORMS = 10


def overview(context: RequestContext) -> Response:
    """The tab: all internal systems."""
    return render(context, "internal.html", integrations=integration_changes.integrations(context)[1], flows=FLOWS)


def new(context: RequestContext) -> Response:
    """An empty form, or one that is filled for a billing system."""
    preset = PRESETS.get(context.query("preset"))
    if preset is None:
        return _form(context, None, {"auth_flow": AuthFlow.BEARER.value, "endpoints.0.method": "GET"}, {})
    values = {"name": preset.label, "base_url": preset.base_url, "auth_flow": preset.auth_flow}
    values |= _described_values([preset.endpoint], preset.mappings)
    return _form(context, None, values, {}, hints=preset.hints)


def create(context: RequestContext) -> Response:
    """Make one of what was typed, or show it again."""
    errors: dict[str, str] = {}
    try:
        values = _described(context.form, errors)
        secret = context.form.raw("secret") or None
        view = integration_changes.add_internal(context, NewInternal(secret=secret, **values), errors)
    except (Problem, IntegrationError) as error:
        return _again(context, None, error)
    return redirect(f"{PATH}/{view.id}?done=added")


def edit(context: RequestContext) -> Response:
    """One of them, to be changed."""
    view = integration_changes.internal(context, context.path("record_id"))
    return _form(context, view, _values(view), {})


def save(context: RequestContext) -> Response:
    """Change one to what was typed, or show it again."""
    view = integration_changes.internal(context, context.path("record_id"))
    errors: dict[str, str] = {}
    try:
        values = _described(context.form, errors)
        # A field emptied on the page is not sent: without this it would be kept instead of cleared.
        values["auth"] = {**dict.fromkeys(view.auth), **values["auth"]}
        values["mappings"] = {**dict.fromkeys(view.mappings), **values["mappings"]}
        # Fields of the former flow have no meaning in the new one, and a null of them would be refused as unknown.
        if view.auth_flow is not values["auth_flow"]:
            values["auth"] = {name: value for name, value in values["auth"].items() if value is not None}
        changes = InternalChanges(secret=context.form.raw("secret") or UNSET, **values)
        integration_changes.change_internal(context, view.id, changes, errors, _as_seen(context))
    except (Problem, IntegrationError) as error:
        return _again(context, view, error)
    return redirect(f"{PATH}/{view.id}?done=saved")


def rotate(context: RequestContext) -> Response:
    """Put a new secret in the place of the stored one."""
    view = integration_changes.internal(context, context.path("record_id"))
    errors: dict[str, str] = {}
    dates = expiry(context.form, errors)
    try:
        if not context.form.raw("secret"):
            errors |= NO_SECRET
        refuse(errors)
        changes = InternalChanges(secret=context.form.raw("secret"), **dates)
        integration_changes.change_internal(context, view.id, changes, check=_as_seen(context, rotating=True))
    except (Problem, IntegrationError) as error:
        return _again(context, view, error, rotating=True)
    return redirect(f"{PATH}/{view.id}?done=rotated")


def switch(*, enabled: bool) -> Callable[[RequestContext], Response]:
    """Enable or disable one."""

    def handler(context: RequestContext) -> Response:
        view = integration_changes.change_internal(context, context.path("record_id"), InternalChanges(enabled=enabled))
        return redirect(f"{PATH}/{view.id}?done={'enabled' if enabled else 'disabled'}")

    return handler


def check_connection(context: RequestContext) -> Response:
    """Test the connection as it is stored."""
    view = integration_changes.internal(context, context.path("record_id"))
    outcome, _ = connection_tests.check_internal(context, view.id)
    return redirect(f"{PATH}/{view.id}?tested={outcome}")


def preview(context: RequestContext) -> Response:
    """The first rows as what is typed would read them; nothing is saved. Address and secret are the stored ones."""
    view = integration_changes.internal(context, context.path("record_id"))
    errors: dict[str, str] = {}
    endpoints, mappings = _endpoints(context.form, errors), _mappings(context.form)
    try:
        field_checks.refuse_wrong(field_checks.description_checks(endpoints, mappings), errors)
        said, rows = connection_tests.preview(context, view.id, endpoints, mappings)
    except (Problem, IntegrationError) as error:
        return _again(context, view, error)
    return _form(context, view, typed(context.form), {}, tested=said, preview=rows)


def preview_new(context: RequestContext) -> Response:
    """The first rows of a system that is not saved yet; nothing is saved, and the secret is not kept."""
    errors: dict[str, str] = {}
    try:
        values = _described(context.form, errors)
        wanted = NewInternal(secret=context.form.raw("secret") or None, **values)
        said, rows = connection_tests.preview_new(context, wanted, errors)
    except (Problem, IntegrationError) as error:
        return _again(context, None, error)
    hints = (ENTER_AGAIN,) if wanted.secret else ()
    return _form(context, None, typed(context.form), {}, tested=said, preview=rows, hints=hints)


def ask_delete(context: RequestContext) -> Response:
    """Ask before deleting."""
    view = integration_changes.internal(context, context.path("record_id"))
    return render(context, "delete.html", name=view.name, path_of=f"{PATH}/{view.id}", tab="internal")


def delete(context: RequestContext) -> Response:
    """Delete one with its secret."""
    integration_changes.remove_internal(context, context.path("record_id"))
    return redirect(f"{PATH}?done=deleted")


# -- form and values


def _described(form: Form, errors: dict[str, str]) -> dict[str, Any]:
    """All fields but the secret."""
    flow = form.text("auth_flow")
    if flow not in list(AuthFlow):
        errors["auth_flow"] = "choose one"
        flow = AuthFlow.NONE.value
    required, optional = auth_fields(AuthFlow(flow))
    auth = below(form, "auth")
    return {
        "name": form.raw("name"),
        "base_url": form.text("base_url"),
        "auth_flow": AuthFlow(flow),
        # Fields of other flows may be filled in on the page and mean nothing here.
        "auth": {name: auth[name] for name in (*required, *optional) if auth.get(name)},
        "endpoints": _endpoints(form, errors),
        "mappings": _mappings(form),
        **expiry(form, errors),
    }


def _endpoints(form: Form, errors: dict[str, str]) -> list[dict[str, Any]]:
    """The endpoints that have a path or anything else typed into them."""
    found: list[dict[str, Any]] = []
    for number in range(MOST_ENDPOINT_FORMS + 1):
        values = below(form, f"endpoints.{number}")
        # Empty forms below a used one are skipped; an empty first one is kept, so that its message has a place.
        if not values.get("path") and not values.get("items") and (found or number != 0):
            continue
        endpoint: dict[str, Any] = {name: values[name] for name in PLAIN_FIELDS if values.get(name)}
        endpoint.setdefault("path", "")
        place = f"endpoints.{len(found)}"
        for name in NUMBERS:
            if values.get(name):
                endpoint[name] = _number(values[name], f"{place}.{name}", errors)
        if params := _params(values.get("params", ""), f"{place}.params", errors):
            endpoint["params"] = params
        found.append(endpoint)
    return found


def _number(text: str, field: str, errors: dict[str, str]) -> int:
    # `isdigit` alone takes digits of every script; the length keeps a number of a million digits from being parsed.
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        errors[field] = "must be a whole number"
        return 1
    return int(text)


def _params(text: str, field: str, errors: dict[str, str]) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    if any(not equals or not name.strip() for name, equals, _ in pairs):
        errors[field] = "write one name=value in each line"
    return {name.strip(): value.strip() for name, _, value in pairs}


def _mappings(form: Form) -> dict[str, Any]:
    mappings: dict[str, Any] = {}
    for name in FIELDS:
        path, default = form.text(f"mappings.{name}"), form.text(f"mappings.{name}.default")
        usual = {"unit": Unit.WHOLE.value, "period": Period.YEAR.value}
        made_of = {part: form.text(f"mappings.{name}.{part}") or usual[part] for part in usual}
        # The usual choices are left out, as they are where nobody has chosen.
        made_of = {part: chosen for part, chosen in made_of.items() if chosen != usual[part]}
        if default or (made_of and path):
            mappings[name] = {"path": path or None, **({"default": default} if default else {}), **made_of}
        elif path:
            mappings[name] = path
    return mappings


def _values(view: InternalView) -> dict[str, str]:
    values = {
        "name": view.name,
        "base_url": view.base_url,
        "auth_flow": view.auth_flow.value,
        **flat("auth", view.auth),
        **shown_expiry(view.secret),
    }
    return values | _described_values(view.endpoints, view.mappings)


def _described_values(endpoints: Sequence[Mapping[str, Any]], mappings: Mapping[str, Any]) -> dict[str, str]:
    """Endpoints and mappings as the fields of the form."""
    values: dict[str, str] = {}
    for number, endpoint in enumerate(endpoints):
        params = endpoint.get("params") or {}
        shown = {**endpoint, "params": "\n".join(f"{name}={value}" for name, value in params.items())}
        values |= flat(f"endpoints.{number}", shown)
    for name, mapping in mappings.items():
        if isinstance(mapping, Mapping):
            values[f"mappings.{name}"] = str(mapping.get("path") or "")
            values |= {
                f"mappings.{name}.{part}": str(mapping.get(part) or "") for part in ("default", "unit", "period")
            }
        else:
            values[f"mappings.{name}"] = str(mapping)
    return values


def _labels(*, rotating: bool) -> dict[str, str]:
    """Labels of the form's fields, as messages call them."""
    endpoints = {
        f"endpoints.{number}.{field}": f"Endpoint {number + 1}: {label}" if number else label
        for number in range(MOST_ENDPOINT_FORMS)
        for field, label in ENDPOINT_LABELS.items()
    }
    mapped = {f"mappings.{name}": label for name, (label, _) in MAPPED.items()}
    otherwise = {f"{field}.default": f"{label}, otherwise" for field, label in mapped.items()}
    rotated = {"secret": "New secret"} if rotating else {}
    return {**LABELS, **FIGURE, **endpoints, **mapped, **otherwise, **form_versions.LABEL, **rotated}


def _as_seen(context: RequestContext, *, rotating: bool = False) -> Callable[[InternalView], None]:
    def check(view: InternalView) -> None:
        form_versions.check_version(context.form, _values(view), view.secret, _labels(rotating=rotating))

    return check


def _again(
    context: RequestContext, view: InternalView | None, error: Problem | IntegrationError, *, rotating: bool = False
) -> Response:
    problem = error if isinstance(error, Problem) else problem_of(error)
    # Not about fields: the form could not say it, so the page of the error does.
    if not problem.errors:
        raise error
    if view is not None and form_versions.FIELD in problem.errors:
        view = integration_changes.internal(context, view.id)
    values = typed(context.form) if view is None or not rotating else {**_values(view), **typed(context.form)}
    return _form(context, view, values, problem.errors, problem.status, rotating=rotating)


def _form(
    context: RequestContext,
    view: InternalView | None,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = HTTPStatus.OK,
    *,
    rotating: bool = False,
    **more: Any,
) -> Response:
    outcome, labels = context.query("tested"), _labels(rotating=rotating)
    # One empty form more than are used, so that another endpoint can be added.
    numbers = [number for number in range(MOST_ENDPOINT_FORMS) if values.get(f"endpoints.{number}.path")]
    return render(
        context,
        "internal_form.html",
        status,
        view=view,
        version=form_versions.shown_version(context.form, _values(view), view.secret, errors) if view else "",
        values=Form(dict(values)),
        # In messages a field may stand by its short name.
        errors=by_labels(errors, {**labels, **{name: f"“{label}”" for name, (label, _) in MAPPED.items()}}),
        labels=labels,
        endpoint_labels=ENDPOINT_LABELS,
        rotating=rotating,
        flows=FLOWS,
        pagings=PAGINGS,
        mapped=MAPPED,
        units=UNITS,
        periods=FIGURE_PERIODS,
        presets=PRESETS,
        endpoints=min(max(numbers, default=-1) + 2, MOST_ENDPOINT_FORMS),
        title=view.name if view else "Add an internal system",
        **{
            "tested": (outcome, MEANINGS[Tried(outcome)]) if outcome in list(Tried) else None,
            "preview": None,
            "hints": (),
            **more,
        },
    )
