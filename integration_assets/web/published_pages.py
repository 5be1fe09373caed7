"""The published database of the tenant of a visit, and the paging of what is read from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import duckdb
import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.staging.publishing import published_path
from integration_assets.web.request_context import RequestContext

PAGE = 50
LAST_PAGE = 10_000


class Pages(msgspec.Struct, frozen=True):
    """One page among those that so many lines fill."""

    number: int
    found: int

    @property
    def last(self) -> int:
        """Number of the last page."""
        return max(1, -(-self.found // PAGE))


@contextmanager
def published(context: RequestContext) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """The session's tenant's own database; None when no run has published one for this environment yet."""
    path = published_path(context.site.settings.home, context.environment, context.own.slug)
    if not path.exists():
        # No file is the normal state before a first run, not an error.
        context.site.published.forget(path)
        yield None
        return
    with ExitStack() as opened:
        try:
            connection = opened.enter_context(context.site.published.reading(context.settings, context.own.slug))
        except ConfigurationError:
            # what an earlier version published lacks what these pages show, until the next run
            yield None
            return
        yield connection


def page_number(context: RequestContext) -> int:
    """The page that is asked for, from 1; anything odd is the first one."""
    text = context.query("page")
    # Bounded: skipping billions of rows would still read them.
    return min(max(int(text), 1), LAST_PAGE) if text.isascii() and text.isdigit() and len(text) <= 6 else 1
