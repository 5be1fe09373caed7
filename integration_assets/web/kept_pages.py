"""Pages made of the published file alone: rendered once for everybody who may see the same, until a run publishes.

What a session alone sees, its login and its token, is filled in for each reader.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime

from integration_assets.reporting.result_files import endings_version
from integration_assets.staging.publishing import published_path
from integration_assets.web.rendering import Page
from integration_assets.web.request_context import RequestContext

Handler = Callable[[RequestContext], Page]
LONGEST_ADDRESS = 2_000
"""Bytes of the path and the query of a page that is kept: the memory they take is not counted with that of pages."""


def kept(handler: Handler) -> Handler:
    """The same handler, which is asked only for pages that are not kept with the published file that lies there now."""

    def shown(context: RequestContext) -> Page:
        if len(context.request.scope["raw_path"]) + len(context.request.scope["query_string"]) > LONGEST_ADDRESS:
            return handler(context)
        files = context.site.published
        # A tenant and an environment have a file of their own, so that no page of theirs is found for another one.
        path = published_path(context.site.settings.home, context.environment, context.own.slug)
        key = _key(context)
        version, shared = files.kept_page(path, key)
        if shared is not None:
            return Page(shared, context.who)
        page = handler(context)
        if not page.is_passing:
            files.keep_page(path, version, key, page.shared)
        return page

    return shown


def _key(context: RequestContext) -> Hashable:
    """All that a page is made of beside the published file."""
    home, environment = context.site.settings.home, context.environment
    return (
        context.request.scope["path"],
        context.request.scope["query_string"],
        # An operator is shown more in the menu.
        context.who.role,
        context.own.name,
        # The first steps tell of a run that ended, also if it published nothing.
        endings_version(home, environment, context.own.slug),
        # Of dates ahead, such as a renewal within 90 days.
        datetime.now(UTC).date(),
    )
