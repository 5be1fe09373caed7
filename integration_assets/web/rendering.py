"""Templates to answers. Everything is escaped unless it is markup of ours; a missing value is an error, not a blank."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment as Templates
from jinja2 import PackageLoader, StrictUndefined
from markupsafe import escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from integration_assets.reporting.exports import is_web_address
from integration_assets.reporting.run_summary import arr_words, has_written, unapplied_changes
from integration_assets.reporting.text import amount, closed_words, duration, field_words, lacking_rate, value_words
from integration_assets.tenants.registry.login import LoggedIn
from integration_assets.web.request_context import OF_TENANT, RequestContext

DONE = {
    "added": "Added. Test it to see whether it works.",
    "saved": "Saved.",
    "rotated": "The new secret is stored; the old one is gone.",
    "disabled": "Disabled: runs leave it out.",
    "enabled": "Enabled: the next run uses it.",
    "deleted": "Deleted, with its secret.",
    "chosen": "Saved: the next run uses it.",
    "columns": "The columns are saved: the next run reads the table by them.",
    "mapped": "Mapped: the next run uses it.",
    "unmapped": "The mapping is gone; the next run works without it.",
    "asked": "Requested: it starts when its turn comes.",
    "withdrawn": "Withdrawn: it will not start.",
    "let_go": "Let go: another run can be requested. Should this one be alive after all, the next waits for it.",
    "approved": "Approved: the next sync applies exactly this plan.",
}
"""Messages after something was done, by the word in the address: nothing of the address itself is shown."""
_LOGIN, _TOKEN = (secrets.token_hex().encode() for _ in range(2))
"""Marks in a page, other ones in each process: no text from outside can hold them."""


class Page(HTMLResponse):
    """A page for somebody who is logged in.

    `shared` is what everybody is sent who may see the same, with marks in place of the session's own login and token.
    `is_passing`: something else than the published file changes it.
    """

    def __init__(self, shared: bytes, who: LoggedIn, status: int = 200, *, is_passing: bool = True) -> None:
        self.shared = shared
        self.is_passing = is_passing
        login = str(escape(who.login)).encode()
        super().__init__(shared.replace(_LOGIN, login).replace(_TOKEN, who.csrf_token.encode()), status)


def render(
    context: RequestContext, template: str, status: int = 200, *, is_passing: bool = True, **values: Any
) -> Page:
    """A page for somebody who is logged in. `is_passing`: as of `Page`."""
    common = {
        "request_context": context,
        "login": _LOGIN.decode(),
        # With the tenant whose page it is: forms send both back.
        "csrf": _TOKEN.decode() + (f"{OF_TENANT}{context.tenant.slug}" if context.tenant is not None else ""),
        # By a fixed table: text of the address on the page would let a link speak in our name.
        "done": DONE.get(context.request.query_params.get("done", ""), ""),
        "path": context.request.url.path,
    }
    text = _templates().get_template(template).render(**common, **values)
    return Page(text.encode(), context.who, status, is_passing=is_passing)


def render_login(_request: Request, status: int = 200, **values: Any) -> HTMLResponse:
    """The login page."""
    page = _templates().get_template("login.html").render(request_context=None, **{"said": "", **values})
    return HTMLResponse(page, status)


def render_password(status: int = 200, **values: Any) -> HTMLResponse:
    """The page of a password link."""
    return HTMLResponse(_templates().get_template("password.html").render(request_context=None, **values), status)


def render_link() -> HTMLResponse:
    """The page that sends the code of the one-time link."""
    return HTMLResponse(_templates().get_template("open_link.html").render(request_context=None))


def render_link_needed(status: int) -> HTMLResponse:
    """The page that says how to get in where there is no login."""
    return HTMLResponse(_templates().get_template("link_needed.html").render(request_context=None), status)


def render_problem(context: RequestContext, status: int, message: str) -> Page:
    """A page that says why not."""
    return render(context, "error.html", status, title=HTTPStatus(status).phrase.capitalize(), message=message)


def render_error(_request: Request, status: int, title: str, message: str) -> HTMLResponse:
    """A page for somebody who is not logged in."""
    text = _templates().get_template("error.html").render(request_context=None, title=title, message=message)
    return HTMLResponse(text, status)


@cache
def _templates() -> Templates:
    templates = Templates(
        loader=PackageLoader("integration_assets.web"),
        # Titles, names and domains come from people outside.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "moment": _moment,
        "day": _day,
        "amount": amount,
        "duration": duration,
        "lacking_rate": lacking_rate,
        "segment": _segment,
        "field": field_words,
        "value": value_words,
    }
    templates.globals |= {"query": _query, "share": _share, "number": _number, "arr_words": arr_words}
    templates.globals |= {"closed_words": closed_words, "is_web_address": is_web_address}
    templates.globals |= {"unapplied_changes": unapplied_changes, "has_written": has_written}
    return templates


def _moment(value: datetime | None) -> str:
    """A time in UTC; the store's times have no zone and are UTC."""
    if value is None:
        return "never"
    return f"{value.astimezone(UTC) if value.tzinfo else value:%Y-%m-%d %H:%M} UTC"


def _day(value: date | None) -> str:
    return f"{value:%Y-%m-%d}" if value else "\N{EN DASH}"


def _segment(value: str) -> str:
    """A value as one segment of a path."""
    return quote(value, safe="")


def _query(**values: object) -> str:
    """A query string, empty values left out; a tuple is the same name several times."""
    given = {
        name: value if isinstance(value, tuple) else str(value)
        for name, value in values.items()
        if value not in (None, "", False, ())
    }
    return f"?{urlencode(given, doseq=True)}" if given else ""


def _share(part: float | Decimal, whole: float | Decimal) -> float:
    return float(part) / float(whole) if whole else 0.0


def _number(value: int) -> str:
    return f"{value:,}"
