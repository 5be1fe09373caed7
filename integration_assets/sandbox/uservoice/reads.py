"""Answers of each path of the Admin API. What is not documented is refused, so that no client relies on it.

Not known, and made up here for that reason only: which status refuses a parameter, a page of more than 100 or a cursor
of another list (400), and the form of a refusal (an empty object).
"""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration_assets.sandbox.uservoice.account import Account, Record

Json = dict[str, Any]
USUAL_PAGE, LARGEST_PAGE = 20, 100
ORDERS = ("-id", "-created_at")
PAGING = frozenset({"per_page", "page", "cursor", "sort", "includes"})
BESIDE: Mapping[str, Mapping[str, str]] = {
    "forums": {},
    "statuses": {},
    "suggestions": {
        "forum": "forums",
        "category": "categories",
        "status": "statuses",
        "labels": "labels",
        "created_by": "users",
    },
    "supporters": {"suggestion": "suggestions", "user": "users"},
    "users": {"external_users": "external_users"},
    "external_users": {"user": "users", "external_account": "external_accounts"},
    "external_accounts": {},
}
"""Per list: its links, and the lists that they lead to, whose records may come beside it."""
FILTERS: Mapping[str, frozenset[str]] = {"supporters": frozenset({"suggestion", "user"})}


class RefusedError(Exception):
    """A request that is refused with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass
class Call:
    """One request of a list, or of one of its records."""

    account: Account
    kind: str
    query: Mapping[str, str]

    def includes(self) -> list[str]:
        """The lists whose records come beside.

        Raises:
            RefusedError: nothing of the kind is linked.
        """
        wanted = [one for one in self.query.get("includes", "").split(",") if one]
        if not set(wanted) <= set(BESIDE[self.kind].values()):
            raise RefusedError(400)
        return wanted

    def number(self, name: str, usual: int, most: int | None = None) -> int:
        """A parameter that is a number from 1 on.

        Raises:
            RefusedError: it is none, or larger than it may be.
        """
        text = self.query.get(name, str(usual))
        if not text.isdecimal() or not text.isascii() or int(text) < 1 or (most is not None and int(text) > most):
            raise RefusedError(400)
        return int(text)


def read_list(call: Call) -> Json:
    """One page of a list."""
    options, filters = call.account.options, FILTERS.get(call.kind, frozenset())
    order = call.query.get("sort", ORDERS[0])
    if not call.query.keys() <= PAGING | filters or order not in ORDERS:
        raise RefusedError(400)
    # They are kept in the order of their ids.
    records = list(reversed(call.account.lists[call.kind].values()))
    # A list of all votes is long, and each page of it is made of the whole.
    if call.kind == "suggestions" or filters & call.query.keys():
        records = [one for one in records if _is_listed(call, one, filters)]
    if order == "-created_at":
        records.sort(key=lambda one: str(one.fields["created_at"]), reverse=True)
    size, page = call.number("per_page", USUAL_PAGE, LARGEST_PAGE), call.number("page", 1)
    start = (page - 1) * size
    if (cursor := call.query.get("cursor")) is not None:
        start = bisect_right(records, -_last_before(call, cursor), key=lambda one: -one.id)
    shown = records[start : start + size]
    pagination: Json = {"page": page, "per_page": size, "total_records": len(records)}
    pagination["total_pages"] = -(-len(records) // size)
    more = len(records) > start + size
    # A cursor follows the ids only.
    if options.cursor and shown and order == ORDERS[0] and (more or options.cursor_at_the_end):
        pagination[options.cursor] = base64.urlsafe_b64encode(f"{_digest(call)} {shown[-1].id}".encode()).decode()
    return {**_views(call, shown), "pagination": pagination}


def read_one(call: Call, record_id: str) -> Json:
    """One record by id."""
    if not call.query.keys() <= {"includes"}:
        raise RefusedError(400)
    record = call.account.lists[call.kind].get(int(record_id))
    if record is None:
        raise RefusedError(404)
    return _views(call, [record])


def _is_listed(call: Call, record: Record, filters: frozenset[str]) -> bool:
    if call.kind == "suggestions" and record.fields["state"] == "merged" and not call.account.options.lists_merged:
        return False
    if not call.account.options.keeps_filters:
        return True
    return all(str(record.links[name]) == call.query[name] for name in filters if name in call.query)


def _digest(call: Call) -> str:
    """A mark of the list that a cursor belongs to: neither order, page size nor filter may change under way."""
    query = sorted((name, value) for name, value in call.query.items() if name not in ("cursor", "page"))
    return hashlib.sha256(f"{call.kind} {query}".encode()).hexdigest()[:12]


def _last_before(call: Call, cursor: str) -> int:
    try:
        digest, _, last = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
    except ValueError:
        raise RefusedError(400) from None
    if digest != _digest(call) or "page" in call.query:
        raise RefusedError(400)
    return int(last)


# -- records as they are written


def _views(call: Call, records: Sequence[Record]) -> Json:
    account, links = call.account, BESIDE[call.kind]
    answer: Json = {
        "links": {f"{call.kind}.{name}": {"type": kind} for name, kind in links.items()},
        call.kind: [],
    }
    supporters = Counter[int]()
    # Nothing else is counted, and there are many of them.
    if "suggestions" in (call.kind, *call.includes()):
        supporters.update(one.links["suggestion"] for one in account.lists["supporters"].values())
    answer[call.kind] = [_view(call.kind, one, supporters) for one in records]
    for kind in call.includes():
        ids = {one: None for record in records for name in links if links[name] == kind for one in _ids(record, name)}
        found = [account.lists[kind][one] for one in ids if one in account.lists[kind]]
        answer[kind] = [_view(kind, one, supporters) for one in found]
    return answer


def _ids(record: Record, link: str) -> list[int]:
    value = record.links.get(link)
    return value if isinstance(value, list) else [] if value is None else [value]


def _view(kind: str, record: Record, supporters: Counter[int]) -> Json:
    counted = {"supporters_count": supporters[record.id], "votes_count": supporters[record.id]}
    return {"id": record.id, **record.fields, **(counted if kind == "suggestions" else {}), "links": record.links}
