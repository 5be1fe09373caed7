"""One served application, and where it stands: settings, who is known to it, origin, attempt limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request

from integration_assets.config import Settings
from integration_assets.coordination.database import shared_database
from integration_assets.coordination.tries import PostgresTries
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.login import device_key
from integration_assets.web.attempt_limits import AttemptLimit, LoginLimit, connection_test_limit, login_limit
from integration_assets.web.one_time_link import OneTimeLink
from integration_assets.web.open_files import OpenFiles

NO_REGISTRY = "there is no registry yet: `integration-assets tenants add` makes one"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
SECURE_COOKIE = "__Host-sid"
LOOPBACK_COOKIE = "sid"
"""Over http the prefix and `Secure` would keep a browser from sending the cookie at all; loopback leaves no machine."""


@dataclass(frozen=True)
class Site:
    """An application. `origin` is how browsers see it: `https://host`, or `http://127.0.0.1:PORT` on loopback.

    `people` says who may come in: users of a registry, or without one whoever opens the one-time link, never both.
    `metrics_token` opens its numbers to whoever sends it; None: to this machine only. `published` are the files that
    its pages read.
    """

    settings: Settings
    people: Registry | OneTimeLink
    origin: str
    logins: LoginLimit = field(default_factory=login_limit)
    tests: AttemptLimit = field(default_factory=connection_test_limit)
    metrics_token: SecretStr | None = None
    published: OpenFiles = field(default_factory=OpenFiles)

    @property
    def registry(self) -> Registry:
        """The registry.

        Raises:
            ConfigurationError: there is none. No route that needs it is served then.
        """
        if isinstance(self.people, OneTimeLink):
            raise ConfigurationError(NO_REGISTRY)
        return self.people

    @property
    def link(self) -> OneTimeLink | None:
        """The one-time link; None with a registry."""
        return self.people if isinstance(self.people, OneTimeLink) else None

    @property
    def scheme(self) -> str:
        """`https`, or `http` on loopback."""
        return urlsplit(self.origin).scheme

    @property
    def is_secure(self) -> bool:
        """True if browsers reach it by https."""
        return self.scheme == "https"

    @property
    def cookie(self) -> str:
        """Name of the session's cookie."""
        return SECURE_COOKIE if self.is_secure else LOOPBACK_COOKIE

    @property
    def device_cookie(self) -> str:
        """Name of the cookie that shows which browser was logged in with before."""
        return f"{self.cookie}-device"

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the Host header it answers to."""
        own = urlsplit(self.origin).netloc
        # Behind a proxy there is one name; on loopback a browser may use any of three.
        if self.is_secure:
            return frozenset({own})
        port = own.rpartition(":")[2]
        return frozenset({own, *(f"{host}:{port}" for host in LOOPBACK_HOSTS)})


def opened_site(settings: Settings, registry: Registry, origin: str, metrics_token: SecretStr | None = None) -> Site:
    """The application to be served, with counters that all processes share where the registry is on PostgreSQL."""
    database = shared_database(settings)
    if database is None:
        return Site(settings, registry, origin, metrics_token=metrics_token)
    tries = PostgresTries(database)
    return Site(
        settings,
        registry,
        origin,
        metrics_token=metrics_token,
        logins=login_limit(tries, device_key(registry)),
        tests=connection_test_limit(tries),
    )


def checked_origin(origin: str) -> str:
    """An origin that may be served.

    Raises:
        ConfigurationError: it is none, or plain http beyond this machine: passwords would travel open.
    """
    parts = urlsplit(origin)
    # An origin with a path or a slash at its end would never be equal to what browsers send.
    if parts.scheme not in ("http", "https") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
        raise ConfigurationError("--origin must be what browsers show, such as https://assets.example, without a path")
    # By the last colon: an IPv6 address has more of them.
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        raise ConfigurationError(
            "beyond this machine the pages are served over https only: put a proxy with a certificate before them and "
            "name its address with --origin https://…"
        )
    return origin.lower()


def site_of(request: Request) -> Site:
    """The application a request came to."""
    site: Site = request.app.state.site
    return site
