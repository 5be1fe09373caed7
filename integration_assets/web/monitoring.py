"""Answers for machines: readiness to serve requests, and the numbers of the runs."""

from __future__ import annotations

import hmac
import logging
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from integration_assets.config import automation_or_defaults
from integration_assets.errors import IntegrationError
from integration_assets.reporting.metrics import RunNumbers, tenants_to_sync
from integration_assets.staging.room import check_room
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.directory import directory
from integration_assets.web.answers import empty_response
from integration_assets.web.site import Site, site_of

READY_SECONDS = 5.0
"""So long an answer is kept: whoever asks all the time costs the registry no more than that."""
FORWARDED = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
"""Headers that proxies add: what carries one did not begin on this machine."""
log = logging.getLogger(__name__)


class Monitoring:
    """The numbers and the readiness of a site. Safe to use from several threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._numbers = RunNumbers(site.settings.home)
        self._lock = threading.Lock()
        self._asked: float | None = None
        self._missing: tuple[str, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """Names of what requests need and is not there; empty when the site is ready.

        The log says why, whenever that changes.
        """
        with self._lock:
            if self._asked is None or time.monotonic() - self._asked >= READY_SECONDS:
                found = dict(self._problems())
                if tuple(found) != self._missing:
                    log.warning("not ready: %s", "; ".join(found.values())) if found else log.info("ready again")
                self._missing, self._asked = tuple(found), time.monotonic()
            return self._missing

    def _problems(self) -> Iterator[tuple[str, str]]:
        try:
            if not self._site.registry.is_current():
                yield "migrations", "the registry is of another version: restart the pages, or install that version"
        except IntegrationError as error:
            yield "registry", error.message
        home = self._site.settings.home
        if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
            yield "home", f"{home} is not there, or cannot be read and written"
            return
        try:
            check_room([home], [])
        except IntegrationError as error:
            yield "disk", error.message

    def exposition(self) -> bytes:
        """The numbers of the runs, in Prometheus' text format."""
        with directory(self._site.registry, Actor("the pages")) as opened:
            tenants = [tenant.slug for tenant in opened.tenants()]
        period = timedelta(minutes=automation_or_defaults().sync_minutes)
        return self._numbers.exposition(tenants_to_sync(tenants), period=period, now=datetime.now(UTC))


async def ready(request: Request) -> Response:
    """Answer 200 when requests can be served, else 503 with the names of what is missing."""
    missing = await run_in_threadpool(_of(request).missing)
    if missing:
        return PlainTextResponse("".join(f"not ready: {name}\n" for name in missing), HTTPStatus.SERVICE_UNAVAILABLE)
    return PlainTextResponse("ready\n")


async def metrics(request: Request) -> Response:
    """Answer with the numbers: to whoever sends the token; without one to this machine, not through a proxy."""
    site = site_of(request)
    if site.metrics_token is not None:
        if not _has_token(request, site.metrics_token.get_secret_value()):
            refusal = empty_response(HTTPStatus.UNAUTHORIZED)
            refusal.headers["www-authenticate"] = "Bearer"
            return refusal
    elif not _is_of_this_machine(request, site):
        return empty_response(HTTPStatus.FORBIDDEN)
    try:
        text = await run_in_threadpool(_of(request).exposition)
    except IntegrationError as error:
        # A scrape that fails is an alert by itself; numbers without the tenants would look like good ones.
        log.warning("no numbers: %s", error.message)
        return empty_response(HTTPStatus.SERVICE_UNAVAILABLE)
    return Response(text, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


def _has_token(request: Request, token: str) -> bool:
    kind, _, sent = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), token.encode())


def _is_of_this_machine(request: Request, site: Site) -> bool:
    # Behind a proxy everybody seems to come from where the proxy is, often this machine.
    if site.is_secure or any(name in FORWARDED for name in request.headers):
        return False
    # A name that was made to point to this machine reaches us through somebody's browser.
    if request.headers.get("host", "").lower() not in site.hosts:
        return False
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _of(request: Request) -> Monitoring:
    monitoring: Monitoring = request.app.state.monitoring
    return monitoring
