"""Pages that exist only without a registry: the one-time link, how to get one, and settings, which are elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from integration_assets.web.answers import empty_response, redirect
from integration_assets.web.endpoints import is_same_origin, read_form
from integration_assets.web.one_time_link import SESSION_VALID
from integration_assets.web.pages_login import HOME
from integration_assets.web.problems import Problem
from integration_assets.web.rendering import render, render_link, render_link_needed
from integration_assets.web.request_context import RequestContext
from integration_assets.web.site import site_of

PATH = "/open"
TOKEN = "token"  # noqa: S105  # nosec B105  # the name of the field
LONGEST_TOKEN = 100


async def link_page(_request: Request) -> Response:
    """Ask for the code of the link, which stands in its fragment and so is sent nowhere by itself.

    A script sends it in a form at once; without one, the person copies it.
    """
    return render_link()


async def open_link(request: Request) -> Response:
    """Begin the session, if this is the code of the link that was printed and nobody has used it."""
    site = site_of(request)
    if site.link is None or not is_same_origin(request):
        return empty_response(HTTPStatus.FORBIDDEN)
    try:
        form = await read_form(request)
    except Problem as problem:
        return empty_response(problem.status)
    session = site.link.open(form.text(TOKEN)[:LONGEST_TOKEN], datetime.now(UTC))
    if session is None:
        return render_link_needed(HTTPStatus.UNAUTHORIZED)
    answer = redirect(HOME)
    answer.set_cookie(
        site.cookie,
        session,
        max_age=int(SESSION_VALID.total_seconds()),
        secure=site.is_secure,
        httponly=True,
        samesite="strict",
        path="/",
    )
    return answer


async def link_needed(_request: Request) -> Response:
    """Say how to get in."""
    return render_link_needed(HTTPStatus.UNAUTHORIZED)


def settings(context: RequestContext) -> Response:
    """Say where the settings are, and how to become several tenants."""
    return render(context, "local_settings.html")
