"""Endpoints made of plain functions: whoever is logged in, what they sent, and how a refusal is answered.

`page` and `form` make endpoints of the pages, `call` of the API. Their handlers are plain functions that run in a
thread: they work on databases, not on sockets.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from integration_assets.config import Environment
from integration_assets.errors import IntegrationError
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.changes import NotFoundError
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.login import find_session
from integration_assets.tenants.registry.views import TenantView
from integration_assets.tenants.registry.words import Role
from integration_assets.web.answers import empty_response, redirect
from integration_assets.web.attempt_limits import counted_address
from integration_assets.web.problems import Problem, problem_answer, problem_of
from integration_assets.web.rendering import render_error, render_problem
from integration_assets.web.request_context import ENVIRONMENT_COOKIE, OF_TENANT, TENANT_COOKIE, Form, RequestContext
from integration_assets.web.site import site_of

MOST_BYTES = 65_536
"""Of a body. The largest form is an internal system with its mappings."""
BODY_SECONDS = 10.0
MOST_FIELDS = 500
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
OTHER_TENANT = (
    "Nothing was done: the page showed tenant {0}, and tenant {1} was chosen since, in another tab. Choose {0} again "
    "and open the page anew."
)
ENDED = "Log in again in another tab, then go back here: what you typed is still in the form. Send it once more."

Handler = Callable[[RequestContext], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def page(handler: Handler, *, of_tenant: bool = True) -> Endpoint:
    """A page for whoever is logged in; others are sent to the login."""

    async def endpoint(request: Request) -> Response:
        context = await run_in_threadpool(_request_context, request)
        # To the login, not a refusal: most who come without a session had one that has ended.
        if context is None:
            return redirect("/login")
        return await _shown(context, handler, of_tenant=of_tenant)

    return endpoint


def form(handler: Handler, *, of_tenant: bool = True) -> Endpoint:
    """Make the endpoint of a form: only from a page of ours, with the session's token."""

    async def endpoint(request: Request) -> Response:
        # Before the session and the body: a page of others must not even make us read what it sends.
        if not is_same_origin(request):
            return empty_response(HTTPStatus.FORBIDDEN)
        context = await run_in_threadpool(_request_context, request)
        if context is None:
            return render_error(request, HTTPStatus.UNAUTHORIZED, "Your session has ended", ENDED)
        try:
            sent = await read_form(request)
        except Problem as problem:
            return empty_response(problem.status)
        # A body may be seconds on its way: whoever was shut out meanwhile is out.
        context = await run_in_threadpool(_request_context, request)
        if context is None:
            return render_error(request, HTTPStatus.UNAUTHORIZED, "Your session has ended", ENDED)
        # Beside the origin, which an old browser may not send: two checks that fail for different reasons.
        token, _, shown = sent.raw(CSRF_FIELD).partition(OF_TENANT)
        if not _same(token, context.who.csrf_token):
            return empty_response(HTTPStatus.FORBIDDEN)
        # An operator has chosen another tenant in another tab since: what the page showed is not what would change.
        if of_tenant and shown and context.tenant is not None and shown != context.tenant.slug:
            return render_problem(context, HTTPStatus.CONFLICT, OTHER_TENANT.format(shown, context.tenant.slug))
        return await _shown(_with(context, form=sent), handler, of_tenant=of_tenant)

    return endpoint


def call(handler: Handler, *, of_tenant: bool = True) -> Endpoint:
    """An endpoint of the API. Changing ones ask for the token of the session in a header, and JSON in the body."""

    async def endpoint(request: Request) -> Response:
        context = await run_in_threadpool(_request_context, request)
        if context is None:
            return problem_answer(Problem(HTTPStatus.UNAUTHORIZED))
        try:
            # Reading changes nothing, and the answer cannot be read by a page of others.
            if request.method not in ("GET", "HEAD"):
                _check_token(request, context)
                body = await _json_body(request)
                context = await run_in_threadpool(_request_context, request)  # as it is now, as for a form
                if context is None:
                    return problem_answer(Problem(HTTPStatus.UNAUTHORIZED))
                context = _with(context, body=body)
            if of_tenant:
                _ = context.own
            return await run_in_threadpool(handler, context)
        except (Problem, IntegrationError) as error:
            return problem_answer(error if isinstance(error, Problem) else problem_of(error))

    return endpoint


def _check_token(request: Request, context: RequestContext) -> None:
    if not is_same_origin(request) or not _same(request.headers.get(CSRF_HEADER, ""), context.who.csrf_token):
        raise Problem(HTTPStatus.FORBIDDEN, f"send Origin and {CSRF_HEADER}: the token is in /api/session")


async def _shown(context: RequestContext, handler: Handler, *, of_tenant: bool) -> Response:
    # An operator belongs to no tenant and has to choose one first.
    if of_tenant and context.tenant is None:
        return redirect("/tenants")
    try:
        return await run_in_threadpool(handler, context)
    except NotFoundError:
        return render_problem(context, HTTPStatus.NOT_FOUND, "There is no such thing here, or no longer.")
    except (Problem, IntegrationError) as error:
        problem = error if isinstance(error, Problem) else problem_of(error)
        return render_problem(context, problem.status, problem.detail)


def _with(context: RequestContext, *, form: Form | None = None, body: bytes = b"") -> RequestContext:
    return RequestContext(
        context.request,
        context.site,
        context.token,
        context.who,
        context.tenant,
        context.environment,
        form or Form(),
        body,
    )


def _request_context(request: Request) -> RequestContext | None:
    site = site_of(request)
    token = request.cookies.get(site.cookie, "")
    chosen = request.cookies.get(ENVIRONMENT_COOKIE, "")
    # A cookie is whatever a browser sends; anything else means the environment we were started with.
    environment = Environment(chosen) if chosen in list(Environment) else site.settings.environment
    if site.link is not None:
        person = site.link.find_session(token, datetime.now(UTC))
        return RequestContext(request, site, token, person, site.link.tenant, environment) if person else None
    who = find_session(site.registry, token) if token else None
    if who is None:
        return None
    # The cookie of an admin is ignored: otherwise it would open another tenant.
    slug = who.tenant if who.role is Role.TENANT_ADMIN else request.cookies.get(TENANT_COOKIE)
    return RequestContext(request, site, token, who, _tenant(site.registry, slug), environment)


def _tenant(registry: Registry, slug: str | None) -> TenantView | None:
    if not slug:
        return None
    try:
        with directory(registry, Actor("the pages")) as tenants:
            return tenants.tenant(slug)
    except NotFoundError:
        return None


def caller_address(request: Request) -> str:
    """The address that tries are counted by. Without one, as behind a Unix socket, all share one counter."""
    return counted_address(request.client.host) if request.client else ""


def is_same_origin(request: Request) -> bool:
    """True if a browser says that a page of ours sent this. What says nothing of its origin is none of ours.

    With our referrer policy browsers write `null` into the Origin of a form; then they must say it in Sec-Fetch-Site.
    """
    site = site_of(request)
    origin = request.headers.get("origin")
    fetched = request.headers.get("sec-fetch-site")
    own = f"{site.scheme}://{request.headers.get('host', '').lower()}"
    # Neither header: an old browser or a tool. It gets no benefit of the doubt, since these requests change something.
    if origin is None or origin == "null":
        return fetched == "same-origin"
    return origin == own and fetched in (None, "same-origin")


async def read_form(request: Request) -> Form:
    """The fields of a form.

    Raises:
        Problem: it is of another type, too large, too slow, or not in UTF-8.
    """
    # The type a foreign page can send without asking is the one we take: origin and token guard it.
    if _content_type(request) != "application/x-www-form-urlencoded":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        # Forms are percent-encoded: anything beyond ASCII was not sent by a browser.
        text = (await _read_body(request)).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:  # also what is not decodable
        raise Problem(HTTPStatus.BAD_REQUEST) from None
    # Browsers send line ends as CRLF; what is shown again must not grow by a character with every try.
    return Form({name: value.replace("\r\n", "\n") for name, value in pairs})


async def _json_body(request: Request) -> bytes:
    body = await _read_body(request)
    # A form of another page can send text, but not JSON with this type, without asking the browser first.
    if body and _content_type(request) != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON: Content-Type: application/json")
    return body


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                # While it comes in: the length that is announced need not be the one that is sent.
                if len(body) > MOST_BYTES:
                    raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {MOST_BYTES:,} bytes")
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT) from None
    return bytes(body)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
