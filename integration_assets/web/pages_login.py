"""Logging in and out, choosing a tenant (operators) and an environment, one's own sessions, the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from integration_assets.config import Environment
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.login import ABSOLUTE, NewSession, log_in, log_out, log_out_everywhere
from integration_assets.tenants.registry.passwords import LONGEST
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.words import Role
from integration_assets.web.answers import empty_response, redirect
from integration_assets.web.attempt_limits import TooManyAttemptsError
from integration_assets.web.endpoints import caller_address, is_same_origin, read_form
from integration_assets.web.problems import Problem
from integration_assets.web.rendering import render, render_login
from integration_assets.web.request_context import ENVIRONMENT_COOKIE, TENANT_COOKIE, RequestContext
from integration_assets.web.site import Site, site_of

SET = "The password is set, and every session of before has ended. Log in with it."
REFUSED = "Login and password do not belong together."
"""Whichever is wrong, or both."""
LONGEST_LOGIN = 200
MOST_HASHES_WAITING = 20
T = TypeVar("T")


@dataclass
class HashingLane:
    """Passwords that are checked side by side: each takes a fifth of a second and 64 MiB. The others wait."""

    at_once: CapacityLimiter
    inside: int = 0
    """Logins that are checked or wait."""

    @property
    def full(self) -> bool:
        """True if as many wait as can be answered within seconds."""
        return self.inside >= self.at_once.total_tokens + MOST_HASHES_WAITING

    async def run(self, work: Callable[[], T]) -> T:
        """Do work that hashes, in a thread, when it is its turn.

        Raises:
            TooManyAttemptsError: as many wait as can be answered within seconds.
        """
        # Refused at once: each that waits holds 64 MiB when its turn comes, and nobody waits for minutes.
        if self.full:
            raise TooManyAttemptsError(HASHES_WAIT_SECONDS)
        # Counted before the first await: the limiter counts who waits a turn of the event loop later, and would let in
        # everybody of a crowd that arrives within that turn.
        self.inside += 1
        try:
            return await to_thread.run_sync(work, limiter=self.at_once)
        finally:
            self.inside -= 1


STRANGERS, KNOWN_BROWSERS = HashingLane(CapacityLimiter(2)), HashingLane(CapacityLimiter(1))
"""Browsers that somebody has logged in with before do not queue behind strangers."""
HASHES_WAIT_SECONDS = 5
DEVICE_KNOWN = timedelta(days=90)
HOME = "/requests"


async def login_page(request: Request) -> Response:
    """The form."""
    # By a word of ours: text of the address on the page would let a link speak in our name.
    return render_login(request, error="", login="", said=SET if request.query_params.get("done") == "password" else "")


async def login(request: Request) -> Response:
    """Begin a session. Too many tries wait, then are sent away for a few seconds; nobody is locked out.

    What a stranger typed is shortened and counted before any work is done for it, and no list keeps it: no line of
    the log holds it in the first place.
    """
    # Otherwise a page of others could log a browser in as its own user, and watch what is typed there.
    if not is_same_origin(request):
        return empty_response(HTTPStatus.FORBIDDEN)
    try:
        form = await read_form(request)
    except Problem as problem:
        return empty_response(problem.status)
    # Cut before anything else is done with it: hashing a password of megabytes would be the attack.
    name, password = form.text("login")[: LONGEST_LOGIN + 1].lower(), form.raw("password")[: LONGEST + 1]
    site = site_of(request)
    address = caller_address(request)
    device = site.logins.known_device(name, request.cookies.get(site.device_cookie, ""))
    try:
        await site.logins.wait(account=name, address=address, device=device)
        session = await _checked(request, name, password, known=device is not None)
    except TooManyAttemptsError as error:
        answer = render_login(request, HTTPStatus.TOO_MANY_REQUESTS, error=f"{error}.".capitalize(), login=name)
        answer.headers["retry-after"] = str(error.seconds)
        return answer
    # One message for a wrong name and a wrong password: it must not tell which logins exist.
    if session is None:
        return render_login(request, HTTPStatus.UNAUTHORIZED, error=REFUSED, login=name)
    # Only after the right password: before it, an attacker could reset the counters with a name alone.
    await to_thread.run_sync(lambda: site.logins.succeeded(account=name, address=address, device=device))
    # What this browser had is over: whoever put it there, or left it, does not go on beside the new session.
    if before := request.cookies.get(site.cookie):
        await to_thread.run_sync(log_out, site.registry, before)
    entered = redirect(HOME)
    _set_cookie(entered, site, site.cookie, session.token)
    # A browser that is known keeps its cookie, and with it its own counters.
    if device is None:
        _set_cookie(entered, site, site.device_cookie, site.logins.new_device(name), DEVICE_KNOWN)
    return entered


async def _checked(request: Request, name: str, password: str, *, known: bool) -> NewSession | None:
    """The session of somebody whose password is right. Strangers wait for each other, and not without end.

    Raises:
        TooManyAttemptsError: as many wait as can be answered within seconds.
    """
    # A name that no user can have takes the same way, and the same time, as one nobody has.
    login = name if name.isprintable() and len(name) <= LONGEST_LOGIN else ""
    # Two lanes: a flood of strangers fills its own and leaves people with a known browser a free one.
    lane = KNOWN_BROWSERS if known else STRANGERS
    request_id = request.scope["request_id"]
    return await lane.run(lambda: log_in(site_of(request).registry, login, password, request_id=request_id))


def logout(context: RequestContext) -> Response:
    """End this session."""
    log_out(context.registry, context.token)
    return session_over(context)


def logout_everywhere(context: RequestContext) -> Response:
    """End all sessions of this user."""
    log_out_everywhere(context.registry, context.who.user_id)
    return session_over(context)


def tenants(context: RequestContext) -> Response:
    """An operator's list of tenants. For anybody else there is no such page."""
    _operators_only(context)
    with directory(context.registry, context.actor) as found:
        return render(context, "tenants.html", tenants=found.tenants())


def choose_tenant(context: RequestContext) -> Response:
    """An operator looks at a tenant."""
    _operators_only(context)
    # Looked up before the cookie is set: a cookie never names a tenant that does not exist.
    with directory(context.registry, context.actor) as found:
        tenant = found.tenant(context.form.text("tenant"))
    answer = redirect(HOME)
    _set_cookie(answer, context.site, TENANT_COOKIE, tenant.slug)
    return answer


def choose_environment(context: RequestContext) -> Response:
    """Look at what runs of the other environment found."""
    wanted = context.form.text("environment")
    if wanted not in list(Environment):
        raise Problem(HTTPStatus.BAD_REQUEST, "There is no such environment.")
    answer = redirect(HOME)
    _set_cookie(answer, context.site, ENVIRONMENT_COOKIE, wanted)
    return answer


def audit_trail(context: RequestContext) -> Response:
    """Show who did what, newest first."""
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        return render(context, "audit.html", entries=repository.audit_trail(limit=200))


def _operators_only(context: RequestContext) -> None:
    # Not found, not forbidden: to a tenant's admin other tenants do not exist.
    if context.who.role is not Role.OPERATOR:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such thing here, or no longer.")


def session_over(context: RequestContext, page: str = "/login") -> Response:
    """Go to a page without a session, and take the cookies of this one away."""
    answer = redirect(page)
    for name in (context.site.cookie, TENANT_COOKIE, ENVIRONMENT_COOKIE):
        # With the attributes it was set with: browsers keep a `__Host-` cookie otherwise.
        answer.delete_cookie(name, secure=context.site.is_secure, httponly=True, samesite="lax")
    return answer


def _set_cookie(answer: Response, site: Site, name: str, value: str, kept: timedelta = ABSOLUTE) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=int(kept.total_seconds()),
        secure=site.is_secure,
        httponly=True,
        samesite="lax",
        path="/",
    )
