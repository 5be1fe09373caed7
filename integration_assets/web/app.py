"""The application: the routes behind the gate."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.middleware import Middleware

from integration_assets.tenants.registry.passwords import fits
from integration_assets.web.answers import without_content
from integration_assets.web.middleware import Gate
from integration_assets.web.monitoring import Monitoring
from integration_assets.web.routes import LOCAL_ROUTES, ROUTES
from integration_assets.web.site import Site


def create_app(site: Site) -> Starlette:
    """The application of a site. Closing its registry is the caller's; without one only `LOCAL_ROUTES` are there."""
    app = Starlette(
        routes=list(ROUTES if site.link is None else LOCAL_ROUTES),
        middleware=[Middleware(Gate, site=site)],
        exception_handlers={HTTPStatus.NOT_FOUND: without_content, HTTPStatus.METHOD_NOT_ALLOWED: without_content},
    )
    app.router.redirect_slashes = False  # a path is there or it is not
    app.state.site = site
    app.state.monitoring = Monitoring(site)
    fits(None, "")  # the hash that stands for users who do not exist is made once, here: later it would take time
    return app
