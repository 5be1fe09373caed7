"""Changing one's own password, and setting one by the link that an operator made."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from anyio import from_thread, to_thread
from starlette.requests import Request
from starlette.responses import Response

from integration_assets.tenants.registry.changes import FieldError
from integration_assets.tenants.registry.login import change_password, open_password_link, use_password_link
from integration_assets.tenants.registry.passwords import LONGEST, SHORTEST
from integration_assets.web.answers import empty_response, redirect
from integration_assets.web.attempt_limits import TooManyAttemptsError
from integration_assets.web.endpoints import caller_address, is_same_origin, read_form
from integration_assets.web.pages_login import KNOWN_BROWSERS, STRANGERS, session_over
from integration_assets.web.problems import Problem
from integration_assets.web.rendering import render, render_password
from integration_assets.web.request_context import Form, RequestContext
from integration_assets.web.site import site_of

PATH = "/password"
TOKEN = "token"  # noqa: S105  # nosec B105  # the name of the field
LONGEST_TOKEN = 100
DONE = "/login?done=password"
LABELS: Mapping[str, str] = {
    "before": "Current password",
    "password": "New password",
    "again": "Repeat the new password",
}
WRONG = "is not the password of this account"
DIFFERENT = "differs from the new password above"
HINT = f"{SHORTEST} to {LONGEST} characters; every session of this account ends."
GONE = (
    "This link was used, has expired, or was replaced by a newer one. Ask whoever operates this installation for "
    "another: `integration-assets tenants user reset` makes it."
)


def account(context: RequestContext) -> Response:
    """Show who is logged in, and the form of a new password."""
    return _account(context, {})


def change(context: RequestContext) -> Response:
    """Give somebody who knows their password another one; all their sessions end, this one too."""
    form, who = context.form, context.who
    errors = _different(form)
    if not form.raw("before"):
        errors["before"] = "enter it"
    if errors:
        return _account(context, errors)
    address, request_id = caller_address(context.request), context.request.scope["request_id"]
    logins = context.site.logins
    device = logins.known_device(who.login, context.request.cookies.get(context.site.device_cookie, ""))

    async def counted() -> bool:
        # As for a login: whoever sits at a browser that was left open must not guess the password here.
        await logins.wait(account=who.login, address=address, device=device)
        before, new = form.raw("before")[: LONGEST + 1], form.raw("password")[: LONGEST + 1]
        return await KNOWN_BROWSERS.run(
            lambda: change_password(context.registry, who.user_id, before, new, request_id=request_id)
        )

    try:
        if not from_thread.run(counted):
            return _account(context, {"before": WRONG})
    except FieldError as error:
        return _account(context, {"password": error.reason})
    except TooManyAttemptsError as error:
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, f"{error}.".capitalize()) from None
    logins.succeeded(account=who.login, address=address, device=device)
    return session_over(context, DONE)


async def password_page(_request: Request) -> Response:
    """Ask for the code of a link.

    It stands in the link's fragment, which browsers send to nobody: in a query it would be in the log of every proxy on
    the way. A script sends it in a form at once; without one, the person copies it.
    """
    return render_password(login=None, gone="")


async def use_link(request: Request) -> Response:
    """Show the form of a link, or set the password of its user by what the form sends: once.

    Looking does not use the link up: programs that follow links in messages do that.
    """
    # As for a login: no page of others may choose somebody's password.
    if not is_same_origin(request):
        return empty_response(HTTPStatus.FORBIDDEN)
    try:
        form = await read_form(request)
    except Problem as problem:
        return empty_response(problem.status)
    token, site = form.text(TOKEN)[:LONGEST_TOKEN], site_of(request)
    if "password" in form.values:
        return await _set_by_link(request, form, token)
    try:
        # By the address alone: a person who looks and then sets has all tries of the link left for setting.
        await site.logins.count({"address": caller_address(request)})
    except TooManyAttemptsError as error:
        return _too_many(error)
    login = await to_thread.run_sync(lambda: open_password_link(site.registry, token))
    if login is None:
        return render_password(HTTPStatus.NOT_FOUND, login=None, gone=GONE)
    return _linked(login, token, {})


async def _set_by_link(request: Request, form: Form, token: str) -> Response:
    site, address, request_id = site_of(request), caller_address(request), request.scope["request_id"]
    login = None
    try:
        # By the token and the address: guesses at many tokens use up the address, and nobody else's tries.
        await site.logins.wait(account=f"link {token}", address=address)
        login = await to_thread.run_sync(lambda: open_password_link(site.registry, token))
        if login is None:
            return render_password(HTTPStatus.NOT_FOUND, login=None, gone=GONE)
        if errors := _different(form):
            return _linked(login, token, errors)
        new = form.raw("password")[: LONGEST + 1]
        used = await STRANGERS.run(lambda: use_password_link(site.registry, token, new, request_id=request_id))
    except FieldError as error:
        return _linked(login or "", token, {"password": error.reason})
    except TooManyAttemptsError as error:
        return _too_many(error)
    return redirect(DONE) if used else render_password(HTTPStatus.NOT_FOUND, login=None, gone=GONE)


def _too_many(error: TooManyAttemptsError) -> Response:
    answer = render_password(HTTPStatus.TOO_MANY_REQUESTS, login=None, gone=f"{error}.".capitalize())
    answer.headers["retry-after"] = str(error.seconds)
    return answer


def _different(form: Form) -> dict[str, str]:
    return {} if form.raw("password") == form.raw("again") else {"again": DIFFERENT}


def _account(context: RequestContext, errors: dict[str, str]) -> Response:
    status = HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK
    return render(context, "account.html", status, errors=errors, labels=LABELS, hint=HINT)


def _linked(login: str, token: str, errors: Mapping[str, str]) -> Response:
    status = HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK
    return render_password(status, login=login, token=token, errors=errors, labels=LABELS, hint=HINT, gone="")
