"""Pages without a login beside the login itself: health, security.txt, and the files of the pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

STATIC: dict[str, str] = {"app.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""The files that are served, and nothing beside them; read once, never from a path that a browser sent."""
CONTACT = "https://github.com/integration-assets/integration_assets/security/advisories/new"
VALID = timedelta(days=180)


async def health(_request: Request) -> Response:
    """Answer that the process lives. Says nothing of what it is."""
    return PlainTextResponse("ok\n")


async def security_txt(_request: Request) -> Response:
    """Say where to report a weakness (RFC 9116)."""
    # Rounded to the day, so that the answer tells nothing of this machine's clock.
    expires = (datetime.now(UTC) + VALID).replace(hour=0, minute=0, second=0, microsecond=0)
    return PlainTextResponse(f"Contact: {CONTACT}\nExpires: {expires:%Y-%m-%dT%H:%M:%SZ}\nPreferred-Languages: en\n")


def static_file(name: str) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one file."""

    async def endpoint(_request: Request) -> Response:
        return Response(_content(name), media_type=STATIC[name])

    return endpoint


@cache
def _content(name: str) -> bytes:
    return files("integration_assets.web").joinpath("static", name).read_bytes()
