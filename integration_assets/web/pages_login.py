"""Logging in and out, choosing a tenant (operators) and an environment, one's own sessions, the audit trail."""

from __future__ import annotations

from http import HTTPStatus

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from integration_assets.config import Environment
from integration_assets.connectors.redaction import register
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.login import ABSOLUTE, log_in, log_out, log_out_everywhere
from integration_assets.tenants.registry.passwords import LONGEST
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.words import Role
from integration_assets.web.answers import nothing, see
from integration_assets.web.problems import Problem
from integration_assets.web.rendering import render, render_login
from integration_assets.web.site import Site, site_of
from integration_assets.web.trying import TooManyTriesError
from integration_assets.web.visit import ENVIRONMENT_COOKIE, TENANT_COOKIE, Visit, is_same_origin, read_form

REFUSED = "Login and password do not belong together."
"""Whichever is wrong, or both."""
LONGEST_LOGIN = 200
_hashing = CapacityLimiter(2)
"""Passwords checked at the same time: each takes a fifth of a second and 64 MiB."""
HOME = "/requests"


async def login_page(request: Request) -> Response:
    """The form."""
    return render_login(request, error="", login="")


async def login(request: Request) -> Response:
    """Begin a session. Too many tries wait, then are sent away for a few seconds; nobody is locked out."""
    if not is_same_origin(request):
        return nothing(HTTPStatus.FORBIDDEN)
    try:
        form = await read_form(request)
    except Problem as problem:
        return nothing(problem.status)
    name, password = form.text("login").lower()[: LONGEST_LOGIN + 1], form.raw("password")[: LONGEST + 1]
    register(password)
    site = site_of(request)
    address = request.client.host if request.client else ""
    try:
        await site.logins.wait(account=name, address=address)
    except TooManyTriesError as error:
        answer = render_login(request, HTTPStatus.TOO_MANY_REQUESTS, error=f"{error}.".capitalize(), login=name)
        answer.headers["retry-after"] = str(error.seconds)
        return answer
    # A name that no user can have takes the same way, and the same time, as one nobody has.
    known = name if name.isprintable() and len(name) <= LONGEST_LOGIN else ""

    def begin() -> str | None:
        session = log_in(site.registry, known, password, request_id=request.scope["request_id"])
        return session.token if session else None

    token = await to_thread.run_sync(begin, limiter=_hashing)
    if token is None:
        return render_login(request, HTTPStatus.UNAUTHORIZED, error=REFUSED, login=name)
    entered = see(HOME)
    _set_cookie(entered, site, site.cookie, token)
    return entered


def logout(visit: Visit) -> Response:
    """End this session."""
    log_out(visit.registry, visit.token)
    return _gone(visit)


def logout_everywhere(visit: Visit) -> Response:
    """End all sessions of this user."""
    log_out_everywhere(visit.registry, visit.who.user_id)
    return _gone(visit)


def account(visit: Visit) -> Response:
    """Who one is."""
    return render(visit, "account.html")


def tenants(visit: Visit) -> Response:
    """An operator's list of tenants. For anybody else there is no such page."""
    _operators_only(visit)
    with directory(visit.registry, visit.actor) as found:
        return render(visit, "tenants.html", tenants=found.tenants())


def choose_tenant(visit: Visit) -> Response:
    """An operator looks at a tenant."""
    _operators_only(visit)
    with directory(visit.registry, visit.actor) as found:
        tenant = found.tenant(visit.form.text("tenant"))
    answer = see(HOME)
    _set_cookie(answer, visit.site, TENANT_COOKIE, tenant.slug)
    return answer


def choose_environment(visit: Visit) -> Response:
    """Look at what runs of the other environment found."""
    wanted = visit.form.text("environment")
    if wanted not in list(Environment):
        raise Problem(HTTPStatus.BAD_REQUEST, "There is no such environment.")
    answer = see(HOME)
    _set_cookie(answer, visit.site, ENVIRONMENT_COOKIE, wanted)
    return answer


def audit_trail(visit: Visit) -> Response:
    """Who did what, newest first."""
    with tenant_repository(visit.registry, visit.own.id, visit.actor) as repository:
        return render(visit, "audit.html", entries=repository.audit_trail(limit=200))


def _operators_only(visit: Visit) -> None:
    if visit.who.role is not Role.OPERATOR:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such thing here, or no longer.")


def _gone(visit: Visit) -> Response:
    answer = see("/login")
    for name in (visit.site.cookie, TENANT_COOKIE, ENVIRONMENT_COOKIE):
        answer.delete_cookie(name, secure=visit.site.is_secure, httponly=True, samesite="lax")
    return answer


def _set_cookie(answer: Response, site: Site, name: str, value: str) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=int(ABSOLUTE.total_seconds()),
        secure=site.is_secure,
        httponly=True,
        samesite="lax",
        path="/",
    )
