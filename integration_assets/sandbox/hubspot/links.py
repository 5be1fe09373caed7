"""Association types (labels) of a portal, and the associations between its records.

Types are known by pair of object types, category and number: numbers of a portal's own types may equal HubSpot's. An
association is kept in both directions, each with the types of its direction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from integration_assets.sandbox.hubspot.lagged import Lagged

HUBSPOT = "HUBSPOT_DEFINED"
USER = "USER_DEFINED"

Key = tuple[str, int]
"""Category and type id."""
Pair = tuple[str, str]
"""Object type names, from and to."""

PRIMARY_COMPANY: Key = (HUBSPOT, 1)
PRIMARY_COMPANY_OF_DEAL: Key = (HUBSPOT, 5)
PRIMARY_COMPANY_OF_TICKET: Key = (HUBSPOT, 26)
PARENT_COMPANY: Key = (HUBSPOT, 14)
CHILD_COMPANY: Key = (HUBSPOT, 13)
_EXCLUSIVE: dict[Pair, Key] = {
    ("contacts", "companies"): PRIMARY_COMPANY,
    ("companies", "companies"): PARENT_COMPANY,
    ("deals", "companies"): PRIMARY_COMPANY_OF_DEAL,
    ("tickets", "companies"): PRIMARY_COMPANY_OF_TICKET,
}
"""Types a record has towards one other record at most."""


class AssociationType(NamedTuple):
    """One direction of a way to associate. The plain type of a pair has no label; `inverse` is the other direction."""

    pair: Pair
    key: Key
    label: str | None
    name: str
    inverse: Key


def standard_types() -> Iterator[tuple[AssociationType, AssociationType]]:
    """The types HubSpot defines between companies, contacts and deals, each with its inverse."""
    rows: list[tuple[Pair, int, int, str | None, str | None, str, str]] = [
        (
            ("contacts", "companies"),
            279,
            280,
            None,
            None,
            "contact_to_company_unlabeled",
            "company_to_contact_unlabeled",
        ),
        (("contacts", "companies"), 1, 2, "Primary", "Primary", "contact_to_company", "company_to_contact"),
        (("companies", "companies"), 450, 450, None, None, "company_to_company", "company_to_company"),
        (
            ("companies", "companies"),
            13,
            14,
            "Child Company",
            "Parent Company",
            "parent_to_child_company",
            "child_to_parent_company",
        ),
        (("deals", "companies"), 341, 342, None, None, "deal_to_company_unlabeled", "company_to_deal_unlabeled"),
        (("deals", "companies"), 5, 6, "Primary", "Primary", "deal_to_company", "company_to_deal"),
    ]
    for pair, number, inverse, label, inverse_label, name, inverse_name in rows:
        there = AssociationType(pair, (HUBSPOT, number), label, name, (HUBSPOT, inverse))
        back = AssociationType((pair[1], pair[0]), (HUBSPOT, inverse), inverse_label, inverse_name, (HUBSPOT, number))
        yield there, back


class TypeRegistry:
    """The association types of a portal."""

    def __init__(self, first_id: int, colliding_after: int) -> None:
        self._types: dict[Pair, dict[Key, Lagged[AssociationType]]] = defaultdict(dict)
        self._plain: dict[Pair, AssociationType | None] = {}
        self._first_id = first_id
        self._colliding_after = colliding_after
        self._allocated = 0

    def new_id(self) -> int:
        """A number for the portal's own type. One of them equals HubSpot's 279; which one differs by portal."""
        self._allocated += 1
        if self._allocated == self._colliding_after:
            return 279
        return self._first_id + 2 * self._allocated

    def add(self, there: AssociationType, back: AssociationType, at: float) -> None:
        """Make a type and its inverse known."""
        for one in (there, back):
            self._types[one.pair].setdefault(one.key, Lagged()).set(one, at)
            self._plain.pop(one.pair, None)

    def remove(self, there: AssociationType, at: float) -> None:
        """Forget a type and its inverse."""
        self._types[there.pair][there.key].set(None, at)
        self._types[there.pair[1], there.pair[0]][there.inverse].set(None, at)
        self._plain.clear()

    def of(self, pair: Pair, seen_at: float | None = None) -> list[AssociationType]:
        """The types of a pair, now or as a reader saw them at a moment."""
        found = (kept.current if seen_at is None else kept.seen(seen_at) for kept in self._types[pair].values())
        return [one for one in found if one is not None]

    def find(self, pair: Pair, key: Key) -> AssociationType | None:
        """The type with this category and number between these two object types."""
        kept = self._types[pair].get(key)
        return kept.current if kept else None

    def plain(self, pair: Pair) -> AssociationType | None:
        """The type of a pair that has no label."""
        if pair not in self._plain:
            self._plain[pair] = next((one for one in self.of(pair) if one.label is None), None)
        return self._plain[pair]

    def touching(self, object_type: str, seen_at: float | None = None) -> list[AssociationType]:
        """All types from or to an object type."""
        pairs = [pair for pair in list(self._types) if object_type in pair]
        return [one for pair in pairs for one in self.of(pair, seen_at)]

    def drop_object(self, object_type: str, at: float) -> None:
        """Forget every type from or to an object type."""
        for one in self.touching(object_type):
            self._types[one.pair][one.key].set(None, at)
        self._plain.clear()


class LinkStore:
    """The associations between records."""

    def __init__(self, types: TypeRegistry) -> None:
        self._types = types
        self._links: dict[Pair, dict[int, dict[int, frozenset[Key]]]] = defaultdict(dict)
        self.version = 0
        """Moves with every change."""
        self._shared: dict[frozenset[Key], frozenset[Key]] = {}

    def of(self, pair: Pair, record_id: int) -> dict[int, frozenset[Key]]:
        """Associated records of one record, with the types. Not to be changed."""
        return self._links[pair].get(record_id, {})

    def pairs(self, pair: Pair) -> dict[int, dict[int, frozenset[Key]]]:
        """All associations from one object type to another. Not to be changed."""
        return self._links[pair]

    def with_type(self, pair: Pair, record_id: int, key: Key) -> list[int]:
        """Records associated by one type."""
        return [other for other, keys in self.of(pair, record_id).items() if key in keys]

    def put(self, pair: Pair, from_id: int, to_id: int, keys: Iterable[Key]) -> None:
        """Replace the types between two records. The plain type joins any label; nothing removes the association."""
        wanted = set(keys)
        if wanted and (plain := self._types.plain(pair)) is not None:
            wanted.add(plain.key)
        self._set_both(pair, from_id, to_id, frozenset(wanted))
        self._keep_exclusive(pair, from_id, to_id)
        self._keep_exclusive((pair[1], pair[0]), to_id, from_id)

    def drop_record(self, object_type: str, record_id: int) -> dict[str, dict[int, frozenset[Key]]]:
        """Remove every association of a record; returns what there was, by the other object type."""
        found: dict[str, dict[int, frozenset[Key]]] = {}
        for pair in [pair for pair in self._links if pair[0] == object_type]:
            for to_id, keys in list(self.of(pair, record_id).items()):
                found.setdefault(pair[1], {})[to_id] = keys
                self._set_both(pair, record_id, to_id, frozenset())
        return found

    def drop_type(self, one: AssociationType) -> None:
        """Take a type off all associations that have it; with the plain type all types of the pair go."""
        for from_id, others in list(self._links[one.pair].items()):
            for to_id, keys in list(others.items()):
                if one.key in keys:
                    left = frozenset() if one.label is None else keys - {one.key}
                    self._set_both(one.pair, from_id, to_id, left)

    def _keep_exclusive(self, pair: Pair, from_id: int, to_id: int) -> None:
        key = _EXCLUSIVE.get(pair)
        if key is None or key not in self.of(pair, from_id).get(to_id, ()):
            return
        for other in self.with_type(pair, from_id, key):
            if other != to_id:
                self._set_both(pair, from_id, other, self.of(pair, from_id)[other] - {key})

    def _set_both(self, pair: Pair, from_id: int, to_id: int, keys: frozenset[Key]) -> None:
        self._set_one(pair, from_id, to_id, keys)
        back = (one.inverse for key in keys if (one := self._types.find(pair, key)) is not None)
        self._set_one((pair[1], pair[0]), to_id, from_id, frozenset(back))

    def _set_one(self, pair: Pair, from_id: int, to_id: int, keys: frozenset[Key]) -> None:
        self.version += 1
        links = self._links[pair]
        if keys:
            links.setdefault(from_id, {})[to_id] = self._shared.setdefault(keys, keys)
            return
        others = links.get(from_id)
        if others is not None:
            others.pop(to_id, None)
            if not others:
                del links[from_id]
