"""One request of somebody who is logged in: who, for which tenant and environment, and what they sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request

from integration_assets.config import Environment, Settings
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.login import LoggedIn
from integration_assets.tenants.registry.views import TenantView
from integration_assets.web.problems import Problem
from integration_assets.web.site import Site

TENANT_COOKIE = "tenant"
"""Cookie that names the tenant an operator looks at. Of a tenant's admin it is ignored."""
ENVIRONMENT_COOKIE = "environment"
OF_TENANT = "."
"""Stands in forms between the session's token, which has none, and the tenant whose page it is."""


@dataclass(frozen=True)
class Form:
    """Fields sent by a form: the last value of each, spaces around it taken away."""

    values: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The value of a field, "" without one."""
        return self.values.get(name, "").strip()

    def raw(self, name: str) -> str:
        """The value of a field as it was typed."""
        return self.values.get(name, "")

    def has(self, name: str) -> bool:
        """True if a box was ticked."""
        return bool(self.values.get(name))


@dataclass(frozen=True)
class RequestContext:
    """One request of somebody who is logged in."""

    request: Request
    site: Site
    token: str
    who: LoggedIn
    tenant: TenantView | None
    environment: Environment
    form: Form = Form()
    body: bytes = b""

    @property
    def registry(self) -> Registry:
        """The registry."""
        return self.site.registry

    @property
    def is_local(self) -> bool:
        """True without a registry: the pages then show, and change nothing."""
        return self.site.link is not None

    @property
    def settings(self) -> Settings:
        """The operator's settings, for the environment that is looked at."""
        # A copy: the settings of the site are shared by all requests, which run in threads side by side.
        return self.site.settings.model_copy(update={"environment": self.environment})

    @property
    def own(self) -> TenantView:
        """The tenant, where a route has one."""
        if self.tenant is None:
            raise Problem(HTTPStatus.CONFLICT, "choose a tenant first")
        return self.tenant

    @property
    def actor(self) -> Actor:
        """The actor, for the audit trail."""
        return Actor(self.who.login, self.request.scope["request_id"])

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        """A parameter of the query, "" without one."""
        return self.request.query_params.get(name, "").strip()

    def queries(self, name: str) -> tuple[str, ...]:
        """All parameters of the query of one name, empty ones left out, in their order."""
        return tuple(value for one in self.request.query_params.getlist(name) if (value := one.strip()))
