"""Answers that tell nothing, and the headers every answer has."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

_CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        _CONTENT_SECURITY_POLICY,
    ),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)
"""Of all answers. The page's own script and style and nothing else run, nobody frames it, nothing is kept anywhere."""


def empty_response(status: int) -> Response:
    """An answer that says no more than its status: the same for every path that is not there."""
    # Plain text without markup: the body holds nothing of the request that a browser could run.
    return PlainTextResponse(f"{HTTPStatus(status).phrase.lower()}\n", status)


def without_content(_request: Request, error: Exception) -> Response:
    """Handler of Starlette's own errors: no path, no list of methods."""
    return empty_response(error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR)


def redirect(path: str) -> Response:
    """Go on with a GET of this path of ours."""
    # 303, so that the browser goes on with a GET: reloading the page does not send the form a second time.
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)
