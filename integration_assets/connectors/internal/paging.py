"""From one request for a page to the next, for every kind of paging. Pure; nothing here sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from integration_assets.connectors.internal.description import Endpoint, Paging, Scalar
from integration_assets.connectors.internal.paths import WrongKindError, kind_of, parse_path, path_text, value_at


class PagingError(ValueError):
    """The answer does not say how to go on, or leads where nobody should go."""


class Base(msgspec.Struct, frozen=True):
    """The address of a system: `origin` (scheme, host, port) and what every path begins with."""

    origin: str
    prefix: str

    @classmethod
    def of(cls, base_url: str) -> Base:
        """The parts of a base URL."""
        parts = urlsplit(base_url)
        return cls(f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/"))


class PageRequest(msgspec.Struct, frozen=True):
    """A request for one page: a path from the host's root, with a query where a link led to it, and parameters."""

    path: str
    params: dict[str, Scalar]


def first_request(endpoint: Endpoint, base: Base) -> PageRequest:
    """The request for the first page."""
    params = dict(endpoint.params)
    # Without a name for it the system's own page size holds.
    if endpoint.size_param:
        params[endpoint.size_param] = endpoint.page_size
    if endpoint.paging is Paging.PAGE:
        params[endpoint.position] = endpoint.first_page
    elif endpoint.paging is Paging.OFFSET:
        params[endpoint.position] = 0
    return PageRequest(base.prefix + endpoint.path, params)


def rows_of(endpoint: Endpoint, body: Any) -> list[Any]:
    """The rows of a page.

    Raises:
        PagingError: there is no list where they should be.
    """
    try:
        rows = value_at(body, parse_path(endpoint.items))
    except WrongKindError as error:
        raise PagingError(str(error).replace("the row", "the answer")) from None
    if not isinstance(rows, list):
        where = f"`{endpoint.items}`" if endpoint.items else "the answer"
        raise PagingError(f"{where} should be the list of rows and is {kind_of(rows)}")
    return rows


def next_request(
    endpoint: Endpoint, base: Base, current: PageRequest, body: Any, rows: Sequence[Any]
) -> PageRequest | None:
    """The request for the page after this one; None when there is none.

    A page that is shorter than asked for is no end: a system may give less than it is asked for. An empty one is.

    Raises:
        PagingError: the answer leads to another host, or its cursor is none.
    """
    if endpoint.paging is Paging.NONE or (endpoint.more and not _flag(endpoint, body)):
        return None
    if endpoint.paging in (Paging.PAGE, Paging.OFFSET):
        # The first empty page is the end; a short one is not, as some systems give less than they are asked for.
        if not rows:
            return None
        # By the rows that came, not by those that were asked for: there may have been fewer.
        step = 1 if endpoint.paging is Paging.PAGE else len(rows)
        return PageRequest(
            current.path, {**current.params, endpoint.position: int(current.params[endpoint.position]) + step}
        )
    leads_on = _value(endpoint, endpoint.next, body)
    # Systems say in each of these ways that nothing follows.
    if leads_on in (None, "", False):
        return None
    # True is an int to Python, and leads nowhere.
    if isinstance(leads_on, bool) or not isinstance(leads_on, str | int):
        raise PagingError(f"`{endpoint.next}` should be text or a number and is {kind_of(leads_on)}")
    if endpoint.paging is Paging.CURSOR:
        return PageRequest(current.path, {**current.params, endpoint.position: leads_on})
    # A link has its parameters in it.
    return PageRequest(_path_of_link(base, current, str(leads_on)), {})


def _flag(endpoint: Endpoint, body: Any) -> bool:
    flag = _value(endpoint, endpoint.more, body)
    if not isinstance(flag, bool):
        raise PagingError(f"`{endpoint.more}` should be true or false and is {kind_of(flag)}")
    return flag


def _value(endpoint: Endpoint, text: str, body: Any) -> Any:
    path = parse_path(text)
    try:
        return value_at(body, path)
    except WrongKindError as error:
        raise PagingError(f"`{path_text(path)}` of {endpoint.label} cannot be read: {error}") from None


def _path_of_link(base: Base, current: PageRequest, link: str) -> str:
    """Path and query of a link, which must stay at the host: the credential goes with every request."""
    # Characters that parsers read in different ways could hide another host.
    odd = not link.isascii() or not link.isprintable() or set(link) & set(" \\")
    try:
        parts = urlsplit(urljoin(base.origin + current.path, link))
        port = parts.port
    except ValueError:
        odd, parts, port = True, urlsplit(base.origin), None
    home = urlsplit(base.origin)
    # A link may name the port that is meant anyway.
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    there = (parts.scheme, (parts.hostname or "").removesuffix("."), port or usual, parts.username)
    if odd or there != (home.scheme, (home.hostname or "").removesuffix("."), home.port or usual, None):
        raise PagingError("the link to the next page leads to another host, and is not followed")
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
