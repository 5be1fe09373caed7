"""All routes in two tables: with a registry, and without one. Those of `OPEN`, or `LOCAL_OPEN`, need no session."""

from __future__ import annotations

from starlette.routing import Route

from integration_assets.reporting.exports import MEDIA_TYPES
from integration_assets.web import (
    api,
    api_rankings,
    openapi,
    pages_choices,
    pages_insights,
    pages_internal,
    pages_local,
    pages_login,
    pages_password,
    pages_runs,
    pages_starting,
    pages_table,
    pages_third_party,
    pages_unresolved,
    table_form,
)
from integration_assets.web.answers import redirect
from integration_assets.web.endpoints import Endpoint, call, form, page
from integration_assets.web.kept_pages import kept
from integration_assets.web.monitoring import metrics, ready
from integration_assets.web.open_pages import STATIC, health, security_txt, static_file

_FOR_ANYBODY: tuple[Route, ...] = (
    Route("/health", health, methods=["GET"]),
    Route("/.well-known/security.txt", security_txt, methods=["GET"]),
    *(Route(f"/static/{name}", static_file(name), methods=["GET"]) for name in STATIC),
)
OPEN: tuple[Route, ...] = (
    Route("/login", pages_login.login_page, methods=["GET"]),
    Route("/login", pages_login.login, methods=["POST"]),
    Route(pages_password.PATH, pages_password.password_page, methods=["GET"]),
    Route(pages_password.PATH, pages_password.use_link, methods=["POST"]),
    Route("/ready", ready, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
    *_FOR_ANYBODY,
)


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["GET"])


def _post(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["POST"])


_HOME = _get("/", page(lambda _: redirect(pages_login.HOME), of_tenant=False))
_ENVIRONMENT = _post("/environment", form(pages_login.choose_environment, of_tenant=False))
_ACCOUNT: tuple[Route, ...] = (
    _HOME,
    _post("/logout", form(pages_login.logout, of_tenant=False)),
    _post("/logout-everywhere", form(pages_login.logout_everywhere, of_tenant=False)),
    _get("/account", page(pages_password.account, of_tenant=False)),
    _post("/account/password", form(pages_password.change, of_tenant=False)),
    _get("/tenants", page(pages_login.tenants, of_tenant=False)),
    _post("/tenants", form(pages_login.choose_tenant, of_tenant=False)),
    _ENVIRONMENT,
    _get("/audit-trail", page(pages_login.audit_trail)),
)
_SHOWN: tuple[Route, ...] = (
    _get("/requests", page(kept(pages_insights.requests))),
    *(_get(f"/requests.{kind}", page(pages_insights.download(kind))) for kind in MEDIA_TYPES),
    _get("/requests/{request_id}", page(kept(pages_insights.request))),
    _get("/segments", page(kept(pages_insights.segments))),
    _get("/companies", page(kept(pages_insights.companies))),
    _get("/companies/{company_id}", page(kept(pages_insights.company))),
    _get("/unresolved", page(pages_unresolved.unresolved)),
    _get("/runs", page(pages_runs.runs)),
    _get("/runs/{run_id}", page(pages_runs.run)),
    _get("/runs/{run_id}/plan.csv", page(pages_runs.plan_file)),
    _get(api_rankings.RANKING, call(api_rankings.ranking)),
    _get(api_rankings.COMPANY, call(api_rankings.company_requests)),
)
"""Pages of what runs found. They change nothing, and need no registry."""
_INSIGHTS: tuple[Route, ...] = (
    *_SHOWN,
    _post("/unresolved/map", form(pages_unresolved.add_mapping)),
    _post("/unresolved/unmap", form(pages_unresolved.remove_mapping)),
    _post("/runs/{run_id}/approve", form(pages_runs.approve)),
    _post("/runs/{run_id}/undo-plan", form(pages_starting.plan_undo)),
    _post("/runs/{run_id}/undo", form(pages_starting.start_undo)),
    _post("/runs/start", form(pages_starting.start)),
    _post("/runs/withdraw", form(pages_starting.withdraw_request)),
    _post("/runs/let-go", form(pages_starting.let_go_of)),
    _get("/setup", page(pages_starting.setup)),
    _post("/setup", form(pages_starting.start_setup)),
    _post("/setup/show", form(pages_starting.show)),
)


_THIRD, _INTERNAL = pages_third_party.PATH, pages_internal.PATH
_THIRD_PARTY: tuple[Route, ...] = (
    _get("/settings", page(lambda _: redirect(_THIRD))),
    _get(_THIRD, page(pages_third_party.overview)),
    _get(f"{_THIRD}/new", page(pages_third_party.new)),
    _post(f"{_THIRD}/new", form(pages_third_party.create)),
    _get(table_form.PATH, page(pages_table.choose)),
    _post(table_form.PATH, form(pages_table.work)),
    _get(f"{_THIRD}/{{record_id}}", page(pages_third_party.edit)),
    _post(f"{_THIRD}/{{record_id}}", form(pages_third_party.save)),
    _post(f"{_THIRD}/{{record_id}}/rotate", form(pages_third_party.rotate)),
    _post(f"{_THIRD}/{{record_id}}/test", form(pages_third_party.check_connection)),
    _post(f"{_THIRD}/{{record_id}}/enable", form(pages_third_party.switch(enabled=True))),
    _post(f"{_THIRD}/{{record_id}}/disable", form(pages_third_party.switch(enabled=False))),
    _get(f"{_THIRD}/{{record_id}}/delete", page(pages_third_party.ask_delete)),
    _post(f"{_THIRD}/{{record_id}}/delete", form(pages_third_party.delete)),
)
_CHOICES: tuple[Route, ...] = (
    _get(pages_choices.PATH, page(pages_choices.show)),
    _post(pages_choices.PATH, form(pages_choices.save)),
)
_INTERNAL_SYSTEMS: tuple[Route, ...] = (
    _get(_INTERNAL, page(pages_internal.overview)),
    _get(f"{_INTERNAL}/new", page(pages_internal.new)),
    _post(f"{_INTERNAL}/new", form(pages_internal.create)),
    _post(f"{_INTERNAL}/new/preview", form(pages_internal.preview_new)),
    _get(f"{_INTERNAL}/{{record_id}}", page(pages_internal.edit)),
    _post(f"{_INTERNAL}/{{record_id}}", form(pages_internal.save)),
    _post(f"{_INTERNAL}/{{record_id}}/rotate", form(pages_internal.rotate)),
    _post(f"{_INTERNAL}/{{record_id}}/test", form(pages_internal.check_connection)),
    _post(f"{_INTERNAL}/{{record_id}}/preview", form(pages_internal.preview)),
    _post(f"{_INTERNAL}/{{record_id}}/enable", form(pages_internal.switch(enabled=True))),
    _post(f"{_INTERNAL}/{{record_id}}/disable", form(pages_internal.switch(enabled=False))),
    _get(f"{_INTERNAL}/{{record_id}}/delete", page(pages_internal.ask_delete)),
    _post(f"{_INTERNAL}/{{record_id}}/delete", form(pages_internal.delete)),
)


def _api(method: str, path: str, handler: Endpoint) -> Route:
    return Route(path, handler, methods=[method])


_A, _B = api.THIRD_PARTY, api.INTERNAL
_API: tuple[Route, ...] = (
    _api("GET", "/api/openapi.json", call(openapi.document, of_tenant=False)),
    _api("GET", "/api/session", call(api.session, of_tenant=False)),
    _api("GET", "/api/audit-trail", call(api.audit_trail)),
    _api("GET", _A, call(api.list_third_party)),
    _api("POST", _A, call(api.create_third_party)),
    _api("GET", f"{_A}/{{record_id}}", call(api.read_third_party)),
    _api("PATCH", f"{_A}/{{record_id}}", call(api.update_third_party)),
    _api("DELETE", f"{_A}/{{record_id}}", call(api.delete_third_party)),
    _api("POST", f"{_A}/{{record_id}}/test", call(api.check_third_party_connection)),
    _api("POST", f"{_A}/{{record_id}}/enable", call(api.switch_third_party(enabled=True))),
    _api("POST", f"{_A}/{{record_id}}/disable", call(api.switch_third_party(enabled=False))),
    _api("GET", _B, call(api.list_internal)),
    _api("POST", _B, call(api.create_internal)),
    _api("GET", f"{_B}/{{record_id}}", call(api.read_internal)),
    _api("PATCH", f"{_B}/{{record_id}}", call(api.update_internal)),
    _api("DELETE", f"{_B}/{{record_id}}", call(api.delete_internal)),
    _api("POST", f"{_B}/{{record_id}}/test", call(api.check_internal_connection)),
    _api("POST", f"{_B}/{{record_id}}/enable", call(api.switch_internal(enabled=True))),
    _api("POST", f"{_B}/{{record_id}}/disable", call(api.switch_internal(enabled=False))),
)

ROUTES: tuple[Route, ...] = (*OPEN, *_ACCOUNT, *_INSIGHTS, *_THIRD_PARTY, *_INTERNAL_SYSTEMS, *_CHOICES, *_API)
LOCAL_OPEN: tuple[Route, ...] = (
    Route("/login", pages_local.link_needed, methods=["GET"]),
    Route(pages_local.PATH, pages_local.link_page, methods=["GET"]),
    Route(pages_local.PATH, pages_local.open_link, methods=["POST"]),
    *_FOR_ANYBODY,
)
LOCAL_ROUTES: tuple[Route, ...] = (
    *LOCAL_OPEN,
    _HOME,
    _ENVIRONMENT,
    *_SHOWN,
    _get("/settings", page(pages_local.settings)),
)
"""Without a registry: none of them writes anything but the cookies of the session and of the environment."""
