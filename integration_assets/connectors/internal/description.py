"""The configuration of an internal system, checked as a whole before anything is asked of it.

endpoints = [{"path": "/v1/accounts", "items": "data", "paging": "page", "size_param": "per_page"}]
mappings = {"row_id": "id", "domain": "customer.domains[0]", "arr": "subscription.arr",
            "currency": {"path": "subscription.currency", "default": "USD"}}

`"arr": {"path": "mrr", "unit": "cents", "period": "month"}` is a figure in cents, for a month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import msgspec

from integration_assets.connectors.internal.paths import Path, PathError, parse_path
from integration_assets.errors import ConfigurationError

MOST_ENDPOINTS = 10
MOST_PARAMS = 30
LONGEST_TEXT = 500
LARGEST_PAGE = 10_000
FIELDS = ("row_id", "company_id", "domain", "arr", "currency")
"""Canonical fields, in the order in which a form asks for them."""
REQUIRED = ("row_id", "arr")
"""And one of `company_id` and `domain`: a figure that leads to no company is of no use."""


class Paging(StrEnum):
    """The way a list is cut into pages.

    `page`: a number that counts up. `offset`: how many rows to leave out. `cursor`: a value of the answer's body that
    asks for what follows. `next_link`: an address in the answer's body, of the same host.
    """

    NONE = "none"
    PAGE = "page"
    OFFSET = "offset"
    CURSOR = "cursor"
    NEXT_LINK = "next_link"


Scalar = str | int | bool


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One list of an internal system.

    `path` is appended to the base URL. `items` is the path of the list of rows in the answer (empty: the answer itself
    is the list). `params` go with every request: in the query of a GET, in the JSON body of a POST. `page_size` goes in
    the parameter `size_param`, the page number, offset or cursor in `position_param` (default: the paging's own word).
    `next` is the path of the cursor or link in the answer, `more` of a flag that says whether there are further pages.
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    items: str = ""
    params: dict[str, Scalar] = {}
    paging: Paging = Paging.NONE
    page_size: int = 100
    size_param: str = ""
    position_param: str = ""
    first_page: int = 1
    next: str = ""
    more: str = ""

    @property
    def position(self) -> str:
        """Name of the parameter that says which page."""
        return self.position_param or self.paging.value

    @property
    def label(self) -> str:
        """Name of the endpoint for counts and messages."""
        return f"{self.method} {self.path}"


class Unit(StrEnum):
    """Unit of a figure: the currency itself, or its smallest unit, of which a dollar has a hundred and a yen one."""

    WHOLE = "whole"
    CENTS = "cents"


class Period(StrEnum):
    """Period that a figure is for."""

    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"


PERIODS_OF_A_YEAR: Mapping[Period, int] = {Period.YEAR: 1, Period.QUARTER: 4, Period.MONTH: 12}


class FieldMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The path of a canonical field in a row (None: nowhere), and its value when nothing stands there.

    `unit` and `period` say what the figure `arr` is in, and what it is for.
    """

    path: str | None = None
    default: str | None = None
    unit: Unit = Unit.WHOLE
    period: Period = Period.YEAR


class Description(msgspec.Struct, frozen=True):
    """A whole configuration, checked: endpoints, for each mapped field its path and default, and what ARR is made of.

    `unit` and `period` are those of the figure that becomes ARR.
    """

    endpoints: tuple[Endpoint, ...]
    mappings: dict[str, tuple[Path | None, str | None]]
    unit: Unit = Unit.WHOLE
    period: Period = Period.YEAR


class DescriptionError(ConfigurationError):
    """Something of the configuration cannot be used. `field` is its name, as in `endpoints.0.items`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def describe(endpoints: Sequence[Mapping[str, Any]], mappings: Mapping[str, Any]) -> Description:
    """The configuration of an internal system.

    Raises:
        DescriptionError: the first thing in it that cannot be used.
    """
    if not 1 <= len(endpoints) <= MOST_ENDPOINTS:
        raise DescriptionError("endpoints", f"must be 1 to {MOST_ENDPOINTS}")
    described = tuple(_endpoint(f"endpoints.{number}", one) for number, one in enumerate(endpoints))
    checked = _mappings(mappings)
    return Description(
        described,
        {name: (None if one.path is None else parse_path(one.path), one.default) for name, one in checked.items()},
        checked["arr"].unit,
        checked["arr"].period,
    )


def _endpoint(field: str, values: Mapping[str, Any]) -> Endpoint:
    try:
        # Not strictly: numbers of a form come as text.
        endpoint = msgspec.convert(dict(values), Endpoint, strict=False)
    except msgspec.ValidationError as error:
        # The field and not only the reason: a form shows the message beside it.
        said, _, where = str(error).partition(" - at `$")
        raise DescriptionError(f"{field}{where.rstrip('`')[:80]}", said[:200]) from None
    _check_path(f"{field}.path", endpoint.path)
    for name in ("items", "next", "more"):
        _parsed(f"{field}.{name}", getattr(endpoint, name))
    _check_params(field, endpoint)
    if not 1 <= endpoint.page_size <= LARGEST_PAGE:
        raise DescriptionError(f"{field}.page_size", f"must be 1 to {LARGEST_PAGE:,}")
    if not 0 <= endpoint.first_page <= 1:
        raise DescriptionError(f"{field}.first_page", "must be 0 or 1")
    if endpoint.paging in (Paging.CURSOR, Paging.NEXT_LINK) and not endpoint.next:
        raise DescriptionError(f"{field}.next", f"the paging {endpoint.paging} needs the path of what leads on")
    if endpoint.method == "POST" and endpoint.paging is Paging.NEXT_LINK:
        raise DescriptionError(f"{field}.paging", "a link leads to a GET: choose GET, or another paging")
    return endpoint


def _check_path(field: str, path: str) -> None:
    # Two slashes would begin the name of another host.
    fine = path.startswith("/") and not path.startswith("//") and path.isascii() and path.isprintable()
    if not fine or len(path) > LONGEST_TEXT or set(path) & set(" \\#@?") or ".." in path.split("/"):
        raise DescriptionError(field, "must be a path below the address, such as /v1/accounts, without parameters")


def _check_params(field: str, endpoint: Endpoint) -> None:
    if len(endpoint.params) > MOST_PARAMS:
        raise DescriptionError(f"{field}.params", f"must be at most {MOST_PARAMS}")
    texts = [*endpoint.params, *(value for value in endpoint.params.values() if isinstance(value, str))]
    texts += [endpoint.size_param, endpoint.position_param]
    if any(len(text) > LONGEST_TEXT or not text.isprintable() for text in texts):
        raise DescriptionError(f"{field}.params", f"must be text of at most {LONGEST_TEXT} printable characters")


def _mappings(values: Mapping[str, Any]) -> dict[str, FieldMapping]:
    checked, wrong = _checked_mappings(values)
    if wrong:
        raise wrong[0]
    return checked


def wrong_mappings(values: Mapping[str, Any]) -> list[DescriptionError]:
    """Everything about the mappings that cannot be used, each with its field, so that all is told at once."""
    return _checked_mappings(values)[1]


def _checked_mappings(values: Mapping[str, Any]) -> tuple[dict[str, FieldMapping], list[DescriptionError]]:
    checked: dict[str, FieldMapping] = {}
    wrong: list[DescriptionError] = []
    for name, value in values.items():
        # An empty field of the form is one that is not mapped.
        if value in (None, "", {}):
            continue
        try:
            checked[name] = _mapping(name, value)
        except DescriptionError as error:
            wrong.append(error)
    # What was typed and is wrong has its own message; that it is missing as well would only follow from it.
    named = {error.field for error in wrong}
    wrong += [
        DescriptionError(f"mappings.{name}", "must say where it stands in a row")
        for name in REQUIRED
        if f"mappings.{name}" not in named and (name not in checked or checked[name].path is None)
    ]
    leads = {"company_id", "domain"}
    if not leads & checked.keys() and not {f"mappings.{name}" for name in leads} & named:
        reason = "must be mapped, or company_id: each row has to lead to a company"
        wrong.append(DescriptionError("mappings.domain", reason))
    # Without one the sums' own currency is meant, which may have no cents: a yen would count as a hundredth.
    if (
        "arr" in checked
        and checked["arr"].unit is Unit.CENTS
        and not {"currency", "mappings.currency"} & (checked.keys() | named)
    ):
        reason = "must be mapped, or have a default such as USD: what a cent is depends on the currency"
        wrong.append(DescriptionError("mappings.currency", reason))
    return checked, wrong


def _mapping(name: str, value: Any) -> FieldMapping:
    field = f"mappings.{name:.40}"
    if name not in FIELDS:
        raise DescriptionError(field, f"there is no such field: use {', '.join(FIELDS)}")
    try:
        mapping = FieldMapping(value) if isinstance(value, str) else msgspec.convert(value, FieldMapping)
    except msgspec.ValidationError as error:
        which = next((part for part in ("unit", "period") if f"$.{part}" in str(error)), None)
        if which is not None:
            choices = ", ".join(Unit if which == "unit" else Period)
            raise DescriptionError(f"{field}.{which}", f"must be one of {choices}") from None
        raise DescriptionError(field, "must be a path, or a path and a default") from None
    if name != "arr" and (mapping.unit, mapping.period) != (Unit.WHOLE, Period.YEAR):
        raise DescriptionError(field, "only arr has a unit and a period")
    if mapping.default is not None and (len(mapping.default) > LONGEST_TEXT or not mapping.default.isprintable()):
        raise DescriptionError(field, f"the default must be at most {LONGEST_TEXT} printable characters")
    if mapping.path is None and mapping.default is None:
        raise DescriptionError(field, "must be a path, or a path and a default")
    if mapping.path is not None:
        _parsed(field, mapping.path)
    return mapping


def _parsed(field: str, text: str) -> Path:
    try:
        return parse_path(text)
    except PathError as error:
        raise DescriptionError(field, str(error)) from None
