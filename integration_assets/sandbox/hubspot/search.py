"""Search: its caps, its operators, and its walk over records as the index sees them.

Rules follow "Search the CRM" (https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from integration_assets.sandbox.hubspot.errors import Json, validation
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.reading import value_of
from integration_assets.sandbox.hubspot.records import Record
from integration_assets.sandbox.hubspot.values import milliseconds_of

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal

MAX_LIMIT = 200
MAX_WINDOW = 10_000
MAX_GROUPS = 5
MAX_FILTERS_PER_GROUP = 6
MAX_FILTERS = 18
MAX_BODY = 3_000
"""Characters of the request body."""

_SEARCHED_BY_QUERY = {
    "companies": ("name", "domain", "website", "phone"),
    "contacts": ("firstname", "lastname", "email", "phone", "company"),
}
_TOKEN = re.compile(r"[\w*]+")
_RANGED: dict[str, Callable[[Any, Any], bool]] = {
    "LT": lambda value, bound: value < bound,
    "LTE": lambda value, bound: value <= bound,
    "GT": lambda value, bound: value > bound,
    "GTE": lambda value, bound: value >= bound,
}
_OPERATORS = frozenset(
    {
        *_RANGED,
        "EQ",
        "NEQ",
        "BETWEEN",
        "IN",
        "NOT_IN",
        "HAS_PROPERTY",
        "NOT_HAS_PROPERTY",
        "CONTAINS_TOKEN",
        "NOT_CONTAINS_TOKEN",
    }
)

Test = Callable[[Record], bool]


class SearchCache:
    """The result of the last search: walking a long result asks the same again and again."""

    def __init__(self) -> None:
        self.state: bytes | None = None
        self.ids: list[int] = []


def find(
    portal: Portal, one: ObjectType, raw: bytes, body: Json, cache: SearchCache
) -> tuple[list[Record], int, int | None]:
    """Records of one page, the total, and the offset of the next page (None: this is the last).

    Raises:
        ApiError: 400, the query breaks a rule.
    """
    if len(raw.decode("utf-8", "replace")) > MAX_BODY:
        raise validation(f"The request body is longer than {MAX_BODY} characters")
    limit, offset = _window(body)
    seen = one.store.seen_by_search(portal.clock())
    tests = _groups(portal, one, body.get("filterGroups") or [])
    order = _order(portal, one, body.get("sorts") or [])
    query = str(body.get("query") or "").lower()
    state = msgspec.json.encode(
        [
            one.object_type_id,
            one.store.version,
            portal.links.version,
            body.get("filterGroups"),
            body.get("sorts"),
            query,
        ]
    )
    if state != cache.state:
        ids = _matching(one, seen, tests, query)
        if order is not None:
            key, descending = order
            ids.sort(key=lambda record_id: key(seen[record_id]), reverse=descending)
        cache.state, cache.ids = state, ids
    chosen = [seen[record_id] for record_id in cache.ids[offset : offset + limit]]
    following = offset + limit if offset + limit < len(cache.ids) else None
    return chosen, len(cache.ids), following


def _window(body: Json) -> tuple[int, int]:
    limit = body.get("limit", 10)
    if not isinstance(limit, int) or not 0 <= limit <= MAX_LIMIT:
        raise validation(f"limit must be between 0 and {MAX_LIMIT}")
    after = body.get("after") or "0"
    if not str(after).isdigit():
        raise validation("after must be an integer")
    if int(after) + limit > MAX_WINDOW:
        raise validation(f"Searches return at most {MAX_WINDOW} results; after and limit reach beyond")
    return limit, int(after)


def _groups(portal: Portal, one: ObjectType, groups: Any) -> list[list[Test]]:
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise validation("filterGroups must be a list of groups")
    filters = [group.get("filters") or [] for group in groups]
    if len(groups) > MAX_GROUPS:
        raise validation(f"No more than {MAX_GROUPS} filter groups are allowed")
    if any(len(listed) > MAX_FILTERS_PER_GROUP for listed in filters):
        raise validation(f"No more than {MAX_FILTERS_PER_GROUP} filters are allowed in a group")
    if sum(len(listed) for listed in filters) > MAX_FILTERS:
        raise validation(f"No more than {MAX_FILTERS} filters are allowed")
    return [[_test(portal, one, item) for item in listed] for listed in filters]


def _matching(one: ObjectType, seen: dict[int, Record], tests: list[list[Test]], query: str) -> list[int]:
    names = _SEARCHED_BY_QUERY.get(one.name) or tuple((one.schema.current or {}).get("searchableProperties", ()))

    def found(record: Record) -> bool:
        if query and not any(query in record.properties.get(name, "").lower() for name in names):
            return False
        return not tests or any(all(test(record) for test in group) for group in tests)

    return [record_id for record_id, record in seen.items() if found(record)]


def _order(portal: Portal, one: ObjectType, sorts: Any) -> tuple[Callable[[Record], Any], bool] | None:
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise validation("Only one sort rule is allowed")
    if not sorts:
        return None
    rule = sorts[0]
    if isinstance(rule, str):
        name, descending = rule.lstrip("-"), rule.startswith("-")
    else:
        name, descending = str(rule.get("propertyName")), rule.get("direction") == "DESCENDING"
    definition = _definition(one, name)
    comparable = _comparable(definition)

    def key(record: Record) -> Any:
        value = _value(portal, one, record, name)
        made = None if value is None else comparable(value)
        return (made is not None, made if made is not None else 0, record.id)

    return key, descending


def _definition(one: ObjectType, name: str) -> Json:
    definition = one.definition(name)
    if definition is None:
        raise validation(f"There was a problem with the request: property {name} does not exist")
    return definition


def _value(portal: Portal, one: ObjectType, record: Record, name: str) -> str | None:
    return value_of(portal, one, record, name) or None


def _comparable(definition: Json) -> Callable[[str], Any]:
    kind = definition["type"]
    if kind == "number":
        return _as_number
    if kind in {"date", "datetime"}:
        return milliseconds_of
    return str.lower if kind != "enumeration" else str


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _test(portal: Portal, one: ObjectType, item: Any) -> Test:
    if not isinstance(item, dict):
        raise validation("Filters must be objects")
    name, operator = str(item.get("propertyName")), item.get("operator")
    if operator not in _OPERATORS:
        raise validation(f"{operator} is not a search operator")
    if name.startswith("associations."):
        return _association_test(portal, one, name.removeprefix("associations."), item)
    definition = _definition(one, name)

    def value(record: Record) -> str | None:
        return _value(portal, one, record, name)

    if operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
        return lambda record: (value(record) is not None) == (operator == "HAS_PROPERTY")
    if operator in {"IN", "NOT_IN"}:
        return _membership(definition, item, value)
    if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
        return _containing(item, value)
    return _comparison(definition, item, value)


def _membership(definition: Json, item: Json, value: Callable[[Record], str | None]) -> Test:
    values = item.get("values")
    if not isinstance(values, list) or not values:
        raise validation(f"{item['operator']} needs values")
    # Text is indexed in lower case and the given values are not: an upper-case letter finds nothing.
    wanted = {str(one) for one in values}
    fold = str.lower if definition["type"] in {"string", "phone_number"} else str
    inside = item["operator"] == "IN"

    def test(record: Record) -> bool:
        held = value(record)
        return held is not None and (fold(held) in wanted) == inside

    return test


def _containing(item: Json, value: Callable[[Record], str | None]) -> Test:
    if not item.get("value"):
        raise validation(f"{item['operator']} needs a value")
    pattern = re.compile(".*".join(re.escape(part) for part in str(item["value"]).lower().split("*")))
    inside = bool(item["operator"] == "CONTAINS_TOKEN")

    def test(record: Record) -> bool:
        tokens = _TOKEN.findall((value(record) or "").lower())
        whole = (value(record) or "").lower()
        return any(pattern.fullmatch(token) for token in [*tokens, whole]) == inside

    return test


def _comparison(definition: Json, item: Json, value: Callable[[Record], str | None]) -> Test:
    operator, comparable = item["operator"], _comparable(definition)
    if item.get("value") is None or (operator == "BETWEEN" and item.get("highValue") is None):
        raise validation(f"{operator} needs a value")
    bound = comparable(str(item["value"]))
    high = comparable(str(item["highValue"])) if operator == "BETWEEN" else None
    if bound is None or (operator == "BETWEEN" and high is None):
        raise validation(f"{item['value']} is not a value of {definition['name']}")

    def test(record: Record) -> bool:
        text = value(record)
        held = None if text is None else comparable(text)
        if operator == "NEQ":
            return bool(held is not None and held != bound)
        if held is None:
            return False
        if operator == "EQ":
            return bool(held == bound)
        if operator == "BETWEEN":
            return bool(bound <= held <= high)
        return _RANGED[operator](held, bound)

    return test


def _association_test(portal: Portal, one: ObjectType, named: str, item: Json) -> Test:
    target = portal.find_object(named)
    if target is None or target.custom or one.custom:
        raise validation(f"Searching by associations with {named} is not supported")
    values = item.get("values") or [item.get("value")]
    wanted = {int(value) for value in values if str(value).isdigit()}
    if item["operator"] not in {"EQ", "IN"}:
        raise validation("Associations can be searched with EQ and IN only")
    return lambda record: not wanted.isdisjoint(portal.links.of((one.name, target.name), record.id))
