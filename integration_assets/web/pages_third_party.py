"""Settings, first tab: keys and tokens of services of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.responses import Response

from integration_assets.errors import IntegrationError
from integration_assets.providers import PROVIDERS
from integration_assets.tenants.outcomes import MEANINGS
from integration_assets.tenants.outcomes import Outcome as Tried
from integration_assets.tenants.registry.changes import NewThirdParty, ThirdPartyChanges
from integration_assets.tenants.registry.providers import scopes_of, usual_address
from integration_assets.tenants.registry.views import UNSET, ThirdPartyView
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets.web import form_versions, integration_changes, table_form
from integration_assets.web.answers import redirect
from integration_assets.web.connection_tests import check_third_party
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

PATH = "/settings/third-party"
_NEEDED = "enter it: nothing can be read or written without"
SCOPES: Mapping[Scope, str] = {
    Scope.SANDBOX: "sandbox",
    Scope.PRODUCTION: "production",
    Scope.ANY: "both environments",
}


def overview(context: RequestContext) -> Response:
    """The tab: all third-party integrations, and what may be added."""
    found = integration_changes.integrations(context)[0]
    return render(context, "third_party.html", integrations=found, providers=PROVIDERS)


def new(context: RequestContext) -> Response:
    """An empty form for one provider."""
    provider = _provider(context.query("provider"))
    values = {"environment": scopes_of(provider)[0].value, "base_url": usual_address(provider)}
    return _form(context, provider, None, values, {})


def create(context: RequestContext) -> Response:
    """Make one of what was typed, or show it again."""
    form, errors = context.form, dict[str, str]()
    provider = _provider(form.text("provider"))
    dates = expiry(form, errors)
    errors |= _missing(provider, form, has_secret=False)
    environment = form.text("environment")
    # Collected, not raised: the page shows it beside all other messages.
    if environment not in list(Scope):
        errors["environment"] = "choose one"
    try:
        wanted = NewThirdParty(
            provider=provider,
            environment=Scope(environment) if "environment" not in errors else scopes_of(provider)[0],
            secret=form.raw("secret") or None,
            base_url=form.text("base_url") or None,
            settings=below(form, "settings"),
            **dates,
        )
        view = integration_changes.add_third_party(context, wanted, errors)
    except (Problem, IntegrationError) as error:
        return _again(context, provider, None, error)
    return redirect(f"{PATH}/{view.id}?done=added")


def edit(context: RequestContext) -> Response:
    """One of them, to be changed."""
    view = integration_changes.third_party(context, context.path("record_id"))
    return _form(context, view.provider, view, _values(view), {})


def save(context: RequestContext) -> Response:
    """Change one to what was typed, or show it again."""
    form, errors = context.form, dict[str, str]()
    view = integration_changes.third_party(context, context.path("record_id"))
    dates = expiry(form, errors)
    errors |= _missing(view.provider, form, has_secret=view.secret.is_set)
    known = [setting.name for setting in PROVIDERS[view.provider].settings]
    given = below(form, "settings")
    try:
        changes = ThirdPartyChanges(
            base_url=form.text("base_url") or usual_address(view.provider) or UNSET,
            secret=form.raw("secret") or UNSET,
            # A field emptied on the page clears the setting: the form always shows all of them.
            settings={**given, **{name: given.get(name) or None for name in known}},
            **dates,
        )
        integration_changes.change_third_party(context, view.id, changes, errors, _as_seen(context))
    except (Problem, IntegrationError) as error:
        return _again(context, view.provider, view, error)
    return redirect(f"{PATH}/{view.id}?done=saved")


def rotate(context: RequestContext) -> Response:
    """Put a new secret in the place of the stored one."""
    form, errors = context.form, dict[str, str]()
    view = integration_changes.third_party(context, context.path("record_id"))
    dates = expiry(form, errors)
    try:
        # An empty field keeps the secret when saving; here it would look like a rotation that was none.
        if not form.raw("secret"):
            errors |= NO_SECRET
        refuse(errors)
        changes = ThirdPartyChanges(secret=form.raw("secret"), **dates)
        integration_changes.change_third_party(context, view.id, changes, check=_as_seen(context, rotating=True))
    except (Problem, IntegrationError) as error:
        return _again(context, view.provider, view, error, rotating=True)
    return redirect(f"{PATH}/{view.id}?done=rotated")


def switch(*, enabled: bool) -> Callable[[RequestContext], Response]:
    """Enable or disable one."""

    def handler(context: RequestContext) -> Response:
        view = integration_changes.change_third_party(
            context, context.path("record_id"), ThirdPartyChanges(enabled=enabled)
        )
        return redirect(f"{PATH}/{view.id}?done={'enabled' if enabled else 'disabled'}")

    return handler


def check_connection(context: RequestContext) -> Response:
    """Test the connection as it is stored."""
    view = integration_changes.third_party(context, context.path("record_id"))
    outcome, _ = check_third_party(context, view.id)
    return redirect(f"{PATH}/{view.id}?tested={outcome}")


def ask_delete(context: RequestContext) -> Response:
    """Ask before deleting."""
    view = integration_changes.third_party(context, context.path("record_id"))
    return render(context, "delete.html", name=_title(view), path_of=f"{PATH}/{view.id}", tab="third-party")


def delete(context: RequestContext) -> Response:
    """Delete one with its secret."""
    integration_changes.remove_third_party(context, context.path("record_id"))
    return redirect(f"{PATH}?done=deleted")


def _provider(text: str) -> Provider:
    # The address may hold anything.
    if text not in list(Provider):
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such provider.")
    return Provider(text)


def _missing(provider: Provider, form: Form, *, has_secret: bool) -> dict[str, str]:
    """Messages for what nothing can be read or written without, where the form leaves it out."""
    spec, missing = PROVIDERS[provider], {}
    if spec.secret is not None and not has_secret and not form.raw("secret"):
        missing["secret"] = _NEEDED
    for setting in spec.settings:
        if setting.needed and not form.text(f"settings.{setting.name}"):
            missing[f"settings.{setting.name}"] = _NEEDED
    return missing


def _labels(provider: Provider, *, rotating: bool) -> dict[str, str]:
    """Labels of the form's fields, as messages call them."""
    spec = PROVIDERS[provider]
    secret = _secret_label(provider) or ""
    return {
        "environment": "For",
        "base_url": "Address",
        "secret": f"New {secret}" if rotating else secret[:1].upper() + secret[1:],
        "expires_at": EXPIRY_LABEL,
        **form_versions.LABEL,
        **{f"settings.{setting.name}": setting.label for setting in spec.settings},
    }


def _secret_label(provider: Provider) -> str | None:
    secret = PROVIDERS[provider].secret
    return None if secret is None else secret.label


def _as_seen(context: RequestContext, *, rotating: bool = False) -> Callable[[ThirdPartyView], None]:
    def check(view: ThirdPartyView) -> None:
        labels = _labels(view.provider, rotating=rotating)
        form_versions.check_version(context.form, _values(view), view.secret, labels)

    return check


def _again(
    context: RequestContext,
    provider: Provider,
    view: ThirdPartyView | None,
    error: Problem | IntegrationError,
    *,
    rotating: bool = False,
) -> Response:
    problem = error if isinstance(error, Problem) else problem_of(error)
    if not problem.errors:
        raise error
    if view is not None and form_versions.FIELD in problem.errors:
        view = integration_changes.third_party(context, view.id)
    # The form of a rotation has few fields: the others are shown as they are stored.
    values = typed(context.form) if view is None or not rotating else {**_values(view), **typed(context.form)}
    return _form(context, provider, view, values, problem.errors, problem.status, rotating=rotating)


def _form(
    context: RequestContext,
    provider: Provider,
    view: ThirdPartyView | None,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = HTTPStatus.OK,
    *,
    rotating: bool = False,
) -> Response:
    outcome, labels = context.query("tested"), _labels(provider, rotating=rotating)
    return render(
        context,
        "third_party_form.html",
        status,
        view=view,
        version=form_versions.shown_version(context.form, _values(view), view.secret, errors) if view else "",
        provider=provider,
        spec=PROVIDERS[provider],
        secret_name=_secret_label(provider),
        labels=labels,
        scopes=[(scope.value, SCOPES[scope]) for scope in scopes_of(provider)],
        values=Form(dict(values)),
        errors=by_labels(errors, labels),
        rotating=rotating,
        columns=table_form.PATH if provider.value == table_form.PROVIDER else None,
        title=_title(view) if view else f"Add {PROVIDERS[provider].label}",
        tested=(outcome, MEANINGS[Tried(outcome)]) if outcome in list(Tried) else None,
    )


def _values(view: ThirdPartyView) -> dict[str, str]:
    return {
        "environment": view.environment.value,
        "base_url": view.base_url,
        **flat("settings", view.settings),
        **shown_expiry(view.secret),
    }


def _title(view: ThirdPartyView) -> str:
    return f"{PROVIDERS[view.provider].label}, {SCOPES[view.environment]}"
